"""The caller cannot tell: every case against plain cargo, over pipes and in a terminal, directly and by the shim.

`python -m bench.caller [--only TEXT] [--self-check]`. With --self-check both sides are plain cargo.
"""

import argparse
import sys
import time
from collections.abc import Iterator

from tests.real.callers import CASES, Case, World, differences
from tests.real.product import temporary_deck


def _compare(world: World, case: Case, routes: list[str], is_terminal: bool) -> Iterator[tuple[str, int, list[str]]]:
    """Route, runs on record, differences."""
    plain = world.run(case, "plain", is_terminal)
    for route in routes:
        seen = world.run(case, route, is_terminal)
        yield (
            route,
            seen.recorded,
            differences(plain, seen, is_terminal=is_terminal, is_drawn_narrow=case.is_drawn_narrow),
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--terminal", choices=("both", "yes", "no"), default="both")
    parser.add_argument("--route", action="append", choices=("direct", "shim"), help="default: both")
    parser.add_argument("--self-check", action="store_true", help="plain cargo against plain cargo")
    args = parser.parse_args()
    routes = ["plain"] if args.self_check else args.route or ["direct", "shim"]
    terminals = {"both": (False, True), "yes": (True,), "no": (False,)}[args.terminal]
    equal = total = recorded = 0
    began = time.monotonic()
    with temporary_deck() as deck:
        world = World(deck)
        world.prepare()
        for case in (one for one in CASES if args.only in one.name):
            for is_terminal in terminals:
                for route, runs, found in _compare(world, case, routes, is_terminal):
                    total += 1
                    recorded += bool(runs)
                    equal += not found
                    place = "terminal" if is_terminal else "pipes"
                    verdict = "DIFFERS" if found else "equal"
                    print(f"{verdict:8}{place:10}{route:8}{runs} recorded  {case.name}", flush=True)
                    for one in found:
                        print(f"          {one}", flush=True)
    print(
        f"caller: {equal} of {total} equal, {recorded} of them through a recorded run, {time.monotonic() - began:.0f} s"
    )
    return 0 if equal == total and total else 1


if __name__ == "__main__":
    sys.exit(main())
