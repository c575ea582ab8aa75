"""Where iterations are kept: `iterations.jsonl` of the state folder, and `iteration.json` of each run, from which the
former is made anew where it is missing or damaged.

First line `{"schema": 1}`, then an object an iteration (`core.native.edits.iterations`), perhaps several of one run; a
line that is torn or none is passed over.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from core.native.edits.iterations import SCHEMA, Iteration, joined, merged, to_record
from core.paths import Paths
from core.plan.small_file import keep_json, read_object
from core.runs import run_ids

NAME = "iteration.json"
MAX_BYTES = 8 << 20
"""Beyond, the older half goes."""
_KEPT = 4000
_MAX_ONE_BYTES = 1 << 20


def path_of(paths: Paths) -> str:
    """The file with all of them."""
    return paths.state + "/iterations.jsonl"


def read_iterations(paths: Paths) -> tuple[Iteration, ...]:
    """All that are kept, oldest first; made from the runs where the file is missing or is none."""
    records = _records(paths)
    return merged(_of_runs(paths) if records is None else records)


def _records(paths: Paths) -> list[dict[str, Any]] | None:
    """None: it is not there, or not to be used."""
    try:
        if not os.path.isfile(path_of(paths)):
            return None
        with open(path_of(paths), "rb") as file:
            header = _object(file.readline(4096))
            if header is None or not isinstance(header.get("schema"), int) or header["schema"] > SCHEMA:
                return None
            size = os.fstat(file.fileno()).st_size
            if size - file.tell() > 2 * MAX_BYTES:
                file.seek(size - 2 * MAX_BYTES)
            lines = file.read().split(b"\n")
    except (OSError, ValueError):
        return None
    return [record for line in lines if (record := _object(line)) is not None]


def _of_runs(paths: Paths) -> list[dict[str, Any]]:
    found = (read_object(f"{paths.run(run)}/{NAME}", _MAX_ONE_BYTES) for run in run_ids(paths)[-_KEPT:])
    return [record for record in found if record]


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def keep(paths: Paths, record: Mapping[str, Any]) -> None:
    """Keep an iteration, or what else is known of one: `run` says of which. What cannot be written is lost silently."""
    try:
        run = paths.run(str(record["run"]))
        if os.path.isdir(run):
            _keep_in_run(run, record)
        os.makedirs(paths.state, 0o700, exist_ok=True)
        fd = os.open(path_of(paths), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            _append(paths, fd, record)
        finally:
            os.close(fd)
    except OSError:
        return


def keep_iteration(paths: Paths, one: Iteration) -> None:
    """Keep a whole one."""
    keep(paths, to_record(one))


def _keep_in_run(folder: str, record: Mapping[str, Any]) -> None:
    path = f"{folder}/{NAME}"
    keep_json(path, {"schema": SCHEMA, **joined(read_object(path, _MAX_ONE_BYTES), record)})


def _append(paths: Paths, fd: int, record: Mapping[str, Any]) -> None:
    size = os.fstat(fd).st_size
    line = json.dumps(dict(record)).encode() + b"\n"
    header = _object(os.pread(fd, 4096, 0).split(b"\n")[0]) if size else None
    if header is not None and isinstance(header.get("schema"), int):
        if header["schema"] > SCHEMA:
            return  # a newer version keeps it
        if size < MAX_BYTES:
            torn = b"" if os.pread(fd, 1, size - 1) == b"\n" else b"\n"
            os.write(fd, torn + line)
            return
        _write_anew(fd, [*map(to_record, merged(_records(paths) or ())[-_KEPT // 2 :]), record])
        return
    _write_anew(fd, [*_of_runs(paths), record])


def _write_anew(fd: int, records: Iterable[Mapping[str, Any]]) -> None:
    """In place: whoever waits for the lock has this very file open."""
    lines = [json.dumps({"schema": SCHEMA}), *(json.dumps(dict(record)) for record in records)]
    os.ftruncate(fd, 0)
    os.write(fd, "\n".join(lines).encode() + b"\n")
