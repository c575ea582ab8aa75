"""Findings of native failures: what failed, what it costs, and the smallest clean that mends it. Pure."""

import os
import re
import shlex

from core.native.cleans.blame import Blame
from core.plan.given import Origin
from core.plan.plan import Evidence, Finding
from core.watch.native_failures import ARCH, CACHE, HEADER, HOST, MEMORY, NVCC, RULE, SYMBOL, NativeFault

CLEAN = "cargo deck clean "
"""Begins a mend that can be run as it stands."""
_PACKAGE = re.compile(r"[A-Za-z_][\w-]{0,63}\Z")
_MOST_SAID = 1000


def finding_of(fault: NativeFault, blame: Blame) -> Finding:
    """The finding of one failure, with what files say of it."""
    title, cost, mend = _WORDS[fault.kind](fault, blame)
    whose = f"{fault.package}: " if fault.package and fault.kind != SYMBOL else ""
    return Finding(fault.kind, "error", whose + title, _evidence(fault, blame), cost, mend)


def clean_of_folder(folder: str) -> str:
    """The command that removes one CMake folder; empty: its path is not to be printed in a line."""
    is_sayable = folder.isprintable() and 0 < len(folder) <= _MOST_SAID
    return f"{CLEAN}--cmake {shlex.quote(folder)}" if is_sayable else ""


def clean_of_package(package: str) -> str:
    """The command that removes what was made of one package; empty: it has no name."""
    return f"{CLEAN}-p {package}" if _PACKAGE.match(package) else ""


def _evidence(fault: NativeFault, blame: Blame) -> tuple[Evidence, ...]:
    found = [Evidence(Origin("log"), fault.said)]
    if fault.kind == SYMBOL and fault.by:
        found.append(Evidence(Origin(fault.by), f"needs {fault.subject}"))
    if blame.named_at:
        place, _, line = blame.named_at.rpartition(":")
        found.append(Evidence(Origin(place, int(line)), os.path.basename(fault.subject)))
    if blame.source:
        found.append(Evidence(Origin(blame.source), fault.subject))
    if blame.library:
        state = "older than that source" if blame.is_stale else "made after that source was saved"
        found.append(Evidence(Origin(blame.library), f"nothing of it: it is {state}"))
    return tuple(found)


def _cache(fault: NativeFault, blame: Blame) -> tuple[str, str, str]:
    folder = blame.folder or fault.subject
    where = f"the CMake cache of {folder}" if folder else "a CMake cache"
    if not fault.by.startswith("/"):
        title, cost = f"{where} was made with another generator: {fault.by}", "CMake does not configure"
    elif fault.by.endswith("/CMakeLists.txt"):
        title, cost = f"{where} was made for other sources: {os.path.dirname(fault.by)}", "CMake does not configure"
    else:
        title = f"{where} was made in another folder: {fault.by}"
        cost = "CMake does not configure, or builds over there, and nothing here is made anew"
    mend = clean_of_folder(blame.folder) if blame.folder else clean_of_package(fault.package)
    return title, cost, mend


def _rule(fault: NativeFault, blame: Blame) -> tuple[str, str, str]:
    needed = f", which {fault.by} is made of, is not there" if fault.by else " is nothing that make knows to make"
    title = f"{fault.subject}{needed}"
    if blame.named_at:
        return title, "no build: CMakeLists.txt names the file, so a clean would mend nothing", ""
    if blame.folder:
        cost = "no build until CMake looks at the sources again: what it noted of them is stale"
        return title, cost, clean_of_folder(blame.folder)
    if fault.package:
        return title, "no build while the build script's old state is there", clean_of_package(fault.package)
    return title, "no build; a clean helps only where a note of an earlier build names the file", ""


def _symbol(fault: NativeFault, blame: Blame) -> tuple[str, str, str]:
    others = f" and {len(fault.more)} more" if fault.more else ""
    title = f"the link{f' of {fault.package}' if fault.package else ''} lacks {fault.subject}{others}"
    if blame.is_stale:
        cost = f"no program: {blame.package}'s build script did not compile its source again"
        return title, cost, clean_of_package(blame.package)
    if blame.library:
        ran = f"{blame.package}'s build script ran since, so a clean mends nothing"
        return title, f'no program: {ran}: look at the name (C++ needs extern "C"), at #if, at what it compiles', ""
    if blame.source:
        return title, f"no program: {blame.package}'s build script made no library of that source", ""
    return title, "no program: no native source of a package with a build script has it; a library is missing", ""


def _nvcc(fault: NativeFault, blame: Blame) -> tuple[str, str, str]:
    if blame.nvcc:
        return (
            f"nvcc is not in PATH; {blame.nvcc} has one",
            "no kernel",
            f'export PATH={shlex.quote(blame.nvcc)}:"$PATH"',
        )
    return "nvcc was not found", "no kernel: no CUDA toolkit is in PATH, nor where toolkits are installed", ""


def _host(fault: NativeFault, blame: Blame) -> tuple[str, str, str]:
    newest = re.search(r"later than (\d+)", fault.subject)
    if newest is not None:
        title = f"nvcc takes no host compiler newer than gcc {newest[1]}"
        return title, "no kernel; NVCC_CCBIN names another one", f"export NVCC_CCBIN=g++-{newest[1]}"
    if "clang" in fault.subject:
        return f"nvcc does not take this host compiler: {fault.subject}", "no kernel; NVCC_CCBIN names another one", ""
    return "nvcc cannot start its host compiler", "no kernel: -ccbin or NVCC_CCBIN names what is not there", ""


def _arch(fault: NativeFault, blame: Blame) -> tuple[str, str, str]:
    title = f"this nvcc does not know {fault.subject}"
    return title, "no kernel: the list of archs is older or newer than the toolkit", "nvcc --list-gpu-arch"


def _memory(fault: NativeFault, blame: Blame) -> tuple[str, str, str]:
    who = {"": "nvcc's front end", "nvcc": "a tool of nvcc's"}.get(fault.subject, fault.subject)
    title = f"{who} {'ran out of memory' if not fault.subject else 'was killed'}"
    cost = "no object; fewer compilers at a time (-j 1), no --threads, fewer archs need less"
    return (
        title,
        cost if not fault.subject else f"{cost}. Mostly for want of memory: the board says so where it is known",
        "",
    )


def _header(fault: NativeFault, blame: Blame) -> tuple[str, str, str]:
    title = f"{fault.by} includes {fault.subject}, which is not there"
    return title, "no object: the file is gone, or its folder is not among those that are searched (-I)", ""


_WORDS = {
    CACHE: _cache, RULE: _rule, SYMBOL: _symbol, NVCC: _nvcc, HOST: _host, ARCH: _arch, MEMORY: _memory,
    HEADER: _header,
}  # fmt: skip
IDS = tuple(_WORDS)
"""Of all of them."""
