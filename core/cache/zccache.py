"""What zccache's journal says of each compilation. Source: zccache 1.15.8, docs/journal-schema.md.

`<cache root>/v<version>/logs/compile_journal.jsonl`, one object a line for whoever asked the daemon:
`{"ts": "2026-11-25T19:41:58.641Z", "outcome": "miss", "compiler": "…/rustc", "args": […], "cwd": "…", "exit_code": 0,
"latency_ns": 29215644, "context_key": "53c8…", "miss_reason": "context_not_found"}`. A file of more than 50 MB is
renamed and begun anew. Its key names the question, not the contents, so nobody can say who filled the entry of a hit.
"""

import glob
import json
import os
import pwd
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from core.cache.calls import Call, CallKey, key_of, unit_name
from core.cache.journal_reader import Lookup
from core.events.cache import CacheOutcome

VARIABLES = ("ZCCACHE_CACHE_DIR", "HOME")
_LATER_S = 0.05
"""A call is noted before the daemon hears of it; two clocks differ by no more."""
_REASONS = {
    "context_not_found": "first time",
    "input_fingerprint_mismatch": "inputs",
    "no_artifact_for_key": "evicted",
    "version_skew": "compiler",
}
_CHANGED = {"changed_files": "source", "changed_flags": "flags", "changed_deps": "dependency"}
_C_COMPILERS = ("cc", "c++", "gcc", "g++", "clang", "clang++")


def find_journals(env: Mapping[str, str]) -> Iterable[str]:
    """Journals that a build with this environment may be in: those of its cache roots, and of daemons that run.

    A daemon takes its home from the user database where the build's HOME is another one.
    """
    roots = [env.get("ZCCACHE_CACHE_DIR"), _below(env.get("HOME")), _below(_home())]
    found: dict[str, None] = {}
    for root in roots:
        if root:
            for pattern in ("v*/logs", "logs"):
                found |= dict.fromkeys(glob.glob(f"{glob.escape(root)}/{pattern}/compile_journal.jsonl"))
    return [*found, *(path for path in _open_journals() if path not in found)]


def when(line: bytes) -> float | None:
    """When a line was written."""
    start = line.find(b'"ts":"')
    try:
        return seconds(line[start + 6 : line.index(b'"', start + 6)].decode()) if start >= 0 else None
    except ValueError:
        return None


def parse_line(line: bytes) -> Lookup | None:
    """A compilation; None: a question to the compiler, a link, or no line of zccache's."""
    try:
        row = json.loads(line)
        words = tuple(str(word) for word in row["args"])
        compiler = os.path.basename(str(row["compiler"]))
        at, elapsed_s = seconds(row["ts"]), int(row["latency_ns"]) / 1e9
        if compiler == "rustc" or compiler.startswith("clippy-driver"):
            return _rust(row, words, at, elapsed_s)
        return _other(row, compiler, words, at, elapsed_s)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def fits(found: Lookup, call: Call) -> float | None:
    """How far apart in seconds the line and the call begin; None: it is another compilation."""
    if call.key != CallKey(found.crate, found.extra or "", found.out_dir) or call.at > found.began + _LATER_S:
        return None
    return abs(found.began - call.at)


def _rust(row: Mapping[str, Any], words: tuple[str, ...], at: float, elapsed_s: float) -> Lookup | None:
    if "-" in words or any(word.startswith("--print") for word in words):
        return None
    key = key_of(words)
    if not key.crate or not key.out_dir:
        return None
    env = {str(name): str(value) for name, value in row.get("env") or ()}
    outcome, reason, detail = _verdict(row)
    return Lookup(
        at - elapsed_s, at, out_dir=os.path.normpath(os.path.join(str(row["cwd"]), key.out_dir)), root="",
        crate=key.crate, extra=key.extra, unit=unit_name(words, env) or key.crate, language="Rust", outcome=outcome,
        key=str(row.get("context_key") or ""), reason=reason, detail=detail, saved_s=None, size_bytes=None,
    )  # fmt: skip


def _other(row: Mapping[str, Any], compiler: str, words: tuple[str, ...], at: float, elapsed_s: float) -> Lookup | None:
    if row["outcome"] in ("link_hit", "link_miss") or "-c" not in words or "-o" not in words[:-1]:
        return None
    output = os.path.normpath(os.path.join(str(row["cwd"]), words[words.index("-o") + 1]))
    language = "C/C++" if compiler.rstrip("0123456789.-").endswith(_C_COMPILERS) else compiler
    outcome, reason, detail = _verdict(row)
    return Lookup(
        at - elapsed_s, at, out_dir=os.path.dirname(output), root="", crate="", extra=None,
        unit=os.path.basename(output), language=language, outcome=outcome, key=str(row.get("context_key") or ""),
        reason=reason, detail=detail, saved_s=None, size_bytes=None,
    )  # fmt: skip


def _verdict(row: Mapping[str, Any]) -> tuple[CacheOutcome, str, str]:
    """Outcome, reason, detail."""
    match row["outcome"]:
        case "hit":
            return "hit", "", ""
        case "cached_error":
            return "error", "compile failed", "told again from the cache"
        case "miss":
            return _miss(str(row.get("miss_reason") or "unknown"), row.get("miss_diff") or {})
        case "error" if row["exit_code"] == -1:
            return "error", "server", "the daemon could not compile it"
        case "error":
            signal = row.get("termination_signal")
            return "error", "compile failed", f"signal {signal}" if signal else f"exit code {row['exit_code']}"
        case other:
            raise ValueError(f"outcome {other!r} is not known")


def _miss(said: str, changes: Mapping[str, Any]) -> tuple[CacheOutcome, str, str]:
    if said == "uncacheable_input":
        return "not cacheable", "unsupported", ""
    if said == "destination_write_failed":
        return "error", "write", "it could not be put where the build wants it"
    for name, reason in _CHANGED.items():
        if changed := changes.get(name):
            return "missed", reason, ", ".join(str(one) for one in changed)
    return "missed", _REASONS.get(said, "not known"), ""


def seconds(text: str) -> float:
    """Since the epoch, of a time as ISO 8601 has it. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()


def _below(home: str | None) -> str | None:
    return f"{home}/.zccache" if home else None


def _home() -> str | None:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None


def _open_journals() -> list[str]:
    """Those that a daemon of this user holds open: it may have been started with other settings."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("zccache-daemon"):
                links = (os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
                found += [link for link in links if link.endswith("/compile_journal.jsonl")]
        except OSError:  # gone, or another user's
            continue
    return found
