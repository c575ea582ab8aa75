"""Settings of profiles that are overruled, or that cost more than they give. Pure."""

from core.plan.finding_facts import Facts, Findings, evidence_of, unset
from core.plan.given import Given, Key, Origin
from core.plan.plan import Change, Evidence, Finding
from core.plan.profile import CI, CI_TURNS_OFF, own_given, root_of

_MANY_UNITS = 256
_LITTLE_MEMORY = 4 << 30
_NO_DEBUG = (0, False, "none")
_TESTS = ("test", "nextest", "bench")


def _root(facts: Facts) -> str:
    """The built-in profile that the one that is built comes from."""
    return root_of(facts.found.settings, facts.profile)


def _set(key: Key, given: Given) -> Evidence:
    return evidence_of(given, f"{'.'.join(key)} = {evidence_of(given).value}")


def find_build_incremental(facts: Facts) -> Findings:
    """`[build] incremental = true`: for dev it changes nothing, and release becomes incremental."""
    given = facts.found.settings.get("build", "incremental")
    if given is None or given.value is not True or "CARGO_INCREMENTAL" in facts.found.env or facts.has_sccache:
        return
    yield Finding(
        "build-incremental",
        "warning" if _root(facts) == "release" else "hint",
        "[build] incremental = true makes release incremental too; dev is so by itself",
        (_set(("build", "incremental"), given),),
        "Release compiles with incremental (seen in rustc's command lines with 1.95): larger and slower programs. How "
        "much is not measured.",
        unset(given),
        facts.change(given, ("build", "incremental")),
    )


def find_overruled(facts: Facts) -> Findings:
    """`incremental = true` of a profile that something else turns off."""
    said = facts.of_profile("incremental")
    if said is None or said[1].value is not True:
        return
    key, given = said
    cause = _what_turns_off(facts)
    if cause is None:
        return
    evidence, mend, changes = cause
    is_ci = any(name in facts.found.env for name in CI)
    yield Finding(
        "incremental-overruled",
        "hint" if is_ci and evidence.origin.place == "CARGO_INCREMENTAL" else "warning",
        f"{evidence.origin.place.rpartition('/')[2]} overrules incremental = true of profile {key[1]}"[:90],
        (evidence, _set(key, given)),
        "Nothing is compiled incrementally (tried with 1.95 for CARGO_INCREMENTAL and build.incremental; for CI from "
        "cargo's sources).",
        mend,
        changes,
    )


def _what_turns_off(facts: Facts) -> tuple[Evidence, str, tuple[Change, ...]] | None:
    """What does, a command against it, and a change of a file; None: nothing."""
    env = facts.found.env
    value = env.get("CARGO_INCREMENTAL")
    if value is not None:
        place = Evidence(Origin("CARGO_INCREMENTAL"), value or "nothing")
        return (place, "unset CARGO_INCREMENTAL", ()) if value != "1" else None
    built = facts.found.settings.get("build", "incremental")
    if built is not None:
        key = ("build", "incremental")
        return (_set(key, built), unset(built), facts.change(built, key)) if built.value is False else None
    names = [name for name in CI if name in env]
    if names and facts.found.toolchain.cargo >= CI_TURNS_OFF:
        return Evidence(Origin(names[0]), env[names[0]] or "nothing"), "export CARGO_INCREMENTAL=1", ()
    return None


def find_incremental_word(facts: Facts) -> Findings:
    """CARGO_INCREMENTAL=true: everything but 1 is no."""
    value = facts.found.env.get("CARGO_INCREMENTAL", "")
    if value.lower() not in ("true", "yes", "on", "y"):
        return
    yield Finding(
        "incremental-not-one",
        "warning",
        f"CARGO_INCREMENTAL={value} turns incremental off: only 1 turns it on",
        (Evidence(Origin("CARGO_INCREMENTAL"), value),),
        "Each edit compiles whole crates again (seen in rustc's command lines with 1.95). How much is not measured.",
        "export CARGO_INCREMENTAL=1",
    )


