"""What was measured is told with where, how much and in which situation; what was not is not told."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.paths import Paths
from core.plan.figures import figures, gains_of, measured, whole_cost, with_figures
from core.plan.given import Given, Origin
from core.plan.plan import Plan, Setting
from core.plan.wish import Mode
from core.run_plan import read_plan

EDIT = {"verdict": "faster", "decides": "cpu", "without_s": 2.0, "with_s": 1.5, "rounds": 5}
LINK = {"verdict": "none", "decides": "wall", "without_s": 1.0, "with_s": 0.9, "rounds": 5}
ONCE = {"verdict": "none", "decides": "cpu", "without_s": 30.0, "with_s": 20.0, "rounds": 1}
ENTRY = {
    "profile": "dev", "workspace": "ripgrep", "clean": ONCE, "edit": EDIT, "link": LINK, "peak": 0.98,
    "peak_without": 350_000_000, "size": 0.5, "size_without": 381_000_000, "run": 1.25, "run_without": 0.8,
}  # fmt: skip


def table(**more: Any) -> dict[str, Any]:
    return {"workspace": "ripgrep 15.2.0", "cores": 2, "settings": {"debug=none": {**ENTRY, **more}}}


def test_it_is_told_on_what_it_was_measured_and_in_which_situation_how_much() -> None:
    assert measured("debug", "none", table()) == (
        "measured on ripgrep 15.2.0, profile dev, 2 cores: after an edit ×0.75 (2 s → 1.5 s of CPU time); "
        "link: no difference shown; target dir ×0.50 of 381 MB; the program's run ×1.25 of 0.8 s"
    )
    assert "15.2.0, profile dev, 2 cores, nightly: " in measured("debug", "none", table(toolchain="nightly"))
    assert "15.2.0, profile dev, 16 cores, GPU 1: " in measured("debug", "none", table(cores=16, gpu="GPU 1"))
    assert measured("debug", "none", table(workspace="minijinja")).startswith("measured on minijinja, profile dev")


def test_what_was_built_once_or_not_at_all_says_nothing() -> None:
    once = {"settings": {"debug=none": {"profile": "dev", "workspace": "x", "clean": ONCE, "edit": 3}}}
    assert measured("debug", "none", once) == ""
    assert measured("debug", "full", table()) == ""
    assert measured("debug", "none", {}) == ""


def test_only_rows_of_ours_get_figures_and_keep_their_other_costs() -> None:
    ours = Setting("debug", "none", "mode", "", "a copy", flags=("--config", "x=1"))
    plan = Plan(settings=(ours, ours._replace(cost=""), ours._replace(flags=()), ours._replace(value="full")))
    costs = [row.cost for row in with_figures(plan, table()).settings]
    said = measured("debug", "none", table())
    assert costs == [f"{said}; a copy", said, "a copy", "a copy"]


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"settings": 3}', "\x00", "[" * 100_000])
def test_a_table_that_is_not_there_or_broken_is_an_empty_one(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "figures.json"
    if content is not None:
        file.write_text(content)
    assert figures(str(file)) == {}


def test_the_table_of_this_version_can_be_told() -> None:
    whole = figures()
    for name in whole.get("settings", {}):
        setting, _, value = name.partition("=")
        said = measured(setting, value)
        assert said == "" or said.startswith("measured on ")
    assert json.dumps(whole)


def test_the_record_of_a_run_is_read_with_what_was_measured_once(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    ours = Setting("debug", "none", "mode", "", "a copy", flags=("--config", "x=1"))
    rows = [ours, ours._replace(cost=whole_cost("debug", "none", "a copy")), ours._replace(flags=())]
    Path(paths.run("r1")).mkdir(parents=True)
    record = {"plan": [row.record() for row in rows]}
    Path(paths.run("r1"), "run.json").write_text(json.dumps(record))
    costs = [row.cost for row in read_plan(paths, "r1").settings]
    assert costs == [rows[1].cost, rows[1].cost, "a copy"]


def test_a_mode_says_what_it_gave_where_a_difference_was_shown() -> None:
    one = {"rounds": 9, "with_s": 1.0, "without_s": 2.0}
    entry = {
        "clean": {**one, "verdict": "none"}, "edit": {**one, "verdict": "faster"}, "size": 0.6, "size_without": 1e6,
        "link": {**one, "rounds": 1, "verdict": "faster"}, "program": 1.01,
    }  # fmt: skip
    table = {"settings": {}, "modes": {"dev": {"ws": entry}}}
    built_in = Mode("dev", Origin("--mode"), {"debug": Given("none", Origin("mode dev"))})
    plan = Plan(settings=(SET,))
    words = ("measured on ws, against plain cargo of the same profile: after an edit ×0.5, target dir ×0.6",)
    assert gains_of(built_in, plan, table) == words
    gpu = {"settings": {}, "modes": {"dev": {"ws": {**entry, "cores": 16, "gpu": "GPU 1"}}}}
    assert gains_of(built_in, plan, gpu)[0].startswith("measured on ws, 16 cores, GPU 1, against plain cargo")
    own = built_in._replace(options={"debug": Given("none", Origin("/w/deck.toml", 3))})
    assert gains_of(own, plan, table) == gains_of(Mode(), plan, table) == ()
    assert gains_of(built_in, plan, {"modes": {"dev": 4}}) == ()


SET = Setting("debug", "none", "mode", "", flags=("--config", "profile.dev.debug=0"))


@pytest.mark.parametrize(("rows", "is_told"), [
    ((SET,), True),
    ((SET, Setting("profile", "test", "cargo", "")), True),
    ((SET, Setting("profile", "release", "user", "")), False),
    ((SET._replace(flags=()),), False),
    ((SET._replace(by="user", flags=()), SET._replace(name="jobs")), False),
    ((), False),
])  # fmt: skip
def test_a_mode_says_what_it_gave_only_where_it_is_set(rows: tuple[Setting, ...], is_told: bool) -> None:
    table = {"modes": {"dev": {"ws": {"size": 0.6, "size_without": 1e6}}}}
    by_mode = {name: Given(value, Origin("mode dev")) for name, value in (("profile", "dev"), ("debug", "none"))}
    assert bool(gains_of(Mode("dev", Origin("--mode"), by_mode), Plan(settings=rows), table)) == is_told
