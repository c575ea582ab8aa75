"""The front before nvcc: a folder that looks like the toolkit, so that whoever derives its root from nvcc's path finds
all of it; and a launcher for CMake, which notes the path of its compiler."""

import os
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from core.plan.small_file import read_head
from core.run.path_watchers import folders_in, script_folders

LAUNCHER, PROGRAM = "CMAKE_CUDA_COMPILER_LAUNCHER", "DECK_NVCC"
LAUNCH = '/bin/sh;-c;exec ${DECK_NVCC:+"$DECK_NVCC"} "$@";nvcc'
"""What CMake notes as launcher: a build tree that has it works without us."""
AHEAD = "DECK_NVCC_AHEAD"
"""1: the front makes its call ahead, and nobody waits for it."""
PROGRAMS = "CMAKE_PROGRAM_PATH"
"""Folders in which CMake looks for programs before it looks in PATH."""
MARK = "/fronts/nvcc-"
"""In the path of each folder that mirrors a toolkit."""
_TOOLS = (
    "ptxas", "fatbinary", "nvlink", "cudafe++", "cuobjdump", "nvdisasm", "nvprune", "bin2c", "cu++filt", "nvcc.profile",
    "crt", "__nvcc_device_query", "compute-sanitizer", "cuda-gdb", "cuda-memcheck", "nvprof", "nsys", "ncu", "tileiras",
)  # fmt: skip
"""What else is linked of the folder of nvcc, which may be `/usr/bin`."""
_MAX_ENTRIES = 500
_MAX_TREES = 2000
_DEPTH = 3
_CMAKE = b"cmake"
_MAX_CACHE_BYTES = 1 << 22
_TAKES_FRONT = frozenset(("nvcc", "ninja", "make", "gmake", "just", "sh", "bash", "dash", "zsh", "env"))
"""Programs before which nvcc's front may stand in PATH. Others may note where it was."""
_BUILDS = frozenset(("cmake", "ctest"))
_RULES = ("Makefile", "makefile", "GNUmakefile", "justfile", "build.ninja")
_GOES_BY_RULES = (b"make", b"ninja", b"just")
_NOTES_PATHS = (b"meson", b"configure", b"setup.py", b"pip install", b"bazel")
"""Words of scripts and rules that have something make a build tree, which notes where its compiler is; `cmake` is
another one, which can be told where nvcc is."""
_OF_ALL = ("sh", "env", "cc", "gcc", "python3", "perl", "cmake", "make", "ninja", "git")
"""Programs that stand in folders which are not a toolkit's alone."""
_SHELL = rb"#!.*\b(?:sh|bash|dash|zsh|ksh)\b"
"""Begins a script. Compiled where it is needed: that takes 0.3 ms, and most builds have no nvcc."""
_MAX_SCRIPT_BYTES = 1 << 18


class Toolkit(NamedTuple):
    """Where an nvcc stands."""

    nvcc: str
    """As PATH or a variable names it."""
    bin: str
    """Without symbolic links, as the root."""

    @property
    def root(self) -> str:
        """The folder that has `include` and `lib64`."""
        return os.path.dirname(self.bin)


def find_toolkit(path: str) -> Toolkit | None:
    """That of the first nvcc on PATH; None: there is none. `path`: without fronts."""
    for folder in path.split(":"):
        if folder.startswith("/") and _is_program(f"{folder}/nvcc"):
            return toolkit_of(f"{folder}/nvcc")
    return None


def has_cuda(env: dict[str, str], found: Toolkit | None) -> bool:
    """CMake would find an nvcc: on PATH, by a variable, or where toolkits usually are."""
    homes = [env.get(name, "") for name in ("CUDA_PATH", "CUDA_HOME", "CUDA_ROOT", "CUDAToolkit_ROOT")]
    usual = any(_is_program(f"{home}/bin/nvcc") for home in (*filter(None, homes), "/usr/local/cuda"))
    return found is not None or bool(env.get("CUDACXX")) or usual


def toolkit_of(nvcc: str) -> Toolkit | None:
    """That of an nvcc; None: nothing can stand for it."""
    real = os.path.realpath(nvcc)
    found = Toolkit(nvcc, os.path.dirname(real))
    return found if _is_program(nvcc) and found.root not in ("", "/") and nvcc.isprintable() else None


