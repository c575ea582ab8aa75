"""Which run a person means: an id, the beginning of one, or an agent's name."""

import os

from core.errors import UsageError
from core.facts import read_record
from core.paths import Paths


def run_ids(paths: Paths) -> list[str]:
    """All runs on disk, oldest first."""
    try:
        return sorted(os.listdir(paths.runs))
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
    if not starts:
        for run in reversed(ids):
            record = read_record(paths, run)
            if record is not None and record.started.agent == word:
                return run
    if starts:
        raise UsageError(
            f"{word!r} fits {len(starts)} runs, for example {starts[-1]} and {starts[0]}: write more of it"
        )
    known = f"the newest is {ids[-1]}" if ids else "there are none yet"
    raise UsageError(f"no run and no agent is called {word!r} ({known}): see `cargo deck ps --all`")
