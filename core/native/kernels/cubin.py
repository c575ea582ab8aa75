"""What the kernels of a cubin need, as ptxas left it in the file's ELF sections. Pure.

Source: cubins of ptxas 11.8, 12.4 (ABI version 7) and 13.0 (8), each figure compared with what its `-v` says:

* `.symtab`: a function whose `st_other` has bit 0x10 is an entry, its section is its code.
* `.nv.info` (whole file) and `.nv.info.KERNEL`: records `format, attribute, …`; format 1: no value, 2: one byte, 3: two
  bytes, 4: two bytes of size, then so many. 0x2f: symbol, registers. 0x11: symbol, stack frame, of a kernel with
  functions of its own that of what it calls too. 0x12: symbol, stack of it and what it calls. 0x4c: barriers; up to
  12.4 bits 20 to 26 of the flags of the code's section. 0x05: most threads a block (x, y, z); 0x10: threads a block.
* `.nv.shared.KERNEL`: its size is the static shared memory. From sm_90 on it begins with 1 KiB of the
  system's, but in what is linked later.
* `.nv.constantN.KERNEL`: constant banks; bank 0 holds the parameters.
* `.note.nv.tkinfo` (not in 12.4): strings behind six words; the last of these is where ptxas's options begin.
"""

import struct
from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

from core.events.native import Kernel
from core.native.kernels.arch import number_of

