"""What lies in a target dir, by what it is for and whose it is: what a clean would take away.

    target/debug/.fingerprint/app-9a6d…/lib-app       a unit; the hash is that of its files
    target/debug/{deps,incremental,build,examples}    and programs beside them, hard links to those in deps
    target/doc

Source: cargo 1.80 to 1.95; from 1.100 on `debug/build/app/9a6d…/{fingerprint,out,run}`.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from core.folder import names_in

KINDS = ("deps", "incremental", "build scripts", "programs", "docs", "other")
"""In the order in which they are shown."""
_OF_FOLDER = {"deps": "deps", "incremental": "incremental", "build": "build scripts", "examples": "programs"}
_HASH = re.compile(r"-([0-9a-f]{16})(?=\.|\Z)")
_MAX_FILES = 2_000_000
_MAX_DEPTH = 64
_LOOK_EVERY = 256
"""Files between two looks at the clock."""


class Unit(NamedTuple):
    """Something that cargo made, and would make again."""

    profile: str
    """Folder below the target dir: `debug`, `x86_64-unknown-linux-gnu/release`."""
    package: str
    name: str
    """As in cargo's progress line: `serde`, `app(bin)`, `ring(build)`."""
    crate: str
    """As rustc calls it; empty: of a build script, whose incremental state cargo leaves where it is."""
    hash: str


class Piece(NamedTuple):
    """Files of one kind and one owner."""

    profile: str
    """Empty: of none (`doc`)."""
    kind: str
    owner: str
    """Hash of a unit, or name of a crate, as the name of the file has it; empty: neither."""
    size_bytes: int
    """On the disk, hard links once."""
    files: int
    length_bytes: int = 0
    """As cargo counts: the length of each file, hard links each time."""


class Contents(NamedTuple):
    """What a target dir holds."""

    folder: str
    pieces: tuple[Piece, ...] = ()
    units: tuple[Unit, ...] = ()
    is_whole: bool = True
    """False: there was more than could be looked at in time."""


class Loss(NamedTuple):
    """What would go."""

    kinds: tuple[tuple[str, int], ...] = ()
    """Bytes of each kind that has any, in the order of `KINDS`."""
    files: int = 0
    units: tuple[Unit, ...] = ()
    is_whole: bool = True
    """False: at least so much."""
    cargo_bytes: int | None = None
    """What cargo will say of it; None: of a package, of which it counts some files twice."""

    @property
    def size_bytes(self) -> int:
        """Of all kinds."""
        return sum(size for _, size in self.kinds)


class Scope(NamedTuple):
    """Which part of a target dir."""

    packages: frozenset[str] | None = None
    """None: of all, and what belongs to none."""
    profiles: frozenset[str] | None = None
    """Folders of profiles; None: all."""
    is_doc: bool = False
    """Documentation alone."""
    kind: str = ""
    """One of `KINDS` alone; empty: all."""


def contents_of(folder: str, *, has_time: Callable[[], bool] = lambda: True) -> Contents:
    """Look at a target dir; nothing where there is none. `has_time`: asked now and then whether to go on."""
    looked = _Look(folder, has_time)
    looked.walk()
    units = tuple(unit for profile, path in profiles_of(folder) for unit in _units(profile, path))
    pieces = tuple(Piece(*key, *found) for key, found in sorted(looked.found.items()))
    return Contents(folder, pieces, units, looked.is_whole)


def loss_of(contents: Contents, scope: Scope) -> Loss:
    """What goes with a part of it."""
    units = tuple(unit for unit in contents.units if not scope.is_doc and _has_unit(scope, unit))
    owners = {(unit.profile, owner) for unit in units for owner in (unit.hash, unit.crate) if owner}
    kinds = dict.fromkeys(KINDS, 0)
    files = length_bytes = 0
    for piece in contents.pieces:
        if _has_piece(scope, piece, owners):
            kinds[piece.kind] += piece.size_bytes
            files += piece.files
            length_bytes += piece.length_bytes
    told = tuple((kind, size) for kind, size in kinds.items() if size)
    is_cargos = contents.is_whole and scope.packages is None and not scope.kind and files
    cargo_bytes = length_bytes if is_cargos else None
    return Loss(told, files, () if scope.kind else units, contents.is_whole, cargo_bytes)


def profiles_of(folder: str) -> Iterator[tuple[str, str]]:
    """Name and folder of each profile that was built: `debug`, `x86_64-unknown-linux-gnu/debug`."""
    for name in names_in(folder):
        if _is_profile(f"{folder}/{name}"):
            yield name, f"{folder}/{name}"
            continue
        for below in names_in(f"{folder}/{name}")[:100]:
            if _is_profile(f"{folder}/{name}/{below}"):
                yield f"{name}/{below}", f"{folder}/{name}/{below}"


def _is_profile(folder: str) -> bool:
    return os.path.isdir(folder + "/.fingerprint") or (
        os.path.isdir(folder + "/build") and os.path.isdir(folder + "/incremental")
    )


def _has_unit(scope: Scope, unit: Unit) -> bool:
    if scope.profiles is not None and unit.profile not in scope.profiles:
        return False
    return scope.packages is None or unit.package in scope.packages


