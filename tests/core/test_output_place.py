"""What paths tell: profile and package of what was made, and the repository of a checkout."""

import subprocess
from pathlib import Path

from core.native.kernels.output_place import lasting_place, out_dir_of, profile_of
from core.native.kernels.repository import repository_of

OUT = "target/release/build/kern-sys-0123456789abcdef/out/a/k.o"


def test_a_path_in_out_dir_tells_package_and_profile_and_any_other_none() -> None:
    assert (profile_of(f"/w/{OUT}"), lasting_place(OUT), out_dir_of(OUT)) == ("release", "kern-sys/a/k.o", "kern-sys")
    assert (profile_of("/w/out/k.o"), lasting_place("out/k.o"), out_dir_of("/w/out/k.o")) == ("", "out/k.o", "/w/out")


def git(folder: Path, *words: str) -> None:
    """Git, as somebody."""
    name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True)


def test_worktrees_are_of_one_repository_and_clones_of_others(tmp_path: Path) -> None:
    main, clone, tree = tmp_path / "main", tmp_path / "clone", tmp_path / "tree"
    (main / "kern").mkdir(parents=True)
    git(main, "init", "-q")
    git(main, "commit", "-q", "--allow-empty", "-m", "one")
    git(main, "worktree", "add", "-q", str(tree))
    git(tmp_path, "clone", "-q", str(main), str(clone))
    (tree / "kern").mkdir()
    assert repository_of(str(main)) == repository_of(str(tree)) != repository_of(str(clone))
    assert repository_of(str(main / "kern")) == repository_of(str(tree / "kern")) != repository_of(str(main))


def test_a_folder_that_git_does_not_know_and_a_broken_one_are_their_own(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("odd", b"\xff\x00gitdir"), ("gone", b"gitdir: /no/such\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".git").write_bytes(content)
    names = {repository_of(str(tmp_path / name)) for name in ("empty", "odd", "gone")}
    assert len(names) == 3
    assert repository_of("/no/such/folder") == "/no/such/folder"
