"""Recordings: finished or live runs in one file, and how they are played again.

A recording is a zip: `recording.json` (`{"schema": 1, "runs": [ID, …]}`), and for each run its `run.json`, `exit.json`,
`events.jsonl`, `out.log`, `err.log`; and `machine.jsonl`, what was seen of the machine meanwhile. Folders of the
machine are replaced, the environment is left out.
"""

import json
import os
import re
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from core import events as e
from core.errors import DeckError
from core.facts import LATE_PLAN
from core.findings import from_event, from_record, seen
from core.journal import NAME, read_journal
from core.machine_journal import events_between
from core.paths import Paths
from core.run import mask

SCHEMA = 1
_FILES = ("run.json", "exit.json", "events.jsonl", "out.log", "err.log")
_LOGS: dict[str, e.Stream] = {"out.log": "out", "err.log": "err"}
_BEFORE_S = 5.0
"""What was seen of the machine so long before the first event is in it too."""
_LARGEST_BYTES = 1 << 30
"""Of one file in a recording that is opened."""


class RecordingError(DeckError):
    """The file cannot be written, or is no recording."""


class _Scrubber:
    """Replaces folders of the machine and values of credentials; knows how offsets move."""

    def __init__(self, folders: dict[str, str], secrets: Sequence[str]) -> None:
        pairs = [(os.fsencode(old), new.encode()) for old, new in folders.items() if len(old) > 1]
        pairs += [(secret.encode("utf-8", "surrogateescape"), mask.MASK.encode()) for secret in secrets]
        written = (*folders.items(), *((secret, mask.MASK) for secret in secrets))  # as they stand in journals
        pairs += [(_as_json(old), _as_json(new)) for old, new in written if len(old) > 1]
        self._new = dict(sorted(pairs, key=lambda pair: -len(pair[0])))
        self._pattern = re.compile(b"|".join(re.escape(old) for old in self._new)) if self._new else None

    def scrub(self, content: bytes) -> tuple[bytes, Callable[[int], int]]:
        """The content, and where an offset of the old one lies in the new one."""
        if self._pattern is None:
            return content, lambda offset: offset
        parts: list[bytes] = []
        ends: list[int] = []
        moved: list[int] = [0]
        at = 0
        for match in self._pattern.finditer(content):
            new = self._new[match[0]]
            parts += [content[at : match.start()], new]
            at = match.end()
            ends.append(at)
            moved.append(moved[-1] + len(new) - len(match[0]))
        parts.append(content[at:])
        return b"".join(parts), lambda offset: offset + moved[bisect_left(ends, offset + 1)]


