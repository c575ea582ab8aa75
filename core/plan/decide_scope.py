"""Where it is built, with which cache, what of it, by how many compilers, and where sources come from. Pure."""

from collections.abc import Iterator, Mapping

from core.plan.decide_case import NO_MODE, Case, has_our_cache, shown
from core.plan.given import Given, Origin
from core.plan.plan import Setting
from core.plan.profile import root_of
from core.run.mask import safe_words

NAMES_PACKAGES = ("package", "workspace", "all", "exclude", "manifest-path")
"""Options that name packages: those are built, whatever a mode says."""
_FEATURES = ("features", "all-features", "no-default-features")
_MAX_HOPS = 16
_GIB = 1 << 30
_MOST = 1 << 16
BYTES_A_JOB = _GIB
"""What one compiler is reckoned at, its link included: a crate of some thousand lines takes 0.2 GiB without
optimizing, links of middling workspaces 0.1 to 0.9 GiB, and a few of them run at once."""
OPTIMIZING_BYTES_A_JOB = _GIB * 3 // 2
"""With optimizing, or optimizing across crates: a link of the same workspaces takes half as much again."""


def target_dir_row(case: Case) -> Setting:
    """Where it builds: decided before, told here."""
    by = {"user": "user", "private": "deck"}.get(case.wish.target_dir_source, "cargo")
    reason = case.wish.target_dir_reason or ("the checkout's own" if by == "cargo" else "as it is set")
    return Setting("target-dir", shown(case.wish.target_dir or "not known"), by, reason)


def cache_row(case: Case) -> Setting:
    """Which compiler cache is in front: decided before, told here."""
    cache = case.wish.cache
    reason = case.wish.cache_reason or "nobody asks for one"
    if has_our_cache(case):
        return Setting("cache", shown(cache), "deck", reason, "the first edit of a member takes about three times as "
                       "long; programs, proc macros and build scripts are not kept")  # fmt: skip
    return Setting("cache", shown(cache), "cargo" if cache == "none" else "user", reason)


def scope_settings(case: Case) -> Iterator[Setting]:
    """Packages, features and how much is said, where somebody asks."""
    wanted = case.option("packages")
    if wanted is not None:
        yield _packages(case, wanted)
    if case.wish.features is not None:
        yield _features(case, case.wish.features)
    if case.wish.is_verbose is not None:
        yield _verbose(case, case.wish.is_verbose)


def _packages(case: Case, wanted: Given) -> Setting:
    typed = next((name for name in NAMES_PACKAGES if name in case.wish.options), None)
    if typed is not None:
        names = " ".join(filter(None, case.wish.options[typed])) or typed
        return Setting("packages", shown(names), "user", f"--{typed} on the command line says which",
                       origin=Origin("command line"))  # fmt: skip
    if wanted.value == "all":
        return Setting("packages", "all", "mode", "all that the command line means", origin=wanted.origin)
    changed, reason = case.wish.changed, case.wish.changed_reason
    if changed is None:
        return Setting("packages", "all", "cargo", reason or "it is not known which differ: all are taken")
    if not changed:
        return Setting("packages", "all", "cargo", f"none differs: all are taken{reason and '; ' + reason}")
    flags = tuple(word for name in changed for word in ("--package", name))
    left = "" if wanted.value == "changed+dependants" else "what depends on them is not looked at; "
    cost = f"{left}features may be fewer than with all packages, and then dependencies are compiled once more"
    return Setting("packages", shown(changed), "mode", reason or "their files differ", cost, wanted.origin, flags)


def _features(case: Case, wanted: Given) -> Setting:
    typed = next((name for name in _FEATURES if name in case.wish.options), None)
    if typed is not None:
        return Setting("features", shown(" ".join(filter(None, case.wish.options[typed])) or typed), "user",
                       f"--{typed} on the command line counts more than {wanted.origin.shown}",
                       origin=Origin("command line"))  # fmt: skip
    value = shown(wanted.value)
    if not value.strip():
        return Setting("features", "default", "cargo", f"{wanted.origin.shown} is empty", origin=wanted.origin)
    return Setting("features", value, "user", f"{wanted.origin.shown} asks for them",
                   "other features are other units, beside the plain ones", wanted.origin,
                   ("--features", wanted.value if isinstance(wanted.value, str) else value))  # fmt: skip


def _verbose(case: Case, wanted: Given) -> Setting:
    typed = next((name for name in ("verbose", "quiet") if name in case.wish.options), None)
    if typed is not None:
        return Setting("verbose", "true" if typed == "verbose" else "false", "user", f"--{typed} on the command line",
                       origin=Origin("command line"))  # fmt: skip
    if wanted.value is not True:
        return Setting("verbose", "false", "user", f"{wanted.origin.shown} says so", origin=wanted.origin)
    return Setting("verbose", "true", "user", f"{wanted.origin.shown} asks for it", origin=wanted.origin,
                   flags=("--verbose",))  # fmt: skip


def fetch_row(case: Case) -> Setting:
    """How sources of the registry are had."""
    offline = next((name for name in ("offline", "frozen") if name in case.wish.options), None)
    if offline is not None:
        return Setting("fetch", "offline", "user", f"--{offline} on the command line", origin=Origin("command line"))
    given = case.found.settings.get("net", "offline")
    if given is not None and given.value is True:
        return Setting("fetch", "offline", "user", "net.offline is set: nothing is loaded", origin=given.origin)
    replaced = case.found.settings.get("source", "crates-io", "replace-with")
    if replaced is None:
        return Setting(
            "fetch",
            "crates.io",
            "cargo",
            "what $CARGO_HOME lacks is loaded by the first build that needs it, "
            "once for all agents; a fetch before four builds saved no time (docs/plan-figures.md)",
        )
    value, reason = _source(case, replaced)
    return Setting("fetch", value, "user", reason, origin=replaced.origin)


def _source(case: Case, replaced: Given) -> tuple[str, str]:
    """What stands at the end of a row of replacements."""
    name, seen = shown(replaced.value), set[str]()
    while name not in seen and len(seen) < _MAX_HOPS:
        seen.add(name)
        further = case.found.settings.get("source", name, "replace-with")
        if further is None:
            break
        name = shown(further.value)
    for kind, word in (("directory", "vendored"), ("local-registry", "local registry"), ("registry", "mirror"),
                       ("git", "git mirror")):  # fmt: skip
        given = case.found.settings.get("source", name, kind)
        if given is not None:
            where = safe_words((shown(given.value),), dict(case.found.env))[0]
            return f"{word} {shown(name)}", f"crates.io is replaced by {where}"
    return f"mirror {shown(name)}", "crates.io is replaced"


# How many compilers at once


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
    if (server := jobserver(case.found.env)) is not None:
        reason = "the jobserver that the build inherits rules: cargo leaves --jobs aside"
        return Setting("jobs", "the jobserver's", "user", reason, origin=server.origin)
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


def jobserver(env: Mapping[str, str]) -> Given | None:
    """The variable that holds an inherited jobserver. Source: jobserver-rs 0.1.34: in this order."""
    for name in ("CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"):
        value = env.get(name, "")
        if "--jobserver-auth=" in value or "--jobserver-fds=" in value:
            return Given(value, Origin(name))
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
