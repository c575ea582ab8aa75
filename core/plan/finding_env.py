"""Variables that nobody reads, and jobservers that have more say than flags. Pure."""

from core.plan.decide_scope import jobserver
from core.plan.finding_facts import Facts, Findings, evidence_of, unset
from core.plan.foreign import short
from core.plan.given import Given, Key, Origin
from core.plan.plan import Change, Evidence, Finding

_READ_BY_CARGO = (
    "CARGO_BUILD_", "CARGO_TERM_", "CARGO_PROFILE_", "CARGO_NET_", "CARGO_HTTP_", "CARGO_ALIAS_", "CARGO_UNSTABLE_",
    "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_", "CARGO_RESOLVER_", "CARGO_CACHE_",
)  # fmt: skip
_READ_BY_CARGO_WHOLE = (
    "CARGO_INCREMENTAL", "CARGO_HOME", "CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUSTDOC",
    "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTUP_TOOLCHAIN",
)  # fmt: skip
_TARGET_ENDS = ("_LINKER", "_RUNNER", "_RUSTFLAGS", "_RUSTDOCFLAGS")
_SAME_SETTING: dict[str, tuple[Key, str]] = {
    "CARGO_BUILD_JOBS": (("build", "jobs"), "int"),
    "CARGO_INCREMENTAL": (("build", "incremental"), "bool"),
    "CARGO_TARGET_DIR": (("build", "target-dir"), "str"),
    "CARGO_BUILD_TARGET_DIR": (("build", "target-dir"), "str"),
    "CARGO_BUILD_TARGET": (("build", "target"), "str"),
    "RUSTC_WRAPPER": (("build", "rustc-wrapper"), "str"),
    "RUSTFLAGS": (("build", "rustflags"), "str"),
}
"""Under which key a config says what the variable was meant to say."""
_MAKE_WITH_FIFO = (4, 4)


def is_read_by_cargo(name: str) -> bool:
    """Cargo reads this variable when it starts, before it looks at `[env]`."""
    if name in _READ_BY_CARGO_WHOLE or name.startswith(_READ_BY_CARGO):
        return True
    return name.startswith("CARGO_TARGET_") and name.endswith(_TARGET_ENDS)


def _env_table(facts: Facts) -> dict[str, tuple[Key, Given]]:
    """Variables of `[env]`, with the key that holds the value."""
    found: dict[str, tuple[Key, Given]] = {}
    for key, given in facts.found.settings.values.items():
        if key[:1] == ("env",) and (len(key) == 2 or (len(key) == 3 and key[2] == "value")):
            found[key[1]] = key, given
    return found


def find_env_table(facts: Facts) -> Findings:
    """Variables in `[env]` that cargo itself does not read from there."""
    said = {name: one for name, one in _env_table(facts).items() if is_read_by_cargo(name)}
    if facts.has_sccache and "CARGO_INCREMENTAL" in said and said["CARGO_INCREMENTAL"][1].value == "1":
        del said["CARGO_INCREMENTAL"]
    if not said:
        return
    names = list(said)
    title = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    yield Finding(
        "env-table-unread",
        "warning",
        f"[env] {short(title, 45)}: cargo does not read that from there",
        tuple(Evidence(given.origin, f"env.{name}") for name, (_, given) in said.items()),
        "It does nothing but reach rustc and build scripts: with CARGO_BUILD_JOBS in [env] as many jobs run as before "
        "(tried with 1.95).",
        changes=tuple(change for name, one in said.items() for change in _moved(facts, name, *one)),
    )


def _moved(facts: Facts, name: str, key: Key, given: Given) -> tuple[Change, ...]:
    """Out of `[env]`, and to where it is read, unless something stands there."""
    changes = facts.change(given, key if len(key) == 2 else key[:2])
    if name not in _SAME_SETTING or not isinstance(given.value, str):
        return changes
    there, kind = _SAME_SETTING[name]
    value: int | bool | str = given.value
    if kind == "int":
        if not given.value.isascii() or not given.value.lstrip("-").isdigit():
            return changes
        value = int(given.value)
    if kind == "bool":
        return changes
    return changes + facts.change(given, there, value) if facts.found.settings.get(*there) is None else changes


