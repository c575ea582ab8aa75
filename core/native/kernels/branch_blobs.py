"""Sources as they were where the branch began: git's names for their content there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from core.git import ask_git
from core.plan.changed import branch_point

_TIMEOUT_S = 10.0
_MAX_PLACES = 5000
Git = Callable[[Sequence[str], str, bytes], bytes | None]
"""Runs a command line in a folder with a text as its input; its output, None where it failed."""


class BranchPoint(NamedTuple):
    """Where a branch began."""

    commit: str
    """Empty: it is not known, and `name` says nothing."""
    name: str
    """`the branch point from main`."""
    blobs: dict[str, str]
    """Git's name for each source that was there, by its place below the checkout."""


def branch_blobs(checkout: str, places: Iterable[str], git: Git) -> BranchPoint:
    """What sources of a checkout were at its branch point.

    Args:
        checkout: Its root.
        places: Sources below it; others are left out.
        git: Runs git.
    """
    commit, name = branch_point(checkout, lambda argv, folder: git(argv, folder, b""))
    wanted = [place for place in places if place and not place.startswith("/") and "\n" not in place][:_MAX_PLACES]
    if not commit or not wanted:
        return BranchPoint(commit, name, {})
    asked = "".join(f"{commit}:./{place}\n" for place in wanted).encode("utf-8", "replace")
    said = git(("git", "cat-file", "--batch-check=%(objectname) %(objecttype)"), checkout, asked)
    rows = said.decode("utf-8", "replace").splitlines() if said is not None else []
    found = [row.split(" ") for row in rows]
    if len(found) != len(wanted):
        return BranchPoint(commit, name, {})
    blobs = {place: row[0] for place, row in zip(wanted, found, strict=True) if row[1:] == ["blob"]}
    return BranchPoint(commit, name, blobs)


def branch_points(sources: Iterable[tuple[str, str]], git: Git) -> dict[str, BranchPoint]:
    """The same of several checkouts, by checkout. `sources`: checkout and place of each."""
    places: dict[str, set[str]] = {}
    for checkout, place in sources:
        places.setdefault(checkout, set()).add(place)
    return {checkout: branch_blobs(checkout, sorted(own), git) for checkout, own in places.items()}


def blobs_of(points: Mapping[str, BranchPoint]) -> dict[tuple[str, str], str]:
    """Git's names for sources by checkout and place."""
    return {(checkout, place): blob for checkout, point in points.items() for place, blob in point.blobs.items()}


def git_of(env: Mapping[str, str]) -> Git:
    """Git as it is in a checkout."""
    return lambda argv, folder, text: ask_git(argv[1:], folder, env, text, _TIMEOUT_S)
