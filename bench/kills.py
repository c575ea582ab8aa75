"""kill -9 of board, engine or both at random moments of real builds: no build may notice.

`python -m bench.kills [--trials 100] [--no-board]`
"""

import argparse
import random
import statistics
import sys

from tests.real.product import temporary_deck
from tests.real.survival import ADOPTED_S, VICTIMS, Board, Grounds, run_trial


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-board", action="store_true")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    harmed = 0
    adopted: list[float] = []
    dead_boards = killed_boards = 0
    with temporary_deck() as deck:
        grounds = Grounds(deck)
        board: Board | None = None
        for at in range(args.trials):
            if not args.no_board and (board is None or not board.is_alive):
                dead_boards += board is not None and VICTIMS[(at - 1) % 3] == "engine"
                board = Board(deck)
            trial = run_trial(grounds, rng, VICTIMS[at % 3], board)
            killed_boards += bool(board and trial.victim != "engine")
            harmed += bool(trial.harms)
            adopted += [trial.adopted_s] if trial.adopted_s is not None else []
            if trial.harms or (trial.adopted_s or 0) > ADOPTED_S:
                print(f"trial {at}: {trial.victim}, {trial.kind}: {trial.harms}, adopted {trial.adopted_s}", flush=True)
        if board and board.is_alive:
            board.kill()
    late = sum(one > ADOPTED_S for one in adopted)
    print(
        f"kills: {args.trials} trials ({len(adopted)} engines, {killed_boards} boards), {harmed} builds harmed, "
        f"{late} adopted later than {ADOPTED_S:.0f} s; after {statistics.median(adopted or [0]):.2f} s (median), "
        f"{max(adopted, default=0):.2f} s (most); {dead_boards} boards ended by themselves"
    )
    return 1 if harmed or late or dead_boards else 0


if __name__ == "__main__":
    sys.exit(main())