_MACHINE = 190
_MAX_NAME = 1 << 16
_MAX_OVERLAP = 4
"""Bytes of all sections, as a multiple of the file's."""
_EXECUTABLE = 2
_ENTRY = 0x10
_FUNCTION = 2
_NO_BITS = frozenset((8, 0x70000007, 0x70000009, 0x7000000A))
"""Kinds of sections that take no bytes of the file: NOBITS, and NVIDIA's for global, local and shared memory.

Source: cubins of ptxas 13.0, where `.nv_debug.shared` of `-dc` lies beyond the end.
"""
_SYSTEM_SHARED_BYTES = 1024
_SYSTEM_SHARED_FROM = 90
_REGISTERS, _FRAME, _STACK, _BARRIERS, _MOST_THREADS, _THREADS = 0x2F, 0x11, 0x12, 0x4C, 0x05, 0x10
_HEAD = struct.Struct("<HHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


class Cubin(NamedTuple):
    """What a cubin tells of itself."""

    arch: str
    """`sm_90`, `sm_90a`."""
    options: str
    """That ptxas was called with; empty: not said."""
    kernels: tuple[Kernel, ...]
    """In the order of their symbols; without spills and times, which no cubin tells of."""
    called: dict[str, tuple[str, ...]]
    """Functions that were not inlined into a kernel, by kernel, where each has its own copy of them (not in what is
    linked later)."""
    codes: dict[str, bytes]
    """A digest of each kernel's instructions."""
    frames: tuple[tuple[str, int], ...]
    """Functions that have a stack frame or call what has one, and its bytes: without any, nothing spills."""


class _Section(NamedTuple):
    name: str
    kind: int
    flags: int
    at: int
    size: int
    link: int
    info: int


class _Symbol(NamedTuple):
    name: str
    is_entry: bool
    section: int


class _Elf(NamedTuple):
    content: bytes
    sections: tuple[_Section, ...]
    by_name: dict[str, _Section]

    def bytes_of(self, name: str) -> bytes:
        """Content of a section; empty: there is none."""
        found = self.by_name.get(name)
        return b"" if found is None or found.kind in _NO_BITS else self.content[found.at : found.at + found.size]

    def size_of(self, name: str) -> int:
        """Bytes of a section, in the file or not; 0: there is none."""
        found = self.by_name.get(name)
        return found.size if found is not None else 0


def read_cubin(content: bytes) -> Cubin | None:
    """What is in a cubin; None: it is none, or it is damaged or cut short."""
    try:
        return _read(content)
    except (struct.error, IndexError, ValueError):
        return None


def _read(content: bytes) -> Cubin | None:
    if content[:6] != b"\x7fELF\x02\x01":
        return None
    head = _HEAD.unpack_from(content, 16)
    if head[1] != _MACHINE:
        return None
    elf = _elf(content, at=head[5], entry_size=head[10], count=head[11], names_at=head[12])
    options = _options(elf.bytes_of(".note.nv.tkinfo"))
    arch = _arch(head[6], content[8], options)
    symbols = _symbols(elf)
    of_symbol = _of_symbols(elf.bytes_of(".nv.info"))
    system_bytes = _SYSTEM_SHARED_BYTES if head[0] == _EXECUTABLE and number_of(arch) >= _SYSTEM_SHARED_FROM else 0
    entries = [symbol for symbol in symbols if symbol.is_entry]
    codes = {symbol.name: _digest(elf, elf.sections[symbol.section]) for symbol in entries}
    kernels = (
        _kernel(elf, symbol, system_bytes, of_symbol.get(at, {}))._replace(arch=arch)
        for at, symbol in enumerate(symbols)
        if symbol.is_entry
    )
    depths = ((at, said.get(_FRAME) or said.get(_STACK) or 0) for at, said in of_symbol.items())
    frames = tuple((symbols[at].name, depth) for at, depth in depths if depth and at < len(symbols))
    return Cubin(arch, options, tuple(kernels), _called(symbols), codes, frames)


def _digest(elf: _Elf, code: _Section) -> bytes:
    return blake2b(elf.content[code.at : code.at + code.size], digest_size=16).digest()


def _called(symbols: list[_Symbol]) -> dict[str, tuple[str, ...]]:
    """From local symbols of the form `$KERNEL$FUNCTION`."""
    found: dict[str, tuple[str, ...]] = {}
    for symbol in symbols:
        kernel, _, function = symbol.name[1:].partition("$")
        if symbol.name.startswith("$") and kernel and function:
            found[kernel] = (*found.get(kernel, ()), function)
    return found


def _elf(content: bytes, *, at: int, entry_size: int, count: int, names_at: int) -> _Elf:
    if entry_size < _SECTION.size or at + entry_size * count > len(content):
        raise ValueError("section headers lie beyond the end")
    rows = [_SECTION.unpack_from(content, at + entry_size * index) for index in range(count)]
    names = content[rows[names_at][4] : rows[names_at][4] + rows[names_at][5]]
    sections = tuple(_Section(_text(names, row[0]), row[1], row[2], *row[4:8]) for row in rows)
    stored = [section for section in sections if section.kind not in _NO_BITS]
    if any(section.at + section.size > len(content) for section in stored):
        raise ValueError("a section lies beyond the end")
    if sum(section.size for section in stored) > _MAX_OVERLAP * len(content):
        raise ValueError("sections lie over one another")
    return _Elf(content, sections, {section.name: section for section in reversed(sections)})


def _text(strings: bytes, at: int) -> str:
    end = strings.find(b"\0", at, at + _MAX_NAME)
    return strings[at : end if end >= 0 else at + _MAX_NAME].decode("utf-8", "replace")


def _symbols(elf: _Elf) -> list[_Symbol]:
    table = elf.by_name.get(".symtab")
    if table is None:
        return []
    names = elf.sections[table.link]
    strings = elf.content[names.at : names.at + names.size]
    rows = struct.iter_unpack(_SYMBOL.format, elf.content[table.at : table.at + table.size])
    return [
        _Symbol(_text(strings, name), (info & 15) == _FUNCTION and bool(other & _ENTRY) and section != 0, section)
        for name, info, other, section, _, _ in rows
    ]


def _attributes(records: bytes) -> Iterator[tuple[int, bytes]]:
    """Attribute and value of each record."""
    at = 0
    while at + 4 <= len(records):
        form, attribute, short = struct.unpack_from("<BBH", records, at)
        at += 4
        if form == 4:
            yield attribute, records[at : at + short]
            at += short
        elif form in (1, 2, 3):
            yield attribute, records[at - 2 : at]
        else:
            raise ValueError(f"a record of form {form}, expected 1 to 4")


def _of_symbols(records: bytes) -> dict[int, dict[int, int]]:
    """What is said of symbols, by their index: attribute and value."""
    found: dict[int, dict[int, int]] = {}
    for attribute, value in _attributes(records):
        if attribute in (_REGISTERS, _FRAME, _STACK) and len(value) == 8:
            symbol, number = struct.unpack("<II", value)
            found.setdefault(symbol, {})[attribute] = number
    return found


def _kernel(elf: _Elf, symbol: _Symbol, system_bytes: int, said: dict[int, int]) -> Kernel:
    """A kernel, but for its arch; `system_bytes`: of its shared memory, what is the system's."""
    own = dict(_attributes(elf.bytes_of(f".nv.info.{symbol.name}")))
    code = elf.sections[symbol.section]
    limit = own.get(_THREADS) or own.get(_MOST_THREADS)
    return Kernel(
        symbol.name,
        "",
        registers=said.get(_REGISTERS, code.info >> 24 or None),
        stack_bytes=said.get(_FRAME),
        shared_bytes=max(0, elf.size_of(f".nv.shared.{symbol.name}") - system_bytes),
        constant_bytes=sum(elf.size_of(f".nv.constant{bank}.{symbol.name}") for bank in range(18)),
        barriers=own[_BARRIERS][0] if _BARRIERS in own else code.flags >> 20 & 0x7F,
        code_bytes=code.size,
        block_threads=_product(limit) if limit else None,
        is_block_exact=_THREADS in own,
    )


def _product(value: bytes) -> int | None:
    """Threads of a block of three sides; None: a side is missing or 0."""
    if len(value) < 12:
        return None
    x, y, z = struct.unpack_from("<III", value)
    return int(x) * int(y) * int(z) or None


def _options(note: bytes) -> str:
    """That ptxas was called with."""
    if len(note) < 12:
        return ""
    name_size, size, _ = struct.unpack_from("<III", note)
    said = note[12 + (name_size + 3) // 4 * 4 :][:size]
    return _text(said[24:], struct.unpack_from("<I", said, 20)[0]).strip() if len(said) > 24 else ""


def _arch(flags: int, abi: int, options: str) -> str:
    """As ptxas was told, which knows more than the number; else by the file's head."""
    words = options.split()
    told = [after for word, after in pairwise(words) if word in ("-arch", "--gpu-name")]
    return told[-1] if told else f"sm_{flags >> 8 & 0xFF if abi >= 8 else flags & 0xFF}"
