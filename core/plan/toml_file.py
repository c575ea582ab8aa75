"""The settings in a TOML file, each with its line; what was parsed is kept, for `tomllib` takes 10 ms to import.

A kept file is as good as the file where path, size, both times and inode are the same.
"""

import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from core.plan.given import Given, Key, Origin, Trouble

MAX_BYTES = 1 << 20
"""Of a file; cargo has no limit, and nobody writes more."""
_VERSION = 2
_PRIME = 2**64 - 59
_KEPT = 2000
"""Files that are kept; more than so many checkouts are not built by turns."""
_RACE_NS = 50_000_000
"""A file that was changed so shortly before it was read may change again without a difference in its times."""


class TomlFile(NamedTuple):
    """What a file says."""

    leaves: Mapping[Key, Given] = {}
    """Values that are no tables, in the file's order; an array of tables is one value. Then modes that are empty."""
    troubles: tuple[Trouble, ...] = ()


_Leaf = tuple[list[str], Any, int]
_Parsed = tuple[list[_Leaf], list[tuple[int, str]]]
"""Key, value, line of each leaf; line and sentence of each trouble."""


def read_leaves(cache: str, path: str, table: str = "") -> TomlFile:
    """The settings in a file; none and no trouble where there is no file.

    `cache`: folder in which what was parsed is kept; empty: nowhere. `table`: only this one of the file's tables.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return TomlFile()
    except (OSError, ValueError) as error:
        return TomlFile(troubles=(_unreadable(path, error),))
    kept = _kept_path(cache, path, table)
    identity = _identity(status)
    parsed = _read_kept(kept, path, identity)
    if parsed is None:
        try:
            identity, parsed, may_be_kept = _parse_file(path, table)
        except FileNotFoundError:
            return TomlFile()
        except (OSError, ValueError) as error:
            return TomlFile(troubles=(_unreadable(path, error),))
        if may_be_kept:
            _keep(kept, path, identity, parsed)
    return TomlFile(
        {tuple(key): Given(value, Origin(path, line)) for key, value, line in parsed[0]},
        tuple(Trouble(Origin(path, line), why) for line, why in parsed[1]),
    )


def leaves_of(table: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    """Each value of a parsed text with its key."""
    levels: list[Iterator[tuple[str, Any]]] = [iter(table.items())]
    key: list[str] = []
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
            del key[-1:]
        elif isinstance(found[1], dict):
            key.append(found[0])
            levels.append(iter(found[1].items()))
        else:
            yield (*key, found[0]), _plain(found[1])


def _plain(value: Any) -> Any:
    """As JSON has it: times become text."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value if isinstance(value, str | int | float | bool) else str(value)


def _unreadable(path: str, error: Exception) -> Trouble:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Trouble(Origin(path), f"it cannot be read ({why}): mend its permissions, or move it away")


def _identity(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _parse_file(path: str, table: str) -> tuple[list[int], _Parsed, bool]:
    """What identifies the file, what it says, and whether that may be kept."""
    from core.plan.toml_text import parse_text

    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would wait for its writer
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file")
    with open(descriptor, "rb") as file:
        before = _identity(status)
        content = file.read(MAX_BYTES + 1)
        is_calm = _identity(os.fstat(descriptor)) == before
    if len(content) > MAX_BYTES:
        why = f"it has more than {MAX_BYTES >> 20} MB, and is not read: it should hold settings alone"
        return before, ([], [(0, why)]), is_calm
    if table and table.encode() not in content:
        return before, ([], []), is_calm
    leaves, troubles = parse_text(content)
    leaves = [one for one in leaves if not table or one[0][0] == table]
    return before, (leaves, troubles), is_calm and _may_be_written(leaves)


def _may_be_written(leaves: list[_Leaf]) -> bool:
    """No credential stands in it."""
    from core.run.mask import safe_words

    texts = tuple(text for _, value, _ in leaves for text in _texts(value))
    return safe_words(texts, {}) == texts


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from value.split()
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


def _kept_path(cache: str, path: str, table: str) -> str:
    """A name that two paths share now and then: the path stands in the file too."""
    if not cache:
        return ""
    name = f"{table}\0{path}".encode(errors="surrogateescape")
    return f"{cache}/toml/{int.from_bytes(name, 'big') % _PRIME:016x}.json"


def _read_kept(kept: str, path: str, identity: list[int]) -> _Parsed | None:
    if not kept:
        return None
    try:
        with open(kept, "rb") as file:
            record = json.loads(file.read(4 * MAX_BYTES))
        if record["head"] != [_VERSION, path, identity]:
            return None
        for key, _, line in record["leaves"]:
            if not (key and all(isinstance(part, str) for part in key) and isinstance(line, int)):
                return None
        return record["leaves"], [(int(line), str(why)) for line, why in record["troubles"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _keep(kept: str, path: str, identity: list[int], parsed: _Parsed) -> None:
    """Whatever fails here costs time alone, at the next reading."""
    if not kept:
        return
    record = {"head": [_VERSION, path, identity], "leaves": parsed[0], "troubles": parsed[1]}
    temporary = f"{kept}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(record, file)
            file.flush()
            now_ns = os.fstat(descriptor).st_mtime_ns
        if max(identity[1:3]) + _RACE_NS > now_ns:
            os.unlink(temporary)
            return
        os.replace(temporary, kept)
        _forget_oldest(os.path.dirname(kept))
    except (OSError, ValueError):
        pass


def _forget_oldest(folder: str) -> None:
    """Keep the folder small."""
    names = os.listdir(folder)
    if len(names) <= _KEPT:
        return
    paths = sorted((folder + "/" + name for name in names), key=_changed_ns)
    for path in paths[: len(paths) - _KEPT * 3 // 4]:
        os.unlink(path)


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
