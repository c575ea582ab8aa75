"""Proof of what an edit rebuilds: each file is edited in a scratch world, one at a time, and built.

The edit is a comment at the end: it changes the content, and nothing that the program does.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from core.native.proofs.scratch import Done, Scratch, ScratchError
from core.native.proofs.scratch_edit import Stat, append, restore, snapshot
from core.native.staleness.closure import NATIVE_ENDS, OBJECT_ENDS
from core.native.staleness.stale import Case
from core.parsers.messages import START, Unit, parse_message
from core.parsers.text import plain

Outcome = Literal["tracked", "wide", "untracked", "failed", "left out"]
"""Exactly what is made of it was made again; and more than that; not all of it was; the build failed; it cannot be
edited harmlessly."""
_COMMENTS = {".asm": "; {}", ".s": "/* {} */"}
_MAX_TAIL = 2000
_SCRIPT_RAN = b'{"reason":"build-script-executed"'
MAX_SETTLING = 4


class NotRun(ScratchError):
    """The command runs no build script that is in question."""


class Command(NamedTuple):
    """What builds."""

    argv: tuple[str, ...]
    """With the program."""
    cwd: str
    env: Mapping[str, str]


class Built(NamedTuple):
    """What a build did."""

    code: int
    crates: frozenset[str]
    """Names of the targets that were compiled."""
    reasons: tuple[str, ...]
    """Cargo's own, each once."""
    scripts: frozenset[str]
    """Build scripts that ran, by the name of their run: `app-9a6dc0f4df75d010`."""
    outputs: frozenset[str]
    """Files in OUT_DIRs that were written anew."""
    tail: str
    """The end of what it said where it failed."""


class Verdict(NamedTuple):
    """What an edit to one file rebuilt."""

    path: str
    outcome: Outcome
    expected: tuple[str, ...]
    """Outputs that are made of it."""
    missing: tuple[str, ...] = ()
    """Of them those that were not made again; a crate that was not linked anew by its name."""
    extra: tuple[str, ...] = ()
    """Outputs that were made again although they are not made of it."""
    why: str = ""
    reasons: tuple[str, ...] = ()
    """Cargo's own."""
    scripts: frozenset[str] = frozenset()
    """Build scripts that ran."""


class Baseline(NamedTuple):
    """What is built where nothing was edited."""

    cold: Built
    again: Built
    """Everything in it is rebuilt at each build."""


