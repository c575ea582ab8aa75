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
_SPACE = re.compile(r"n-[0-9a-f]{8,64}\Z")
"""A namespace before the folders of an object: `SCCACHE_WEBDAV_KEY_PREFIX`."""
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
    """What `/<agent>/<a>/<b>/<c>/<key>` names, or a shorter path; None: it names nothing. A namespace may stand behind
    the agent.

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
    space = parts.pop(0) if _SPACE.match(parts[0]) and len(parts) > 1 else ""
    if parts == [CHECK]:
        return Target("check", agent, CHECK, f"{space},{CHECK}" if space else CHECK)
    if len(parts) == 4 and parts[3]:
        return _object(agent, parts, space)
    return Target("folder", agent) if _is_folder(parts) else None


def _object(agent: str, parts: list[str], space: str) -> Target | None:
    *folders, key = parts
    if not _is_folder(folders) or not _KEY.match(key) or key in (".", ".."):
        return None
    is_usual = all(folders) and "".join(folders) == key[:3]
    # A comma is in no part: two paths never give one name.
    name = ",".join((space, *parts)) if space else key if is_usual else ",".join(parts)
    return Target("object", agent, key, name) if all(folders) else None


def _is_folder(parts: list[str]) -> bool:
    """`a`, `a/b`, `a/b/c`, each with or without a slash at its end; and nothing at all."""
    named = parts[:-1] if parts[-1] == "" else parts
    return len(named) <= 3 and all(_PART.match(part) and part not in (".", "..") for part in named)
