"""Which program links: the user's, the mode's where it can, else what the toolchain does by itself. Pure.

Cargo's `linker` key is never set: it rebuilds everything at each change, which flags for rustc do not.
"""

from core.plan.decide_case import NO_MODE, Case, shown
from core.plan.decide_rustflags import added, cost_of_flags, flag_key
from core.plan.found import Tool
from core.plan.given import Given, Key
from core.plan.plan import Setting
from core.plan.rustflags import Flag, target_keys

_GCC_KNOWS_MOLD = (12, 1)
_FAST = ("lld", "mold")
"""Links took 0.49 and 0.61 of GNU ld's time: docs/plan-figures.md."""
_GAIN = {
    "fast": "lld or mold, faster than GNU ld",
    "mold": "links on all cores",
    "lld": "links faster than GNU ld",
    "wild": "links fastest of all; it is young",
    "bfd": "GNU ld, which everything links with",
}


def linker_row(case: Case) -> Setting:
    """Who links what is built for the target."""
    wanted = case.option("linker")
    if (own := _users(case)) is not None:
        return _stays(case, own, wanted)
    anyway = default_linker(case)
    if wanted is None:
        reason = f"mode {case.mode} says nothing of it" if case.mode else NO_MODE
        return Setting("linker", anyway, "cargo", f"the toolchain's default; {reason}")
    name, why_not = _choice(case, shown(wanted.value), anyway)
    if name in ("default", _short(anyway)):
        return Setting("linker", anyway, "mode", "what the toolchain links with anyway", origin=wanted.origin)
    if why_not:
        return Setting("linker", anyway, "cargo", f"the toolchain's default: {why_not}")
    flags = added(case, *_words(case, name))
    return Setting("linker", name, "mode", _gain(name), cost_of_flags(case), wanted.origin, flags)


def _choice(case: Case, name: str, anyway: str) -> tuple[str, str]:
    """The linker that a mode means, and why it is not taken; empty: it is. `fast` is the first that can be had of
    those that were measured to be faster than GNU ld; nothing is faster than the toolchain's own lld."""
    if name == "fast":
        if is_apple(case) or _short(anyway) in _FAST:
            return "default", ""
        if why_not := _why_not_here(case, "another one"):
            return "", why_not
        reasons = {one: _why_not(case, one) for one in _FAST}
        name = next((one for one, why_not in reasons.items() if not why_not), "")
        return name, "" if name else "; ".join(dict.fromkeys(reasons.values()))
    return name, "" if name in ("default", _short(anyway)) else _why_not(case, name)


def _stays(case: Case, own: Given, wanted: Given | None) -> Setting:
    reason = "as it is set"
    if wanted is not None and wanted.value not in ("default", own.value):
        reason = f"yours stays; mode {case.mode} would take {shown(wanted.value)}: {_gain(shown(wanted.value))}"
    return Setting("linker", own.value, "user", reason, origin=own.origin)


def _gain(name: str) -> str:
    return _GAIN.get(name, "another linker")


def default_linker(case: Case) -> str:
    """What links where nobody says anything."""
    if is_apple(case):
        return "Apple's"
    chain = case.found.toolchain
    if chain.links_with_lld and case.triple == chain.host:
        return "rust-lld"
    if case.found.target is not None and case.found.target.linker:
        return shown(case.found.target.linker)
    return case.found.tool("ld").kind or "the one of cc"


def is_apple(case: Case) -> bool:
    """It is built for one of Apple's systems."""
    return "-apple-" in case.triple or (not case.triple and case.found.machine.system == "darwin")


def _short(name: str) -> str:
    return {"rust-lld": "lld"}.get(name, name)


def _users(case: Case) -> Given | None:
    """How the user chose a linker."""
    for flag in reversed(case.flags):
        if (name := _chosen_by(flag)) is not None:
            return Given(name, flag.origin)
    for key, is_known in _linker_keys(case):
        if is_known:
            found = case.found.settings.values[key]
            return found._replace(value=shown(found.value))
    return None


def _linker_keys(case: Case) -> list[tuple[Key, bool]]:
    return target_keys(case.found.settings, case.triple, "linker")


def _chosen_by(flag: Flag) -> str | None:
    """The linker that a flag names; None: it is about something else."""
    if flag.kind == "C" and flag.name == "linker":
        return shown(flag.value)
    if flag.kind in ("C", "Z") and flag.name in ("linker-flavor", "linker-features"):
        return shown(f"{flag.name}={flag.value}")
    if flag.kind == "C" and flag.name in ("link-arg", "link-args"):
        for word in flag.value.split():
            for head in ("-fuse-ld=", "--ld-path="):
                if word.startswith(head):
                    return shown(word.removeprefix(head).rpartition("/")[2].removeprefix("ld."))
    return None


def _why_not(case: Case, name: str) -> str:
    """Why the mode's linker is not taken; empty: it is."""
    if why_not := _why_not_here(case, name):
        return why_not
    if name in case.found.refused_linkers:
        return f"{name} failed to link this workspace before"
    return _why_no_tool(case.found.tool(name), name) or _why_no_driver(case, name) or flag_key(case).refused


def _why_not_here(case: Case, name: str) -> str:
    """Why no other linker is taken for what is built; empty: one may be."""
    from core.plan.cfg import facts_of  # few modes ask for a linker

    facts = facts_of(case.triple) or {}
    if is_apple(case):
        return "on Apple's systems its own linker stays"
    if facts.get("target_os") != "linux":
        return f"{name} is chosen for Linux alone, and this builds for {case.triple or 'an unknown target'}"
    if facts["target_env"] == "musl":
        return f"{case.triple} links with what comes with it, and {name} is not tried there"
    if case.triple != case.found.toolchain.host:
        return f"{case.triple} is not this machine's: its own linker knows it"
    if keys := _linker_keys(case):
        return f"it cannot be told whether {keys[0][0][1]} holds, and so what links"
    return ""


def _why_no_tool(tool: Tool, name: str) -> str:
    if not tool.path:
        return f"{name} is not there"
    if not tool.is_asked:
        return f"{name} was not asked yet whether it runs: the next build knows"
    return f"{name} cannot be used: {tool.trouble}" if tool.trouble else ""


def _why_no_driver(case: Case, name: str) -> str:
    """What `cc` cannot do: rustc links through it."""
    driver = case.found.tool("cc")
    if not driver.path:
        return "there is no cc, through which rustc links"
    if driver.trouble:
        return f"cc, through which rustc links, cannot be used: {driver.trouble}"
    if not driver.is_asked:
        return "cc, through which rustc links, was not asked yet what it is: the next build knows"
    if is_clang(case):
        return ""
    if name == "wild":
        return "only clang can be told to use wild, and cc is gcc"
    if name == "mold" and driver.version < _GCC_KNOWS_MOLD:
        return f"cc is gcc {driver.shown or 'of an unknown version'}, which knows mold from 12.1 on"
    return ""


def is_clang(case: Case) -> bool:
    """`cc` is clang."""
    driver, clang = case.found.tool("cc"), case.found.tool("clang")
    return driver.kind == "clang" or (bool(driver.path) and driver.path == clang.path)


def _words(case: Case, name: str) -> tuple[str, ...]:
    if name == "wild":
        return "-C", f"link-arg=--ld-path={case.found.tool('wild').path}"
    return "-C", f"link-arg=-fuse-ld={name}"
