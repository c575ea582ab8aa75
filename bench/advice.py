"""`cargo deck advise --measure` on small packages with C, with `--cuda` on the sample's kernels: what each advice gives
here beside the same build twice, that what is told of a build is what cargo ran, that nothing is left, after a SIGINT
either.

    python -m bench.advice [--rounds N] [--cuda]
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import Figures
from core import sample
from core.native.gains.advice import ALL, Advice
from core.native.gains.advice_edits import Edit
from core.native.gains.advice_figures import Tried
from core.native.gains.advice_survey import Survey, digests, edits_of, survey
from core.native.gains.advice_trials import Trial, try_all
from core.native.gains.advice_world import World, worlds
from core.native.staleness.doctor import Examined, examine
from core.native.staleness.stale_place import find_place
from core.paths import find_paths
from tests.advice_worlds import content_of, write_package
from tests.real.nvcc import our_toolkit
from tests.real.product import COMMAND, Deck, temporary_deck, until, with_environ

_RUSTC = re.compile(rb"^\s*Running `[^`]*?--crate-name (\w+)", re.MULTILINE)
_SCRIPT = re.compile(rb"^\s*Running `[^`]*?/build/([^/`]+?)-[0-9a-f]{16}/build-script-", re.MULTILINE)
_INTERRUPTS = 5


class Subject:
    """A package that was built once."""

    def __init__(self, deck: Deck, name: str, root: Path, env: dict[str, str], words: Sequence[str] = ()) -> None:
        self.deck, self.name, self.root, self.env = deck, name, root, {**deck.env, **env}
        done = deck.run("build", *words, cwd=str(root), env=env, timeout_s=900)
        if done.returncode:
            raise RuntimeError(f"{root} does not build: {done.stderr}")
        self.before = content_of(root)

    def look(self) -> tuple[Survey, Examined]:
        """What there is to be tried."""
        paths = find_paths(self.env)
        place = find_place(paths, str(self.root), self.env)
        examined = examine(paths, place)
        return survey(paths, place, examined), examined

    def is_untouched(self) -> bool:
        """Checkout and target dir are as they were, and nothing of a measurement is left."""
        cache = f"{self.deck.folder}/cache/cargo-deck"
        left = [name for one in ("scratch", "measure") for name in os.listdir(f"{cache}/{one}") if name != "lock"]
        return content_of(self.root) == self.before and not left and not self.processes()

    def processes(self) -> list[object]:
        """That measurements started and that live on."""
        return [*with_environ(f"{self.deck.folder}/cache/cargo-deck/measure"), *with_environ("DECK_TIMED=a=")]


def subjects(deck: Deck, folder: Path, *, has_cuda: bool) -> Iterator[Subject]:
    """Built, one after another."""
    for name, uses_cc_crate, declares in (("own script", False, True), ("cc crate", True, True),
                                          ("declares nothing", False, False)):  # fmt: skip
        root = folder / name.replace(" ", "-")
        write_package(root, uses_cc_crate=uses_cc_crate, declares=declares)
        yield Subject(deck, name, root, {})
    if has_cuda:
        sample.write_shared(f"{folder}/shared")
        sample.write_checkout(f"{folder}/ws", f"{folder}/shared", has_cuda=True)
        env = {"PATH": f"{our_toolkit()}/bin:{deck.env['PATH']}"}
        yield Subject(deck, "sample", folder / "ws", env, ("-p", "orchard-kernels", "-p", "orchard-grid"))


def measure(figures: Figures, subject: Subject, rounds: int) -> None:
    """Try all advice that can be had, and print what it gives."""
    found, examined = subject.look()
    for row in found.rows:
        if row.offer.arm is None:
            figures.note(f"{subject.name}: {row.offer.advice}", f"not tried: {row.offer.why}")
    edits = edits_of(found, ALL)
    trial = Trial(edits, rounds, digests(found), lambda said: None)
    with worlds(found.project, examined, found.arms(ALL)) as made:
        tried = list(try_all(found.project, made, trial, lambda: 0.0))
        wrong = [one for world in made for edit in edits for one in _mistold(world, edit, rounds)]
    for one in tried:
        _note(figures, subject, one)
    figures.holds(f"{subject.name}: told as cargo -v tells it", not wrong, "; ".join(wrong[:3]))
    figures.holds(f"{subject.name}: nothing touched, nothing left", subject.is_untouched())


def _mistold(world: World, edit: Edit, number: int) -> Iterator[str]:
    """Where what is told of a build differs from the programs that cargo said it ran."""
    world.edit(edit, number + 1)
    rebuilt = world.build().rebuilt
    ran = sorted(name.decode() for name in _RUSTC.findall(world.said.errors))
    told = sorted("build_script_build" if one.endswith(" build script") else one.split(" ")[0].replace("-", "_")
                  for one in rebuilt.units)  # fmt: skip
    scripts = sorted(name.decode() for name in _SCRIPT.findall(world.said.errors))
    if ran != told or scripts != sorted(rebuilt.scripts):
        yield f"{world.arm.name}: cargo ran {ran}, {scripts}; told {told}, {rebuilt.scripts}"


def _note(figures: Figures, subject: Subject, one: Tried) -> None:
    if one.trouble:
        figures.note(f"{subject.name}: {one.what}", f"does not build: {one.trouble.splitlines()[0]}")
    for figure in one.figures:
        if figure.ratio is None or figure.noise is None:
            continue
        rebuilt = "" if figure.before == figure.after else f"   {figure.before.units} → {figure.after.units}"
        figures.note(
            f"{subject.name}: {one.what}, {figure.edit}",
            f"{figure.before_s:.2f} s ×{figure.ratio:.2f} ({figure.low:.2f}–{figure.high:.2f}) {figure.verdict}, "
            f"A/A ×{1 + figure.noise:.2f}{rebuilt}",
        )


def interrupt(figures: Figures, subject: Subject) -> None:
    """Stop it in the middle, at several places."""
    for number in range(_INTERRUPTS):
        argv = [COMMAND, "advise", "--measure", *((Advice.SCCACHE,) if number % 2 else (Advice.SPLIT, Advice.LINKER))]
        with subprocess.Popen(argv, cwd=subject.root, env=subject.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, start_new_session=True) as process:  # fmt: skip
            until(lambda: subject.processes(), 60, "a build in a scratch world")
            for _ in range(number):
                assert process.stderr is not None
                process.stderr.readline()
            process.send_signal(signal.SIGINT)
            code = process.wait(30)
        until(lambda: not subject.processes(), 20, "the end of all that was started")
        figures.holds(f"{subject.name}: SIGINT {number + 1}", code == 130 and subject.is_untouched(), f"exit {code}")


def main(argv: Sequence[str]) -> int:
    """Exit code 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cuda", action="store_true", help="the sample's kernels too, with an nvcc that needs no GPU")
    given = parser.parse_args(argv)
    figures = Figures()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background job would hand on that it is ignored
    with temporary_deck() as deck, tempfile.TemporaryDirectory(prefix="advice-", dir="/tmp") as folder:
        for subject in subjects(deck, Path(folder), has_cuda=given.cuda):
            measure(figures, subject, given.rounds)
            if subject.name == "own script":
                interrupt(figures, subject)
    return figures.end("advice")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
