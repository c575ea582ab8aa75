"""The other way to a world of one's own: a copy of the folders, with the mtimes of the original, at other paths."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence

from core.git import ask_git
from core.native.proofs.scratch import Done, ScratchError, is_in, run_to_end

_FICLONE = 0x40049409
_LINKED_ENDS = (".rlib", ".rmeta")
"""rustc puts new ones in their place and writes into none: they may share their blocks with the original."""
_SPARE_BYTES = 200 << 20


class Copy:
    """A copy."""

    kind = "copy"

    def __init__(self, folder: str, roots: Sequence[str], env: Mapping[str, str]) -> None:
        """Make it.

        Raises:
            ScratchError: There is no room, or something cannot be read.
        """
        self._env = env
        self._roots = tuple(roots)
        self._base = os.path.commonpath(self._roots)
        self._tree = folder + "/tree"
        os.makedirs(folder + "/tmp", exist_ok=True)
        self._tmp = folder + "/tmp"
        needed = sum(_bytes_of(root, without=os.path.dirname(folder)) for root in self._roots)
        free = shutil.disk_usage(folder).free
        if needed + _SPARE_BYTES > free:
            raise ScratchError(f"a copy of {', '.join(self._roots)} takes {needed} bytes, {free} are free in {folder}")
        for root in self._roots:
            try:
                self._copy_tree(root, without=os.path.dirname(folder))
            except OSError as error:
                raise ScratchError(f"{error.filename or root} cannot be copied: {error.strerror}") from error

    def at(self, path: str) -> str:
        """What a file is called in the copy; the same where it is not in it."""
        if any(is_in(path, root) for root in self._roots):
            return f"{self._tree}/{os.path.relpath(path, self._base)}" if path != self._base else self._tree
        return path

    def holds(self, path: str) -> bool:
        """It is one of the copies."""
        return is_in(os.path.realpath(self.at(path)), os.path.realpath(self._tree))

    def run(self, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> Done:
        """Run a program in it."""
        return run_to_end(argv, self.at(cwd), {**self._env, "TMPDIR": self._tmp, **env})

    def _copy_tree(self, root: str, *, without: str) -> None:
        """Files, links and folders with their times; git's objects are shared, sockets and pipes left out."""
        os.makedirs(self.at(root), exist_ok=True)
        folders, done = [root], list[str]()
        while folders:
            source = folders.pop()
            done.append(source)
            with os.scandir(source) as entries:
                for entry in entries:
                    place = f"{self.at(source)}/{entry.name}"
                    if entry.name == ".git":
                        _copy_git(source, self.at(source))
                    elif entry.is_dir(follow_symlinks=False) and entry.path != without:
                        os.makedirs(place, exist_ok=True)
                        folders.append(entry.path)
                    elif entry.is_symlink():
                        os.symlink(self._led_to(entry.path), place)
                    elif entry.is_file(follow_symlinks=False):
                        _copy_file(entry.path, place)
        for source in done:
            shutil.copystat(source, self.at(source))

    def _led_to(self, link: str) -> str:
        """What the copy of a link says: it leads to the copy of what is copied, and else to where it leads."""
        said = os.readlink(link)
        target = os.path.normpath(os.path.join(os.path.dirname(link), said))
        if self.at(target) == target:
            real = os.path.realpath(link)
            return self.at(real) if self.at(real) != real else target
        return self.at(target) if os.path.isabs(said) else said


def _entries(folder: str, without: str) -> Iterator["os.DirEntry[str]"]:
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False) and entry.path != without:
                        folders.append(entry.path)
                    yield entry
        except OSError:
            continue


def _bytes_of(folder: str, *, without: str) -> int:
    total = 0
    for entry in _entries(folder, without):
        if not entry.name.endswith(_LINKED_ENDS) and "/.git/" not in entry.path:
            try:
                total += entry.stat(follow_symlinks=False).st_size
            except OSError:
                continue
    return total


def _copy_file(source: str, copy: str) -> None:
    if source.endswith(_LINKED_ENDS):
        try:
            os.link(source, copy)
            return
        except OSError:
            pass  # another file system
    with open(source, "rb") as old, open(copy, "wb") as new:
        try:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
        except OSError:
            shutil.copyfileobj(old, new, 1 << 20)
    shutil.copystat(source, copy)


def _copy_git(source: str, copy: str) -> None:
    """So much of a repository that cargo finds what is tracked and what is ignored."""
    places = _ask_git(source, "--git-dir", "--git-common-dir")
    if len(places) != 2:
        return
    own, common = (os.path.normpath(os.path.join(source, place)) for place in places)
    os.makedirs(f"{copy}/.git/objects/info", exist_ok=True)
    os.makedirs(f"{copy}/.git/refs", exist_ok=True)
    with open(f"{copy}/.git/objects/info/alternates", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(common + "/objects\n")
    for place, names in ((own, ("index", "HEAD")), (common, ("config", "packed-refs", "info/exclude"))):
        for name in names:
            if os.path.isfile(f"{place}/{name}"):
                os.makedirs(os.path.dirname(f"{copy}/.git/{name}"), exist_ok=True)
                shutil.copy2(f"{place}/{name}", f"{copy}/.git/{name}")


def _ask_git(folder: str, *words: str) -> list[str]:
    said = ask_git(("rev-parse", *words), folder)
    return os.fsdecode(said).split("\n")[:-1] if said is not None else []
