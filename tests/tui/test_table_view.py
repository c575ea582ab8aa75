"""A list on a screen of its own: what keys and mouse do to what is seen."""

from pathlib import Path
from typing import ClassVar

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from tests.tui.screen_text import text_of
from tui.format import wrapped
from tui.themes import DARK, FALLBACKS
from tui.widgets.look import ASCII, UNICODE
from tui.widgets.painted import PaintedScreen
from tui.widgets.table_view import Cell, Column, Row, TableView, lay_out

STYLES = Path(__file__).parents[2] / "styles"
COLUMNS = (Column("name", 0), Column("state", 7), Column("s", 6, is_right=True))


def row(number: int, seconds: float = 1.0) -> Row:
    return Row(f"r{number}", (Cell(f"unit {number}"), Cell("done", "done"), Cell(f"{seconds:.1f} s", "number")))


class Listing(App[None]):
    """Nothing but a list."""

    CSS_PATH: ClassVar[list[str | Path]] = [STYLES / "base.tcss"]  # type: ignore[assignment]

    def __init__(self, *, is_ascii: bool = False) -> None:
        super().__init__()
        self.glyphs = ASCII if is_ascii else UNICODE
        self.said: list[tuple[str, str]] = []
        self.register_theme(DARK)
        self.theme = DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(FALLBACKS)

    def get_default_screen(self) -> PaintedScreen[None]:
        return PaintedScreen(self.glyphs)

    def compose(self) -> ComposeResult:
        yield TableView(self.glyphs, COLUMNS, empty="No rows yet.")

    def on_mount(self) -> None:
        self.table.focus()

    @property
    def table(self) -> TableView:
        return self.query_one(TableView)

    def on_table_view_selected(self, event: TableView.Selected) -> None:
        self.said.append(("selected", event.key))

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        self.said.append(("opened", event.key))


def rows_of(pilot: Pilot[None]) -> list[str]:
    return text_of(pilot).split("\n")


async def test_an_empty_list_says_so_under_its_header() -> None:
    async with Listing().run_test(size=(40, 10)) as pilot:
        assert rows_of(pilot)[0].split() == ["name", "state", "s"]
        assert rows_of(pilot)[1].strip() == "No rows yet."
        await pilot.press("j", "enter", "G")
        assert pilot.app.query_one(TableView).chosen is None


async def test_keys_choose_rows_and_scroll_to_them() -> None:
    app = Listing()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show([row(n) for n in range(50)])
        await pilot.press("j", "down", "k")
        assert app.table.chosen == "r1"
        await pilot.press("pagedown")
        assert app.table.chosen == "r9"
        assert "unit 9 " in rows_of(pilot)[9]
        await pilot.press("G")
        assert app.table.chosen == "r49"
        assert "unit 49 " in rows_of(pilot)[9]
        assert "▸" in rows_of(pilot)[9]
        await pilot.press("g")
        assert "unit 0 " in rows_of(pilot)[1]
        await pilot.press("enter")
        assert app.said[-1] == ("opened", "r0")
        assert app.said[:4] == [("selected", "r0"), ("selected", "r1"), ("selected", "r2"), ("selected", "r1")]


async def test_a_click_chooses_and_a_second_one_opens() -> None:
    app = Listing()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show([row(n) for n in range(5)])
        await pilot.click(TableView, offset=(5, 3))
        assert app.table.chosen == "r2"
        await pilot.click(TableView, offset=(5, 4), times=2)
        assert app.said[-2:] == [("selected", "r3"), ("opened", "r3")]
        await pilot.click(TableView, offset=(5, 0))
        await pilot.click(TableView, offset=(5, 8))
        assert app.table.chosen == "r3"


async def test_the_same_row_stays_chosen_where_others_come_before_it() -> None:
    app = Listing()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show([row(n) for n in range(5)])
        app.table.select("r3")
        app.table.show([row(n) for n in (4, 3, 9, 8)])
        assert app.table.chosen == "r3"
        app.table.show([row(7), row(6)])
        assert app.table.chosen == "r6"
        app.table.show([])
        assert app.table.chosen is None
        await pilot.pause()
        assert ("selected", "r6") in app.said


