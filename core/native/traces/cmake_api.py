"""What CMake's file API tells of a build tree: targets with their sources and what they become, what CMake itself read,
and its compilers. CMake answers where somebody asked: an IDE, or we (`core.native.traces.cmake_ask`).

    .cmake/api/v1/reply/index-2026-11-26T14-14-15-0527.json      names the others; the last one by name counts
    .cmake/api/v1/reply/codemodel-v2-….json, target-k-….json     targets of each configuration
    .cmake/api/v1/reply/cmakeFiles-v1-….json, toolchains-v1-….json

Source: CMake 3.25, cmake-file-api(7): codemodel 2, cmakeFiles 1, toolchains 1. CMake removes answers that nobody asks
for any more, so that what is there is of the last time it configured. Reads only; what is no answer is passed over.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from core.folder import absolute, names_in
from core.plan.small_file import read_json

REPLY = ".cmake/api/v1/reply"
_MAX_BYTES = 1 << 24
"""Of one answer; the largest seen have 2 MB."""
_MOST_TARGETS = 5000
_MOST_NAMES = 200_000
_KINDS = {"codemodel": 2, "cmakeFiles": 1, "toolchains": 1}
"""With the version that is read."""


class Source(NamedTuple):
    """A file of a target."""

    path: str
    """Absolute."""
    language: str
    """`CXX`, `CUDA`; empty: it is not compiled."""


class Target(NamedTuple):
    """One target in one configuration."""

    name: str
    kind: str
    """As CMake has it: `STATIC_LIBRARY`, `EXECUTABLE`, `OBJECT_LIBRARY`, `UTILITY`."""
    configuration: str
    """`Release`; empty: none was set."""
    folder: str
    """Absolute: where it is built."""
    source_folder: str
    artifacts: tuple[str, ...]
    """Absolute."""
    sources: tuple[Source, ...]

    def objects_of(self, source: Source) -> tuple[str, ...]:
        """Where its object may lie, by CMake's naming: below `CMakeFiles/k.dir`, `..` as `__`, with several
        configurations in a folder of each; none: it is not compiled."""
        if not source.language:
            return ()
        parts = os.path.relpath(source.path, self.source_folder).split("/")
        name = "/".join("__" if part == ".." else part for part in parts)
        folder = f"{self.folder}/CMakeFiles/{self.name}.dir"
        places = (folder, *((f"{folder}/{self.configuration}",) if self.configuration else ()))
        return tuple(f"{place}/{name}.o" for place in places)


class Toolchain(NamedTuple):
    """A compiler of CMake's."""

    language: str
    compiler: str
    """Absolute; empty: not said."""
    version: str
    """Empty: not said."""


class Reply(NamedTuple):
    """What CMake answered. What nobody asked for is empty."""

    generator: str
    targets: tuple[Target, ...]
    inputs: tuple[str, ...]
    """What CMake read, absolute, without what it brings with itself and what it generated."""
    toolchains: tuple[Toolchain, ...]

    @property
    def nvcc(self) -> str:
        """The compiler of CUDA; empty: there is none, or it is not said."""
        return next((one.compiler for one in self.toolchains if one.language == "CUDA"), "")


def read_reply(tree: str) -> Reply | None:
    """The last answer in a build tree; None: there is none."""
    place = f"{tree}/{REPLY}"
    indexes = [name for name in names_in(place) if name.startswith("index-") and name.endswith(".json")]
    index = _object(place, max(indexes)) if indexes else {}
    named = dict(_answers(index))
    if not named:
        return None
    answers = {kind: _object(place, name) for kind, name in named.items()}
    files, toolchains = answers.get("cmakeFiles", {}), answers.get("toolchains", {})
    cmake = _dict(index.get("cmake"))
    return Reply(
        _text(_dict(cmake.get("generator")).get("name")), tuple(_targets(place, tree, answers.get("codemodel", {}))),
        tuple(dict.fromkeys(_inputs(files))), tuple(_toolchains(toolchains)),
    )  # fmt: skip


def _answers(index: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for one in _dicts(index.get("objects")):
        kind, name = _text(one.get("kind")), _text(one.get("jsonFile"))
        if name and _dict(one.get("version")).get("major") == _KINDS.get(kind, 0):
            yield kind, name


def _targets(place: str, tree: str, codemodel: dict[str, Any]) -> Iterator[Target]:
    top = _text(_dict(codemodel.get("paths")).get("source"))
    count = 0
    for configuration in _dicts(codemodel.get("configurations")):
        for one in _dicts(configuration.get("targets")):
            count += 1
            if count > _MOST_TARGETS:
                return
            target = _object(place, _text(one.get("jsonFile")))
            if target and top:
                yield _target(target, tree, top, _text(configuration.get("name")))


def _target(target: dict[str, Any], tree: str, top: str, configuration: str) -> Target:
    paths = _dict(target.get("paths"))
    groups = [_text(group.get("language")) for group in _dicts(target.get("compileGroups"))]
    sources = []
    for one in _dicts(target.get("sources")):
        at = one.get("compileGroupIndex")
        language = groups[at] if isinstance(at, int) and 0 <= at < len(groups) else ""
        if (path := _text(one.get("path"))) and one.get("isGenerated") is not True:
            sources.append(Source(absolute(path, top), language))
    return Target(
        _text(target.get("name")), _text(target.get("type")), configuration,
        absolute(_text(paths.get("build")), tree), absolute(_text(paths.get("source")), top),
        tuple(absolute(path, tree) for one in _dicts(target.get("artifacts")) if (path := _text(one.get("path")))),
        tuple(sources),
    )  # fmt: skip


def _inputs(files: dict[str, Any]) -> Iterator[str]:
    top = _text(_dict(files.get("paths")).get("source"))
    for one in _dicts(files.get("inputs")):
        path = _text(one.get("path"))
        if path and top and one.get("isCMake") is not True and one.get("isGenerated") is not True:
            yield absolute(path, top)


def _toolchains(toolchains: dict[str, Any]) -> Iterator[Toolchain]:
    for one in _dicts(toolchains.get("toolchains")):
        compiler = _dict(one.get("compiler"))
        if language := _text(one.get("language")):
            yield Toolchain(language, _text(compiler.get("path")), _text(compiler.get("version")))


def _object(place: str, name: str) -> dict[str, Any]:
    """An answer; empty: it is none. Answers lie beside one another: no other file is looked at."""
    if not name or "/" in name or "\0" in name:
        return {}
    return _dict(read_json(f"{place}/{name}", _MAX_BYTES))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> Sequence[dict[str, Any]]:
    return [one for one in value[:_MOST_NAMES] if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Empty: no file can be called so."""
    if not isinstance(value, str) or "\0" in value:
        return ""
    try:
        return os.fsdecode(os.fsencode(value))
    except ValueError:
        return ""
