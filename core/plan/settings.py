"""Cargo's settings, each with the place that says it: config files and what they include, variables, `--config`.

Source: cargo 1.95, `GlobalContext`, and its book, "Configuration".
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from core.plan.given import Given, Key, Origin, Settings, Trouble, dotted
from core.run.config_files import config_files

_FILE, _VARIABLE, _CLI, _DIRECT = range(4)
"""What counts more, from the least."""
_MAX_FILES = 200
_MAX_CHAIN = 30
_NOT_JOINED = ("runner", "browser", "credential-provider")
"""Arrays that are programs: the nearest one is taken as it is. Source: cargo 1.95, `NON_MERGEABLE_LISTS`."""
CONFIG = "--config"
_PREFIXES = ("CARGO_", "RUSTC", "RUSTD", "RUSTF")
"""Of variables that set something."""
_Piece = tuple[Key, Given, int]
"""With what counts more than what: above."""


def read_settings(
    cache: str, *, cwd: str, env: Mapping[str, str], home: str, given: Sequence[str] = (), root: str = ""
) -> Settings:
    """What applies to a cargo that is started in `cwd`.

    `cache`: folder of cargo-deck's cache; empty: nothing is kept. `given`: values of `--config`, in their order.
    `root`: of the workspace, whose manifest's profiles are read too; empty: none.
    """
    reader = _Reader(cache, cwd)
    for path in reversed(config_files(cwd, env, home)):
        reader.read_file(path, _FILE)
    for value in given:
        reader.read_given(value)
    troubles = reader.troubles
    pieces = [*reader.pieces, *_of_variables(env, [key for key, _, _ in reader.pieces])]
    pieces.sort(key=_rank)
    values = merge(pieces, troubles)
    settings = Settings(
        values=values,
        every=tuple((key, given) for key, given, _ in reversed(pieces)),
        files=tuple(reader.files()),
        troubles=(*troubles, *_wrong_types(values)),
    )
    return with_manifest(cache, settings, root)


def with_manifest(cache: str, settings: Settings, root: str) -> Settings:
    """The same with the profiles of a workspace's manifest."""
    if not root:
        return settings
    from core.plan.toml_file import read_leaves

    manifest = read_leaves(cache, root + "/Cargo.toml", "profile")
    troubles = (*settings.troubles, *manifest.troubles, *_wrong_types(manifest.leaves))
    return settings._replace(manifest=manifest.leaves, troubles=troubles)


def _wrong_types(values: Mapping[Key, Given]) -> tuple[Trouble, ...]:
    if not values:
        return ()
    from core.plan.setting_types import wrong_types

    return tuple(wrong_types(values))


def _rank(piece: _Piece) -> int:
    return piece[2]


def _of_variables(env: Mapping[str, str], names: Sequence[Key]) -> list[_Piece]:
    if not any(name.startswith(_PREFIXES) and name != "CARGO_HOME" for name in env):
        return []
    from core.plan.variables import find_variables

    found = find_variables(env, names)
    return [
        (key, Given(value, Origin(name)), _DIRECT if is_direct else _VARIABLE) for key, name, value, is_direct in found
    ]


def _is_flags(key: Key) -> bool:
    return key[-1] in ("rustflags", "rustdocflags")


