"""What advice gave when it was tried here: `advice.jsonl`, one measurement a line. Pure but for that file."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from core.kept_lines import append_line, last_lines
from core.native.gains.advice import Advice
from core.paths import Paths
from core.values import dataclass

_SCHEMA = 1
_VERDICTS = ("faster", "slower", "within noise", "too few rounds", "")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a build made again."""

    units: tuple[str, ...] = ()
    """Crates that were compiled: `app lib`, `app bin`."""
    scripts: tuple[str, ...] = ()
    """Packages whose build script ran."""
    nvcc_calls: int | None = None
    """That made something; None: nobody told."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One kind of edit, with and without the advice."""

    edit: str
    """`native`, `header`, `rust`, `back`."""
    path: str
    """The file that was edited."""
    before_s: float | None
    """Median without; None: it failed."""
    after_s: float | None
    ratio: float | None
    """Of the same round, median; None: it failed."""
    low: float | None
    high: float | None
    """95 % of the medians of as many rounds lie between."""
    noise: float | None
    """How far the same build differs from itself: 0.04 is a factor of 1.04."""
    verdict: str
    """As of `core.native.edits.lever_figures.verdict_of`; empty: it failed."""
    before: Rebuilt
    after: Rebuilt


@dataclass(frozen=True, slots=True)
class Tried:
    """One advice, tried in a scratch world."""

    at: float
    """When it was done, seconds since the epoch."""
    workspace: str
    advice: Advice
    what: str
    """What was tried: `linker mold`, `app-native`."""
    command: str
    """What built it."""
    world: str
    """`overlay`, `copy`."""
    cores: int
    rounds: int
    figures: tuple[Figure, ...]
    inputs: Mapping[str, str]
    """Digests of the manifests and build scripts that it rests on, by path."""
    trouble: str = ""
    """Why it could not be tried; empty: it was."""


def changed_since(tried: Tried, digest: Callable[[str], str]) -> tuple[str, ...]:
    """Inputs that are other ones now. `digest`: of a file's content; empty where it is not there."""
    return tuple(path for path, before in tried.inputs.items() if digest(path) != before)


def path_of(paths: Paths) -> str:
    """Where measurements are kept."""
    return paths.state + "/advice.jsonl"


def append(paths: Paths, one: Tried) -> None:
    """Keep one. Raises OSError where it cannot be written."""
    append_line(path_of(paths), {"schema": _SCHEMA, **to_record(one)})


def read(paths: Paths, workspace: str) -> Mapping[Advice, Tried]:
    """The last one of each advice in a project; lines that are none are passed over."""
    found: dict[Advice, Tried] = {}
    for line in last_lines(path_of(paths)):
        one = _tried(line)
        if one is not None and one.workspace == workspace:
            found[one.advice] = one
    return found


def to_record(one: Tried) -> dict[str, Any]:
    """As it is written, and printed as JSON."""
    return {
        "at": one.at, "workspace": one.workspace, "advice": str(one.advice), "what": one.what,
        "command": one.command, "world": one.world, "cores": one.cores, "rounds": one.rounds,
        "figures": [
            {"edit": f.edit, "path": f.path, "before_s": f.before_s, "after_s": f.after_s, "ratio": f.ratio,
             "low": f.low, "high": f.high, "noise": f.noise, "verdict": f.verdict,
             "before": _rebuilt_record(f.before), "after": _rebuilt_record(f.after)}
            for f in one.figures
        ],
        "inputs": dict(one.inputs), "trouble": one.trouble,
    }  # fmt: skip


def _rebuilt_record(one: Rebuilt) -> dict[str, Any]:
    return {"units": list(one.units), "scripts": list(one.scripts), "nvcc_calls": one.nvcc_calls}


def _tried(line: bytes) -> Tried | None:
    try:
        record = json.loads(line)
        if record["schema"] > _SCHEMA:
            return None
        inputs = {str(path): str(digest) for path, digest in record["inputs"].items()}
        return Tried(
            float(record["at"]), str(record["workspace"]), Advice(record["advice"]), str(record["what"]),
            str(record["command"]), str(record["world"]), int(record["cores"]), int(record["rounds"]),
            tuple(_figure(one) for one in record["figures"]), inputs, str(record["trouble"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError):
        return None


def _figure(record: Any) -> Figure:
    """Raises as indexing does, or TypeError."""
    names = ("before_s", "after_s", "ratio", "low", "high", "noise")
    numbers = {name: _number(record[name]) for name in names}
    if record["verdict"] not in _VERDICTS:
        raise TypeError("no verdict")
    return Figure(str(record["edit"]), str(record["path"]), **numbers, verdict=record["verdict"],
                  before=_rebuilt(record["before"]), after=_rebuilt(record["after"]))  # fmt: skip


def _number(value: Any) -> float | None:
    if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
        raise TypeError("a number was expected")
    return value


def _rebuilt(record: Any) -> Rebuilt:
    calls = record["nvcc_calls"]
    if calls is not None and not isinstance(calls, int):
        raise TypeError("a number was expected")
    return Rebuilt(tuple(map(str, record["units"])), tuple(map(str, record["scripts"])), calls)
