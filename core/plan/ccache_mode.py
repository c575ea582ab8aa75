"""Whether ccache goes by dependencies, as its own settings say. Source: ccache 4.7, `Config::read`.

Of the user's files the first that is named counts: `CCACHE_CONFIGPATH` (then no other), `$CCACHE_DIR/ccache.conf`,
`~/.ccache/ccache.conf` where that folder is there, `$XDG_CONFIG_HOME/ccache/ccache.conf`; below it the system's.
"""

import os
from collections.abc import Iterator, Mapping

from core.plan.small_file import read_small

_SYSTEM = "/etc/ccache.conf"
_KEY = "depend_mode"


def goes_by_dependencies(env: Mapping[str, str], system: str = _SYSTEM) -> bool:
    """What its files say; variables count more than they."""
    return next((said for path in _files(env, system) if (said := _said(path)) is not None), False)


def _files(env: Mapping[str, str], system: str) -> Iterator[str]:
    if env.get("CCACHE_CONFIGPATH"):
        yield env["CCACHE_CONFIGPATH"]
        return
    home = env.get("HOME") or os.path.expanduser("~")
    if env.get("CCACHE_DIR"):
        yield env["CCACHE_DIR"] + "/ccache.conf"
    elif os.path.isdir(home + "/.ccache"):
        yield home + "/.ccache/ccache.conf"
    else:
        yield (env.get("XDG_CONFIG_HOME") or home + "/.config") + "/ccache/ccache.conf"
    yield system


def _said(path: str) -> bool | None:
    """None: the file says nothing of it, or cannot be read."""
    found = None
    for line in (read_small(path) or b"").decode("utf-8", "replace").split("\n"):
        key, equals, value = line.partition("=")
        if equals and key.strip() == _KEY:
            found = value.strip() == "true"
    return found
