"""Proofs in a scratch world, by real cargo with an nvcc that compiles nothing: what they say, and that nothing of the
real checkout, its target dir or a process is touched or left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.folder import topmost
from core.native.proofs.prove import Verdict, comment_for, compiled_units, prove
from core.native.proofs.prove_finding import Confirmed, confirm
from core.native.proofs.prove_setup import named_packages, plain_env, proof_of
from core.native.proofs.scratch import ScratchError, make_scratch, open_up, run_to_end
from core.native.proofs.scratch_edit import append, restore, snapshot, take_away, touch, write
from core.paths import Paths
from tests import native_worlds
from tests.core.runs import until
from tests.native_worlds import DECLARATIONS, LOOPING, RIGHT, SKIPPING, edit
from tests.real.product import process as find_process

WORLDS = pytest.mark.parametrize("is_copied", [False, True], ids=["overlay", "copy"])
STYLES = {style.name: style for style in (*DECLARATIONS, *RIGHT, *SKIPPING, LOOPING)}


class World(native_worlds.World):
    """With what is proven of it."""

    def verdicts(self, *, is_copied: bool) -> dict[str, Verdict]:
        examined = self.examined()
        with proof_of(self.paths, self.place, examined, (), is_copied=is_copied) as proof:
            assert proof.scratch.kind == "copy" or not is_copied
            found = list(prove(proof.prover, sorted(examined.inputs)))
        return {os.path.basename(one.path): one for one in found}

    def confirmed(self, *, is_copied: bool) -> list[Confirmed]:
        examined = self.examined()
        with proof_of(self.paths, self.place, examined, (), is_copied=is_copied) as proof:
            return [confirm(proof, one) for one in examined.found]

    def trace(self) -> dict[str, tuple[int, int]]:
        """All files of the checkout, with size and mtime."""
        return {
            str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
            for path in [self.package.top, *self.package.top.rglob("*")]
            if ".cargo-lock" not in path.name and ".cargo-build-lock" not in path.name
        }


@WORLDS
def test_of_a_listed_file_the_object_is_made_again_and_of_others_it_is_not(tmp_path: Path, is_copied: bool) -> None:
    world = World(tmp_path, STYLES["file"])
    before = world.trace()
    found = world.verdicts(is_copied=is_copied)
    assert {name: one.outcome for name, one in found.items()} == {
        "k.cu": "tracked", "deep.cuh": "untracked", "outside.cuh": "untracked",
    }  # fmt: skip
    assert [os.path.basename(one) for one in found["deep.cuh"].expected] == ["k.ptx"]
    assert "did not run" in found["deep.cuh"].why
    assert world.trace() == before
    assert os.listdir(world.paths.cache + "/scratch") == []


@WORLDS
def test_a_build_tool_that_skips_nvcc_is_told_apart_from_one_that_does_not_run(tmp_path: Path, is_copied: bool) -> None:
    found = World(tmp_path, STYLES["source-mtime"]).verdicts(is_copied=is_copied)
    assert {name: one.outcome for name, one in found.items()} == {
        "k.cu": "tracked", "deep.cuh": "untracked", "outside.cuh": "untracked",
    }  # fmt: skip
    assert "the build script ran, and did not make k.ptx again" in found["deep.cuh"].why
    assert "kernels/inc/deep.cuh` has changed" in found["deep.cuh"].reasons[0]


@WORLDS
@pytest.mark.parametrize(
    "name", ["file", *(pytest.param(one, marks=pytest.mark.long) for one in ("pattern", "ignored"))]
)
def test_a_finding_and_what_mends_it_are_both_tried(tmp_path: Path, name: str, is_copied: bool) -> None:
    world = World(tmp_path, STYLES[name])
    before = world.trace()
    (one,) = world.confirmed(is_copied=is_copied)
    assert (one.is_true, one.is_mended) == (True, True)
    assert world.trace() == before


@pytest.mark.long
@pytest.mark.parametrize("name", ["source-hash", "loop"])
def test_skipped_calls_and_loops_are_proven_too(tmp_path: Path, name: str) -> None:
    world = World(tmp_path, STYLES[name])
    if world.package.style.after_edit:
        edit(world.package.header, "#define VALUE 5\n")
        world.package.build(world.env)
    (one,) = world.confirmed(is_copied=False)
    assert (one.is_true, one.is_mended) == (True, True)


def test_what_does_not_build_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, STYLES["files-all"])
    examined = world.examined()
    edit(world.package.root / "src/main.rs", "fn main() { not_there() }\n")
    with pytest.raises(ScratchError, match="not_there"), proof_of(world.paths, world.place, examined, ()):
        pass
    assert os.listdir(world.paths.cache + "/scratch") == []


def test_an_edit_is_in_place_and_can_be_taken_back(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    (tmp_path / "top/in").mkdir(parents=True)
    file = tmp_path / "top/in/k.cu"
    file.write_text("old\n")
    os.utime(file, ns=(10**18, 10**18 + 7))
    os.utime(file.parent, ns=(10**18, 10**18))
    with make_scratch(paths, [str(tmp_path / "top")], dict(os.environ)) as scratch:
        there = snapshot(scratch, [str(tmp_path / "top"), str(tmp_path / "nowhere")])
        done = append(scratch, str(file), "/* it's \\n %s */")
        read = scratch.run(["cat", scratch.at(str(file))], "/", {})
        assert read.output == b"old\n/* it's \\n %s */"
        changed = snapshot(scratch, [str(tmp_path / "top")])
        assert set(changed) == set(there) == {str(file)}
        assert changed != there
        mtime = scratch.run(["stat", "-c", "%Y", scratch.at(str(file.parent))], "/", {}).output
        assert int(mtime) == 10**9, "only the file was changed"
        restore(scratch, done)
        assert scratch.run(["cat", scratch.at(str(file))], "/", {}).output == b"old\n"
        assert snapshot(scratch, [str(file)])[str(file)].mtime == there[str(file)].mtime
        with pytest.raises(ScratchError, match="cannot be edited"):
            append(scratch, str(tmp_path / "top/none"), "x")
    assert file.read_text() == "old\n"


def test_what_a_killed_one_left_is_removed_by_the_next(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    left = tmp_path / "cache/scratch/12345"
    (left / "0/work/work").mkdir(parents=True)
    (left / "lock").write_text("")
    (left / "0/work/work").chmod(0)
    (tmp_path / "top").mkdir()
    with make_scratch(paths, [str(tmp_path / "top")], dict(os.environ)):
        assert os.listdir(tmp_path / "cache/scratch") == [str(os.getpid())]
    assert os.listdir(tmp_path / "cache/scratch") == []


def test_an_overlay_is_taken_where_the_kernel_has_one_for_us(tmp_path: Path) -> None:
    for name in ("top", "up", "work"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={tmp_path}/top,upperdir={tmp_path}/up,workdir={tmp_path}/work,userxattr"
    mount = f"mount -t overlay x -o {options} {tmp_path}/top"
    ways = (["unshare", "-m"], ["unshare", "-Urm"])
    has_one = any(subprocess.run([*way, "sh", "-c", mount], capture_output=True, check=False).returncode == 0
                  for way in ways)  # fmt: skip
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    with make_scratch(paths, [str(tmp_path / "top")], dict(os.environ)) as scratch:
        assert scratch.kind == ("overlay" if has_one else "copy")
    odd = tmp_path / "a,b:c"
    odd.mkdir()
    with make_scratch(paths, [str(odd)], dict(os.environ)) as scratch:
        assert scratch.kind == "copy", "mount cannot be told such a name"


def test_an_interrupt_ends_what_runs_and_leaves_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, STYLES["files-all"])
    before = world.trace()
    (tmp_path / "bin/nvcc").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 1000\n")
    env = {**world.env, "XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "c")}
    command = [os.path.join(os.path.dirname(sys.executable), "cargo-deck"), "prove"]
    with subprocess.Popen(command, cwd=world.package.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True) as process:  # fmt: skip
        pid = int(until(lambda: (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else None, "nvcc"))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert until(lambda: find_process(pid) is None, "nvcc's end")
    assert os.listdir(tmp_path / "c/cargo-deck/scratch") == []
    assert world.trace() == before


def test_of_folders_within_others_the_outer_ones_are_left() -> None:
    assert topmost(["/a/c", "/a-b", "/a", "/a", "/a-b/x", "/b/c"]) == ("/a-b", "/a", "/b/c")
    assert topmost(["/x", "/"]) == ("/",)
    assert topmost([]) == ()


def test_a_program_is_run_to_its_end(tmp_path: Path) -> None:
    done = run_to_end(["sh", "-c", "echo out; echo err >&2; exit 3"], "/", {"PATH": os.environ["PATH"]})
    assert done == (3, b"out\n", b"err\n")
    with pytest.raises(ScratchError, match="could not run"):
        run_to_end([str(tmp_path / "none")], "/", {})


def test_comments_are_those_of_the_file_s_kind() -> None:
    assert comment_for("/x/k.cu") == "\n/* cargo-deck */\n"
    assert comment_for("/x/k.asm") == "\n; cargo-deck\n"
    assert comment_for("/x/kernels.bin") is None


def test_packages_that_were_compiled_are_named_by_their_ids() -> None:
    def told(package_id: str, kind: str = "lib", *, fresh: bool = False) -> str:
        target = {"kind": [kind], "name": "x", "src_path": "/x/src/lib.rs"}
        message: dict[str, Any] = {
            "reason": "compiler-artifact", "package_id": package_id, "manifest_path": "/x/Cargo.toml", "target": target,
            "profile": {"test": False}, "filenames": [], "executable": None, "fresh": fresh,
        }  # fmt: skip
        found = compiled_units(json.dumps(message, separators=(",", ":")).encode() + b"\nelse")
        return " ".join(f"{one.package} {one.kind}" for one in found)

    assert told("path+file:///x/app#1.0.0") == told("app 1.0.0 (path+file:///x/app)") == "app lib"
    assert told("path+file:///x/app#kernels@1.0.0", "bin") == "kernels bin"
    assert told("path+file:///x/app#1.0.0", "custom-build") == "app custom-build"
    assert told("path+file:///x/app#1.0.0", fresh=True) == ""
    assert list(compiled_units(b'{"reason":"compiler-artifact"\napp\n')) == []


def test_packages_that_a_command_names_are_found_however_they_are_written() -> None:
    words = ["build", "-p", "a", "--package", "b", "--package=c", "-pd", "-p=e", "--profile", "dev"]
    assert sorted(named_packages(words)) == ["a", "b", "c", "d", "e"]
    assert named_packages(["build", "--release"]) == []


def test_a_build_in_the_world_hears_nothing_of_cargo_deck() -> None:
    env = {"PATH": "/c/fronts/cc:/usr/bin", "DECK_RUN": "x", "DECK_FRONTS": "y", "HOME": "/h"}
    assert plain_env(env) == {"PATH": "/usr/bin", "HOME": "/h"}


def test_a_link_out_of_the_world_is_never_written_through(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    top, elsewhere = tmp_path / "top", tmp_path / "else.cuh"
    top.mkdir()
    elsewhere.write_text("// somebody's own\n" * 50)
    before = elsewhere.read_text(), elsewhere.stat().st_mtime_ns
    (top / "out.cuh").symlink_to(elsewhere)
    for is_copied in (False, True):
        with make_scratch(paths, [str(top)], dict(os.environ), is_copied=is_copied) as scratch:
            with pytest.raises(ScratchError, match="outside of the scratch world"):
                append(scratch, str(top / "out.cuh"), "// x\n")
            with pytest.raises(ScratchError, match="outside of the scratch world"):
                write(scratch, str(top / "out.cuh"), b"x")
            with pytest.raises(ScratchError, match="outside of the scratch world"):
                touch(scratch, [str(elsewhere)])
            with pytest.raises(ScratchError, match="outside of the scratch world"):
                take_away(scratch, str(elsewhere))
    assert (elsewhere.read_text(), elsewhere.stat().st_mtime_ns) == before


@WORLDS
def test_a_link_within_the_world_is_edited_there_and_taken_back_whole(tmp_path: Path, is_copied: bool) -> None:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    top = tmp_path / "top"
    (top / "kernels").mkdir(parents=True)
    (top / "k.cuh").write_text("// long enough to be cut\n" * 50)
    before = (top / "k.cuh").read_text(), (top / "k.cuh").stat().st_mtime_ns
    (top / "kernels/absolute.cuh").symlink_to(top / "k.cuh")
    (top / "kernels/relative.cuh").symlink_to("../k.cuh")
    (top / "kernels/passwd").symlink_to("../../../../../../../../../../../etc/passwd")
    with make_scratch(paths, [str(top)], dict(os.environ), is_copied=is_copied) as scratch:
        for name in ("kernels/absolute.cuh", "kernels/relative.cuh"):
            edit = append(scratch, str(top / name), "// x\n")
            assert scratch.run(["cat", scratch.at(str(top / "k.cuh"))], "/", {}).output.endswith(b"// x\n")
            restore(scratch, edit)
            assert scratch.run(["cat", scratch.at(str(top / "k.cuh"))], "/", {}).output.decode() == before[0]
        read = scratch.run(["cat", scratch.at(str(top / "kernels/passwd"))], "/", {}).output
        assert read == Path("/etc/passwd").read_bytes()
    assert ((top / "k.cuh").read_text(), (top / "k.cuh").stat().st_mtime_ns) == before


def test_a_world_in_its_own_checkout_is_not_copied_into_itself(tmp_path: Path) -> None:
    top = tmp_path / "home"
    (top / "src").mkdir(parents=True)
    (top / "src/k.cu").write_text("old\n")
    paths = Paths(str(top / "state"), str(top / ".cache/cargo-deck"))
    with make_scratch(paths, [str(top)], dict(os.environ), is_copied=True) as scratch:
        assert scratch.run(["cat", scratch.at(str(top / "src/k.cu"))], "/", {}).output == b"old\n"
        assert not os.path.exists(scratch.at(str(top / ".cache/cargo-deck/scratch")))


def test_what_cannot_be_removed_at_once_is_opened_up_but_not_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "file").write_text("somebody's own")
    (tmp_path / "file").chmod(0o644)
    world = tmp_path / "world"
    world.mkdir()
    for name in ("elsewhere", "file"):
        (world / name).symlink_to(tmp_path / name)
        open_up(os.unlink, str(world / name), None)
    assert os.listdir(world) == []
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_long_file_is_written_whole(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    (tmp_path / "top").mkdir()
    text = b"// \xff line\n" * 40_000
    with make_scratch(paths, [str(tmp_path / "top")], dict(os.environ)) as scratch:
        write(scratch, str(tmp_path / "top/lib.rs"), text)
        assert scratch.run(["cat", scratch.at(str(tmp_path / "top/lib.rs"))], "/", {}).output == text
