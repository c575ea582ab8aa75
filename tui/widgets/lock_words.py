"""What the Locks screen says: rows and details of locks and of shared dirs. Pure."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.host import Owner
from core.lock_queries import LockLine, SharedTarget, what_avoids
from core.state import Run
from core.watch.shared_mend import Proven
from core.watch.shared_target import Judged, Made
from tui import format as f
from tui.widgets.ansi import safe
from tui.widgets.table_view import Cell, Column, Row
from tui.widgets.words import brief_span

WIDE_FROM, WIDEST_FROM, NARROW_BELOW = 110, 160, 60
ARROW = " ─▸ "
WARNING = "⚠"
_ROOM_FOR_COMMAND = 40
_LEAST_WITH_DIR = 40
"""Cells of a column that has room for `artifact dir` and a place."""
MAX_MADE = 30
"""Units of a shared dir that are listed."""
_GAP = "  "
NOBODY = "Nobody holds a lock of cargo's now, and nobody waited for one today."
_ONLY_WAITS = ": these checkouts only wait for each other"
_GUARDS = {
    ".cargo-lock": "the whole profile folder: up to cargo 1.95 build, check, test and doc wait for each other there"
    " (later ones only share it, so that older ones wait)",
    ".cargo-build-lock": "what is compiled (cargo 1.96 and later): every build, check and test takes it",
    ".cargo-artifact-lock": "finished programs (cargo 1.96 and later): a plain check does not take it",
    ".package-cache": "the index and the crates in $CARGO_HOME, while cargo resolves and downloads",
    ".package-cache-mutate": "the crates in $CARGO_HOME: builds share it, cargo's clean-up wants it alone",
}


def day_began(now: float) -> float:
    """The last midnight, local time."""
    then = time.localtime(now)
    return time.mktime((then.tm_year, then.tm_mon, then.tm_mday, 0, 0, 0, 0, 0, -1))


def columns(width: int) -> tuple[Column, ...]:
    """The columns of a table of so many cells; those of a narrow one leave to the detail what they have no room for."""
    if width < NARROW_BELOW:
        return (Column("lock", max(12, width * 9 // 20)), Column("waits", 0))
    sizes = (26, 20, 5) if width < WIDE_FROM else (32, 20, 6) if width < WIDEST_FROM else (46, 46, 7)
    titles = ("lock", "holder", "since")
    first = tuple(Column(title, size, title == "since") for title, size in zip(titles, sizes, strict=True))
    lost = () if width < WIDE_FROM else (Column("lost today", 22 if width < WIDEST_FROM else 36),)
    return (*first, Column("waits", 0), *lost)


def rows(
    lines: Iterable[LockLine], shared: Iterable[SharedTarget], proofs: Mapping[str, Proven], shown: Sequence[Column]
) -> list[Row]:
    """Our locks, dirs that several checkouts share, locks of others."""
    width = shown[0].width
    found = [(line, Row(line.path, _picked(_lock_cells(line, width, shown), shown))) for line in lines]
    dirs = [
        Row(f"shared {one.path}", _picked(_shared_cells(one, proofs.get(one.path), width), shown)) for one in shared
    ]
    return [
        *(row for line, row in found if line.is_ours),
        *dirs,
        *(row for line, row in found if not line.is_ours),
    ]


def _picked(cells: Mapping[str, Cell], shown: Sequence[Column]) -> tuple[Cell, ...]:
    return tuple(cells[column.title] for column in shown)


def _lock_cells(line: LockLine, width: int, shown: Sequence[Column]) -> dict[str, Cell]:
    place = place_of(line)
    is_narrow = all(column.title != "holder" for column in shown)
    kind = line.kind.removesuffix(" dir") if is_narrow or width < _LEAST_WITH_DIR else line.kind
    room = width - len(kind) - len(_GAP)
    role = "dim" if line.is_free or not line.is_ours else "text"
    room_for_holder = sum(column.width for column in shown if column.title == "holder")
    return {
        "lock": Cell(f"{kind}{_GAP}{f.cut_path(place, max(4, room)) if place else ''}".rstrip(), role),
        "holder": Cell(holder_of(line, room_for_holder), "title" if any(one.run for one in line.holders) else "dim"),
        "since": Cell(f.duration(line.held_s), "number" if line.held_s is not None and line.is_ours else "dim"),
        "waits": Cell(waits(line), "waiting" if any(one.owner.run for one in line.waits) else "dim"),
        "lost today": Cell(lost(line) or f.UNKNOWN, "number" if line.lost else "dim"),
    }


def place_of(line: LockLine) -> str:
    """Where it is, from the checkout's own name on where there is only one; empty of a package cache."""
    if "cache" in line.kind:
        return ""
    folder = line.path.rpartition("/")[0]
    owners = (*line.holders, *(wait.owner for wait in line.waits))
    roots = {owner.checkout for owner in owners if owner.checkout and folder.startswith(owner.checkout + "/")}
    return folder[len(roots.pop().rpartition("/")[0]) + 1 :] if len(roots) == 1 else folder