def _has_piece(scope: Scope, piece: Piece, owners: set[tuple[str, str]]) -> bool:
    if scope.kind and piece.kind != scope.kind:
        return False
    if scope.is_doc:
        return piece.kind == "docs"
    if scope.profiles is not None and piece.profile not in scope.profiles:
        return False
    return scope.packages is None or (piece.profile, piece.owner) in owners


def _units(profile: str, folder: str) -> Iterator[Unit]:
    for name in names_in(folder + "/.fingerprint"):
        package, dash, digest = name.rpartition("-")
        if dash:
            yield from _of_fingerprint(profile, package, digest, f"{folder}/.fingerprint/{name}")
    for package in names_in(folder + "/build"):
        for digest in names_in(f"{folder}/build/{package}"):
            yield from _of_fingerprint(profile, package, digest, f"{folder}/build/{package}/{digest}/fingerprint")


def _of_fingerprint(profile: str, package: str, digest: str, folder: str) -> Iterator[Unit]:
    for name in names_in(folder):
        if name.endswith(".json") and (unit := _unit(name[:-5], package)) is not None:
            yield Unit(profile, package, *unit, digest)


def _unit(name: str, package: str) -> tuple[str, str] | None:
    """Name in cargo's progress line and crate, of the name of a fingerprint."""
    if name.startswith("run-build-script-"):
        return f"{package}(build)", ""
    if name.startswith("build-script-"):
        return f"{package}(build.rs)", ""
    flavor, _, rest = name.partition("-")
    is_test = flavor == "test"
    if flavor == "doc":
        return f"{package}(doc)", ""
    kind, _, target = (rest if is_test else name).partition("-")
    if kind == "integration":
        kind, target = "test", target.removeprefix("test-")
    words = {"lib": "test", "bin": "bin test", "example": "example test", "test": "test", "bench": "bench"}
    if kind not in words:
        return None
    shown = package if kind == "lib" and not is_test else f"{target}({words[kind] if is_test else kind})"
    return shown, target.replace("-", "_")


class _Look:
    """A walk through a target dir. Links are not followed."""

    def __init__(self, folder: str, has_time: Callable[[], bool]) -> None:
        self.found: dict[tuple[str, str, str], list[int]] = {}
        """Bytes, files and their lengths by profile, kind and owner."""
        self.is_whole = True
        self._folder, self._has_time = folder, has_time
        self._profiles = {name for name, _ in profiles_of(folder)}
        self._seen: set[tuple[int, int]] = set()
        self._count = 0

    def walk(self) -> None:
        """Look at all of it, folders before the files beside them: a program is a link to what lies in deps."""
        waiting: list[tuple[str, tuple[str, ...]]] = [(self._folder, ())]
        files: list[tuple[os.DirEntry[str], tuple[str, ...]]] = []
        while waiting and self.is_whole:
            folder, parts = waiting.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except (OSError, ValueError):
                continue
            for entry in entries:
                if _is_folder(entry):
                    if len(parts) < _MAX_DEPTH:
                        waiting.append((entry.path, (*parts, entry.name)))
                elif "/".join(parts) in self._profiles:
                    files.append((entry, (*parts, entry.name)))
                else:
                    self._add(entry, (*parts, entry.name))
        for entry, parts in files:
            self._add(entry, parts)

    def _add(self, entry: "os.DirEntry[str]", parts: tuple[str, ...]) -> None:
        if not self.is_whole:
            return
        self._count += 1
        if self._count > _MAX_FILES or (self._count % _LOOK_EVERY == 0 and not self._has_time()):
            self.is_whole = False
            return
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return
        row = self.found.setdefault(_place(parts, self._profiles), [0, 0, 0])
        row[1] += 1
        row[2] += status.st_size
        if status.st_nlink > 1:
            if (status.st_dev, status.st_ino) in self._seen:
                return
            self._seen.add((status.st_dev, status.st_ino))
        row[0] += status.st_blocks * 512


def _place(parts: Sequence[str], profiles: set[str]) -> tuple[str, str, str]:
    """Profile, kind and owner of a file, by its path below the target dir."""
    profile = next((name for name in ("/".join(parts[:1]), "/".join(parts[:2])) if name in profiles), "")
    if not profile:
        return "", "docs" if "doc" in parts[:2] else "other", ""
    below = parts[profile.count("/") + 1 :]
    if len(below) == 1:
        return profile, "programs" if below[0][:1] != "." else "other", _crate(below[0].partition(".")[0])
    kind = _OF_FOLDER.get(below[0], "other")
    if below[0] == "incremental":
        return profile, kind, below[1].rpartition("-")[0]
    if below[0] in ("build", ".fingerprint") and len(below) > 3 and len(below[2]) == 16:
        return profile, kind if below[3] == "run" else "deps", below[2]
    found = _HASH.search(below[1])
    return profile, kind, found[1] if found else _crate(below[1].partition(".")[0])


def _crate(name: str) -> str:
    return name.replace("-", "_").removeprefix("lib")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
