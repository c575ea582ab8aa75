"""What each setting of a plan gives and costs on real workspaces: `python -m bench.plan [--keep DIR] [--rounds N]`.

Arms of a family are built in turn, in random order, beside a second plain one (the control). A build that ended is a
line in DIR/rounds.jsonl: a run that was stopped goes on, and `--table` makes docs/plan-figures.md and
core/plan/figures.json from what there is. One build at a time; other work on the machine makes intervals wider.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

from bench import plan_machine, plan_native, plan_table
from bench.link_world import measuring_cc
from bench.plan_settings import Arm, Family, done_rounds, families, has_cranelift, missing, mode_families
from bench.plan_shared import Kept, check_fetch, check_keys, check_turns
from bench.plan_world import SUBJECTS as RUST_SUBJECTS
from bench.plan_world import Edit, Subject, Taken, size_bytes, take, unpack
from tests.real import usage
from tests.real.product import COMMAND, REPO, Deck, temporary_deck

SUBJECTS = {**RUST_SUBJECTS, **plan_native.SUBJECTS}
_EDITED = ("edit", "link")


class Bench:
    """Workspaces, target dirs and what was measured, in one folder."""

    def __init__(self, folder: str, seed: int) -> None:
        self.folder = folder
        self.deck = Deck(folder)
        self.rng = random.Random(f"{seed}-{time.monotonic()}" if seed == 0 else seed)
        tools = f"{folder}/tools-cc"
        if not os.path.exists(f"{tools}/cc"):
            shutil.rmtree(tools, ignore_errors=True)
            measuring_cc(self.deck)
        self.env = {**self.deck.env, "PATH": f"{tools}:{self.deck.env['PATH']}"}
        self.peaks = f"{folder}/peaks"

    def workspace(self, subject: Subject) -> str:
        """Its folder, written when first asked for."""
        folder = f"{self.folder}/{subject.name}"
        if not os.path.exists(f"{folder}/.whole"):
            shutil.rmtree(folder, ignore_errors=True)
            unpack(subject, folder, self.env)
            open(f"{folder}/.whole", "w", encoding="ascii").close()
        return folder

    def records(self) -> list[dict[str, Any]]:
        """Every build so far."""
        return records_of(self.folder)

    def note(self, record: dict[str, Any]) -> None:
        """One more."""
        with open(f"{self.folder}/rounds.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def target(self, family: Family, arm: Arm) -> str:
        """Its own target dir."""
        name = re.sub(r"[^\w.-]+", "-", f"{family.name}-{arm.name}")  # `env` takes a program with = for a variable
        return f"{self.folder}/targets/{name}"

    def build(self, family: Family, arm: Arm) -> Taken:
        """Once. Raises RuntimeError where it fails."""
        subject = SUBJECTS[family.subject]
        argv = ["cargo", *([family.toolchain] if family.toolchain else []), "build", "--offline"]
        target, env, wall = self.target(family, arm), {**self.env, **dict(arm.env)}, f"{self.folder}/wall-ns"
        argv += ["--target-dir", target, *_profile(family, arm), *arm.flags]
        if arm.store:
            env, argv = plan_native.store_of(self.folder, target, arm, env), plan_native.beside_server(argv, wall)
        taken = take(argv, cwd=self.workspace(subject), env=env, peaks=self.peaks, looks=family.looks)
        if taken.code:
            raise RuntimeError(f"{' '.join(argv)} in {self.workspace(subject)}: exit {taken.code}")
        if arm.store:
            with open(wall, encoding="ascii") as file:
                taken = taken._replace(wall_s=int(file.read()) / 1e9)
        return taken


def records_of(folder: str) -> list[dict[str, Any]]:
    """Every build that was measured there; a torn last line is none."""
    try:
        with open(f"{folder}/rounds.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []


def _profile(family: Family, arm: Arm) -> tuple[str, ...]:
    """Plain cargo builds the profile that a mode would name."""
    return ("--release",) if family.profile == "release" and "--release" not in arm.flags else ()


def measure(bench: Bench, family: Family, situation: str, rounds: int, deadline: float) -> None:
    """Until there are so many rounds, or it is late."""
    there = done_rounds(bench.records(), family, situation)
    if there >= rounds:
        return
    if situation in _EDITED:
        _warm(bench, family, situation)
    for number in range(there, rounds):
        if time.monotonic() > deadline:
            return
        _round(bench, family, situation, number)


def _edit(bench: Bench, family: Family, situation: str) -> None:
    subject = SUBJECTS[family.subject]
    path = subject.low if situation == "edit" else subject.main
    edit = Edit(f"{bench.workspace(subject)}/{path}", is_program=situation == "link")
    edit.make(bench.rng.randrange(10000))


def _warm(bench: Bench, family: Family, situation: str) -> None:
    _edit(bench, family, situation)
    for arm in family.arms:
        if not arm.refused:
            bench.build(family, arm)


def _round(bench: Bench, family: Family, situation: str, number: int) -> None:
    if situation in _EDITED:
        _edit(bench, family, situation)
    arms = missing(bench.records(), family, situation, number)
    for arm in bench.rng.sample(arms, len(arms)):
        target = bench.target(family, arm)
        if situation == "clean":
            _clean(bench, family, arm)
        taken = bench.build(family, arm)
        record = {"family": family.name, "situation": situation, "round": number, "arm": arm.name, "flags": arm.told,
                  **taken._asdict()}  # fmt: skip
        if situation == "clean":
            record |= _made(bench, family, target)
        bench.note(record)
    print(f"{family.name} {situation} {number + 1}", flush=True)


def _clean(bench: Bench, family: Family, arm: Arm) -> None:
    target = bench.target(family, arm)
    if arm.store == "filled" and not plan_native.is_filled(bench.folder, target):
        shutil.rmtree(target, ignore_errors=True)
        bench.build(family, arm)
    shutil.rmtree(target, ignore_errors=True)


def _made(bench: Bench, family: Family, target: str) -> dict[str, Any]:
    """Sizes of what a clean build made; CPU time of the program's job."""
    subject = SUBJECTS[family.subject]
    program = f"{target}/{'release' if family.profile == 'release' else 'debug'}/{subject.program}"
    made: dict[str, Any] = {"size_bytes": size_bytes(target), "program_bytes": os.path.getsize(program)}
    if family.runs and subject.job:
        runs = [take([program, *subject.job], cwd=bench.workspace(subject), env=bench.env) for _ in range(3)]
        if any(one.code for one in runs):
            raise RuntimeError(f"{program} {' '.join(subject.job)}: exit {[one.code for one in runs]}")
        made["run_s"] = min(one.cpu_s for one in runs)
    return made


