"""What becomes of each key of cargo's profiles: left to cargo, to the user, or set by the mode. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.plan import profile
from core.plan.decide_case import NO_MODE, SECOND_COPY, Case, config, has_our_cache, shown
from core.plan.given import Given, Settings
from core.plan.plan import Setting
from core.plan.profile import CI, UNITS_INCREMENTAL, Effective, effective, root_of
from core.plan.rustflags import Flag

_DEPS, _BUILD = ("package", "*"), ("build-override",)


class _Row:
    """A key of a profile."""

    def __init__(self, name: str, key: str, scope: tuple[str, ...] = ()) -> None:
        self.name = name
        self.key = key
        self.scope = scope
        """Of the profile: nothing, `_DEPS`, `_BUILD`."""
        self.path = ".".join((*scope, key))
        """As `core.plan.profile.effective` calls it."""


_ROWS = (
    _Row("debug", "debug"),
    _Row("deps-debug", "debug", _DEPS),
    _Row("build-debug", "debug", _BUILD),
    _Row("split-debuginfo", "split-debuginfo"),
    _Row("strip", "strip"),
    _Row("panic", "panic"),
    _Row("overflow-checks", "overflow-checks"),
    _Row("codegen-units", "codegen-units"),
    _Row("lto", "lto"),
    _Row("opt-level", "opt-level"),
    _Row("deps-opt-level", "opt-level", _DEPS),
    _Row("build-opt-level", "opt-level", _BUILD),
)
_ONLY_IF_SAID = ("build-debug",)
_FOLLOWING = ("codegen-units", "strip")
"""What holds of these follows from other keys, where nobody says it."""

_FOR_CARGO: Mapping[tuple[str, str], Any] = {
    ("debug", "none"): False, ("debug", "limited"): 1, ("debug", "full"): 2, ("lto", "thin-local"): False,
    ("lto", "fat"): "fat", ("strip", "none"): "none",
}  # fmt: skip

_WHY: Mapping[tuple[str, str], str] = {
    ("debug", "line-tables-only"): "backtraces keep file and line; a debugger shows no variables",
    ("debug", "none"): "smallest and quickest to link; backtraces have no lines",
    ("deps-debug", "none"): "the most memory that can be saved while linking; frames of dependencies have no lines",
    ("deps-debug", "line-tables-only"): "frames of dependencies keep file and line",
    ("lto", "off"): "nothing is optimized across parts: compiles sooner, runs slower",
    ("lto", "thin"): "optimizes across crates, in parallel",
    ("lto", "fat"): "optimizes across all crates at once: the fastest program",
    ("codegen-units", "1"): "a crate is compiled as one part: a faster program",
    ("incremental", "true"): "members compile again what an edit changed, and not more",
    ("panic", "abort"): "no unwinding: smaller; cargo leaves it out of tests, which need unwinding",
    ("split-debuginfo", "unpacked"): "the linker does not copy debug information; a program needs its object files",
    ("split-debuginfo", "packed"): "debug information goes into a file beside the program",
    ("strip", "debuginfo"): "debug information is taken out of the program",
    ("codegen-units", "256"): "a crate is compiled in small parts: sooner after an edit, a slower program",
    ("strip", "symbols"): "symbols are taken out too: backtraces have no names",
    ("overflow-checks", "false"): "arithmetic wraps around without a word: what tests find may differ",
    ("overflow-checks", "true"): "arithmetic that overflows panics",
}
_WHY_KEY: Mapping[str, str] = {
    "debug": "debug information of members",
    "deps-debug": "debug information of dependencies",
    "build-debug": "debug information of build scripts and proc macros",
    "codegen-units": "parts that a crate is compiled in, at once",
    "opt-level": "optimizing of members",
    "deps-opt-level": "optimizing of dependencies, which are compiled once",
    "build-opt-level": "optimizing of build scripts and proc macros",
}
_COST: Mapping[tuple[str, str], str] = {
    ("lto", "fat"): "most memory and time while linking",
    ("codegen-units", "1"): "a crate is compiled on one core",
    ("incremental", "true"): "no compiler cache keeps what is incremental, and it takes disk",
}


_FLAG_NAMES = {"debug": "debuginfo"}
"""Of rustc's, where it calls a key of profiles otherwise."""


