"""Linkers that are named and cannot link, or that bring less than is hoped. Pure."""

from core.plan.finding_facts import Facts, Findings, changes_of_flags, command_without, evidence_of, short, unset
from core.plan.found import Tool
from core.plan.given import Given, Key
from core.plan.plan import Evidence, Finding
from core.plan.rustflags import Flag, target_keys

_ARGUMENTS = ("link-arg", "link-args", "pre-link-args")
_GCC_WITH_MOLD = (12, 1)
_GCC_WITH_WILD = (16,)
_GCC = ("cc", "gcc")


def linker_of(facts: Facts) -> tuple[Given, Key] | None:
    """What links, where somebody named it, and under which key; None: the toolchain's choice."""
    for flag in reversed(facts.flags):
        if (flag.kind, flag.name) == ("C", "linker") and flag.value:
            return Given(flag.value, flag.origin), flag.key
    for key, is_known in target_keys(facts.found.settings, facts.triple, "linker"):
        given = facts.found.settings.values[key]
        if is_known and isinstance(given.value, str):
            return given, key
    return None


def wanted_linkers(facts: Facts) -> list[tuple[Flag, str]]:
    """What `-fuse-ld` or `--ld-path` asks for: the flag, and `mold`, `lld`, … or a path; the last one counts."""
    return [
        (flag, word.partition("=")[2])
        for flag in facts.flags
        if flag.kind == "C" and flag.name in _ARGUMENTS
        for word in flag.value.split()
        if word.startswith(("-fuse-ld=", "--ld-path="))
    ]


def _tool(facts: Facts, name: str) -> Tool | None:
    """None: nobody looked for it."""
    return facts.found.tools.get(name)


def _links_on_host(facts: Facts) -> bool:
    return facts.found.target is None or facts.found.target.triple == facts.found.toolchain.host


def find_linker(facts: Facts) -> Findings:
    """A linker that is named and is not there, or does not run."""
    named = linker_of(facts)
    if named is None:
        return
    given, key = named
    tool = _tool(facts, str(given.value))
    target = facts.found.target
    is_of_target = target is not None and (target.linker == given.value or key[:2] == ("target", target.triple))
    is_gone = is_of_target and target is not None and not target.is_linker_there
    if not is_gone and (tool is None or tool.is_usable):
        return
    what = f"does not run: {short(tool.trouble, 30)}" if tool is not None and tool.path else "is not there"
    flags = [flag for flag in facts.flags if (flag.kind, flag.name) == ("C", "linker")]
    changes = changes_of_flags(facts, flags) if flags else facts.change(given, key)
    command = command_without(facts, flags) if flags else unset(given)
    yield Finding(
        "linker-missing",
        "error",
        f'linker = "{short(str(given.value), 30)}" {what}',
        (evidence_of(given),),
        "Nothing that is linked gets done, build scripts included (tried with 1.95). Taking the setting away rebuilds "
        "all once: cargo sees another linker.",
        "" if changes else command,
        changes,
    )


def find_fuse_ld(facts: Facts) -> Findings:
    """`-fuse-ld` that names what is not there, or what the compiler driver does not know."""
    wanted = wanted_linkers(facts)
    if not wanted:
        return
    flag, name = wanted[-1]
    why = _why_it_fails(facts, name)
    if not why:
        return
    changes = changes_of_flags(facts, [flag])
    yield Finding(
        "fuse-ld-unusable",
        "error",
        f"{short(flag.value.split()[-1], 30)}: {why}",
        (Evidence(flag.origin, flag.shown),),
        "Every link fails, build scripts included (tried with gcc 12, clang 14 and 1.95).",
        "" if changes else command_without(facts, [flag]),
        changes,
    )


def _why_it_fails(facts: Facts, name: str) -> str:
    found = facts.found
    named = linker_of(facts)
    driver = str(named[0].value) if named is not None else "cc"
    tool = _tool(facts, name)
    is_own_lld = name == "lld" and (found.toolchain.has_own_lld or found.toolchain.links_with_lld)
    if tool is not None and not tool.path and not is_own_lld:
        return f"{name} is not there"
    version = _gcc_version(facts, driver)
    if name == "mold" and version and version < _GCC_WITH_MOLD:
        return f"gcc {'.'.join(map(str, version))} does not know it, 12.1 and clang do"
    if name == "wild" and version and version < _GCC_WITH_WILD:
        return f"gcc {'.'.join(map(str, version))} does not know it; clang with --ld-path=wild does"
    return ""


def _gcc_version(facts: Facts, driver: str) -> tuple[int, ...]:
    """Empty: it is no gcc, or not known."""
    found = facts.found
    if driver not in _GCC or found.machine.system != "linux" or not _links_on_host(facts):
        return ()
    driven = found.tool(driver)
    return driven.version if driven.kind == "gcc" else ()


def find_gain(facts: Facts) -> Findings:
    """lld or mold where rustc links with its own lld already."""
    wanted = wanted_linkers(facts)
    if not wanted or not facts.found.toolchain.links_with_lld or not _links_on_host(facts):
        return
    flag, name = wanted[-1]
    named = linker_of(facts)
    beside = (evidence_of(named[0]),) if named is not None else ()
    if name == "lld":
        yield Finding(
            "lld-is-default", "hint", "-fuse-ld=lld: rustc links with its own lld already",
            (Evidence(flag.origin, flag.shown), *beside),
            "It brings nothing since 1.90 on x86_64 Linux, and other rustflags are other units: what was built without "
            "them is built again.",
            "" if flag.key else command_without(facts, [flag]), changes_of_flags(facts, [flag]),
        )  # fmt: skip
    if name == "mold" and not _why_it_fails(facts, name):
        yield Finding(
            "mold-after-lld", "hint", "mold: what it gains is over rustc's own lld, not over the old ld",
            (Evidence(flag.origin, flag.shown), *beside),
            "Published by wild's authors, debug links on 16 cores: zed 4.2 s with lld and 1.1 s with mold, "
            "rust-analyzer 0.9 s and 0.3 s. Not measured here.",
        )  # fmt: skip


FINDERS = (find_linker, find_fuse_ld, find_gain)
