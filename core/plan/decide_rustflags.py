"""Flags for rustc: where some may be added beside the user's, and what becomes of processor, code generator and front
end, which go in as such or need nightly. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from core.plan.decide_case import NO_MODE, SECOND_COPY, Case, config, dotted, shown
from core.plan.given import Given, Key, Origin
from core.plan.plan import Setting
from core.plan.profile import effective, normal
from core.plan.rustflags import (
    BUILD_FLAGS,
    VARIABLES,
    Flag,
    config_keys,
    effective_rustflags,
    flags_of_variables,
    target_keys,
)
from core.run.mask import safe_words

_MOST_THREADS = 8
"""More made builds slower: rustc's own advice."""
_AGENTS_AT_ONCE = 4
_NIGHTLY = "needs nightly, and the toolchain is not changed by us"


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
    odd = _odd_keys(case)
    reason = _drops(case, place) or "as they are set"
    reason += f"; it cannot be told whether {odd[0]} holds" if odd else ""
    value = shown(safe_words(tuple(words), dict(case.found.env))) if words or not odd else "not known"
    return Setting("rustflags", value, "user", f"{reason}; {joined}" if joined else reason, origin=place.origin)


def _odd_keys(case: Case) -> list[str]:
    """Expressions that have flags, and of which the triple does not tell whether they hold."""
    settings = case.found.settings
    if flags_of_variables(settings, case.found.env) is not None:
        return []
    return [shown(key[1]) for key, is_known in target_keys(settings, case.triple, "rustflags") if not is_known]


def _drops(case: Case, place: FlagKey) -> str:
    """What a variable takes away; empty: nothing."""
    if place.origin.place not in VARIABLES:
        return ""
    settings = case.found.settings
    dropped = [dotted(*key) for key in config_keys(settings, case.triple) if settings.values[key].words]
    return f"{place.origin.place} replaces {', '.join(dropped[:3])}, which does nothing now" if dropped else ""


# Processor, code generator, front end


def codegen_settings(case: Case) -> Iterator[Setting]:
    """The processor; on nightly, or where the mode asks, what only nightly has."""
    yield _cpu_row(case)
    for name, row in (
        ("backend", _backend_row),
        ("share-generics", _generics_row),
        ("front-end-threads", _threads_row),
    ):
        wanted = case.option(name)
        if case.found.toolchain.is_nightly or wanted is not None:
            yield row(case, wanted)


def uses_native(settings: tuple[Setting, ...]) -> bool:
    """What is built depends on this machine's processor."""
    cpu = next((row.value for row in settings if row.name == "target-cpu"), "")
    return cpu == "native"


def _cpu_row(case: Case) -> Setting:
    own, wanted = user_flag(case, "C", "target-cpu"), case.option("target-cpu")
    if own is not None:
        reason = "as it is set"
        if own.value == "native":
            reason += "; what is built runs on processors like this one, and is kept apart from what others built"
        if wanted is not None and wanted.value not in ("default", own.value):
            reason = f"yours stays, mode {case.mode} would set {shown(wanted.value)}"
        return Setting("target-cpu", shown(own.value), "user", reason, origin=own.origin)
    if wanted is None or wanted.value == "default":
        said = "the mode says so" if wanted else f"mode {case.mode} says nothing of it" if case.mode else NO_MODE
        reason, origin = f"runs on every processor of its kind; {said}", wanted.origin if wanted else Origin("")
        return Setting("target-cpu", "default", "mode" if wanted else "cargo", reason, origin=origin)
    value = shown(wanted.value)
    if value == "native" and case.triple != case.found.toolchain.host:
        return Setting("target-cpu", "default", "cargo", f"native is this machine's, and {case.triple} is another")
    if refused := flag_key(case).refused:
        return Setting("target-cpu", "default", "cargo", f"mode {case.mode} would set {value}: {refused}")
    reason = "instructions of this very processor" if value == "native" else f"instructions of {value}"
    cost = f"on another processor it may die of an illegal instruction; {cost_of_flags(case)}"
    return Setting("target-cpu", value, "mode", reason, cost, wanted.origin,
                   added(case, "-C", f"target-cpu={value}"))  # fmt: skip


def _left(case: Case, name: str, value: str, wanted: Given | None) -> Setting | None:
    """The row where nothing is to be done; None: something is."""
    if wanted is None:
        reason = f"mode {case.mode} says nothing of it" if case.mode else NO_MODE
        return Setting(name, value, "cargo", f"nightly could do more; {reason}")
    if shown(wanted.value) == value:
        return Setting(name, value, "mode", "what rustc does anyway", origin=wanted.origin)
    if not case.found.toolchain.is_nightly:
        return Setting(name, value, "cargo", f"mode {case.mode} asks for {shown(wanted.value)}: it {_NIGHTLY}")
    return None


