"""Which files a watch has an eye on, and which of them changed: by content, new ones by where they are."""

import os
from collections.abc import Iterable, Iterator

from core.facts import read_record
from core.folder import names_in
from core.native.edits.edit_class import EditClass, kind_of
from core.native.edits.inputs_of import Inputs
from core.native.staleness.input_state import Stamp, changed, look, read_stamp
from core.native.traces.nvcc_calls import has_called_nvcc
from core.native.traces.tree_files import is_ignored, is_scratch, source_files
from core.paths import Paths
from core.runs import run_ids
from core.values import dataclass

_MOST_AT_ONCE = 2000
"""Files whose content is read before the first build."""
_MOST_FOLDERS = 20_000
_MOST_LOOKED_AT = 1000
"""Runs whose notes are looked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a look found."""

    paths: tuple[str, ...] = ()
    newest: float | None = None
    """When the last of them was saved, seconds since the epoch; None: one is gone, or none changed."""
    has_folders: bool = False
    """There are new folders to watch."""


class WatchedFiles:
    """Files and folders that are watched, with what was seen of them last."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = Inputs()
        self._outputs: tuple[str, ...] = ()
        self._stamps: dict[str, Stamp] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._more: set[str] = set()
        """Folders that came while we watched."""
        self.watch(inputs, frozenset())

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders to listen to, sorted."""
        return tuple(sorted(self._listed))[:_MOST_FOLDERS]

    def watch(self, inputs: Inputs, outputs: frozenset[str]) -> bool:
        """Watch these from now on, and what lies below `outputs` not; True where other folders are to be listened to.
        Of files that were watched before, what changed meanwhile is found by the next look."""
        known = self._stamps
        self._inputs, self._outputs = inputs, tuple(f"{folder}/" for folder in sorted(outputs))
        self._stamps = {path: known[path] if path in known else read_stamp(path) for path in inputs.files}
        self._pass_over([path for path in known.keys() - self._stamps.keys() if os.path.lexists(path)])  # new once
        return self._list_folders()

    def _list_folders(self) -> bool:
        before = self._listed.keys()
        wanted = {_existing(folder) for folder in self._inputs.folders | self._more}
        self._listed = {
            folder: self._listed.get(folder) or frozenset(names_in(folder))
            for folder in sorted(wanted) if not self._is_output(folder)
        }  # fmt: skip
        return self._listed.keys() != before

    def _is_output(self, path: str) -> bool:
        return f"{path}/".startswith(self._outputs) if self._outputs else False

    def moved(self, paths: Iterable[str], *, is_building: bool = False) -> Change:
        """What changed, of files and folders that something happened to. What comes while something is built is the
        build's own, unless it was waited for."""
        files: set[str] = set()
        news: list[str] = []
        has_folders = False
        for path in paths:
            if path in self._stamps:
                files.add(path)
            elif os.path.isdir(path) or path in self._listed:
                files |= {one for one in self._stamps if one.startswith(path + "/")}
                has_folders |= not is_building and self._take_folder(path)
                news += self._news_in(path)
            else:
                news.append(path)
        if is_building:
            self._pass_over(news)
        return self._compared(files, news, has_folders=has_folders)

    def _pass_over(self, news: list[str]) -> None:
        for path in news:
            folder, name = os.path.split(path)
            if folder in self._listed:
                self._listed[folder] |= {name}
        news.clear()

    def sweep(self, *, is_building: bool = False) -> Change:
        """What changed, of all there is; `is_building` as for `moved`."""
        news = [path for folder in self._listed for path in self._news_in(folder)]
        if is_building:
            self._pass_over(news)
        folders = [path for path in news if os.path.isdir(path)]
        has_folders = any([self._take_folder(path) for path in folders])
        return self._compared(self._stamps, news, has_folders=has_folders)

    def _news_in(self, folder: str) -> Iterator[str]:
        known = self._listed.get(folder)
        if known is not None:
            for name in names_in(folder):
                if name not in known:
                    yield f"{folder}/{name}"

    def _take_folder(self, path: str) -> bool:
        """Listen to a folder that is new; True where it is."""
        name, parent = os.path.basename(path), os.path.dirname(path)
        if path in self._listed or parent not in self._listed or name.startswith(".") or is_scratch(name):
            return False
        if self._is_output(path) or not os.path.isdir(path) or is_ignored(path):
            return False
        below = {os.path.dirname(one) for one in source_files(path)} | {path}
        self._more |= below
        if parent in self._inputs.trees:
            self._inputs = self._inputs.joined(Inputs(trees=frozenset(below)))
        for one in below:
            self._listed[one] = frozenset()  # all in it is new
        return True

    def _compared(self, files: Iterable[str], news: Iterable[str], *, has_folders: bool) -> Change:
        after = look(files, self._stamps)
        found = changed(self._stamps, after)
        self._stamps.update(after)
        added = [path for path in dict.fromkeys(news) if self._is_new(path)]
        for path in added:
            self._stamps[path] = read_stamp(path)
        if has_folders:
            added += [path for path in self._news_of_folders() if path not in added]
        return Change((*found, *added), _newest((*found, *added)), has_folders)

    def _news_of_folders(self) -> list[str]:
        """Files in folders that are new themselves."""
        found = [path for folder in self._more for path in self._news_in(folder) if self._is_new(path)]
        for path in found:
            self._stamps[path] = read_stamp(path)
        return found

    def _is_new(self, path: str) -> bool:
        """A file came that a build may read."""
        folder, name = os.path.split(path)
        listed = self._listed.get(folder)
        if listed is None or name in listed or path in self._stamps:
            return False
        if is_scratch(name) or self._is_output(path) or not os.path.isfile(path):
            return False
        if folder not in self._inputs.trees and kind_of(path) is EditClass.OTHER:
            return False
        if is_ignored(path):
            self._listed[folder] = listed | {name}
            return False
        return True


def _newest(paths: Iterable[str]) -> float | None:
    newest = None
    for path in paths:
        try:
            at = os.stat(path).st_ctime
        except (OSError, ValueError):
            return None
        newest = at if newest is None else max(newest, at)
    return newest


def _existing(folder: str) -> str:
    """The folder, else the nearest above it that is there."""
    while not os.path.isdir(folder) and folder not in ("/", ""):
        folder = os.path.dirname(folder)
    return folder


def first_inputs(folder: str) -> Inputs:
    """What may be read below a folder, before anybody said what is: all sources of a kind that is known."""
    files = [path for path in source_files(folder) if kind_of(path) is not EditClass.OTHER]
    return Inputs(frozenset(files[:_MOST_AT_ONCE]), is_exact=False)


def noted_runs(paths: Paths, checkout: str, limit: int) -> list[str]:
    """The last runs in a checkout in which calls of nvcc were noted, oldest first."""
    found: list[str] = []
    for run in reversed(run_ids(paths)[-_MOST_LOOKED_AT:]):
        if len(found) < limit and has_called_nvcc(paths, run):
            record = read_record(paths, run)
            if record is not None and record.started.checkout == checkout:
                found.append(run)
    return found[::-1]
