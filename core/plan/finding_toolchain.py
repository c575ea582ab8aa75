"""Toolchains, standard libraries and linkers that are named and are not there, or cannot do it. Pure."""

from core.plan.finding_facts import (
    Facts,
    Findings,
    changes_of_flags,
    command,
    command_without,
    evidence_of,
    is_plain,
    unset,
)
from core.plan.foreign import short
from core.plan.found import Tool
from core.plan.given import Given, Key
from core.plan.plan import Change, Evidence, Finding
from core.plan.rustflags import Flag, target_keys
from core.plan.toolchain_names import command_for

_NO_LINK = ("check", "clippy", "doc", "rustdoc", "fix")
"""Subcommands that link nothing for the target."""
_ARGUMENTS = ("link-arg", "link-args", "pre-link-args")
_GCC_WITH_MOLD = (12, 1)
_GCC_WITH_WILD = (16,)
_GCC = ("cc", "gcc")
_SIZE = ", and 1.6 GB of disk with rustup's default profile of 1.95"


def find_toolchain(facts: Facts) -> Findings:
    """A toolchain that is asked for and is not installed."""
    toolchain = facts.found.toolchain
    if toolchain.is_installed or not toolchain.name:
        return
    if toolchain.is_coming:
        yield _coming("toolchain-missing", f"toolchain {short(toolchain.name, 45)}",
                      Evidence(toolchain.chosen_by, toolchain.name), _SIZE)  # fmt: skip
        return
    yield Finding(
        "toolchain-missing",
        "error",
        f"The toolchain {short(toolchain.name, 45)} is not installed",
        (Evidence(toolchain.chosen_by, toolchain.name),),
        "No build at all: rustup is told not to install by itself, or does not know where from.",
        command_for(toolchain.name),
    )


def _coming(name: str, what: str, evidence: Evidence, size: str) -> Finding:
    """What rustup installs by itself."""
    return Finding(
        name, "hint", f"rustup will install the {what} first", (evidence,),
        f"A download before the build{size} (tried with rustup 1.29; not with RUSTUP_AUTO_INSTALL=0 or after "
        "`rustup set auto-install disable`).",
    )  # fmt: skip


def find_unknown_target(facts: Facts) -> Findings:
    """A target that rustc does not know, or whose specification is not there."""
    target = facts.found.target
    if target is None or target.is_known or not facts.found.toolchain.is_installed:
        return
    near = f": did you mean {target.nearest}?" if target.nearest else ""
    what = "There is no file" if target.is_own else "rustc knows no target"
    changes, mend = _with_nearest(facts) if target.nearest else ((), "")
    yield Finding(
        "target-unknown",
        "error",
        f"{what} {short(target.triple, 30 if near else 60)}{near}"[:90],
        (Evidence(target.origin, target.triple),),
        "No build at all: rustc finds no specification of it (tried with 1.95). `rustc --print target-list` lists what "
        "it knows; a target of one's own is a .json file.",
        mend,
        changes,
    )


def _with_nearest(facts: Facts) -> tuple[tuple[Change, ...], str]:
    """The target's nearest name in the place of what is said: of a file, or in a command."""
    target, given = facts.found.target, facts.found.settings.get("build", "target")
    if target is None or given is None or given.origin != target.origin or not isinstance(given.value, str):
        return (), ""
    if given.origin.is_variable:
        is_safe = is_plain(given.origin.place) and is_plain(target.nearest)
        return (), f"export {given.origin.place}={target.nearest}" if is_safe else ""
    return facts.change(given, ("build", "target"), target.nearest), ""


def find_std(facts: Facts) -> Findings:
    """A target whose standard library is not installed."""
    target, toolchain = facts.found.target, facts.found.toolchain
    if target is None or target.has_std or not toolchain.is_installed or _builds_std(facts) or not target.is_known:
        return
    if target.triple in toolchain.coming_targets:
        yield _coming("std-missing", f"standard library of {short(target.triple, 40)}",
                      Evidence(target.origin, target.triple), "")  # fmt: skip
        return
    if target.is_own:
        yield Finding(
            "std-missing", "error", f"{short(target.triple, 45)} has no standard library to install",
            (Evidence(target.origin, target.triple),),
            "No build at all: of a target that a .json file describes std is compiled by -Z build-std, which takes a "
            "nightly and -Z json-target-spec (tried with 1.95).",
        )  # fmt: skip
        return
    yield Finding(
        "std-missing",
        "error",
        f"The standard library of {short(target.triple, 40)} is not installed",
        (Evidence(target.origin, target.triple),),
        "No build at all: can't find crate for `std` (tried with 1.95).",
        command("rustup", "target", "add", "--toolchain", toolchain.name, target.triple)
        if is_plain(toolchain.name)
        else "",
    )


def _builds_std(facts: Facts) -> bool:
    """It is compiled with everything else."""
    asked = any(value.startswith("build-std") for value in facts.wish.options.get("Z", []))
    return asked or facts.found.settings.get("unstable", "build-std") is not None


def find_target_linker(facts: Facts) -> Findings:
    """A target's linker that is not there, where nobody named one."""
    target = facts.found.target
    if (
        target is None
        or not target.is_known
        or target.is_linker_there
        or not target.linker
        or facts.wish.subcommand in _NO_LINK
    ):
        return
    if linker_of(facts) is not None:
        return
    package = package_of(target.linker)
    told = f" Debian's package {package} holds it." if package else ""
    yield Finding(
        "target-linker-missing",
        "error",
        f"{short(target.linker, 30)}, which links for {short(target.triple, 32)}, is not there"[:90],
        (Evidence(target.origin, target.triple),),
        f"Nothing that is linked gets done.{told}",
        command("apt-get", "install", package),
    )


def package_of(linker: str) -> str:
    """Debian's package that holds a cross linker; empty: not known. `aarch64-linux-gnu-gcc` → its gcc."""
    if linker == "musl-gcc":
        return "musl-tools"
    if linker.endswith("-w64-mingw32-gcc"):
        return "gcc-mingw-w64-" + linker.partition("-")[0].replace("_", "-")
    if linker.endswith("-gcc") and "-linux-gnu" in linker:
        return "gcc-" + linker.removesuffix("-gcc").replace("_", "-")
    return linker if linker in ("clang", "lld", "mold") else ""


def find_unstable_table(facts: Facts) -> Findings:
    """`[unstable]` of a config, without a nightly cargo."""
    toolchain = facts.found.toolchain
    said = [(key, given) for key, given in facts.found.settings.values.items() if key[:1] == ("unstable",)]
    if not said or not toolchain.channel or toolchain.is_nightly:
        return
    yield Finding(
        "unstable-table",
        "hint",
        f"[unstable] does nothing on {toolchain.channel}: cargo leaves it out without a word",
        tuple(evidence_of(given, f"{'.'.join(key)} = {evidence_of(given).value}") for key, given in said),
        "Nothing is lost but what was hoped for (tried with 1.95).",
    )


# Linkers


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
    spoken = command_without(facts, flags) if flags else unset(given)
    yield Finding(
        "linker-missing",
        "error",
        f'linker = "{short(str(given.value), 30)}" {what}',
        (evidence_of(given),),
        "Nothing that is linked gets done, build scripts included (tried with 1.95). Taking the setting away rebuilds "
        "all once: cargo sees another linker.",
        "" if changes else spoken,
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


FINDERS = (
    find_toolchain, find_unknown_target, find_std, find_target_linker, find_unstable_table, find_linker, find_fuse_ld,
    find_gain,
)  # fmt: skip
