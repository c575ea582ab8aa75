"""What kind of edit led to a build: by the names of the files whose content changed. Pure."""

import os.path
from collections.abc import Iterable
from enum import StrEnum


class EditClass(StrEnum):
    """What was edited before a build."""

    RUST = "rust"
    """Sources of Rust, one or many."""
    CU = "cu"
    """One .cu file."""
    CPP = "cpp"
    """One file of C, C++ or assembler."""
    HEADER = "header"
    """Headers of C, C++ or CUDA, one or many."""
    CMAKE = "cmake"
    """What CMake reads: it configures anew."""
    BUILD_RS = "build.rs"
    MANIFEST = "manifest"
    """Cargo.toml, Cargo.lock, settings of cargo, the toolchain's name."""
    OTHER = "other"
    """Inputs of no kind that is known: what a macro includes, tables of a build script."""
    SEVERAL = "several"
    """Files of more than one kind, or more than one .cu or .cpp."""
    CLEAN = "clean"
    """All is built: the target dir was new."""


CLASSES = tuple(EditClass)
"""In the order in which a table has them."""
_ENDINGS = {
    ".rs": EditClass.RUST, ".cu": EditClass.CU, ".cmake": EditClass.CMAKE,
    **dict.fromkeys((".c", ".cc", ".cpp", ".cxx", ".c++", ".s", ".asm", ".m", ".mm"), EditClass.CPP),
    **dict.fromkeys(
        (".h", ".hh", ".hpp", ".hxx", ".h++", ".cuh", ".inl", ".inc", ".ipp", ".tpp", ".tcc"), EditClass.HEADER
    ),
}  # fmt: skip
_MANIFESTS = frozenset(("Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", "deck.toml"))
_CMAKE = frozenset(("CMakeLists.txt", "CMakePresets.json", "CMakeUserPresets.json"))
_ALONE = frozenset((EditClass.CU, EditClass.CPP))
"""Classes of a single file."""


def kind_of(
    path: str, build_scripts: frozenset[str] = frozenset(), cmake_files: frozenset[str] = frozenset()
) -> EditClass:
    """The kind of one file; `build_scripts`: paths of those that are not called build.rs; `cmake_files`: what CMake
    reads, where the name does not say what it is."""
    name = os.path.basename(path)
    if name == "build.rs" or path in build_scripts:
        return EditClass.BUILD_RS
    if name in _MANIFESTS or _is_cargo_setting(path, name):
        return EditClass.MANIFEST
    if name in _CMAKE or name.endswith(".cmake.in"):
        return EditClass.CMAKE
    other = EditClass.CMAKE if path in cmake_files else EditClass.OTHER
    return _ENDINGS.get(os.path.splitext(name)[1].lower(), other)


def _is_cargo_setting(path: str, name: str) -> bool:
    return name in ("config", "config.toml") and os.path.basename(os.path.dirname(path)) == ".cargo"


def class_of(
    changed: Iterable[str], build_scripts: frozenset[str] = frozenset(), cmake_files: frozenset[str] = frozenset()
) -> EditClass | None:
    """The class of an edit that changed these files; None: it changed none."""
    paths = set(changed)
    kinds = {kind_of(path, build_scripts, cmake_files) for path in paths}
    if not kinds:
        return None
    if len(kinds) > 1:
        return EditClass.SEVERAL
    kind = kinds.pop()
    return EditClass.SEVERAL if kind in _ALONE and len(paths) > 1 else kind
