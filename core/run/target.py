"""Which target dir a build uses: cargo's own, unless a second agent builds in the same checkout just now."""

import json
import os
from typing import Any, NamedTuple

from core.paths import Paths
from core.run.stop import is_live


class Target(NamedTuple):
    """A target dir and where it comes from."""

    path: str | None
    source: str
    """`default`, `user` (flag, variable or config), `private`, `none`."""
    reason: str


class Subject(NamedTuple):
    """Who builds what."""

    agent: str
    checkout: str
    own: str
    """Cargo's own target dir for it."""
    key: str = ""
    """What tells private target dirs apart besides checkout and agent."""
    is_keyed: bool = False
    """There is a private one for each key, whether or not somebody else builds."""


_LATEST = "~"
"""Later than every run's id."""
_KEPT = "this agent has a private target dir for this checkout"
_KEYED = 'deck.toml says target-dir-key = "full": one for each toolchain, target, Cargo.lock and set of features'


def choose_target(paths: Paths, run: str, subject: Subject) -> Target:
    """Cargo's own target dir, or the agent's private one, which is made.

    Private where the agent already has one for this checkout (it keeps it while it lives in the store), or where
    another agent's live run in this checkout uses cargo's own. Of two that start at once the later id gives way.
    """
    found = foresee_target(paths, subject, run)
    if found.source == "private":
        _make(private_dir(paths, subject), subject.checkout)
    return found


def foresee_target(paths: Paths, subject: Subject, run: str = _LATEST) -> Target:
    """Where a build would build that is started now; nothing is made."""
    if subject.is_keyed:
        return Target(private_dir(paths, subject), "private", _KEYED)
    if _has_private(paths, subject.agent) and os.path.isdir(os.path.dirname(private_dir(paths, subject))):
        return Target(private_dir(paths, subject), "private", _KEPT)
    if (other := _other_agent(paths, run, subject.agent, subject.own)) is not None:
        return Target(private_dir(paths, subject), "private", f"{other} is building in this checkout")
    return Target(subject.own, "default", "no other agent builds in this checkout")


def private_dir(paths: Paths, subject: Subject) -> str:
    """The private target dir of (checkout, agent, key), whether or not it is there."""
    import hashlib

    told = f"{subject.checkout}\0{subject.key}" if subject.key else subject.checkout
    digest = hashlib.blake2b(os.fsencode(told), digest_size=8).hexdigest()
    return f"{paths.targets}/{subject.agent}@{digest}/target"


def _has_private(paths: Paths, agent: str) -> bool:
    """The agent has one for some checkout."""
    try:
        return any(name.startswith(agent + "@") for name in os.listdir(paths.targets))
    except OSError:
        return False


def _make(path: str, checkout: str) -> None:
    folder = os.path.dirname(path)
    os.makedirs(folder, 0o700, exist_ok=True)
    with open(folder + "/checkout", "w") as file:
        file.write(checkout + "\n")


def _other_agent(paths: Paths, run: str, agent: str, own: str) -> str | None:
    """An agent, not this one, with a live run in target dir `own`; None where there is none."""
    try:
        names = sorted(os.listdir(paths.open))
    except OSError:
        return None
    for name in names:
        if name == run or name.startswith(".") or not is_live(paths, name):
            continue
        record = _read(paths.run(name) + "/run.json")
        if record is None:  # not decided yet: of two that start at once the later id gives way
            record = _read(f"{paths.open}/{name}") if name < run else None
            target = record and record.get("target")
        else:
            target = record.get("target_dir")
        if record and record.get("agent") != agent and target == own:
            return str(record["agent"])
    return None


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            record = json.load(file)
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