def _passes(args: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """Rounds of clean builds and of edits: few of all first, so that there is a table of all early."""
    for part in (1, 2, 4):
        if part < args.rounds:
            yield part, min(args.edits, 4 * part)
    yield args.rounds, args.edits


def host_of(env: dict[str, str]) -> str:
    """The triple that rustc builds for by itself."""
    done = subprocess.run(["rustc", "-vV"], env=env, capture_output=True, text=True, check=True)
    return next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("host:"))


def write_table(bench: Bench, all_families: Sequence[Family], also: Sequence[str]) -> None:
    """docs/plan-figures.md and core/plan/figures.json, from what was measured here and in folders of other machines."""
    parts = [
        plan_table.Part(plan_machine.noted(folder, bench.env), plan_table.settings(all_families, records_of(folder)))
        for folder in (bench.folder, *also)
    ]
    here = parts[0].machine
    about = {
        "workspace": "ripgrep 15.2.0", "cores": here.cores, "rustc": here.tools["rustc"].removeprefix("rustc "),
        "date": here.date, "nightly": here.tools["nightly"].removeprefix("rustc "),
    }  # fmt: skip
    with open(f"{REPO}/core/plan/figures.json", "w", encoding="utf-8") as file:
        json.dump(plan_table.data(parts, about), file, indent=1)
        file.write("\n")
    with open(f"{REPO}/docs/plan-figures.md", "w", encoding="utf-8") as file:
        file.write(plan_table.page(parts, SUBJECTS.values()))
        file.write("".join(_kept(bench, part) for part in ("turns", "keys", "fetch")))
        if not has_cranelift("+nightly"):
            file.write(_NO_CRANELIFT)


_NO_CRANELIFT = """
### Not measured

* `backend=cranelift`: this nightly has no such component, so nothing speaks for it.
"""


def _kept(bench: Bench, part: str) -> str:
    try:
        with open(f"{bench.folder}/{part}.txt", encoding="utf-8") as file:
            return f"\n### {_PARTS[part].capitalize()}\n\n{file.read()}"
    except FileNotFoundError:
        return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", default="", help="folder for workspaces, target dirs and what was measured")
    parser.add_argument("--rounds", type=int, default=8, help="of clean builds")
    parser.add_argument("--edits", type=int, default=15, help="rounds of builds after an edit, and of links")
    parser.add_argument("--only", nargs="*", default=[], help="families")
    parser.add_argument(
        "--arms", nargs="*", default=[], help="settings of those families, beside what they compare with"
    )
    parser.add_argument("--also", nargs="*", default=[], help="folders of other machines, for the table")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no round later than this")
    parser.add_argument("--seed", type=int, default=0, help="of the order; 0: another one each time")
    parser.add_argument("--prepare", action="store_true", help="only write the workspaces and fetch what they need")
    parser.add_argument("--table", action="store_true", help="measure nothing: write the table from what there is")
    parser.add_argument("--no-table", action="store_true", help="write none, for builds on another machine")
    for part, about in _PARTS.items():
        parser.add_argument(f"--{part}", action="append_const", dest="parts", const=part, help=f"only {about}")
    args = parser.parse_args()
    folder = os.path.abspath(args.keep) if args.keep else tempfile.mkdtemp(prefix="plan-")
    try:
        os.makedirs(folder, exist_ok=True)
        return _main(folder, args, [] if args.table else args.parts or list(_PARTS))
    finally:
        if not args.keep:
            shutil.rmtree(folder)


