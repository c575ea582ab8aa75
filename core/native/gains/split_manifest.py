"""Manifests of a package whose native part becomes a crate of its own, and of that crate. Pure."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.plan.mend import changed, toml_of
from core.plan.mend_diff import dotted_key
from core.plan.toml_spans import Malformed, line_start, read_sections

_FEATURE = re.compile(r"CARGO_FEATURE_(\w*)|feature\s*=\s*\"([^\"]+)\"")
_TABLES = ("build-dependencies", "build_dependencies")


class Crate(NamedTuple):
    """The new crate."""

    name: str
    package: str
    """That will depend on it."""
    root: str
    """Folder of that one."""
    folder: str
    script: str
    """The build script, from either folder on."""
    version: str
    edition: str
    is_published: bool


def features_read(table: Mapping[str, Any], script: str) -> tuple[str, ...]:
    """Features that a script reads, as [features] names them; all where it looks which there are.

    Args:
        table: Of the package's manifest.
        script: Text of its build script.
    """
    own = table.get("features")
    known = [name for name in own if name != "default"] if isinstance(own, dict) else []
    reads_any = any(not variable and not name for variable, name in _FEATURE.findall(script))
    return tuple(known) if reads_any else tuple(sorted(named_features(table, script)))


def named_features(table: Mapping[str, Any], script: str) -> set[str]:
    """Those that a script names, whether or not [features] has them."""
    own = table.get("features")
    by_variable = {name.upper().replace("-", "_"): name for name in own} if isinstance(own, dict) else {}
    found = _FEATURE.findall(script)
    return {name or by_variable.get(variable, variable.lower()) for variable, name in found if name or variable}


def build_dependencies(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Of all targets, by name."""
    for _, dependencies in _build_tables(table):
        yield from dependencies.items()


def _build_tables(table: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Tables of build dependencies with their keys."""
    targets = table.get("target")
    places = [((), table), *((("target", name), one) for name, one in targets.items())] if isinstance(
        targets, dict) else [((), table)]  # fmt: skip
    for key, place in places:
        for name in _TABLES:
            found = place.get(name) if isinstance(place, dict) else None
            if isinstance(found, dict):
                yield (*key, name), found


def own_manifest(text: str, crate: Crate, features: Sequence[str]) -> str | None:
    """The package's, which depends on the new crate; None: it cannot be changed surely."""
    table = tomllib.loads(text)
    gone: list[tuple[str, ...]] = [("package", word) for word in ("links", "build") if word in table.get("package", {})]
    gone += [(*key, one) for key, dependencies in _build_tables(table) for one in dependencies]
    found: str | None = text
    for key in gone:
        found = _without(found, key) if found is not None else None
    needed = {"path": os.path.relpath(crate.folder, crate.root)}
    needed |= {"version": f"={crate.version}"} if crate.is_published else {}
    found = changed(_without_empty(found), ("dependencies", crate.name), needed) if found is not None else None
    for feature in features:
        words = [*table["features"][feature], f"{crate.name}/{feature}"]
        found = changed(found, ("features", feature), words) if found is not None else None
    return found


def _without(text: str, key: tuple[str, ...]) -> str | None:
    """Without a key, whatever is below it."""
    below: Any = tomllib.loads(text)
    for word in key:
        below = below.get(word) if isinstance(below, dict) else None
    if below is None:
        return text
    plain = changed(text, key)
    if plain is not None or not isinstance(below, dict):
        return plain
    found: str | None = text
    for word in below:
        found = _without(found, (*key, word)) if found is not None else None
    return found


def _without_empty(text: str) -> str:
    """Without headers of build dependencies that nothing follows."""
    try:
        sections = read_sections(text)
    except (Malformed, RecursionError):
        return text
    for section in reversed(sections):
        if section.path and not section.items and any(word in _TABLES for word in section.path):
            start, end = line_start(text, section.header.start), section.header.end
            head = text[:start]
            text = (head[:-1] if head.endswith("\n\n") and not text[end:].strip("\n") else head) + text[end:].lstrip(
                "\n"
            )
    return text


def native_manifest(table: Mapping[str, Any], crate: Crate, features: Sequence[str]) -> str:
    """The new crate's. `table`: of the package's manifest."""
    about = f"The native part of {crate.package}: its build script, and what that compiles"
    lines = ["[package]", f"name = {toml_of(crate.name)}", f"version = {toml_of(crate.version)}",
             f"edition = {toml_of(crate.edition)}", f"description = {toml_of(about)}",
             f"links = {toml_of(links_of(table) or crate.name.replace('-', '_'))}"]  # fmt: skip
    lines += [] if crate.script == "build.rs" else [f"build = {toml_of(crate.script)}"]
    lines += [] if crate.is_published else ["publish = false"]
    if features:
        lines += ["", "[features]", *(f"{dotted_key((one,))} = []" for one in features)]
    for key, dependencies in _build_tables(table):
        lines += ["", f"[{dotted_key(key)}]"]
        lines += [f"{dotted_key((one,))} = {toml_of(_moved(value, crate))}" for one, value in dependencies.items()]
    return "\n".join(lines) + "\n"


def links_of(table: Mapping[str, Any]) -> str:
    """What a package links to; empty: it does not say."""
    package = table.get("package")
    found = package.get("links") if isinstance(package, dict) else None
    return found if isinstance(found, str) else ""


def _moved(value: Any, crate: Crate) -> Any:
    """A dependency whose path starts from another folder."""
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        return value
    return {**value, "path": os.path.relpath(os.path.join(crate.root, value["path"]), crate.folder)}