def normal(key: str, value: Any) -> str:
    """A value in a mode's words, however cargo lets it be written."""
    return shown(profile.normal(key, value))


def profile_settings(case: Case) -> Iterator[Setting]:
    """A row for each key."""
    without_mode = _effective(case, case.found.settings)
    rows = {"incremental": _incremental(case, without_mode["incremental"])}
    yield rows["incremental"]
    with_mode = _effective(case, _with_mode(case, rows["incremental"]))
    for row in _ROWS:
        if row.name in _ONLY_IF_SAID and case.option(row.name) is None and case.given(row.key, *row.scope) is None:
            continue
        anyway = (with_mode if row.key in _FOLLOWING else without_mode)[row.path]
        decided = _decided(case, row, anyway, rows.get(row.key) if row.scope == _DEPS else None)
        rows[row.name] = decided._replace(reason=decided.reason + _exceptions(case, row))
        yield rows[row.name]


def _effective(case: Case, settings: Settings) -> Mapping[str, Effective]:
    cargo = case.found.toolchain.cargo
    is_ci = bool(cargo) and any(name in case.found.env for name in CI)
    return effective(settings, case.profile, subcommand=case.wish.subcommand, cargo=cargo, is_ci=is_ci)


def _with_mode(case: Case, incremental: Setting) -> Settings:
    """The settings with what is decided of those keys that others follow from."""
    values = {**case.found.settings.values}
    values["build", "incremental"] = Given(incremental.value == "true", incremental.origin)
    for name, scope in (("debug", ()), ("deps-debug", _DEPS)):
        wanted = None if case.foreign else case.option(name)
        if wanted is not None and case.given("debug", *scope) is None:
            values["profile", case.profile, *scope, "debug"] = wanted
    return case.found.settings._replace(values=values)


def _exceptions(case: Case, row: _Row) -> str:
    """Packages for which the user says something else; empty: there are none."""
    if row.scope == _BUILD:
        return ""
    profiles = set(profile.profile_chain(case.found.settings, case.profile))
    names = sorted({
        key[3]
        for table in (case.found.settings.values, case.found.settings.manifest)
        for key in table
        if len(key) == 5 and key[0] == "profile" and key[1] in profiles
        and key[2] == "package" and key[3] != "*" and key[4] == row.key
    })  # fmt: skip
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"; set apart for {', '.join(map(shown, names[:3]))}{more}"


def _decided(case: Case, row: _Row, anyway: Effective, members: Setting | None) -> Setting:
    """One row.

    Args:
        case: What is built.
        row: Which one.
        anyway: What cargo does where nobody says anything of this key.
        members: What was decided for all packages, where this is about dependencies alone.
    """
    own, wanted = case.given(row.key, *row.scope), case.option(row.name)
    if (flag := _in_rustflags(case, row)) is not None:
        loses = f"; mode {case.mode} would set {shown(wanted.value)}" if wanted is not None else ""
        reason = f"rustflags say so, for every package and whatever profiles say{loses}"
        said = int(flag.value) if flag.value.isdecimal() and len(flag.value) < 10 else flag.value
        return Setting(row.name, normal(row.key, said), "user", reason, origin=flag.origin)
    if own is None and members is not None and members.by == "user":
        own = case.given(row.key)
    if row.key == "panic" and anyway.why and (own or wanted) is not None:
        return Setting(row.name, "unwind", "cargo", f"{anyway.why}, whatever is set")
    if own is not None:
        return _users(row, own, wanted, case)
    value = members.value if members is not None else _told(case, row, anyway)
    if wanted is None:
        if members is not None and members.is_ours:
            return Setting(row.name, value, members.by, f"{row.key} holds for dependencies too", origin=members.origin)
        return Setting(row.name, value, "cargo", _why_cargo(case, anyway))
    if case.foreign:
        return Setting(row.name, value, "cargo", f"{case.foreign}, so its {row.name} is left out")
    is_for_members = row.key == "codegen-units" and value == str(UNITS_INCREMENTAL)
    return _modes(case, row, wanted, "" if is_for_members else value)


