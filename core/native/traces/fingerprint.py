"""Build scripts that ran in a target dir, and what cargo noted of them.

    debug/.fingerprint/app-9a6d…/run-build-script-build-script-build.json
                                                `deps` [[…, name, …, fingerprint], …], `local`
    debug/.fingerprint/app-9a6d…/run-build-script-build-script-build
                                                its fingerprint, 8 bytes in hex
    debug/build/app-9a6d…/output                what the script printed; mtime: when it was started
    debug/build/app-9a6d…/{root-output,stderr}  written as it ended
    debug/build/app-54d8…/build_script_build-54d8….d
                                                sources of the script, below the workspace root

From cargo 1.100 on `debug/build/app/9a6d…/{fingerprint,run,out}`, and `stdout` for `output`.
`local` is `{"Precalculated": "1730000000.5s (kernels/k.cu)"}` where a script declared nothing, else `RerunIfChanged`
and `RerunIfEnvChanged`. Source: cargo 1.95 and a 1.97 nightly with `-Z build-dir-new-layout`.
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from core.folder import modified_ns, names_in
from core.native.traces.directives import MAX_BYTES, Directives, read_directives
from core.plan.small_file import read_head, read_json, read_small

_PREFIX = "run-build-script-"
_MAX_FOLDERS = 20_000
_NAME = re.compile(rb"""^\s*name\s*=\s*["']([^"']+)["']""", re.MULTILINE)
_MAX_UPWARDS = 12


class ScriptRun(NamedTuple):
    """A build script that ran."""

    package: str
    key: str
    """Hash in cargo's names: another one for other features, profiles and versions."""
    profile: str
    """Folder below the target dir: `debug`, `x86_64-unknown-linux-gnu/release`."""
    output: str
    """File with what it printed."""
    stderr: str
    out_dir: str
    """`OUT_DIR`, as it lies now."""
    began_ns: int
    """When it was started: what is newer is changed, for cargo."""
    ended_ns: int
    directives: Directives
    scanned: str = ""
    """`1730000000.5s (kernels/k.cu)`: the newest file of the package, where nothing was declared."""
    root: str = ""
    """Folder of the package; empty: not known."""
    script: str = ""
    """The script's source; empty: not known."""
    features: tuple[str, ...] = ()
    fingerprint: str = ""
    needs: tuple[str, ...] = ()
    """Fingerprints of what makes it run again when it did: its program, scripts of what it `links` to."""
    made_in: str = ""
    """`OUT_DIR` as it was when it ran: another one where the target dir was copied or moved; empty: not known."""

    @property
    def unit(self) -> str:
        """`app-9a6dc0f4df75d010`."""
        return f"{self.package}-{self.key}"


class UnitPlace(NamedTuple):
    """Where a unit lies."""

    package: str
    key: str
    profile: str
    fingerprint: str
    run: str
    """Folder with what the script printed."""
    printed: str
    """Name of the file."""
    out: str
    """Folder of `OUT_DIR` or of what was compiled."""
    compiled: str


def script_runs(build_dir: str, workspace: str, *, has_all: bool = False) -> tuple[ScriptRun, ...]:
    """Of each package and profile the latest, and those that make one of these run again: a package that is built for
    build scripts too has several. By package; what cannot be read is left out.

    Args:
        build_dir: Where cargo builds: the target dir, unless one is set apart.
        workspace: Its root: cargo's paths start there.
        has_all: Those of other features and flags too, of which others were the latest.
    """
    places = list(unit_places(build_dir))
    scripts = dict(_compiled(places, workspace))
    every = [run for place in places for run in _runs(place, scripts)]
    if not has_all:
        latest = _latest(every)
        every = [*latest, *(one for run in latest for one in linked(run, every))]
    by_place = {(run.package, run.root, run.profile, run.key): run for run in every}
    return tuple(by_place[key] for key in sorted(by_place))


def _latest(runs: Iterable[ScriptRun]) -> tuple[ScriptRun, ...]:
    newest: dict[tuple[str, str, str], ScriptRun] = {}
    for run in runs:
        key = run.package, run.root, run.profile
        if key not in newest or newest[key].began_ns < run.began_ns:
            newest[key] = run
    return tuple(newest.values())


def linked(run: ScriptRun, others: Iterable[ScriptRun]) -> tuple[ScriptRun, ...]:
    """Scripts that make this one run again whenever they did: those of packages that it `links` to, and theirs."""
    by_fingerprint = {other.fingerprint: other for other in others if other.fingerprint}
    found: dict[str, ScriptRun] = {}
    wanted = list(run.needs)
    while wanted:
        other = by_fingerprint.get(wanted.pop())
        if other is not None and other.unit not in found and other.unit != run.unit:
            found[other.unit] = other
            wanted += other.needs
    return tuple(found.values())


def package_name(manifest: str) -> str:
    """What a Cargo.toml calls its package; empty: it names none, or cannot be read."""
    content = read_small(manifest) or b""
    _, table, rest = content.partition(b"[package]")
    found = _NAME.search(rest.partition(b"\n[")[0]) if table else None
    return found[1].decode("utf-8", "replace") if found else ""


