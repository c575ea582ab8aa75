"""What advice could gain, how it is tried in worlds that only pretend to build, and what is kept of it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.errors import StateError
from core.native.edits.edit_class import EditClass
from core.native.edits.iterations import Iteration, rows_of
from core.native.gains import advice_figures
from core.native.gains.advice import ALL, Advice, elsewhere, touch_of
from core.native.gains.advice_arms import AS_IS, CONTROL, Arm, Offer, Project, offer_debug
from core.native.gains.advice_edits import BACK, NATIVE, RUST, Edit, header_edit, native_edit, rust_edit, text_for
from core.native.gains.advice_figures import Figure, Rebuilt, Tried, changed_since
from core.native.gains.advice_trials import Trial, try_all
from core.native.gains.advice_world import Ground, World, rebuilt_of
from core.native.gains.split import Move, Split
from core.native.proofs.scratch import Done
from core.native.staleness.closure import Made
from core.native.staleness.doctor import Place
from core.paths import Paths
from core.plan.figures import figures
from core.plan.given import Origin
from core.plan.plan import Plan, Setting

_ROUNDS = 7


def iteration(kind: EditClass, wall_s: float, changed: Sequence[str] = (), **phases: float) -> Iteration:
    named = {name.replace("_", " "): s for name, s in phases.items()}
    return Iteration(f"r{wall_s}", wall_s, "/ws", "build", kind, "done", wall_s, changed=tuple(changed), phases=named)


def test_each_advice_can_save_at_most_what_it_touches() -> None:
    rows = rows_of([
        iteration(EditClass.RUST, 3.2, rustc=1.0, link=0.4, build_script=0.5, cicc=0.3, cargo=1.0),
        iteration(EditClass.CLEAN, 60.0, rustc=30.0, cicc=20.0, cargo=10.0),
        iteration(EditClass.HEADER, 8.0, cicc=6.0, rustc=2.0),
    ])  # fmt: skip
    found = {advice: touch_of(advice, rows, 4) for advice in ALL}
    told = {str(advice): (str(one.kind), one.of_s, one.at_most_s, one.why) for advice, one in found.items()}
    assert told == {
        "split": ("rust", 3.2, 0.8, ""), "debug": ("rust", 3.2, 1.4, ""), "linker": ("rust", 3.2, 0.4, ""),
        "sccache": ("clean", 60.0, 30.0, ""), "jobs": ("header", 8.0, 4.5, ""),
    }  # fmt: skip
    met = touch_of(Advice.JOBS, rows, 4, is_met=True)
    assert (met.of_s, met.at_most_s, met.why) == (8.0, 0.0, "nothing"), "ninja does it by itself"


def test_what_no_iteration_tells_is_not_known_and_never_nothing() -> None:
    assert touch_of(Advice.SPLIT, ()).why == "not known: no rust iteration recorded"
    rows = rows_of([iteration(EditClass.RUST, 1.0)])
    assert {touch_of(advice, rows).at_most_s for advice in ALL} == {None}
    rows = rows_of([iteration(EditClass.RUST, 1.0, rest=1.0)])
    assert touch_of(Advice.LINKER, rows).why == "not known: no link was seen"
    assert touch_of(Advice.DEBUG, rows).at_most_s is None
    split = touch_of(Advice.SPLIT, rows)
    assert (split.at_most_s, split.why) == (0.0, "nothing: no build script runs on a Rust edit")
    failed = Iteration("r", 1.0, "/ws", "build", EditClass.RUST, "failed", 1.0)
    assert touch_of(Advice.DEBUG, rows_of([failed])).of_s is None


def test_figures_of_other_projects_are_told_as_such() -> None:
    table = figures()
    assert elsewhere(Advice.DEBUG, table, "none").startswith("elsewhere (ripgrep): edit ×0.8")
    mold = elsewhere(Advice.LINKER, table, "mold")
    assert re.search(r"link ×[\d.]+ (faster|slower)$", mold), mold
    assert elsewhere(Advice.JOBS, table) != ""
    assert elsewhere(Advice.SPLIT, table) == elsewhere(Advice.SCCACHE, table) == ""
    broken: list[Any] = [None, {}, {"settings": []}, {"settings": {"debug=none": 3}}]
    for odd in (*broken, {"settings": {"debug=none": {"edit": 3}}}):
        assert elsewhere(Advice.DEBUG, odd, "none") == ""


def test_fewer_symbols_than_now_are_offered() -> None:
    project = Project(Paths("", ""), Place("/ws", "/t", {}), ("build",), ())

    def offered(value: str, by: str) -> Offer:
        rows = (
            Setting("profile", "dev", "cargo", ""),
            Setting("debug", value, by, "", "", Origin("/ws/Cargo.toml", 7)),
        )
        return offer_debug(project, Plan(settings=rows))

    full = offered("full", "cargo")
    assert full.arm is not None
    assert full.arm.flags == (
        "--config", 'profile.dev.debug="line-tables-only"', "--config", 'profile.dev.package."*".debug=false',
    )  # fmt: skip
    assert "--mode dev" in full.way
    tables = offered("line-tables-only", "user")
    assert tables.arm is not None
    assert (tables.arm.name, tables.way) == ("debug = none", '[profile.dev] debug = "none" in Cargo.toml')
    assert "/ws/Cargo.toml:7" in tables.why
    assert offered("none", "cargo").arm is None


# Edits


def made(source: str, *headers: str) -> Made:
    return Made(f"/out/{source}.o", f"/ws/{source}", (f"/ws/{source}", *(f"/ws/{one}" for one in headers)), "depfile")


def test_the_files_that_were_edited_last_are_edited() -> None:
    outputs = [made("a.cu", "x.cuh"), made("b.cu", "x.cuh", "y.cuh"), made("c.cpp", "y.cuh", "x.cuh", "z.h")]
    before = [iteration(EditClass.CU, 1.0, ["/ws/a.cu"]), iteration(EditClass.CU, 2.0, ["/ws/gone.cu"])]
    assert native_edit(before, outputs) == Edit(NATIVE, "/ws/a.cu")
    assert native_edit((), outputs) == Edit(NATIVE, "/ws/b.cu")
    assert native_edit((), ()) is None
    header = header_edit([iteration(EditClass.HEADER, 1.0, ["/ws/z.h"])], outputs)
    assert header is not None
    assert header.path == "/ws/x.cuh"
    rust = [iteration(EditClass.RUST, 1.0, ["/ws/src/low.rs"])]
    assert rust_edit(rust, ["/ws/src/low.rs"], ["/ws/src/lib.rs"]) == Edit(RUST, "/ws/src/low.rs")
    assert rust_edit(rust, [], ["/ws/src/lib.rs"]) == Edit(RUST, "/ws/src/lib.rs")
    assert rust_edit(rust, [], []) is None


@pytest.mark.parametrize("name", ["k.cu", "k.c", "k.cpp", "k.h", "k.s", "k.asm", "k.ptx"])
def test_each_edit_is_another_content(name: str) -> None:
    edit = Edit(NATIVE, f"/ws/{name}")
    assert text_for(edit, 1) != text_for(edit, 2)
    assert text_for(edit, 1).startswith("\n")
    assert text_for(Edit(BACK, "/ws/x.rs"), 1) == text_for(Edit(BACK, "/ws/x.rs"), 2)


# Worlds that pretend to build


def message(package: str, kind: str, *, is_fresh: bool = False) -> bytes:
    target = {"kind": [kind], "name": package, "src_path": f"/ws/{package}.rs"}
    return json.dumps({
        "reason": "compiler-artifact", "package_id": f"path+file:///ws/{package}#0.1.0", "fresh": is_fresh,
        "manifest_path": "/ws/Cargo.toml", "target": target, "profile": {"test": False}, "filenames": [],
        "executable": None,
    }, separators=(",", ":")).encode()  # fmt: skip


RAN = b"     Running `CARGO=x /ws/target/debug/build/app-0123456789abcdef/build-script-build`\n"


class Pretended:
    """A scratch world whose builds take what they are told to take."""

    kind = "overlay"

    def __init__(self, base_s: float, *, fails_after: int | None = None) -> None:
        self.base_s = base_s
        self.fails_after = fails_after
        self.builds = 0
        self.written: dict[str, str] = {}
        self.at_build: list[dict[str, str]] = []

    def at(self, path: str) -> str:
        return path

    def holds(self, path: str) -> bool:
        return path.startswith("/ws/")

    def run(self, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> Done:
        if argv[-1] == "cargo-build":
            return self._build()
        if len(argv) == 7:  # restores a file: path, size, time
            del self.written[argv[4]]
        elif len(argv) == 6:  # adds a text to one
            self.written[argv[4]] = argv[5]
        return Done(0, b"10 2026-01-01", b"")

    def _build(self) -> Done:
        self.builds += 1
        self.at_build.append(dict(self.written))
        if self.fails_after is not None and self.builds > self.fails_after:
            return Done(101, b"", b"   Compiling app\nerror: it broke\nwarning: later\n")
        is_first = self.builds == 1 or not self.written
        took = self.base_s * (1 + 0.01 * (self.builds % 3))
        output = message("app", "lib", is_fresh=is_first) + b"\n" + message("dep", "lib", is_fresh=True)
        return Done(0, output, (b"" if is_first else RAN) + b"deck-took-ns %d\n" % (took * 1e9))


def world(arm: Arm, scratch: Pretended) -> World:
    return World(arm, scratch, Ground(("cargo-build",), {}))


def tried(tmp_path: Path, *others: World, base_s: float = 1.0) -> list[Tried]:
    place = Place("/ws", "/ws/target", {})
    project = Project(Paths(str(tmp_path), str(tmp_path)), place, ("build",), ())
    edits = (Edit(NATIVE, "/ws/c/a.c"), Edit(RUST, "/ws/src/lib.rs"))
    base = [world(Arm(AS_IS), Pretended(base_s)), world(Arm(CONTROL), Pretended(base_s))]
    trial = Trial(edits, _ROUNDS, {"/ws/Cargo.toml": "d1"}, lambda said: None)
    return list(try_all(project, [*base, *others], trial, lambda: 5.0))


def test_ways_are_judged_against_the_build_as_it_is(tmp_path: Path) -> None:
    fast = world(Arm("linker mold", Advice.LINKER), Pretended(0.5))
    slow = world(Arm("sccache", Advice.SCCACHE), Pretended(2.0))
    same = world(Arm("debug = none", Advice.DEBUG), Pretended(1.0))
    found = tried(tmp_path, fast, slow, same)
    verdicts = {one.what: [figure.verdict for figure in one.figures] for one in found}
    assert verdicts == {"linker mold": ["faster"] * 2, "sccache": ["slower"] * 2, "debug = none": ["within noise"] * 2}
    figure = found[0].figures[0]
    assert (figure.edit, figure.path, figure.before) == (NATIVE, "/ws/c/a.c", Rebuilt(("app lib",), ("app",), None))
    assert figure.ratio == pytest.approx(0.5, abs=0.02)
    assert advice_figures.read(Paths(str(tmp_path), ""), "/ws") == {one.advice: one for one in found}
    assert advice_figures.read(Paths(str(tmp_path), ""), "/other") == {}


def test_each_round_edits_all_ways_alike_and_a_moved_file_where_it_is(tmp_path: Path) -> None:
    scratch = Pretended(1.0)
    split = Split("app", "app-native", "/ws/n", (), (), (Move("/ws/c/a.c", "/ws/n/c/a.c"),))
    plain = Pretended(1.0)
    tried(tmp_path, world(Arm("app-native", Advice.SPLIT, split=split), scratch), world(Arm("x", Advice.JOBS), plain))
    moved = [{path.replace("/ws/n/", "/ws/"): text for path, text in one.items()} for one in scratch.at_build]
    assert moved == plain.at_build
    assert "/ws/n/c/a.c" in scratch.at_build[-1]
    edited = [tuple(sorted(one.items())) for one in plain.at_build if one]
    assert len(set(edited)) == len(edited) == 2 * (_ROUNDS + 1)


def test_a_way_that_does_not_build_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    cold = world(Arm("app-native", Advice.SPLIT), Pretended(1.0, fails_after=0))
    late = world(Arm("linker mold", Advice.LINKER), Pretended(1.0, fails_after=4))
    good = world(Arm("sccache", Advice.SCCACHE), Pretended(2.0))
    found = tried(tmp_path, cold, late, good)
    assert [one.trouble for one in found] == ["error: it broke\nwarning: later"] * 2 + [""]
    assert [len(one.figures) for one in found] == [0, 0, 2]


def test_what_does_not_build_as_it_is_is_not_measured(tmp_path: Path) -> None:
    place = Place("/ws", "/ws/target", {})
    project = Project(Paths(str(tmp_path), str(tmp_path)), place, ("build",), ())
    broken = [world(Arm(name), Pretended(1.0, fails_after=0)) for name in (AS_IS, CONTROL)]
    with pytest.raises(StateError, match="does not build as it is: error: it broke"):
        list(try_all(project, broken, Trial((), 5, {}, lambda said: None), lambda: 5.0))
    assert not (tmp_path / "advice.jsonl").exists()


def test_scripts_that_ran_are_told_in_both_layouts_of_a_target_dir() -> None:
    new = b"     Running `/t/debug/build/app/0123456789abcdef/out/build_script_build`\n"
    rustc = b"     Running `/r/bin/rustc --crate-name build_script_build build.rs -L /t/debug/build/x-1/out`\n"
    assert rebuilt_of(Done(0, b"", RAN + rustc), 2) == Rebuilt((), ("app",), 2)
    assert rebuilt_of(Done(0, message("app", "custom-build"), new), None) == Rebuilt(("app build script",), ("app",))


# What is kept


def test_a_measurement_says_what_changed_since(tmp_path: Path) -> None:
    one = Tried(1.0, "/ws", Advice.JOBS, "x", "build", "copy", 2, 5, (), {"/a": "1", "/b": "2"})
    assert changed_since(one, {"/a": "1", "/b": "3"}.__getitem__) == ("/b",)


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 99}, {"advice": "magic"}, {"figures": 3}, {"figures": [{}]}, {"inputs": []}, {"at": "soon"},
        {"figures": [{"edit": "rust", "path": "", "verdict": "great"}]},
    ],
)  # fmt: skip
def test_lines_that_are_none_are_passed_over(tmp_path: Path, damage: dict[str, Any]) -> None:
    paths = Paths(str(tmp_path), "")
    figure = Figure(RUST, "/ws/a.rs", 1.0, 0.5, 0.5, 0.4, 0.6, 0.02, "faster", Rebuilt(), Rebuilt(("a",), (), 0))
    one = Tried(1.0, "/ws", Advice.JOBS, "x", "build", "copy", 2, 5, (figure,), {"/a": "1"})
    advice_figures.append(paths, one)
    record = {"schema": 1, **advice_figures.to_record(one), **damage}
    with (tmp_path / "advice.jsonl").open("ab") as file:
        file.write(json.dumps(record).encode() + b"\n[[[\n\xff\nnull\n")
    assert advice_figures.read(paths, "/ws") == {Advice.JOBS: one}
