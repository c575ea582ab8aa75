"""A log on a screen of its own: what keys and mouse do to what is seen."""

from pathlib import Path
from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollUp
from textual.pilot import Pilot

from core.logfile import LogFile
from core.logfile_index import Classes
from tests.tui.screen_text import text_of
from tui.tail import Lines
from tui.themes import DARK, FALLBACKS
from tui.widgets.log_panel import LogPanel, LogSource
from tui.widgets.log_pen import Row
from tui.widgets.log_selection import Place, Selection
from tui.widgets.log_view import LogView
from tui.widgets.look import UNICODE
from tui.widgets.painted import PaintedScreen

STYLES = Path(__file__).parents[2] / "styles"


class Log(App[None]):
    """Nothing but a log."""

    CSS_PATH: ClassVar[list[str | Path]] = [STYLES / "base.tcss", STYLES / "log.tcss"]  # type: ignore[assignment]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.copied: list[str | None] = []
        self.opened: list[tuple[str, int]] = []
        self.register_theme(DARK)
        self.theme = DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(FALLBACKS)

    def get_default_screen(self) -> PaintedScreen[None]:
        return PaintedScreen()

    def compose(self) -> ComposeResult:
        yield LogPanel(UNICODE)

    def on_mount(self) -> None:
        log = LogFile(str(self.path), str(self.path) + ".idx", Classes(has_json=False, has_progress=False))
        self.panel.open(LogSource(Lines(log), str(self.path), stamp=lambda line: f"{line // 60:02d}:{line % 60:02d} "))
        self.panel.view.focus()

    @property
    def panel(self) -> LogPanel:
        return self.query_one(LogPanel)

    def on_log_panel_copy_asked(self, event: LogPanel.CopyAsked) -> None:
        self.copied.append(event.text)

    def on_log_panel_open_asked(self, event: LogPanel.OpenAsked) -> None:
        self.opened.append((event.program, event.line))

    def append(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)
        self.panel.grow()


@pytest.fixture
def app(tmp_path: Path) -> Log:
    """A log of 500 lines; every hundredth says `needle`, line 250 is an error, line 251 is long."""
    lines = [f"line {n} of the log" + (" needle" if n % 100 == 99 else "") for n in range(500)]
    lines[250] = "error[E0308]: mismatched types"
    lines[251] = "long " + "x" * 200 + " end"
    path = tmp_path / "out.log"
    path.write_text("\n".join(lines) + "\n")
    return Log(path)


def rows_of(pilot: Pilot[None]) -> list[str]:
    return text_of(pilot).split("\n")


async def until_found(pilot: Pilot[None]) -> None:
    """All that is searched was looked through."""
    panel = pilot.app.query_one(LogPanel)
    while any(finder is not None and finder.is_busy for finder in (panel._finder, panel._errors)):
        await pilot.pause(0.005)
    await pilot.pause()


async def typed(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if c == " " else c for c in text))


def count_drawn(view: LogView) -> list[int]:
    """The lines that are drawn from now on."""
    drawn: list[int] = []
    draw = view._draw

    def note(line: int, text: str) -> list[Row]:
        drawn.append(line)
        return draw(line, text)

    view._draw = note  # type: ignore[method-assign]
    return drawn


