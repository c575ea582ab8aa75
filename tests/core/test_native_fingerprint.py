"""Build scripts and crates in a target dir, in both of cargo's layouts, and dirs that nobody's cargo made."""

import json
import os
from pathlib import Path

import pytest

from core.native.traces.directives import Declared, Directives
from core.native.traces.fingerprint import linked, package_name, script_runs
from core.native.traces.units import compiled_units

HASHES = {"low": "1" * 16, "app": "2" * 16}


class Dir:
    """A target dir as cargo leaves it."""

    def __init__(self, folder: Path, *, is_new: bool) -> None:
        self.folder, self.is_new = folder, is_new
        self.target = folder / "target"

    def package(self, name: str, text: str = "fn main() {}") -> None:
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / name / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "1.0.0"\n')
        (self.folder / name / "build.rs").write_text(text)

    def _places(self, package: str, key: str, profile: str) -> tuple[Path, Path, str, Path]:
        """Fingerprint, run, name of what was printed, and where a compiler's note is."""
        if self.is_new:
            unit = self.target / profile / "build" / package / key
            return unit / "fingerprint", unit / "run", "stdout", unit / "out"
        built = self.target / profile / "build" / f"{package}-{key}"
        return self.target / profile / ".fingerprint" / f"{package}-{key}", built, "output", built

    def script(self, package: str, fingerprint: str, features: str = "[]") -> None:
        """A build script that was compiled."""
        place, _, _, note = self._places(package, "c" * 16, "debug")
        for folder in (place, note):
            folder.mkdir(parents=True, exist_ok=True)
        (place / "build-script-build-script-build").write_text(fingerprint)
        (place / "build-script-build-script-build.json").write_text(json.dumps({"features": features}))
        (note / "build_script_build.d").write_text(f"{note}/build_script_build: {package}/build.rs\n")

    def run(self, package: str, output: str, *, key: str = "a" * 16, profile: str = "debug", at: float = 100.0,
            fingerprint: str = "f" * 16, deps: tuple[str, ...] = (), local: object = ()) -> None:  # fmt: skip
        """One that ran."""
        place, folder, name, _ = self._places(package, key, profile)
        for one in (place, folder):
            one.mkdir(parents=True, exist_ok=True)
        numbers = [[7, "build_script_build", False, int.from_bytes(bytes.fromhex(one), "little")] for one in deps]
        (place / "run-build-script-build-script-build").write_text(fingerprint)
        (place / "run-build-script-build-script-build.json").write_text(json.dumps({"deps": numbers, "local": local}))
        for part in (name, "stderr", "root-output", "invoked.timestamp"):
            (folder / part).write_text(output if part == name else "")
            os.utime(folder / part, (at, at + (part == "root-output")))


