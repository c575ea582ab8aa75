"""Calls of nvcc as the front noted them: `runs/<run>/fronts/nvcc.jsonl`, a line as a call starts and one as it ends.

    {"nvcc": ID, "at": s, "cwd", "argv": […], "tool", "sources": […], "output", "kind", "archs": […], "package",
     "manifest_dir", "out_dir", "env": {name: value} or null, "ahead": true where it was made ahead}
    {"end": ID, "elapsed_s", "code", "signal", "verdict": "hit|miss|off|bypass", "why",
     "inputs": [abs] or null}

A line that is torn, or none of these, is passed over. So is a call that was made ahead and has no end: nobody asked for
it, and its outputs are nowhere.
"""

import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from core.paths import Paths
from core.plan.small_file import read_head, read_object

NOTES = "fronts/nvcc.jsonl"
KEPT = "native/stale"
"""Below our state: what is wrong in build dirs where nvcc was called, a file each (`staleness.stale_kept`)."""
_FRONT = "/fronts/nvcc-"
"""In a folder of PATH that has one."""
MAX_RUNS = 60
"""The latest are looked at."""
_MAX_BYTES = 1 << 26
_MOST_SECONDS = 1e11


class NvccCall(NamedTuple):
    """One call."""

    run: str
    call: str
    at: float
    cwd: str
    argv: tuple[str, ...]
    tool: str
    """The real nvcc; empty: not told."""
    sources: tuple[str, ...]
    """Absolute."""
    output: str
    """Absolute; empty: it makes none."""
    kind: str
    """`object`, `ptx`, `library`, `query`, …"""
    package: str
    manifest_dir: str
    out_dir: str
    code: int | None = None
    """None: it lives, or was killed."""
    verdict: str = ""
    """`hit`, `miss`, `off`, `bypass`; empty: not told."""
    why: str = ""
    elapsed_s: float | None = None
    inputs: tuple[str, ...] = ()
    """Absolute: all that it read, without the toolkit and the system; empty: not told."""
    archs: tuple[str, ...] = ()
    """`sm_80`, `compute_90`: what it makes code for."""
    env: tuple[tuple[str, str], ...] | None = None
    """Variables that nvcc and its tools read; None: not told, or one holds a credential."""

    @property
    def makes(self) -> bool:
        """It compiles or links something."""
        return self.kind not in ("query", "depend", "preprocess")


def read_calls(content: bytes, run: str = "") -> tuple[NvccCall, ...]:
    """The calls in a file of notes, in order; lines that are no notes are passed over."""
    calls: dict[str, NvccCall] = {}
    ahead: set[str] = set()
    for line in content.split(b"\n"):
        try:
            note = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(note, dict):
            continue
        if isinstance(note.get("nvcc"), str):
            calls[note["nvcc"]] = _started(note, run)
            if note.get("ahead") is True:
                ahead.add(note["nvcc"])
        elif (call := calls.get(_text(note.get("end")))) is not None:
            code = note.get("code")
            ahead.discard(call.call)
            calls[call.call] = call._replace(
                code=code if isinstance(code, int) else None,
                verdict=_text(note.get("verdict")), why=_text(note.get("why")),
                elapsed_s=seconds_of(note.get("elapsed_s")),
                inputs=tuple(one for one in _paths(note.get("inputs")) if one.startswith("/")),
            )  # fmt: skip
    return tuple(call for call in calls.values() if call.call not in ahead)


def has_called_nvcc(paths: Paths, run: str) -> bool:
    """The front noted something in it."""
    return os.path.exists(f"{paths.run(run)}/{NOTES}")


def has_front(paths: Paths, run: str) -> bool:
    """A front stood before nvcc in it: what was called is noted."""
    launch = read_object(f"{paths.run(run)}/run.json").get("launch")
    return any(_FRONT in place for place in _words(launch.get("path_front") if isinstance(launch, dict) else None))


def calls_of_run(paths: Paths, run: str) -> tuple[NvccCall, ...]:
    """The calls of one run; empty: none was noted."""
    return read_calls(read_head(f"{paths.run(run)}/{NOTES}", _MAX_BYTES) or b"", run)


def runs_in(paths: Paths, build_dirs: Iterable[str]) -> tuple[str, ...]:
    """The latest runs that built in one of these dirs, newest first, at most MAX_RUNS."""
    wanted = {os.path.normpath(one) for one in build_dirs if one}
    found: list[str] = []
    try:
        names = sorted(os.listdir(paths.runs), reverse=True)
    except OSError:
        return ()
    for name in names[: MAX_RUNS * 20]:
        record = read_object(f"{paths.run(name)}/run.json")
        if wanted & {_text(record.get("target_dir")), _text(record.get("build_dir"))}:
            found.append(name)
            if len(found) == MAX_RUNS:
                break
    return tuple(found)


def latest_by_output(calls: Iterable[NvccCall]) -> dict[str, NvccCall]:
    """Of each output the latest call that made it and succeeded."""
    latest: dict[str, NvccCall] = {}
    for call in sorted(calls, key=lambda one: one.at):
        if call.output and call.makes and call.code in (0, None):
            latest[call.output] = call
    return latest


def _started(note: dict[str, Any], run: str) -> NvccCall:
    return NvccCall(
        run=run, call=note["nvcc"], at=seconds_of(note.get("at")) or 0.0, cwd=_path(note.get("cwd")),
        argv=_words(note.get("argv")), tool=_path(note.get("tool")), sources=_paths(note.get("sources")),
        output=_path(note.get("output")), kind=_text(note.get("kind")), package=_text(note.get("package")),
        manifest_dir=_path(note.get("manifest_dir")), out_dir=_path(note.get("out_dir")),
        archs=_words(note.get("archs")), env=_variables(note.get("env")),
    )  # fmt: skip


def seconds_of(value: object) -> float | None:
    """A moment or a span as a record has it; None: it is none."""
    if not isinstance(value, int | float) or not 0 <= value < _MOST_SECONDS:
        return None
    return float(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _words(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _variables(value: Any) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(value, dict):
        return None
    return tuple((name, one) for name, one in value.items() if isinstance(one, str) and "\0" not in name + one)


def _path(value: Any) -> str:
    """Empty: no file can be called so."""
    text = _text(value)
    try:
        return "" if "\0" in text else os.fsdecode(os.fsencode(text))
    except ValueError:
        return ""


def _paths(value: Any) -> tuple[str, ...]:
    return tuple(path for path in map(_path, _words(value)) if path)
