"""When cargo ran what, by times of its own files: to a tick of the file system, where the log is read 0.2 s late.

    debug/.fingerprint/app-9a6d…/invoked.timestamp     rustc was started
    debug/.fingerprint/app-9a6d…/{lib,bin,test-bin}-app     it is done
    debug/build/app-d567…/invoked.timestamp            the build script was started
    debug/.fingerprint/app-d567…/run-build-script-…    it is done
    …/out/build/.ninja_log, mtimes of its outputs      ninja made an object

Source: cargo 1.95. Read it before the next build overwrites them.
"""

import os
from collections.abc import Iterable, Iterator

from core.folder import names_in
from core.native.edits.wait_phases import CMAKE, CPP, NVCC, RUSTC, SCRIPT, Piece
from core.native.traces.build_tree import all_files, read
from core.native.traces.ninja_log import read_ninja_log

_MOST_UNITS = 20_000
_CPP_ENDS = (".o", ".obj")
_CU_ENDS = (".cu.o", ".cu.obj", ".ptx", ".cubin", ".fatbin")
_SLACK_S = 0.01
"""Of a file system's clock."""


def unit_pieces(target_dir: str, began: float, ended: float) -> list[Piece]:
    """Each rustc and build script that was started between two moments."""
    return [
        Piece(what, at, max(at, until if until is not None and until >= at else ended))
        for folder in _profile_folders(target_dir)
        for what, at, until in _invoked(folder)
        if began - _SLACK_S <= at <= ended
    ]


def _profile_folders(target_dir: str) -> Iterator[str]:
    """`debug`, `release`, and those of other targets."""
    for name in names_in(target_dir):
        if os.path.isdir(f"{target_dir}/{name}/.fingerprint"):
            yield f"{target_dir}/{name}"
        else:
            for below in names_in(f"{target_dir}/{name}") if os.path.isdir(f"{target_dir}/{name}") else ():
                if os.path.isdir(f"{target_dir}/{name}/{below}/.fingerprint"):
                    yield f"{target_dir}/{name}/{below}"


def _invoked(folder: str) -> Iterator[tuple[str, float, float | None]]:
    """What was started, when, and when it was done."""
    for name in names_in(folder + "/.fingerprint")[:_MOST_UNITS]:
        place = f"{folder}/.fingerprint/{name}"
        for what, started in ((RUSTC, place), (SCRIPT, f"{folder}/build/{name}")):
            at = _mtime(started + "/invoked.timestamp")
            if at is not None:
                yield what, at, _done_at(place, is_script=what == SCRIPT)


def _done_at(place: str, *, is_script: bool) -> float | None:
    done = [
        at for name in names_in(place)
        if name.startswith("run-build-script-") == is_script and "." not in name and not name.startswith("dep-")
        and (at := _mtime(f"{place}/{name}")) is not None
    ]  # fmt: skip
    return max(done, default=None)


def ninja_pieces(folders: Iterable[str], began: float, ended: float) -> list[Piece]:
    """What ninja made below these folders between two moments."""
    found: list[Piece] = []
    for folder in folders:
        for path in all_files(folder):
            if path.endswith("/.ninja_log") and (_mtime(path) or 0.0) >= began - _SLACK_S:
                found += _of_log(path, began, ended)
    return found


def _of_log(path: str, began: float, ended: float) -> Iterator[Piece]:
    for step in read_ninja_log(read(path)):
        what = _what(step.output)
        at = _mtime(os.path.join(os.path.dirname(path), step.output)) if what else None
        if what and at is not None and began <= at <= ended + _SLACK_S:
            yield Piece(what, at - (step.end_ms - step.start_ms) / 1000, at)


def _what(output: str) -> str:
    if output.endswith("build.ninja"):
        return CMAKE
    if output.endswith(_CU_ENDS):
        return NVCC
    return CPP if output.endswith(_CPP_ENDS) else ""


def _mtime(path: str) -> float | None:
    try:
        return os.stat(path).st_mtime
    except (OSError, ValueError):
        return None