def holder_of(line: LockLine, room: int) -> str:
    """Who holds it, in so many cells; the pid stays."""
    if not line.holders:
        return "unknown" if line.waits else f.UNKNOWN
    more = f" +{len(line.holders) - 1}" if len(line.holders) > 1 else ""
    first = line.holders[0]
    if first.run:
        long = f"{first.agent}{more}  cargo {first.pid}"
        return long if len(long) <= room else f"{f.cut_name(first.agent + more, room - 9)}  {first.pid}"
    where = f" in {f.cut_path(first.cwd, room // 3)}" if first.cwd else ""
    tail = f"{where}{more}  {first.pid}"
    if first.command and room >= _ROOM_FOR_COMMAND:
        return f"not ours: {f.cut_name(first.command, room - 10 - len(tail))}{tail}"
    program = first.command.split(" ")[0]
    long = f"not ours{more}  {program} {first.pid}"
    return long if program and len(long) <= room else f"not ours{more}  {first.pid}"


def waits(line: LockLine) -> str:
    """`claude-2 31s ─▸ codex 12s · ada 3s`: codex waits for what claude-2 holds, ada for this lock."""
    text = ""
    for wait in line.waits:
        sign = "" if not text else ARROW if wait.depth else " · "
        text += f"{sign}{name_of(wait.owner)} {brief_span(wait.waited_s)}"
    return text or f.UNKNOWN


def lost(line: LockLine) -> str:
    """`claude-2 6:10 · codex 0:48`; empty: nobody lost anything."""
    return " · ".join(f"{agent} {f.duration(seconds)}" for agent, seconds in line.lost)


def name_of(owner: Owner) -> str:
    """The agent; of who is not ours its program."""
    return owner.agent or owner.command.split(" ")[0] or f"process {owner.pid}"


def _shared_cells(shared: SharedTarget, proven: Proven | None, width: int) -> dict[str, Cell]:
    verdict, role = shared_verdict(proven)
    names = " · ".join(_short_names(shared.checkouts))
    return {
        "lock": Cell(f"{WARNING} {f.cut_path(shared.path, max(4, width - 2))}", role),
        "holder": Cell(names, "text"), "since": Cell(""), "waits": Cell(verdict, role), "lost today": Cell(""),
    }  # fmt: skip


def _short_names(folders: Sequence[str]) -> list[str]:
    """The last part of each path; two, where that is the same for several."""
    last = [folder.rpartition("/")[2] for folder in folders]
    return last if len(set(last)) == len(last) else ["/".join(folder.split("/")[-2:]) for folder in folders]


def shared_verdict(proven: Proven | None) -> tuple[str, str]:
    """What is known of a shared dir, and its role."""
    if proven is None:
        return "can run the wrong program", "failed"
    if proven.proof.is_harmful:
        wrong = next(made for made in proven.proof.made if made.is_harmful)
        return f"runs the wrong program: {wrong.package}", "failed"
    if proven.proof.made:
        return "no wrong program now", "waiting"
    return "no crate in common", "waiting"


# Details


