"""A package's native part as a crate of its own: what that moves and writes, or why it cannot be done. Pure.

What cargo does with a build script's output decides it: libraries to link and where they lie are passed on to all that
depend on a package, all else is for the package itself. Source: cargo 1.95, "Build Scripts", "Outputs".
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from core.native.gains.split_manifest import (
    Crate,
    build_dependencies,
    features_read,
    links_of,
    named_features,
    native_manifest,
    own_manifest,
)

SUFFIX = "-native"
_PASSED_ON = ("rerun-if-changed", "rerun-if-env-changed", "rustc-link-lib", "rustc-link-search", "rustc-flags",
              "warning", "error", "metadata")  # fmt: skip
_FOR_ITSELF = re.compile(r"rustc-(?:check-)?cfg|rustc-env|rustc-(?:cdylib-)?link-arg(?:-\w+)?")
_OF_THE_PACKAGE = ("DEP_", "CARGO_PKG_NAME", "CARGO_MANIFEST_LINKS")
_ODD = re.compile(r"[^ -~]|[\"\\]")
"""In names that a patch would have to quote."""


class Facts(NamedTuple):
    """What is known of a package that has a build script."""

    package: str
    root: str
    """Its folder; all paths are absolute."""
    workspace: str
    manifest: str
    """Text of its Cargo.toml."""
    script: str
    script_text: str
    printed: str
    """What the script printed when it ran last."""
    script_sources: frozenset[str]
    """Rust files that the script is made of."""
    read_by_rust: frozenset[str]
    """What its targets are made of, and what they include: as the compiler noted."""
    texts: Mapping[str, str]
    """Of Rust files that the crate is made of, or may be with other features, by path."""
    targets: tuple[str, ...]
    """Root of its library; where there is none, that of each program."""
    inputs: tuple[str, ...]
    """Files that the script reads or declares."""
    files: tuple[str, ...]
    """All in the package's folder, without what builds made."""
    version: str = "0.0.0"
    edition: str = "2021"
    is_published: bool = False
    other_scripts: Mapping[str, str] = {}
    """Texts of build scripts of other packages, by package."""


class Move(NamedTuple):
    """A file or folder that goes elsewhere with all that is in it."""

    old: str
    new: str


class Write(NamedTuple):
    """A file that is made or changed."""

    path: str
    before: str | None
    """None: it is new."""
    after: str


class Split(NamedTuple):
    """All that makes the native part a crate of its own."""

    package: str
    name: str
    """Of the new crate."""
    folder: str
    moves: tuple[Move, ...]
    writes: tuple[Write, ...]
    files: tuple[Move, ...]
    """Each single file that `moves` takes along."""


class NoSplit(NamedTuple):
    """It cannot be done mechanically."""

    package: str
    reasons: tuple[str, ...]
    """Sentences; one at least."""


def plan_split(facts: Facts) -> Split | NoSplit:
    """What would be moved and written, or why nothing is."""
    folder = _folder_of(facts)
    reasons = tuple(_wrong_manifest(facts)) or tuple(_refusals(facts, folder))
    if reasons:
        return NoSplit(facts.package, reasons)
    table = tomllib.loads(facts.manifest)
    features = features_read(table, facts.script_text)
    crate = Crate(facts.package + SUFFIX, facts.package, facts.root, folder, os.path.relpath(facts.script, facts.root),
                  facts.version, facts.edition, facts.is_published)  # fmt: skip
    manifest = own_manifest(facts.manifest, crate, features)
    if manifest is None:
        return NoSplit(facts.package, ("its Cargo.toml is written in a way that cannot be changed surely",))
    name, moves = crate.name, tuple(_moves(facts, folder))
    files = tuple(_single(facts.files, moves))
    if odd := [one.old for one in files if _ODD.search(os.path.relpath(one.old, facts.workspace))]:
        return NoSplit(facts.package, (f"a file has an odd name: {os.path.relpath(odd[0], facts.root)!r}",))
    writes = (
        Write(f"{facts.root}/Cargo.toml", facts.manifest, manifest),
        Write(f"{folder}/Cargo.toml", None, native_manifest(table, crate, features)),
        Write(f"{folder}/src/lib.rs", None, f"//! The native part of {facts.package}: what its build script makes.\n"),
        *(Write(path, facts.texts[path], _with_line(facts, path, name)) for path in facts.targets),
    )
    return Split(facts.package, name, folder, moves, writes, files)


def _folder_of(facts: Facts) -> str:
    """In the package, or beside it where the script reads what lies outside, or may do so: `..` is then the same."""
    beside = os.path.dirname(facts.root)
    is_outside = '"..' in facts.script_text or any(not _is_below(path, facts.root) for path in facts.inputs)
    if is_outside and facts.root != facts.workspace and _is_below(facts.root, facts.workspace):
        return f"{beside}/{os.path.basename(facts.root)}{SUFFIX}"
    return f"{facts.root}/{facts.package}{SUFFIX}"


# What stands in the way


def _refusals(facts: Facts, folder: str) -> Iterator[str]:
    yield from _wrong_directives(facts)
    yield from _wrong_sources(facts)
    if any(_is_below(path, folder) for path in facts.files):
        yield f"there is a folder {os.path.relpath(folder, facts.workspace)} already"
    outside = [path for path in facts.inputs if not _is_below(path, facts.root)]
    if outside and _is_below(folder, facts.root):
        yield (
            f"it reads {os.path.relpath(outside[0], facts.root)}, outside the package: from a folder in the package "
            "that would be another path, and beside it there is no room in the workspace"
        )


