"""Where flags for rustc may be added without taking the user's away, and who sets those that are there. Pure."""

from typing import NamedTuple

from core.plan.decide_case import SECOND_COPY, Case, config, dotted, shown
from core.plan.finding_facts import Flag, flags_in_effect, flags_of_targets, flags_of_variables, read_flags, words_of
from core.plan.found import Key, Origin
from core.plan.plan import Setting


class FlagKey(NamedTuple):
    """The key of cargo's settings that takes more rustflags."""

    key: Key = ()
    refused: str = ""
    """Why nothing can be added; empty: it can."""
    origin: Origin = Origin("")
    """Where the user's own stand that ours join; empty: there are none."""

    @property
    def shown(self) -> str:
        """`target.x86_64-unknown-linux-gnu.rustflags`."""
        return dotted(*self.key)


def flag_key(case: Case) -> FlagKey:
    """Variables replace all others, `target.…` shadows `build`: ours join those that cargo reads."""
    variable = flags_of_variables(case.found)
    if variable is not None:
        name = variable.origin.place
        return FlagKey(refused=f"{name} replaces every other rustflag, so none can be added beside it",
                       origin=variable.origin)  # fmt: skip
    if not case.triple:
        return FlagKey(refused="the toolchain does not say what it builds for")
    key: Key = ("target", case.triple, "rustflags")
    if of_targets := flags_of_targets(case.found):
        return FlagKey(key, origin=of_targets[0][1].origin)
    built = case.found.settings.get("build", "rustflags")
    if built is not None and words_of(built.value):
        return FlagKey(("build", "rustflags"), origin=built.origin)
    return FlagKey(key)


def user_flags(case: Case) -> list[Flag]:
    """The user's own that reach rustc for what is built."""
    return list(read_flags(flags_in_effect(case.found)))


def user_flag(case: Case, kind: str, name: str) -> Flag | None:
    """The last of that name that the user sets; None: none."""
    return next((flag for flag in reversed(user_flags(case)) if (flag.kind, flag.name) == (kind, name)), None)


def added(case: Case, *words: str) -> tuple[str, ...]:
    """What gives cargo more rustflags; nothing where they cannot be added."""
    place = flag_key(case)
    return () if place.refused else config(place.key, list(words))


def reach(case: Case) -> str:
    """Which units rustflags do not reach."""
    if case.found.target is not None:
        return "build scripts and proc macros do not get it, because a target is named"
    return "build scripts and proc macros get it too"


def cost_of_flags(case: Case) -> str:
    """What any change of rustflags costs."""
    return f"{SECOND_COPY}; {reach(case)}"


def rustflags_row(case: Case, ours: tuple[Setting, ...]) -> Setting:
    """Whose flags rustc gets; `ours`: rows that add some."""
    effective = flags_in_effect(case.found)
    adding = [row.name for row in ours if any("rustflags" in word for word in row.flags)]
    place = flag_key(case)
    joined = f"{', '.join(adding)} of mode {case.mode} goes into {place.shown}" if adding else ""
    words = [word for given in effective for word in words_of(given.value)]
    if not words and not (effective and place.refused):
        return Setting("rustflags", "nothing", "cargo", joined or "nobody sets any")
    reason = "as they are set"
    if place.refused and _drops_others(case):
        reason = f"{effective[0].origin.place} replaces those of the config files, which do nothing now"
    return Setting("rustflags", shown(words), "user", f"{reason}; {joined}" if joined else reason,
                   origin=effective[0].origin)  # fmt: skip


def _drops_others(case: Case) -> bool:
    return bool(flags_of_targets(case.found)) or case.found.settings.get("build", "rustflags") is not None
