"""Calls of nvcc as the front before it notes them: `runs/<run>/fronts/nvcc.jsonl`, at least two lines a call."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from core import events as e
from core.native.kernels.kept import stem_of
from core.note_tail import NoteTail
from core.parsers.call_errors import parse_call_errors
from core.plan.small_file import read_small

MAX_OPEN = 4096
"""Calls whose end is waited for; further ones have none."""
_MAX_ROWS = 5000
_TEXT = 4096
_MAX_SOURCE_BYTES = 16 << 20
_MAX_HEADERS = 200
"""Of a call whose content is looked at (20 µs each, the first time); one that read more has no branch point."""
_MOST_KNOWN = 5000
_ONE_EACH = ("object", "device-object", "ptx", "cubin", "fatbin")
_WRONG = (ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError)

Told = frozenset[tuple[str, str, float]]
"""What the journal has already: call, which event of it, when."""


class Kept(NamedTuple):
    """Files that the front kept of a call, for the engine to look into."""

    ended: e.NvccEnded
    sources: tuple[str, ...]
    archs: tuple[str, ...]
    tool: str
    """Absolute path of the nvcc that ran; empty: not known."""
    folder: str
    """Absolute, below the run's `fronts`; empty: none was kept."""
    files: tuple[tuple[str, str, str], ...]
    """Arch, `cubin` or `ptx`, name in that folder."""
    outputs: tuple[str, ...] = ()
    """One a source, where there are several."""


class _Begun(NamedTuple):
    started: e.NvccStarted
    tool: str


class NvccNotes:
    """Follows the notes of one run."""

    def __init__(self, path: str, *, told: Told = frozenset()) -> None:
        self._tail = NoteTail(path)
        self._folder = os.path.dirname(path)
        self._told = told
        self._open: dict[str, _Begun] = {}
        self._kept: list[Kept] = []
        self._blobs = _Blobs()

    @property
    def open(self) -> tuple[str, ...]:
        """Calls under way."""
        return tuple(self._open)

    def poll(self) -> list[e.Event]:
        """What was noted since the last call. A line that is no note of ours is passed over."""
        found = (self._event(line) for line in self._tail.poll())
        return [event for event in found if event is not None and key_of(event) not in self._told]

    def take_kept(self) -> list[Kept]:
        """Of calls that ended since the last one: what there is to measure. Whoever takes it removes the folders."""
        kept, self._kept = self._kept, []
        return kept

    def _event(self, line: bytes) -> e.Event | None:
        try:
            note = json.loads(line)
            if "nvcc" in note:
                return self._started(note)
            return self._phase(note) if "phase" in note else self._ended(note)
        except _WRONG:
            return None

    def _started(self, note: dict[str, Any]) -> e.NvccStarted | None:
        if len(self._open) >= MAX_OPEN:
            return None
        cwd = _text(note["cwd"])
        sources = tuple(os.path.normpath(os.path.join(cwd, _text(one))) for one in note["sources"][:_MAX_ROWS])
        kind, output = _text(note["kind"]), _path(cwd, note.get("output"))
        event = e.NvccStarted(
            at=_seconds(note["at"]),
            call=_text(note["nvcc"]),
            package=_text(note.get("package") or ""),
            source=sources[0] if sources else "",
            output=output,
            kind=kind,
            archs=tuple(_text(arch)[:32] for arch in note["archs"][:_MAX_ROWS]),
            sources=sources if len(sources) > 1 else (),
            blob=blob_of(sources[0]) if sources else "",
            outputs=outputs_of(kind, sources, output),
        )
        self._open[event.call] = _Begun(event, _text(note.get("tool") or ""))
        return event

    def _phase(self, note: dict[str, Any]) -> e.NvccPhaseBegan | None:
        call = _text(note["phase"])
        if call not in self._open:
            return None
        arch = note.get("arch")
        return e.NvccPhaseBegan(
            _seconds(note["at"]), call, _text(note["tool"])[:64], _text(arch)[:32] if arch else None
        )

    def _ended(self, note: dict[str, Any]) -> e.NvccEnded | None:
        begun = self._open.get(_text(note["end"]))
        if begun is None:
            return None
        event = _end_of(begun.started, note, self._blobs)
        del self._open[event.call]
        self._kept.append(self._kept_of(event, begun, note))
        return event

    def _kept_of(self, ended: e.NvccEnded, begun: _Begun, note: dict[str, Any]) -> Kept:
        """Nothing is looked at, and later removed, but the folder of that very call below that of the notes."""
        name = f"nvcc-{ended.call}"
        is_ours = bool(note.get("kept")) and "/" not in name
        files = tuple(_files(note.get("files"))) if is_ours else ()
        sources = begun.started.sources or ((begun.started.source,) if begun.started.source else ())
        folder = f"{self._folder}/{name}" if is_ours else ""
        return Kept(ended, sources, begun.started.archs, begun.tool, folder, files, begun.started.outputs)


