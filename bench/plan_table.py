"""From measured builds to verdicts: paired ratios, intervals beside the control's, the table and its data. Pure."""

import math
import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.plan_machine import Machine
from bench.plan_settings import PLAIN, Family
from bench.plan_world import Subject
from tests.real.usage import interval_of_medians

Record = Mapping[str, Any]
"""One build: family, situation, round, arm, and the figures of `Taken`."""
GAIN, LOSS = 0.97, 1.03
"""A smaller difference than this is nobody's reason, however sure it is."""
FEWEST = 3
"""Fewer builds than this prove nothing: of two and two, all of one kind are the smaller ones once in six times."""
QUIET = 0.05
"""Wall time decides where its control stays so near to 1, else CPU time does."""
AT_ONCE = ("jobs=", "cmake-parallel=", "nvcc-threads=", "front-end-threads=")
"""Settings of how much runs at once: CPU time says nothing of what they give, and wall time decides however noisy."""


class Ratio(NamedTuple):
    """A figure with a setting to the same figure without it, build by build."""

    middle: float
    """Median."""
    low: float
    high: float
    """95 % of the medians of as many builds lie between."""
    without: float
    with_it: float
    """Medians of the figures themselves."""
    builds: int

    @property
    def shown(self) -> str:
        """`0.62 [0.60–0.65]`."""
        return f"{self.middle:.2f} [{self.low:.2f}–{self.high:.2f}]" if self.builds > 1 else f"{self.middle:.2f} [one]"


FIGURES = {
    "peak_bytes": "largest process", "link_bytes": "largest linker", "at_once_bytes": "all processes at once",
    "size_bytes": "target dir", "program_bytes": "program", "run_s": "the program's run",
}  # fmt: skip
"""What else a build has beside its times, in a record's words and for people."""
STEADY = ("size_bytes", "program_bytes")
"""The same each time: one build proves them."""


class Row(NamedTuple):
    """One setting in one situation."""

    setting: str
    base: str
    situation: str
    figures: Mapping[str, Ratio]
    """By their names in a record; `wall_s` and `cpu_s` are always there."""
    controls: Mapping[str, Ratio]
    """The same of the base against itself."""

    @property
    def decides(self) -> str:
        """`wall` or `cpu`."""
        is_for_wall = any(part.startswith(AT_ONCE) for part in self.setting.split(" + "))
        return "wall" if is_for_wall or noise(self.controls["wall_s"]) <= QUIET else "cpu"

    @property
    def verdict(self) -> int:
        """Of its time."""
        return self.judge(f"{self.decides}_s")

    def judge(self, figure: str) -> int:
        """-1: it takes less than its control would explain; 1: more; 0: neither is shown."""
        if figure not in self.figures or figure not in self.controls:
            return 0
        return judged(self.figures[figure], self.controls[figure], 1 if figure in STEADY else FEWEST)


class Setting(NamedTuple):
    """One setting against one base."""

    family: Family
    name: str
    base: str
    rows: tuple[Row, ...]
    flags: tuple[str, ...] = ()
    """What cargo was told."""

    @property
    def earns(self) -> bool:
        """It is shown to give something that it is for, time or what the family names, and to cost no time."""
        times = [row.verdict for row in self.rows]
        gives = any(row.judge(aim) < 0 for row in self.rows for aim in self.family.aims)
        return (-1 in times or gives) and (1 not in times or self.family.may_cost)

    @property
    def words(self) -> str:
        """The verdict for people."""
        faster = [row.situation for row in self.rows if row.verdict < 0]
        slower = [row.situation for row in self.rows if row.verdict > 0]
        parts = [f"faster: {', '.join(faster)}"] if faster else []
        parts += [f"slower: {', '.join(slower)}"] if slower else []
        parts += _others(self.rows)
        head = "earns its place" if self.earns else "gains and costs" if faster and slower else "no gain shown"
        return f"**{head}**; {'; '.join(parts)}" if parts else f"**{head}**"


def _others(rows: Sequence[Row]) -> list[str]:
    """What is shown beside time, of the first build that shows it: the clean one knows all."""
    found = {name: row for row in reversed(rows) for name in FIGURES if row.judge(name)}
    return [f"{FIGURES[name]} ×{found[name].figures[name].middle:.2f}" for name in FIGURES if name in found]


class Part(NamedTuple):
    """What was measured on one machine."""

    machine: Machine
    found: Sequence[Setting]


def noise(control: Ratio) -> float:
    """How far the same command differs from itself, in either direction: 0.04 is a factor of 1.04."""
    return max(control.high, 1 / control.low if control.low else math.inf, 1.0) - 1


