"""CPU seconds of all our processes beside the builds' own: ten live builds in ten checkouts, no dashboard.

`python -m bench.cpu_share [--builds 10] [--functions 3000] [--workspace FOLDER]`. All: every descendant of this process
(it is a subreaper), without asking the product. The builds' own: `user_s + sys_s` of each `exit.json`, and beside it
what plain cargo takes for the same builds, which catches a product that books its own time on the build.
"""

import argparse
import os
import shutil
import subprocess
import sys

from tests.real import usage
from tests.real.product import COMMAND, Deck, read_json, temporary_deck, until
from tests.real.samples import write_chain

_LIMIT = 0.01


def _checkouts(deck: Deck, count: int, functions: int, workspace: str) -> list[str]:
    folders = [os.path.join(deck.folder, f"checkout{i}") for i in range(count)]
    for folder in folders:
        if workspace:
            shutil.copytree(workspace, folder, ignore=shutil.ignore_patterns("target"))
        else:
            write_chain(folder, crates=6, functions=functions)
    return folders


def _all_at_once(argv: list[str], folders: list[str], env: dict[str, str]) -> float:
    """CPU seconds of everything that came of it, the engine to its last write included."""
    for folder in folders:
        shutil.rmtree(os.path.join(folder, "target"), ignore_errors=True)
    before_s = usage.tree_cpu_s()
    callers = [
        subprocess.Popen(
            argv, cwd=one, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        for one in folders
    ]
    codes = [caller.wait() for caller in callers]
    assert not any(codes), f"exit codes {codes}"
    return usage.tree_cpu_s() - before_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=10)
    parser.add_argument("--functions", type=int, default=3000, help="work in each of the six crates")
    parser.add_argument("--workspace", default="", help="a workspace that is built offline, in place of a made one")
    parser.add_argument("--no-plain", action="store_true", help="leave the cross-check out")
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    usage.become_subreaper()
    with temporary_deck() as deck:
        folders = _checkouts(deck, args.builds, args.functions, args.workspace)
        plain_s = 0.0 if args.no_plain else _all_at_once(["cargo", "build"], folders, deck.env)
        all_s = _all_at_once([COMMAND, "build"], folders, deck.env)
        before_s = usage.tree_cpu_s()
        until(lambda: not os.listdir(os.path.join(deck.state, "open")), 10, "the end of all runs in the journal")
        all_s += usage.tree_cpu_s() - before_s
        ends = [read_json(f"{run}/exit.json") for run in deck.runs()]
        engine = deck.engine()
        engine_s = usage.live_cpu_s(engine.pid) if engine else 0.0
    assert len(ends) == args.builds, f"{len(ends)} runs on record"
    builds_s = sum(end["user_s"] + end["sys_s"] for end in ends)
    share = (all_s - builds_s) / builds_s
    print(
        f"cpu share: {args.builds} builds took {builds_s:.1f} s of CPU, ours {all_s - builds_s:.2f} s "
        f"(engine {engine_s:.2f}): {share:.2%} (at most {_LIMIT:.0%}); plain cargo took {plain_s:.1f} s for the same"
    )
    return 0 if share <= _LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
