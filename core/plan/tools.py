"""Programs that a build may use: where they are, which version, and whether they run; and those that settings name."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from core.plan.answers import Answers, Question
from core.plan.foreign import first_line
from core.plan.found import Tool
from core.plan.given import Given, Origin, Settings
from core.run.fronts import without_fronts

_Folders = Callable[[Mapping[str, str]], tuple[str, ...]]


def _nowhere(_: Mapping[str, str]) -> tuple[str, ...]:
    return ()


class _Program:
    """How a tool is found and asked."""

    def __init__(self, *files: str, words: tuple[str, ...] = ("--version",), folders: _Folders = _nowhere) -> None:
        self.files = files
        """Its names, the first that is there counts."""
        self.words = words
        self.folders = folders
        """Where it is looked for behind PATH."""


def _cargo_bin(env: Mapping[str, str]) -> tuple[str, ...]:
    """Cargo finds its externals there, too."""
    home = env.get("CARGO_HOME") or (env.get("HOME") or os.path.expanduser("~")) + "/.cargo"
    return (home + "/bin",)


def _cuda_folders(env: Mapping[str, str]) -> tuple[str, ...]:
    """Where CMake and build scripts look for it. Source: CMake 3.25, FindCUDAToolkit."""
    homes = (env.get("CUDA_HOME", ""), env.get("CUDA_PATH", ""), "/usr/local/cuda", "/opt/cuda")
    return tuple(f"{home}/bin" for home in homes if home)


def _own_folder(_: Mapping[str, str]) -> tuple[str, ...]:
    return (os.path.dirname(os.path.abspath(sys.executable)),)


PROGRAMS: dict[str, _Program] = {
    "cc": _Program("cc"),
    "gcc": _Program("gcc"),
    "clang": _Program("clang"),
    "ld": _Program("ld", words=("-v",)),  # the one word that Apple's knows too
    "mold": _Program("ld.mold", "mold"),  # the first is what `-fuse-ld=mold` has a compiler look for
    "lld": _Program("ld.lld"),
    "ld64.lld": _Program("ld64.lld"),
    "wild": _Program("wild"),
    "gold": _Program("ld.gold"),
    "bfd": _Program("ld.bfd"),
    "sccache": _Program("sccache", folders=_own_folder),
    "ccache": _Program("ccache"),
    "nextest": _Program("cargo-nextest", words=("nextest", "--version"), folders=_cargo_bin),
    "cmake": _Program("cmake"),
    "ninja": _Program("ninja", "ninja-build"),
    "make": _Program("make", "gmake"),
    "nvcc": _Program("nvcc", folders=_cuda_folders),
    "cross": _Program("cross", folders=_cargo_bin),
    "musl-gcc": _Program("musl-gcc"),
    "rustup": _Program("rustup", folders=_cargo_bin),
}
NAMES = tuple(PROGRAMS)
_KEYS = ("linker", "rustc-wrapper", "rustc-workspace-wrapper", "rustc")
"""Last words of keys whose value is a program."""
_VARIABLES = ("RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTC")
_MAX_FOLDERS = 1000
_FLAG = "linker="
"""Of rustflags, `-C linker=NAME`."""


def find_tools(
    names: Iterable[str], env: Mapping[str, str], answers: Answers, *, may_ask: bool,
    folders: Sequence[str] | None = None,
) -> dict[str, Tool]:  # fmt: skip
    """Tools by name, those too that are not there. What nobody asked yet is added to `answers.unasked`, unless it may
    be asked now. `folders`: as `search_folders` gives them; None: they are looked for."""
    folders = search_folders(env) if folders is None else folders
    return {name: _find(name, folders, env, answers, may_ask=may_ask) for name in names}


def search_folders(env: Mapping[str, str]) -> list[str]:
    """Those of PATH that exist, each once, without our own fronts; the first thousand, if there are more."""
    found: dict[tuple[int, int], str] = {}
    for folder in without_fronts(env.get("PATH", "")).split(":")[:_MAX_FOLDERS]:
        if not folder.startswith("/"):
            continue  # it is another folder for each program that looks
        try:
            status = os.stat(folder)
        except (OSError, ValueError):
            continue
        found.setdefault((status.st_dev, status.st_ino), folder)
    return list(found.values())


def find_file(name: str, folders: Iterable[str]) -> str:
    """The first program of that name; empty: there is none."""
    for folder in folders:
        path = f"{folder}/{name}"
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def ask_tool(name: str, path: str, env: Mapping[str, str], answers: Answers, *, may_ask: bool) -> Tool:
    """The tool at this path."""
    question = Question(name, PROGRAMS[name].words, _read_nvcc if name == "nvcc" else _read_version)
    answer = answers.find(question, path, env, may_ask=may_ask)
    if answer is None:
        return Tool(name, path, is_asked=False)
    kind, _, numbers = answer.text.partition(" ")
    parts = numbers.split(".")
    version = tuple(map(int, parts)) if all(one.isdecimal() and len(one) < 12 for one in parts) else ()
    why = f"{first_line(path)} {answer.trouble}; install it again, or take it out of PATH" if answer.trouble else ""
    return Tool(name, path, version, why, kind=kind)


def _find(name: str, folders: Sequence[str], env: Mapping[str, str], answers: Answers, *, may_ask: bool) -> Tool:
    program = PROGRAMS.get(name)
    if program is None:
        return Tool(name, find_file(name, folders), is_asked=False)
    if name == "sccache":
        return _newest_sccache(folders, env, answers, may_ask=may_ask)
    every = (*folders, *program.folders(env))
    path = next((path for file in program.files if (path := find_file(file, every))), "")
    return ask_tool(name, path, env, answers, may_ask=may_ask) if path else Tool(name)


def _newest_sccache(folders: Sequence[str], env: Mapping[str, str], answers: Answers, *, may_ask: bool) -> Tool:
    """Of the one that came with us and the first on PATH, as `core.cache.program` takes it."""
    paths = dict.fromkeys(
        path for path in (find_file("sccache", _own_folder(env)), find_file("sccache", folders)) if path
    )
    tools = [ask_tool("sccache", path, env, answers, may_ask=may_ask) for path in paths]
    return max(tools, key=lambda tool: (tool.is_usable, tool.version), default=Tool("sccache"))


def _read_version(text: str) -> str:
    """`gcc 12.2.0`: what it is, where that says more than its name, and its version.

    cc (Debian 12.2.0-14+deb12u1) 12.2.0
    Debian clang version 14.0.6
    GNU ld version 2.41-34.fc39
    cargo-nextest 0.9.100 (58ea6ad4a 2025-05-14)
    """
    lines = text.splitlines()[:8]
    for line in lines:
        found = re.search(r"(?:^|\s)v?(\d+(?:\.\d+)+)", re.sub(r"\([^()]*\)", " ", line))
        if found:
            return f"{_kind_of(text)} {found[1]}"
    return _kind_of(text) + " "


def _read_nvcc(text: str) -> str:
    """Of `Cuda compilation tools, release 13.0, V13.0.88`."""
    found = re.search(r"\bV(\d+(?:\.\d+)+)", text) or re.search(r"release (\d+(?:\.\d+)+)", text)
    return f" {found[1]}" if found else " "


_KINDS = (
    ("mold", "mold"), ("LLD", "lld"), ("GNU gold", "gold"), ("GNU ld", "bfd"), ("Wild", "wild"),
    ("PROJECT:ld", "apple"), ("PROJECT:dyld", "apple"), ("Apple clang", "apple-clang"), ("clang version", "clang"),
    ("Free Software Foundation", "gcc"),
)  # fmt: skip
"""By what the first lines say."""


def _kind_of(text: str) -> str:
    head = text[:1000]
    kind = next((kind for words, kind in _KINDS if words in head), "")
    return kind if kind != "gcc" or re.search(r"gcc|g\+\+|cc\b|GCC", head) else ""


# Programs that settings name


def find_named(settings: Settings, env: Mapping[str, str], cwd: str, folders: Sequence[str]) -> dict[str, Tool]:
    """Those that settings, variables and rustflags name, but for what `core.plan.tools` knows by that name.

    Args:
        settings: Cargo's.
        env: Of the build.
        cwd: Where cargo is started: a path of a variable's is relative to it.
        folders: Of PATH.
    """
    return {
        str(given.value): _look(str(given.value), os.path.join(cwd, program_of(given)), folders)
        for given in _named(settings, env)
        if given.value not in PROGRAMS and "\0" not in given.value
    }


def _look(name: str, path: str, folders: Iterable[str]) -> Tool:
    if "/" not in name:
        return Tool(name, find_file(name, folders), is_asked=False)
    if not os.path.exists(path):
        return Tool(name)
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        return Tool(name, path, trouble="it cannot be executed")
    return Tool(name, path, is_asked=False)


def _named(settings: Settings, env: Mapping[str, str]) -> Iterator[Given]:
    for key, given in settings.values.items():
        if key[-1:] == ("rustflags",):
            yield from _of_flags(given)
        elif key[-1:] and key[-1] in _KEYS and isinstance(given.value, str) and given.value:
            yield given
    for name in _VARIABLES:
        if env.get(name):
            yield Given(env[name], Origin(name))
    for name in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"):
        yield from _of_flags(Given(env.get(name, "").replace("\x1f", " "), Origin(name)))


def _of_flags(given: Given) -> Iterator[Given]:
    words = given.value.split() if isinstance(given.value, str) else given.value
    for word in words if isinstance(words, list) else []:
        value = str(word).removeprefix("-C").strip()
        if value.startswith(_FLAG) and len(value) > len(_FLAG):
            yield Given(value[len(_FLAG) :], Origin("rustflags"))


def program_of(given: Given) -> str:
    """A program that a setting names: a name, or its absolute path. With a slash in a file it is relative to the folder
    that holds the file's own. Source: cargo book, "Configuration", executable paths with config."""
    value = str(given.value)
    if "/" not in value or value.startswith("/"):
        return value
    place = given.origin.place
    base = os.path.dirname(os.path.dirname(place)) if place.startswith("/") else ""
    return os.path.normpath(os.path.join(base, value)) if base else value
