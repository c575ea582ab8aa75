"""Words of `cargo deck clean`: what would be lost, what asks for it, which ways there are. Pure."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from core.native.cleans.clean import Choice, Here, LastLog
from core.native.cleans.cmake_folder import Marked
from core.native.cleans.rebuild import Rebuild
from core.parsers.text import plain
from core.watch.native_findings import CLEAN
from tui import format as f
from tui.cli import common

_CARGO_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def place(here: Here) -> str:
    """Where it is: `/w/target`, `/c/…/target (claude-2's private target dir)`."""
    folder = here.words.value("cmake") or here.target.path or "nothing: there is no target dir"
    return _safe(folder) + (f" ({here.agent}'s private target dir)" if here.target.source == "private" else "")


def lines(where: str, typed: Choice, last: LastLog | None, now: float) -> Iterator[str]:
    """What would be lost, and whether the last log asks for it."""
    yield where
    loss = typed.loss
    width = max((len(kind) for kind, _ in loss.kinds), default=0)
    for kind, size in loss.kinds:
        yield f"  {kind:<{width}}  {f.size(size):>7}"
    at_least = "" if loss.is_whole else "at least "
    yield f"  in all {at_least}{f.size(loss.size_bytes)} on the disk in {f.many(loss.files, 'file')}; {again(typed)}"
    if loss.cargo_bytes:
        yield f"  cargo will say {cargo_size(loss.cargo_bytes)}: the length of each file, hard links each time"
    yield from _asked(last, now)


def cargo_size(count: int) -> str:
    """Bytes as `cargo clean` writes them: `871.5KiB`, `9.2MiB`."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_CARGO_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f}{_CARGO_UNITS[unit]}" if unit else f"{count}B"


def again(choice: Choice) -> str:
    """What it takes to make it again."""
    if not choice.rebuild.units:
        return "nothing of it is compiled"
    said = f"to compile it again: {took(choice.rebuild)}"
    return said + (f", and what needs it: {took(choice.after)}" if choice.after.units else "")


def took(rebuild: Rebuild) -> str:
    """`4:10 (214 units)`, `12.0 s (3 of 7 units known)`, `– (7 units)`."""
    units = f.many(rebuild.units, "unit")
    if rebuild.seconds is None:
        return f"{f.UNKNOWN} ({units})"
    known = units if rebuild.known == rebuild.units else f"{rebuild.known} of {units} known"
    return f"{f.seconds(rebuild.seconds)} ({known})"


def _asked(last: LastLog | None, now: float) -> Iterator[str]:
    if last is None:
        yield "No log of a build here is kept that could ask for a clean."
        return
    who = f"{_safe(last.agent)}: {_safe(last.command)}, {f.moment(last.at, now)}"
    asking = [one for one in last.findings if one.mend.startswith(CLEAN)]
    if not asking:
        yield f"Nothing in the last log here ({who}) asks for a clean."
    else:
        yield f"The last log here ({who}) asks for one:"
        yield from (f"  {_safe(one.title)}" for one in asking)
    for one in last.findings:
        if one not in asking:
            yield f"  A clean does not mend: {_safe(one.title)}"


def brief(choices: Sequence[Choice], last: LastLog | None, now: float) -> tuple[str, ...]:
    """For who has no terminal: what goes, whether the last log asks for it, and the smaller clean that mends what it
    tells of; nothing where nothing goes."""
    typed, less = choices[-1], next((one for one in choices[:-1] if one.mends), None)
    if not typed.loss.files:
        return ()
    asked = tuple(_asked(last, now))
    lines = [goes(typed), " ".join(line.strip() for line in asked[:2]) if asked[0].endswith(":") else asked[0]]
    if less is not None:
        lines.append(f"{_safe(less.command)} takes {f.size(less.loss.size_bytes)} and mends that")
    return tuple(lines)


def goes(choice: Choice) -> str:
    """`takes away 3.1 G on the disk; to compile it again: 4:10 (214 units)`."""
    at_least = "" if choice.loss.is_whole else "at least "
    return f"takes away {at_least}{f.size(choice.loss.size_bytes)} on the disk; {again(choice)}"


def others(private: Iterable[str]) -> Iterator[str]:
    """Target dirs of other agents for the same checkout: `…/claude-2@4f0c…/target`, which a clean leaves."""
    for path in private:
        agent = os.path.basename(os.path.dirname(path)).partition("@")[0]
        yield f"{_safe(agent)} has a target dir of its own here, which stays: cargo deck clean --agent {_safe(agent)}"


def menu(choices: Sequence[Choice]) -> list[str]:
    """The ways there are, numbered."""
    rows = [(str(at), *_row(one, is_typed=at == len(choices))) for at, one in enumerate(choices, 1)]
    widths = common.column_widths(rows)
    return ["", *("  " + common.aligned(row, widths) for row in rows)]


def _row(choice: Choice, *, is_typed: bool) -> tuple[str, str, str, str]:
    seconds = took(choice.rebuild) if choice.rebuild.units else f.UNKNOWN
    note = f"mends: {_safe(choice.mends)}" if choice.mends else "as typed" if is_typed else ""
    return _safe(choice.command), f.size(choice.loss.size_bytes), seconds, note


def removed(marked: Marked, choice: Choice) -> str:
    """What was done to a CMake folder."""
    what = _safe(marked.folder) if marked.paths == (marked.folder,) else f"CMake's notes in {_safe(marked.folder)}"
    scripts = f"; the build script of {', '.join(map(_safe, marked.scripts))} runs again" if marked.scripts else ""
    return f"removed {what}, {f.size(choice.loss.size_bytes)}{scripts}"


def record(here: Here, choices: Sequence[Choice], last: LastLog | None, users: Sequence[str]) -> dict[str, Any]:
    """For `--json`."""
    asked = None
    if last is not None:
        asked = {"run": last.run, "agent": last.agent, "started": last.at,
                 "findings": [one.record() for one in last.findings]}  # fmt: skip
    return {
        "target_dir": here.target.path, "is_private": here.target.source == "private", "agent": here.agent,
        "used_by": list(users), "loss": _loss(choices[-1]), "last_log": asked,
        "choices": [{"command": one.command, "mends": one.mends or None, **_loss(one)} for one in choices],
    }  # fmt: skip


def _loss(choice: Choice) -> dict[str, Any]:
    return {
        "bytes": choice.loss.size_bytes, "cargo_bytes": choice.loss.cargo_bytes,
        "is_whole": choice.loss.is_whole, "files": choice.loss.files,
        "kinds": dict(choice.loss.kinds), "units": choice.rebuild.units, "known_units": choice.rebuild.known,
        "rebuild_s": choice.rebuild.seconds, "after_units": choice.after.units, "after_s": choice.after.seconds,
    }  # fmt: skip


def _safe(text: str) -> str:
    return plain(text.encode("utf-8", "replace"))
