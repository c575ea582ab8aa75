"""What keeps a compiler cache from working. Evidence: knowledge of sccache 0.16, told in `docs/findings.md`. Pure."""

from core.plan.finding_facts import Facts, Findings, evidence_of, unset
from core.plan.foreign import short
from core.plan.found import Tool
from core.plan.given import Given, Key, Origin
from core.plan.plan import Evidence, Finding

_PER_AGENT = (
    "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR", "CARGO_TERM_COLOR", "CARGO_TERM_QUIET",
    "CARGO_TERM_VERBOSE", "CARGO_TERM_PROGRESS_WHEN", "CARGO_TERM_PROGRESS_WIDTH", "CARGO_TERM_HYPERLINKS",
    "CARGO_TERM_UNICODE",
)  # fmt: skip
"""Variables of cargo's that say how one agent builds. Those that all have in common only cost where one lacks them;
CARGO_BUILD_JOBS, CARGO_MAKEFLAGS, CARGO_ENCODED_RUSTFLAGS and CARGO_REGISTRIES_* are in no key."""
_PLACES = _PER_AGENT[:3]
_FLAG_OF = {
    "CARGO_TARGET_DIR": "--target-dir DIR",
    "CARGO_BUILD_TARGET_DIR": "--target-dir DIR",
    "CARGO_TERM_COLOR": "--color WHEN",
    "CARGO_TERM_QUIET": "--quiet",
    "CARGO_TERM_VERBOSE": "--verbose",
}
_PROGRAMS: tuple[tuple[Key, str], ...] = (
    (("build", "rustc-wrapper"), "RUSTC_WRAPPER"),
    (("build", "rustc-workspace-wrapper"), "RUSTC_WORKSPACE_WRAPPER"),
    (("build", "rustc"), "RUSTC"),
)
_REMOTE = (
    "SCCACHE_BUCKET", "SCCACHE_REDIS", "SCCACHE_REDIS_ENDPOINT", "SCCACHE_REDIS_CLUSTER_ENDPOINTS",
    "SCCACHE_MEMCACHED", "SCCACHE_MEMCACHED_ENDPOINT", "SCCACHE_GCS_BUCKET", "SCCACHE_GHA_ENABLED",
    "SCCACHE_AZURE_BLOB_CONTAINER", "SCCACHE_WEBDAV_ENDPOINT", "SCCACHE_OSS_BUCKET", "SCCACHE_COS_BUCKET",
    "SCCACHE_DIR", "SCCACHE_MULTILEVEL_CHAIN", "DECK_STORE",
)  # fmt: skip
"""That name a place which other machines may use too."""
BASEDIRS_FOR_RUST = (0, 18)
"""sccache from here on strips folders from what rustc is told, in part."""


def find_incremental_forced(facts: Facts) -> Findings:
    """CARGO_INCREMENTAL=1 where the client of sccache sees it: it exits 1, and the build with it."""
    given = facts.any_variable("CARGO_INCREMENTAL")
    if not facts.has_sccache or facts.wrapper is None or given is None or given.value != "1":
        return
    in_file = given.origin.is_file
    yield Finding(
        "sccache-incremental-forced",
        "error",
        "CARGO_INCREMENTAL=1 makes sccache refuse every call: the build fails",
        (evidence_of(given), evidence_of(facts.wrapper)),
        'No build at all: sccache 0.16 says "incremental compilation is prohibited" and exits 1 (measured).',
        "" if in_file else "unset CARGO_INCREMENTAL",
        facts.change(given, env_key(facts, "CARGO_INCREMENTAL")) if in_file else (),
    )


def env_key(facts: Facts, name: str) -> Key:
    """Under which a variable of `[env]` stands."""
    plain = ("env", name)
    return plain if facts.found.settings.get(*plain) is not None else (*plain, "value")


def find_incremental(facts: Facts) -> Findings:
    """`incremental = true` in a file, and sccache: what is incremental is never cached."""
    if not facts.has_sccache or facts.wrapper is None or facts.found.env.get("CARGO_INCREMENTAL") is not None:
        return
    said = _incremental(facts)
    if said is None or said[1].value is not True:
        return
    key, given = said
    yield Finding(
        "sccache-incremental",
        "warning",
        "incremental = true keeps sccache from caching the workspace's crates",
        (evidence_of(given, f"{'.'.join(key)} = true"), evidence_of(facts.wrapper)),
        "Every crate of the workspace is compiled, only dependencies come from the cache: 10 of 21 hits instead of 20 "
        "(measured on a workspace of 24 crates).",
        unset(given),
        facts.change(given, key, False),
    )


def _incremental(facts: Facts) -> tuple[Key, Given] | None:
    """Who says whether the profile that is built is incremental. Cargo asks `build.incremental` first."""
    built = facts.found.settings.get("build", "incremental")
    return (("build", "incremental"), built) if built is not None else facts.of_profile("incremental")


def find_key_variables(facts: Facts) -> Findings:
    """Variables that say how one agent builds, and are a part of each key of sccache's."""
    if not facts.has_cache or not _is_sccache_in_use(facts):
        return
    names = [name for name in _PER_AGENT if facts.found.env.get(name)]
    if "CI" in facts.found.env:
        names = [name for name in names if name in _PLACES]
    if home_of_agent(facts) is not None:
        names.append("CARGO_HOME")
    if not names:
        return
    flags = [f"{name}: {_FLAG_OF[name]}" for name in names if name in _FLAG_OF]
    yield Finding(
        "cache-key-variables",
        "warning",
        f"{_and(names)} in the environment: a part of every cache key",
        tuple(Evidence(Origin(name), facts.found.env[name]) for name in names),
        "Nothing that was compiled under another value of it is ever a hit: 0 of 21 instead of 20 (measured with "
        "CARGO_TARGET_DIR and CARGO_TERM_COLOR). CARGO_BUILD_JOBS, CARGO_MAKEFLAGS, CARGO_ENCODED_RUSTFLAGS and "
        "CARGO_REGISTRIES_* are in no key.",
        f"unset {' '.join(names)}" + (f"  # instead: {', '.join(flags)}" if flags else ""),
    )


