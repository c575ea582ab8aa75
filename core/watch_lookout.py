"""The watch's side of the lookout (`core.lookout`): starts it, says what to listen to, reads what moved."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

_READ_BYTES = 1 << 20


class Heard(NamedTuple):
    """What the lookout told since the last call."""

    moved: tuple[str, ...] = ()
    listens: bool = False
    """From now on it listens to the folders that were ordered last: what moved before was not told."""
    is_gone: bool = False
    troubles: tuple[str, ...] = ()


class Lookout:
    """A process that tells what moves; where it cannot be had, `is_gone` is told once."""

    def __init__(self) -> None:
        argv = [sys.executable, "-I", os.path.join(os.path.dirname(os.path.abspath(__file__)), "lookout.py")]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._number = 0
        self._rest = b""
        assert self._process.stdout is not None
        self.fd = self._process.stdout.fileno()
        """Readable where something is to be read; -1: it is gone."""

    def order(self, folders: Sequence[str]) -> None:
        """Listen to these instead."""
        self._number += 1
        line = json.dumps({"number": self._number, "folders": list(folders)}).encode() + b"\n"
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:
            pass  # its end is told by `read`

    def read(self) -> Heard:
        """What it told; call it when `fd` is readable."""
        content = os.read(self.fd, _READ_BYTES)
        if not content:
            self.fd = -1
            return Heard(is_gone=True, troubles=("nothing tells what moves any more: files are looked at every 5 s",))
        *lines, self._rest = (self._rest + content).split(b"\n")
        records = [json.loads(line) for line in lines]
        return Heard(
            tuple(path for record in records for path in record.get("moved", ())),
            any(record.get("number") == self._number for record in records),
            troubles=tuple(record["trouble"] for record in records if "trouble" in record),
        )

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for stream in (self._process.stdin, self._process.stdout):
            try:
                stream.close()
            except OSError:
                pass
        self._process.wait()
