"""A target dir with more than one profile in it: what a command makes is judged by its own OUT_DIRs alone, and what is
wrong with a build script is said once."""

import json
import os
from pathlib import Path

import pytest

from core.native.proofs.prove import NotRun, out_dirs_in, prove
from core.native.proofs.prove_finding import confirm
from core.native.proofs.prove_setup import proof_of, recorded_words
from core.native.staleness.doctor import examine, examine_all
from tests import native_worlds
from tests.native_worlds import DECLARATIONS, RIGHT, SKIPPING, Style, edit

STYLES = {style.name: style for style in (*DECLARATIONS, *RIGHT)}


class World(native_worlds.World):
    """A package that was built in both profiles, release last."""

    def __init__(self, folder: Path, style: Style) -> None:
        super().__init__(folder, style)
        self.package.build(self.env, "--release")


@pytest.mark.parametrize("is_copied", [False, pytest.param(True, marks=pytest.mark.long)], ids=["overlay", "copy"])
def test_objects_of_a_profile_that_is_not_built_are_not_waited_for(tmp_path: Path, is_copied: bool) -> None:
    world = World(tmp_path, STYLES["files-all"])
    examined = examine_all(world.paths, world.place)
    debug, release = examined.scripts
    only_in_debug = str(world.package.root / "src/main.rs")
    made = (debug.made[0]._replace(inputs=(*debug.made[0].inputs, only_in_debug)),)
    examined = examined._replace(scripts=(debug._replace(made=made), release))
    with proof_of(world.paths, world.place, examined, (), is_copied=is_copied) as proof:
        assert "--release" in proof.command.argv, "it was built last"
        left = proof.prover.judge(only_in_debug)
        assert (left.outcome, left.why) == ("left out", "it is read for what this command does not make")
        found = list(prove(proof.prover, sorted(proof.prover.inputs)))
    assert {os.path.basename(one.path): (one.outcome, one.why) for one in found} == dict.fromkeys(
        ("deep.cuh", "k.cu", "outside.cuh"), ("tracked", "")
    )
    (ptx,) = world.package.build_dir.glob("release/build/app-*/out/k.ptx")
    assert {one.expected for one in found} == {(str(ptx),)}


def test_what_was_never_built_proves_nothing_and_what_was_built_before_something_else_still_does(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, STYLES["files-all"])
    examined = examine_all(world.paths, world.place)
    words = ("build", "--profile", "bench", "--config", "profile.bench.opt-level=1")
    with (
        pytest.raises(NotRun, match=r"`cargo build --profile bench .*: build that first"),
        proof_of(world.paths, world.place, examined, words),
    ):
        pass
    world.package.build(world.env, *words[1:])  # in the folder of release, and beside it
    assert len(examine(world.paths, world.place).scripts) == 2
    with proof_of(world.paths, world.place, examine_all(world.paths, world.place), ("build", "--release")) as proof:
        assert [case.script.unit for case in proof.prover.cases] == [examined.scripts[1].script.unit]


@pytest.mark.long
def test_a_recorded_build_of_what_is_there_no_more_gives_way_to_what_is_there(tmp_path: Path) -> None:
    world = World(tmp_path, STYLES["files-all"])
    run = Path(world.paths.run("20260101-000000-000-0001"))
    run.mkdir(parents=True)
    typed = ["build", "--config", "profile.dev.opt-level=1"]
    record = {"tool": "cargo", "subcommand": "build", "typed": typed, "target_dir": world.place.build_dir}
    (run / "run.json").write_text(json.dumps(record))
    assert recorded_words(world.paths, world.place) == typed
    with proof_of(world.paths, world.place, examine_all(world.paths, world.place), ()) as proof:
        assert "--release" in proof.command.argv
        assert [case.script.profile for case in proof.prover.cases] == ["release"]


def test_the_folders_of_build_scripts_are_in_cargo_s_messages() -> None:
    said = b'{"reason":"build-script-executed","package_id":"x","out_dir":"/t/debug/build/a-1/out"}'
    broken = b'{"reason":"build-script-executed","out_dir":4}\n{"reason":"build-script-executed"\n{"out_dir":"/x"}'
    assert list(out_dirs_in(said + b"\n" + broken)) == ["/t/debug/build/a-1/out"]


def test_what_is_wrong_with_a_script_is_found_once_and_proven_in_the_profile_that_is_built(tmp_path: Path) -> None:
    world = World(tmp_path, STYLES["file"])
    examined = examine(world.paths, world.place)
    (found,) = examined.found
    assert found.finding.title == "app: an edit to kernels/inc/deep.cuh and 1 more is not rebuilt"
    assert [one.script.profile for one in found.each] == ["release", "debug"]
    assert len(found.trouble.outputs) == 2
    assert found.lines == ("kernels/inc/deep.cuh", "../shared/outside.cuh")
    with proof_of(world.paths, world.place, examined, ("build",)) as proof:
        one = confirm(proof, found)
        assert (one.is_true, one.is_mended) == (True, True)
        assert found.mend is not None
        other = confirm(proof, found._replace(each=found.each[:1]))
        assert (other.is_true, other.said.split(" --offline")[0]) == (None, "`cargo build")
    script = world.package.root / "build.rs"
    script.write_text(found.mend.after)
    world.package.build(world.env, "--release")
    (left,) = examine(world.paths, world.place).found
    assert left.finding.title == "app (debug): an edit to kernels/inc/deep.cuh and 1 more is not rebuilt"
    assert (left.mend, left.finding.cost) == (None, "The script declares it by now: it is right after the next build.")


def test_each_profile_has_its_own_command_that_makes_it_right(tmp_path: Path) -> None:
    world = World(tmp_path, SKIPPING[0])
    examine(world.paths, world.place)
    edit(world.package.header, "#define VALUE 7\n")
    world.package.build(world.env)
    (one,) = examine(world.paths, world.place).found
    assert one.finding.title.startswith("app (debug): its build script ran after an edit")
    world.package.build(world.env, "--release")
    (both,) = examine(world.paths, world.place).found
    assert both.finding.mend.splitlines() == ["cargo clean -p app --release", "cargo clean -p app"]
