"""A plan in words: its sentence, its rows, its findings, what two plans differ in, and the shell lines for it. Pure."""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from core.plan.decide_case import SECOND_COPY
from core.plan.figures import gains_of
from core.plan.make import Planned
from core.plan.mend import said_of
from core.plan.plan import Finding, Plan, Setting
from core.run.grammar import COMMANDS
from tui import format as f
from tui.cli.common import column_widths
from tui.cli.events import plain

COLUMNS = 80
"""Of a pipe."""
_NARROWEST = 24
NAME_CELLS, _VALUE_CELLS = 18, 24
"""Of a column, at most."""
_SIGNS = {"error": "✗", "warning": "!", "hint": "·"}
_COLOURS = {"error": "31", "warning": "33", "hint": "2", "head": "1", "ours": "32", "faint": "2"}
_HASHED = re.compile(r"(profile\.|build\.(rustflags|incremental|target)\b|target\..*rustflags|unstable\.)")
_PROFILE_FOLDERS = {"dev": "debug", "test": "debug", "bench": "release"}


class Size(NamedTuple):
    """How large a folder is."""

    folder: str
    size_bytes: int
    is_whole: bool
    """False: there was no time for all of it, and it is at least as large."""

    @property
    def shown(self) -> str:
        """`1.3 G`, `≥ 512 M`."""
        return f"{'' if self.is_whole else '≥ '}{f.size(self.size_bytes)}"