def find_slow_dev(facts: Facts) -> Findings:
    """LTO or a single codegen unit in what is built after each edit."""
    if _root(facts) != "dev":
        return
    lto, units = facts.of_profile("lto"), facts.of_profile("codegen-units")
    said = []
    if lto is not None and lto[1].value in (True, "fat", "thin"):
        said.append(lto)
    if units is not None and units[1].value == 1 and units[1].value is not True:
        said.append(units)
    if not said:
        return
    names = " and ".join(evidence_of(given, f"{key[2]} = {evidence_of(given).value}").value for key, given in said)
    yield Finding(
        "slow-dev-profile",
        "warning",
        f"{names} in profile {said[0][0][1]}: each edit pays for what only a release needs"[:90],
        tuple(_set(key, given) for key, given in said),
        "Time and memory at each build: LTO compiles the program as a whole, one unit uses one core a crate. How much "
        "is not measured.",
        changes=tuple(change for key, given in said for change in facts.change(given, key)),
    )


def find_memory_units(facts: Facts) -> Findings:
    """Many codegen units where memory is to be saved."""
    units = facts.of_profile("codegen-units")
    if units is None or _root(facts) != "release" or not isinstance(units[1].value, int):
        return
    if units[1].value < _MANY_UNITS or not _saves_memory(facts):
        return
    yield Finding(
        "codegen-units-for-memory",
        "hint",
        f"codegen-units = {units[1].value} saves no memory",
        (_set(*units),),
        "Measured on one crate: 169, 196 and 202 MiB with 1, 16 and 256 units at opt-level 3, and 26 % more CPU time.",
        changes=facts.change(units[1], units[0]),
    )


def _saves_memory(facts: Facts) -> bool:
    """Somebody says that little memory is to be used: a mode, or fewer jobs than cores."""
    settings = facts.found.settings
    jobs = facts.any_variable("CARGO_BUILD_JOBS") or settings.get("build", "jobs")
    return facts.wish.mode.name == "low-memory" or (
        jobs is not None and settings.get("env", "CARGO_BUILD_JOBS") is not None
    )


def find_fat_lto(facts: Facts) -> Findings:
    """Fat LTO where there is little memory."""
    lto = facts.of_profile("lto")
    memory = facts.found.machine.usable_memory_bytes
    is_little = 0 < memory < _LITTLE_MEMORY or facts.wish.mode.name == "low-memory"
    if lto is None or lto[1].value not in (True, "fat") or _root(facts) == "dev" or not is_little:
        return
    yield Finding(
        "fat-lto-in-little-memory",
        "hint",
        "Fat LTO holds the whole program in memory at once; thin does not",
        (_set(*lto),),
        f"{memory / (1 << 30):.1f} GiB may be used. Not measured." if memory else "Not measured.",
        changes=facts.change(lto[1], lto[0], "thin"),
    )


def find_test_panic(facts: Facts) -> Findings:
    """`panic` of the test or bench profile, which cargo ignores; of dev, it makes two kinds of each dependency."""
    if facts.wish.subcommand not in _TESTS:
        return
    for name in ("test", "bench"):
        own = own_given(facts.found.settings, name, "panic")
        if own is not None and facts.profile == name:
            key = ("profile", name, "panic")
            yield Finding(
                "panic-in-test-profile", "hint", f"Cargo ignores panic of profile {name}: tests unwind",
                (_set(key, own),), "Nothing but a warning of cargo's (tried with 1.95).",
                changes=facts.change(own, key),
            )  # fmt: skip
            return
    said = facts.of_profile("panic")
    if said is not None and said[1].value == "abort" and _root(facts) == "dev":
        yield Finding(
            "panic-abort-and-tests", "hint",
            f"panic = \"abort\" of profile {said[0][1]}: build and test each compile all dependencies",
            (_set(*said),),
            "Tests unwind, so that they share no dependency with `cargo build` (tried with 1.95: 2 crates compiled "
            "for tests where 1 was).",
            changes=facts.change(said[1], said[0]),
        )  # fmt: skip


def find_split(facts: Facts) -> Findings:
    """`split-debuginfo` where there is no debug info."""
    debug, split = facts.of_profile("debug"), facts.of_profile("split-debuginfo")
    if debug is None or split is None or split[1].value == "off":
        return
    if debug[1].value not in _NO_DEBUG:
        return
    yield Finding(
        "split-without-debuginfo",
        "hint",
        "split-debuginfo splits nothing: debug info is off",
        (_set(*split), _set(*debug)),
        "Nothing; it only misleads.",
        changes=facts.change(split[1], split[0]),
    )


FINDERS = (
    find_overruled, find_incremental_word, find_build_incremental, find_slow_dev, find_memory_units, find_fat_lto,
    find_test_panic, find_split,
)  # fmt: skip
