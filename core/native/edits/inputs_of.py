"""What a build reads of the files here: by cargo's and compilers' own dependency files, build scripts, CMake and notes.

What lies in a registry, a toolchain or the system is left out: it does not change while somebody edits.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.folder import names_in
from core.native.traces import build_tree
from core.native.traces.cargo_said import Package, read_log
from core.native.traces.directives import read_directives
from core.native.traces.nvcc_calls import NvccCall, calls_of_run
from core.native.traces.nvcc_closure import closure_of
from core.native.traces.tree_files import source_files
from core.paths import Paths
from core.run.config_files import config_files
from core.values import dataclass

_MOST_FILES = 50_000
_ENDINGS = ("rlib", "rmeta", "so", "a", "dylib", "wasm")
"""Of artifacts, before which stands the name of their dep-info."""
_SETTINGS = ("Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", "deck.toml")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a build reads."""

    files: frozenset[str] = frozenset()
    """Absolute paths; some may not exist, and be read as soon as they do."""
    trees: frozenset[str] = frozenset()
    """Folders in which every new file counts."""
    build_scripts: frozenset[str] = frozenset()
    """Sources of those."""
    cmake_files: frozenset[str] = frozenset()
    """Those of the files that CMake reads: it configures anew."""
    is_exact: bool = True
    """False: a part is all that is not ignored, because nobody says what is read."""

    def joined(self, other: "Inputs") -> "Inputs":
        """Both together."""
        return Inputs(self.files | other.files, self.trees | other.trees, self.build_scripts | other.build_scripts,
                      self.cmake_files | other.cmake_files, self.is_exact and other.is_exact)  # fmt: skip

    @property
    def folders(self) -> frozenset[str]:
        """Folders that are to be watched: of each file, where a link leads to, and the trees."""
        found = {os.path.dirname(path) for path in self.files}
        found |= {os.path.dirname(os.path.realpath(path)) for path in self.files}
        return frozenset(found | self.trees)


@dataclass(frozen=True, slots=True)
class Subject:
    """A run whose inputs are wanted."""

    run: str
    tool: str
    """`cargo` or `exec`."""
    words: tuple[str, ...]
    cwd: str
    checkout: str
    target_dir: str | None
    env: Mapping[str, str]
    is_whole: bool = True
    """It was not cut short and did not fail: all that it needs was looked at."""


def inputs_of(paths: Paths, subject: Subject, earlier: Iterable[str] = ()) -> Inputs:
    """What a run read, as far as files tell after it.

    Args:
        paths: Where runs lie.
        subject: The run.
        earlier: Runs before it in the same checkout, newest last: calls of nvcc that were not needed again are
            found in them.
    """
    is_left_out = _Outside(subject.env)
    packages = read_log(paths.run(subject.run) + "/out.log").packages if subject.tool == "cargo" else ()
    found = _of_cargo(packages, subject) if subject.tool == "cargo" else _of_command(subject)
    out_dirs = frozenset(out_dir for package in packages for out_dir in package.out_dirs)
    native = frozenset(_of_notes(paths, (*earlier, subject.run), out_dirs))
    files = {path for path in found.files | native if not is_left_out(path)}
    if subject.target_dir:
        files = {path for path in files if not path.startswith(subject.target_dir + "/")}
    exact = Inputs(
        frozenset(sorted(files)[:_MOST_FILES]), found.trees, found.build_scripts, found.cmake_files & files,
        found.is_exact,
    )  # fmt: skip
    if subject.tool == "cargo" or (exact.files and found.files | native):
        return exact
    below = source_files(subject.cwd)
    return Inputs(frozenset(below), _folders_of(subject.cwd, below), is_exact=False)


class _Outside:
    """Tells what does not change here."""

    def __init__(self, env: Mapping[str, str]) -> None:
        home = env.get("HOME") or os.path.expanduser("~")
        cargo = env.get("CARGO_HOME") or home + "/.cargo"
        rustup = env.get("RUSTUP_HOME") or home + "/.rustup"
        toolkits = [value for name in ("CUDA_HOME", "CUDA_PATH", "CUDAToolkit_ROOT") if (value := env.get(name))]
        self._prefixes = tuple(f"{folder.rstrip('/')}/" for folder in (
            "/usr", "/lib", "/lib64", "/proc", "/sys", "/dev", cargo + "/registry", cargo + "/git", rustup, *toolkits,
        ))  # fmt: skip

    def __call__(self, path: str) -> bool:
        return path.startswith(self._prefixes) or "\0" in path


