"""What is wrong with build scripts, kept after a run that called nvcc: the next build there says it in its pane.

`$STATE/native/stale/<hash of the build dir>.json`, one object:

    {"build_dir", "found": [{"finding": {…}, "script", "script_ns", "paths": [abs]}]}

Only what stays so until the script is changed: inputs that nothing covers, declared paths that are not there, outputs
in what is watched.
"""

import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from core.facts import read_record
from core.findings import from_record
from core.folder import modified_ns
from core.native.staleness.doctor import Place, examine
from core.native.traces.nvcc_calls import KEPT
from core.paths import Paths
from core.plan.plan import Finding
from core.plan.small_file import keep_json, read_object
from core.run.begin import find_cargo

LASTING = ("undeclared", "missing", "loop")
_SAYS_MORE = "cargo deck stale"
_MAX_FOUND = 10
_MAX_PATHS = 50
_MAX_BYTES = 1 << 20


def keep_of_run(paths: Paths, run: str) -> None:
    """Look where a run of cargo built, and keep what is wrong there; some tenths of a second."""
    record = read_record(paths, run)
    started = record.started if record is not None else None
    build_dir = (started.build_dir or started.target_dir) if started is not None else None
    if started is None or started.tool != "cargo" or not build_dir:
        return
    env = _env_of(paths, run)
    target = os.path.realpath(started.target_dir or build_dir)
    place = Place(
        os.path.realpath(started.checkout), os.path.realpath(build_dir), env, find_cargo(dict(env)) or "cargo", target
    )  # fmt: skip
    keep(paths, place)


def keep(paths: Paths, place: Place) -> None:
    """Keep what is wrong in a build dir."""
    found = [one for one in examine(paths, place).found if one.trouble.kind in LASTING]
    kept = [
        {
            "finding": one.finding._replace(mend=_SAYS_MORE).record(), "script": one.trouble.script.script,
            "script_ns": modified_ns(one.trouble.script.script),
            "paths": list(one.trouble.paths[:_MAX_PATHS]) if one.trouble.kind == "undeclared" else [],
        }
        for one in found[:_MAX_FOUND]
    ]  # fmt: skip
    keep_json(_file_of(paths, place.build_dir), {"build_dir": place.build_dir, "found": kept})


def is_kept_of(paths: Paths, run: str) -> bool:
    """An earlier run called nvcc where this one built."""
    record = read_record(paths, run)
    build_dir = (record.started.build_dir or record.started.target_dir) if record is not None else None
    return bool(build_dir) and os.path.exists(_file_of(paths, os.path.realpath(str(build_dir))))


def read_kept(paths: Paths, build_dir: str) -> tuple[Finding, ...]:
    """What was wrong in a build dir, as far as the scripts are still as they were; worst first."""
    real = os.path.realpath(build_dir)
    record = read_object(_file_of(paths, real), _MAX_BYTES)
    found = record.get("found")
    if record.get("build_dir") != real or not isinstance(found, list):
        return ()
    return from_record([one["finding"] for one in _as_it_was(found)])


def _as_it_was(found: list[Any]) -> Iterator[dict[str, Any]]:
    """Of scripts that nobody changed since, about files that are still there."""
    for one in found[:_MAX_FOUND]:
        if not isinstance(one, dict) or "finding" not in one or not isinstance(one.get("script"), str):
            continue
        paths = one.get("paths")
        files = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
        is_there = not files or any(modified_ns(path) for path in files)
        if is_there and one["script"] and modified_ns(one["script"]) == one.get("script_ns"):
            yield one


def _env_of(paths: Paths, run: str) -> Mapping[str, str]:
    env = read_object(paths.run(run) + "/run.json").get("env")
    return {name: value for name, value in env.items() if isinstance(value, str)} if isinstance(env, dict) else {}


def _file_of(paths: Paths, build_dir: str) -> str:
    name = blake2b(build_dir.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
    return f"{paths.state}/{KEPT}/{name}.json"