def unit_places(build_dir: str) -> Iterator[UnitPlace]:
    """Where units lie, in both layouts."""
    for profile, folder in _profiles(build_dir):
        for name in names_in(f"{folder}/.fingerprint", most=_MAX_FOLDERS):
            package, dash, key = name.rpartition("-")
            if dash:
                built = f"{folder}/build/{name}"
                yield UnitPlace(package, key, profile, f"{folder}/.fingerprint/{name}", built, "output", built + "/out",
                             built)  # fmt: skip
        for package in names_in(f"{folder}/build", most=_MAX_FOLDERS):
            for key in names_in(f"{folder}/build/{package}", most=_MAX_FOLDERS):
                built = f"{folder}/build/{package}/{key}"
                if os.path.isdir(built + "/fingerprint"):
                    yield UnitPlace(package, key, profile, built + "/fingerprint", built + "/run", "stdout",
                                 built + "/out", built + "/out")  # fmt: skip


def _profiles(build_dir: str) -> Iterator[tuple[str, str]]:
    """Name and folder: `debug`, and `x86_64-unknown-linux-gnu/debug` for a target that was named."""
    for name in names_in(build_dir, most=_MAX_FOLDERS):
        for path in (name, *(f"{name}/{below}" for below in names_in(f"{build_dir}/{name}", most=100))):
            folder = f"{build_dir}/{path}"
            if os.path.isdir(folder + "/.fingerprint") or os.path.isdir(folder + "/build"):
                yield path, folder


def _runs(place: UnitPlace, scripts: dict[str, tuple[str, tuple[str, ...]]]) -> Iterator[ScriptRun]:
    for name in names_in(place.fingerprint, most=_MAX_FOLDERS):
        if not name.startswith(_PREFIX) or not name.endswith(".json"):
            continue
        record = read_json(f"{place.fingerprint}/{name}", MAX_BYTES)
        if isinstance(record, dict) and (run := _run(place, name[:-5], record)) is not None:
            for need in run.needs:
                if need in scripts:
                    source, features = scripts[need]
                    run = run._replace(script=source, root=_package_root(source, place.package), features=features)
            yield run


def _run(place: UnitPlace, name: str, record: dict[str, Any]) -> ScriptRun | None:
    printed = f"{place.run}/{place.printed}"
    content = read_head(printed, MAX_BYTES)
    began = modified_ns(place.run + "/invoked.timestamp")
    ended = max(modified_ns(f"{place.run}/{one}") for one in ("root-output", "stderr", place.printed))
    if content is None or not began:
        return None
    return ScriptRun(
        package=place.package, key=place.key, profile=place.profile, output=printed, stderr=place.run + "/stderr",
        out_dir=place.out, began_ns=began, ended_ns=max(began, ended), directives=read_directives(content),
        scanned=_scanned(record), fingerprint=read_fingerprint(f"{place.fingerprint}/{name}"),
        needs=tuple(needs_of(record)), made_in=os.fsdecode(read_small(place.run + "/root-output", MAX_BYTES) or b""),
    )  # fmt: skip


def _compiled(places: Iterable[UnitPlace], workspace: str) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    """Programs of build scripts: fingerprint; source and features."""
    for place in places:
        for name in names_in(place.fingerprint, most=_MAX_FOLDERS):
            if name.startswith("build-script-") and not name.endswith(".json"):
                fingerprint = read_fingerprint(f"{place.fingerprint}/{name}")
                source = _source(place.compiled, workspace)
                if fingerprint and source:
                    record = read_json(f"{place.fingerprint}/{name}.json", MAX_BYTES)
                    yield fingerprint, (source, _features(record if isinstance(record, dict) else {}))


def _source(folder: str, workspace: str) -> str:
    """Of a program that was compiled there, from the compiler's note `PATH: build.rs …`; empty: it is not told."""
    from core.native.traces.depfile import first_inputs

    for name in names_in(folder, most=_MAX_FOLDERS):
        if name.endswith(".d") and (found := first_inputs(read_small(f"{folder}/{name}") or b"", workspace)):
            return found[0]
    return ""


def _package_root(source: str, package: str) -> str:
    """The nearest folder above a script whose Cargo.toml names that package; empty: there is none."""
    folder = source
    for _ in range(_MAX_UPWARDS):
        folder = os.path.dirname(folder)
        if package_name(folder + "/Cargo.toml") == package:
            return folder
        if folder in ("/", ""):
            break
    return ""


def _features(record: dict[str, Any]) -> tuple[str, ...]:
    """`"[\\"gpu\\", \\"std\\"]"`."""
    text = record.get("features")
    return tuple(re.findall(r'"([^"\\]+)"', text)) if isinstance(text, str) else ()


def _scanned(record: dict[str, Any]) -> str:
    for one in _list(record.get("local")):
        if isinstance(one, dict) and isinstance(one.get("Precalculated"), str):
            return str(one["Precalculated"])
    return ""


def needs_of(record: dict[str, Any]) -> Iterator[str]:
    """Fingerprints of what a unit depends on, as they stand in files."""
    for one in _list(record.get("deps")):
        if isinstance(one, list) and len(one) > 3 and isinstance(one[3], int) and 0 <= one[3] < 1 << 64:
            yield one[3].to_bytes(8, "little").hex()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def read_fingerprint(path: str) -> str:
    """8 bytes in hex; empty: it cannot be read."""
    return (read_small(path, 256) or b"").decode("ascii", "replace").strip()
