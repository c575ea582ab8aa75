"""Kernels by what nvcc made: an answer of a cache makes no cubin, but the same object holds the same kernels. Those of
PTX have the figures that our ptxas gave them, once for each content; none: it gave none.

`<folder>/<digest of object or PTX>.json`: rows of `core.events.native.Kernel`, one object each; the oldest go first.
"""

import contextlib
import os
from collections.abc import Sequence
from hashlib import blake2b

from core.events.native import Kernel, rows_of
from core.plan.small_file import keep_json, read_object

MAX_ENTRIES = 2000
_SCHEMA = 1
_MAX_ENTRY_BYTES = 8 << 20
_MAX_OBJECT_BYTES = 64 << 20
_BLOCK = 1 << 20
_DIGEST_BYTES = 24


class KernelStore:
    """What was measured, for whoever gets the same object later."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._added = 0

    def keep(self, digest: str, kernels: Sequence[Kernel]) -> None:
        """Remember the kernels of an object. What cannot be written is not remembered."""
        rows = [list(kernel._replace(compile_s=None)) for kernel in kernels]
        if not keep_json(f"{self._folder}/{digest}.json", {"schema": _SCHEMA, "kernels": rows}):
            return
        self._added += 1
        if self._added % 100 == 1:
            self._trim()

    def of(self, digest: str) -> tuple[Kernel, ...]:
        """The kernels of an object; empty: they are not known."""
        return self.entry(digest) or ()

    def entry(self, digest: str) -> tuple[Kernel, ...] | None:
        """As `of`; None: nobody looked at that content yet."""
        found = read_object(f"{self._folder}/{digest}.json", _MAX_ENTRY_BYTES)
        if found.get("schema") != _SCHEMA:
            return None
        try:
            kernels: tuple[Kernel, ...] = rows_of(Kernel, found["kernels"])
        except (KeyError, TypeError):
            return None
        return kernels if all(_is_sound(kernel) for kernel in kernels) else None

    def _trim(self) -> None:
        """Let the oldest go where there are too many."""
        with contextlib.suppress(OSError):
            entries = sorted(os.scandir(self._folder), key=lambda entry: entry.stat().st_mtime)
            for entry in entries[: max(0, len(entries) - MAX_ENTRIES)]:
                os.unlink(entry.path)


def _is_sound(kernel: Kernel) -> bool:
    figures = kernel[2:10]
    return (
        isinstance(kernel.name, str)
        and isinstance(kernel.arch, str)
        and isinstance(kernel.ptxas_arch, str)
        and all(figure is None or isinstance(figure, int) for figure in figures)
    )


def digest_of_content(content: bytes) -> str:
    """The same of what was read."""
    return blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


def digest_of(path: str, size_bytes: int | None, ended: float) -> str:
    """Of what a call made; empty: it is no file of that size any more, or it was changed after the call's end."""
    try:
        with open(path, "rb", opener=_opener) as file:
            status = os.fstat(file.fileno())
            if status.st_size != size_bytes or size_bytes > _MAX_OBJECT_BYTES or status.st_mtime > ended + 0.01:
                return ""
            digest = blake2b(digest_size=_DIGEST_BYTES)
            while block := file.read(_BLOCK):
                digest.update(block)
            return digest.hexdigest()
    except OSError:
        return ""


def _opener(path: str, flags: int) -> int:
    """Without waiting for whoever writes into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
