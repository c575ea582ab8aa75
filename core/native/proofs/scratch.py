"""A world in which files may be edited and built without a trace: what it changes is kept apart and thrown away.

Where the kernel allows it, the folders are covered by an overlay in a mount namespace of each process: all paths are
the real ones, nothing is copied, and a build there finds all Fresh (tried with Linux 6.18, as root and as nobody).
Elsewhere `core.native.proofs.scratch_copy` copies them.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, NamedTuple, Protocol

from core.errors import DeckError
from core.folder import topmost
from core.paths import Paths

_LAY = """set -e
cwd=$1; shift
while [ "$1" != -- ]; do
  mount -t overlay deck -o "lowerdir=$1,upperdir=$2,workdir=$3,userxattr" "$1"
  shift 3
done
shift
cd "$cwd"
exec "$@"
"""
_WAYS = (("unshare", "-m"), ("unshare", "-Urm"))
"""As root, and as anybody."""
_END_LIMIT_S = 5.0


class ScratchError(DeckError):
    """The world cannot be made, or a program in it could not be run."""


class Done(NamedTuple):
    """What a program did."""

    code: int
    """Negative: the signal it died of."""
    output: bytes
    errors: bytes


class Scratch(Protocol):
    """A world."""

    kind: str
    """`overlay`, `copy`."""

    def at(self, path: str) -> str:
        """What a file is called in it."""

    def holds(self, path: str) -> bool:
        """What is written to a file of that name outside stays in it, wherever links lead."""

    def run(self, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> Done:
        """Run a program in it to its end."""


@contextlib.contextmanager
def make_scratch(
    paths: Paths, roots: Sequence[str], env: Mapping[str, str], *, is_copied: bool = False, needs_overlay: bool = False
) -> Iterator[Scratch]:
    """A world over these folders, which is gone afterwards, whatever happens.

    Args:
        paths: Ours.
        roots: The folders.
        env: Of what runs in it.
        is_copied: Without an overlay, even where the system has one.
        needs_overlay: What lies there names its own paths: built in a copy, it would write into the original.

    Raises:
        ScratchError: There is no room, or no right.
    """
    from core.native.proofs.scratch_copy import Copy

    real = topmost(map(os.path.realpath, roots))
    folder, lock = _made(f"{paths.cache}/scratch")
    try:
        with lock:
            overlay = None if is_copied else _overlay(folder, real, env)
            if overlay is None and needs_overlay:
                raise ScratchError("this system lets nobody lay an overlay over a folder (unshare, mount), and a build "
                                   "tree cannot be tried in a copy: it names its own paths")  # fmt: skip
            yield overlay or Copy(folder, real, env)
    finally:
        remove(folder)


def _made(base: str) -> tuple[str, IO[str]]:
    """A new folder for a world, and its lock, which is held; what killed ones left is removed before."""
    try:
        os.makedirs(base, 0o700, exist_ok=True)
        turn = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)  # else another one sweeps what is not locked yet
            _sweep(base)
            folder = f"{base}/{os.getpid()}"
            while os.path.exists(folder):
                folder += "+"  # another world of this process
            os.mkdir(folder, 0o700)
            lock = open(folder + "/lock", "w", encoding="ascii")  # noqa: SIM115
            fcntl.flock(lock, fcntl.LOCK_EX)
        finally:
            os.close(turn)
    except OSError as error:
        raise ScratchError(f"no scratch world can be made in {base}: {error.strerror}") from error
    return folder, lock


def remove(folder: str) -> None:
    """Have a tree gone: folders that nobody may enter (an overlay makes some) included."""
    shutil.rmtree(folder, onerror=open_up)


def open_up(function: object, path: str, error: object) -> None:
    """Remove what could not be removed at once; what a link leads to stays as it is."""
    with contextlib.suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            return
        os.chmod(path, 0o700)
        shutil.rmtree(path, ignore_errors=True)


def _sweep(folder: str) -> None:
    """Remove what was left by somebody who was killed."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            with open(f"{folder}/{name}/lock", "r+", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(f"{folder}/{name}")
        except OSError:
            continue


def is_in(path: str, folder: str) -> bool:
    """A path is a folder, or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


# Overlay


class Overlay:
    """Folders covered by an overlay that only our processes see."""

    kind = "overlay"

    def __init__(self, way: Sequence[str], layers: Sequence[str], env: Mapping[str, str]) -> None:
        """`layers`: folder, upper folder, work folder, of each."""
        self._way = way
        self._layers = layers
        self._env = env

    def at(self, path: str) -> str:
        """The same."""
        return path

    def holds(self, path: str) -> bool:
        """It lies in one of the folders that are covered."""
        real = os.path.realpath(path)
        return any(is_in(real, root) for root in self._layers[::3])

    def run(self, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> Done:
        """Run a program in it."""
        words = [*self._way, "sh", "-c", _LAY, "sh", cwd, *self._layers, "--", *argv]
        return run_to_end(words, "/", {**self._env, **env})


def _overlay(folder: str, roots: Sequence[str], env: Mapping[str, str]) -> Overlay | None:
    """None: this system does not let us, or a name cannot be told to mount."""
    if any(set(",:\\\"'\n") & set(path) for path in (folder, *roots)) or _has_mounts(roots):
        return None
    layers: list[str] = []
    for number, root in enumerate(roots):
        upper, work = f"{folder}/{number}/up", f"{folder}/{number}/work"
        os.makedirs(upper)
        os.makedirs(work)
        layers += [root, upper, work]
    for way in _WAYS[0 if os.geteuid() == 0 else 1 :]:
        overlay = Overlay(way, layers, env)
        probe = ["sh", "-c", 'for one in "$@"; do : > "$one/.deck-probe" && rm "$one/.deck-probe" || exit 1; done',
                 "sh", *roots]  # fmt: skip
        try:
            is_laid = overlay.run(probe, "/", {}).code == 0
        except ScratchError:
            return None
        if is_laid:
            for root, upper in zip(layers[::3], layers[1::3], strict=True):
                shutil.copystat(root, upper)  # its times are those of the folder in the overlay
            return overlay
    return None


def _has_mounts(roots: Sequence[str]) -> bool:
    """Something is mounted below one of these folders: an overlay would hide it."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            places = [line.split(" ", 5)[4] for line in file if line.count(" ") > 4]
    except OSError:
        return False
    return any(place.startswith(root.rstrip("/") + "/") for place in places for root in roots)


# Processes


def run_to_end(argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> Done:
    """Run a program; where we are interrupted, it and what it started end first.

    Raises:
        ScratchError: It cannot be started.
    """
    try:
        process = subprocess.Popen(
            list(argv), cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise ScratchError(f"could not run {argv[0]}: {error}") from error
    try:
        output, errors = process.communicate()
    except BaseException:
        _end(process)
        raise
    return Done(process.returncode, output, errors)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Its whole group; it was started as the leader of one, and is not reaped yet."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        try:
            process.communicate(timeout=_END_LIMIT_S)
            break
        except subprocess.TimeoutExpired:
            continue
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
