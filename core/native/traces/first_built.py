"""Which units a run built for the first time in its dir, by when cargo made the folders of their fingerprints.

`debug/.fingerprint/app-9a6dc0f4df75d010`: the hash is another one for other features, profiles, `RUSTFLAGS`, toolchains
and versions, and cargo keeps the folder ever after: it was born with the first build. (Its mtime moves with warnings,
which cargo keeps in it.) Tried with cargo 1.95.
"""

import ctypes
import os
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

from core.folder import names_in
from core.native.traces.fingerprint import UnitPlace

NEW_DIR = "first build in this target dir"
_OTHER = "first build here with these features, RUSTFLAGS, profile settings or toolchain: cargo keeps them apart"
_MAX_NAMES = 100
_AT_FDCWD, _STATX_BTIME, _STATX_BYTES = -100, 0x800, 256


class Built(NamedTuple):
    """Folders of one unit."""

    place: UnitPlace
    first_ns: int
    """When it was built for the first time."""
    targets: frozenset[str]
    """As cargo names them: `lib-engine`, `run-build-script-build-script-build`."""


def born_ns(path: str) -> int:
    """When a file or folder came to be; 0: that is not known."""
    try:
        at = getattr(os.stat(path), "st_birthtime", None)
        return int(at * 1e9) if at is not None else _born_by_statx(path)
    except (OSError, ValueError, AttributeError):
        return 0


def _born_by_statx(path: str) -> int:
    """Python asks Linux with the older `stat`, which does not tell. Source: statx(2)."""
    found = ctypes.create_string_buffer(_STATX_BYTES)
    if ctypes.CDLL(None).statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, found) != 0:
        return 0
    mask, seconds, nanoseconds = struct.unpack_from("=I76xqI", found)
    return int(seconds * 1_000_000_000 + nanoseconds) if mask & _STATX_BTIME else 0


def built_units(places: Iterable[UnitPlace], born: Callable[[str], int] = born_ns) -> tuple[Built, ...]:
    """All units of a dir; those of which it is not known when they came are left out."""
    found = []
    for place in places:
        if first_ns := born(place.fingerprint):
            names = names_in(place.fingerprint, most=_MAX_NAMES)
            found.append(Built(place, first_ns, frozenset(name[:-5] for name in names if name.endswith(".json"))))
    return tuple(found)


def first_words(units: Iterable[Built], is_of_it: Callable[[int], bool], began_ns: int) -> dict[tuple[str, str], str]:
    """Why a unit was built in a run though nothing of it had changed: it was not there in this form.

    Args:
        units: Of its dir.
        is_of_it: A moment lies in the run.
        began_ns: When that began.

    Returns:
        A sentence by package, and `script` or `crate`.
    """
    by_package: dict[str, list[Built]] = {}
    for unit in units:
        by_package.setdefault(unit.place.package, []).append(unit)

    def is_old(unit: Built) -> bool:
        return unit.first_ns < began_ns and not is_of_it(unit.first_ns)

    is_new_dir = not any(is_old(unit) for own in by_package.values() for unit in own)
    words = {}
    for package, own in by_package.items():
        old = [unit for unit in own if is_old(unit)]
        for unit in own:
            if is_of_it(unit.first_ns):
                words[package, _kind(unit)] = NEW_DIR if is_new_dir else _word(unit, old)
    return words


def _kind(unit: Built) -> str:
    return "script" if any(name.startswith("run-build-script-") for name in unit.targets) else "crate"


def _word(unit: Built, old: Iterable[Built]) -> str:
    same = [other for other in old if other.targets & unit.targets]
    if not same:
        return "it was not built in this target dir before"
    if all(other.place.profile != unit.place.profile for other in same):
        return f"first build in {unit.place.profile}/ of this target dir"
    return _OTHER
