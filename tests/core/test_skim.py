"""The short way through a journal ends where the long one does."""

import os
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from core import events as e
from core.errors import JournalError
from core.journal import JournalWriter, Mark, read_journal
from core.parsers.select import make_parser
from core.reduce import reduce_run
from core.skim import skim_run
from core.state import Run, RunState
from tests.core.recordings import NAMES, is_split, log, pieces

STARTED = e.RunStarted(1.0, "r", "a", "test", "cargo", "test", "/w", "/w", "/w/target", False, False, False)
ENDED = e.RunEnded(99.0, 101, None, 9.0, 1.0, 1.0, 1, None)


def journal(folder: Path, *batches: list[e.Event]) -> str:
    path = str(folder / "events.jsonl")
    writer = JournalWriter(path, "r")
    for batch in batches:
        writer.append(batch, Mark(0, 0, 5.0, len(batch)))
    writer.close()
    return path


def both(path: str) -> tuple[Run | None, Run | None]:
    with open(path, "rb") as file:
        skimmed = skim_run(file.read(), path)
    read = reduce_run(None, read_journal(path).events)
    return skimmed, read and replace(read, typical=None, typical_s=MappingProxyType({}))


def said(name: str) -> list[e.Event]:
    """What the parser for cargo makes of a recording, in the steps of an engine."""
    split = is_split(name)
    parser = make_parser("cargo", is_split=split, json="ours")
    events: list[e.Event] = []
    for stream in ("out", "err") if split else ("out",):
        size = 0
        for piece in pieces(log(name, stream), 700):
            size += len(piece)
            events.append(e.OutputGrew(2.0, stream, size // 40, size))
            events += parser.feed(stream, piece, 2.0 + size / 1000)
    return [*events, *parser.close(50.0)]


@pytest.mark.parametrize("name", NAMES)
def test_skimming_a_recorded_build_gives_what_reading_it_gives(name: str, tmp_path: Path) -> None:
    typical = e.TypicalRecalled(1.0, 9.0, (("a", 1.0),), 2)
    skimmed, read = both(journal(tmp_path, [STARTED, typical], said(name), [ENDED]))
    assert skimmed is not None
    assert skimmed == read


def test_names_in_json_escapes_and_a_lock_wait_are_no_trouble(tmp_path: Path) -> None:
    batch: list[e.Event] = [
        e.LockWaitBegan(2.0, "build directory"),
        e.UnitFinished(3.0, 'ä"b\\', 'x","package":"y', "1", "lib", False, 0.25),
        e.UnitFinished(3.0, "fresh", "fresh", "1", "lib", True, None),
        e.UnitFinished(3.0, "unseen", "unseen", "1", "lib", False, None),
    ]
    skimmed, read = both(journal(tmp_path, [STARTED], batch, [ENDED]))
    assert skimmed == read
    assert skimmed is not None
    assert dict(skimmed.finished_s) == {'ä"b\\': 0.25}
    assert (skimmed.units_built, skimmed.units_fresh) == (2, 1)


def test_a_build_that_named_no_total_has_as_many_units_as_it_finished(tmp_path: Path) -> None:
    units: list[e.Event] = [e.UnitFinished(3.0, f"u{n}", "u", "1", "lib", False, 0.5) for n in range(3)]
    skimmed, read = both(journal(tmp_path, [STARTED], units, [e.BuildFinished(4.0, True)], [ENDED]))
    assert skimmed == read
    assert skimmed is not None
    assert skimmed.units_total == 3


def test_a_lost_run_can_be_skimmed(tmp_path: Path) -> None:
    skimmed, read = both(journal(tmp_path, [STARTED], [e.RunLost(9.0, (12,))]))
    assert skimmed == read
    assert skimmed is not None
    assert skimmed.state is RunState.LOST


def test_what_has_no_end_or_a_torn_one_must_be_read_in_full(tmp_path: Path) -> None:
    path = journal(tmp_path, [STARTED], [ENDED])
    assert both(path)[0] is not None
    os.truncate(path, os.path.getsize(path) - 1)
    assert both(path)[0] is None


def test_lines_that_are_written_otherwise_must_be_read_in_full(tmp_path: Path) -> None:
    path = journal(tmp_path, [STARTED], [e.UnitFinished(3.0, "u", "u", "1", "lib", False, 0.5)], [ENDED])
    text = Path(path).read_text()
    Path(path).write_text(text.replace('"elapsed_s":0.5}', '"elapsed_s":0.5,"more":"x"}'))
    assert both(path)[0] is None


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="update cargo-deck"):
        skim_run(b'{"schema": 2, "run": "r"}\n{"event":"RunEnded"}\n', str(tmp_path))
