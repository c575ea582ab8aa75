"""Which files make cargo run a build script again: what it declared, else what cargo finds in the package."""

import os
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from core.native.traces.fingerprint import ScriptRun

Style = Literal["package", "declared", "variables"]
"""All files of the package (nothing was declared); the declared ones; none at all (only variables were declared)."""
_MAX_LINKS = 2000


class Watched(NamedTuple):
    """One declared path."""

    declared: str
    """As the script printed it."""
    path: str
    """Absolute."""
    script: ScriptRun
    """Which script declared it: this one, or one that it is linked to."""
    kind: Literal["file", "folder", "missing"]
    real: str = ""
    """Where links lead."""


class Cover:
    """What a build script watches, by itself and through the packages that it links to."""

    def __init__(
        self, script: ScriptRun, linked: Iterable[ScriptRun] = (), listed: frozenset[str] | None = None
    ) -> None:
        """`listed`: real paths of the files that cargo finds in the package; None: not known."""
        self.script = script
        self.style: Style = "package" if script.directives.is_empty else "declared"
        if self.style == "declared" and not script.directives.changed:
            self.style = "variables"
        self.own = tuple(_watched(script))
        self.watched = (*self.own, *(one for other in linked for one in _watched(other)))
        self.listed = listed
        self._root = script.root
        self._files = {path for one in self.watched if one.kind == "file" for path in (one.path, one.real)}
        self._folders = tuple(
            {place + "/": one for one in self.watched if one.kind == "folder" for place in _places(one)}.items()
        )

    @property
    def missing(self) -> tuple[Watched, ...]:
        """What the script itself declared and is not there: cargo runs it again at each build."""
        return tuple(one for one in self.own if one.kind == "missing")

    def has(self, path: str) -> bool | None:
        """A change of the file makes cargo run the script; None: not to be known."""
        real = os.path.realpath(path)
        if path in self._files or real in self._files or self.folder_of(path) is not None:
            return True
        if self.style != "package":
            return False
        if not self._root:
            return None
        if not real.startswith(os.path.realpath(self._root) + "/"):
            return False
        return None if self.listed is None else real in self.listed

    def folder_of(self, path: str) -> Watched | None:
        """The declared folder that the file is in."""
        real = os.path.realpath(path)
        return next((one for place, one in self._folders if path.startswith(place) or real.startswith(place)), None)


def _watched(script: ScriptRun) -> Iterator[Watched]:
    for one in script.directives.changed:
        path = os.path.normpath(os.path.join(script.root, one.path))
        kind: Literal["file", "folder", "missing"] = (
            "folder" if os.path.isdir(path) else "file" if os.path.exists(path) else "missing"
        )
        if script.root or os.path.isabs(one.path):
            yield Watched(one.path, path, script, kind, os.path.realpath(path))


def _places(folder: Watched) -> Iterator[str]:
    """The folder, where it leads, and where links in it lead: cargo follows them."""
    yield folder.path
    yield folder.real
    ahead, count = [folder.real], 0
    seen = {folder.real}
    while ahead and count < _MAX_LINKS:
        try:
            with os.scandir(ahead.pop()) as entries:
                for entry in entries:
                    count += 1
                    real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                    if real != entry.path:
                        yield real
                    if entry.is_dir() and real not in seen:
                        seen.add(real)
                        ahead.append(real)
        except (OSError, ValueError):
            continue
