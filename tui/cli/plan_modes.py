"""What two plans differ in, and which modes there are, in words. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.plan.make import Planned
from core.plan.modes import describe
from core.plan.plan import Plan, Setting
from core.plan.wish import Mode
from tui import format as f
from tui.cli.events import plain
from tui.cli.plan_words import NAME_CELLS, Look, Size, command_of, cost_of, folded, price


class Difference(NamedTuple):
    """A setting that two plans do not agree on."""

    name: str
    before: Setting | None
    after: Setting | None


def differences(before: Plan, after: Plan) -> list[Difference]:
    """Rows whose value differs, in the order of the later plan, those that go away last: one that cargo is told to have
    as it has it anyway, for another profile, is none."""
    old = {one.name: one for one in before.settings}
    new = {one.name: one for one in after.settings}
    return [
        Difference(name, old.get(name), new.get(name))
        for name in [*new, *(name for name in old if name not in new)]
        if name not in old or name not in new or old[name].value != new[name].value
    ]


def difference_lines(before: Planned, after: Planned, words: tuple[str, ...], look: Look,
                     copy: Size | None = None) -> Iterator[str]:  # fmt: skip
    """What would change in another mode."""
    found = differences(before.plan, after.plan)
    one, two = before.plan.mode or "no mode", after.plan.mode or "no mode"
    if not found:
        yield from folded(plain(f"`{command_of(words)}`: {two} changes nothing against {one}."), look.width)
        return
    yield from folded(plain(f"`{command_of(words)}`: {one} → {two}"), look.width)
    yield ""
    wide = max(f.cell_len(plain(one.name)) for one in found)
    for row in found:
        values = [plain(side.value) if side is not None else f.UNKNOWN for side in (row.before, row.after)]
        name = f.fit(plain(row.name), min(wide, NAME_CELLS))
        yield from folded(f"  {name}  {values[0]} → {values[1]}", look.width, hang=6)
        side = row.after or row.before
        if side is not None and (cost := cost_of(side)):
            yield from (look.tint("faint", line) for line in folded(cost, look.width, 6))
        if look.is_asked_why and row.after is not None:
            why = f"why: {plain(row.after.reason)}"
            yield from (look.tint("faint", line) for line in folded(why, look.width, 6))
    if copy is not None:
        yield ""
        yield from folded(price(copy), look.width)


# Modes


def mode_lines(planned: Planned, modes: Sequence[Mode], look: Look) -> Iterator[str]:
    """All modes with where they stand and what they are for, the chosen one marked, and what it overruled."""
    wide = max((f.cell_len(plain(one.name)) for one in modes), default=0)
    for one in modes:
        is_chosen = one.name == planned.plan.mode
        origin = "" if one.chosen_by.shown == f"mode {one.name}" else one.chosen_by.shown
        about = plain(one.about) or plain(describe(one).removeprefix(f"{one.name}: "))
        head = f"{'*' if is_chosen else ' '} {f.fit(plain(one.name), wide)}  {about}"
        first, *rest = folded(head.rstrip(), look.width, hang=wide + 4)
        yield look.tint("ours", first) if is_chosen else first
        yield from rest
        under = [plain(origin)] if origin else []
        under += [plain(describe(one).removeprefix(f"{one.name}: "))] if plain(one.about) else []
        for text in under:
            yield from (look.tint("faint", line) for line in folded(text, look.width, wide + 4))
    yield ""
    yield from folded(_who_chose(planned), look.width)


def _who_chose(planned: Planned) -> str:
    plan = planned.plan
    less = "".join(f"; {origin.shown} says {name or 'none'}, which counts less" for origin, name in planned.overruled)
    if plan.mode:
        return plain(f"{plan.mode} is chosen by {plan.mode_origin.shown}{less}.")
    by = f", as {plan.mode_origin.shown} says" if plan.mode_origin.place else ""
    return plain(f"None is chosen{by}{less}.")