async def test_it_opens_at_the_end_and_follows_it(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        assert "line 499" in rows_of(pilot)[10]
        app.append("brand new\n")
        await pilot.pause()
        assert "brand new" in rows_of(pilot)[10]
        assert "follows the end" in rows_of(pilot)[11]
        assert "501 lines" in rows_of(pilot)[11]


async def test_scrolling_up_ends_following_and_says_how_many_lines_came(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("k", "k")
        assert "line 497" in rows_of(pilot)[10]
        app.append("one\ntwo\nthree\n")
        await pilot.pause()
        assert "line 497" in rows_of(pilot)[10]
        assert "3 new lines ↓" in rows_of(pilot)[11]
        await pilot.press("f")
        assert "three" in rows_of(pilot)[10]


async def test_a_line_that_is_not_ended_is_drawn_again_when_it_grows(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        app.append("begin")
        await pilot.pause()
        app.append(" and end")
        await pilot.pause()
        assert "begin and end" in rows_of(pilot)[10]


async def test_lines_above_the_end_are_not_painted_again_while_others_come(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g")
        painted: list[object] = []
        app.panel.view.refresh = lambda *regions, **_: painted.append(regions)  # type: ignore[method-assign,assignment]
        app.append("more\n" * 50)
        await pilot.pause()
        assert painted == []


async def test_search_goes_to_the_next_match_and_counts_all(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g", "slash")
        await typed(pilot, "needle")
        await until_found(pilot)
        await pilot.press("enter")
        assert "1 of 5" in rows_of(pilot)[11]
        assert app.panel.view.current == 99
        await pilot.press("n", "n")
        await until_found(pilot)
        assert app.panel.view.current == 299
        assert "3 of 5" in rows_of(pilot)[11]
        await pilot.press("N")
        await until_found(pilot)
        assert app.panel.view.current == 199


async def test_search_counts_what_comes_later(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "needle")
        await pilot.press("enter")
        app.append("a needle more\nand a last line\n")
        await until_found(pilot)
        assert "of 6" in rows_of(pilot)[11]


async def test_escape_leaves_the_prompt_and_stays_where_one_was(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g", "slash")
        await typed(pilot, "error")
        await until_found(pilot)
        assert app.panel.view.current == 250
        await pilot.press("escape")
        assert app.panel.view.top_line == 0
        assert app.panel.view.pattern is None


async def test_a_broken_pattern_is_said_and_costs_nothing(app: Log) -> None:
    async with app.run_test(size=(90, 12)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "(")
        assert "not a regular expression" in rows_of(pilot)[11]
        await typed(pilot, "needle)")
        await until_found(pilot)
        assert "of 5" in rows_of(pilot)[11]


async def test_the_filter_shows_found_lines_alone_and_back(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "needle")
        await until_found(pilot)
        await pilot.press("enter", "backslash")
        shown = [row[2:].split()[:2] for row in rows_of(pilot)[:11] if "line" in row]
        assert shown == [["line", str(n)] for n in (99, 199, 299, 399, 499)]
        assert "5 of 500 lines" in rows_of(pilot)[11]
        app.append("another needle\nx\n")
        await until_found(pilot)
        assert "another needle" in text_of(pilot)
        assert app.panel.step_back()
        await pilot.pause()
        assert " 502 lines" in rows_of(pilot)[11]


async def test_e_goes_from_error_to_error(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g", "e")
        await until_found(pilot)
        assert app.panel.view.current == 250
        assert "error[E0308]" in text_of(pilot)


async def test_wrapping_shows_all_of_a_long_line_and_keeps_the_top(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("colon", "2", "5", "2", "enter")
        assert app.panel.view.current == 251
        assert " end" not in text_of(pilot)
        top = app.panel.view.top_line
        await pilot.press("w")
        assert app.panel.view.top_line == top
        assert "x end" in text_of(pilot)


async def test_a_resize_keeps_the_line_at_the_top(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g", *["pagedown"] * 5)
        for wrap in (False, True):
            top = app.panel.view.top_line
            for size in ((40, 30), (120, 8), (60, 12)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert app.panel.view.top_line == top, wrap
            await pilot.press("w")


async def test_wrapped_rows_are_scrolled_one_by_one(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("w", "g", "colon", "2", "5", "3", "enter")
        before = [row[2:58] for row in rows_of(pilot)[1:11]]
        await pilot.press("j")
        assert [row[2:58] for row in rows_of(pilot)[0:10]] == before
        await pilot.press("G")
        assert "line 499" in rows_of(pilot)[10]


async def test_the_mouse_selects_text_that_is_copied(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g")
        await pilot.mouse_down("#log", offset=(2, 0))
        await pilot.hover("#log", offset=(5, 1))
        await pilot.mouse_up("#log", offset=(5, 1))
        await pilot.press("y")
        assert app.copied == ["line 0 of the log\nline"]


async def test_lines_are_selected_by_keys(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g", "v", "j", "j")
        assert "3 lines selected" in rows_of(pilot)[11]
        await pilot.press("y")
        assert app.copied == ["line 0 of the log\nline 1 of the log\nline 2 of the log"]
        await pilot.press("Y")
        assert app.copied[1] == app.path.read_text().rstrip("\n")


async def test_times_marks_and_the_pager_know_the_line(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g", "t", "m")
        assert rows_of(pilot)[0].startswith("▸ 00:00 line 0")
        await pilot.press("G", "apostrophe", "p")
        assert app.opened == [("pager", 0)]


async def test_a_click_chooses_a_line_and_the_wheel_scrolls(app: Log) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.click("#log", offset=(8, 3))
        assert app.panel.view.current == 492
        before = app.panel.view.top_line
        await pilot._post_mouse_events([MouseScrollUp], "#log", offset=(5, 5))
        assert app.panel.view.top_line == before - 3


@pytest.mark.parametrize("number", ["²", "9" * 5000, "0", "-1", "501"])
async def test_a_number_that_no_line_has_is_refused_in_words(app: Log, number: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(":")
        app.panel.prompt.input.value = number
        await pilot.press("enter")
        assert [note.message for note in app._notifications] == ["There are lines 1 to 500."]


async def test_a_filter_without_a_line_takes_all_keys(app: Log) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.panel.search_for("nowhere")
        await pilot.press("v", "backslash", "j", "k", "pagedown", "m", "n", "y", "j")
        assert app.panel.view.count == 0


async def test_a_pattern_that_takes_for_ever_is_given_up_where_lines_are_drawn(app: Log) -> None:
    app.path.write_text(("a" * 40 + "!\n") * 20)
    async with app.run_test(size=(80, 24)) as pilot:
        app.panel.search_for("(a+)+$")
        app.panel.view.go_to(3)
        await pilot.pause()
        assert "this pattern takes for ever" in rows_of(pilot)[-1]
        assert app.panel.view.pattern is None


async def test_the_first_line_of_a_wrapped_log_is_reached_without_its_others(app: Log) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        view = app.panel.view
        drawn = count_drawn(view)
        await pilot.press("g")
        assert rows_of(pilot)[0].split() == ["line", "0", "of", "the", "log"]
        assert len(drawn) <= 30
        assert len(set(drawn)) == len(drawn)


async def test_each_line_is_drawn_once_while_the_end_of_a_wrapped_log_is_shown(app: Log) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        drawn = count_drawn(app.panel.view)
        app.append("".join(f"another {n}\n" for n in range(100)))
        await pilot.pause()
        assert "another 99" in text_of(pilot)
        assert len(set(drawn)) == len(drawn) <= 50


async def test_what_is_found_behind_wide_characters_is_scrolled_to(app: Log) -> None:
    app.path.write_text("日" * 60 + "needle" + "\n" * 50)
    async with app.run_test(size=(80, 24)) as pilot:
        app.panel.search_for("needle")
        app.panel.view.go_to(0)
        await pilot.pause()
        assert "needle" in text_of(pilot)


@pytest.mark.parametrize(("keys", "is_following"), [((), True), (("g", *["j"] * 40), False)])
async def test_a_search_that_is_left_changes_nothing_of_what_is_seen(
    app: Log, keys: tuple[str, ...], is_following: bool
) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press(*keys)
        seen = rows_of(pilot)
        await pilot.press("slash")
        await typed(pilot, "error")
        await until_found(pilot)
        assert "mismatched" in text_of(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert rows_of(pilot) == seen
        assert app.panel.view.is_following == is_following


async def test_lines_that_are_not_shown_are_neither_selected_nor_counted(app: Log) -> None:
    async with app.run_test(size=(80, 12)) as pilot:
        app.panel.search_for("needle")
        await until_found(pilot)
        app.panel.go_to(120)
        await pilot.press("v", "backslash")
        assert "selected" not in text_of(pilot)
        await pilot.press("g", "v", "j")
        assert "2 lines selected" in text_of(pilot)
        await pilot.press("y")
        assert app.copied == ["line 99 of the log needle\nline 199 of the log needle"]


async def test_a_blank_line_between_is_copied_too(app: Log) -> None:
    app.path.write_text("first\n\nlast\n")
    async with app.run_test(size=(60, 12)):
        app.panel.view.selection = Selection(Place(0, 1), Place(2, 1))
        assert app.panel.view.selected_text() == "irst\n\nla"


async def test_nothing_is_copied_of_an_empty_log(app: Log) -> None:
    app.path.write_text("")
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("Y")
        assert app.copied == []


@pytest.mark.parametrize("text", ["(needle|" + "y" * 100 + ")", "(needle|" + "日" * 100 + ")"])
async def test_a_long_pattern_leaves_room_for_what_was_found(app: Log, text: str) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        app.panel.search_for(text)
        await until_found(pilot)
        assert rows_of(pilot)[11].startswith(" /(needle|")
        assert " of 5 " in rows_of(pilot)[11]
