"""Where flags for rustc may be added without taking the user's away, and who sets those that are there. Pure."""

from typing import NamedTuple

from core.plan.decide_case import SECOND_COPY, Case, config, dotted, shown
from core.plan.given import Key, Origin
from core.plan.plan import Setting
from core.plan.rustflags import BUILD_FLAGS, VARIABLES, Flag, effective_rustflags
from core.run.mask import safe_words


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
    settings, env = case.found.settings, case.found.env
    target = case.found.target.triple if case.found.target else ""
    key, flags = effective_rustflags(settings, env, target, case.found.toolchain.host)
    if key and key[0] in VARIABLES:
        return FlagKey(refused=f"{key[0]} replaces every other rustflag, so none can be added beside it",
                       origin=Origin(key[0]))  # fmt: skip
    if not case.triple:
        return FlagKey(refused="the toolchain does not say what it builds for")
    built = settings.get(*BUILD_FLAGS)
    origin = found.origin if key and (found := settings.get(*key)) else Origin("")
    if key[:1] == ("target",):
        if flags is None and built is not None and key[1] != case.triple:
            return FlagKey(refused=f"it cannot be told whether {key[1]} holds, and so not whose flags count",
                           origin=origin)  # fmt: skip
        return FlagKey(("target", case.triple, "rustflags"), origin=origin)
    return FlagKey(key if flags else ("target", case.triple, "rustflags"), origin=origin)


def user_flag(case: Case, kind: str, name: str) -> Flag | None:
    """The last of that name that the user sets; None: none."""
    return next((flag for flag in reversed(case.flags) if (flag.kind, flag.name) == (kind, name)), None)


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
    place = flag_key(case)
    adding = [row.name for row in ours if any(".rustflags=" in word for word in row.flags)]
    joined = f"{', '.join(adding)} of mode {case.mode} goes into {place.shown}" if adding else ""
    words = [word for flag in case.flags for word in flag.words]
    if not words and not place.origin.place:
        return Setting("rustflags", "nothing", "cargo", joined or "nobody sets any")
    reason = _drops(case, place) or "as they are set"
    value = shown(safe_words(tuple(words), dict(case.found.env)))
    return Setting("rustflags", value, "user", f"{reason}; {joined}" if joined else reason, origin=place.origin)


def _drops(case: Case, place: FlagKey) -> str:
    """What a variable takes away; empty: nothing."""
    if place.origin.place not in VARIABLES:
        return ""
    dropped = [
        dotted(*key)
        for key, given in case.found.settings.values.items()
        if key[-1:] == ("rustflags",) and key[0] in ("build", "target") and given.words
    ]
    return f"{place.origin.place} replaces {', '.join(dropped[:3])}, which does nothing now" if dropped else ""
