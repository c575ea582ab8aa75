"""Build scripts that cargo runs anew whenever PATH, or another variable that we change, changes.

With a front before `cc` PATH is another one than in a plain build, and each would run them again after the other. What
a script asked for stands in its output in the build dir; what was read there is remembered by a small file of ours.
"""

import os
import re
import zlib

from core.paths import Paths

_MAX_BYTES = 1 << 20


def watches_path(paths: Paths, build_dir: str) -> bool:
    """A build script in this build dir asked for PATH."""
    return watches(paths, build_dir, "PATH")


def has_outputs(build_dir: str) -> bool:
    """It is known of a build script in this build dir what it asked for."""
    return any(map(os.path.exists, _outputs(build_dir)))


def watches(paths: Paths, build_dir: str, variable: str) -> bool:
    """A build script in this build dir asked for it; 1 ms at 300 scripts, of which only new outputs are read."""
    asked = re.compile(rb"^cargo::?rerun-if-env-changed=%s\r?$" % variable.encode("ascii"), re.MULTILINE)
    key = build_dir if variable == "PATH" else f"{build_dir}\0{variable}"
    note = f"{paths.cache}/path-watchers/{zlib.crc32(key.encode('utf-8', 'surrogateescape')):08x}"
    known, looked_at_ns = _read_note(note, build_dir)
    if known and os.path.exists(known):
        return True
    if known:
        looked_at_ns = 0  # it is gone: another may have been there too
    newest_ns = looked_at_ns
    for output in _outputs(build_dir):
        try:
            changed_ns = os.stat(output).st_mtime_ns
            if changed_ns < looked_at_ns:
                continue
            with open(output, "rb") as file:
                is_asked = asked.search(file.read(_MAX_BYTES)) is not None
        except OSError:
            continue
        newest_ns = max(newest_ns, changed_ns)
        if is_asked:
            _write_note(note, build_dir, output, changed_ns)
            return True
    if newest_ns != looked_at_ns or known:
        _write_note(note, build_dir, "", newest_ns)
    return False


def _outputs(build_dir: str) -> list[str]:
    return [f"{package}/output" for package in script_folders(build_dir)]


def script_folders(build_dir: str) -> list[str]:
    """Of each build script, and of what else cargo builds there: `[TRIPLE/]PROFILE/build/PACKAGE-HASH`."""
    found = []
    for first in folders_in(build_dir):
        for build in (f"{first}/build", *(f"{second}/build" for second in folders_in(first))):
            found += folders_in(build)
    return found


def folders_in(folder: str) -> list[str]:
    """Paths of the folders in one, without links; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _read_note(note: str, build_dir: str) -> tuple[str, int]:
    """Output of a script that asked, empty where none did; and when the newest one that was read had changed."""
    try:
        with open(note, encoding="utf-8", errors="surrogateescape") as file:
            folder, output, changed_ns = file.read(1 << 16).split("\n")
            return (output, int(changed_ns)) if folder == build_dir else ("", 0)
    except (OSError, ValueError):
        return "", 0


def _write_note(note: str, build_dir: str, output: str, changed_ns: int) -> None:
    """Where that fails, all is read again next time."""
    try:
        os.makedirs(os.path.dirname(note), 0o700, exist_ok=True)
        with open(f"{note}.{os.getpid()}", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{build_dir}\n{output}\n{changed_ns}")
        os.replace(f"{note}.{os.getpid()}", note)
    except OSError:
        pass
