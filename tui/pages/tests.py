"""Tests: failed ones first, with what they printed."""

from core import events as e
from tui import format as f
from tui.pages.scene import Content, Scene, seconds, words_of
from tui.widgets.status_line import Part
from tui.widgets.table_view import Cell, Column, Row

_ORDER = {"failed": 0, "ignored": 1, "ok": 2}
_ROLES = {"failed": "failed", "ignored": "quiet", "ok": "done"}
_SUITE_CELLS = (12, 26)


def content(scene: Scene) -> Content:
    """The page."""
    suite = min(_SUITE_CELLS[1], max(_SUITE_CELLS[0], scene.width // 4))
    columns: tuple[Column, ...] = (Column("", 1), Column("test", 0), Column("suite", suite))
    if any(test.elapsed_s is not None for test in scene.story.tests):  # libtest tells none on stable
        columns = (*columns, Column("took", 6, is_right=True))
    keyed = [(f"t{index}", test) for index, test in enumerate(scene.story.tests)]
    keyed.sort(key=lambda pair: _ORDER[pair[1].outcome])
    rows = [_row(key, test, scene) for key, test in keyed]
    return Content(_summary(scene), columns, [*rows, *_unnamed(scene), *_suites(scene)], _nothing(scene))


def _row(key: str, test: e.TestFinished, scene: Scene) -> Row:
    role = _ROLES[test.outcome]
    sign = {"failed": scene.glyphs.failed, "ignored": scene.glyphs.stopped, "ok": scene.glyphs.done}[test.outcome]
    took = f.UNKNOWN if test.elapsed_s is None else seconds(test.elapsed_s)
    return Row(key, (Cell(sign, role), Cell(test.name), Cell(test.suite, "dim"), Cell(took, "dim")))


def _unnamed(scene: Scene) -> list[Row]:
    """Results whose names are not kept."""
    run, named = scene.run, {word: 0 for word in _ORDER}
    for test in scene.story.tests:
        named[test.outcome] += 1
    totals = (("failed", run.tests_failed), ("ignored", run.tests_ignored), ("ok", run.tests_passed))
    words = {"failed": "failed", "ignored": "ignored", "ok": "passed"}
    return [
        Row(f"n{outcome}", (Cell(" "), Cell(f"{total - named[outcome]:,} more {words[outcome]}, not named", "dim")))
        for outcome, total in totals
        if total > named[outcome]
    ]


def _suites(scene: Scene) -> list[Row]:
    """Test binaries that have tests."""
    return [
        Row(f"s{index}", (Cell(" "), Cell(suite.name, "dim"), Cell(f.many(suite.tests, "test"), "dim"), Cell("")))
        for index, suite in enumerate(scene.story.suites)
        if suite.tests
    ]


def _summary(scene: Scene) -> tuple[Part, ...]:
    run = scene.run
    parts = [
        (f"{run.tests_failed:,} failed", "failed" if run.tests_failed else "dim"),
        (f"{run.tests_ignored:,} ignored", "dim"),
        (f"{run.tests_passed:,} passed", "done" if run.tests_passed else "dim"),
        (f.many(run.suites, "suite"), "dim"),
    ]
    return words_of(parts, scene.glyphs.dot)


def _nothing(scene: Scene) -> str:
    return "No test ran." if scene.run.state.is_over else "No test ran yet."


def chosen(scene: Scene, key: str | None) -> e.TestFinished | None:
    """The test of a row."""
    index = int(key[1:]) if key is not None and key[0] == "t" else -1
    return scene.story.tests[index] if 0 <= index < len(scene.story.tests) else None


def earlier(scene: Scene, key: str) -> int:
    """How many of the same name failed in the same moment before it."""
    index = int(key[1:])
    wanted = scene.story.tests[index]
    return sum(
        (one.name, one.at, one.outcome) == (wanted.name, wanted.at, "failed") for one in scene.story.tests[:index]
    )


def detail(scene: Scene, key: str | None) -> tuple[Cell, ...]:
    """What a test printed."""
    test = chosen(scene, key)
    if test is None or key is None:
        return ()
    title = Cell(f"{test.name}  {test.suite}", _ROLES[test.outcome] if test.outcome == "failed" else "strong")
    if test.outcome != "failed":
        return (title, Cell("What it printed is not shown by its harness.", "dim"))
    if key not in scene.outputs:
        return (title, Cell("reading the log", "dim"))
    lines = scene.outputs[key]
    if lines is None:
        return (title, Cell("Its output is not in the log (yet): harnesses print it when the suite is over.", "dim"))
    return (title, *(Cell(line) for line in lines)) if lines else (title, Cell("It printed nothing.", "dim"))
