"""What is known of a package with a build script, for `split`: asked of cargo, git and the file system."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from core.native.gains.split import Facts, NoSplit
from core.native.staleness.closure import native_files
from core.native.staleness.doctor import Place
from core.native.staleness.stale import Case
from core.native.traces.build_tree import all_files, inputs_in
from core.native.traces.depfile import first_inputs
from core.native.traces.tree_files import git_files
from core.native.traces.units import compiled_units
from core.plan.small_file import read_head, read_text
from core.plan.workspace import read_metadata

_CRATE = ("src", "tests", "examples", "benches")
"""Folders whose Rust is the crate's; what lies elsewhere and is not compiled may be the script's."""
_CMAKE = ("CMakeLists.txt", "Makefile", "meson.build")
_MAX_TEXT = 1 << 20
_MOST_FILES = 5000


def facts_of(place: Place, case: Case) -> Facts | NoSplit:
    """All that is known of the package of a build script.

    Raises:
        StateError: cargo does not say what is in the workspace.
    """
    script = case.script
    metadata = read_metadata(place.cargo, f"{script.root}/Cargo.toml", script.root, place.env)
    packages = [one for one in metadata.get("packages", ()) if isinstance(one, dict)]
    package = next((one for one in packages if one.get("name") == script.package and _root(one) == script.root), None)
    manifest = read_text(f"{script.root}/Cargo.toml", _MAX_TEXT)
    if package is None or manifest is None:
        return NoSplit(script.package, ("it is no member of the workspace",))
    others = dict(_other_scripts(packages, package))
    found = _gather(place, case, _targets(package))
    if isinstance(found, NoSplit):
        return found
    return found._replace(
        manifest=manifest, workspace=str(metadata.get("workspace_root") or place.workspace), other_scripts=others,
        version=str(package.get("version") or "0.0.0"), edition=str(package.get("edition") or "2021"),
        is_published=package.get("publish") is None,
    )  # fmt: skip


def _gather(place: Place, case: Case, targets: tuple[str, ...]) -> Facts | NoSplit:
    """What files, compilers and the script itself tell."""
    script = case.script
    files = tuple(_files(script.root, place))
    if len(files) > _MOST_FILES:
        return NoSplit(script.package, (f"it has more than {_MOST_FILES} files",))
    own, read = _script_sources(case, place.workspace), _read_by_rust(place, case)
    texts = _crate_texts(script.root, files, own, (*read, *targets))
    if any(path not in texts for path in targets):
        return NoSplit(script.package, (f"{', '.join(targets)} cannot be read as text in the package's folder",))
    inputs = tuple(sorted(_inputs(case, place, files, own | set(texts))))
    there = frozenset(files)
    if ignored := [path for path in inputs if path not in there and _is_needed(path, case)]:
        return NoSplit(script.package, (f"it reads {os.path.relpath(ignored[0], script.root)}, which git ignores",))
    printed = (read_head(script.output, _MAX_TEXT) or b"").decode("utf-8", "replace")
    return Facts(script.package, script.root, place.workspace, "", script.script, case.text, printed, own, read, texts,
                 targets, inputs, files)  # fmt: skip


def _crate_texts(root: str, files: Iterable[str], script: frozenset[str], known: Iterable[str]) -> dict[str, str]:
    """Of Rust files that are the crate's: `known` is, and what lies in its usual folders."""
    crate, named = tuple(f"{root}/{name}/" for name in _CRATE), frozenset(known)
    found = {}
    for path in files:
        if path.endswith(".rs") and path not in script and (path in named or path.startswith(crate)):
            text = read_text(path, _MAX_TEXT)
            if text is not None:
                found[path] = text
    return found


def _is_needed(path: str, case: Case) -> bool:
    """Something is made of a file in the package."""
    return path.startswith(case.script.root + "/") and any(path in made.inputs for made in case.made)


def _root(package: Mapping[str, Any]) -> str:
    return os.path.realpath(os.path.dirname(str(package.get("manifest_path") or "")))


def _targets(package: Mapping[str, Any]) -> tuple[str, ...]:
    """Root of the library, else of each program."""
    found: dict[str, list[str]] = {"lib": [], "bin": []}
    for target in package.get("targets", ()):
        kinds = target.get("kind") or ()
        kind = "bin" if "bin" in kinds else "lib" if any(one in _LIBRARIES for one in kinds) else ""
        if kind:
            found[kind].append(os.path.realpath(str(target.get("src_path"))))
    return tuple(found["lib"] or found["bin"])


_LIBRARIES = ("lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro")


def _other_scripts(packages: Iterable[Mapping[str, Any]], own: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for package in packages:
        for target in package.get("targets", ()):
            if package is not own and "custom-build" in (target.get("kind") or ()):
                yield str(package.get("name")), read_text(str(target.get("src_path")), _MAX_TEXT) or ""


def _files(root: str, place: Place) -> Iterator[str]:
    """All in a folder, without what git ignores and what builds make."""
    made = (place.build_dir + "/", place.target_dir + "/" if place.target_dir else place.build_dir + "/")
    listed = git_files(root)
    named = all_files(root) if listed is None else listed
    found = (one for one in named if "/.git/" not in one and os.path.lexists(one))
    yield from (path for path in sorted(found) if not path.startswith(made))


def _script_sources(case: Case, workspace: str) -> frozenset[str]:
    """Rust files of the build script, from the compiler's note."""
    script = case.script
    found = {script.script}
    profile = os.path.dirname(os.path.dirname(os.path.dirname(script.output)))
    for folder in sorted(_folders(profile + "/build", script.package)):
        for path in all_files(folder):
            if path.endswith(".d") and "/out/" not in path.removeprefix(folder):
                names = first_inputs(read_head(path, _MAX_TEXT) or b"", workspace)
                found |= set(names) if script.script in names else set()
    return frozenset(found)


def _folders(build: str, package: str) -> Iterator[str]:
    try:
        names = os.listdir(build)
    except OSError:
        return
    yield from (f"{build}/{name}" for name in names if name == package or name.rpartition("-")[0] == package)


def _read_by_rust(place: Place, case: Case) -> frozenset[str]:
    units = compiled_units(place.build_dir, place.workspace)
    own = (path for unit in units if unit.package == case.script.package for path in unit.sources)
    return frozenset(path for path in own if path.startswith(case.script.root + "/"))


def _inputs(case: Case, place: Place, files: tuple[str, ...], rust: frozenset[str]) -> Iterator[str]:
    """What the script reads: as compilers and CMake say, what it declares, and native files beside. `rust`: sources of
    the crate and of the script that are known."""
    script = case.script
    known = {path for made in case.made for path in made.inputs}
    known |= {path for path in inputs_in(script.out_dir) if _is_edited(path, place, script.root)}
    known |= set(native_files(script.root, place.build_dir))
    known |= {path for path in files if os.path.basename(path) in _CMAKE or path.endswith((".cmake", ".rs"))}
    declared = {one.path for one in case.cover.own if one.kind == "file"}
    for one in case.cover.own:
        below = {path for path in files if path.startswith(one.path + "/")}
        if one.kind == "folder" and not (below & rust or any(path.endswith("/Cargo.toml") for path in below)):
            known |= below or {one.path}
    known = (known - rust) | (declared - _script_sources(case, place.workspace))
    yield from (path for path in known if os.path.basename(path) != "Cargo.toml")


def _is_edited(path: str, place: Place, root: str) -> bool:
    return path.startswith((place.workspace + "/", root + "/")) and not path.startswith(place.build_dir + "/")
