"""In which folder a compiler was started for what lies in a file: its debug information says so.

A compile unit of rustc begins `producer, language, name, line table, folder`, where name and folder are offsets into
`.debug_str`. Source: DWARF 4, as rustc 1.80 to 1.97 writes it for Linux; of other forms only a single folder is found.
"""

import mmap
import os
import struct
from collections.abc import Sequence

_ELF64 = b"\x7fELF\x02\x01"
_FOLDER_AFTER_NAME = 8
"""Bytes: the name, and the offset of its line table."""


def made_in(path: str, source: str, folders: Sequence[str]) -> str:
    """The one of these folders in which the file was compiled; empty: it does not say, or names several.

    Args:
        path: A program or a library.
        source: The root source of what was compiled, as the compiler was told it.
        folders: Absolute.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = _by_unit(content, source)
            if found is not None:
                return found if found in folders else ""
            named = [one for one in folders if content.find(b"\0" + os.fsencode(one) + b"\0") >= 0]
    except (OSError, ValueError, struct.error, IndexError, OverflowError):  # torn, or no program after all
        return ""
    return named[0] if len(named) == 1 else ""


def _by_unit(content: mmap.mmap, source: str) -> str | None:
    """Folder of the compile unit of that source; None: there is no such one in a form that is known."""
    sections = _sections(content)
    if sections is None or b".debug_str" not in sections or b".debug_info" not in sections:
        return None
    (text, text_size), (units, units_size) = sections[b".debug_str"], sections[b".debug_info"]
    at = content.find(b"\0" + os.fsencode(source) + b"/@/", text, text + text_size)
    if at < 0:
        return None
    found = content.find(struct.pack("<I", at + 1 - text), units, units + units_size)
    if found < 0:
        return None
    (folder,) = struct.unpack_from("<I", content, found + _FOLDER_AFTER_NAME)
    if folder >= text_size:
        return None
    begins = text + folder
    name = os.fsdecode(content[begins : content.find(b"\0", begins)])
    return name if name.startswith("/") else None


def _sections(content: mmap.mmap) -> dict[bytes, tuple[int, int]] | None:
    """Offset and size of each section; None: no ELF file of 64 bits."""
    if content[:6] != _ELF64:
        return None
    (table,) = struct.unpack_from("<Q", content, 40)
    each, count, names_at = struct.unpack_from("<HHH", content, 58)
    headers = [struct.unpack_from("<IIQQQQ", content, table + index * each) for index in range(count)]
    names = headers[names_at][4]
    return {
        content[names + name : content.find(b"\0", names + name)]: (offset, size)
        for name, _, _, _, offset, size in headers
    }
