"""What a request's path names. Pure: nothing that it refuses has touched a file."""

import re
from typing import Literal, NamedTuple

from core.run.identity import AGENT_NAME

Kind = Literal["object", "check", "folder", "stats", "objects", "stop"]
CHECK = ".sccache_check"
"""sccache writes it once to learn whether it may write at all."""
MAX_KEY = 160
"""Letters; a file name holds 255."""
_OWN: dict[str, Kind] = {"/_stats": "stats", "/_objects": "objects", "/_stop": "stop"}
_PART = re.compile(r"[A-Za-z0-9._-]{1,16}\Z")
_KEY = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_KEY}}}\Z")


class Target(NamedTuple):
    """What a path names."""

    kind: Kind
    agent: str = ""
    """Who asks."""
    key: str = ""
    """Last part of an object's path."""
    name: str = ""
    """Of an object: its file's name, one for each path."""


def find_target(path: str) -> Target | None:
    """What `/<agent>/<a>/<b>/<c>/<key>` names, or a shorter path; None: it names nothing.

    An endpoint that ends in a slash gives two after the agent (sccache 0.16); a folder may end in one.
    """
    if path in _OWN:
        return Target(_OWN[path])
    agent, _, rest = path[1:].partition("/")
    if path == "/":
        return Target("folder")
    if not path.startswith("/") or not AGENT_NAME.match(agent) or agent in (".", ".."):
        return None
    parts = rest.removeprefix("/").split("/")
    if parts == [CHECK]:
        return Target("check", agent, CHECK, CHECK)
    if len(parts) == 4 and parts[3]:
        return _object(agent, parts)
    return Target("folder", agent) if _is_folder(parts) else None


def _object(agent: str, parts: list[str]) -> Target | None:
    *folders, key = parts
    if not _is_folder(folders) or not _KEY.match(key) or key in (".", ".."):
        return None
    is_usual = all(folders) and "".join(folders) == key[:3]
    # A comma is in no part: two paths never give one name.
    return Target("object", agent, key, key if is_usual else ",".join(parts)) if all(folders) else None


def _is_folder(parts: list[str]) -> bool:
    """`a`, `a/b`, `a/b/c`, each with or without a slash at its end; and nothing at all."""
    named = parts[:-1] if parts[-1] == "" else parts
    return len(named) <= 3 and all(_PART.match(part) and part not in (".", "..") for part in named)
