"""Findings that only a build's own words give, and what an engine makes of them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.plan.answers import open_answers
from core.plan.refused import refused_linkers
from core.plan.tools import find_tools
from core.watch.fault_book import Chosen, FaultBook
from tests.core.engine_world import World, settle

_LINK = (
    b"error: linking with `cc` failed: exit status: 1\n  |\n"
    b"  = note: collect2: fatal error: ld terminated with signal 11 [Segmentation fault]\n"
    b"          compilation terminated.\n\n\nerror: aborting due to 1 previous error\n\n"
)
_ILLEGAL = b"  process didn't exit successfully: `target/debug/app` (signal: 4, SIGILL: illegal instruction)\n"
_RUN = "20260101-000000-000-0001"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.close()


def _mold(folder: Path) -> str:
    """A folder for PATH with something called ld.mold."""
    (folder / "bin").mkdir()
    path = folder / "bin" / "ld.mold"
    path.write_text("#!/bin/sh\nkill -SEGV $$\n")
    path.chmod(0o755)
    return str(folder / "bin")


def _plan(**values: str) -> list[dict[str, object]]:
    flags = ["--config", "x"]
    return [{"setting": name.replace("_", "-"), "value": value, "flags": flags} for name, value in values.items()]


def test_each_finding_is_given_once_with_those_before_it() -> None:
    book = FaultBook(Chosen("mold", "native"), ())
    first = book.read("err", _LINK)
    assert first is not None
    assert [one.id for one in first] == ["linker-failed"]
    assert book.read("err", _LINK) is None
    second = book.read("out", _ILLEGAL)
    assert second is not None
    assert [one.id for one in second] == ["illegal-instruction", "linker-failed"]
    assert "target-cpu=native" in second[0].cost
    assert (book.take_linker(), book.take_linker()) == ("mold", "")
    assert FaultBook(Chosen("mold"), second).read("err", _LINK) is None


def test_an_illegal_instruction_without_target_cpu_is_not_blamed_on_it() -> None:
    found = FaultBook(Chosen(), ()).died("app")
    assert found is not None
    assert (found[0].title, found[0].mend) == ("app died of an illegal instruction (SIGILL)", "")
    assert "nobody set target-cpu" in found[0].cost


def test_who_became_a_program_died_as_that() -> None:
    book = FaultBook(Chosen(), ())
    assert book.read("err", b"     Running `target/debug/one`\n     Running `target/debug/app --x 1`\n") is None
    found = book.died("run")
    assert found is not None
    assert found[0].title == "app died of an illegal instruction (SIGILL)"


def test_a_failed_linker_is_on_the_board_and_refused_for_that_workspace_alone(world: World, tmp_path: Path) -> None:
    path = _mold(tmp_path)
    engine = world.engine()
    world.start(_RUN, plan=_plan(linker="mold"), env={"PATH": path})
    settle(engine)
    world.write(_RUN, _LINK)
    settle(engine)
    (finding,) = world.board_run(_RUN).findings
    assert finding.title == "mold failed a link; the next build goes with the toolchain's own linker"
    assert finding.evidence[0].value == "collect2: fatal error: ld terminated with signal 11 [Segmentation fault]"
    tools = find_tools(("mold",), {"PATH": path}, open_answers(world.paths), may_ask=False)
    assert refused_linkers(world.paths, "/w", tools) == ("mold",)
    assert refused_linkers(world.paths, "/other", tools) == ()
    os.utime(tools["mold"].path, (1, 1))
    assert refused_linkers(world.paths, "/w", tools) == ()


@pytest.mark.parametrize("plan", [[], [{"setting": "linker", "value": "mold", "flags": []}], "x", [4]])
def test_a_linker_that_we_did_not_choose_is_not_blamed(world: World, plan: object) -> None:
    engine = world.engine()
    world.start(_RUN, plan=plan)
    world.write(_RUN, _LINK)
    settle(engine)
    assert world.board_run(_RUN).findings == ()
    assert not os.path.exists(world.paths.state + "/linkers.json")


def test_the_next_engine_tells_nothing_twice(world: World) -> None:
    engine = world.engine()
    world.start(_RUN, plan=_plan(target_cpu="native"))
    world.write(_RUN, _ILLEGAL)
    settle(engine)
    before = world.events(_RUN)
    world.write(_RUN, _ILLEGAL)
    settle(world.engine())
    told = [event for event in world.events(_RUN) if type(event).__name__ == "ContradictionsSeen"]
    assert len(told) == 1
    assert told[0] in before


def test_a_command_that_died_of_sigill_itself_is_told_before_its_end(world: World) -> None:
    engine = world.engine()
    world.start(_RUN, tool="exec", subcommand="app", json="none", parser="generic")
    settle(engine)
    world.end(_RUN, code=None, signal=4)  # type: ignore[arg-type]
    settle(engine)
    world.clock.advance(5)
    settle(engine)
    run = world.board_run(_RUN)
    assert [one.id for one in run.findings] == ["illegal-instruction"]
    assert run.findings[0].title == "app died of an illegal instruction (SIGILL)"
