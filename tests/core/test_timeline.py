from pathlib import Path

import pytest

from core import events as e
from core.journal import JournalWriter
from core.logfile import LogFile
from core.logfile_index import Classes
from core.search import Search, compile_pattern
from core.timeline import Timeline


class Logs:
    """Runs whose lines say when they came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writers: dict[str, JournalWriter] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.timeline = Timeline(self.open)

    def open(self, run: str, stream: str) -> LogFile:
        path = self.folder / f"{run}.{stream}"
        return LogFile(str(path), f"{path}.idx", Classes(has_json=False, has_progress=False))

    def start(self, run: str, *streams: e.Stream) -> None:
        journal = str(self.folder / f"{run}.jsonl")
        self.writers[run] = JournalWriter(journal, run)
        self.timeline.add(run, f"agent-{run}", streams or ("out",), journal)

    def say(self, run: str, at: float, lines: int, stream: e.Stream = "out") -> None:
        count = self.counts.get((run, stream), 0)
        with (self.folder / f"{run}.{stream}").open("a") as log:
            log.writelines(f"{at:.1f} {run} {stream} {n}\n" for n in range(count, count + lines))
        self.counts[run, stream] = count + lines
        self.writers[run].append([e.OutputGrew(at, stream, count + lines, 0)])

    def shown(self) -> list[str]:
        return self.timeline.lines(0, 10**6)


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def test_lines_of_many_logs_stand_in_the_order_of_their_times(logs: Logs) -> None:
    logs.start("a")
    logs.start("b", "out", "err")
    for at in range(20):
        logs.say("ab"[at % 2], float(at), 3)
        logs.say("b", at + 0.5, 1, "err")
    assert logs.timeline.grow()
    assert not logs.timeline.grow()
    shown = logs.shown()
    assert len(shown) == logs.timeline.shown_line_count == 80
    assert shown == sorted(shown, key=lambda line: float(line.split()[0]))
    for number, line in enumerate(shown):
        origin = logs.timeline.origin(number)
        assert line == f"{origin.at:.1f} {origin.run} {origin.stream} {origin.line}"


def test_what_comes_later_changes_no_number(logs: Logs) -> None:
    logs.start("a")
    logs.say("a", 1.0, 5)
    logs.timeline.grow()
    before = logs.shown()
    logs.start("b")
    logs.say("b", 0.5, 2)
    logs.say("a", 2.0, 2)
    logs.timeline.grow()
    assert logs.shown()[:5] == before
    assert logs.shown()[5:] == ["0.5 b out 0", "0.5 b out 1", "2.0 a out 5", "2.0 a out 6"]


def test_agents_are_left_out_and_come_back(logs: Logs) -> None:
    for run in "abc":
        logs.start(run)
        logs.say(run, ord(run), 2)
    logs.timeline.grow()
    logs.timeline.hide(frozenset({"agent-b"}))
    assert {line.split()[1] for line in logs.shown()} == {"a", "c"}
    logs.say("b", 200.0, 1)
    logs.timeline.grow()
    logs.timeline.hide(frozenset())
    assert len(logs.shown()) == 7
    assert logs.timeline.agents == ("agent-a", "agent-b", "agent-c")


def test_more_logs_than_may_be_open_are_read_all_the_same(logs: Logs) -> None:
    names = [f"r{n:02}" for n in range(60)]
    for n, run in enumerate(names):
        logs.start(run)
        logs.say(run, float(n), 2)
    logs.timeline.grow()
    assert [line.split()[1] for line in logs.shown()[::2]] == names


def test_it_is_searched_like_any_log(logs: Logs) -> None:
    for run in "ab":
        logs.start(run)
    for at in range(700):
        logs.say("ab"[at % 2], float(at), 1)
    logs.timeline.grow()
    search = Search(logs.timeline, compile_pattern(r" b out \d+7$"))
    while not search.is_done:
        search.step()
    assert list(search.lines) == [
        n
        for n, line in enumerate(logs.shown())
        if " b out " in line and line.endswith("7") and len(line.split()[-1]) > 1
    ]


def test_lines_of_a_log_that_is_gone_are_blank(logs: Logs) -> None:
    logs.start("a")
    logs.say("a", 1.0, 3)
    logs.timeline.grow()
    (logs.folder / "a.out").unlink()
    assert logs.shown() == ["", "", ""]
