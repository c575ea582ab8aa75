"""`.ninja_deps`: what ninja learned from depfiles, which it removes. Source: ninja 1.12, `src/deps_log.cc`."""

import struct

from core.plan.small_file import read_small

_HEADER = b"# ninjadeps\n"
_MAX_RECORD_BYTES = (1 << 19) - 1
_MAX_BYTES = 1 << 27


def deps_in(tree: str) -> dict[str, tuple[str, ...]]:
    """What ninja learned in a build tree, as `read_ninja_deps`; empty where that is not to be read."""
    return read_ninja_deps(read_small(tree + "/.ninja_deps", _MAX_BYTES) or b"")


def read_ninja_deps(content: bytes) -> dict[str, tuple[str, ...]]:
    """Inputs of each output, by its path as ninja has it (relative to the build dir); the last record of an output
    counts. Empty: it is none, or of another version. A torn end is left out.

    Records are a size (its highest bit: dependencies, else a path), then the path, padded with zeros, and its
    checksum; or the output's number, its time (two words in version 4), and the numbers of inputs.
    """
    if not content.startswith(_HEADER) or len(content) < len(_HEADER) + 4:
        return {}
    (version,) = struct.unpack_from("<i", content, len(_HEADER))
    if version not in (3, 4):
        return {}
    paths: list[str] = []
    found: dict[int, tuple[int, ...]] = {}
    at = len(_HEADER) + 4
    while at + 4 <= len(content):
        (word,) = struct.unpack_from("<I", content, at)
        size = word & 0x7FFFFFFF
        record = content[at + 4 : at + 4 + size]
        if len(record) < size or size > _MAX_RECORD_BYTES or size % 4 or size < 4:
            break
        at += 4 + size
        if word >> 31:
            numbers = struct.unpack(f"<{size // 4}I", record)
            found[numbers[0]] = numbers[3 if version == 4 else 2 :]
        else:
            paths.append(record[:-4].rstrip(b"\0").decode("utf-8", "surrogateescape"))
    return {
        paths[output]: tuple(paths[one] for one in inputs if one < len(paths))
        for output, inputs in found.items()
        if output < len(paths)
    }