class Prover:
    """Builds in a world, and tells what was made again."""

    def __init__(self, scratch: Scratch, command: Command, cases: Sequence[Case]) -> None:
        self._scratch = scratch
        self._command = command
        self.cases = tuple(cases)
        """After `baseline` those alone that the command runs: not those of another profile, nor of other features."""
        self._before: dict[str, Stat] = {}
        self._out_dirs: frozenset[str] = frozenset()
        self._others: frozenset[str] = frozenset()

    @property
    def inputs(self) -> frozenset[str]:
        """All of what the command makes."""
        return frozenset(path for case in self.cases for made in case.made for path in made.inputs)

    def baseline(self) -> Baseline:
        """Build twice without an edit.

        Raises:
            NotRun: None of the build scripts is run, so far as cargo's messages say.
            ScratchError: It does not build.
        """
        self._before = self._look()
        cold = self.build()
        if cold.code:
            raise ScratchError(f"it does not build even without an edit: {cold.tail}")
        real = {os.path.realpath(path) for path in self._out_dirs}
        run = [case for case in self.cases if os.path.realpath(self._scratch.at(case.script.out_dir)) in real]
        if self.cases and not run:
            words = " ".join((os.path.basename(self._command.argv[0]), *self._command.argv[1:]))
            raise NotRun(f"`{words}` runs no build script of which something is known here: build that first")
        others = {path for case in self.cases for made in case.made for path in made.inputs}
        self.cases = tuple(run)
        self._others = frozenset(others) - self.inputs
        return Baseline(cold, self.build())

    def settle(self) -> Built:
        """Build until nothing is left to be built, at most MAX_SETTLING times; gives the last one.

        Once is not enough where a script declares something again after it declared nothing (tried with cargo 1.95).
        """
        built = self.build()
        for _ in range(MAX_SETTLING - 1):
            if built.code or not (built.scripts or built.crates):
                break
            built = self.build()
        return built

    def build(self) -> Built:
        """Build, and compare with what was there before."""
        done = self._scratch.run(self._command.argv, self._command.cwd, self._command.env)
        before, self._before = self._before, self._look()
        written = frozenset(path for path, stat in self._before.items() if before.get(path) != stat)
        ran = frozenset(case.script.unit for case in self.cases if case.script.output in written)
        outputs = frozenset(
            path for path in written if any(_is_below(path, case.script.out_dir) for case in self.cases)
        )
        crates, reasons = _said(done)
        self._out_dirs = frozenset(out_dirs_in(done.output))
        tail = "" if done.code == 0 else tail_of(done.errors)
        return Built(done.code, crates, reasons, ran, outputs, tail)

    def judge(self, path: str) -> Verdict:
        """Edit one file, build, and say whether exactly what is made of it was made again.

        A file that is tracked stays edited; any other is put back as it was, with its mtime.
        """
        expected = tuple(sorted({made.output for case in self.cases for made in case.made if path in made.inputs}))
        if not expected and path in self._others:
            return Verdict(path, "left out", (), why="it is read for what this command does not make")
        comment = comment_for(path)
        if comment is None:
            return Verdict(path, "left out", expected, why="how a comment is written in it is not known")
        try:
            edit = append(self._scratch, path, comment)
        except ScratchError as error:
            return Verdict(path, "left out", expected, why=str(error))
        built = self.build()
        verdict = self._verdict(path, expected, built)._replace(scripts=built.scripts)
        if verdict.outcome not in ("tracked", "wide"):
            restore(self._scratch, edit)
            if built.code:
                self.settle()
        return verdict

    def _verdict(self, path: str, expected: tuple[str, ...], built: Built) -> Verdict:
        if built.code:
            return Verdict(path, "failed", expected, why=built.tail, reasons=built.reasons)
        known = {made.output for case in self.cases for made in case.made}  # what links them is made again each time
        objects = frozenset(path for path in built.outputs & known if path.endswith(OBJECT_ENDS))
        owners = [case for case in self.cases if any(path in made.inputs for made in case.made)]
        crates = [case.script.package for case in owners if case.script.package not in built.crates]
        missing = tuple(one for one in expected if one not in built.outputs)
        extra = tuple(sorted(objects - set(expected)))
        if not expected and not built.outputs:
            return Verdict(path, "untracked", (), why="nothing is made of it, as far as is known",
                           reasons=built.reasons)  # fmt: skip
        if missing or (crates and not built.outputs):
            why = self._why(owners, built, missing)
            return Verdict(path, "untracked", expected, missing or tuple(crates), extra, why, built.reasons)
        if crates:
            why = "the native part was made again, and what links it was not"
            return Verdict(path, "untracked", expected, tuple(crates), extra, why, built.reasons)
        return Verdict(path, "wide" if extra else "tracked", expected, (), extra, "", built.reasons)

    def _why(self, owners: Sequence[Case], built: Built, missing: Sequence[str]) -> str:
        idle = [case.script.package for case in owners if case.script.unit not in built.scripts]
        if idle:
            return f"the build script of {', '.join(sorted(set(idle)))} did not run: nothing that it declares covers it"
        names = ", ".join(os.path.basename(one) for one in missing[:3])
        return f"the build script ran, and did not make {names} again: it compares less than it compiles"

    def _look(self) -> dict[str, Stat]:
        places = {place for case in self.cases for place in (case.script.output, case.script.out_dir)}
        return snapshot(self._scratch, sorted(places))


def prove(
    prover: Prover, files: Sequence[str], tell: Callable[[str, int, int], None] = lambda path, at, of: None
) -> Iterator[Verdict]:
    """A verdict for each file, in order; `tell` hears of each before it is edited: path, number from 1, how many."""
    for number, path in enumerate(files, 1):
        tell(path, number, len(files))
        yield prover.judge(path)


def comment_for(path: str) -> str | None:
    """A comment to add to a file of that kind; None: how one is written there is not known."""
    end = os.path.splitext(path)[1]
    if end not in NATIVE_ENDS:
        return None
    return "\n" + _COMMENTS.get(end, "/* {} */").format("cargo-deck") + "\n"


def _said(done: Done) -> tuple[frozenset[str], tuple[str, ...]]:
    """Packages that were compiled, from cargo's messages, and its reasons, from its words (`-v`)."""
    crates = {one.package for one in compiled_units(done.output) if one.kind != "custom-build" and one.package}
    lines = (line.strip() for line in done.errors.split(b"\n"))
    reasons = dict.fromkeys(plain(line[6:], 300) for line in lines if line.startswith(b"Dirty "))
    return frozenset(crates), tuple(reasons)


def compiled_units(output: bytes) -> Iterator[Unit]:
    """Units that were compiled, programs of build scripts too, by cargo's messages."""
    for line in output.split(b"\n"):
        unit = parse_message(line) if line.startswith(START) else None
        if isinstance(unit, Unit) and not unit.is_fresh and unit.kind != "run-build-script":
            yield unit


def out_dirs_in(output: bytes) -> Iterator[str]:
    """OUT_DIR of each build script that a build needed, run or fresh, by cargo's messages."""
    for line in output.split(b"\n"):
        if line.startswith(_SCRIPT_RAN):
            try:
                place = json.loads(line)["out_dir"]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            if isinstance(place, str):
                yield place


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


def tail_of(errors: bytes) -> str:
    """What cargo said of a build that failed, from its first error on, without progress."""
    lines = [plain(line) for line in errors.split(b"\n")]
    first = next((at for at, line in enumerate(lines) if line.startswith("error")), 0)
    return "\n".join(line for line in lines[first:] if line.strip())[:_MAX_TAIL]