def _is_sccache_in_use(facts: Facts) -> bool:
    return facts.has_sccache or facts.wish.cache.startswith("sccache")


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def home_of_agent(facts: Facts) -> Given | None:
    """CARGO_HOME where it is a place of one checkout or one agent alone; None: it is not."""
    env, found = facts.found.env, facts.found
    home = env.get("CARGO_HOME", "")
    if not home.startswith("/"):
        return None
    agent = env.get("AGENT_ID", "")
    below = [folder.rstrip("/") + "/" for folder in (found.root, found.cwd, env.get("TMPDIR", ""), "/tmp") if folder]
    is_private = any((home + "/").startswith(folder) and folder != "/" for folder in below)
    is_named = len(agent) > 2 and agent in home.split("/")
    return Given(home, Origin("CARGO_HOME")) if is_private or is_named else None


def find_basedirs(facts: Facts) -> Findings:
    """SCCACHE_BASEDIRS: nothing for Rust up to 0.17, and unsound for C and C++ with sccache's direct mode."""
    given = facts.any_variable("SCCACHE_BASEDIRS")
    version = facts.found.tool("sccache").version
    if given is None or not given.value or not _is_sccache_in_use(facts) or not version or version >= BASEDIRS_FOR_RUST:
        return
    direct = facts.any_variable("SCCACHE_DIRECT")
    is_direct = direct is None or str(direct.value).lower() not in ("false", "off", "0", "no")
    yield Finding(
        "sccache-basedirs",
        "warning" if is_direct else "hint",
        f"SCCACHE_BASEDIRS does nothing for Rust in sccache {facts.found.tool('sccache').shown}",
        (evidence_of(given), Evidence(Origin("sccache"), facts.found.tool("sccache").shown)),
        "In another checkout 10 of 21 hits, with it or without it (measured)."
        + (" C and C++ in direct mode get objects of another checkout (reproduced with 0.16)." if is_direct else ""),
        "export SCCACHE_DIRECT=false" if is_direct and not given.origin.is_file else "",
    )


def find_native(facts: Facts) -> Findings:
    """`target-cpu=native`, and a cache that other machines may use: sccache's key holds the word, not the CPU."""
    flags = [flag for flag in facts.flags if (flag.kind, flag.name, flag.value) == ("C", "target-cpu", "native")]
    shared = [name for name in _REMOTE if facts.found.env.get(name)]
    shared = [name for name in shared if facts.found.env[name] not in ("own", "false")]
    if not flags or not shared or not _is_sccache_in_use(facts):
        return
    yield Finding(
        "native-in-shared-cache",
        "warning",
        "target-cpu=native in a cache that other machines may use: their CPU may be another",
        (*(Evidence(flag.origin, flag.shown) for flag in flags),
         *(Evidence(Origin(name), "set") for name in shared)),
        "A program with instructions that this machine does not have dies by SIGILL. Not measured: the key holds the "
        "word native, not what it stands for.",
    )  # fmt: skip


def find_cargo_home(facts: Facts) -> Findings:
    """CARGO_HOME of one agent's own: downloads again, and misses in the cache."""
    home = home_of_agent(facts)
    if home is None or "CI" in facts.found.env:
        return
    yield Finding(
        "cargo-home-per-agent",
        "hint",
        "A CARGO_HOME of one's own downloads every crate again, to avoid a wait of milliseconds",
        (evidence_of(home),),
        "The lock of the package cache is held 1.3 ms at the longest while nothing is downloaded (measured); paths of "
        "sources are in cache keys, so that each agent misses.",
        "unset CARGO_HOME",
    )


def find_wrapper(facts: Facts) -> Findings:
    """A wrapper, or a rustc, that is named and is not there, or does not run."""
    for key, variable in _PROGRAMS:
        given = facts.variable(variable) or facts.found.settings.get(*key)
        if given is None or not isinstance(given.value, str) or not given.value:
            continue
        tool = _wrapper_tool(facts, given.value)
        if tool is None or tool.is_usable:
            continue
        what = "does not run" if tool.path else "is not there"
        yield Finding(
            "wrapper-unusable",
            "error",
            f"The {key[1]} {short(given.value)} {what}",
            (evidence_of(given), *([Evidence(Origin(tool.path), tool.trouble)] if tool.path else [])),
            "No build: cargo runs it before everything else.",
            unset(given),
            facts.change(given, key),
        )


def _wrapper_tool(facts: Facts, name: str) -> Tool | None:
    """What is known of it; None: nothing. Cargo looks in PATH alone, where ours may know another place."""
    tool = facts.found.tools.get(name)
    path = facts.found.env.get("PATH")
    if tool is None or not path or "/" in name or not tool.path:
        return tool
    return tool if tool.path.rpartition("/")[0] in [one.rstrip("/") for one in path.split(":")] else Tool(name)


FINDERS = (
    find_incremental_forced, find_wrapper, find_incremental, find_key_variables, find_basedirs, find_native,
    find_cargo_home,
)  # fmt: skip
