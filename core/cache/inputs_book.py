"""What units were made of, remembered in a file of lines, so that a later engine knows it too.

Memory holds where each line begins (some 100 bytes a line), never what it says.
"""

import json
import os
from hashlib import blake2b

from core.cache.inputs import Inputs

MAX_LINES = 4000
MAX_BYTES = 16 << 20
"""Reading it when the first miss is to be explained takes 60 ms for 9 MB."""
MAX_PER_UNIT = 8
"""The newest; what is older is no neighbour any more."""
_HEAD = b'{"unit":"'
_DIGITS = 16


class InputsBook:
    """One file, one writer. Where it cannot be read or written, it knows nothing."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._places: dict[str, list[tuple[int, int]]] = {}
        """Of each unit, by the digest of its name: where lines begin, and how long they are."""
        self._lines = 0
        self._size = 0
        self._open()

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def find(self, unit: str) -> list[Inputs]:
        """What the unit was made of, the newest first, at most MAX_PER_UNIT."""
        found: list[Inputs] = []
        places = self._places.get(_digest(unit), ())
        if not places:
            return []
        try:
            with open(self._path, "rb") as file:
                for start, length in reversed(places):
                    file.seek(start)
                    if (inputs := _parsed(file.read(length))) is not None and inputs.unit == unit:
                        found.append(inputs)
        except OSError:
            return []
        return found

    def add(self, inputs: Inputs) -> None:
        """Remember it; what is too much is forgotten, the oldest first."""
        unit = _digest(inputs.unit)
        text = json.dumps(inputs.to_json(), ensure_ascii=False, separators=(",", ":"), default=dict)
        line = _HEAD + unit.encode() + b'","inputs":' + text.encode("utf-8", "replace") + b"}\n"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                start = os.fstat(handle).st_size
                written = os.write(handle, line)
            finally:
                os.close(handle)
        except OSError:
            return
        if written < len(line):
            return  # the disk is full: the next start drops the torn line
        self._note(unit, start, len(line))
        if self._lines > 2 * MAX_LINES or self._size > MAX_BYTES:
            self._shorten()

    def _open(self) -> None:
        self._places, self._lines, self._size = {}, 0, 0
        try:
            with open(self._path, "rb+") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        file.truncate(self._size)
                        break
                    is_ours = line.startswith(_HEAD)
                    self._note(line[len(_HEAD) :][:_DIGITS].decode("latin-1") if is_ours else "", self._size, len(line))
        except OSError:
            return

    def _note(self, unit: str, start: int, length: int) -> None:
        self._lines += 1
        self._size = start + length
        if unit:
            places = self._places.setdefault(unit, [])
            places.append((start, length))
            del places[:-MAX_PER_UNIT]

    def _shorten(self) -> None:
        """Write what is still of use into a new file."""
        newest = sorted((place for places in self._places.values() for place in places), reverse=True)[:MAX_LINES]
        kept: list[tuple[int, int]] = []
        room = MAX_BYTES // 2
        for start, length in newest:
            room -= length
            if room < 0:
                break
            kept.append((start, length))
        part = self._path + ".part"
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(self._path, "rb") as old, open(handle, "wb") as new:
                for start, length in reversed(kept):
                    old.seek(start)
                    new.write(old.read(length))
            os.replace(part, self._path)
        except OSError:
            return
        self._open()


def _digest(unit: str) -> str:
    return blake2b(unit.encode("utf-8", "replace"), digest_size=_DIGITS // 2).hexdigest()


def _parsed(line: bytes) -> Inputs | None:
    try:
        return Inputs.from_json(json.loads(line)["inputs"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
