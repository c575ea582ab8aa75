"""Proof that a target dir that several checkouts share gives one of them the program of another.

Cargo names a unit of a workspace by its path below the workspace root, and calls it fresh where none of its sources is
newer than its last compilation. Two checkouts of one workspace therefore mean the same unit, and where both are fresh
and differ, one of them runs the other's program. Read only; nothing is built.

    debug/deps/app-7172dc631aef1b7b.d                     its sources, below the workspace root
    debug/.fingerprint/app-7172dc631aef1b7b/dep-bin-app   mtime: when it was compiled
    debug/.fingerprint/app-7172dc631aef1b7b/bin-app.json  what it was made with: `deps` [[…, name, …, fingerprint], …]
    debug/deps/app-7172dc631aef1b7b                       with debug information: the workspace root that it was made in

Source: cargo 1.95. (`debug/app.d` names the checkout that asked last, not the one whose sources were compiled.)
"""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from core.folder import names_in
from core.values import dataclass
from core.watch.made_in import made_in

MAX_UNITS = 400
"""The newest are looked at."""
_MAX_SOURCE_BYTES = 4 << 20
_SETTINGS = ("Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "rust-toolchain")
"""Where these differ, cargo may build anew whatever the sources say."""
_CONFIGS = (".cargo/config.toml", ".cargo/config")
"""The same, but for where they say that the dir is."""
_OUTPUTS = ("{}", "lib{}.rlib", "lib{}.so", "lib{}.rmeta")

Verdict = Literal["own", "same", "anew", "perhaps", "either", "wrong"]
"""Of a checkout and a unit: made of its sources; of sources that are equal; cargo compiles it anew; settings differ, so
that cargo may, or what was compiled is there no more; cargo calls it fresh in several whose sources differ, and in
which it was made is not known; cargo calls it fresh although it was made of other sources."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a checkout gets."""

    checkout: str
    verdict: Verdict
    differs: tuple[str, ...] = ()
    """Files below the workspace root that differ from those that were compiled."""


@dataclass(frozen=True, slots=True)
class Made:
    """A unit in the shared dir, as each of the checkouts finds it."""

    package: str
    target: str
    """As cargo names it: `bin-app`, `lib-engine`, `test-bin-app`, `example-demo`."""
    profile: str
    """Folder below the dir: `debug`, `x86_64-unknown-linux-gnu/release`."""
    path: str
    """What was compiled."""
    made_at: float
    """When its sources were read, seconds since the epoch."""
    made_of: str
    """Checkout in which it was compiled; empty: it does not say so (no debug information)."""
    judged: tuple[Judged, ...]

    @property
    def is_harmful(self) -> bool:
        """A checkout gets what was made of another one's sources."""
        return any(one.verdict in ("wrong", "either") for one in self.judged)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a shared dir holds."""

    path: str
    checkouts: tuple[str, ...]
    made: tuple[Made, ...]
    """Units that more than one of the checkouts can mean: harmful ones first, then the newest."""

    @property
    def is_harmful(self) -> bool:
        """Cargo gives a checkout the program of another one."""
        return any(one.is_harmful for one in self.made)


@dataclass(frozen=True, slots=True)
class _Unit:
    package: str
    target: str
    folder: str
    """Of its profile."""
    path: str
    made_at: float
    sources: tuple[str, ...]
    """Below the workspace root."""
    fingerprint: str
    needs: tuple[str, ...]
    """Fingerprints of what it depends on."""


def prove(path: str, checkouts: Sequence[str]) -> Proof:
    """What the dir holds for each of the checkouts. What cannot be read is left out."""
    units = sorted(_units(path), key=lambda unit: -unit.made_at)[:MAX_UNITS]
    court = _Court(units, tuple(checkouts))
    made = [found for unit in units if (found := court.judge(unit, path)) is not None]
    return Proof(path, tuple(checkouts), tuple(sorted(made, key=lambda one: (not one.is_harmful, -one.made_at))))


class _Court:
    """Judges units; what it found out of files is kept."""

    def __init__(self, units: Sequence[_Unit], checkouts: tuple[str, ...]) -> None:
        self._checkouts = checkouts
        self._by_fingerprint = {unit.fingerprint: unit for unit in units}
        self._contents: dict[str, tuple[float, bytes] | None] = {}
        self._fresh: dict[tuple[str, str], bool] = {}

    def judge(self, unit: _Unit, path: str) -> Made | None:
        """The unit as each checkout finds it; None: at most one of them has such a unit."""
        meant = [one for one in self._checkouts if self._has(unit, one)]
        if len(meant) < 2:
            return None
        made_of = made_in(unit.path, unit.sources[0], meant)
        judged = tuple(self._judge(unit, one, made_of, meant) for one in meant)
        profile = os.path.relpath(unit.folder, path)
        return Made(unit.package, unit.target, profile, unit.path, unit.made_at, made_of, judged)

    def _judge(self, unit: _Unit, checkout: str, made_of: str, meant: list[str]) -> Judged:
        if checkout == made_of:
            return Judged(checkout, "own")
        if not self._is_fresh(unit, checkout):
            return Judged(checkout, "anew")
        rivals = [made_of] if made_of else [one for one in meant if one != checkout and self._is_fresh(unit, one)]
        differs = sorted({name for other in rivals for name in self._differing(unit, checkout, other)})
        if not differs:
            return Judged(checkout, "same" if all(self._is_fresh(unit, one) for one in rivals) else "perhaps")
        if any(self._has_other_settings(unit, checkout, other) for other in rivals):
            return Judged(checkout, "perhaps", tuple(differs))
        return Judged(checkout, "wrong" if made_of else "either", tuple(differs))

    def _has(self, unit: _Unit, checkout: str) -> bool:
        """The checkout has a package of that name where the unit's sources are."""
        if self._read(f"{checkout}/{unit.sources[0]}") is None:
            return False
        return _package_name(self._manifest(unit, checkout)) == unit.package

    def _is_fresh(self, unit: _Unit, checkout: str) -> bool:
        """No source of it, nor of what it is made from, is newer than its compilation."""
        key = unit.fingerprint + unit.path, checkout
        if key not in self._fresh:
            self._fresh[key] = True  # a ring ends here
            own = all((read := self._read(f"{checkout}/{one}")) and read[0] <= unit.made_at for one in unit.sources)
            below = (self._by_fingerprint[one] for one in unit.needs if one in self._by_fingerprint)
            self._fresh[key] = own and all(self._is_fresh(one, checkout) for one in below)
        return self._fresh[key]

    def _differing(self, unit: _Unit, checkout: str, other: str) -> list[str]:
        """Sources, its own or those of what it is made from, that differ and were there when it was compiled."""
        found = []
        for name in unit.sources:
            ours, theirs = self._read(f"{checkout}/{name}"), self._read(f"{other}/{name}")
            if ours and theirs and theirs[0] <= unit.made_at and ours[1] != theirs[1]:
                found.append(name)
        for one in unit.needs:
            if one in self._by_fingerprint and len(found) < MAX_UNITS:
                found += self._differing(self._by_fingerprint[one], checkout, other)
        return found

    def _has_other_settings(self, unit: _Unit, checkout: str, other: str) -> bool:
        if self._manifest(unit, checkout) != self._manifest(unit, other):
            return True
        return self._settings(checkout) != self._settings(other)

    def _settings(self, checkout: str) -> list[object]:
        files = [self._read(f"{checkout}/{name}") for name in _SETTINGS]
        configs = [self._read(f"{checkout}/{name}") for name in _CONFIGS]
        return [file and file[1] for file in files] + [_without_dirs(file[1]) if file else {} for file in configs]

    def _manifest(self, unit: _Unit, checkout: str) -> bytes:
        """Of its package: the nearest one above its first source."""
        folder = os.path.dirname(unit.sources[0])
        while True:
            found = self._read(os.path.join(checkout, folder, "Cargo.toml"))
            if found is not None or not folder:
                return found[1] if found is not None else b""
            folder = os.path.dirname(folder)

    def _read(self, path: str) -> tuple[float, bytes] | None:
        """When a file was changed, and what is in it."""
        if path not in self._contents:
            try:
                with open(path, "rb") as file:
                    self._contents[path] = os.fstat(file.fileno()).st_mtime, file.read(_MAX_SOURCE_BYTES)
            except OSError:
                self._contents[path] = None
        return self._contents[path]


def _units(path: str) -> Iterator[_Unit]:
    for profile in _profiles(path):
        for place in _places(profile):
            for entry in names_in(place.fingerprint):
                if entry.startswith("dep-") and (unit := _unit(profile, place, entry[4:])) is not None:
                    yield unit


class _Place(NamedTuple):
    """Where a unit lies."""

    package: str
    key: str
    fingerprint: str
    outputs: tuple[str, ...]
    """Folders."""


def _places(profile: str) -> Iterator[_Place]:
    """Of both layouts: that of cargo 1.100 has a folder a unit."""
    for name in names_in(f"{profile}/.fingerprint"):
        package, _, key = name.rpartition("-")
        yield _Place(package, key, f"{profile}/.fingerprint/{name}", (f"{profile}/deps", f"{profile}/examples"))
    for package in names_in(f"{profile}/build"):
        for key in names_in(f"{profile}/build/{package}"):
            folder = f"{profile}/build/{package}/{key}"
            if os.path.isdir(folder + "/fingerprint"):
                yield _Place(package, key, folder + "/fingerprint", (folder + "/out",))


def _profiles(path: str) -> Iterator[str]:
    """Folders with compiled units, of the host and of other targets."""
    for name in names_in(path):
        for folder in (f"{path}/{name}", *(f"{path}/{name}/{below}" for below in names_in(f"{path}/{name}")[:40])):
            if os.path.isdir(folder + "/.fingerprint") or os.path.exists(folder + "/.cargo-build-lock"):
                yield folder


def _unit(profile: str, place: _Place, target: str) -> _Unit | None:
    """A unit of a workspace; None: of a registry, compared by content, or not to be read."""
    outputs = _outputs(place, target)
    try:
        with open(f"{place.fingerprint}/{target}.json", "rb") as file:
            record = json.load(file)
        with open(f"{place.fingerprint}/{target}") as file:
            fingerprint = file.read().strip()
        made_at = os.stat(f"{place.fingerprint}/dep-{target}").st_mtime
    except (OSError, ValueError):
        return None
    if outputs is None or not isinstance(record, dict) or '"checksum": true' in json.dumps(record.get("local")):
        return None
    path, notes = outputs
    sources = _sources(notes, path)
    if not sources:
        return None
    return _Unit(place.package, target, profile, path, made_at, sources, fingerprint, tuple(_needs(record)))


def _outputs(place: _Place, target: str) -> tuple[str, str] | None:
    """What was compiled, and the compiler's note of its sources."""
    name = target.split("-", 1)[-1].replace("-", "_")
    for folder in place.outputs:
        if target.startswith("test-"):
            stems = [one[:-2] for one in names_in(folder) if one.endswith(f"-{place.key}.d")]
        else:
            stems = [f"{name}-{place.key}", name]
        for stem in stems:
            for form in _OUTPUTS:
                path = f"{folder}/{form.format(stem)}"
                if os.path.isfile(path) and os.path.isfile(f"{folder}/{stem}.d"):
                    return path, f"{folder}/{stem}.d"
    return None


def _sources(notes: str, path: str) -> tuple[str, ...]:
    """Files below the workspace root that it was made of, in the notation of make: `PATH: FILE FILE …`."""
    try:
        with open(notes, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read(_MAX_SOURCE_BYTES).split("\n")
    except OSError:
        return ()
    for line in lines:
        made, colon, files = line.partition(": ")
        if colon and made.replace("\\ ", " ") == path:
            names = [one.replace("\0", " ") for one in files.replace("\\ ", "\0").split()]
            return tuple(names) if names and not any(one.startswith("/") for one in names[:1]) else ()
    return ()


def _needs(record: dict[str, Any]) -> Iterator[str]:
    """Fingerprints, as they stand in files."""
    for one in record.get("deps", ()):
        if isinstance(one, list) and len(one) > 3 and isinstance(one[3], int):
            yield one[3].to_bytes(8, "little").hex()


def _package_name(manifest: bytes) -> str:
    package = _parsed(manifest).get("package")
    name = package.get("name") if isinstance(package, dict) else None
    return name if isinstance(name, str) else ""


def _without_dirs(config: bytes) -> dict[str, Any]:
    """A config file without the settings of dirs."""
    table = _parsed(config)
    build = table.get("build")
    if isinstance(build, dict):
        kept = {key: value for key, value in build.items() if key not in ("target-dir", "build-dir")}
        table = {**table, "build": kept}
    return {key: value for key, value in table.items() if value != {}}


def _parsed(content: bytes) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except ValueError:
        return {}