def _as_json(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()


def record(paths: Paths, runs: Iterable[str], file: str, env: dict[str, str]) -> int:
    """Write runs into one recording; its size in bytes. `env` tells which credentials must not be in it.

    Raises:
        RecordingError: a run has no journal, or the file cannot be written.
    """
    ids = sorted(set(runs))
    part = file + ".part"
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("recording.json", json.dumps({"schema": SCHEMA, "runs": ids}))
            scrubber = _Scrubber(_folders(paths, ids), mask.secrets_of(env))
            spans = [_add(archive, paths.run(run), run, scrubber) for run in ids]
            _add_machine(archive, paths, spans, scrubber)
        os.replace(part, file)
    except OSError as error:
        raise RecordingError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return os.stat(file).st_size


def _folders(paths: Paths, runs: list[str]) -> dict[str, str]:
    """Folders of the machine and what stands for them."""
    folders: dict[str, str] = {}
    for run in runs:
        found = _load(paths.run(run) + "/run.json")
        for key in ("checkout", "cwd"):
            folder = str(found.get(key) or "")
            if folder.count("/") > 1:
                folders.setdefault(folder, "/home/dev/" + os.path.basename(folder))
                parent = os.path.dirname(folder)
                if parent.count("/") > 1:
                    folders.setdefault(parent, "/home/dev")
    folders.setdefault(paths.cache, "/home/dev/.cache/cargo-deck")
    folders.setdefault(paths.state, "/home/dev/.local/state/cargo-deck")
    home = os.path.expanduser("~")
    if home.count("/") >= 1 and len(home) > 1:
        folders.setdefault(home + "/", "/home/dev/")
    return folders


def _add_machine(archive: zipfile.ZipFile, paths: Paths, spans: list[tuple[float, float]], scrubber: _Scrubber) -> None:
    first, last = min(begun for begun, _ in spans), max(ended for _, ended in spans)
    lines = [json.dumps({"schema": e.SCHEMA_VERSION, "run": "machine"})]
    lines += [json.dumps(e.to_record(event)) for event in events_between(paths, first - _BEFORE_S, last)]
    archive.writestr("machine.jsonl", scrubber.scrub(("\n".join(lines) + "\n").encode())[0])


def _add(archive: zipfile.ZipFile, folder: str, run: str, scrubber: _Scrubber) -> tuple[float, float]:
    """Put a run into the recording; when its first and its last event happened."""
    path = folder + "/events.jsonl"
    journal = read_journal(path) if os.path.exists(path) else None
    if journal is None or not journal.events:
        raise RecordingError(f"run {run} has no journal yet: wait for the engine, `cargo deck ps` starts one")
    moves: dict[str, Callable[[int], int]] = {}
    for name in _LOGS:
        if os.path.exists(f"{folder}/{name}"):
            with open(f"{folder}/{name}", "rb") as file:
                content, moves[_LOGS[name]] = scrubber.scrub(file.read())
            archive.writestr(f"{run}/{name}", content)
    lines = [json.dumps({"schema": e.SCHEMA_VERSION, "run": run})]
    lines += [json.dumps(e.to_record(_moved(event, moves))) for event in journal.events]
    archive.writestr(f"{run}/events.jsonl", scrubber.scrub(("\n".join(lines) + "\n").encode())[0])
    for name in ("run.json", "exit.json"):
        found = _load(f"{folder}/{name}")
        if name == "run.json":
            found = _told({**found, **_load(f"{folder}/{LATE_PLAN}")})
        if found:
            archive.writestr(f"{run}/{name}", scrubber.scrub(json.dumps(found).encode())[0])
    times = [event.at for event in journal.events]
    return min(times), max(times)


def _moved(event: e.Event, moves: dict[str, Callable[[int], int]]) -> e.Event:
    """The event as it fits scrubbed logs, and without diffs of a person's files, which earlier versions kept."""
    if isinstance(event, e.OutputGrew) and event.stream in moves:
        return replace(event, size_bytes=moves[event.stream](event.size_bytes))
    return seen(event.at, from_event(event)) if isinstance(event, e.ContradictionsSeen) else event


def _told(found: dict[str, Any]) -> dict[str, Any]:
    """What a recording has of `run.json`: no environment, no diffs, no credentials that earlier versions kept."""
    found.pop("env", None)
    if "findings" in found:
        found["findings"] = [one.record() for one in from_record(found["findings"])]
    if "plan" in found:
        found["plan"] = mask.safe_record(found["plan"], {})
    return found


def _load(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def unpack(file: str, folder: str) -> tuple[Paths, tuple[str, ...]]:
    """Put a recording's files into `folder`, laid out like a state directory; its paths and run ids.

    Raises:
        RecordingError: it cannot be read, is no recording, or was made by a newer version.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            about = json.loads(archive.read("recording.json"))
            if about["schema"] > SCHEMA:
                raise RecordingError(
                    f"{file} was made by a newer cargo-deck (schema {about['schema']}): update this one"
                )
            runs = tuple(str(run) for run in about["runs"])
            for run in runs:
                _take_out(archive, run, f"{folder}/runs/{run}")
            _take_out_machine(archive, folder + "/machine")
    except OSError as error:
        raise RecordingError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise RecordingError(f"{file} is no recording of cargo-deck, or is damaged ({error})") from error
    return Paths(folder, folder + "/cache"), runs


def _take_out(archive: zipfile.ZipFile, run: str, folder: str) -> None:
    if "/" in run or run.startswith("."):
        raise ValueError(f"bad run id {run!r}")
    os.makedirs(folder)
    names = set(archive.namelist())
    if f"{run}/events.jsonl" not in names:
        raise ValueError(f"run {run} has no journal in it")
    for name in _FILES:
        if f"{run}/{name}" not in names:
            continue
        if archive.getinfo(f"{run}/{name}").file_size > _LARGEST_BYTES:
            raise ValueError(f"{name} is larger than {_LARGEST_BYTES} bytes")
        with open(f"{folder}/{name}", "wb") as out:
            out.write(archive.read(f"{run}/{name}"))


def _take_out_machine(archive: zipfile.ZipFile, folder: str) -> None:
    """What was seen of the machine; recordings of earlier versions have nothing of it."""
    if "machine.jsonl" not in archive.namelist() or archive.getinfo("machine.jsonl").file_size > _LARGEST_BYTES:
        return
    os.makedirs(folder)
    with open(f"{folder}/{NAME}", "wb") as out:
        out.write(archive.read("machine.jsonl"))
