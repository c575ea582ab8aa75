"""Which packages differ from the branch point, by a real git in folders of its own."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.plan.changed import Changed, Package, find_changed, members_of


def _run(words: Sequence[str], folder: str) -> bytes | None:
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _git(folder: Path, *words: str) -> None:
    named = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace of a, b (needs a), c (needs b), d below c's folder, committed on main."""
    folder = tmp_path / "ws"
    for name in ("a", "b", "c", "c/d"):
        (folder / "crates" / name / "src").mkdir(parents=True)
        (folder / "crates" / name / "src" / "lib.rs").write_text("// one\n")
    (folder / "Cargo.toml").write_text("[workspace]\n")
    (folder / "notes.md").write_text("hello\n")
    (folder / ".gitignore").write_text("/target\n")
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "one")
    return folder


def _packages(root: Path) -> list[Package]:
    needs = {"a": (), "b": ("a",), "c": ("b",), "c/d": ()}
    return [Package(name[-1], str(root / "crates" / name), frozenset(of)) for name, of in needs.items()]


def _changed(root: Path, *, with_dependants: bool = False) -> Changed:
    return find_changed(str(root), _packages(root), _run, with_dependants=with_dependants)


def _edit(root: Path, name: str) -> None:
    (root / "crates" / name / "src" / "lib.rs").write_text("// two\n")


def test_what_is_not_committed_on_the_main_branch_differs(root: Path) -> None:
    _edit(root, "b")
    assert _changed(root) == Changed(("b",), "1 of 4 packages differ from the last commit, which is on main")


def test_what_a_branch_committed_differs_and_so_does_a_new_file(root: Path) -> None:
    _git(root, "checkout", "-qb", "work")
    _edit(root, "a")
    _git(root, "commit", "-qam", "two")
    (root / "crates" / "c" / "d" / "src" / "new.rs").write_text("// new\n")
    assert _changed(root) == Changed(("a", "d"), "2 of 4 packages differ from the branch point from main")


def test_what_the_main_branch_did_since_does_not_count(root: Path) -> None:
    _git(root, "branch", "work")
    _edit(root, "a")
    _git(root, "commit", "-qam", "on main")
    _git(root, "checkout", "-q", "work")
    _edit(root, "c")
    assert _changed(root).packages == ("c",)


def test_a_renamed_file_concerns_where_it_was_and_where_it_is(root: Path) -> None:
    _git(root, "mv", "crates/a/src/lib.rs", "crates/b/src/moved.rs")
    assert _changed(root).packages == ("a", "b")


def test_dependants_are_taken_where_they_are_asked_for(root: Path) -> None:
    _edit(root, "a")
    assert _changed(root, with_dependants=True) == Changed(
        ("a", "b", "c"), "1 of 4 packages differ from the last commit, which is on main, and 2 that need them"
    )


@pytest.mark.parametrize("name", ["Cargo.lock", "Cargo.toml", "rust-toolchain.toml", ".cargo/config.toml"])
def test_what_concerns_all_packages_takes_all(root: Path, name: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("# other\n")
    found = _changed(root)
    assert found.packages is None
    assert found.reason.startswith(f"{name} differs from the last commit")


def test_files_of_no_package_and_ignored_ones_take_none_so_all_are(root: Path) -> None:
    (root / "notes.md").write_text("other\n")
    (root / "target").mkdir()
    (root / "target" / "x").write_text("x")
    found = _changed(root)
    assert found.packages is None
    assert found.reason.startswith("no package differs from the last commit")


def test_without_git_or_a_commit_all_are_taken(tmp_path: Path) -> None:
    packages = [Package("a", str(tmp_path), frozenset())]
    assert find_changed(str(tmp_path), packages, lambda words, folder: None, with_dependants=False).packages is None
    _git(tmp_path, "init", "-q")
    assert "no commit" in find_changed(str(tmp_path), packages, _run, with_dependants=False).reason


def test_a_workspace_below_the_top_and_behind_a_link_is_found(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    _edit(root, "c")
    assert find_changed(str(link), _packages(link), _run, with_dependants=False).packages == ("c",)


def test_names_with_newlines_and_other_bytes_are_names(root: Path) -> None:
    with open(os.fsencode(root) + b"/crates/b/src/a\n\xff.rs", "wb") as file:
        file.write(b"//")
    assert _changed(root).packages == ("b",)


def test_members_and_what_they_need_are_read_from_metadata() -> None:
    metadata = {
        "packages": [
            {"name": "a", "manifest_path": "/w/a/Cargo.toml", "dependencies": [{"name": "serde", "path": None}]},
            {"name": "b", "manifest_path": "/w/b/Cargo.toml", "dependencies": [{"name": "a", "path": "/w/a"}]},
        ]
    }
    assert members_of(metadata) == (Package("a", "/w/a", frozenset()), Package("b", "/w/b", frozenset({"a"})))
    assert members_of({"packages": "x"}) == ()
    assert members_of({"packages": [1, {}, {"name": "a"}]}) == ()
