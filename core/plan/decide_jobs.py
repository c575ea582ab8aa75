"""How many compilers at once: as cores and memory allow, where a mode asks. Pure."""

from core.plan.decide_case import NO_MODE, Case, shown
from core.plan.given import Given, Origin
from core.plan.plan import Setting
from core.plan.profile import root_of

_GIB = 1 << 30
_MOST = 1 << 16
BYTES_A_JOB = _GIB
"""What one compiler is reckoned at, its link included: a crate of some thousand lines takes 0.2 GiB without
optimizing, links of middling workspaces 0.1 to 0.9 GiB, and a few of them run at once."""
OPTIMIZING_BYTES_A_JOB = _GIB * 3 // 2
"""With optimizing, or optimizing across crates: a link of the same workspaces takes half as much again."""


def jobs_row(case: Case) -> Setting:
    """The number, and what bounds it."""
    own, wanted = _given(case), case.option("jobs")
    cores = case.found.machine.usable_cores
    anyway = str(cores)
    if own is not None:
        reason = "as it is set"
        if wanted is not None and shown(wanted.value) != shown(own.value):
            count, bound = _wanted_jobs(case, wanted)
            reason = f"yours stays; mode {case.mode} would take {count}" + (f" ({bound})" if bound else "")
        return Setting("jobs", shown(own.value), "user", reason, origin=own.origin)
    if (server := _jobserver(case)) is not None:
        reason = "the jobserver that the build inherits rules: cargo leaves --jobs aside"
        return Setting("jobs", "the jobserver's", "user", reason, origin=server)
    if wanted is None:
        said = f"mode {case.mode} says nothing of it" if case.mode else NO_MODE
        return Setting("jobs", anyway, "cargo", f"one for each core that may be used; {said}")
    count, bound = _wanted_jobs(case, wanted)
    bound = bound or f"mode {case.mode} says so"
    if case.wish.agents > 1:
        bound += f"; {case.wish.agents} agents build now, a share of the cores would be {case.share}"
    if count == cores:
        return Setting("jobs", anyway, "mode", f"{bound}: what cargo does anyway", origin=wanted.origin)
    option = "--build-jobs" if case.wish.subcommand == "nextest" else "--jobs"
    return Setting("jobs", str(count), "mode", bound, _cost(count, cores), wanted.origin, (option, str(count)))


def _cost(count: int, cores: int) -> str:
    idle = cores - count
    return (
        f"{idle} of {_plural(cores, 'core')} may stay idle"
        if idle > 0
        else f"{count} compilers share {_plural(cores, 'core')}"
    )


def _given(case: Case) -> Given | None:
    typed = case.typed("build-jobs") if case.wish.subcommand == "nextest" else case.typed("jobs")
    if typed is not None:
        return Given(typed, Origin("command line"))
    return case.found.settings.get("build", "jobs")


def _jobserver(case: Case) -> Origin | None:
    for name in ("CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"):
        value = case.found.env.get(name, "")
        if "--jobserver-auth=" in value or "--jobserver-fds=" in value:
            return Origin(name)
    return None


def _wanted_jobs(case: Case, wanted: Given) -> tuple[int, str]:
    if isinstance(wanted.value, int) and not isinstance(wanted.value, bool):
        return max(1, min(wanted.value, _MOST)), ""
    return auto_jobs(case)


def auto_jobs(case: Case) -> tuple[int, str]:
    """As many as cores and memory allow, at least 1, and which of both it is."""
    machine = case.found.machine
    cores, memory = machine.usable_cores, machine.usable_memory_bytes
    if memory <= 0:
        return cores, f"{_plural(cores, 'core')}; the memory is not known"
    each = bytes_a_job(case)
    fit = max(1, memory // each)
    size = f"{memory / _GIB:.3g} GiB of memory at {each / _GIB:.3g} GiB a compiler"
    if fit < cores:
        return fit, f"{size}, on {_plural(cores, 'core')}"
    return cores, f"{_plural(cores, 'core')}; {size} would do for {fit}"


def bytes_a_job(case: Case) -> int:
    """What one compiler is reckoned at, with the link at its end."""
    lto = case.given("lto") or (None if case.foreign else case.option("lto"))
    has_lto = lto is not None and shown(lto.value) in ("thin", "fat", "true")
    return OPTIMIZING_BYTES_A_JOB if has_lto or root_of(case.found.settings, case.profile) == "release" else BYTES_A_JOB


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