async def test_the_chosen_row_stays_in_sight_where_it_was() -> None:
    app = Listing()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show([row(n) for n in range(5)])
        await pilot.pause()
        app.table.select("r2")
        app.table.show([*(row(n) for n in range(100, 130)), *(row(n) for n in range(5))])
        await pilot.pause()
        assert any("unit 2 " in line and UNICODE.here in line for line in rows_of(pilot))


async def test_in_a_list_where_nobody_stands_the_first_row_is_chosen() -> None:
    app = Listing()
    async with app.run_test(size=(40, 10)) as pilot:
        app.set_focus(None)
        app.table.show([row(n) for n in range(5)])
        await pilot.pause()
        app.table.show([*(row(n) for n in range(100, 130)), *(row(n) for n in range(5))])
        await pilot.pause()
        assert app.table.chosen == "r100"
        assert "unit 100" in rows_of(pilot)[1]
        app.table.focus()
        await pilot.pause()
        app.table.show([row(99), *(row(n) for n in range(100, 130))])
        assert app.table.chosen == "r100"


async def test_columns_stay_whole_where_a_scroll_bar_comes() -> None:
    app = Listing()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show([row(n) for n in range(3)])
        await pilot.pause()
        assert rows_of(pilot)[1].rstrip().endswith("1.0 s")
        app.table.show([row(n) for n in range(60)])
        await pilot.pause()
        assert all("1.0 s" in line for line in rows_of(pilot)[1:9])


async def test_only_rows_that_changed_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Listing()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show([row(n) for n in range(50)])
        await pilot.pause()
        painted: list[Region] = []
        paint = app.table.refresh

        def refresh(*regions: Region, **_: object) -> TableView:
            painted.extend(regions)
            return paint(*regions)

        monkeypatch.setattr(app.table, "refresh", refresh)
        app.table.show([row(n) for n in range(50)])
        assert painted == []
        app.table.show([row(n, 2.0 if n == 2 else 1.0) for n in range(50)])
        assert [(region.y, region.height) for region in painted] == [(3, 1)]
        painted.clear()
        await pilot.pause()
        app.table.show([row(n, 2.0 if n in (2, 40) else 1.0) for n in range(50)])
        assert painted == []
        await pilot.press("j")
        assert sorted(region.y for region in painted) == [1, 2]


async def test_what_changed_is_seen() -> None:
    app = Listing()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.show([row(n) for n in range(3)])
        await pilot.pause()
        app.table.show([row(0), row(1, 7.5)])
        await pilot.pause()
        assert rows_of(pilot)[2].rstrip().endswith("7.5 s")
        assert rows_of(pilot)[3].strip() == ""


async def test_cells_fit_their_columns_whatever_they_hold() -> None:
    app = Listing(is_ascii=True)
    async with app.run_test(size=(30, 5)) as pilot:
        app.table.show([Row("a", (Cell("宽" * 30 + "\x1b]0;title\x07"), Cell("[b]x"), Cell("123456789")))])
        await pilot.pause()
        assert all(line.isascii() and line.isprintable() for line in rows_of(pilot))
        assert "[b]x" in rows_of(pilot)[1]
        assert all(len(line) == 30 for line in rows_of(pilot))


def test_a_narrow_list_leaves_out_its_last_columns_first() -> None:
    assert lay_out(COLUMNS, 60) == ((0, 43), (1, 7), (2, 6))
    assert lay_out(COLUMNS, 25) == ((0, 16), (1, 7))
    assert lay_out(COLUMNS, 12) == ((0, 12),)
    assert lay_out((Column("a", 10), Column("b", 8)), 12) == ((0, 10),)
    assert lay_out((Column("a", 10),), 4) == ((0, 4),)


async def test_what_is_said_instead_of_rows_goes_on_in_the_next_row() -> None:
    app = Listing()
    async with app.run_test(size=(20, 6)) as pilot:
        app.table.say_empty("Nothing was compiled here so far.")
        await pilot.pause()
        assert [line.strip() for line in rows_of(pilot)[1:4]] == ["Nothing was", "compiled here so", "far."]


@pytest.mark.parametrize(
    "text", ["", "a b", "one two three four five", "x" * 25, "宽" * 12, "ab 宽宽宽宽宽宽", "    indented text"]
)
def test_wrapped_text_fits_and_loses_nothing_but_blanks(text: str) -> None:
    rows = list(wrapped(text, 10))
    assert all(cell_len(row) <= 10 for row in rows)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
