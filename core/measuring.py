"""Where something is measured: a folder that goes afterwards, one measurement of ours at a time."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator

from core.errors import StateError
from core.paths import Paths


@contextlib.contextmanager
def scratch_folder(paths: Paths, name: str) -> Iterator[str]:
    """An empty folder. `name`: what it is called in that of all measurements.

    Raises:
        StateError: Something is being measured already.
        OSError: It cannot be made.
    """
    place = paths.cache + "/measure"
    os.makedirs(place, 0o700, exist_ok=True)
    with open(place + "/lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateError("something is being measured already: two at once would measure each other") from None
        folder = f"{place}/{name}"
        shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
        try:
            os.makedirs(folder, 0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
