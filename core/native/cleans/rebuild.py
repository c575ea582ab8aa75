"""Seconds that units took when they were compiled last, from the history: what a clean costs to undo."""

import sqlite3
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from core.native.cleans.clean_words import read_words
from core.native.cleans.loss import Unit

_NEWEST = """
SELECT crates.name, crates.elapsed_s, runs.command, runs.subcommand FROM crates JOIN runs ON runs.run = crates.run
WHERE runs.checkout = ? AND runs.tool = 'cargo' ORDER BY runs.started DESC LIMIT ?
"""
_MAX_ROWS = 50_000
_CHECKS = ("check", "clippy", "doc")
"""They compile no code: a unit takes less."""


class Rebuild(NamedTuple):
    """What it takes to make units again."""

    seconds: float | None = None
    """Of all units whose seconds are known, added up; None: of none they are, or there are none."""
    known: int = 0
    units: int = 0


Seconds = Mapping[tuple[str, str], float]
"""By folder of the profile (`debug`) and name of the unit."""


def seconds_in(history: str, checkout: str) -> Seconds:
    """What each unit of a checkout took last; nothing where the history cannot be read."""
    try:
        db = sqlite3.connect(f"file:{history}?mode=ro", uri=True, timeout=1.0)
        try:
            rows = db.execute(_NEWEST, (checkout, _MAX_ROWS)).fetchall()
        finally:
            db.close()
    except sqlite3.Error:
        return {}
    found: dict[tuple[str, str], float] = {}
    for is_check in (False, True):
        for name, elapsed_s, command, subcommand in rows:
            if (subcommand in _CHECKS) is is_check and isinstance(name, str) and isinstance(elapsed_s, float):
                found.setdefault((profile_of(str(command), str(subcommand)), name), elapsed_s)
    return found


@lru_cache(maxsize=1024)
def profile_of(command: str, subcommand: str) -> str:
    """Folder of the profile that a command line of cargo's builds. All units of a run have the same."""
    words = command.split()
    end = words.index("--") if "--" in words else len(words)
    for at, word in enumerate(words[:end]):
        if word in ("--release", "-r"):
            return "release"
        if word == "--profile" or word.startswith("--profile="):
            return read_words(words[at : at + 2] if word == "--profile" else [word]).profile
    return "release" if subcommand == "bench" else "debug"


def rebuild_of(units: Iterable[Unit], seconds: Seconds) -> Rebuild:
    """What the units take that go, those of the same name and profile once."""
    names = {(unit.profile.rpartition("/")[2], unit.name) for unit in units}
    known = [seconds[name] for name in names if name in seconds]
    return Rebuild(sum(known) if known else None, len(known), len(names))


def dependants(packages: Iterable[str], needs: Mapping[tuple[str, str], Iterable[tuple[str, str]]]) -> frozenset[str]:
    """Packages that are compiled again because these are: all that need them, and those that need those.

    Args:
        packages: Names.
        needs: As `core.chain.read_needs` gives them.
    """
    found = set(packages)
    given = frozenset(found)
    grew = True
    while grew:
        more = {name for (name, _), needed in needs.items() if any(one in found for one, _ in needed)} - found
        found |= more
        grew = bool(more)
    return frozenset(found) - given
