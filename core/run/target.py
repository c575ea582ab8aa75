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

    @property
    def plan(self) -> tuple[tuple[str, str, str], ...]:
        """What was decided: setting, value, reason."""
        return (("target-dir", self.path, self.reason),) if self.path else ()


def choose_target(paths: Paths, run: str, agent: str, checkout: str, own: str) -> Target:
    """Cargo's own target dir `own`, or the agent's private one.

    Private where the agent already has one for this checkout (it keeps it while it lives in the store), or where
    another agent's live run in this checkout uses cargo's own. Of two that start at once the later id gives way.
    """
    kept = private_dir(paths, agent, checkout, only_existing=True)
    if kept is not None:
        return Target(kept, "private", "this agent has a private target dir for this checkout")
    other = _other_agent(paths, run, agent, own)
    if other is None:
        return Target(own, "default", "no other agent builds in this checkout")
    path = private_dir(paths, agent, checkout, only_existing=False)
    return Target(path, "private", f"{other} is building in this checkout")


def private_dir(paths: Paths, agent: str, checkout: str, *, only_existing: bool) -> str | None:
    """The private target dir of (checkout, agent); made where asked for."""
    if only_existing:
        try:
            if not any(name.startswith(agent + "@") for name in os.listdir(paths.targets)):
                return None
        except OSError:
            return None
    import hashlib

    key = hashlib.blake2b(os.fsencode(checkout), digest_size=8).hexdigest()
    folder = f"{paths.targets}/{agent}@{key}"
    if only_existing:
        return folder + "/target" if os.path.isdir(folder) else None
    os.makedirs(folder, 0o700, exist_ok=True)
    with open(folder + "/checkout", "w") as file:
        file.write(checkout + "\n")
    return folder + "/target"


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
