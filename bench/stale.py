"""The stale-kernel doctor against packages that declare inputs in each way, and build tools that skip nvcc.

What is wrong is found and proven, what is right is left in peace. With the real nvcc; `--fake`: with one that compiles
nothing.

    python -m bench.stale
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figures
from core.native.proofs.prove import Outcome, prove
from core.native.proofs.prove_finding import confirm
from core.native.proofs.prove_setup import proof_of
from tests.native_worlds import DECLARATIONS, LOOPING, RIGHT, SKIPPING, Style, World, edit, fake_nvcc
from tests.real.nvcc import our_toolkit

STYLES = (*DECLARATIONS, *RIGHT, *SKIPPING, LOOPING)
_OUTSIDE_IS_MISSED = frozenset({"none", "file", "folder"})
_DEEP_IS_MISSED = frozenset({"file", "ignored"})


class Score:
    """What was to be found, and what was."""

    def __init__(self) -> None:
        self.wanted = self.found = self.false = 0

    def add(self, wanted: frozenset[str], found: set[str]) -> None:
        """One look at one package."""
        self.wanted += len(wanted)
        self.found += len(wanted & found)
        self.false += len(found - wanted)

    def __str__(self) -> str:
        return f"found {self.found} of {self.wanted}, false {self.false}"


class Trial(World):
    """What is tried of one."""

    def look(self, score: Score, wanted: frozenset[str]) -> float:
        """Examine; gives the seconds that took."""
        began = time.monotonic()
        found = self.examined()
        took_s = time.monotonic() - began
        score.add(wanted, {one.finding.id for one in found.found})
        return took_s

    def edit_and_build(self) -> None:
        """Change a nested header."""
        edit(self.package.header, "#pragma once\n#define VALUE 2\n")
        self.package.build(self.env)

    def prove(self) -> tuple[int, int, dict[str, Outcome]]:
        """Findings, those of them that are proven and whose mend is, and what an edit to each input rebuilds."""
        examined = self.examined()
        with proof_of(self.paths, self.place, examined, ()) as proof:
            tried = [confirm(proof, one) for one in examined.found]
            verdicts = {os.path.basename(one.path): one.outcome for one in prove(proof.prover, sorted(examined.inputs))}
        return len(tried), sum(one.is_true is True and one.is_mended is True for one in tried), verdicts


def missed_inputs(style: Style) -> set[str]:
    """Files whose edit is not rebuilt, by their base names."""
    if style.name == "folder-mtime":
        return {"k.cu", "deep.cuh", "outside.cuh"}
    if style in SKIPPING:
        return {"deep.cuh", "outside.cuh"}
    missed = {"outside.cuh"} if style.name in _OUTSIDE_IS_MISSED else set()
    missed |= {"deep.cuh"} if style.name in _DEEP_IS_MISSED else set()
    return missed | ({"k.cu"} if style.name == "ignored" else set())


def measure(figures: Figures, folder: Path, nvcc: str, say: Callable[[str], None] = lambda name: None) -> None:
    """All packages: what is found at once, after an edit, and by proof."""
    score, proven, of, times, wrong_verdicts, edits = Score(), 0, 0, [], [], 0
    for style in STYLES:
        say(style.name)
        trial = Trial(folder / style.name, style, nvcc)
        times.append(trial.look(score, style.wrong))
        trial.edit_and_build()
        if not style.wrong:
            trial.look(score, style.after_edit)
        tried, good, verdicts = trial.prove()
        proven, of, edits = proven + good, of + tried, edits + len(verdicts)
        untracked = {name for name, outcome in verdicts.items() if outcome not in ("tracked", "wide")}
        if untracked != missed_inputs(style):
            wrong_verdicts.append(f"{style.name}: {sorted(untracked)}")
    figures.holds(f"{len(STYLES)} packages", score.found == score.wanted and not score.false, str(score))
    figures.holds("findings and their mends, proven in a scratch world", proven == of, f"{proven} of {of}")
    figures.holds("edits judged rightly", not wrong_verdicts, "; ".join(wrong_verdicts) or f"{edits} of {edits}")
    figures.at_most("seconds to examine a package, the slowest", max(times), 2.0, "{:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fake", action="store_true")
    given = parser.parse_args()
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="stale-") as folder:
        place = Path(folder)
        nvcc = str(fake_nvcc(place / "bin")) if given.fake else our_toolkit() + "/bin"
        measure(figures, place, nvcc)
    return figures.end("stale")


if __name__ == "__main__":
    sys.exit(main())
