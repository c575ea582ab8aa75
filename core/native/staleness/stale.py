"""What is wrong with how a build script declares its inputs, or with what it made of them. Reads times alone."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from core.native.staleness.closure import LIBRARY_ENDS, OBJECT_ENDS, SOURCE_ENDS, Made, native_files
from core.native.staleness.cover import Cover, Watched
from core.native.staleness.seen import Digest, Seen
from core.native.traces.build_tree import all_files
from core.native.traces.fingerprint import ScriptRun

Kind = Literal["undeclared", "missing", "loop", "skipped", "unseen", "new"]
"""Inputs that nothing declared covers; declared paths that are not there; outputs in what is watched; outputs that the
script did not make again although it ran; edits that have an old mtime; new files that a list of files leaves out."""
_WRITTEN_ENDS = (*OBJECT_ENDS, *LIBRARY_ENDS, ".d", ".rs.bk", ".ii", ".gch")
_LOOKS_AROUND = re.compile(
    r"\bread_dir\b|\bglob\s*\(|\bglob::|\b[Ww]alk_?[Dd]ir\b|_glob\s*\(|\bWalkBuilder\b|\bsource_dir\s*\("
)
_TOOL = re.compile(r"\bbindgen_cuda\b|\bcudaforge\b")
_NAMED = re.compile(r"\bkernel_paths\s*\(|\bsource_files\s*\(")
"""What tools are told to compile; else they look for sources. Source: bindgen_cuda 0.1.6, cudaforge 0.1.6."""


class Trouble(NamedTuple):
    """One kind of thing that is wrong with one build script."""

    kind: Kind
    script: ScriptRun
    paths: tuple[str, ...]
    """The files in question, absolute; of `missing` as they were declared."""
    outputs: tuple[str, ...] = ()
    """What was made, or should have been."""
    is_certain: bool = True
    """False: it rests on the text of the files, or it is not known what the build saw."""
    why: tuple[str, ...] = ()
    """Beside each path, in words."""


class Case(NamedTuple):
    """All that is known of one build script."""

    script: ScriptRun
    made: tuple[Made, ...]
    cover: Cover
    seen: Seen = Seen()
    text: str = ""
    """Of the script; empty: it cannot be read."""
    build_dir: str = ""
    nvcc_calls: int | None = None
    """How often it called nvcc when it ran last; None: nobody noted that."""


class World(NamedTuple):
    """What is asked of the file system."""

    digest: Digest
    """Of a file's content."""
    tracked: Callable[[str, Sequence[str]], frozenset[str]]
    """Which of these files below a folder are in git's index."""


def troubles(case: Case, world: World) -> tuple[Trouble, ...]:
    """All that is wrong: first what never ends, then edits that are missed."""
    endless = (*_missing(case), *_loops(case, world))
    # What runs at each build misses no edit.
    missed = () if endless else (*_undeclared(case), *_unseen(case, world), *_new(case))
    return (*endless, *missed, *_skipped(case, world))


def not_known(case: Case) -> tuple[str, ...]:
    """Inputs that something touched after the build, with an mtime that is older, and of which it is not known what the
    build saw: cargo would not see an edit."""
    began = case.script.began_ns
    return tuple(
        path
        for path in _inputs(case)
        if case.cover.has(path) and _is_old_and_touched(path, began) and not case.seen.at_script(case.script, path)
    )


def _inputs(case: Case) -> dict[str, Made]:
    """Each input with one output that is made of it: the surest one."""
    found: dict[str, Made] = {}
    for made in case.made:
        for path in made.inputs:
            if path not in found or (found[path].known_by == "text" and made.known_by != "text"):
                found[path] = made
    return found


def uncovered(case: Case) -> dict[str, Made]:
    """Inputs whose change makes no build script run, each with an output; without what the script itself writes, and
    what is gone."""
    script = case.script
    return {
        path: made
        for path, made in _inputs(case).items()
        if case.cover.has(path) is False
        and (saved_at := times(path)[0])
        and not script.began_ns <= saved_at <= script.ended_ns
    }


def _undeclared(case: Case) -> Iterator[Trouble]:
    by_path = uncovered(case)
    if by_path:
        yield Trouble(
            "undeclared", case.script, tuple(by_path), tuple(sorted({made.output for made in by_path.values()})),
            any(made.known_by != "text" for made in by_path.values()),
            tuple(f"{_why_uncovered(case, path)}; {_read_by(made)}" for path, made in by_path.items()),
        )  # fmt: skip


def _why_uncovered(case: Case, path: str) -> str:
    if case.cover.style == "variables":
        return "only variables are declared"
    if case.cover.style == "declared":
        return "nothing that is declared covers it"
    if os.path.realpath(path).startswith(os.path.realpath(case.script.root) + "/"):
        return "git ignores it, or the package excludes it"
    return "it lies outside the package"


def _read_by(made: Made) -> str:
    source = os.path.basename(made.source)
    match made.known_by:
        case "depfile" | "ninja":
            return f"read by {source}, says {os.path.basename(made.note)}"
        case "nvcc":
            return f"read by {source}, says nvcc"
        case "text":
            return f"included by {source}, by its text"
        case _:
            raise TypeError(made.known_by)


def _missing(case: Case) -> Iterator[Trouble]:
    missing = case.cover.missing
    if missing:
        why = tuple("cargo knows no patterns" if is_pattern(one) else "it is not there" for one in missing)
        yield Trouble("missing", case.script, tuple(one.declared for one in missing), why=why)


def is_pattern(watched: Watched) -> bool:
    """It was meant to name several files."""
    return any(char in watched.declared for char in "*?[")


# Loops