def _of_cargo(packages: Sequence[Package], subject: Subject) -> Inputs:
    files = set(_settings_of(subject, packages))
    trees: set[str] = set()
    scripts: set[str] = set()
    cmake: set[str] = set()
    is_exact = True
    for package in packages:
        files |= set(_dep_info(package, subject.checkout)) | set(package.sources)
        scripts |= set(package.build_scripts)
        for out_dir in package.out_dirs:
            found = _of_build_script(package.folder, out_dir)
            files, trees, cmake = files | found.files, trees | found.trees, cmake | found.cmake_files
            is_exact = is_exact and found.is_exact
    if not packages or not subject.is_whole:
        # A build that failed did not say what the rest reads.
        for folder in [package.folder for package in packages] or [subject.checkout]:
            files |= set(source_files(folder))
        is_exact = False
    return Inputs(frozenset(files), frozenset(trees), frozenset(scripts), frozenset(cmake), is_exact)


def _settings_of(subject: Subject, packages: Iterable[Package]) -> Iterator[str]:
    for name in _SETTINGS:
        yield f"{subject.checkout}/{name}"
    for package in packages:
        yield package.folder + "/Cargo.toml"
    yield f"{subject.checkout}/.cargo/config.toml"
    yield from config_files(subject.cwd, subject.env, subject.env.get("HOME") or os.path.expanduser("~"))


def _dep_info(package: Package, checkout: str) -> Iterator[str]:
    """Sources of the units of a package, as rustc's and cargo's dep-info beside the artifacts say."""
    for path in {depfile for artifact in package.artifacts for depfile in _beside(artifact)}:
        for name in build_tree.prerequisites(path):
            if name.startswith("/"):
                yield os.path.normpath(name)
            else:  # rustc was started in the workspace's root, or in the package's folder outside of it
                inside = os.path.normpath(os.path.join(checkout, name))
                yield inside if os.path.exists(inside) else os.path.normpath(os.path.join(package.folder, name))


def _beside(artifact: str) -> Iterator[str]:
    folder, name = os.path.split(artifact)
    bare, _, ending = name.rpartition(".")
    stem = bare if ending in _ENDINGS else name
    yield f"{folder}/{stem}.d"
    if stem.startswith("lib"):
        yield f"{folder}/{stem[3:]}.d"
    if name == "build-script-build" or name.startswith("build-script-"):
        yield from (f"{folder}/{one}" for one in names_in(folder) if one.endswith(".d"))


def _of_build_script(folder: str, out_dir: str) -> Inputs:
    """What a build script says is to be watched, and what the tools that it called left in OUT_DIR."""
    output = read_directives(build_tree.read(os.path.dirname(out_dir) + "/output"))
    native, cmake = build_tree.read_in(out_dir)
    if output.is_empty:
        scanned = source_files(folder)
        return Inputs(frozenset(scanned) | native, _folders_of(folder, scanned), cmake_files=cmake)
    files, trees = set(native), set[str]()
    for declared in output.changed:
        path = os.path.normpath(os.path.join(folder, declared.path))
        if os.path.isdir(path):
            below = list(build_tree.all_files(path))
            trees |= _folders_of(path, below)
            files |= set(below)
        else:
            files.add(path)
    return Inputs(frozenset(files), frozenset(trees), cmake_files=cmake)


def _folders_of(folder: str, files: Iterable[str]) -> frozenset[str]:
    """A folder and those below it that hold something."""
    return frozenset((folder, *map(os.path.dirname, files)))


def _of_command(subject: Subject) -> Inputs:
    """Of a command that is not cargo: what the build trees say that its words and its folder name."""
    files: set[str] = set()
    cmake: set[str] = set()
    for tree in build_tree.trees_of(subject.words, subject.cwd):
        found = build_tree.read_in(tree, is_apart=tree != subject.cwd)
        files, cmake = files | found.files, cmake | found.cmake_files
    return Inputs(frozenset(files), cmake_files=frozenset(cmake))


def native_inputs(paths: Paths, runs: Iterable[str]) -> frozenset[str]:
    """What calls of nvcc that these runs noted read, without the toolkit's own."""
    return frozenset(_of_notes(paths, runs, frozenset()))


def _of_notes(paths: Paths, runs: Iterable[str], out_dirs: frozenset[str]) -> Iterator[str]:
    """Closures of calls of nvcc that the runs noted, the last one of each output; those of other build scripts than
    these are left out."""
    calls: dict[tuple[str, tuple[str, ...]], NvccCall] = {}
    for run in runs:
        calls |= {(call.output, call.sources): call for call in calls_of_run(paths, run) if call.sources}
    for call in calls.values():
        if call.out_dir and out_dirs and call.out_dir not in out_dirs:
            continue
        toolkit = os.path.dirname(os.path.dirname(os.path.realpath(call.tool))) if call.tool else "\0"
        yield from (path for path in closure_of(call) if not path.startswith(toolkit + "/"))
