"""Build trees of ninja, make and CMake where somebody stands who has no Cargo.toml, and what built them last."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from core.errors import UsageError
from core.native.staleness.closure import Ask, Made, Owned
from core.native.staleness.doctor import homes_of, toolkits_of
from core.native.staleness.input_state import read_stamp
from core.native.staleness.seen import Seen, remember
from core.native.staleness.tree_made import links_of, made_in
from core.native.staleness.tree_steps import Step, Tree, read_tree
from core.native.traces.build_tree import trees_of
from core.native.traces.cmake_cache import cached_value, cmake_folders, is_cmake_folder
from core.native.traces.directives import Directives
from core.native.traces.fingerprint import ScriptRun
from core.native.traces.nvcc_calls import NvccCall, calls_of_run, seconds_of
from core.paths import Paths
from core.plan.small_file import read_object
from core.run.identity import git_root, workspace_root

MAX_RUNS = 60
"""Of a project, so many of the latest are looked at."""
_MAX_NAMES = 1200
_BUILDERS = ("ninja", "make", "gmake", "cmake", "samu")
_NO_BUILD = ("-E", "-P", "--install", "--version", "--help", "clean", "install")


class ExecRun(NamedTuple):
    """A run of a command that is not cargo."""

    run: str
    words: tuple[str, ...]
    cwd: str
    at: float
    """When it began, seconds since the epoch."""
    is_good: bool = False
    """It ended with 0."""

    @property
    def makes_all(self) -> bool:
        """It names no target."""
        names = [word for word in self.words[1:] if word[:1] != "-" and "=" not in word]
        return self.builds and all(os.path.isdir(os.path.join(self.cwd, name)) or name.isdigit() for name in names)

    @property
    def builds(self) -> bool:
        """It is a build tool that was asked to build."""
        name = os.path.basename(self.words[0])
        if name not in _BUILDERS or any(word in self.words for word in _NO_BUILD):
            return False
        return "--build" in self.words if name == "cmake" else "-t" not in self.words


class TreePlace(NamedTuple):
    """A project that cargo does not build."""

    root: str
    """Its folder: of the git worktree, of the uppermost CMakeLists.txt, or where somebody stands."""
    trees: tuple[Tree, ...]
    env: Mapping[str, str]
    runs: tuple[ExecRun, ...] = ()
    """Newest first."""


class Reading(NamedTuple):
    """What is known of what is made there."""

    made: tuple[Made, ...]
    links: tuple[Step, ...]
    """What nvcc linked, of what."""

    @property
    def inputs(self) -> frozenset[str]:
        """All native inputs."""
        return frozenset(path for made in self.made for path in made.inputs)


def has_no_cargo(cwd: str, tree: str) -> bool:
    """A build tree is meant: one was named, or no Cargo.toml is around."""
    return bool(tree) or workspace_root(cwd, None) is None


def find_trees(paths: Paths, cwd: str, env: Mapping[str, str], named: str = "") -> TreePlace:
    """The build trees of a project.

    Args:
        paths: Ours, for what was built through us.
        cwd: Where somebody stands.
        env: Theirs.
        named: A tree of theirs; empty: all that are found.

    Raises:
        UsageError: There is none.
    """
    start = os.path.realpath(os.path.join(cwd, named) if named else cwd)
    root = project_of(start)
    runs = tuple(exec_runs(paths, root))
    folders = [start] if named else list(_folders(root, os.path.realpath(cwd), runs))
    trees = [tree for folder in dict.fromkeys(folders) if (tree := read_tree(folder)) is not None]
    if not trees and named:
        raise UsageError(f"{start} is no build tree: it has no build.ninja, no makefile")
    if not trees:
        raise UsageError(f"neither a Cargo.toml nor a build tree of CMake, ninja or make is in {root}: build first, or "
                         "name one with --tree")  # fmt: skip
    return TreePlace(root, tuple(trees), env, runs)


def project_of(folder: str) -> str:
    """The folder that a build tree's sources are in, or that somebody's folder belongs to."""
    source = os.path.realpath(cached_value(folder, "CMAKE_HOME_DIRECTORY") or folder)
    if not os.path.isdir(source):
        source = folder
    if root := git_root(source):
        return root
    top, place = source, source
    while place not in ("", "/"):
        top = place if os.path.isfile(place + "/CMakeLists.txt") else top
        place = os.path.dirname(place)
    return top


def _folders(root: str, cwd: str, runs: Sequence[ExecRun]) -> Iterator[str]:
    for run in runs:
        yield from (os.path.realpath(folder) for folder in trees_of(run.words, run.cwd) if os.path.isdir(run.cwd))
    yield from cmake_folders([root])
    yield from (cwd, root)


def exec_runs(paths: Paths, root: str) -> Iterator[ExecRun]:
    """Commands that were run in a project through us, newest first; without those that cannot be repeated."""
    try:
        names = sorted(os.listdir(paths.runs), reverse=True)[:_MAX_NAMES]
    except OSError:
        return
    count = 0
    for name in names:
        run = exec_run(paths, name)
        if run is not None and f"{os.path.realpath(run.cwd)}/".startswith(root + "/"):
            yield run
            count += 1
            if count == MAX_RUNS:
                return


def exec_run(paths: Paths, run: str) -> ExecRun | None:
    """A run of a command that is not cargo; None: it is none, or a credential was left out of its words."""
    record = read_object(f"{paths.run(run)}/run.json")
    words, cwd, at = record.get("typed"), record.get("cwd"), record.get("started")
    if record.get("tool") != "exec" or record.get("is_masked") or not isinstance(cwd, str):
        return None
    if not isinstance(words, list) or not words or not all(isinstance(one, str) for one in words):
        return None
    ended = read_object(f"{paths.run(run)}/exit.json")
    return ExecRun(run, tuple(words), cwd, seconds_of(at) or 0.0, ended.get("code") == 0)


def read_made(paths: Paths, place: TreePlace, ask: Ask | None = None) -> Reading:
    """What is made in the trees, and of what."""
    calls = tuple(_calls(paths, place.runs))
    owned = owned_in(place.root, place.trees, calls, place.env)
    made = tuple(one for tree in place.trees for one in made_in(tree, calls, owned, ask))
    return Reading(tuple(dict((one.output, one) for one in made).values()), links_of(calls))


def owned_in(root: str, trees: Iterable[Tree], calls: Sequence[NvccCall], env: Mapping[str, str]) -> Owned:
    """Tells what somebody edits in a project."""
    apart = [tree.folder for tree in trees if not is_source(tree.folder)]
    return Owned(apart, (root,), (*toolkits_of(calls, env), *homes_of(env)))


def _calls(paths: Paths, runs: Sequence[ExecRun]) -> Iterator[NvccCall]:
    for run in runs:
        yield from calls_of_run(paths, run.run)


def is_source(folder: str) -> bool:
    """Sources lie in it, among what is built."""
    return any(os.path.exists(f"{folder}/{name}") for name in ("CMakeLists.txt", ".git")) or not is_cmake_folder(folder)


def made_by(tree: Tree, made: Iterable[Made]) -> list[Made]:
    """Of what was made that of one tree."""
    outputs = tree.outputs
    return [one for one in made if one.output in outputs or one.output.startswith(tree.folder + "/")]


def remember_tree(state: str, tree: Tree, made: Iterable[Made]) -> Seen:
    """Keep what the outputs of a tree were made of, as far as that is still certain; gives it."""
    own = made_by(tree, made)
    stands_for = ScriptRun("", "", "", "", "", tree.folder, 0, 0, Directives())
    return remember(state, stands_for, own, (), lambda path: read_stamp(path).digest)


def build_words(place: TreePlace) -> tuple[tuple[str, ...], str]:
    """What builds: the last recorded build there, else the first tree as a whole; and where."""
    folders = {tree.folder for tree in place.trees}
    for run in place.runs:
        if (
            run.builds
            and os.path.isdir(run.cwd)
            and folders & {os.path.realpath(one) for one in trees_of(run.words, run.cwd)}
        ):
            return run.words, run.cwd
    tree = place.trees[0]
    if is_cmake_folder(tree.folder):
        return ("cmake", "--build", tree.folder), place.root
    program = "ninja" if tree.kind == "ninja" else "make"
    return (program, "-C", tree.folder), place.root
