"""The stale-kernel doctor on target dirs that real cargo left, with an nvcc that compiles nothing: what is declared
wrongly is found, and what is right is left in peace."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.native.staleness.doctor import Place, examine
from core.native.staleness.seen_run import remember_run
from core.native.staleness.stale_kept import is_kept_of, keep_of_run
from core.paths import Paths
from tests import native_worlds
from tests.native_worlds import (
    DECLARATIONS,
    LOOPING,
    RIGHT,
    SKIPPING,
    Style,
    build_env,
    declaring,
    edit,
    fake_nvcc,
    prints,
)
from tests.real.samples import write_files


class World(native_worlds.World):
    """With what is done to it here."""

    def ids(self) -> set[str]:
        return {one.finding.id for one in self.examined().found}

    def edit_header(self) -> None:
        edit(self.package.header, self.package.header.read_text() + "/* edited */\n")


Worlds = Callable[[Style], World]


@pytest.fixture
def world(tmp_path: Path) -> Worlds:
    nvcc = str(fake_nvcc(tmp_path / "bin"))
    return lambda style: World(tmp_path, style, nvcc)


@pytest.mark.parametrize("style", DECLARATIONS, ids=[style.name for style in DECLARATIONS])
def test_each_way_of_declaring_is_judged_rightly_after_a_build(world: Worlds, style: Style) -> None:
    assert world(style).ids() == style.wrong


@pytest.mark.parametrize("style", RIGHT, ids=[style.name for style in RIGHT])
def test_what_is_declared_rightly_is_left_in_peace_before_and_after_an_edit(world: Worlds, style: Style) -> None:
    one = world(style)
    assert one.ids() == set()
    one.edit_header()
    assert one.ids() == set(), "cargo will see it"
    one.package.build(one.env)
    found = one.examined()
    assert (found.found, found.not_known) == ((), ())
    assert len(found.inputs) == 2 + style.has_outside


@pytest.mark.parametrize("style", SKIPPING, ids=[style.name for style in SKIPPING])
def test_a_build_tool_that_ran_and_skipped_nvcc_is_found_once_a_header_was_edited(world: Worlds, style: Style) -> None:
    one = world(style)
    assert one.ids() == set()
    one.edit_header()
    one.package.build(one.env)
    (found,) = one.examined().found
    assert (found.finding.id, found.finding.mend) == ("nvcc-skipped", "cargo clean -p app")
    assert found.trouble.paths == (str(one.package.header),)
    subprocess.run(["cargo", "clean", "-q", "-p", "app"], cwd=one.package.root, env=one.env, check=True)
    one.package.build(one.env)
    assert one.ids() == set(), "the mend mends it"


def test_what_is_left_of_a_source_that_was_taken_away_is_no_finding(world: Worlds) -> None:
    one = world(DECLARATIONS[1])
    assert one.ids() == {"input-undeclared"}
    kernels = one.package.root / "kernels"
    (kernels / "k.cu").rename(kernels / "other.cu")
    script = one.package.root / "build.rs"
    script.write_text(script.read_text().replace("k.cu", "other.cu").replace("/k.", "/other."))
    one.package.build(one.env)
    assert (one.package.out_dir / "k.ptx").exists()
    assert {Path(output).name for one in one.examined().found for output in one.trouble.outputs} == {"other.ptx"}


def test_a_checkout_that_was_copied_is_judged_by_its_own_files(world: Worlds, tmp_path: Path) -> None:
    one = world(Style("folder-inside", declaring(prints("kernels")), frozenset(), has_outside=False))
    (one.package.out_dir / "k.d").write_text(
        f"{one.package.out_dir}/k.ptx : {one.package.root}/kernels/k.cu {one.package.header}\n"
    )
    shutil.copytree(one.package.top, tmp_path / "copy", symlinks=True)
    root = tmp_path / "copy" / one.package.root.relative_to(one.package.top)
    build_dir = tmp_path / "copy" / one.package.build_dir.relative_to(one.package.top)
    found = examine(one.paths, Place(str(root), str(build_dir), one.env))
    assert found.found == ()
    assert found.inputs
    assert all(path.startswith(str(root)) for path in found.inputs), found.inputs


def test_an_input_that_is_gone_is_none_that_somebody_edits(world: Worlds) -> None:
    one = world(DECLARATIONS[1])
    one.package.header.unlink()
    (found,) = one.examined().found
    assert [Path(path).name for path in found.trouble.paths] == ["outside.cuh"]


def test_what_is_known_to_be_old_stays_so_when_its_header_is_saved_once_more_and_not_when_that_is_taken_back(
    world: Worlds,
) -> None:
    one = world(SKIPPING[0])
    first = one.package.header.read_text()
    assert one.ids() == set()
    one.edit_header()
    one.package.build(one.env)
    assert one.ids() == {"nvcc-skipped"}
    one.edit_header()
    (found,) = one.examined().found
    assert (found.finding.id, found.trouble.is_certain) == ("nvcc-skipped", True)
    edit(one.package.header, first)
    assert one.ids() == set(), "what was made is of this text"


def test_a_run_that_skipped_nvcc_where_another_called_it_is_remembered_too(world: Worlds) -> None:
    one = world(SKIPPING[0])

    def record(run: str, build_dir: str) -> None:
        folder = Path(one.paths.run(run))
        folder.mkdir(parents=True)
        fields = {"run": run, "tool": "cargo", "started": 1.0, "target_dir": build_dir, "env": one.env}
        (folder / "run.json").write_text(json.dumps(fields | {"checkout": str(one.package.root)}))

    record("1", str(one.package.build_dir))
    record("2", str(one.package.top))
    assert not is_kept_of(one.paths, "1")
    remember_run(one.paths, "1")
    keep_of_run(one.paths, "1")
    assert [is_kept_of(one.paths, run) for run in ("1", "2", "none")] == [True, False, False]
    one.edit_header()
    one.package.build(one.env)
    remember_run(one.paths, "1")
    one.edit_header()
    assert one.ids() == {"nvcc-skipped"}, "saved once more before anybody looked"


def test_a_header_that_was_only_touched_is_no_skipped_edit(world: Worlds) -> None:
    one = world(SKIPPING[0])
    assert one.ids() == set()
    os.utime(one.package.header)
    one.package.build(one.env)
    assert one.ids() == set()
    one.edit_header()
    one.package.build(one.env)
    (found,) = one.examined().found
    assert (found.finding.severity, found.trouble.is_certain) == ("error", True), "the content is known to differ"


def test_an_output_in_a_watched_folder_is_found_and_the_mend_names_the_inputs(world: Worlds) -> None:
    one = world(LOOPING)
    (found,) = one.examined().found
    assert (found.finding.id, found.trouble.paths) == ("watched-output", (str(one.package.root / "kernels/k.ptx"),))
    assert found.lines == ("kernels/k.cu", "kernels/inc/deep.cuh")
    assert found.mend is not None
    one.package.root.joinpath("build.rs").write_text(found.mend.after)
    one.package.build(one.env)
    assert "Fresh app" in one.package.build(one.env).stderr


def test_the_whole_package_as_watched_folder_holds_what_cargo_makes(world: Worlds) -> None:
    style = Style("dot", declaring(prints(".")), frozenset(), has_outside=False)
    one = world(style)
    (found,) = one.examined().found
    assert (found.finding.id, found.trouble.paths) == ("watched-output", (str(one.package.build_dir),))
    assert "Dirty app" in one.package.build(one.env).stderr


@pytest.mark.parametrize("style", [DECLARATIONS[0], DECLARATIONS[1], DECLARATIONS[3], DECLARATIONS[5]],
                         ids=["none", "file", "pattern", "ignored"])  # fmt: skip
def test_with_the_lines_of_the_mend_nothing_is_left_to_find(world: Worlds, style: Style) -> None:
    one = world(style)
    (found,) = one.examined().found
    assert found.mend is not None
    assert found.finding.mend.startswith("--- a/build.rs\n+++ b/build.rs\n@@ ")
    subprocess.run(
        ["git", "apply", "--unidiff-zero", "-"], cwd=one.package.root, input=found.mend.diff, text=True, check=True,
        env={**one.env, "GIT_DIR": "/nowhere"},
    )  # fmt: skip
    assert (one.package.root / "build.rs").read_text() == found.mend.after
    one.package.build(one.env)
    assert one.ids() == set()
    edit(one.package.outside, "#define OUTSIDE 2\n")
    one.edit_header()
    assert "Dirty app" in one.package.build(one.env).stderr


def test_an_edit_with_an_old_mtime_is_told_where_it_is_known_what_the_build_saw(world: Worlds) -> None:
    one = world(RIGHT[3])
    assert one.ids() == set()
    before = one.package.header.stat()
    one.edit_header()
    os.utime(one.package.header, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "Fresh app" in one.package.build(one.env).stderr
    (found,) = one.examined().found
    assert (found.finding.id, found.trouble.paths) == ("edit-unseen", (str(one.package.header),))
    assert found.finding.mend == f"touch {one.package.header}"
    os.utime(one.package.header)
    one.package.build(one.env)
    assert one.ids() == set()


def test_where_nobody_saw_what_the_build_read_it_is_said_to_be_not_known(world: Worlds) -> None:
    one = world(RIGHT[3])
    before = one.package.header.stat()
    one.edit_header()
    os.utime(one.package.header, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = one.examined()
    assert (found.found, found.not_known) == ((), (str(one.package.header),))


def test_a_new_source_beside_listed_ones_is_found_where_the_script_looks_for_sources(world: Worlds) -> None:
    looks = 'for one in std::fs::read_dir("kernels").unwrap() { println!("{}", one.unwrap().path().display()); }'
    style = Style("list", declaring(prints("kernels/k.cu"), prints("kernels/inc/deep.cuh"), looks), frozenset(), False)
    one = world(style)
    assert one.ids() == set()
    (one.package.root / "kernels/late.cu").write_text("__global__ void late() {}\n")
    (found,) = one.examined().found
    assert (found.finding.id, found.lines) == ("new-file-unseen", ("kernels",))
    assert "Fresh app" in one.package.build(one.env).stderr


@pytest.mark.parametrize(
    ("calls", "looks"),
    [
        ("bindgen_cuda::Builder::default().build_ptx()", True),
        ('bindgen_cuda::Builder::default().kernel_paths(vec!["kernels/k.cu"]).build_ptx()', False),
        ('cudaforge::KernelBuilder::new().source_dir("kernels").build_ptx()', True),
        ('cudaforge::KernelBuilder::new().source_files(["kernels/k.cu"]).build_ptx()', False),
    ],
)
def test_tools_look_for_sources_by_themselves_unless_they_are_told_which(
    world: Worlds, calls: str, looks: bool
) -> None:
    declared = prints("kernels/k.cu"), prints("kernels/inc/deep.cuh"), f"// {calls}"
    one = world(Style("tool", declaring(*declared), frozenset(), False))
    (one.package.root / "kernels/late.cu").write_text("__global__ void late() {}\n")
    assert one.ids() == ({"new-file-unseen"} if looks else set())


def test_headers_that_a_linked_package_declares_are_covered(tmp_path: Path) -> None:
    env = build_env(tmp_path, str(fake_nvcc(tmp_path / "bin")))
    top = tmp_path / "ws"
    manifest = '[package]\nname = "{}"\nversion = "1.0.0"\nedition = "2021"\n{}'
    script = declaring(prints("kernels"))
    files = {
        "Cargo.toml": '[workspace]\nmembers = ["low", "app"]\nresolver = "2"\n',
        "low/Cargo.toml": manifest.format("low", 'links = "low"\n'),
        "low/build.rs": 'fn main() { println!("cargo:rerun-if-changed=inc"); println!("cargo:inc=inc"); }\n',
        "low/src/lib.rs": "", "low/inc/low.cuh": "#define LOW 1\n",
        "app/Cargo.toml": manifest.format("app", '[dependencies]\nlow = { path = "../low" }\n'),
        "app/build.rs": script, "app/src/main.rs": "fn main() {}\n",
        "app/kernels/k.cu": '#include "../../low/inc/low.cuh"\n',
    }  # fmt: skip
    write_files(str(top), files)
    subprocess.run(["cargo", "build", "-q", "--offline"], cwd=top, env=env, check=True)
    found = examine(Paths(str(tmp_path / "s"), str(tmp_path / "c")), Place(str(top), str(top / "target"), env))
    assert found.found == ()
    assert str(top / "low/inc/low.cuh") in found.inputs
    (top / "low/build.rs").write_text('fn main() { println!("cargo:rerun-if-changed=build.rs"); }\n')
    subprocess.run(["cargo", "build", "-q", "--offline"], cwd=top, env=env, check=True)
    found = examine(Paths(str(tmp_path / "s"), str(tmp_path / "c")), Place(str(top), str(top / "target"), env))
    assert [one.finding.id for one in found.found] == ["input-undeclared"]


def test_what_a_package_declares_counts_also_where_its_script_ran_last_for_build_scripts(tmp_path: Path) -> None:
    env = build_env(tmp_path, str(fake_nvcc(tmp_path / "bin")))
    top = tmp_path / "ws"
    manifest = '[package]\nname = "{}"\nversion = "1.0.0"\nedition = "2021"\n{}'
    low = '[{}]\nlow = {{ path = "../low", features = [{}] }}\n'
    needs = low.format("dependencies", "") + low.format("build-dependencies", '"tool"')
    files = {
        "Cargo.toml": '[workspace]\nmembers = ["low", "app"]\nresolver = "2"\n',
        "low/Cargo.toml": manifest.format("low", 'links = "low"\n[features]\ntool = []\n'),
        "low/build.rs": '#[cfg(feature = "tool")]\nfn main() {}\n#[cfg(not(feature = "tool"))]\n'
                        'fn main() { println!("cargo:rerun-if-changed=inc"); println!("cargo:inc=inc"); }\n',
        "low/src/lib.rs": "", "low/inc/low.cuh": "#define LOW 1\n", "low/notes.txt": "",
        "app/Cargo.toml": manifest.format("app", needs),
        "app/build.rs": declaring(prints("kernels")), "app/src/main.rs": "fn main() {}\n",
        "app/kernels/k.cu": '#include "../../low/inc/low.cuh"\n',
    }  # fmt: skip
    write_files(str(top), files)
    subprocess.run(["cargo", "build", "-q", "--offline"], cwd=top, env=env, check=True)
    edit(top / "low/notes.txt", "the script that declares nothing runs again\n")
    subprocess.run(["cargo", "build", "-q", "--offline"], cwd=top, env=env, check=True)
    found = examine(Paths(str(tmp_path / "s"), str(tmp_path / "c")), Place(str(top), str(top / "target"), env))
    assert found.found == ()
    assert sorted(case.script.package for case in found.scripts) == ["app", "low", "low"]


def test_a_script_that_declares_variables_alone_is_run_for_no_file(world: Worlds) -> None:
    style = Style("variables", declaring('println!("cargo:rerun-if-env-changed=CUDA_HOME");'), frozenset(), False)
    one = world(style)
    (found,) = one.examined().found
    assert found.finding.id == "input-undeclared"
    assert "only variables" in found.finding.evidence[0].value
    one.edit_header()
    edit(one.package.root / "kernels/k.cu", "// other\n")
    assert "Fresh app" in one.package.build(one.env).stderr


def test_a_folder_that_a_link_in_a_watched_folder_leads_to_is_covered(world: Worlds) -> None:
    style = Style("link", declaring(prints("kernels")), frozenset(), has_outside=True)
    one = world(style)
    assert one.ids() == {"input-undeclared"}
    (one.package.root / "kernels/more").symlink_to("../../shared")
    assert one.ids() == set()
    one.package.build(one.env)
    edit(one.package.outside, "#define OUTSIDE 3\n")
    assert "Dirty app" in one.package.build(one.env).stderr


def test_files_and_folders_in_odd_states_raise_nothing(world: Worlds) -> None:
    one = world(DECLARATIONS[1])
    for path in (one.package.header, one.package.outside, one.package.root / "build.rs", one.package.out_dir / "k.d"):
        content = path.read_bytes()
        for other in (b"", b"\xff\0\x1b]0;x\x07", b'#include "' * 5000, b"\\\n" * 5000):
            path.write_bytes(other)
            one.examined()
        path.unlink()
        one.examined()
        path.symlink_to(path)
        one.examined()
        path.unlink()
        os.mkfifo(path)
        one.examined()
        path.unlink()
        path.mkdir()
        one.examined()
        path.rmdir()
        path.write_bytes(content)
    output = one.package.out_dir.parent / "output"
    said = output.read_bytes()
    for other in (b"cargo:rerun-if-changed=a\0b\n", b"cargo:rerun-if-changed=\n",
                  b"cargo:rerun-if-changed=" + b"x/" * 9000,
                  b"cargo:rerun-if-changed=/proc/self/mem\ncargo:rerun-if-changed=/dev/zero\n"):  # fmt: skip
        output.write_bytes(said + other)
        one.examined()
    output.write_bytes(said)
    assert json.loads(next((Path(one.paths.state) / "native/seen").glob("*.json")).read_text())["began_ns"]
    for path in (Path(one.paths.state) / "native/seen").glob("*.json"):
        for other in (b"", b"[]", b'{"out_dir": 5}', b'{"inputs": {"a": 1}, "outputs": {"x": [1]}}', b"[" * 99999):
            path.write_bytes(other)
            one.examined()
