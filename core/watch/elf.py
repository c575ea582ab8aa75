"""What an ELF file consists of, from its section headers."""

import os
import struct
from typing import NamedTuple

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_MAX_SECTIONS = 100_000
_MAX_NAMES_BYTES = 1 << 24
_EXECUTABLE = 0x4
_NO_BITS = 8


class Sizes(NamedTuple):
    """Bytes of the file, by what they are for."""

    text: int
    """Sections that are executed."""
    debug: int
    """Sections `.debug_*`, compressed or not."""
    symbols: int
    """`.symtab` and its names."""


def read_sizes(path: str) -> Sizes | None:
    """Sizes of a 64-bit little-endian ELF file; None: it is none, or cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _read(fd)
    except (OSError, struct.error, IndexError, OverflowError):  # torn, or changed while it was read
        return None
    finally:
        os.close(fd)


def _read(fd: int) -> Sizes | None:
    header = _HEADER.unpack(os.pread(fd, _HEADER.size, 0))
    if header[0][:6] != b"\x7fELF\x02\x01":
        return None
    offset, entry_size, count, names_at = header[6], header[11], header[12], header[13]
    if entry_size != _SECTION.size or not 0 < count <= _MAX_SECTIONS or names_at >= count:
        return None
    sections = list(_SECTION.iter_unpack(os.pread(fd, count * entry_size, offset)))
    _, _, _, _, start, size, *_ = sections[names_at]
    names = os.pread(fd, min(size, _MAX_NAMES_BYTES), start)
    text = debug = symbols = 0
    for name_at, kind, flags, _, _, size, *_ in sections:
        name = names[name_at : names.find(b"\0", name_at)]
        if flags & _EXECUTABLE and kind != _NO_BITS:
            text += size
        elif name.startswith((b".debug", b".zdebug")):
            debug += size
        elif name in (b".symtab", b".strtab"):
            symbols += size
    return Sizes(text, debug, symbols)