def _loops(case: Case, world: World) -> Iterator[Trouble]:
    script = case.script
    found: dict[str, str] = {}
    for watched in case.cover.own:
        if watched.kind == "folder" and case.build_dir and is_in(f"{case.build_dir}/", watched):
            found[case.build_dir] = f"in {watched.declared}, which is watched"
        elif watched.kind == "folder":
            within = _written_in(watched.real, script, case.build_dir)
            found.update({path: f"in {watched.declared}, which is watched" for path in within})
        elif watched.kind == "file" and _is_written(watched.path, script):
            found[watched.path] = "declared itself"
    if case.cover.style == "package":
        listed = sorted(case.cover.listed or ())
        found.update({path: "in the package, which is watched" for path in listed if _is_written(path, script)})
    made = {one.output for one in case.made}
    odd = [path for path in found if path not in made and path != case.build_dir and not path.endswith(_WRITTEN_ENDS)]
    edited = world.tracked(script.root, odd) if odd else frozenset()
    kept = {path: why for path, why in found.items() if path not in edited}
    if kept:
        yield Trouble("loop", script, tuple(kept), tuple(kept), why=tuple(kept.values()))


def is_in(path: str, folder: Watched) -> bool:
    """It lies below a watched folder, or where that leads; the folder itself does with a slash behind it."""
    return any(path.startswith(place.rstrip("/") + "/") for place in (folder.path, folder.real))


def _written_in(folder: str, script: ScriptRun, without: str) -> Iterator[str]:
    for path in sorted(all_files(folder)):
        if _is_written(path, script) and not (without and path.startswith(without + "/")):
            yield path


def _is_written(path: str, script: ScriptRun) -> bool:
    """It was written while the script ran."""
    return script.began_ns < times(path)[0] <= script.ended_ns


# Edits that did not get through


def _skipped(case: Case, world: World) -> Iterator[Trouble]:
    """Outputs older than an input, though the script ran after the input was changed. Saved once more since then, it is
    still so where it is known what the script could have read."""
    by_output: dict[str, list[str]] = {}
    is_certain = False
    for made in case.made:
        made_at = times(made.output)[0]
        for path in made.inputs:
            saved_at = times(path)[0]
            before = case.seen.at_output(made.output, made_at, path)
            if saved_at <= made_at or (before and before == world.digest(path)):
                continue  # not edited; touched, and nothing else
            read = case.seen.at_script(case.script, path) if saved_at > case.script.began_ns else None
            if read is not None and not (read and before and read != before):
                continue  # saved since then: that the script could have read another one is not known
            by_output.setdefault(made.output, []).append(path)
            is_certain = is_certain or (bool(before) and made.known_by != "text")
    if by_output:
        paths = dict.fromkeys(path for some in by_output.values() for path in some)
        seen = "; nvcc was not called in that run" if case.nvcc_calls == 0 else ""
        why = tuple(_later(path, [one for one, some in by_output.items() if path in some]) + seen for path in paths)
        yield Trouble("skipped", case.script, tuple(paths), tuple(by_output), is_certain, why)


def _later(path: str, outputs: Sequence[str]) -> str:
    age_s = max((times(path)[0] - times(one)[0]) / 1e9 for one in outputs)
    names = ", ".join(os.path.basename(one) for one in outputs[:3])
    return f"{age_s:.1f} s newer than {names}"


def hidden_edits(case: Case, digest: Digest) -> tuple[str, ...]:
    """Files whose content is another one than the build saw, though their mtime is older than it."""
    began = case.script.began_ns
    paths = []
    for path in dict.fromkeys([*_inputs(case), *(one.path for one in case.cover.own if one.kind == "file")]):
        was = case.seen.at_script(case.script, path)
        if was and case.cover.has(path) and _is_old_and_touched(path, began) and digest(path) not in ("", was):
            paths.append(path)
    return tuple(paths)


def _unseen(case: Case, world: World) -> Iterator[Trouble]:
    if paths := hidden_edits(case, world.digest):
        outputs = {made.output for made in case.made if set(paths) & set(made.inputs)}
        why = "another content than the build saw, and an mtime before it"
        yield Trouble("unseen", case.script, paths, tuple(sorted(outputs)), True, (why,) * len(paths))


def _is_old_and_touched(path: str, began_ns: int) -> bool:
    mtime, ctime = times(path)
    return 0 < mtime <= began_ns < ctime


def _new(case: Case) -> Iterator[Trouble]:
    """Sources beside declared ones that came after the build, where the script looks for sources by itself."""
    if case.cover.style != "declared" or not _looks_around(case.text):
        return
    listed = [one for one in case.cover.own if one.kind == "file" and one.path.endswith(SOURCE_ENDS)]
    wanted = {(os.path.dirname(one.path), os.path.splitext(one.path)[1]) for one in listed}
    known = _inputs(case)
    new = [
        path
        for folder in sorted({folder for folder, _ in wanted})
        for path in native_files(folder, case.build_dir)
        if os.path.dirname(path) == folder and (folder, os.path.splitext(path)[1]) in wanted
        and path not in known and case.cover.has(path) is False and times(path)[1] > case.script.ended_ns
    ]  # fmt: skip
    if new:
        why = "came after the build; the files beside it are declared one by one"
        yield Trouble("new", case.script, tuple(new), why=(why,) * len(new))


def _looks_around(text: str) -> bool:
    return bool(_LOOKS_AROUND.search(text) or (_TOOL.search(text) and not _NAMED.search(text)))


def times(path: str) -> tuple[int, int]:
    """mtime and ctime in ns; 0: it is not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    return status.st_mtime_ns, status.st_ctime_ns


def tail_of(path: str) -> str:
    """The end of a long path."""
    parts = path.split("/")
    return path if len(parts) < 4 else "…/" + "/".join(parts[-2:])
