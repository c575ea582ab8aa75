"""What kache's log says of each compilation. Source: kache 2.0.0, kache-protocol `BuildEvent`, schema 26.

`<runtime dir>/events.jsonl`, one object a line, written by each compiler call itself:
`{"ts": "2026-11-25T19:45:42.738124184Z", "crate_name": "a", "root": "/w", "result": "local_hit", "elapsed_ms": 26,
"compile_time_ms": 37, "size": 7732, "cache_key": "aa43…"}`. `root` is the folder around the target dir. A call that
cannot have the log's lock within 5 ms leaves its line out. Over 64 MB the last lines are kept in a new file.
"""

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from core.cache.calls import Call
from core.cache.journal_reader import Lookup
from core.cache.kache_why import KeyMemory, output_of, reason_of
from core.cache.zccache import seconds, when
from core.events.cache import CacheOutcome

__all__ = ["VARIABLES", "find_journals", "fits", "parse_line", "when"]

VARIABLES = ("KACHE_CACHE_DIR", "KACHE_RUNTIME_DIR", "KACHE_CONFIG", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME")
SCRIPT_RUN = "Build script"
"""Language of a build script's run, which kache keeps as well."""
_APART_S = 0.3
"""A call is noted when its process starts, and that is when kache's clock starts; milliseconds, and a busy machine."""


def find_journals(env: Mapping[str, str]) -> Iterable[str]:
    """The log that a build with this environment writes to."""
    home = env.get("HOME", "")
    cache = env.get("XDG_CACHE_HOME") or f"{home}/.cache"
    given = _settings(env)
    store = env.get("KACHE_CACHE_DIR") or given.get("local_store") or f"{cache}/kache"
    runtime = env.get("KACHE_RUNTIME_DIR") or given.get("runtime_dir") or store
    return (os.path.join(home, os.path.expanduser(str(runtime)), "events.jsonl"),)


def parse_line(line: bytes, memory: KeyMemory | None = None) -> Lookup | None:
    """A compilation, or a build script's run; None: a question to the compiler, or no line of that kind.

    `memory` knows why a look-up missed where kache does not say it.
    """
    try:
        row = json.loads(line)
        at, reason = seconds(row["ts"]), str(row.get("passthrough_reason") or "")
        if reason.startswith("not-a-compile"):
            return None
        outcome, reason, detail = _verdict(row, reason, memory)
        return _lookup(row, at, (outcome, reason, detail))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def fits(found: Lookup, call: Call) -> float | None:
    """How far apart in seconds the line and the call begin; None: it is another compilation."""
    if call.key.crate != found.crate or (found.extra is not None and call.key.extra != found.extra):
        return None
    is_there = call.key.out_dir == found.out_dir if found.out_dir else call.key.out_dir.startswith(found.root + "/")
    apart_s = abs(found.began - call.at)
    return apart_s if is_there and apart_s <= _APART_S else None


def _lookup(row: Mapping[str, Any], at: float, verdict: tuple[CacheOutcome, str, str]) -> Lookup:
    outcome, reason, detail = verdict
    crate, root = str(row["crate_name"]), str(row.get("root") or "")
    output = str(row.get("object_output") or "")
    is_script = crate == "build_script_run"
    language = SCRIPT_RUN if is_script else "C/C++" if output else "Rust"
    extra, out_dir = output_of(row)
    package = str(row.get("package") or row.get("rebuilt_package") or "")
    unit = (
        f"{package}(build)" if is_script else f"{package or crate}(build.rs)" if crate == "build_script_build" else ""
    )
    return Lookup(
        at - int(row["elapsed_ms"]) / 1e3, at, out_dir=os.path.dirname(output) or out_dir, root=root,
        crate=crate if language == "Rust" else "", extra=extra, unit=unit or os.path.basename(output) or crate,
        language=language, outcome=outcome, key=str(row.get("cache_key") or ""), reason=reason, detail=detail,
        saved_s=int(row.get("compile_time_ms") or 0) / 1e3 if outcome == "hit" else None,
        size_bytes=int(row["size"]) or None,
    )  # fmt: skip


def _verdict(row: Mapping[str, Any], passed: str, memory: KeyMemory | None) -> tuple[CacheOutcome, str, str]:
    """Outcome, reason, detail."""
    match row["result"]:
        case "local_hit" | "prefetch_hit":
            return "hit", "", ""
        case "remote_hit":
            return "hit", "", "from the remote cache"
        case "miss" | "dup":
            return _miss(row, memory)
        case "passthrough" if row.get("exit_code"):
            return "error", "compile failed", f"exit code {row['exit_code']}"
        case "passthrough" if passed.startswith("adaptive"):
            return "not cacheable", "incremental", f"kache: {passed}"
        case "passthrough":
            kind, _, detail = passed.rpartition("|")
            return "not cacheable", kind or "unsupported", detail
        case "skipped":
            return "not cacheable", "changed meanwhile", str(row.get("skip_reason") or "")
        case "error":
            return "error", "compile failed", ""
        case other:
            raise ValueError(f"result {other!r} is not known")


def _miss(row: Mapping[str, Any], memory: KeyMemory | None) -> tuple[CacheOutcome, str, str]:
    if failed := row.get("store_error"):
        return "error", "write", str(failed)
    if rejected := row.get("lookup_rejection"):
        return "missed", "evicted", str(rejected)
    if groups := row.get("key_diff"):
        return "missed", *reason_of(str(group) for group in groups)
    said = memory.why(row) if memory is not None else None
    return ("missed", *said) if said is not None else ("missed", "not known", "")


def _settings(env: Mapping[str, str]) -> Mapping[str, Any]:
    """Table `cache` of kache's settings; those of a checkout's own file are not read."""
    config = env.get("XDG_CONFIG_HOME") or f"{env.get('HOME', '')}/.config"
    path = env.get("KACHE_CONFIG") or f"{config}/kache/config.toml"
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file).get("cache")
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
