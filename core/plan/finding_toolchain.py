"""Toolchains, standard libraries and linkers of targets that are not there. Pure."""

from core.plan.finding_facts import Facts, Findings, evidence_of, short
from core.plan.finding_linker import linker_of
from core.plan.given import Origin
from core.plan.plan import Evidence, Finding

_NO_LINK = ("check", "clippy", "doc", "rustdoc", "fix")
"""Subcommands that link nothing for the target."""


def find_toolchain(facts: Facts) -> Findings:
    """A toolchain that is asked for and is not installed."""
    toolchain = facts.found.toolchain
    if toolchain.is_installed or not toolchain.name:
        return
    yield Finding(
        "toolchain-missing",
        "error",
        f"The toolchain {short(toolchain.name, 45)} is not installed",
        (Evidence(toolchain.chosen_by, toolchain.name),),
        "No build at all, or a download before it where rustup may install by itself.",
        f"rustup toolchain install {toolchain.name}",
    )


def find_std(facts: Facts) -> Findings:
    """A target whose standard library is not installed."""
    target, toolchain = facts.found.target, facts.found.toolchain
    if target is None or target.has_std or not toolchain.is_installed or _builds_std(facts):
        return
    which = f" --toolchain {toolchain.name}" if toolchain.name else ""
    yield Finding(
        "std-missing",
        "error",
        f"The standard library of {short(target.triple, 40)} is not installed",
        (Evidence(target.origin, target.triple),),
        "No build at all: can't find crate for `std` (tried with 1.95).",
        f"rustup target add{which} {target.triple}" if toolchain.name else "",
    )


def _builds_std(facts: Facts) -> bool:
    """It is compiled with everything else."""
    asked = any(value.startswith("build-std") for value in facts.wish.options.get("Z", []))
    return asked or facts.found.settings.get("unstable", "build-std") is not None


def find_target_linker(facts: Facts) -> Findings:
    """A target's linker that is not there, where nobody named one."""
    target = facts.found.target
    if target is None or target.is_linker_there or not target.linker or facts.wish.subcommand in _NO_LINK:
        return
    if linker_of(facts) is not None:
        return
    package = package_of(target.linker)
    told = f": package {package}" if package else ""
    yield Finding(
        "target-linker-missing",
        "error",
        f"{short(target.linker, 30)}, which links for {short(target.triple, 32)}, is not there"[:90],
        (Evidence(target.origin, target.triple), Evidence(Origin(target.linker), "not there" + told)),
        "Nothing that is linked gets done.",
        f"apt-get install {package}" if package else "",
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


FINDERS = (find_toolchain, find_std, find_target_linker, find_unstable_table)