def is_alone(toolkit: Toolkit, path: str) -> bool:
    """No other program on PATH has the name of one that would come before it with this toolkit's folder. A folder is
    none: a toolkit of links has its own `crt`."""
    names = [name for name in _TOOLS if _is_program(f"{toolkit.bin}/{name}")]
    for folder in path.split(":"):
        if not names:
            break
        here = [name for name in names if folder and os.access(f"{folder}/{name}", os.X_OK)]
        if any(os.path.realpath(f"{folder}/{name}") != os.path.realpath(f"{toolkit.bin}/{name}") for name in here):
            return False
        names = [name for name in names if name not in here]
    return True


def has_own_folder(toolkit: Toolkit) -> bool:
    """Its programs stand apart from those of the system: CMake may look there first."""
    folder = os.path.dirname(toolkit.nvcc)
    return not any(os.access(f"{folder}/{name}", os.X_OK) for name in _OF_ALL)


def cmakes_own(toolkit: Toolkit, env: dict[str, str]) -> tuple[str, str]:
    """The variable by which CMake finds the real nvcc, although the front is the first one on PATH: it notes its path
    in build trees."""
    given, folder = env.get(PROGRAMS, ""), os.path.dirname(toolkit.nvcc)
    return PROGRAMS, f"{given}:{folder}" if given else folder


def mirror(fronts: str, toolkit: Toolkit) -> str:
    """The folder with the front, for PATH. `fronts`: of all fronts.

    Raises:
        OSError: it cannot be made.
    """
    key = zlib.crc32("\0".join(toolkit).encode("utf-8", "surrogateescape"))
    top = f"{fronts}/nvcc-{key:08x}"
    folder = f"{top}/{os.path.basename(toolkit.bin)}"
    os.makedirs(folder, 0o700, exist_ok=True)
    entries = os.listdir(toolkit.root)
    if len(entries) > _MAX_ENTRIES:
        raise OSError(f"{toolkit.root} is no toolkit")
    mine = {os.path.basename(toolkit.bin)}
    _link_all(top, {name: f"{toolkit.root}/{name}" for name in entries if name not in mine}, mine)
    tools = {name: f"{toolkit.bin}/{name}" for name in _TOOLS if os.path.exists(f"{toolkit.bin}/{name}")}
    _link_all(folder, {**tools, ".nvcc": toolkit.nvcc}, {"nvcc"})
    _link_front(os.path.realpath(f"{fronts}/cc/cc"), f"{folder}/nvcc")
    return folder


def _link_all(folder: str, wanted: dict[str, str], mine: set[str]) -> None:
    """Have symbolic links in a folder, and no others. Where they lead to never changes: its name tells."""
    there = {name for name in os.listdir(folder) if name not in mine}
    for name in wanted.keys() - there:
        try:
            os.symlink(wanted[name], f"{folder}/{name}")
        except FileExistsError:
            pass  # another run was first
    for name in there - wanted.keys():
        if os.path.islink(f"{folder}/{name}"):
            os.unlink(f"{folder}/{name}")


def _link_front(front: str, path: str) -> None:
    """A hard link: to follow symbolic ones would lead out of the folder."""
    try:
        if os.path.samefile(front, path):
            return
    except FileNotFoundError:
        pass
    fresh = f"{path}.{os.getpid()}"
    os.link(front, fresh)
    os.replace(fresh, path)


def has_other_tree(build_dir: str | None, root: str | None) -> bool:
    """A build tree of CMake's has no launcher of ours: told of one, it would compile all of its kernels anew."""
    trees = [*(_trees_of_scripts(build_dir) if build_dir else ()), *(_trees_in(root) if root else ())]
    return any(_lacks_launcher(f"{tree}/CMakeCache.txt") for tree in trees[:_MAX_TREES])


def _trees_of_scripts(build_dir: str) -> list[str]:
    """`[TRIPLE/]PROFILE/build/PACKAGE-HASH/out[/NAME]`."""
    outs = [f"{package}/out" for package in script_folders(build_dir)]
    return [tree for out in outs for tree in (out, *folders_in(out))]


def _trees_in(root: str) -> list[str]:
    return [folder for folder in folders_in(root) if "build" in os.path.basename(folder)]


def _lacks_launcher(cache: str) -> bool:
    """A tree with kernels."""
    if not os.path.exists(cache):
        return False
    content = read_head(cache, _MAX_CACHE_BYTES) or b""
    return b"\nCMAKE_CUDA_COMPILER:" in content and LAUNCH.encode() not in content


