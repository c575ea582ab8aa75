"""What the dashboard remembers of its last time: `dashboard.json`, shared by all dashboards of a person."""

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import field, fields, replace
from types import MappingProxyType
from typing import Any

from core.values import dataclass

_MOST = 20
"""Entries of one field of the start dialog."""
_LONGEST = 4000
"""Characters of an entry; what is longer is not remembered."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Choices of last time; None: none was made."""

    theme: str | None = None
    sort: str | None = None
    layout: str | None = None
    folders: tuple[str, ...] = ()
    """Where builds were started, newest first, at most 20."""
    agents: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    """As typed; newest first, at most 20."""
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What an agent is called in the dashboard, by its true name."""
    rest: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What another version wrote: kept as it is."""

    def having_started(self, folder: str, agent: str, command: str) -> "Remembered":
        """With these as the newest entries of the start dialog."""
        return replace(
            self,
            folders=_newest_first(self.folders, folder),
            agents=_newest_first(self.agents, agent),
            commands=_newest_first(self.commands, command),
        )

    def calling(self, agent: str, name: str) -> "Remembered":
        """With another name for an agent; its own one removes the entry."""
        names = {**self.names, agent: name}
        if name == agent:
            del names[agent]
        return replace(self, names=MappingProxyType(names))


Change = Callable[[Remembered], Remembered]


def read(path: str) -> Remembered:
    """What is remembered; nothing where the file is missing or not ours."""
    try:
        with open(path, "rb") as file:
            record = json.loads(file.read())
    except (OSError, ValueError):
        return Remembered()
    return _from_record(record) if isinstance(record, dict) else Remembered()


def change(path: str, how: Change) -> Remembered:
    """Change what is remembered now (another dashboard may have changed it meanwhile); the new state. A file that is
    not ours is moved aside, not overwritten. Blocks: not for the event loop.

    Raises:
        OSError: it cannot be written.
    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = read(path)
        after = how(before)
        if after != before:
            _keep_aside(path)
            _write(path, after)
    return after


def _keep_aside(path: str) -> None:
    try:
        with open(path, "rb") as file:
            is_ours = isinstance(json.loads(file.read()), dict)
    except FileNotFoundError:
        return
    except ValueError:
        is_ours = False
    if not is_ours:
        os.replace(path, path + ".broken")


def _write(path: str, remembered: Remembered) -> None:
    part = f"{path}.{os.getpid()}"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump(_to_record(remembered), file, indent=1)
    os.replace(part, path)


def _to_record(remembered: Remembered) -> dict[str, Any]:
    known = {one.name: getattr(remembered, one.name) for one in fields(remembered) if one.name != "rest"}
    return {**remembered.rest, **known, "names": dict(remembered.names)}


def _from_record(record: Mapping[str, Any]) -> Remembered:
    """Values of the wrong kind are as good as none."""
    known = {one.name for one in fields(Remembered)} - {"rest"}
    names = record.get("names")
    called = {k: v for k, v in names.items() if isinstance(v, str)} if isinstance(names, dict) else {}
    return Remembered(
        theme=_text(record.get("theme")),
        sort=_text(record.get("sort")),
        layout=_text(record.get("layout")),
        folders=_texts(record.get("folders")),
        agents=_texts(record.get("agents")),
        commands=_texts(record.get("commands")),
        names=MappingProxyType(called),
        rest=MappingProxyType({name: value for name, value in record.items() if name not in known}),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str))[:_MOST] if isinstance(value, list) else ()


def _newest_first(entries: tuple[str, ...], entry: str) -> tuple[str, ...]:
    if not entry or len(entry) > _LONGEST:
        return entries
    return (entry, *(one for one in entries if one != entry))[:_MOST]