def judged(one: Ratio, control: Ratio, fewest: int = FEWEST) -> int:
    """-1: all of its interval lies below the noise and below 0.97; 1: the same above; 0: neither, or too few."""
    if min(one.builds, control.builds) < fewest:
        return 0
    factor = 1 + noise(control)
    if one.high < min(1 / factor, GAIN):
        return -1
    return 1 if one.low > max(factor, LOSS) else 0


def ratio(pairs: Sequence[tuple[float, float]], *, is_steady: bool = False) -> Ratio | None:
    """Of (without, with it), one a round; None: nothing to divide. One build that is steady is its own interval."""
    good = [(base, one) for base, one in pairs if base > 0 and one > 0]
    if not good:
        return None
    ratios = [one / base for base, one in good]
    low, high = _NOTHING_KNOWN
    if len(good) > 1 or is_steady:
        low, high = interval_of_medians(ratios, random.Random(1), 2000)
    bases, ones = zip(*good, strict=True)
    return Ratio(statistics.median(ratios), low, high, statistics.median(bases), statistics.median(ones), len(good))


_NOTHING_KNOWN = (0.0, 9.99)
"""JSON has no infinity."""


def settings(families: Sequence[Family], records: Sequence[Record]) -> list[Setting]:
    """All that were measured, in the order of the families."""
    found = []
    for family in families:
        rounds = by_round([one for one in records if one["family"] == family.name])
        for name, base, control in family.pairs:
            rows = [_row(name, base, control, situation, rounds) for situation in family.situations]
            if any(rows):
                found.append(
                    Setting(family, name, base, tuple(row for row in rows if row), _flags(family, name, records))
                )
    return found


def _flags(family: Family, name: str, records: Sequence[Record]) -> tuple[str, ...]:
    """Of the last build that notes them, else as they would be now."""
    noted = [one["flags"] for one in records if (one["family"], one["arm"]) == (family.name, name) and "flags" in one]
    return tuple(noted[-1]) if noted else next(arm.told for arm in family.arms if arm.name == name)


Rounds = Mapping[tuple[str, int], Mapping[str, Record]]


def by_round(records: Sequence[Record]) -> Rounds:
    """Arms by situation and round; a round that was broken off has fewer."""
    rounds: dict[tuple[str, int], dict[str, Record]] = {}
    for one in records:
        rounds.setdefault((one["situation"], one["round"]), {})[one["arm"]] = one
    return rounds


def _row(name: str, base: str, control: str, situation: str, rounds: Rounds) -> Row | None:
    own = [arms for (place, _), arms in rounds.items() if place == situation]

    def of(arm: str, figure: str) -> Ratio | None:
        bases = (base,) if arm == control else (base, control)
        return ratio([
            (math.prod(float(arms[one].get(figure) or 0) for one in bases) ** (1 / len(bases)),
             float(arms[arm].get(figure) or 0))
            for arms in own if {*bases, arm} <= arms.keys()
        ], is_steady=figure in STEADY)  # fmt: skip

    names = ("wall_s", "cpu_s", *FIGURES)
    figures, controls = ({figure: one for figure in names if (one := of(arm, figure))} for arm in (name, control))
    is_whole = {"wall_s", "cpu_s"} <= figures.keys() & controls.keys()
    return Row(name, base, situation, figures, controls) if is_whole else None


def table(found: Sequence[Setting]) -> str:
    """Markdown: a section a family, a line a situation."""
    parts = []
    for family in dict.fromkeys(one.family.name for one in found):
        own = [one for one in found if one.family.name == family]
        first = own[0].family
        parts.append(
            f"### {family}: {first.subject}, profile {first.profile}{', nightly' if first.toolchain else ''}\n"
        )
        parts += [first.about + "\n"] if first.about else []
        parts.append(_HEAD)
        parts += [_line(one, row) for one in own for row in one.rows]
        parts.append("")
        parts += [f"* `{one.name}`{_against(one)}: {one.words}{_told(one)}." for one in own]
        parts.append("")
    return "\n".join(parts)


_HEAD = (
    "| setting | against | build | plain s | wall | its A/A | CPU | its A/A | decides "
    f"| {' | '.join(FIGURES.values())} | rounds |\n|---|---|---|--:|---|---|---|---|---|--:|--:|--:|--:|--:|--:|--:|"
)


def _told(one: Setting) -> str:
    return f" (`{' '.join(word for word in one.flags if word != '--config')}`)" if one.flags else ""


def _against(one: Setting) -> str:
    return "" if one.base == "plain" else f" against `{one.base}`"


