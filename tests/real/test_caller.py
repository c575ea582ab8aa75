"""The caller cannot tell: a sample of the cases of `bench/caller.py`, and proof that the comparison sees a fraud."""

import os
import stat
from collections.abc import Iterator

import pytest

from tests.real import callers
from tests.real.callers import CASES, World, differences
from tests.real.product import temporary_deck

_FRAUDS = {
    "another exit code": '"$real" "$@"; exit $(( $? + 1 ))',
    "stderr on stdout": 'exec "$real" "$@" 2>&1',
    "a lost last line": '"$real" "$@" 2>&1 >/dev/null | sed \'$d\' >&2',
    "a line too many": 'echo "cargo-deck was here" >&2; exec "$real" "$@"',
    "a held stream": 'sleep 5 & exec "$real" "$@"',
    "a flag too many": 'exec "$real" "$@" --verbose',
}


def is_sent_away(case: callers.Case) -> bool:
    """Nothing of the command's own output is left for the terminal."""
    return ">../out.txt" in case.line or "2>&1 | cat" in case.line


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with temporary_deck() as deck:
        world = World(deck)
        world.prepare(callers.BUILT_FOR_SAMPLE)
        yield world


@pytest.mark.parametrize(
    ("case", "is_terminal"),
    [
        # What goes to files or a pipe is the same wherever the caller sits.
        pytest.param(case, is_terminal, marks=pytest.mark.long if is_terminal and is_sent_away(case) else ())
        for case in CASES
        if case.is_sampled
        for is_terminal in (False, True)
    ],
    ids=lambda value: value.name if isinstance(value, callers.Case) else "terminal" if value else "pipes",
)
def test_a_caller_sees_what_plain_cargo_shows(world: World, case: callers.Case, is_terminal: bool) -> None:
    plain = world.run(case, "plain", is_terminal)
    # Each case takes one route here, all take both in the bench.
    route = "shim" if (CASES.index(case) + is_terminal) % 2 else "direct"

    seen = world.run(case, route, is_terminal)

    assert differences(plain, seen, is_terminal=is_terminal, is_drawn_narrow=case.is_drawn_narrow) == []
    # What is no build at all may go straight to cargo; of a build that does, the comparison proves nothing.
    assert seen.recorded or case.name in ("unknown external", "wrong flag")


@pytest.mark.parametrize("fraud", _FRAUDS)
def test_the_comparison_sees_a_stand_in_with(world: World, fraud: str) -> None:
    case = next(one for one in CASES if one.name == "failing build")
    stand_in = os.path.join(world.deck.folder, "stand-in")
    with open(stand_in, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/bash\nreal=cargo\n{_FRAUDS[fraud]}\n")
    os.chmod(stand_in, stat.S_IRWXU)
    fake = world.run(case._replace(line=f"{stand_in} build -p broken"), "plain", is_terminal=False)

    assert differences(world.run(case, "plain", is_terminal=False), fake, is_terminal=False)


def test_the_comparison_sees_a_stand_in_without_colours_on_a_terminal(world: World) -> None:
    case = next(one for one in CASES if one.name == "failing build")
    plain = world.run(case, "plain", is_terminal=True)
    fake = world.run(case._replace(line="CARGO build -p broken --color never"), "plain", is_terminal=True)

    assert differences(plain, fake, is_terminal=True)