_PARTS = {
    "modes": "the modes dev and release-fast as wholes, on both workspaces",
    "settings": "each setting alone",
    "native": "settings of CMake and nvcc, and the mode cuda-iterate",
    "turns": "one target dir by turns with cargo",
    "keys": "keys of four agents with sccache",
    "fetch": "four agents and an empty registry",
}


def _main(folder: str, args: argparse.Namespace, parts: list[str]) -> int:
    # Orphans of a check would be waited for by those who measure: the checks come last, and end what they started.
    usage.become_subreaper()
    bench = Bench(folder, args.seed)
    if "native" in parts:
        parts = _with_nvcc(bench, parts)
    groups = _groups(bench, parts)
    chosen = [one for part in parts for one in groups.get(part, ()) if one.name in args.only or not args.only]
    chosen = [less for one in chosen if (less := one.with_arms(args.arms))]
    if args.prepare:
        for one in chosen:
            bench.workspace(SUBJECTS[one.subject])
        return 0
    if chosen:
        plan_machine.note(folder, bench.env)
    _measure_all(bench, chosen, args)
    codes = [_check(bench, part, args.rounds) for part in ("turns", "keys", "fetch") if part in parts]
    if not args.no_table:
        write_table(bench, [one for group in groups.values() for one in group], args.also)
    return max(codes, default=0)


def _groups(bench: Bench, parts: Sequence[str]) -> dict[str, tuple[Family, ...]]:
    """All families by their parts; of those that are to be built, arms are what the product plans."""
    native = plan_native.native_families(lambda subject, arm: _planned(bench, subject, arm, "native" in parts))
    return {
        "modes": mode_families(lambda subject, mode: planned_flags(bench, subject, mode) if "modes" in parts else ()),
        "settings": families(host_of(bench.env), has_cranelift=has_cranelift("+nightly")),
        "native": native,
    }


def _with_nvcc(bench: Bench, parts: list[str]) -> list[str]:
    """The parts that can be measured. Raises RuntimeError where no nvcc can be had and nothing else was asked for."""
    try:
        bench.env = plan_native.with_nvcc(bench.folder, bench.env)
    except RuntimeError as error:
        if parts == ["native"]:
            raise
        print(f"settings of CMake and nvcc are left out: {error}", flush=True)
        return [part for part in parts if part != "native"]
    return parts


def _planned(bench: Bench, subject: str, arm: str, is_built: bool) -> plan_native.Planned:
    if not is_built:
        return plan_native.Planned()
    found = plan_native.planned(bench.workspace(SUBJECTS[subject]), bench.env, arm)
    if found.refused:
        print(f"{subject}: {arm} is left out: {found.refused}", flush=True)
    return found


def _check(bench: Bench, part: str, rounds: int) -> int:
    figures = Kept(f"{bench.folder}/{part}.txt")
    with temporary_deck("plan-") as deck:
        match part:
            case "turns":
                check_turns(figures, deck, "dev")
            case "keys":
                check_keys(figures, deck, "dev")
            case _:
                check_fetch(figures, deck, host_of(deck.env), min(rounds, 5))
    return figures.end(part)


def planned_flags(bench: Bench, subject: str, mode: str) -> tuple[str, ...]:
    """What the product gives to cargo in a mode. Raises CalledProcessError, KeyError where it gives no plan."""
    argv = [COMMAND, "plan", "--json", "--mode", mode]
    folder = bench.workspace(SUBJECTS[subject])
    done = subprocess.run(argv, cwd=folder, env=bench.env, capture_output=True, text=True, check=True)
    flags = tuple(str(word) for word in json.loads(done.stdout)["flags"])
    if not flags:
        raise KeyError(f"mode {mode} sets nothing in {folder}: {done.stdout[:500]}")
    return flags


def _share(family: Family, edits: int) -> int:
    """An edit of optimized code takes as long as ten of others."""
    return min(edits, max(3, edits // 3)) if family.profile == "release" else edits


def _measure_all(bench: Bench, known: Sequence[Family], args: argparse.Namespace) -> None:
    deadline = time.monotonic() + args.minutes * 60
    for rounds, edits in _passes(args):
        for family in known:
            for situation in family.situations:
                measure(bench, family, situation, _share(family, edits) if situation in _EDITED else rounds, deadline)


if __name__ == "__main__":
    sys.exit(main())
