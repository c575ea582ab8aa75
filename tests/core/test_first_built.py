"""What was built for the first time in a dir: from folders with given times, and from real builds of cargo."""

import os
import time
from pathlib import Path

from core.native.traces import first_built
from core.native.traces.fingerprint import unit_places
from core.native.traces.first_built import NEW_DIR, built_units, first_words
from tests.native_worlds import DECLARATIONS, Package, build_env, fake_nvcc

S = 1_000_000_000
BEGAN, ENDED = 2000 * S, 2100 * S
FILE = next(style for style in DECLARATIONS if style.name == "file")


def unit(folder: Path, name: str, at_s: float, *targets: str, profile: str = "debug") -> None:
    """A unit's folder as cargo leaves it."""
    place = folder / profile / ".fingerprint" / name
    place.mkdir(parents=True)
    for target in targets:
        (place / f"{target}.json").write_text("{}")
    os.utime(place, ns=(int(at_s * S), int(at_s * S)))


def words(folder: Path) -> dict[tuple[str, str], str]:
    found = built_units(unit_places(str(folder)), lambda path: os.stat(path).st_mtime_ns if os.path.isdir(path) else 0)
    return first_words(found, lambda at: BEGAN <= at <= ENDED, BEGAN)


def test_in_a_new_dir_all_is_built_for_the_first_time_also_seen_from_later_builds(tmp_path: Path) -> None:
    unit(tmp_path, "app-1", 2001, "bin-app")
    unit(tmp_path, "app-2", 2001, "run-build-script-build-script-build")
    unit(tmp_path, "late-1", 2500, "lib-late")
    assert words(tmp_path) == {("app", "crate"): NEW_DIR, ("app", "script"): NEW_DIR}


def test_other_settings_another_profile_and_another_target_are_told_apart(tmp_path: Path) -> None:
    unit(tmp_path, "same-1", 1500, "lib-same")
    unit(tmp_path, "flags-1", 1500, "lib-flags")
    unit(tmp_path, "flags-2", 2001, "lib-flags")
    unit(tmp_path, "mode-1", 1500, "lib-mode")
    unit(tmp_path, "mode-2", 2001, "lib-mode", profile="release")
    unit(tmp_path, "test-1", 1500, "lib-test")
    unit(tmp_path, "test-2", 2001, "test-lib-test")
    assert words(tmp_path) == {
        ("flags", "crate"): "first build here with these features, RUSTFLAGS, profile settings or toolchain: cargo "
        "keeps them apart",
        ("mode", "crate"): "first build in release/ of this target dir",
        ("test", "crate"): "it was not built in this target dir before",
    }


def test_folders_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    place = tmp_path / "debug" / ".fingerprint"
    place.mkdir(parents=True)
    (place / "gone-1").symlink_to("nowhere")
    (place / "file-1").write_text("")
    assert words(tmp_path) == {}
    assert first_built.born_ns(str(tmp_path / "nowhere")) == first_built.born_ns("a\0b") == 0


def test_a_folder_keeps_its_birth_whatever_is_written_into_it(tmp_path: Path) -> None:
    born = first_built.born_ns(str(tmp_path))
    assert 0 < born <= time.time_ns()
    os.utime(tmp_path, ns=(5 * S, 5 * S))
    (tmp_path / "new").touch()
    assert first_built.born_ns(str(tmp_path)) == born


def test_cargo_keeps_builds_with_other_flags_apart_and_writes_over_those_with_the_same(tmp_path: Path) -> None:
    env = build_env(tmp_path, str(fake_nvcc(tmp_path / "bin")))
    package = Package(tmp_path / "world", FILE)
    target = str(package.root / "target")

    def built(**more: str) -> dict[tuple[str, str], str]:
        began = time.time_ns() - 20_000_000
        package.build({**env, **more})
        return first_words(built_units(unit_places(target)), lambda at: at >= began, began)

    assert set(built().values()) == {NEW_DIR}
    package.header.write_text("#pragma once\n#define VALUE 3\n")
    assert built() == {}
    assert "RUSTFLAGS" in built(RUSTFLAGS="--cfg other")["app", "crate"]
