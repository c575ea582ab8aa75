"""Asks CMake in build trees below OUT_DIR to tell its targets, inputs and compilers the next time that it configures.

The question is a file; CMake answers beside it (`cmake_api`), and nothing else of what it does changes. It is put only
where a build script of cargo's had CMake configure: never into somebody's own build folder.
"""

import os
from collections.abc import Iterator

from core.folder import modified_ns
from core.native.traces.cmake_cache import cmake_folders
from core.native.traces.fingerprint import unit_places
from core.plan.small_file import keep_json

QUESTION = ".cmake/api/v1/query/client-cargo-deck/query.json"
_REQUESTS = {
    "requests": [
        {"kind": "codemodel", "version": 2}, {"kind": "cmakeFiles", "version": 1}, {"kind": "toolchains", "version": 1},
    ],
}  # fmt: skip
_MOST = 200


def ask_cmake(build_dir: str, since_ns: int) -> tuple[str, ...]:
    """Put the question into CMake's build trees of build scripts that ran since then; those that had none yet.

    What cannot be written is left as it is.
    """
    asked = []
    for tree in _trees(os.path.realpath(build_dir), since_ns):
        is_free = not os.path.lexists(f"{tree}/{QUESTION}") and _is_within(os.path.dirname(f"{tree}/{QUESTION}"), tree)
        if is_free and keep_json(f"{tree}/{QUESTION}", _REQUESTS):
            asked.append(tree)
    return tuple(asked)


def _trees(build_dir: str, since_ns: int) -> Iterator[str]:
    count = 0
    for place in unit_places(build_dir):
        if modified_ns(f"{place.run}/{place.printed}") < since_ns:
            continue
        out = os.path.realpath(place.out)
        if out.startswith(build_dir + "/"):
            for tree in cmake_folders([out]):
                count += 1
                if count > _MOST:
                    return
                yield tree


def _is_within(path: str, folder: str) -> bool:
    """No link leads out of it."""
    return os.path.realpath(path).startswith(os.path.realpath(folder) + "/")
