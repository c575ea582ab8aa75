"""Rustflags that do what nobody wants, or that nobody gets. Pure."""

from core.plan.decide_case import dotted, toml
from core.plan.finding_facts import (
    Facts,
    Findings,
    changes_of_flags,
    command,
    command_without,
    evidence_of,
    in_shell,
    is_plain,
)
from core.plan.foreign import short
from core.plan.given import Given, Key, Origin
from core.plan.plan import Change, Evidence, Finding
from core.plan.rustflags import (
    BUILD_FLAGS,
    Flag,
    config_keys,
    flags_of_keys,
    flags_of_variables,
    places_of,
    target_keys,
)

_OF_PROFILES = ("opt-level", "debuginfo", "debug-assertions", "overflow-checks", "panic", "incremental")
"""What profiles say too, besides codegen-units and LTO."""
_TESTS = ("test", "nextest", "bench")
_BOOK_THREADS = 8
"""More threads of the front end than the cargo book advises."""


def _flags(facts: Facts, kind: str, *names: str) -> list[Flag]:
    return [flag for flag in facts.flags if flag.kind == kind and (not names or flag.name in names)]


def _shown(flags: list[Flag]) -> tuple[Evidence, ...]:
    return tuple(Evidence(flag.origin, flag.shown) for flag in flags)


def _names(flags: list[Flag]) -> str:
    names = list(dict.fromkeys(flag.name for flag in flags))
    return short(", ".join(names), 30)


def _made(facts: Facts, flags: list[Flag], finding: Finding) -> Finding:
    """With places, and with what takes the flags away."""
    changes = changes_of_flags(facts, flags)
    mend = "" if changes else finding.mend or command_without(facts, flags)
    return finding._replace(evidence=(*_shown(flags), *finding.evidence), changes=changes, mend=mend)


def find_nightly_flags(facts: Facts) -> Findings:
    """`-Z` without a nightly toolchain."""
    toolchain = facts.found.toolchain
    if not toolchain.channel or toolchain.is_nightly or facts.found.env.get("RUSTC_BOOTSTRAP"):
        return
    says = Evidence(toolchain.chosen_by, toolchain.name or toolchain.channel)
    if flags := _flags(facts, "Z"):
        title = f"rustc {toolchain.channel} refuses -Z: {_names(flags)}"
        cost = 'No build at all: "the option `Z` is only accepted on the nightly compiler" (tried with 1.95).'
        yield _made(facts, flags, Finding("nightly-flags", "error", title, (says,), cost))
    if asked := facts.wish.options.get("Z"):
        given = Evidence(Origin("-Z"), short(" ".join(asked)))
        title = f"cargo {toolchain.channel} refuses -Z {short(' '.join(asked), 30)}"
        cost = "No build at all: cargo takes -Z on the nightly channel only (tried with 1.95)."
        yield Finding("nightly-options", "error", title, (given, says), cost, "cargo +nightly …")


def find_lto(facts: Facts) -> Findings:
    """`-C lto` as a rustflag: cargo tells rustc to leave out the bitcode that it needs."""
    flags = [flag for flag in _flags(facts, "C", "lto") if flag.value not in ("off", "no", "n", "false")]
    if not flags or any(flag.value in ("yes", "y", "on", "true") for flag in _flags(facts, "C", "embed-bitcode")):
        return
    title = "lto in rustflags fails, as cargo passes embed-bitcode=no: it belongs into a profile"
    cost = 'No build at all: "options `-C embed-bitcode=no` and `-C lto` are incompatible" (tried with 1.95).'
    yield _made(facts, flags, Finding("lto-in-rustflags", "error", title, cost=cost))


def find_panic(facts: Facts) -> Findings:
    """`-C panic=abort` as a rustflag, and tests."""
    flags = [flag for flag in _flags(facts, "C", "panic") if flag.value == "abort"]
    if not flags or facts.wish.subcommand not in _TESTS or _flags(facts, "Z", "panic-abort-tests"):
        return
    title = "panic=abort in rustflags: tests do not compile, in a profile they would"
    cost = (
        'No tests: "building tests with panic=abort is not supported without `-Zpanic_abort_tests`" (tried with 1.95).'
    )
    yield _made(facts, flags, Finding("panic-in-rustflags", "error", title, cost=cost))


def find_codegen_units(facts: Facts) -> Findings:
    """`-C codegen-units` as a rustflag."""
    flags = _flags(facts, "C", "codegen-units")
    if not flags:
        return
    title = "codegen-units in rustflags overrides every profile, for dependencies and build scripts too"
    cost = (
        "With incremental builds dev has 256 units by itself, release 16: a number here lowers the one and replaces "
        "the other (seen in rustc's command lines with 1.95). The time it costs is not measured."
    )
    yield _made(facts, flags, Finding("codegen-units-in-rustflags", "warning", title, cost=cost))