class Command(NamedTuple):
    """A command that is not cargo."""

    words: tuple[str, ...]
    cwd: str
    script: bytes | None
    """What a shell's script says: the program itself, or the first file that a shell is given; None: there is none."""

    @property
    def program(self) -> str:
        """Its name."""
        return os.path.basename(self.words[0])

    @property
    def may_compile(self) -> bool:
        """It is of the kind that calls nvcc: a build tool, a script of a shell, nvcc itself."""
        return self.program in _BUILDS or self.program in _TAKES_FRONT or self.script is not None


def read_command(words: tuple[str, ...], cwd: str, path: str) -> Command:
    """A command as it would be started. `path`: PATH, without fronts."""
    return Command(words, cwd, _script_of(words, cwd, path))


def texts_of(command: Command) -> tuple[bytes, ...]:
    """All that tells what a command starts, in small letters: its words, its script, and the rules of the folder that
    it works in, where one of those has what goes by rules. Of nvcc itself nothing: it starts no build."""
    if command.program == "nvcc":
        return ()
    words = " ".join(command.words).encode("utf-8", "replace")
    texts = tuple((text or b"").lower() for text in (words, command.script))
    if not any(word in text for text in texts for word in _GOES_BY_RULES):
        return texts
    rules = (read_head(f"{_folder_of(command)}/{name}", _MAX_SCRIPT_BYTES) for name in _RULES)
    return (*texts, *((text or b"").lower() for text in rules))


def takes_front(command: Command, texts: Iterable[bytes], *, has_cmake_told: bool) -> bool:
    """It may find the front in PATH: it keeps no note of where nvcc was.

    Args:
        command: Which.
        texts: `texts_of` it.
        has_cmake_told: CMake notes the real one.
    """
    if command.program == "nvcc":
        return "/" not in command.words[0]
    if command.program in _BUILDS:
        return has_cmake_told
    if command.program not in _TAKES_FRONT and command.script is None:
        return False
    noters = _NOTES_PATHS if has_cmake_told else (_CMAKE, *_NOTES_PATHS)
    return not any(word in text for text in texts for word in noters)


def _script_of(words: tuple[str, ...], cwd: str, path: str) -> bytes | None:
    for word in words:
        folders = [cwd] if "/" in word or word != words[0] else path.split(":")
        file = next((file for file in (os.path.join(folder, word) for folder in folders) if os.path.isfile(file)), None)
        content = read_head(file, _MAX_SCRIPT_BYTES) if file else None
        if content is not None and re.match(_SHELL, content):
            return content
    return None


def _folder_of(command: Command) -> str:
    """Where make and ninja work: what `-C` names."""
    return next(_named(command, "-C"), command.cwd)


def _named(command: Command, flag: str) -> Iterator[str]:
    """Folders behind a flag, in the same word or the next."""
    words = command.words
    for at, word in enumerate(words):
        if word.startswith(flag):
            yield os.path.join(command.cwd, word[2:] or (words[at + 1] if at + 1 < len(words) else ""))


def makes_tree(command: Command, texts: Iterable[bytes]) -> bool:
    """CMake makes a build tree, and configures none again that has kernels and no launcher: it would take the launcher
    up, and compile them all anew. `texts`: `texts_of` the command."""
    words = command.words
    if any(word.startswith(f"-D{LAUNCHER}") for word in words):
        return False
    if command.program != "cmake":
        is_taken = command.program in _TAKES_FRONT or command.script is not None
        return is_taken and any(_CMAKE in text for text in texts) and not _has_old_tree(command)
    if any(word in words for word in ("--build", "--install", "-E", "-P")):
        return False
    if any(word.startswith("--preset") for word in words):
        return not _has_old_tree(command)
    *_, tree = (command.cwd, *_named(command, "-B"))
    named = (os.path.join(command.cwd, word) for word in words[1:] if word[:1] != "-")
    return not any(os.path.exists(f"{folder}/CMakeCache.txt") for folder in (tree, *named))


def _has_old_tree(command: Command) -> bool:
    """In the folder that it works in, three levels below, or beside it."""
    top = _folder_of(command)
    found = [top, command.cwd, *folders_in(os.path.dirname(command.cwd))]
    level = [command.cwd]
    for _ in range(_DEPTH):
        level = [folder for parent in level for folder in folders_in(parent) if os.path.basename(folder)[:1] != "."]
        level = level[:_MAX_TREES]
        found += level
    return any(_lacks_launcher(f"{folder}/CMakeCache.txt") for folder in found)


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and os.path.isfile(path)
