"""Small files of anybody's, read with a bound, and of ours, written whole or not at all."""

import json
import os
import stat
from typing import Any


def read_small(path: str, most: int = 1 << 20) -> bytes | None:
    """Its content; None: it is not there, not to be read, no file, or has more than `most` bytes."""
    content = read_head(path, most + 1)
    return content if content is not None and len(content) <= most else None


def read_text(path: str, most: int = 1 << 20) -> str | None:
    """The same as text; None too where it is none."""
    content = read_small(path, most)
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


def read_head(path: str, most: int) -> bytes | None:
    """Its first bytes, at most so many; None: it is not there, not to be read, or no file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for its writer
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        content = b""
        while len(content) < most and (piece := os.read(fd, most - len(content))):
            content += piece
        return content
    except OSError:
        return None
    finally:
        os.close(fd)


def read_json(path: str, most: int = 1 << 20) -> Any:
    """What it holds; None: nothing that is JSON."""
    content = read_small(path, most)
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def read_object(path: str, most: int = 1 << 24) -> dict[str, Any]:
    """The object that it holds; an empty one where it holds none: `run.json` of a run, as a rule."""
    found = read_json(path, most)
    return found if isinstance(found, dict) else {}


def keep_json(path: str, value: Any) -> bool:
    """Put it in the place of what was there, readable for its owner alone; False: there is no room, or no right."""
    part = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(fd, "w") as file:
            json.dump(value, file)
        os.replace(part, path)
    except OSError:
        remove(part)
        return False
    return True


def remove(path: str) -> None:
    """Have it gone, if it is there."""
    try:
        os.unlink(path)
    except OSError:
        pass


def stamp(path: str) -> str:
    """The file as it is now; empty: it is gone."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_dev} {status.st_ino}"