def outputs_of(kind: str, sources: Sequence[str], first: str) -> tuple[str, ...]:
    """What a call makes, one a source; empty: of one source, or one of all.

    Args:
        kind: Of the call.
        sources: Absolute paths.
        first: What it makes of the first one: nvcc then names the others alike, in the same folder.
    """
    if len(sources) < 2 or kind not in _ONE_EACH or not first:
        return ()
    folder, _, name = first.rpartition("/")
    end = name.removeprefix(stem_of(sources[0]))
    return tuple(f"{folder}/{stem_of(source)}{end}" for source in sources) if end != name else ()


def key_of(event: e.Event) -> tuple[str, str, float]:
    """What tells an event of nvcc from the others of a run."""
    return getattr(event, "call", ""), type(event).__name__, event.at


def told_in(events: Iterable[e.Event]) -> Told:
    """What a journal tells of nvcc."""
    ours = (e.NvccStarted, e.NvccPhaseBegan, e.NvccEnded)
    return frozenset(key_of(event) for event in events if isinstance(event, ours))


def _end_of(begun: e.NvccStarted, note: dict[str, Any], blobs: "_Blobs") -> e.NvccEnded:
    elapsed_s = _seconds(note["elapsed_s"])
    taken_s = note.get("taken_s")  # it was made ahead: until then its outputs were not where they belong
    stale = note.get("stale")
    return e.NvccEnded(
        at=begun.at + (elapsed_s if taken_s is None else max(elapsed_s, _seconds(taken_s))),
        call=begun.call,
        package=begun.package,
        source=begun.source,
        output=begun.output,
        kind=begun.kind,
        began=begun.at,
        elapsed_s=elapsed_s,
        cpu_s=_cpu_s(note.get("user_s"), note.get("sys_s")),
        peak_bytes=_number(note.get("peak_bytes")),
        code=_number(note.get("code")),
        signal=_number(note.get("signal")),
        output_bytes=_number(note.get("output_bytes")),
        verdict=_text(note.get("verdict") or "off")[:16],
        why=_text(note.get("why") or ""),
        phases=tuple(_phases(note.get("times"), note.get("memory"))),
        is_stale=stale if isinstance(stale, bool) else None,
        headers=_headers(begun, note.get("inputs"), blobs),
        errors=parse_call_errors(said) if isinstance(said := note.get("errors"), str) else None,
    )


def _cpu_s(user: Any, system: Any) -> float | None:
    """None: nothing was started, because a cache answered."""
    return None if user is None or system is None else _seconds(user) + _seconds(system)


def _phases(times: Any, memory: Any) -> Iterator[e.Phase]:
    """Rows of `--time`, each with the memory that was seen of its tool for its arch."""
    peaks: dict[tuple[str, str | None], int] = {}
    for row in _rows(memory, 3):
        peaks[_text(row[0]), row[1] or None] = int(row[2])
    for row in _rows(times, 3):
        tool, arch = _text(row[0])[:64], _text(row[1])[:32] if row[1] else None
        source = _text(row[3]) if len(row) > 3 and row[3] else ""
        yield e.Phase(tool, arch, round(_seconds(row[2]) / 1000, 7), peaks.get((tool, arch)), source)


def _headers(begun: e.NvccStarted, inputs: Any, blobs: "_Blobs") -> tuple[e.Header, ...] | None:
    """What it read beside its source, as that is now; None: it was not told, or is too much."""
    if not isinstance(inputs, list) or not begun.source:
        return None
    paths = [os.path.normpath(path) for path in map(_text, inputs[: _MAX_HEADERS + 2]) if path.startswith("/")]
    others = [path for path in dict.fromkeys(paths) if path != begun.source]
    if len(others) > _MAX_HEADERS:
        return None
    return tuple(e.Header(path, blobs.of(path, begun.at)) for path in others)


class _Blobs:
    """Git's names for headers: calls of one build read the same ones, and many may end at once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}
        """With what tells that the file is another one."""

    def of(self, path: str, at: float) -> str:
        """Of a file that was not written since then; empty: it was, or cannot be read."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return ""
        if found.st_mtime >= at:
            return ""
        now = found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
        known = self._known.get(path)
        if known is None or known[0] != now:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[path] = now, blob_of(path)
        return known[1]


def _files(rows: Any) -> Iterator[tuple[str, str, str]]:
    for row in _rows(rows, 3):
        arch, kind, name = _text(row[0] or "")[:32], _text(row[1]), _text(row[2])
        if kind in ("cubin", "ptx") and name and "/" not in name and not name.startswith("."):
            yield arch, kind, name


def _rows(found: Any, least: int) -> Iterator[list[Any]]:
    """Lists of so many fields at least."""
    rows = found if isinstance(found, list) else []
    return (row for row in rows[:_MAX_ROWS] if isinstance(row, list) and len(row) >= least)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text was expected")
    return value[:_TEXT].encode("utf-8", "replace").decode()


def _seconds(value: Any) -> float:
    found = float(value)
    if not 0 <= found < 1e15:
        raise ValueError(f"{found} is no moment and no span")
    return found


def _path(cwd: str, value: Any) -> str:
    return os.path.normpath(os.path.join(cwd, _text(value))) if value else ""


def blob_of(path: str) -> str:
    """Git's name for the content of a file, as it is in a repository without filters; empty: it cannot be read."""
    content = read_small(path, _MAX_SOURCE_BYTES)
    if content is None:
        return ""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