def _in_rustflags(case: Case, row: _Row) -> Flag | None:
    """The last flag of the user's that sets the same for rustc, behind what cargo says of the profile; None: none does.

    Not of build scripts: with `--target` no rustflags reach them.
    """
    name = _FLAG_NAMES.get(row.key, row.key)
    found = [flag for flag in case.flags if flag.kind == "C" and flag.name == name and flag.value]
    return found[-1] if found and not (row.scope == _BUILD and case.found.target is not None) else None


def _told(case: Case, row: _Row, anyway: Effective) -> str:
    """In a mode's words."""
    if row.key == "split-debuginfo" and not anyway.value:
        return "unpacked" if case.found.machine.system == "darwin" else "off"
    return normal(row.key, anyway.value)


def _why_cargo(case: Case, anyway: Effective) -> str:
    whose = anyway.why or f"cargo's own for {root_of(case.found.settings, case.profile)}"
    return f"{whose}; " + (f"mode {case.mode} says nothing of it" if case.mode else NO_MODE)


def _users(row: _Row, own: Given, wanted: Given | None, case: Case) -> Setting:
    value = normal(row.key, own.value)
    if wanted is None or case.foreign or normal(row.key, wanted.value) == value:
        return Setting(row.name, value, "user", "as it is set", origin=own.origin)
    gain = why(row.name, normal(row.key, wanted.value))
    reason = f"yours stays; mode {case.mode} would set {shown(wanted.value)}: {gain}"
    return Setting(row.name, value, "user", reason, origin=own.origin)


def _modes(case: Case, row: _Row, wanted: Given, anyway: str) -> Setting:
    value = normal(row.key, wanted.value)
    if value == anyway:
        follows = f"what {row.key} makes of it" if row.scope == _DEPS and _is_set(case, row.key) else "what cargo does"
        return Setting(row.name, value, "mode", f"{follows} anyway", origin=wanted.origin)
    key = ("profile", case.written, *row.scope, row.key)
    cost = "; ".join(part for part in (_COST.get((row.name, value), ""), SECOND_COPY) if part)
    told = _FOR_CARGO.get((row.key, value), wanted.value)
    return Setting(row.name, value, "mode", why(row.name, value), cost, wanted.origin, config(key, told))


def _is_set(case: Case, key: str) -> bool:
    return case.given(key) is not None or case.option(key) is not None


def why(name: str, value: str) -> str:
    """What a value is for."""
    return _WHY.get((name, value)) or _WHY_KEY.get(name) or f"{name} = {value}"


def _incremental(case: Case, anyway: Effective) -> Setting:
    """Whether members keep what the next compilation can use again: more people have a say in it than in others."""
    row = _Row("incremental", "incremental")
    is_bench = case.profile == "bench"
    wanted = None if case.foreign or is_bench else case.option("incremental")
    if anyway.given is not None:
        return _users(row, anyway.given, wanted, case)
    if has_our_cache(case) and not _manifest_says(case):
        reason = "sccache keeps nothing that is incremental: it is off together with the cache being on"
        lost = f"; mode {case.mode} wants it" if wanted is not None and wanted.value is True else ""
        return Setting("incremental", "false", "deck", reason + lost, "the first edit of a member takes about three "
                       "times as long")  # fmt: skip
    if anyway.why:
        name = next(name for name in CI if name in case.found.env)
        lost = f": what mode {case.mode} says of it does nothing" if wanted is not None else ""
        return Setting("incremental", "false", "cargo", f"cargo 1.99 and later turn it off where {name} is set{lost}")
    value = normal("incremental", anyway.value)
    if wanted is not None:
        return _modes(case, row, wanted, value)
    reason = f"{case.foreign}, so its incremental is left out" if case.foreign else _why_cargo(case, anyway)
    if is_bench and not case.foreign and case.option("incremental") is not None:
        reason = f"a benchmark measures what is shipped, so incremental of mode {case.mode} is left out"
    if case.wish.cache.startswith("sccache") and value == "true":
        reason += "; sccache keeps nothing that is incremental"
    return Setting("incremental", value, "cargo", reason)


def _manifest_says(case: Case) -> bool:
    """The cache leaves incremental compilation as it is, where the manifest speaks of it for any profile."""
    return any(key[-1] == "incremental" for key in case.found.settings.manifest)
