"""Manifests that cargo will refuse: named with file and line before anything is built."""

import os
from pathlib import Path

import pytest

from core.paths import find_paths
from core.plan import make
from core.plan.manifests import manifest_troubles, matching

PACKAGE = '[package]\nname = "x"\nversion = "0.1.0"\n'
BROKEN = "[package\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    write(folder / "Cargo.toml", '[workspace]\nmembers = ["one", "crates/*"]\nexclude = ["crates/left"]\n')
    for name in ("one", "crates/two", "crates/left"):
        write(folder / name / "Cargo.toml", PACKAGE)
    (folder / "crates" / "notes").mkdir()
    return folder


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def told(root: Path, cwd: Path | None = None, named: str = "") -> list[tuple[str, int, str]]:
    """File below the workspace, line, sentence."""
    found = manifest_troubles("", str(cwd or root), named)
    return [(one.origin.place.removeprefix(f"{root}/"), one.origin.line, one.why) for one in found]


def test_manifests_as_they_should_be_are_no_trouble(root: Path) -> None:
    assert (told(root), told(root, root / "one"), told(root, named="one/Cargo.toml")) == ([], [], [])


def test_an_empty_workspace_table_ends_the_way_up(root: Path) -> None:
    write(root / "Cargo.toml", BROKEN)
    write(root / "one/Cargo.toml", PACKAGE + "[workspace]\n")
    write(root / "crates/Cargo.toml", "[workspace]\n")
    assert told(root / "one") == told(root / "crates") == []


def test_a_package_that_is_left_out_has_nothing_to_do_with_the_workspace_around_it(root: Path) -> None:
    write(root / "one/Cargo.toml", BROKEN)
    assert told(root, root / "crates/left") == told(root, named="crates/left/Cargo.toml") == []
    assert told(root, root / "crates/two") != []
    write(root / "Cargo.toml", BROKEN)
    assert [file for file, _, _ in told(root, root / "crates/left")] == ["Cargo.toml"]


def test_members_and_what_is_left_out_may_be_named_from_the_root_of_all(root: Path) -> None:
    write(
        root / "Cargo.toml",
        f'[workspace]\nmembers = ["{root}/one", "{root}/crates/*"]\nexclude = ["{root}/crates/left"]',
    )
    write(root / "crates/left/Cargo.toml", BROKEN)
    assert told(root) == []
    write(root / "one/Cargo.toml", BROKEN)
    assert [file for file, _, _ in told(root)] == ["one/Cargo.toml"]


def test_a_member_that_is_named_counts_though_its_folder_is_left_out(root: Path) -> None:
    write(root / "Cargo.toml", '[workspace]\nmembers = ["crates/left"]\nexclude = ["crates"]\n')
    write(root / "crates/left/Cargo.toml", BROKEN)
    assert [file for file, _, _ in told(root)] == ["crates/left/Cargo.toml"]


def test_a_package_that_names_its_workspace_is_not_looked_for_in_others(root: Path) -> None:
    write(root / "far/Cargo.toml", BROKEN)
    write(root / "far/x/Cargo.toml", PACKAGE + 'workspace = "../../ws"\n')
    write(root / "ws/Cargo.toml", '[workspace]\nmembers = ["../far/x", "../gone"]\n')
    assert told(root, root / "far/x") == [
        ("ws/Cargo.toml", 2, 'members names "../gone", where there is no Cargo.toml: make it, or take it out')
    ]


def test_a_script_is_no_manifest(root: Path) -> None:
    write(root / "a.rs", "fn main() {}\n")
    write(root / "Cargo.toml", BROKEN)
    assert told(root, named="a.rs") == told(root, named="gone.rs") == []


def test_above_the_home_of_cargo_no_workspace_is_looked_for(root: Path) -> None:
    write(root / "Cargo.toml", BROKEN)
    write(root / "home/src/x/Cargo.toml", PACKAGE)
    assert manifest_troubles("", f"{root}/home/src/x", "", f"{root}/home") == ()
    assert len(manifest_troubles("", f"{root}/home/src/x", "", f"{root}/other")) == 1
    assert len(manifest_troubles("", f"{root}/one", "", f"{root}/home")) == 1


def test_a_manifest_of_a_member_that_is_no_toml_is_named_with_its_line_wherever_one_builds(root: Path) -> None:
    write(root / "crates/two/Cargo.toml", PACKAGE + "[dependencies\n")
    (one,) = told(root)
    assert one == ("crates/two/Cargo.toml", 4, "this is not TOML: expected ']' at the end of a table declaration")
    assert told(root, root / "one") == told(root, root / "crates/two") == [one]


def test_what_is_left_out_of_a_workspace_is_not_looked_at(root: Path) -> None:
    write(root / "crates/left/Cargo.toml", BROKEN)
    assert told(root) == []


@pytest.mark.parametrize("content", [b"\xff[package]\n", b"[workspace\nmembers = []\n", b"x" * (2 << 20)])
def test_a_manifest_of_the_workspace_that_cannot_be_used_is_told_in_its_members_too(content: bytes, root: Path) -> None:
    write(root / "Cargo.toml", content)
    for cwd in (root, root / "one"):
        found = manifest_troubles("", str(cwd))
        assert [one.origin.place for one in found] == [f"{root}/Cargo.toml"]


@pytest.mark.parametrize("name", ["Cargo.toml", "one/Cargo.toml"])
def test_a_folder_or_a_pipe_in_place_of_a_manifest_is_no_file(name: str, root: Path) -> None:
    for make_other in (os.mkdir, os.mkfifo):
        place = root / name
        place.rmdir() if place.is_dir() else place.unlink()
        make_other(place)
        assert [(file, "cannot be read" in why) for file, _, why in told(root)] == [(name, True)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("one/Cargo.toml", "", ("one/Cargo.toml", 0, "it has no [package], and each member of a workspace has one")),
        ("one/Cargo.toml", "[package]\nversion = '1.0.0'\n",
         ("one/Cargo.toml", 2, '[package] has no name: write name = "…" below it')),
        ("one/Cargo.toml", "[package]\nname = 3\n", ("one/Cargo.toml", 2, "name is text: 3 is not")),
        ("Cargo.toml", "", ("Cargo.toml", 0, "it has neither [package] nor [workspace], and cargo wants one of them")),
        ("Cargo.toml", "[workspace]\nmembers = 'one'\n",
         ("Cargo.toml", 2, 'members is an array of paths, such as ["crates/*"]')),
        ("Cargo.toml", "[workspace]\nresolver = '2'\nmembers = ['gone']\n",
         ("Cargo.toml", 3, 'members names "gone", where there is no Cargo.toml: make it, or take it out')),
    ],
)  # fmt: skip
def test_what_a_manifest_lacks_is_said(name: str, text: str, expected: tuple[str, int, str], root: Path) -> None:
    write(root / name, text)
    assert told(root) == [expected]


def test_an_option_that_names_no_manifest_is_told(root: Path) -> None:
    assert told(root, named="two/Cargo.toml") == [
        ("--manifest-path", 0, 'there is no file "two/Cargo.toml": it takes the path of a Cargo.toml')
    ]


def test_patterns_without_end_are_given_up(root: Path) -> None:
    for number in range(200):
        (root / "many" / f"{number}").mkdir(parents=True)
    assert 0 < len(matching(str(root), "many/*", [100])) <= 100
    assert matching(str(root), "many/\0*", [100]) == []


def test_a_plan_says_of_a_broken_manifest_what_cargo_will_refuse(root: Path) -> None:
    write(root / "crates/two/Cargo.toml", BROKEN)
    env = {"HOME": str(root / "home"), "PATH": "/nowhere", "XDG_CACHE_HOME": str(root / "cache")}
    planned = make.preview(find_paths(env), words=("build",), cwd=str(root / "one"), env=env)
    (finding,) = planned.plan.findings
    assert (finding.id, finding.severity) == ("settings-unusable", "error")
    assert finding.evidence[0].origin.shown == f"{root}/crates/two/Cargo.toml:1"
    assert make.preview(find_paths(env), words=("clean",), cwd=str(root), env=env).plan.findings == ()
