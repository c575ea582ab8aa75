"""Links as the front before `cc` notes them: `runs/<run>/fronts/links.jsonl`, two lines a link."""

import json
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from core import events as e
from core.note_tail import NoteTail
from core.values import dataclass
from core.watch import procs
from core.watch.elf import read_sizes

_KNOWN = ("mold", "wild", "gold", "bfd", "lld")
_REMEMBERED = 512
"""Fronts of links that ended lately."""

LastSize = Callable[[str], int | None]
"""Bytes of the last link of an output, by its path (cargo's hash in it tells profiles and tests apart)."""


@dataclass(frozen=True)
class _Started:
    event: e.LinkStarted
    at: float


class LinkNotes:
    """Follows the notes of one run."""

    def __init__(self, path: str, last_size: LastSize, *, told: frozenset[tuple[str, bool]] = frozenset()) -> None:
        """`told`: links that are in the journal already, and whether it was their end."""
        self._tail = NoteTail(path)
        self._last_size = last_size
        self._told = told
        self._open: dict[str, _Started] = {}
        self._sizes: dict[str, int] = {}
        """What this run linked, by path."""
        self.fronts: deque[int] = deque(maxlen=_REMEMBERED)
        """Pids of the fronts that noted something: what runs below them is told already."""

    @property
    def open(self) -> tuple[str, ...]:
        """Links under way."""
        return tuple(self._open)

    def poll(self) -> list[e.Event]:
        """What was noted since the last call. A line that is no note of ours is passed over."""
        found = (self._event(line) for line in self._tail.poll())
        return [event for event in found if event is not None and not self._is_told(event)]

    def before(self, output: str) -> int | None:
        """Bytes of the last link of an output, in this run or an earlier one; None: the first that is known."""
        return self._sizes.get(output) or self._last_size(output)

    def made(self, output: str, size_bytes: int) -> None:
        """Remember what a link made."""
        self._sizes[output] = size_bytes

    def _is_told(self, event: e.LinkStarted | e.LinkEnded) -> bool:
        return (event.link, isinstance(event, e.LinkEnded)) in self._told

    def _event(self, line: bytes) -> e.LinkStarted | e.LinkEnded | None:
        try:
            note = json.loads(line)
            return self._started(note) if "link" in note else self._ended(note)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    def _started(self, note: dict[str, Any]) -> e.LinkStarted:
        output = note["output"] or ""
        event = e.LinkStarted(
            at=float(note["at"]),
            link=str(note["link"]),
            unit=_unit_name(note),
            output=os.path.normpath(os.path.join(str(note["cwd"]), output)) if output else "",
            linker=linker_name(note["fuse"], is_rust_lld=bool(note["rust_lld"])),
            inputs=int(note["inputs"]),
            input_bytes=int(note["input_bytes"]),
        )
        self._open[event.link] = _Started(event, event.at)
        self.fronts.append(int(note["pid"]))
        return event

    def _ended(self, note: dict[str, Any]) -> e.LinkEnded | None:
        started = self._open.pop(str(note["end"]), None)
        if started is None:
            return None
        begun, elapsed_s = started.event, float(note["elapsed_s"])
        is_good = note["code"] == 0 and note["output_bytes"] is not None
        before_bytes = self.before(begun.output)
        if is_good:
            self.made(begun.output, int(note["output_bytes"]))
        sizes = read_sizes(begun.output) if is_good else None
        return e.LinkEnded(
            at=started.at + elapsed_s,
            link=begun.link,
            unit=begun.unit,
            output=begun.output,
            linker=begun.linker,
            input_bytes=begun.input_bytes,
            began=started.at,
            elapsed_s=elapsed_s,
            peak_bytes=int(note["peak_bytes"]),
            cpu_s=float(note["user_s"]) + float(note["sys_s"]),
            code=note["code"],
            signal=note["signal"],
            output_bytes=int(note["output_bytes"]) if is_good else None,
            text_bytes=sizes.text if sizes else None,
            debug_bytes=sizes.debug if sizes else None,
            symbol_bytes=sizes.symbols if sizes else None,
            before_bytes=before_bytes if is_good else None,
        )


def _unit_name(note: dict[str, Any]) -> str:
    """The unit that rustc links; empty: what runs is none of cargo's."""
    words = [str(word) for word in note["rustc"]]
    if "crate" in note and not note["crate"]:
        return ""  # a build script tries the compiler, or a program calls it
    if "crate" in note and "--crate-name" not in words:
        words = ["--crate-name", note["crate"]]  # nobody saw as what
    names = {
        "CARGO_PKG_NAME": note["package"],
        "CARGO_PKG_VERSION": note["version"],
        "CARGO_BIN_NAME": note["binary"],
        "CARGO_MANIFEST_DIR": note.get("manifest_dir"),
    }
    package = {name: str(value) for name, value in names.items() if value}
    unit = procs.unit_of([b"rustc", *(str(word).encode() for word in words)], package)
    return unit.name if unit else ""


def linker_name(fuse: str | None, *, is_rust_lld: bool) -> str:
    """The linker behind `cc`: as asked for, else what `ld` is on this machine; empty: not known."""
    if is_rust_lld and fuse in (None, "lld"):
        return "rust-lld"
    if fuse:
        return os.path.basename(fuse).removeprefix("ld.")
    return _default_linker()


def linker_of(program: str) -> str:
    """The linker that a file is, by its path: `…/x86_64-linux-gnu-ld.bfd` is `bfd`; empty: none that is known."""
    name = os.path.basename(program)
    if "rust-lld" in name:
        return "rust-lld"
    known = next((one for one in _KNOWN if one in name), "")
    return known or ("bfd" if name == "ld" or name.endswith("-ld") else "")


def _default_linker(folders: str = "/usr/local/bin:/usr/bin:/bin") -> str:
    for folder in folders.split(":"):
        real = os.path.realpath(f"{folder}/ld")
        if os.access(real, os.X_OK):
            name = os.path.basename(real).rpartition("ld.")[2]
            return name if name in _KNOWN else "bfd"
    return ""
