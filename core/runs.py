"""Which run a person means: an id, the beginning of one, or an agent's name."""

import os

from core.errors import UsageError
from core.facts import read_record
from core.paths import Paths

_MAX_NAMED = 5


def run_ids(paths: Paths) -> list[str]:
    """All runs on disk, oldest first."""
    try:
        return sorted(name for name in os.listdir(paths.runs) if not name.startswith("."))
    except OSError:
        return []


def resolve_run(paths: Paths, word: str) -> str:
    """The id of the run that `word` names: an id, a unique beginning of one, or an agent (its newest run).

    Raises:
        UsageError: none or several fit; it names candidates.
    """
    ids = run_ids(paths)
    if word in ids:
        return word
    starts = [run for run in ids if run.startswith(word)] if word else []
    if len(starts) == 1:
        return starts[0]
    agents: dict[str, str] = {}
    for run in reversed(ids):
        agent = _agent(paths, run)
        if agent == word:
            return run
        agents.setdefault(agent, run)
    raise UsageError(_several(paths, word, starts) if starts else _none(word, agents))


def newest_run_in(paths: Paths, checkout: str) -> str | None:
    """The newest run that belongs to a checkout, as `core.run.identity.checkout_of` names it; None: there is none."""
    for run in reversed(run_ids(paths)):
        record = read_record(paths, run)
        if record is not None and record.started.checkout == checkout:
            return run
    return None


def runs_of(paths: Paths, agent: str) -> list[str]:
    """All runs of an agent that are on disk, oldest first."""
    return [run for run in run_ids(paths) if _agent(paths, run) == agent]


def _agent(paths: Paths, run: str) -> str:
    record = read_record(paths, run)
    return record.started.agent if record is not None else "?"


def _several(paths: Paths, word: str, starts: list[str]) -> str:
    named = [f"{run} ({_agent(paths, run)})" for run in reversed(starts[-_MAX_NAMED:])]
    more = f" and {len(starts) - _MAX_NAMED} older" if len(starts) > _MAX_NAMED else ""
    return f"{word!r} fits {len(starts)} runs, write more of it: {', '.join(named)}{more}"


def _none(word: str, agents: dict[str, str]) -> str:
    """`agents`: the newest run of each, latest first."""
    from difflib import get_close_matches

    known = [name for name in agents if name != "?"]
    near = get_close_matches(word, known, _MAX_NAMED) or known[:_MAX_NAMED]
    named = ", ".join(near) + (" …" if len(near) < len(known) else "")
    hint = "there are no runs yet" if not agents else f"agents: {named}" if near else "no agent is known"
    return f"no run and no agent is called {word[:80]!r} ({hint}): see `cargo deck ps --all`"