def _backend_row(case: Case, wanted: Given | None) -> Setting:
    own = case.given("codegen-backend")
    flag = user_flag(case, "Z", "codegen-backend")
    if own is not None or flag is not None:
        value, origin = (flag.value, flag.origin) if flag else (own.value, own.origin) if own else ("", Origin(""))
        asks = wanted is not None and wanted.value != value
        reason = f"yours stays; mode {case.mode} would use {shown(wanted.value)}" if wanted and asks else "as it is set"
        return Setting("backend", shown(value), "user", reason, origin=origin)
    left = _left(case, "backend", "llvm", wanted)
    if left is not None or wanted is None:
        return left or Setting("backend", "llvm", "cargo", NO_MODE)
    if case.foreign:
        return Setting("backend", "llvm", "cargo", f"{case.foreign}, so its backend is left out")
    if not case.found.toolchain.has_cranelift:
        reason = "cranelift is no part of this nightly: rustup component add rustc-codegen-cranelift-preview"
        return Setting("backend", "llvm", "cargo", reason)
    reason = "members compile sooner, and run slower; dependencies stay with llvm"
    cost = f"no unwinding out of members' code; {SECOND_COPY}"
    return Setting("backend", "cranelift", "mode", reason, cost, wanted.origin, _cranelift(case.written))


def _cranelift(profile: str) -> tuple[str, ...]:
    """Members alone: for others, and for what runs while building, llvm is named again."""
    key = "codegen-backend"
    return (
        *config(("unstable", key), True),
        *config(("profile", profile, key), "cranelift"),
        *config(("profile", profile, "package", "*", key), "llvm"),
        *config(("profile", profile, "build-override", key), "llvm"),
    )


def _generics_row(case: Case, wanted: Given | None) -> Setting:
    own = user_flag(case, "Z", "share-generics")
    if own is not None:
        return Setting("share-generics", shown(own.value or "y"), "user", "as it is set", origin=own.origin)
    anyway = "true" if _shares_anyway(case) else "false"
    left = _left(case, "share-generics", anyway, wanted)
    if left is not None or wanted is None:
        return left or Setting("share-generics", anyway, "cargo", NO_MODE)
    if refused := flag_key(case).refused:
        return Setting("share-generics", anyway, "cargo", f"mode {case.mode} asks for it: {refused}")
    value = "y" if wanted.value is True else "n"
    return Setting("share-generics", shown(wanted.value), "mode", "crates use instances that others made already",
                   cost_of_flags(case), wanted.origin, added(case, f"-Zshare-generics={value}"))  # fmt: skip


def _shares_anyway(case: Case) -> bool:
    """rustc does so by itself unless it optimizes for speed. Source: rustc 1.95, `Session::opts.share_generics`."""
    wanted = None if case.foreign else case.option("opt-level")
    own = effective(case.found.settings, case.profile)["opt-level"]
    level = own.value if wanted is None or own.given is not None else normal("opt-level", wanted.value)
    return level in ("0", "1", "s", "z")


def _threads_row(case: Case, wanted: Given | None) -> Setting:
    own = user_flag(case, "Z", "threads")
    if own is not None:
        return Setting("front-end-threads", shown(own.value), "user", "as it is set", origin=own.origin)
    left = _left(case, "front-end-threads", "1", wanted)
    if left is not None or wanted is None:
        return left or Setting("front-end-threads", "1", "cargo", NO_MODE)
    threads = front_end_threads(case, wanted)
    if threads < 2:
        reason = f"a part of {case.found.machine.usable_cores} cores that stays the same whoever builds is one"
        return Setting("front-end-threads", "1", "cargo", reason)
    if refused := flag_key(case).refused:
        return Setting("front-end-threads", "1", "cargo", f"mode {case.mode} asks for {threads}: {refused}")
    reason = "parses and checks on several cores"
    if threads > case.share:
        reason += f"; with {case.wish.agents} agents a share is {case.share} now, which cargo's jobserver keeps to"
    return Setting("front-end-threads", str(threads), "mode", reason,
                   f"{cost_of_flags(case)}, so the number does not follow that of agents", wanted.origin,
                   added(case, f"-Zthreads={threads}"))  # fmt: skip


def front_end_threads(case: Case, wanted: Given) -> int:
    """At most 8. It is a part of each unit's hash: it depends on the machine, not on who builds at the moment."""
    cores = case.found.machine.usable_cores
    if isinstance(wanted.value, int) and not isinstance(wanted.value, bool):
        return max(1, min(wanted.value, cores, _MOST_THREADS))
    return max(1, min(cores // _AGENTS_AT_ONCE, _MOST_THREADS))