def _words(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else str(value).split()


def merge(pieces: Iterable[_Piece], troubles: list[Trouble]) -> dict[Key, Given]:
    """What counts of pieces that come in the order of their rank, those that count less first."""
    values: dict[Key, Given] = {}
    told: dict[Key, Given] = {}
    variables: dict[Key, Given] = {}
    for key, given, rank in pieces:
        before = values.get(key)
        if rank == _VARIABLE:
            variables[key] = given
        elif rank != _DIRECT:
            if key in told and (clash := _clash(key, told[key], given)):
                troubles.append(clash)
                before = None
            told[key] = given
        if before is None or rank == _DIRECT:
            values[key] = given
        elif rank == _VARIABLE:
            values[key] = _with_variable(key, before, given)
        else:
            values[key] = _with_config(before, given, variables.get(key), key)
    troubles += _tables_and_values(told)
    return values


def _tables_and_values(told: Mapping[Key, Given]) -> Iterator[Trouble]:
    for key, given in told.items():
        above = next((key[:size] for size in range(1, len(key)) if key[:size] in told), None)
        if above is not None:
            why = f"{dotted(above)} is a table here and none in {told[above].origin.shown}: cargo refuses both together"
            yield Trouble(given.origin, why)


def _with_variable(key: Key, before: Given, given: Given) -> Given:
    is_joined = isinstance(before.value, list) or _is_flags(key)
    if not is_joined or key[-1] in _NOT_JOINED:
        return given
    return Given([*_words(before.value), *_words(given.value)], given.origin)


def _with_config(before: Given, given: Given, variable: Given | None, key: Key) -> Given:
    """A file's or `--config`'s over what was `before`, which holds what a `variable` says."""
    if key[-1] in _NOT_JOINED:
        return given
    if isinstance(given.value, list):
        return Given([*_words(before.value), *given.value], given.origin)
    if variable is not None and _is_flags(key):
        return Given([*_words(variable.value), *_words(given.value)], given.origin)
    return given


def _clash(key: Key, told: Given, given: Given) -> Trouble | None:
    is_array = isinstance(given.value, list)
    if isinstance(told.value, list) == is_array:
        return None
    why = f"{dotted(key)} is {'an' if is_array else 'no'} array here and {'none' if is_array else 'one'} in "
    return Trouble(given.origin, f"{why}{told.origin.shown}: cargo refuses both together")


class _Reader:
    """Reads files and `--config`, those that count less first."""

    def __init__(self, cache: str, cwd: str) -> None:
        self.cache = cache
        self.cwd = cwd
        self.pieces: list[_Piece] = []
        self.troubles: list[Trouble] = []
        self._read: list[list[str]] = []
        self._given: set[str] = set()

    def files(self) -> list[str]:
        """Nearest first."""
        return [path for group in reversed(self._read) for path in group]

    def read_file(self, path: str, rank: int, seen: set[str] | None = None) -> None:
        """With what it includes."""
        group: list[str] = []
        self._file(path, rank, (), set() if seen is None else seen, group)
        self._read.append(group)

    def _file(self, path: str, rank: int, chain: tuple[str, ...], seen: set[str], group: list[str]) -> None:
        from core.plan.toml_file import read_leaves

        file = read_leaves(self.cache, path)
        self.troubles += file.troubles
        group.append(path)
        seen.add(path)
        include = file.leaves.get(("include",))
        if include is not None:
            self._includes(include, rank, (*chain, path), seen, group)
        elif any(key[0] == "include" for key in file.leaves):
            self._refuse(Origin(path), 'include is an array of paths: write include = ["more.toml"]')
        self.pieces += ((key, one, rank) for key, one in file.leaves.items() if key[0] != "include")

    def _includes(self, include: Given, rank: int, chain: tuple[str, ...], seen: set[str], group: list[str]) -> None:
        base = os.path.dirname(chain[-1]) if chain else self.cwd
        if not isinstance(include.value, list):
            return self._refuse(include.origin, 'include is an array of paths: write include = ["more.toml"]')
        for one in include.value:
            path, is_optional, why = _include_of(one)
            if why:
                self._refuse(include.origin, why)
                continue
            path = os.path.normpath(os.path.join(base, path))
            if path in seen:
                self._refuse(include.origin, _why_twice(path, chain))
            elif len(chain) > _MAX_CHAIN or len(self.pieces) > 1 << 16 or len(seen) > _MAX_FILES:
                self._refuse(
                    include.origin, f"more than {_MAX_CHAIN} files include one another, or {_MAX_FILES} in all"
                )
            elif not os.path.exists(path):
                if not is_optional:
                    self._refuse(
                        include.origin, f"it includes {path}, which is not there: say optional = true, or make it"
                    )
            else:
                self._file(path, rank, chain, seen, group)

    def read_given(self, value: str) -> None:
        """One value of `--config`: a file, or `KEY=VALUE`."""
        path = os.path.normpath(os.path.join(self.cwd, value))
        if value and "\0" not in value and os.path.exists(os.path.join(self.cwd, value)):
            return self.read_file(path, _CLI, self._given)
        from core.plan.given_value import parse_given

        pair, why = parse_given(value)
        if pair is None:
            return self._refuse(Origin(CONFIG), why)
        key, found = pair
        if key == ("include",):
            group: list[str] = []
            self._includes(Given(found, Origin(CONFIG)), _CLI, (), set(), group)
            self._read.append(group)
        else:
            self.pieces.append((key, Given(found, Origin(CONFIG)), _CLI))

    def _refuse(self, origin: Origin, why: str) -> None:
        self.troubles.append(Trouble(origin, why))


def _include_of(one: Any) -> tuple[str, bool, str]:
    """Path, whether it may be missing, and what is wrong with it."""
    path = one.get("path") if isinstance(one, dict) else one
    is_optional = one.get("optional", False) if isinstance(one, dict) else False
    if not isinstance(path, str) or not isinstance(is_optional, bool):
        return "", False, 'include takes paths, or tables such as {path = "more.toml", optional = true}'
    if not path.endswith(".toml") or path.endswith("/.toml") or path == ".toml":
        return "", False, f"include takes files whose names end in .toml, not {path[:80]!r}"
    if any(char in path for char in "*?[]{}\0"):
        return "", False, f"include takes paths as they are, without * ? [ ] {{ }}: {path[:80]!r}"
    return path, is_optional, ""


def _why_twice(path: str, chain: tuple[str, ...]) -> str:
    if path in chain:
        round_trip = " → ".join((*chain[chain.index(path) :], path))
        return f"this includes itself ({round_trip}), which cargo refuses: take one of these lines out"
    return f"{path} is included a second time, which cargo refuses: take one of the two out"
