"""A package's native part as a crate of its own: what is moved and written, what is refused, and the patch."""

import subprocess
from pathlib import Path

import pytest

from core.native.gains.split import Facts, Move, NoSplit, Split, Write, plan_split
from core.native.gains.split_build import apply, lock_change, patch_of
from core.native.gains.split_manifest import features_read
from core.native.proofs.scratch import Done

MANIFEST = """[package]
name = "app"
version = "0.2.0"
edition = "2021"
links = "nat" # the library

[features]
default = ["fast"]
fast = []
other = []

[dependencies]
serde = "1"

[build-dependencies]
cc = { version = "1", features = ["parallel"] }
helper = { path = "../helper" }

[profile.dev]
debug = 1
"""
SCRIPT = """fn main() {
    println!("cargo:rerun-if-changed=c");
    if std::env::var_os("CARGO_FEATURE_FAST").is_some() {}
}
"""
PRINTED = "cargo:rerun-if-changed=c\ncargo:rustc-link-lib=static=nat\ncargo:rustc-link-search=native=/t/out\n"
LIB = "//! Sums.\npub fn sum() {}\n"
ROOT = "/ws/app"


def facts(**changes: object) -> Facts:
    """Of a package with C below `c`."""
    files = tuple(f"{ROOT}/{name}" for name in ("Cargo.toml", "build.rs", "c/a.c", "c/n.h", "src/lib.rs"))
    known = Facts(
        "app", ROOT, "/ws", MANIFEST, f"{ROOT}/build.rs", SCRIPT, PRINTED, frozenset({f"{ROOT}/build.rs"}),
        frozenset({f"{ROOT}/src/lib.rs"}), {f"{ROOT}/src/lib.rs": LIB}, (f"{ROOT}/src/lib.rs",),
        (f"{ROOT}/c/a.c", f"{ROOT}/c/n.h"), files, "0.2.0",
    )  # fmt: skip
    return known._replace(**changes)  # type: ignore[arg-type]


def split(**changes: object) -> Split:
    found = plan_split(facts(**changes))
    assert isinstance(found, Split), found
    return found


def reasons(**changes: object) -> str:
    found = plan_split(facts(**changes))
    assert isinstance(found, NoSplit), found
    return "; ".join(found.reasons)


def written(found: Split, name: str) -> str:
    (one,) = (one for one in found.writes if one.path == name)
    return one.after


def test_script_and_native_folder_move_and_paths_below_stay_the_same() -> None:
    found = split()
    assert found.folder == f"{ROOT}/app-native"
    assert found.moves == (
        Move(f"{ROOT}/build.rs", f"{ROOT}/app-native/build.rs"), Move(f"{ROOT}/c", f"{ROOT}/app-native/c"),
    )  # fmt: skip
    assert Move(f"{ROOT}/c/n.h", f"{ROOT}/app-native/c/n.h") in found.files


def test_the_package_depends_on_the_crate_and_names_it() -> None:
    found = split()
    manifest = written(found, f"{ROOT}/Cargo.toml")
    assert manifest == MANIFEST.replace('links = "nat" # the library\n', "").replace(
        "fast = []", 'fast = ["app-native/fast"]'
    ).replace('serde = "1"\n', 'serde = "1"\napp-native = { path = "app-native" }\n').replace(
        '[build-dependencies]\ncc = { version = "1", features = ["parallel"] }\nhelper = { path = "../helper" }\n\n', ""
    )
    assert written(found, f"{ROOT}/src/lib.rs") == f"{LIB}use app_native as _; // links what its build script makes\n"
    assert written(split(edition="2015"), f"{ROOT}/src/lib.rs").splitlines()[-1].startswith("extern crate app_native")


def test_the_crate_has_links_features_and_build_dependencies() -> None:
    assert written(split(), f"{ROOT}/app-native/Cargo.toml") == (
        '[package]\nname = "app-native"\nversion = "0.2.0"\nedition = "2021"\n'
        'description = "The native part of app: its build script, and what that compiles"\nlinks = "nat"\n'
        "publish = false\n\n[features]\nfast = []\n\n[build-dependencies]\n"
        'cc = { version = "1", features = ["parallel"] }\nhelper = { path = "../../helper" }\n'
    )


def test_a_published_package_names_the_version() -> None:
    assert 'app-native = { path = "app-native", version = "=0.2.0" }' in written(
        split(is_published=True), f"{ROOT}/Cargo.toml"
    )


def test_a_script_that_reads_outside_gets_a_crate_beside_the_package() -> None:
    assert split(script_text=SCRIPT + 'join("../shared")').folder == "/ws/app-native"
    assert split(script_text=SCRIPT + 'join("../shared")', workspace=ROOT).folder == f"{ROOT}/app-native"
    found = split(inputs=(f"{ROOT}/c/a.c", "/ws/shared/x.h"))
    assert found.folder == "/ws/app-native"
    assert 'path = "../app-native"' in written(found, f"{ROOT}/Cargo.toml")
    assert 'helper = { path = "../helper" }' in written(found, "/ws/app-native/Cargo.toml")
    assert "outside the package" in reasons(inputs=("/elsewhere/x.h",), workspace=ROOT)


def test_native_files_among_rust_move_alone() -> None:
    files = tuple(f"{ROOT}/{name}" for name in ("Cargo.toml", "build.rs", "src/k.cu", "src/inc/k.cuh", "src/lib.rs"))
    found = split(files=files, inputs=(f"{ROOT}/src/k.cu", f"{ROOT}/src/inc/k.cuh"))
    assert [move.old for move in found.moves] == [f"{ROOT}/build.rs", f"{ROOT}/src/inc", f"{ROOT}/src/k.cu"]


