"""Programs that settings name, by the words that name them: whether they are there. None is started."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.plan.found import Tool
from core.plan.given import Given, Origin, Settings
from core.plan.target import program_of
from core.plan.tools import PROGRAMS, find_file

_KEYS = ("linker", "rustc-wrapper", "rustc-workspace-wrapper", "rustc")
"""Last words of keys whose value is a program."""
_VARIABLES = ("RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTC")
_FLAG = "linker="
"""Of rustflags, `-C linker=NAME`."""


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
        return Tool(name, path, trouble="it is no file that can be executed")
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