def find_rustc_threads(facts: Facts) -> Findings:
    """RUSTC_THREADS, which nobody reads."""
    table = _env_table(facts).get("RUSTC_THREADS")
    given = facts.variable("RUSTC_THREADS") or (table[1] if table else None)
    if given is None:
        return
    is_ours = given.origin.is_file
    yield Finding(
        "rustc-threads",
        "warning",
        "RUSTC_THREADS is read by nobody: it limits no threads",
        (evidence_of(given, f"RUSTC_THREADS = {evidence_of(given).value}"),),
        "As many threads as without it: the word does not stand in rustc or cargo 1.95 (searched). What limits them is "
        "[build] jobs, on nightly -Zthreads.",
        "" if is_ours else "unset RUSTC_THREADS",
        facts.change(given, table[0] if len(table[0]) == 2 else table[0][:2]) if is_ours and table else (),
    )


def find_jobs(facts: Facts) -> Findings:
    """`-j` beside an inherited jobserver."""
    given = jobserver(facts.found.env)
    jobs = facts.wish.options.get("build-jobs" if facts.wish.subcommand == "nextest" else "jobs")
    if given is None or not jobs:
        return
    yield Finding(
        "jobs-with-jobserver",
        "warning",
        f"-j {short(jobs[-1], 8)} does not count: cargo takes its jobs from the jobserver it inherited",
        (Evidence(Origin("-j"), jobs[-1]), evidence_of(given)),
        "As many compilers as the jobserver has tokens; only NUM_JOBS of build scripts follows -j (tried with 1.95).",
        unset(given),
    )


def find_fifo(facts: Facts) -> Findings:
    """A jobserver of the style fifo in MAKEFLAGS, and a make that does not know it."""
    value = facts.found.env.get("MAKEFLAGS", "")
    make = facts.found.tool("make")
    if "--jobserver-auth=fifo:" not in value or not make.version or make.version >= _MAKE_WITH_FIFO:
        return
    yield Finding(
        "makeflags-fifo",
        "warning",
        f"MAKEFLAGS names a fifo: make {make.shown} ends with an error, cargo needs CARGO_MAKEFLAGS alone",
        (Evidence(Origin("MAKEFLAGS"), value), Evidence(Origin(make.path), make.shown)),
        'Each build script that calls make fails: "internal error: invalid --jobserver-auth string" (tried with 4.3).',
        'export CARGO_MAKEFLAGS="$MAKEFLAGS"; unset MAKEFLAGS',
    )


def find_shared_target_dir(facts: Facts) -> Findings:
    """A target dir outside the workspace that other checkouts may use too."""
    wish, root = facts.wish, facts.found.root
    if wish.target_dir_source != "user" or not wish.target_dir or not root or "CI" in facts.found.env:
        return
    if (wish.target_dir + "/").startswith(root.rstrip("/") + "/") or root.rpartition("/")[2] in wish.target_dir:
        return
    given = facts.variable("CARGO_TARGET_DIR") or facts.found.settings.get("build", "target-dir")
    if given is None or (given.origin.is_file and given.origin.place.startswith(root.rstrip("/") + "/")):
        return
    yield Finding(
        "target-dir-outside",
        "hint",
        "The target dir is outside the workspace: a second checkout in it can get wrong programs",
        (evidence_of(given),),
        "Two checkouts in one dir wait for each other, and the one can run the other's program (reproduced with 1.95: "
        "`Finished` in 0.04 s and the wrong output).",
        unset(given),
        facts.change(given, ("build", "target-dir")),
    )


FINDERS = (find_env_table, find_rustc_threads, find_jobs, find_fifo, find_shared_target_dir)