@pytest.fixture(params=[False, True], ids=["1.95", "1.100"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Dir:
    return Dir(tmp_path, is_new=request.param)


def test_a_script_is_told_with_its_package_features_times_and_directives(made: Dir) -> None:
    made.package("app")
    made.script("app", "0102030405060708", '["default", "gpu"]')
    made.run("app", "cargo:rerun-if-changed=k.cu\n", deps=("0102030405060708",), local=[{"RerunIfChanged": {}}])
    (run,) = script_runs(str(made.target), str(made.folder))
    assert (run.package, run.profile, run.unit) == ("app", "debug", "app-" + "a" * 16)
    assert (run.root, run.script) == (f"{made.folder}/app", f"{made.folder}/app/build.rs")
    assert (run.features, run.directives) == (("default", "gpu"), Directives((Declared("k.cu", 1),)))
    assert (run.began_ns, run.ended_ns) == (100 * 10**9, 101 * 10**9)
    assert run.out_dir.endswith("/out")


def test_of_runs_with_other_hashes_the_latest_counts_and_each_profile_for_itself(made: Dir) -> None:
    made.package("app")
    made.script("app", "01" * 8)
    for key, profile, at in (("a" * 16, "debug", 100.0), ("b" * 16, "debug", 300.0), ("d" * 16, "x86/release", 200.0)):
        made.run("app", f"cargo:rerun-if-changed={key[0]}", key=key, profile=profile, at=at, deps=("01" * 8,))
    runs = script_runs(str(made.target), str(made.folder))
    assert [(run.profile, run.directives.changed[0].path) for run in runs] == [("debug", "b"), ("x86/release", "d")]


def test_a_script_that_declared_nothing_has_the_newest_file_of_its_package(made: Dir) -> None:
    made.run("app", "", local=[{"Precalculated": "1730000000.5s (kernels/k.cu)"}])
    (run,) = script_runs(str(made.target), str(made.folder))
    assert (run.scanned, run.root, run.directives.is_empty) == ("1730000000.5s (kernels/k.cu)", "", True)


def test_scripts_of_packages_that_one_links_to_are_found_through_fingerprints(made: Dir) -> None:
    for number, name in enumerate(("low", "mid", "app"), 1):
        needs = (f"{number - 1:016x}",) if number > 1 else ("ab" * 8,)
        made.run(name, "cargo:rerun-if-changed=inc", fingerprint=f"{number:016x}", deps=needs)
    runs = script_runs(str(made.target), str(made.folder))
    by_name = {run.package: run for run in runs}
    assert {one.package for one in linked(by_name["app"], runs)} == {"low", "mid"}
    assert linked(by_name["low"], runs) == ()
    ring = by_name["low"]._replace(needs=(by_name["app"].fingerprint,))
    assert {one.package for one in linked(by_name["app"], (*runs[:1], *runs[2:], ring))} >= {"low"}


def test_crates_are_told_with_sources_and_what_they_need(tmp_path: Path) -> None:
    debug = tmp_path / "target/debug"
    unit = debug / ".fingerprint/app-0123456789abcdef"
    for folder in (unit, debug / "deps"):
        folder.mkdir(parents=True)
    (unit / "invoked.timestamp").write_text("")
    (unit / "bin-app").write_text("1122334455667788")
    (unit / "bin-app.json").write_text('{"deps": [[1, "low", false, 258], [2], "x", [1, "y", false, -3]]}')
    (debug / "deps/app-0123456789abcdef.d").write_text("/t/app: app/src/main.rs app/src/x.rs\n\napp/src/main.rs:\n")
    (found,) = compiled_units(str(tmp_path / "target"), "/w")
    assert (found.package, found.target, found.fingerprint) == ("app", "bin-app", "1122334455667788")
    assert (found.needs, found.sources) == (("0201000000000000",), ("/w/app/src/main.rs", "/w/app/src/x.rs"))
    assert compiled_units(str(tmp_path / "target"), "/w", found.invoked_ns + 1) == ()


def test_a_manifest_tells_the_package_s_name_and_no_other_name(tmp_path: Path) -> None:
    manifest = tmp_path / "Cargo.toml"
    manifest.write_text('[workspace]\nname = "no"\n[[bin]]\nname = "no"\n[package]\n  name="yes"\n[lib]\nname = "no"\n')
    assert package_name(str(manifest)) == "yes"
    manifest.write_text('[lib]\nname = "no"\n')
    assert package_name(str(manifest)) == ""
    assert package_name(str(tmp_path)) == ""


def test_what_is_no_target_dir_of_cargos_raises_nothing(made: Dir) -> None:
    made.package("app")
    made.script("app", "01" * 8)
    made.run("app", "cargo:rerun-if-changed=k.cu", deps=("01" * 8,))
    for path in sorted(made.target.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            for other in (b"", b"\xff\0\x1b[31m", b"[" * 100_000, b'{"deps": {"a": 1}, "local": 7}', b'"x"', b"null"):
                path.write_bytes(other)
                script_runs(str(made.target), str(made.folder))
                compiled_units(str(made.target), str(made.folder))
            path.unlink()
            path.mkdir()
            script_runs(str(made.target), str(made.folder))
            path.rmdir()
            path.symlink_to(path)
            script_runs(str(made.target), str(made.folder))
            path.unlink()
            path.write_bytes(content)
    assert len(script_runs(str(made.target), str(made.folder))) == 1
    assert script_runs(str(made.folder / "nowhere"), "") == ()
    assert script_runs("a\0b", "") == ()
