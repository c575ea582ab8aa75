"""What holds a build up is said in the right word, within five seconds.

`python -m bench.bottleneck [--only NAME] [--sccache PATH]`. Stages eight situations with real builds and real trouble:
a cpu hog, a memory hog, a slow disk, a held lock, a dead cache, a registry that does not answer, one crate that all
wait for, too few jobs; and one where nothing is wrong. Needs root, memory and blkio cgroups (v1), loop devices, and
sccache (the one that came with us; another one by --sccache).
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.bottleneck_stages import SCCACHE, SITUATIONS
from bench.figures import Figures
from tests.real.product import Deck, temporary_deck

WITHIN_S, LEAST_RIGHT = 5.0, 7
_QUIET_WITHIN_S = 90.0


def wait_for_quiet() -> float:
    """Wait until the machine has a core and a half per two to spare; how busy it was at last, 0..1."""
    import psutil

    deadline = time.monotonic() + _QUIET_WITHIN_S
    psutil.cpu_percent()
    while True:
        time.sleep(1.5)
        busy = psutil.cpu_percent() / 100
        if busy < 0.15 or time.monotonic() > deadline:
            return busy


def told(run: str) -> list[dict[str, Any]]:
    """What was found of a run so far."""
    if not os.path.exists(run + "/events.jsonl"):
        return []
    with open(run + "/events.jsonl") as file:
        lines = [json.loads(line) for line in file if '"BottleneckFound"' in line]
    return lines


def judge(figures: Figures, deck: Deck, name: str) -> bool:
    """Stage a situation; whether the right word stands after five seconds."""
    word, stage = SITUATIONS[name]
    busy = wait_for_quiet()
    root = f"{deck.folder}/{name.replace(' ', '-')}"
    with stage(deck, root) as staged:
        while time.time() - staged.at < WITHIN_S:
            time.sleep(0.05)
        found = [one for one in told(staged.run) if one["at"] - staged.at <= WITHIN_S]
        later = _rest(staged.run) if not found else []
    standing = found[-1] if found else {"word": "", "evidence": "", "at": staged.at}
    first = next((one["at"] - staged.at for one in found if one["word"] == word), None)
    others = [
        f"{one['word'] or 'nothing'} at {one['at'] - staged.at:.1f} s"
        for one in [*found, *later]
        if one["word"] != word
    ]
    is_right = standing["word"] == word
    seconds = "" if first is None else f" after {first:.1f} s"
    figures.note(
        f"  {name}",
        f"{'right' if is_right else 'WRONG'}: {standing['word'] or 'nothing'}{seconds} ({standing['evidence']})"
        + (f"; also {', '.join(others)}" if others else "")
        + (f"; the machine was {busy:.0%} busy before" if busy > 0.15 else ""),
    )  # fmt: skip
    return is_right


def _rest(run: str) -> list[dict[str, Any]]:
    """What is said a little later, of a situation that was not seen in time."""
    deadline = time.monotonic() + 3
    while not told(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    return told(run)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(SITUATIONS), help="stage this one (may be repeated)")
    parser.add_argument("--trials", type=int, default=1, help="rounds over all situations")
    own = os.path.join(os.path.dirname(sys.executable), "sccache")
    parser.add_argument("--sccache", default=own, help="the program to use for the dead cache")
    args = parser.parse_args(argv)
    SCCACHE.append(os.path.abspath(args.sccache))
    names = list(args.only or SITUATIONS)
    figures = Figures()
    for _ in range(args.trials):
        with temporary_deck() as deck:
            right = [name for name in names if judge(figures, deck, name)]
        staged = [name for name in names if SITUATIONS[name][0]]
        limit = LEAST_RIGHT if len(staged) == 8 else len(staged)
        figures.at_least("right words within 5 s", len([n for n in right if n in staged]), limit, "{:.0f}",
                         f"of {len(staged)}")  # fmt: skip
        if "nothing wrong" in names:
            figures.holds("nothing is said where nothing is wrong", "nothing wrong" in right)
    return figures.end("bottleneck")


if __name__ == "__main__":
    sys.exit(main())
