"""Owner killed in every way a caller dies: nothing of its run may live 2 s later.

`python -m bench.owner [--trials 100] [--stand-in FILE]`: the stand-in is called in place of cargo-deck.
"""

import argparse
import collections
import os
import random
import statistics
import subprocess
import sys

from tests.real.owners import WAYS, run_trial, write_hanging
from tests.real.product import COMMAND, temporary_deck


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--way", choices=list(WAYS), action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stand-in", default=COMMAND)
    args = parser.parse_args()
    random.seed(args.seed)
    bad: collections.Counter[str] = collections.Counter()
    gone: list[float] = []
    with temporary_deck() as deck:
        cwd = os.path.join(deck.folder, "hang")
        write_hanging(cwd)
        subprocess.run(["cargo", "-q", "test", "--no-run"], cwd=cwd, env=deck.env, check=True)
        deck.run("ps", "--json")
        ways = args.way or list(WAYS)
        for at in range(args.trials):
            way, kind = ways[at % len(ways)], random.choice(("test", "exec"))
            trial = run_trial(deck, cwd, way, kind, is_early=random.random() < 0.3, ours=args.stand_in)
            gone.append(trial.gone_s)
            if trial.survivors or trial.problem:
                bad[way] += bool(trial.survivors)
                left = [" ".join(one.argv)[:90] for one in trial.survivors]
                print(f"trial {at}: {way}, {kind}: survivors {left} {trial.problem}", flush=True)
            bad["records"] += bool(trial.problem)
    survived = sum(count for way, count in bad.items() if way != "records")
    print(
        f"owner: {args.trials} trials, {survived} with survivors after 2 s, {bad['records']} without a right record; "
        f"gone after {statistics.median(gone):.2f} s (median), {max(gone):.2f} s (most)"
    )
    return 1 if survived or bad["records"] else 0


if __name__ == "__main__":
    sys.exit(main())
