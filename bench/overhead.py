"""What a build costs through cargo-deck beside plain cargo: wall time, CPU time, and a build with nothing to do.

`python -m bench.overhead [--pairs 60] [--no-op-pairs 40] [--self-check]`. Real builds: a chain of three crates after an
edit of its first. Each round runs plain, plain again and ours in random order; the two plains make the A/A series.
"""

import argparse
import os
import random
import shutil
import statistics
import sys

from tests.real import usage
from tests.real.product import COMMAND, Deck, Process, temporary_deck
from tests.real.samples import write_chain

_NO_OP_LIMIT_MS = 60.0
_SHIM_LIMIT_MS = 5.0
_CPU_LIMIT = 1.02


def _builds(deck: Deck, edited: str, pairs: int, rng: random.Random, ours: list[str]) -> bool:
    """Ratios of wall and CPU time over real builds."""
    costs: dict[str, list[usage.Cost]] = {"plain": [], "again": [], "ours": []}

    def is_engine(one: Process) -> bool:
        engine = deck.engine()
        return engine is not None and one.pid == engine.pid

    before_s = usage.tree_cpu_s()
    for _ in range(pairs):
        for name in rng.sample(sorted(costs), 3):
            os.utime(edited)
            cost = usage.timed(
                ours if name == "ours" else ["cargo", "build"], cwd=os.path.dirname(edited), env=deck.env
            )
            assert cost.code == 0, f"{name}: exit {cost.code}"
            usage.wait_until_alone(is_engine)
            costs[name].append(cost)
    everything_s = usage.tree_cpu_s() - before_s
    plain_s = sum(one.cpu_s for name in ("plain", "again") for one in costs[name])
    # Whatever is not plain cargo's is ours: caller, supervisor, build and engine.
    cpu = (everything_s - plain_s) / (plain_s / 2)
    return _report_builds(costs, cpu, rng)


def _report_builds(costs: dict[str, list[usage.Cost]], cpu: float, rng: random.Random) -> bool:
    rounds = list(zip(costs["plain"], costs["again"], costs["ours"], strict=True))
    same = [again.wall_s / plain.wall_s for plain, again, _ in rounds]
    # Which of the two plain builds of a round is the partner is drawn, so that both series are made alike.
    ratios = [mine.wall_s / rng.choice((plain, again)).wall_s for plain, again, mine in rounds]
    low, high = usage.interval_of_medians(same, rng)
    median = statistics.median(ratios)
    is_inside = low <= median <= high
    plain_s = statistics.median(one.wall_s for one in costs["plain"])
    plain_cpu_s = statistics.mean(one.cpu_s for one in costs["plain"])
    print(
        f"builds: {len(rounds)} rounds of {plain_s:.2f} s, wall ratio {median:.4f} (median), A/A "
        f"{statistics.median(same):.4f}, its 95 % interval [{low:.4f}, {high:.4f}]: "
        f"{'inside' if is_inside else 'OUTSIDE' if median > high else 'below'}; user + sys {cpu:.4f} × plain "
        f"({(cpu - 1) * plain_cpu_s * 1000:+.0f} ms a build)",
        flush=True,
    )
    return median <= high and cpu <= _CPU_LIMIT


def _no_ops(deck: Deck, folder: str, pairs: int, rng: random.Random) -> bool:
    """Extra milliseconds of each way to call us when cargo has nothing to do."""
    shim_env = {**deck.env, "PATH": f"{deck.shim()}:{deck.env['PATH']}"}
    nested_env = {**shim_env, "DECK_RUN": "20260101-000000-000-abcd"}
    ways = {
        "cargo-deck build": ([COMMAND, "build"], deck.env, ["cargo", "build"], _NO_OP_LIMIT_MS),
        "cargo deck build": (["cargo", "deck", "build"], deck.env, ["cargo", "build"], _NO_OP_LIMIT_MS),
        "shim build": (["cargo", "build"], shim_env, ["cargo", "build"], _NO_OP_LIMIT_MS),
        "shim nested build": (["cargo", "build"], nested_env, ["cargo", "build"], _SHIM_LIMIT_MS),
        "shim foreign": (["cargo", "locate-project"], shim_env, ["cargo", "locate-project"], _SHIM_LIMIT_MS),
    }
    is_good = True
    for name, (argv, env, plain_argv, limit_ms) in ways.items():
        extra_ms, noise_ms = _extra_ms(pairs, rng, folder, (argv, env), (plain_argv, deck.env))
        is_good &= extra_ms <= limit_ms
        print(f"no-op: {name:20} {extra_ms:+6.1f} ms (median; A/A {noise_ms:+.1f}; at most {limit_ms:.0f})", flush=True)
    return is_good


def _extra_ms(
    pairs: int,
    rng: random.Random,
    folder: str,
    ours: tuple[list[str], dict[str, str]],
    plain: tuple[list[str], dict[str, str]],
) -> tuple[float, float]:
    """Median difference of ours to plain, and of plain to plain, in alternating order."""
    extra, noise = [], []
    for _ in range(pairs):
        walls = {}
        for name in rng.sample(("plain", "again", "ours"), 3):
            argv, env = ours if name == "ours" else plain
            cost = usage.timed(argv, cwd=folder, env=env)
            assert cost.code == 0, f"{argv}: exit {cost.code}"
            walls[name] = cost.wall_s
        extra.append((walls["ours"] - walls["plain"]) * 1000)
        noise.append((walls["again"] - walls["plain"]) * 1000)
    return statistics.median(extra), statistics.median(noise)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--no-op-pairs", type=int, default=40)
    parser.add_argument("--functions", type=int, default=2000, help="work in each of the three crates")
    parser.add_argument("--workspace", default="", help="a real one, copied and built offline, in place of the chain")
    parser.add_argument("--edit", default="src/main.rs", help="the file of it that is newer before each build")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--self-check", action="store_true", help="plain cargo in place of ours")
    parser.add_argument("--report-only", action="store_true", help="end well whatever the figures: for a noisy CI")
    args = parser.parse_args()
    # Compiled modules are cached at an installation: with this set by a developer, start-up would cost twice.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rng = random.Random(args.seed)
    usage.become_subreaper()
    is_good = True
    with temporary_deck() as deck:
        folder = os.path.join(deck.folder, "chain")
        edited = os.path.join(folder, args.edit if args.workspace else "link0/src/lib.rs")
        if args.workspace:
            shutil.copytree(args.workspace, folder, ignore=shutil.ignore_patterns("target"))
        else:
            write_chain(folder, crates=3, functions=args.functions)
        usage.check_call(["cargo", "build"], cwd=folder, env=deck.env)
        usage.check_call([COMMAND, "build"], cwd=folder, env=deck.env)
        if args.no_op_pairs and not args.self_check:
            is_good &= _no_ops(deck, folder, args.no_op_pairs, rng)
        if args.pairs:
            ours = ["cargo", "build"] if args.self_check else [COMMAND, "build"]
            is_good &= _builds(deck, edited, args.pairs, rng, ours)
    print(f"overhead: {'all within the bars' if is_good else 'a bar is MISSED'}")
    return 0 if is_good or args.report_only else 1


if __name__ == "__main__":
    sys.exit(main())