def _wrong_manifest(facts: Facts) -> Iterator[str]:
    try:
        table = tomllib.loads(facts.manifest)
    except (ValueError, RecursionError):
        yield "its Cargo.toml is no TOML"
        return
    if not facts.targets:
        yield "it has neither a library nor a program"
    lib = table.get("lib")
    if isinstance(lib, dict) and lib.get("proc-macro"):
        yield "it is a proc macro"
    features = table.get("features")
    features = features if isinstance(features, dict) else {}
    for name, value in build_dependencies(table):
        words = [word for words in features.values() if isinstance(words, list) for word in words]
        is_named = any(word in (f"dep:{name}", name) or str(word).startswith((f"{name}/", f"{name}?/"))
                       for word in words)  # fmt: skip
        if is_named or (isinstance(value, dict) and value.get("optional")):
            yield f"a feature turns its build dependency {name} on"
    for name in sorted(named_features(table, facts.script_text) - set(features)):
        yield f"its build script reads the feature {name}, which [features] does not have"


def _wrong_directives(facts: Facts) -> Iterator[str]:
    printed = dict.fromkeys(name for name, _ in _directives(facts.printed) if _FOR_ITSELF.fullmatch(name))
    printed.update(dict.fromkeys(_FOR_ITSELF.findall(facts.script_text)))
    names = [name for name in printed if name != "rustc-check-cfg" or "rustc-cfg" not in printed]
    if names:
        told = ", ".join(names)
        yield f"its build script prints {told}, which cargo gives to the package of the script alone"
    for word in _OF_THE_PACKAGE:
        if word in facts.script_text:
            yield f"its build script reads {word}{'…' if word.endswith('_') else ''}, which would be another one there"
    links = links_of(tomllib.loads(facts.manifest))
    metadata = [name for name, _ in _directives(facts.printed) if name == "metadata" or name not in _PASSED_ON]
    head = f"DEP_{links.upper().replace('-', '_')}_" if links else ""
    if metadata and head:
        for package, text in facts.other_scripts.items():
            if head in text:
                yield f"the build script of {package} reads {head}…, which it would get of the new crate alone"


def _wrong_sources(facts: Facts) -> Iterator[str]:
    for path, text in sorted(facts.texts.items()):
        if "OUT_DIR" in text:
            yield f"{os.path.relpath(path, facts.root)} takes in what the build script makes, by OUT_DIR"
    shared = sorted(facts.script_sources & (facts.read_by_rust | set(facts.texts)))
    if shared:
        yield f"the build script and the crate share {os.path.relpath(shared[0], facts.root)}"
    if facts.script not in facts.script_sources or not _is_below(facts.script, facts.root):
        yield "its build script lies outside the package"
    taken = sorted(facts.read_by_rust & set(facts.inputs) - facts.script_sources)
    if taken:
        yield f"both the crate and its build script read {os.path.relpath(taken[0], facts.root)}"
    for path in sorted(facts.texts):
        name = os.path.relpath(path, facts.root)
        if "/" in name and name in facts.script_text and path not in taken:
            yield f"its build script names {name}, which is the crate's"
            return


def _directives(printed: str) -> Iterator[tuple[str, str]]:
    for line in printed.splitlines():
        if line.strip().startswith("cargo:"):
            name, equals, value = line.strip().removeprefix("cargo:").removeprefix(":").partition("=")
            if equals:
                yield name, value


# What is moved


def _moves(facts: Facts, folder: str) -> Iterator[Move]:
    """The largest folders that hold no Rust and no manifest, single files where they lie among such."""
    fixed = {path for path in facts.files if path in facts.texts or os.path.basename(path) == "Cargo.toml"}
    fixed |= facts.read_by_rust
    held = {folder for path in fixed | facts.script_sources for folder in _folders_above(path, facts.root)}
    done: set[str] = set()
    for path in sorted({*facts.inputs, *facts.script_sources}):
        if not _is_below(path, facts.root) or path in fixed or path not in facts.files:
            continue
        place = _largest(path, facts.root, held)
        if place not in done:
            done.add(place)
            yield Move(place, f"{folder}/{os.path.relpath(place, facts.root)}")


def _largest(path: str, root: str, held: set[str]) -> str:
    """The uppermost folder of a file that holds nothing which stays, else the file. `held`: folders that do."""
    return next((folder for folder in _folders_above(path, root) if folder not in held), path)


def _folders_above(path: str, root: str) -> Iterator[str]:
    """Of a file those below the root, the uppermost first."""
    parts = os.path.relpath(path, root).split("/")
    return ("/".join((root, *parts[:count])) for count in range(1, len(parts)))


def _single(files: Sequence[str], moves: Sequence[Move]) -> Iterator[Move]:
    for path in files:
        for move in moves:
            if path == move.old or _is_below(path, move.old):
                yield Move(path, move.new + path[len(move.old) :])


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


# What is written


def _with_line(facts: Facts, path: str, name: str) -> str:
    """The root of a target, which names the new crate: one that nothing names is not linked."""
    crate = name.replace("-", "_")
    line = f"extern crate {crate} as _;" if facts.edition == "2015" else f"use {crate} as _;"
    text = facts.texts[path]
    return f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{line} // links what its build script makes\n"
