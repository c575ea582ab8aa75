"""Crates that were compiled in a build dir: when, of which files, and what they depend on.

    debug/.fingerprint/app-07b3…/invoked.timestamp   when rustc was started
    debug/.fingerprint/app-07b3…/bin-app.json        `deps` [[…, name, …, fingerprint], …]
    debug/deps/app-07b3….d                           its sources, below the workspace root

Source: cargo 1.95 and a 1.97 nightly with `-Z build-dir-new-layout`.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from core.folder import names_in
from core.native.traces.depfile import MAX_BYTES, first_inputs
from core.native.traces.fingerprint import UnitPlace, needs_of, read_fingerprint, unit_places
from core.plan.small_file import read_head, read_json

_KINDS = ("lib-", "bin-", "test-", "example-", "bench-")


class Unit(NamedTuple):
    """A crate that was compiled."""

    package: str
    target: str
    """As cargo names it: `lib-engine`, `bin-app`, `test-lib-engine`."""
    profile: str
    invoked_ns: int
    fingerprint: str
    needs: tuple[str, ...]
    """Fingerprints."""
    sources: tuple[str, ...]
    """Absolute; empty: not known."""


def compiled_units(build_dir: str, workspace: str, since_ns: int = 0) -> tuple[Unit, ...]:
    """Crates whose compiler was started since then; what cannot be read is left out."""
    notes: dict[str, dict[str, str]] = {}
    return tuple(unit for place in unit_places(build_dir) for unit in _units(place, workspace, since_ns, notes))


def _units(place: UnitPlace, workspace: str, since_ns: int, notes: dict[str, dict[str, str]]) -> Iterator[Unit]:
    """`notes`: names of compilers' notes by key, of each folder that was listed."""
    try:
        invoked = os.stat(place.fingerprint + "/invoked.timestamp").st_mtime_ns
        names = sorted(os.listdir(place.fingerprint))
    except OSError:
        return
    if invoked < since_ns:
        return
    for name in names:
        target = name[:-5]
        if name.endswith(".json") and target.startswith(_KINDS):
            record = read_json(f"{place.fingerprint}/{name}", MAX_BYTES)
            needs = tuple(needs_of(record)) if isinstance(record, dict) else ()
            fingerprint = read_fingerprint(f"{place.fingerprint}/{target}")
            sources = tuple(_sources(place, workspace, notes))
            yield Unit(place.package, target, place.profile, invoked, fingerprint, needs, sources)


def _sources(place: UnitPlace, workspace: str, notes: dict[str, dict[str, str]]) -> Iterator[str]:
    """Of the compiler's notes those of this unit: `…-07b3eebc270571c4.d`, or all of the unit's own folder."""
    is_own = place.fingerprint.endswith("/fingerprint")
    folder = place.compiled if is_own else os.path.dirname(os.path.dirname(place.fingerprint)) + "/deps"
    if folder not in notes:
        notes[folder] = {"" if is_own else _key(name): name for name in names_in(folder) if name.endswith(".d")}
    name = notes[folder].get("" if is_own else place.key)
    if name is not None:
        yield from first_inputs(read_head(f"{folder}/{name}", MAX_BYTES) or b"", workspace)


def _key(name: str) -> str:
    return name[:-2].rpartition("-")[2]
