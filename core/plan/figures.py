"""What settings cost and gave when they were measured, in words. `make bench-plan` writes the figures beside this file;
they are read when the first of them is wanted."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.plan.plan import Plan
from core.plan.profile import PARENTS
from core.plan.wish import Mode

Table = Mapping[str, Any]
"""As `bench.plan_table.data` makes it: `settings` by `NAME=VALUE`, and of what machine and workspace they are."""
_FILE = __file__.rpartition("/")[0] + "/figures.json"
_SITUATIONS = {"clean": "clean build", "edit": "after an edit", "link": "link"}
_SIZES = {
    "peak": "largest process", "link_peak": "largest linker", "at_once": "all processes at once",
    "size": "target dir", "program": "program",
}  # fmt: skip
_FEWEST_ROUNDS = 3
"""Fewer say nothing of how far builds differ from themselves."""
_LEAST = 0.03
"""A smaller difference of a size is nobody's reason."""
_SHOWN = ("faster", "slower")
_AGAINST = "against plain cargo of the same profile"
_read: list[Table] = []


def figures(file: str = _FILE) -> Table:
    """The table; an empty one where there is none."""
    try:
        with open(file, encoding="utf-8") as text:
            found = json.load(text)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("settings"), dict) else {}


def with_figures(plan: Plan, table: Table | None = None) -> Plan:
    """The plan with what was measured of our settings; not on the way to a build, to whose record
    `core.run_plan.read_plan` adds it where somebody reads it."""
    rows = (
        row._replace(cost=whole_cost(row.name, row.value, row.cost, table)) if row.is_ours else row
        for row in plan.settings
    )
    return plan._replace(settings=tuple(rows))


def whole_cost(name: str, value: str, cost: str, table: Table | None = None) -> str:
    """What was measured, then what else is known of a setting's cost; arguments as of `measured`."""
    figure = measured(name, value, table)
    if not figure or cost.startswith(figure):
        return cost
    return f"{figure}; {cost}" if cost else figure


def measured(name: str, value: str, table: Table | None = None) -> str:
    """What was measured, where and by which figures; empty: nothing was.

    Args:
        name: As `Setting.name`.
        value: As `Setting.value`.
        table: None: that of this version.
    """
    table = _table(table)
    entry = table.get("settings", {}).get(f"{name}={value}")
    told = [*_times(entry), *_sizes(entry)] if isinstance(entry, dict) else []
    return f"measured on {_where(entry, table)}: {'; '.join(told)}" if told else ""


def gains_of(mode: Mode, plan: Plan, table: Table | None = None) -> tuple[str, ...]:
    """What a built-in mode gave as a whole, a sentence for each workspace; none for a mode of one's own, of whatever
    name, nor where the plan does not set what the mode asks for. `table`: as of `measured`."""
    is_built_in = all(one.origin.place == f"mode {mode.name}" for one in mode.options.values())
    if not mode.options or not is_built_in or not _is_set(mode, plan):
        return ()
    entries = _table(table).get("modes", {}).get(mode.name, {})
    sentences = []
    for workspace, entry in entries.items() if isinstance(entries, dict) else ():
        told = [*_ratios(entry)] if isinstance(entry, dict) else []
        if told:
            where = ", ".join([workspace, *_machine(entry)])
            sentences.append(f"measured on {where}, {_AGAINST}: {', '.join(told)}")
    return tuple(sentences)


def _is_set(mode: Mode, plan: Plan) -> bool:
    """Something is set, in the profile that the mode is for, and no setting of the user stands in a place of the
    mode's."""
    rows = {one.name: one for one in plan.settings if one.name in mode.options}
    profile = rows.pop("profile", None)
    wanted = mode.options["profile"].value if profile is not None else ""
    if profile is not None and profile.by != "mode" and wanted not in (profile.value, PARENTS.get(profile.value)):
        return False
    return any(one.is_ours for one in plan.settings) and all(one.by != "user" for one in rows.values())


def _ratios(entry: Table) -> Iterator[str]:
    """Ratios alone, of situations in which a difference was shown, and of sizes."""
    for key, what in _SITUATIONS.items():
        one = entry.get(key)
        if isinstance(one, dict) and one.get("rounds", 0) >= _FEWEST_ROUNDS and one.get("verdict") in _SHOWN:
            yield f"{what} ×{one['with_s'] / one['without_s']:.2g}"
    yield from (f"{what} ×{entry[key]:.2g}" for key, what in _SIZES.items() if _differs(entry.get(key)))


def _table(given: Table | None) -> Table:
    if given is not None:
        return given
    if not _read:
        _read.append(figures())
    return _read[0]


def _where(entry: Table, table: Table) -> str:
    """`ripgrep 15.2.0, profile dev, 2 cores`."""
    short, whole = str(entry.get("workspace", "")), str(table.get("workspace", ""))
    parts = [
        whole if whole.startswith(short) and whole else short,
        f"profile {entry.get('profile')}",
        *(_machine(entry) or _machine(table)),
        str(entry.get("toolchain", "")),
    ]
    return ", ".join(part for part in parts if part)


def _machine(told: Table) -> list[str]:
    """What the table, or an entry of another machine than the table's, says of it."""
    cores = told.get("cores")
    return [part for part in (f"{cores} core{'' if cores == 1 else 's'}" if cores else "", told.get("gpu")) if part]


def _times(entry: Table) -> Iterator[str]:
    """Each situation with its ratio, where one is shown."""
    found = [(what, entry[key]) for key, what in _SITUATIONS.items() if isinstance(entry.get(key), dict)]
    found = [(what, one) for what, one in found if one.get("rounds", 0) >= _FEWEST_ROUNDS]
    same = [what for what, one in found if one.get("verdict") not in _SHOWN]
    for what, one in found:
        if what not in same:
            kind = " of CPU time" if one.get("decides") == "cpu" else ""
            before, after = one["without_s"], one["with_s"]
            yield f"{what} ×{after / before:.2f} ({before:.3g} s → {after:.3g} s{kind})"
    if same:
        yield f"{', '.join(same)}: no difference shown"


def _sizes(entry: Table) -> Iterator[str]:
    """Of a clean build, and the run of what it built."""
    for key, what in _SIZES.items():
        if _differs(ratio := entry.get(key)):
            yield f"{what} ×{ratio:.2f} of {entry[f'{key}_without'] / 1e6:.3g} MB"
    if _differs(ratio := entry.get("run")):
        yield f"the program's run ×{ratio:.2f} of {entry['run_without']:.3g} s"


def _differs(ratio: Any) -> bool:
    return isinstance(ratio, int | float) and abs(ratio - 1) >= _LEAST
