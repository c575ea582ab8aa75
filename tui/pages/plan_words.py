"""Settings of a plan in words: whose they are, and each in full. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from core.run_plan import Plan, Setting
from tui.widgets.table_view import Cell

OURS, YOURS, CARGOS = "set for this run", "yours", "cargo's own"
_ABOUT = {
    OURS: "What cargo-deck tells cargo for this run alone; nothing is written into your files.",
    YOURS: "What your files, variables and flags say; it wins over any mode.",
    CARGOS: "What cargo does where nobody says otherwise.",
}
_WHOSE = {"mode": "mode", "deck": "ours", "user": "yours", "cargo": "cargo's"}


class Group(NamedTuple):
    """Settings of one origin."""

    title: str
    settings: tuple[Setting, ...]

    @property
    def about(self) -> str:
        """What they have in common."""
        return _ABOUT[self.title]


def groups(plan: Plan) -> Iterator[Group]:
    """Those that have settings: ours first, then the user's, then cargo's."""
    for title in (OURS, YOURS, CARGOS):
        found = tuple(one for one in plan.settings if _title_of(one) == title)
        if found:
            yield Group(title, found)


def _title_of(one: Setting) -> str:
    if one.flags or one.env or one.by not in ("user", "cargo", "mode"):
        return OURS
    return YOURS if one.by == "user" else CARGOS


def is_old(plan: Plan) -> bool:
    """A version made it that did not say whose a setting is."""
    return not any(one.by for one in plan.settings)


def whose(one: Setting) -> str:
    """In a word: `mode`, `ours`, `yours`, `cargo's`."""
    return _WHOSE.get(one.by, "ours")


def summary(plan: Plan) -> list[tuple[str, str]]:
    """Mode, who chose it, and how much was set, as (text, role)."""
    count = sum(len(group.settings) for group in groups(plan) if group.title == OURS)
    if is_old(plan) and not plan.mode:
        return [(f"{count} decided by cargo-deck" if count else "nothing was changed", "text")]
    said = [(f"mode {plan.mode}", "strong"), (f"by {plan.mode_origin}", "dim")] if plan.mode else [("no mode", "text")]
    if plan.mode and not plan.mode_origin:
        said = said[:1]
    return [*said, (f"{count} set for this run" if count else "no setting was changed", "text")]


def in_full(one: Setting, mode: str) -> Iterator[Cell]:
    """Name, value, reason, cost, where it stands, and what cargo was told."""
    yield Cell(f"{one.setting} · {_by(one, mode)}" if one.by else one.setting, "dim")
    yield Cell(one.value or "–", "strong")
    yield Cell(one.reason or "–")
    if one.cost:
        yield Cell(f"cost: {one.cost}")
    if one.origin:
        yield Cell(f"stands in {one.origin}", "dim")
    if one.flags:
        yield Cell(f"told to cargo: {' '.join(one.flags)}", "dim")
    for name, value in one.env:
        yield Cell(f"variable {name}={value}", "dim")


def _by(one: Setting, mode: str) -> str:
    return {
        "mode": f"mode {mode}".strip(), "user": "your own setting", "cargo": "what cargo does by itself",
    }.get(one.by, "cargo-deck's choice")  # fmt: skip