@pytest.mark.parametrize(
    ("printed", "script", "told"),
    [
        ("cargo:rustc-cfg=has_grid\ncargo:rustc-check-cfg=cfg(has_grid)\n", "", "prints rustc-cfg, which"),
        ("cargo::rustc-env=X=1\n", "", "prints rustc-env"),
        ("cargo:rustc-link-arg-bins=-lx\n", "", "prints rustc-link-arg-bins"),
        ("", 'if x { println!("cargo:rustc-cfg=late"); }', "prints rustc-cfg"),
        ("", 'std::env::var("DEP_CUDA_ROOT")', "reads DEP_…"),
        ("", 'cxx_build::bridge("src/lib.rs")', "names src/lib.rs"),
    ],
)
def test_what_cargo_gives_to_the_package_alone_is_refused(printed: str, script: str, told: str) -> None:
    assert told in reasons(printed=printed, script_text=SCRIPT + script)


def test_generated_rust_is_refused() -> None:
    text = 'include!(concat!(env!("OUT_DIR"), "/x.rs"));\n'
    assert "src/lib.rs takes in what the build script makes" in reasons(texts={f"{ROOT}/src/lib.rs": text})


def test_a_file_that_both_read_is_refused() -> None:
    read = frozenset({f"{ROOT}/src/lib.rs", f"{ROOT}/c/a.c"})
    assert "both the crate and its build script read c/a.c" in reasons(read_by_rust=read)


def test_metadata_for_other_scripts_is_refused_where_one_reads_it() -> None:
    printed = PRINTED + "cargo:root=/x\n"
    split(printed=printed, other_scripts={"top": "fn main() {}"})
    told = reasons(printed=printed, other_scripts={"top": 'env("DEP_NAT_ROOT")'})
    assert "the build script of top reads DEP_NAT_" in told


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ("[package", "no TOML"),
        (MANIFEST.replace("other = []", 'other = ["dep:cc"]'), "turns its build dependency cc on"),
        (MANIFEST.replace("fast = []\n", "").replace('"fast"', ""), "reads the feature fast"),
        (MANIFEST + "[lib]\nproc-macro = true\n", "proc macro"),
    ],
)
def test_manifests_that_cannot_be_split_say_why(manifest: str, told: str) -> None:
    assert told in reasons(manifest=manifest)


def test_a_folder_of_that_name_and_a_missing_target_are_refused() -> None:
    assert "already" in reasons(files=(*facts().files, f"{ROOT}/app-native/x"))
    assert "neither a library nor a program" in reasons(targets=())
    assert "odd name" in reasons(files=(*facts().files, f"{ROOT}/c/a\n.c"))


def test_a_script_that_looks_for_any_feature_gets_all() -> None:
    table: dict[str, dict[str, list[str]]] = {"features": {"default": [], "a": [], "b-c": []}}
    assert features_read(table, 'vars().filter(|(k, _)| k.starts_with("CARGO_FEATURE_"))') == ("a", "b-c")
    assert features_read(table, 'var("CARGO_FEATURE_B_C")') == ("b-c",)
    assert features_read(table, '#[cfg(feature = "a")]') == ("a",)
    assert features_read(table, "") == ()


class Here:
    """A world that is the file system itself."""

    kind = "here"

    def at(self, path: str) -> str:
        return path

    def holds(self, path: str) -> bool:
        return True

    def run(self, argv: object, cwd: str, env: object) -> Done:
        assert isinstance(argv, list)
        done = subprocess.run(argv, cwd=cwd, capture_output=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*"))
            if path.is_file() and ".git" not in path.parts}  # fmt: skip


def test_git_applies_the_patch_to_what_the_world_became(tmp_path: Path) -> None:
    top, root = tmp_path / "made", tmp_path / "made/my app"
    for name, text in (("Cargo.toml", MANIFEST), ("build.rs", SCRIPT), ("src/lib.rs", LIB), ("c/a.c", "int a;"),
                       ("c/n.h", ""), ("../Cargo.lock", "version = 4\n")):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["cp", "-r", top, tmp_path / "clean"], check=True)
    known = facts()
    moved = {path: path.replace(ROOT, str(root)) for path in known.files}
    found = plan_split(known._replace(
        root=str(root), workspace=str(top), script=moved[known.script], script_sources=frozenset({moved[known.script]}),
        read_by_rust=frozenset(), texts={moved[f"{ROOT}/src/lib.rs"]: LIB}, targets=(moved[f"{ROOT}/src/lib.rs"],),
        inputs=tuple(moved[path] for path in known.inputs), files=tuple(moved.values()),
    ))  # fmt: skip
    assert isinstance(found, Split)
    apply(Here(), found)
    (top / "Cargo.lock").write_text("version = 4\n\n[[package]]\n")
    lock = lock_change(lambda path: Path(path).read_text(), str(top), "version = 4\n")
    (tmp_path / "patch").write_text(patch_of(found, str(top), lock))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "clean", check=True)
    subprocess.run(["git", "apply", tmp_path / "patch"], cwd=tmp_path / "clean", check=True)
    assert tree(tmp_path / "clean") == tree(top)
    assert "my app/app-native/c/a.c" in tree(top)


def test_a_lock_file_that_stayed_is_not_in_the_patch() -> None:
    assert lock_change(lambda path: "x", "/ws", "x") == ()
    assert lock_change(lambda path: "x", "/ws", None) == ()
    assert lock_change(lambda path: "y", "/ws", "x") == (Write("/ws/Cargo.lock", "x", "y"),)
