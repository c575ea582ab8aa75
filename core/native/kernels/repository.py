"""Which repository a checkout is of, by git's own files: two worktrees are of one, and a clone is of another."""

import os

from core.run.identity import git_root

_MOST_BYTES = 4096


def repository_of(checkout: str) -> str:
    """Names the repository, and the place of a checkout in it; the checkout itself where git knows nothing of it.

    A `.git` file has `gitdir: PATH`, the folder there a file `commondir`, relative to it. Source: gitrepository-layout.
    """
    root = git_root(checkout)
    common = _common_dir(root) if root is not None else ""
    if root is None or not common:
        return checkout
    return f"{os.path.realpath(common)}\n{os.path.relpath(checkout, root)}"


def _common_dir(root: str) -> str:
    """The folder that all worktrees of a repository share; empty: it is not known."""
    git = root + "/.git"
    if os.path.isdir(git):
        return git
    told = _first_line(git)
    if not told.startswith("gitdir:"):
        return ""
    folder = os.path.join(root, told.removeprefix("gitdir:").strip())
    return os.path.join(folder, _first_line(folder + "/commondir") or ".")


def _first_line(path: str) -> str:
    """Of a small file; empty: it cannot be read."""
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            return os.fsdecode(file.readline(_MOST_BYTES)).strip()
    except (OSError, ValueError):
        return ""