def _line(one: Setting, row: Row) -> str:
    verdict = {-1: "**faster**", 0: "—", 1: "**slower**"}[row.verdict]
    times = [kind[figure].shown for figure in ("wall_s", "cpu_s") for kind in (row.figures, row.controls)]
    others = [_times(row.figures.get(name)) for name in FIGURES]
    cells = (
        f"`{one.name}`", one.base, row.situation, f"{row.figures['wall_s'].without:.2f}", *times,
        f"{row.decides}: {verdict}", *others, str(row.figures["wall_s"].builds),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _times(one: Ratio | None) -> str:
    return f"×{one.middle:.2f}" if one else ""


def data(parts: Sequence[Part], about: Mapping[str, Any]) -> dict[str, Any]:
    """For the product: what each setting gave against plain cargo, and each mode, by workspace.

    A setting that several families have has the figures of the first; what only a later one took is added. So of
    machines: what only a later one measured is noted with what it has.
    """
    settings: dict[str, dict[str, Any]] = {}
    modes: dict[str, dict[str, Any]] = {}
    for part in parts:
        machine = {} if part is parts[0] else {"cores": part.machine.cores, "gpu": part.machine.gpu}
        before = set(settings), {(mode, workspace) for mode, those in modes.items() for workspace in those}
        for one in part.found:
            kind, _, mode = one.name.partition("=")
            if one.base != PLAIN or one.name in before[0] or (mode, one.family.subject) in before[1]:
                continue
            entry = {**_entry(one), **machine}
            if kind == "mode":
                modes.setdefault(mode, {})[one.family.subject] = entry
            else:
                settings[one.name] = {**entry, **settings.get(one.name, {})}
    return {**about, "settings": settings, "modes": modes}


def _entry(one: Setting) -> dict[str, Any]:
    entry: dict[str, Any] = {"profile": one.family.profile, "workspace": one.family.subject, "earns": one.earns}
    if one.family.toolchain:
        entry["toolchain"] = one.family.toolchain.removeprefix("+")
    for row in one.rows:
        entry[row.situation] = _situation(row)
    clean = next((row for row in one.rows if row.situation == "clean"), None)
    for name in FIGURES if clean is not None else ():
        if clean is not None and (found := clean.figures.get(name)):
            short = _SHORT.get(name, name.partition("_")[0])
            entry |= {short: round(found.middle, 3), f"{short}_without": _figure(found.without)}
    return entry


_SHORT = {"at_once_bytes": "at_once", "link_bytes": "link_peak"}


def _figure(value: float) -> float:
    return round(value, 3) if value < 1e4 else round(value)


def _situation(row: Row) -> dict[str, Any]:
    """Seconds are of the time that decides; `with_s` is what the ratio of builds of the same round makes of it."""
    deciding = f"{row.decides}_s"
    one, control = row.figures[deciding], row.controls[deciding]
    return {
        "cpu": round(row.figures["cpu_s"].middle, 3), "wall": round(row.figures["wall_s"].middle, 3),
        "decides": row.decides, "lo": round(one.low, 3), "hi": round(one.high, 3),
        "aa": [round(control.low, 3), round(control.high, 3)],
        "noise": round(min(noise(control), 9.99), 3),
        "without_s": round(one.without, 3), "with_s": round(one.without * one.middle, 3),
        "verdict": {-1: "faster", 0: "none", 1: "slower"}[row.verdict], "rounds": one.builds,
    }  # fmt: skip


def page(parts: Sequence[Part], subjects: Iterable[Subject]) -> str:
    """The whole document."""
    listed = "\n".join(
        f"* **{one.name}**: {': '.join(filter(None, (', '.join(one.members), one.about)))}." for one in subjects
    )
    machines = [f"## On {part.machine.shown}\n\n{_tools(part.machine)}\n\n{table(part.found)}" for part in parts]
    return _INTRO.format(subjects=listed) + "\n" + "\n".join(machines)


def _tools(machine: Machine) -> str:
    said = "; ".join(f"{name}: {words}" for name, words in machine.tools.items() if words != "not there")
    return f"{machine.date}. {said}."


_INTRO = """# What the settings of a plan give

Made by `make bench-plan`, one machine after the other.

Workspaces:

{subjects}

Arms are built in turn in random order, each in a target dir of its own, beside a second plain one: the control (A/A).
Ratios are to the geometric mean of the two plain builds of the same round, the control's to the other plain one; the
median stands before the interval in which 95 % of the medians of as many rounds lie. *clean*: everything; *edit*: after
a function's body in a member low in the graph changed; *link*: after a constant of the program's own crate changed. CPU
is user and system of all processes. The noise is the factor by which the control's interval reaches away from 1, in
either direction. Wall time decides where its noise is at most 5 %, and of settings of how much runs at once; else CPU
time. A setting is *faster* where all of its interval lies below 0.97 and below the noise, *slower* where it lies above
1.03 and above the noise. It earns its place if it is slower nowhere and faster somewhere, or, where its family is for
memory, size or the program's run, one of those is shown to be less; there, `low-memory`, `release-optimized` and
`release-cpu` may cost time. A figure beside time is named where it is shown to differ. Fewer than three rounds prove
nothing but sizes, which do not vary.
"""
