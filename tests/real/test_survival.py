"""A build depends on nobody who watches: a sample of `bench/kills.py`."""

import random
from collections.abc import Iterator

import pytest

from tests.real.product import temporary_deck
from tests.real.survival import ADOPTED_S, Board, Grounds, run_trial, text_harms


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    with temporary_deck() as deck:
        yield Grounds(deck)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_engine_harms_no_build_and_the_next_command_adopts_it(grounds: Grounds, seed: int) -> None:
    trial = run_trial(grounds, random.Random(seed), "engine", None)

    assert trial.harms == []
    assert trial.adopted_s is None or trial.adopted_s <= ADOPTED_S


def test_board_and_engine_killed_together_harm_no_build(grounds: Grounds) -> None:
    board = Board(grounds.deck)
    assert board.is_alive

    trial = run_trial(grounds, random.Random(4), "both", board)

    assert trial.harms == []


def test_a_log_without_its_last_byte_counts_as_harmed(grounds: Grounds) -> None:
    expected = grounds.expected("program 1")

    assert expected.code == 7
    assert text_harms("out.log", expected.out, expected.out) == []
    assert text_harms("out.log", expected.out, expected.out[:-1])