class Look(NamedTuple):
    """How it is to be shown."""

    width: int = COLUMNS
    has_colour: bool = False
    is_asked_why: bool = False
    shows_all: bool = False
    """Each setting that stays as cargo has it, too."""

    def tint(self, kind: str, text: str) -> str:
        """The text in the colour of a kind, where there are colours."""
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[m" if self.has_colour and kind in _COLOURS and text else text


# The whole


def lines(planned: Planned, words: tuple[str, ...], look: Look, copy: Size | None = None) -> Iterator[str]:
    """What a person is shown of a plan."""
    yield from folded(sentence(planned, words), look.width)
    if not planned.found.root:
        yield from seen(planned, look)
        return
    for gain in gains_of(planned.wish.mode, planned.plan):
        yield from folded(f"  {plain(gain)}", look.width, hang=4)
    yield from _groups(planned, look)
    if copy is not None:
        yield ""
        yield from folded(price(copy), look.width)
    yield from seen(planned, look)
    if not look.is_asked_why and (planned.plan.settings or planned.plan.findings):
        yield from ("", look.tint("faint", "--why: the reason of each, what it gave and costs, and what would mend it"))


def untouched_lines(planned: Planned, words: tuple[str, ...], look: Look) -> Iterator[str]:
    """The same of a command line that gets none of our settings."""
    if planned.wish.subcommand in COMMANDS:
        why = "some word of it is none that cargo-deck knows, so cargo alone says what it means"
    else:
        why = f"{planned.wish.subcommand or 'it'} is no subcommand that builds and that cargo-deck knows"
    told = f"`{command_of(words)}`: cargo-deck sets nothing in it: {why}."
    yield from folded(plain(told), look.width)
    yield from seen(planned, look)


def seen(planned: Planned, look: Look) -> Iterator[str]:
    """Findings, worst first."""
    if planned.plan.findings:
        yield from ("", look.tint("head", "Seen"))
        for finding in planned.plan.findings:
            yield from finding_lines(finding, look)


def _groups(planned: Planned, look: Look) -> Iterator[str]:
    asked = frozenset(planned.wish.mode.options)
    groups = grouped(planned.plan, asked)
    for title, rows in (("Set", groups.ours), ("Yours", groups.yours), ("Asked for, but left", groups.left)):
        if rows:
            yield from ("", look.tint("head", title))
            yield from _rows(rows, look, asked if rows is not groups.ours else frozenset())
    yield from _cargos(groups.cargos, look)


def _cargos(cargos: Sequence[Setting], look: Look) -> Iterator[str]:
    if not cargos:
        return
    if look.shows_all:
        yield from ("", look.tint("head", "Cargo's own"))
        yield from _rows(cargos, look)
        return
    yield ""
    names = ", ".join(plain(one.name) for one in cargos)
    yield from folded(f"As cargo has it (--all): {names}", look.width)


def sentence(planned: Planned, words: tuple[str, ...]) -> str:
    """Which mode, said by whom, what it overruled, for which command in which folder."""
    plan, found = planned.plan, planned.found
    where = f" in {found.cwd or found.root}" if found.cwd or found.root else ""
    command = f"`{command_of(words)}`{where}"
    others = ", ".join(f"{origin.shown} says {name or 'none'}" for origin, name in planned.overruled)
    if not found.root:
        return plain(
            f"No workspace is found for {command}: no Cargo.toml is there or above. Nothing is planned: go to a "
            "package's folder, or make one with `cargo init`."
        )
    if plan.mode:
        by = f" ({plan.mode_origin.shown})" if plan.mode_origin.place else ""
        less = f"; {others}, which counts less" if others else ""
        return plain(f"Mode {plan.mode}{by} for {command}{less}.")
    if plan.mode_origin.place and planned.troubles:
        by = plan.mode_origin.shown
        return plain(f"No mode for {command}: what {by} says cannot be used. No unit's hash is changed.")
    if plan.mode_origin.place:
        less = f"; {others}, which counts less" if others else ""
        return plain(f"No mode, as {plan.mode_origin.shown} says, for {command}{less}: no unit's hash is changed.")
    if any(one.is_ours for one in plan.settings):
        return plain(f"No mode is chosen for {command}: only what variables ask for is set.")
    return plain(f"No mode is chosen for {command}: nothing is set that changes a unit's hash.")


def command_of(words: tuple[str, ...]) -> str:
    """As a person would type it."""
    return f"cargo {shlex.join(words)}"


def price(copy: Size) -> str:
    """What another copy of the built units takes."""
    if not copy.size_bytes:
        return plain(
            f"What is set changes hashes: units built so lie beside plain ones. There are none yet in {copy.folder}."
        )
    return plain(
        f"What is set changes hashes: units built so lie beside plain ones in {copy.folder}, which takes {copy.shown} "
        "now; a second copy may take as much again."
    )


class Groups(NamedTuple):
    """Settings by whose decision they are, each in the plan's order."""

    ours: list[Setting]
    """What we or the mode set."""
    yours: list[Setting]
    left: list[Setting]
    """What the mode asks for and does not get: the reason says why."""
    cargos: list[Setting]


def grouped(plan: Plan, asked: frozenset[str] = frozenset()) -> Groups:
    """The settings of a plan; `asked`: names that the mode speaks of."""
    ours = [one for one in plan.settings if one.is_ours or one.by == "deck"]
    others = [one for one in plan.settings if not (one.is_ours or one.by == "deck")]
    yours = [one for one in others if one.by == "user"]
    cargos = [one for one in others if one.by != "user"]
    left = [one for one in cargos if one.name in asked and one.by != "mode"]
    return Groups(ours, yours, left, [one for one in cargos if one not in left])


# Rows


def _rows(settings: Sequence[Setting], look: Look, told: frozenset[str] = frozenset()) -> Iterator[str]:
    """Rows of a group; of those in `told` the reason is said though nobody asks."""
    columns = column_widths([(plain(one.name), plain(one.value)) for one in settings])
    widths = (min(columns[0], NAME_CELLS), min(columns[1], _VALUE_CELLS))
    for one in settings:
        yield from _row(one, widths, look, is_told=look.is_asked_why or one.name in told)


def whose(setting: Setting) -> str:
    """Whose decision, with its place where there is one."""
    if setting.by == "user":
        return setting.origin.shown or "you"
    return setting.by


def _row(setting: Setting, widths: Sequence[int], look: Look, *, is_told: bool) -> Iterator[str]:
    first, under = _head(setting, widths, look.width)
    yield look.tint("ours", first) if setting.is_ours else first
    if is_told or setting.is_ours:
        under.append(plain(setting.reason))
    if look.is_asked_why:
        under += [cost] if (cost := cost_of(setting)) else []
        under += [plain(shlex.join(setting.flags))] if setting.flags else []
        under += [plain(f"{key}={shell_word(text)}") for key, text in setting.env]
    for text in under:
        yield from (look.tint("faint", line) for line in folded(text, look.width, 6))


def cost_of(setting: Setting) -> str:
    """What it takes and gives, without the price of a second copy: that is told once for all of them."""
    return plain("; ".join(part for part in setting.cost.split("; ") if part != SECOND_COPY))


def _head(setting: Setting, widths: Sequence[int], width: int) -> tuple[str, list[str]]:
    """The line of a setting, and what of it has no room there: nothing is cut."""
    name, value, by = plain(setting.name), plain(setting.value), plain(whose(setting))
    head = f"  {f.fit(name, widths[0])}  {value}"
    if f.cell_len(head) > width:
        return f"  {name}", [value, by]
    column = max(f.cell_len(head), 4 + widths[0] + widths[1])
    if column + 2 + f.cell_len(by) > width:
        return head.rstrip(), [by]
    return f"{head}{' ' * (column - f.cell_len(head))}  {by}", []


def finding_lines(finding: Finding, look: Look) -> Iterator[str]:
    """A finding: what it is, what says so, what it costs; where it is asked for, what mends it."""
    sign = _SIGNS.get(finding.severity, "·")
    first, *rest = folded(f"{sign} {finding.severity}: {plain(finding.title)}", look.width, 2, hang=4)
    yield look.tint(finding.severity, first)
    yield from rest
    if finding.severity == "error":
        yield from folded("the build will fail, or make what is wrong", look.width, 6)
    for one in finding.evidence:
        is_told = one.value in finding.title or finding.id == "settings-unusable"
        yield from folded(plain(one.origin.shown if is_told else one.shown), look.width, 6)
        if is_told and one.value not in finding.title:
            yield from folded(plain(one.value), look.width, 6)
    if finding.cost:
        yield from folded(plain(finding.cost), look.width, 6)
    if look.is_asked_why and (finding.mend or finding.changes):
        yield from folded(f"mend ({plain(finding.id)}):", look.width, 6)
        yield from (f"      {plain(line)}" for line in finding.mend.splitlines() or said_of(finding.changes))


def folded(text: str, width: int, indent: int = 0, hang: int = 0) -> Iterator[str]:
    """The text in lines, cut between words alone: a path stays whole, so that it can be copied."""
    room = max(width, _NARROWEST)
    line, used = " " * indent, indent
    is_empty = True
    for word in text.split(" "):
        size = f.cell_len(word)
        if not is_empty and used + 1 + size > room:
            yield line
            line, used, is_empty = " " * (hang or indent), hang or indent, True
        line += word if is_empty else f" {word}"
        used += size + (not is_empty)
        is_empty = False
    yield line


# For a shell


def shell_lines(plan: Plan, words: Iterable[str]) -> Iterator[str]:
    """`export` lines and the whole command, quoted for sh."""
    for name, value in plan.env:
        yield f"export {name}={shell_word(value)}"
    yield " ".join(shell_word(word) for word in ("cargo", *words))


def shell_word(text: str) -> str:
    """One word for sh: bash and dash read back what stands here."""
    return shlex.quote(text)


# What changes hashes


def changes_hashes(plan: Plan) -> bool:
    """Something of ours makes cargo build units of its own beside the plain ones."""
    return any(_is_hashed(one.flags) or "RUSTFLAGS" in dict(one.env) for one in plan.ours)


def _is_hashed(flags: Sequence[str]) -> bool:
    settings = [flags[i + 1] for i, flag in enumerate(flags[:-1]) if flag == "--config"]
    return any(_HASHED.match(setting.strip()) for setting in settings)


def profile_folder(planned: Planned) -> str:
    """The folder below the target dir that the build fills; empty: there is no target dir."""
    if not planned.wish.target_dir:
        return ""
    profile = _profile(planned)
    triple = f"/{planned.found.target.triple}" if planned.found.target is not None else ""
    return f"{planned.wish.target_dir}{triple}/{_PROFILE_FOLDERS.get(profile, profile)}"


def _profile(planned: Planned) -> str:
    for one in planned.plan.settings:
        if one.name == "profile":
            return one.value
    options = planned.wish.options
    named = options.get("cargo-profile") or options.get("profile")
    if "release" in options:
        return "release"
    return named[-1] if named else "release" if planned.wish.subcommand == "bench" else "dev"
