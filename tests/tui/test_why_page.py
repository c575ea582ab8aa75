"""The page *Why* of a run: what was found beside the journal, in rows and in full."""

from dataclasses import replace
from pathlib import Path

import pytest

from core import events as e
from core.native.reasons.rebuilt import Found, Why
from core.run_plan import Plan
from core.state import RunState
from tests.scene import board_at
from tests.tui.conftest import Stage
from tests.tui.screen_text import settled
from tests.tui.test_run_screen import journal, opened, play
from tui.pages import why
from tui.pages.scene import Scene
from tui.widgets.table_view import Row

RUN = next(iter(board_at(20.0).runs.values()))
WHYS = (
    Why("low", "crate", True, "", "", "low"),
    Why("app", "crate", True, "the file `k.cu` has changed", "cargo", "app"),
    Why("app (build script)", "script", True, "k.cu has changed", "declared", "app"),
    Why("/o/a.cu.o", "output", True, "its command line changed", "ninja", "app"),
    Why("/o/b.ptx", "output", False, "inc.cuh has changed, and no rerun-if-changed covers it", "times", "app"),
    Why("/o/c.ptx", "call", False, "c.cu: no input differs", "nvcc", "app"),
    Why("/w/src/x.rs", "file", False, "changed since the build before; no unit that was built reads it", "times"),
)


def scene(whys: tuple[Why, ...] | None) -> Scene:
    return Scene(RUN, plan=Plan(typed=("build",)), whys=whys)


def rows(shown: Scene) -> dict[str, Row]:
    return {row.cells[0].text: row for row in why.content(shown).rows}


def detail(shown: Scene, name: str) -> list[str]:
    return [cell.text for cell in why.detail(shown, rows(shown)[name].key)]


def test_units_have_their_reason_and_what_was_left_old_stands_out() -> None:
    shown = rows(scene(WHYS))
    assert list(shown) == ["app", "app (build script)", "a.cu.o", "b.ptx", "c.ptx", "x.rs", "low"]
    assert shown["b.ptx"].cells[1].text.startswith("not rebuilt: inc.cuh has changed")
    assert [shown[name].cells[1].role for name in ("app", "b.ptx", "c.ptx", "x.rs", "low")] == [
        "text", "waiting", "text", "dim", "dim",
    ]  # fmt: skip
    summary = "".join(part.text for part in why.content(scene(WHYS)).summary)
    assert summary.endswith(" compiled · 1 left old · 100 fresh · cargo gave 1 reason")


def test_a_run_that_is_not_cargos_has_no_number_of_units() -> None:
    run = replace(RUN, tool="exec", units_built=0, units_fresh=0)
    shown = why.content(Scene(run, whys=WHYS[4:5]))
    assert "".join(part.text for part in shown.summary) == " 1 left old"


def test_inputs_that_nothing_watches_are_counted_above_and_stand_out() -> None:
    left = Why("app (inputs)", "input", False, "2 inputs that no rerun-if-changed covers: a; see …", "declared", "app")
    shown = scene((*WHYS, left))
    row = rows(shown)["app (inputs)"]
    assert (row.cells[1].role, row.cells[1].text[:8]) == ("waiting", "2 inputs")
    summary = "".join(part.text for part in why.content(shown).summary)
    assert " compiled · 1 left old · inputs of 1 package not watched · " in summary


def test_a_row_in_full_says_the_whole_path_and_who_says_so() -> None:
    shown = scene(WHYS)
    assert detail(shown, "b.ptx")[0] == "/o/b.ptx"
    assert detail(shown, "b.ptx")[-1] == "By times of files: nobody said so."
    assert detail(shown, "app") == ["app", "the file `k.cu` has changed"]
    assert detail(shown, "low")[-1] == "Cargo tells reasons only when it is asked to: cargo build -v"
    assert why.detail(shown, "y99") == ()
    assert why.detail(shown, None) == ()


@pytest.mark.parametrize("whys", [None, ()])
def test_until_somebody_looked_further_the_journal_is_shown(whys: tuple[Why, ...] | None) -> None:
    run = replace(RUN, dirtied=(e.UnitDirtied(1.0, "app", "the file `k.cu` has changed"),))
    shown = rows(Scene(run, whys=whys))
    assert shown["app"].cells[1].text == "the file `k.cu` has changed"


def test_that_nothing_was_compiled_is_said_only_where_it_is_known() -> None:
    over = replace(RUN, state=RunState.DONE, dirtied=())
    assert why.content(Scene(over, whys=())).empty == "Nothing was compiled."
    assert why.content(Scene(over, whys=(), is_why_told=False)).empty.startswith("Not known: ")


async def test_a_run_that_is_over_is_looked_into_when_the_page_is_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looks: list[str] = []

    def look(paths: object, run: str, env: object, now: float) -> Found:
        looks.append(run)
        return Found(WHYS)

    monkeypatch.setattr("core.native.reasons.why_run.why_of", look)
    play(stage, journal())
    assert isinstance(journal()[-1], e.RunEnded)
    async with stage.app().run_test(size=(200, 60)) as pilot:
        await opened(pilot, "4")
        assert looks == []
        await pilot.press("5")
        shown = await settled(pilot)
        for _ in range(50):
            if "left old" in shown:
                break
            await pilot.pause(0.02)
            shown = await settled(pilot)
        assert "1 left old" in shown
        assert len(looks) == 1