def find_profile_flags(facts: Facts) -> Findings:
    """Settings of profiles as rustflags."""
    flags = _flags(facts, "C", *_OF_PROFILES)
    if facts.wish.subcommand in _TESTS:
        flags = [flag for flag in flags if flag.name != "panic"]
    if not flags:
        return
    title = f"{_names(flags)} in rustflags: for build scripts too, and over every profile"
    cost = (
        "With opt-level=2 cargo still says `unoptimized + debuginfo`, debug assertions stay on, build scripts and "
        "macros are optimized too, and what profiles say for single packages is lost (tried with 1.95)."
    )
    yield _made(facts, flags, Finding("profile-in-rustflags", "warning", title, cost=cost))


def find_threads(facts: Facts) -> Findings:
    """`-Z threads` above the share of cores that this build has."""
    if not facts.found.toolchain.is_nightly:
        return
    share = max(1, facts.found.machine.usable_cores // max(1, facts.wish.agents))
    flags = [flag for flag in _flags(facts, "Z", "threads") if _count(flag.value, facts) > share]
    if not flags:
        return
    most = max(_count(flag.value, facts) for flag in flags)
    told = f", and more than the {_BOOK_THREADS} that cargo's book advises" if most > _BOOK_THREADS else ""
    cores = f"{share} core{'s' if share > 1 else ''}"
    title = f"-Zthreads={most}: each rustc takes that many threads, this build's share is {cores}"
    cost = (
        f"{facts.wish.agents} agents on {facts.found.machine.usable_cores} cores{told}. Only a jobserver bounds these "
        "threads, and sccache gives none. Not measured."
    )
    yield _made(facts, flags, Finding("front-end-threads", "warning", title, cost=cost))


def _count(value: str, facts: Facts) -> int:
    """Threads; 0 means all cores."""
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 1
    return number or facts.found.machine.usable_cores


def find_dropped(facts: Facts) -> Findings:
    """Rustflags in the environment: those of the configuration are dropped."""
    variables = flags_of_variables(facts.found.settings, facts.found.env)
    if variables is None:
        return
    lost = _config_flags(facts, {flag.words for flag in facts.flags})
    if not lost:
        return
    name = variables.origin.place
    title = f"{name} drops the rustflags of the configuration: {short(' '.join(f.shown for f in lost), 38)}"
    key = lost[0].key
    extended = f"{dotted(*key)}={toml(variables.words)}"
    is_told = bool(variables.value) and is_plain(facts.wish.subcommand) and extended.isprintable()
    mend = f"unset {name}; cargo {facts.wish.subcommand} --config {in_shell(extended)}" if is_told else ""
    yield Finding(
        "rustflags-dropped", "warning", title,
        (evidence_of(variables, " ".join(variables.words) or "nothing"), *_shown(lost)),
        "Cargo takes rustflags from one source alone, and a variable comes first, an empty one too (tried with 1.95). "
        "The same flags by --config are added to those of the file.",
        mend or command("unset", name),
    )  # fmt: skip


def _config_flags(facts: Facts, known: set[tuple[str, ...]]) -> list[Flag]:
    """Of the configuration, as if no variable had any, but those that are known."""
    settings = facts.found.settings
    flags = flags_of_keys(settings, config_keys(settings, facts.triple))
    return [flag for flag in flags if flag.words not in known]


def find_shadowed(facts: Facts) -> Findings:
    """`target.*.rustflags` beside `build.rustflags`: the latter are dropped."""
    found = facts.found
    keys = [key for key, is_known in target_keys(found.settings, facts.triple, "rustflags") if is_known]
    built = found.settings.get(*BUILD_FLAGS)
    if not keys or built is None or flags_of_variables(found.settings, found.env) is not None:
        return
    known = {flag.words for flag in flags_of_keys(found.settings, keys)}
    lost = [flag for flag in flags_of_keys(found.settings, [BUILD_FLAGS]) if flag.words not in known]
    if not lost:
        return
    winner = places_of(found.settings, keys[0])[0]
    yield Finding(
        "rustflags-shadowed", "warning",
        f"target rustflags drop those of [build]: {short(' '.join(flag.shown for flag in lost), 40)}",
        (*_shown(lost), evidence_of(winner, f"{'.'.join(keys[0])} = {toml(winner.value)}")),
        "These flags reach no compiler: cargo takes rustflags from one source alone (tried with 1.95).",
        changes=_joined(facts, winner, keys[0], lost),
    )  # fmt: skip


def _joined(facts: Facts, winner: Given, key: Key, lost: list[Flag]) -> tuple[Change, ...]:
    words = [*winner.words, *(word for flag in lost for word in flag.words)]
    return facts.change(winner, key, " ".join(words) if isinstance(winner.value, str) else words)


FINDERS = (
    find_nightly_flags, find_lto, find_panic, find_dropped, find_shadowed, find_codegen_units, find_profile_flags,
    find_threads,
)  # fmt: skip
