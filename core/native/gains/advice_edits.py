"""Edits by which advice is tried: which file, and what is written at its end: what compilers make changes. Pure."""

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.native.edits.edit_class import EditClass
from core.native.edits.iterations import Iteration
from core.native.staleness.closure import HEADER_ENDS, SOURCE_ENDS, Made

NATIVE, HEADER, RUST, BACK = "native", "header", "rust", "back"
"""Of `back`: a Rust file is again what was built before, as after a switch of branches and back."""
_KERNEL_ENDS = (".cu", ".hip")
_C_ENDS = (".c", ".m")
_ASM_ENDS = (".s", ".S", ".asm", ".ptx")


class Edit(NamedTuple):
    """A file that is edited again and again."""

    kind: str
    path: str


def text_for(edit: Edit, number: int) -> str:
    """What is added to a file; another one for each number."""
    end = os.path.splitext(edit.path)[1]
    if edit.kind in (RUST, BACK):
        number = number if edit.kind == RUST else -1
        return f"\n#[doc(hidden)]\n#[used]\npub static CARGO_DECK_ADVICE: i64 = {number};\n"
    if edit.kind == HEADER or end in HEADER_ENDS:
        return f"\n#undef CARGO_DECK_ADVICE\n#define CARGO_DECK_ADVICE {number}\n"
    if end in _ASM_ENDS:
        return f"\n{';' if end == '.asm' else '//'} {number}\n"
    if end in _KERNEL_ENDS:
        return f"\n__global__ void cargo_deck_advice(int *at) {{ *at = {number}; }}\n"
    nothing = "void" if end in _C_ENDS else ""
    head = f"int cargo_deck_advice({nothing})"
    return f"\n{head};\n{head} {{ return {number}; }}\n"


def native_edit(iterations: Sequence[Iteration], made: Iterable[Made]) -> Edit | None:
    """The source that was edited last, of those that are compiled on their own; else the one with most inputs."""
    by_source = {one.source: one for one in made if one.source.endswith(SOURCE_ENDS)}
    last = _last(iterations, (EditClass.CU, EditClass.CPP), by_source)
    most = max(by_source.values(), key=lambda one: (one.source.endswith(_KERNEL_ENDS), len(one.inputs), one.source),
               default=None)  # fmt: skip
    path = last or (most.source if most is not None else "")
    return Edit(NATIVE, path) if path else None


def header_edit(iterations: Sequence[Iteration], made: Iterable[Made]) -> Edit | None:
    """The header that most outputs are made of, of two or more; one that was edited before comes first."""
    readers: dict[str, int] = {}
    for one in made:
        for path in one.inputs:
            if path.endswith(HEADER_ENDS):
                readers[path] = readers.get(path, 0) + 1
    several = {path: count for path, count in readers.items() if count > 1}
    path = _last(iterations, (EditClass.HEADER,), several) or max(
        several, key=lambda one: (several[one], one), default=""
    )
    return Edit(HEADER, path) if path else None


def rust_edit(iterations: Sequence[Iteration], sources: Iterable[str], roots: Sequence[str]) -> Edit | None:
    """The Rust file that was edited last and is compiled; else the first root of a target. Build scripts are none."""
    known = {path for path in sources if path.endswith(".rs")}
    path = _last(iterations, (EditClass.RUST,), known) or next((one for one in roots if one.endswith(".rs")), "")
    return Edit(RUST, path) if path else None


def _last(iterations: Sequence[Iteration], kinds: Sequence[EditClass], known: Iterable[str]) -> str:
    among = set(known)
    for one in reversed(iterations):
        if one.kind in kinds:
            for path in one.changed:
                if path in among:
                    return path
    return ""