def lock_detail(line: LockLine, runs: Mapping[str, Run]) -> Iterator[Cell]:
    """Who, where, what it guards, what would avoid the wait."""
    name = line.path.rpartition("/")[2]
    yield Cell(f"{line.kind} lock {line.path}", "strong")
    if not line.holders:
        yield Cell("Nobody holds it now." if line.is_free else "Who holds it is not to be seen from here.", "dim")
    for holder in line.holders:
        held = f.duration(line.held_s)
        yield Cell(f"{who(holder, runs)} holds it" + (f" for {held}" if len(line.holders) == 1 else ""), "text")
    for wait in line.waits:
        behind = "waits" if not wait.depth else "waits behind that one,"
        role = "waiting" if wait.owner.run else "dim"
        yield Cell(f"{who(wait.owner, runs)} {behind} {brief_span(wait.waited_s)}", role)
    if line.lost:
        yield Cell(f"Lost to it today: {lost(line)}")
    direct = [wait.owner for wait in line.waits if not wait.depth]
    waiter = next((one for one in direct if one.run), direct[0] if direct else None)
    if waiter is not None:
        yield Cell("")
        yield Cell("What would avoid the wait", "strong")
        yield from (Cell(said) for said in what_avoids(line.kind, waiter, line.holders[0] if line.holders else None))
    yield Cell("")
    yield Cell(f"It guards {_GUARDS.get(name, 'a folder of cargo')}.", "dim")


def who(owner: Owner, runs: Mapping[str, Run]) -> str:
    """A process in words: whose, what, where, its pid."""
    run = runs.get(owner.run)
    if run is not None:
        return f"{run.agent}: {safe(run.command)} in {run.cwd} (pid {owner.pid})"
    if owner.run:
        return f"{owner.agent} (pid {owner.pid})"
    if not owner.command:
        return f"Not ours: a process of which nothing is to be seen (pid {owner.pid})"
    return f"Not ours: {safe(owner.command)} in {owner.cwd or f.UNKNOWN} (pid {owner.pid})"


def shared_detail(shared: SharedTarget, proven: Proven | None, key: str) -> Iterator[Cell]:
    """Why it is dangerous, what was found in it, what mends it."""
    yield Cell(f"{WARNING} {len(shared.checkouts)} checkouts write to {shared.path}", "failed")
    agents = {checkout: agent for agent, checkout in reversed(shared.agents)}
    for checkout in shared.checkouts:
        yield Cell(f"{checkout}{f'  ({agents[checkout]})' if checkout in agents else ''}")
    yield Cell(
        "Cargo knows a crate by its place below the workspace root, and by the times of its files whether it is up to"
        " date: what one checkout built can be up to date for the other, and is run there.",
        "dim",
    )
    yield Cell("")
    if proven is None:
        yield Cell(f"{key} reads the dir and says whose program each one runs now.", "lit")
        return
    verdict, role = shared_verdict(proven)
    meaning = "" if proven.proof.is_harmful else ", but there can be one" if proven.proof.made else _ONLY_WAITS
    yield Cell(f"Found in it: {verdict}{meaning}", role)
    for made in proven.proof.made[:MAX_MADE]:
        yield from _made(made)
    if len(proven.proof.made) > MAX_MADE:
        yield Cell(f"… and {len(proven.proof.made) - MAX_MADE} more that do no harm now", "dim")
    yield Cell("")
    yield Cell("What mends it", "strong")
    yield from (Cell(said) for said in proven.mends)


def _made(made: Made) -> Iterator[Cell]:
    origin = f"made in {made.made_of}" if made.made_of else "where it was made is not known"
    yield Cell(f"{made.package} ({made.target}, {made.profile}): {origin}", "text" if made.is_harmful else "dim")
    for one in made.judged:
        if one.verdict != "own":
            role = "failed" if one.verdict in ("wrong", "either") else "dim"
            yield Cell(f"  {one.checkout}: {verdict_words(one)}", role)


def verdict_words(judged: Judged) -> str:
    """What a checkout gets, in words."""
    named = ", ".join(judged.differs[:3]) + (f" and {len(judged.differs) - 3} more" if len(judged.differs) > 3 else "")
    match judged.verdict:
        case "own":
            return "its own"
        case "same":
            return "made of equal sources"
        case "anew":
            return "cargo compiles it anew there"
        case "perhaps":
            return f"not certain: {named} differs, and so do settings" if named else "not certain: it was edited since"
        case "either":
            return f"up to date there too, though {named} differs: one of them runs the other's"
        case "wrong":
            return f"cargo runs this one there, though {named} differs"
        case _:
            raise TypeError(judged.verdict)
