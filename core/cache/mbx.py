"""What mbx's sessions say of each compilation. Source: mbx 1.29.1, `events.rs`.

`<cache dir>/actions/sessions/v1/<ms>-<pid>-<random>.jsonl`, one file a cargo command. First
`{"type": "session_started", "ts_ms": 1795636014553, "pid": 25457, "command": ["build"]}`, then
`{"type": "action", "ts_ms": …, "outcome": {"kind": "hit"}, "crate_name": "a", "duration_ns": 1091752, "detail":
{"avoided_compiler_ns": 30835731, "output_bytes": 7733}, "diagnostic": {"action": {"hash": "8e3d…"}}}`, at last
`session_finished`. Outcomes: `hit`, `miss`, `unconsulted` (it had no key to look for), `verification`, `bypass` with a
`reason`.

A session is a run's where mbx's process has the run in its environment; one that was over before we looked, where its
command and workspace are those of this run alone.
"""

import json
import os
import tomllib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core import events as e
from core.cache.journal_reader import shown
from core.cache.line_tail import LineTail
from core.cache.subject import Subject
from core.events.cache import CacheOutcome

VARIABLES = ("MBX_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME")
SCRIPT_RUN = "Build script"
"""Language of a build script's run, which mbx keeps as well."""
SETTLE_S = 0.3
SETTLE_LIMIT_S = 1.5
_NO_COMPILATIONS = ("compiler-query", "standard-input", "rustdoc")
"""Reasons to pass by of what is no unit that rustc compiles."""
_SCRIPT = " build script"
_EARLY_S = 0.05


def sessions_folder(env: Mapping[str, str]) -> str:
    """Where sessions of a build with this environment are noted."""
    home = env.get("HOME", "")
    cache = env.get("XDG_CACHE_HOME") or f"{home}/.cache"
    given = env.get("MBX_CACHE_DIR") or _setting(env) or f"{cache}/mbx"
    return os.path.join(os.path.expanduser(given), "actions/sessions/v1")


@dataclass(slots=True)
class _Session:
    """One file that may be a run's."""

    tail: LineTail
    seen: int = 0
    """Actions that were read; with the file's name one names an action."""
    is_over: bool = False


@dataclass(slots=True)
class Claims:
    """Which session is which run's, for all readers."""

    by_name: dict[str, str] = field(default_factory=dict)
    """Run by session; empty: none of ours."""
    readers: deque["MbxReader"] = field(default_factory=lambda: deque(maxlen=100))
    """Those of runs that ended lately, too."""


class MbxReader:
    """Follows one run."""

    def __init__(self, folder: str, subject: Subject, claims: Claims) -> None:
        """`folder`: of sessions."""
        self.cache = "mbx"
        self.note = ""
        self.ended: float | None = None
        self.subject = subject
        self._folder = folder
        self._claims = claims
        self._looked = -1
        """When the folder was changed last, as of the last look; -1: look again."""
        self._passed: set[str] = set()
        """Sessions that are another's, or older."""
        self._sessions: dict[str, _Session] = {}
        claims.readers.append(self)

    def poll(self, now: float) -> list[e.CacheLookedUp]:
        """Compilations that are new; a `stat` of the folder and of each open session where there are none."""
        self._find(now)
        told: list[e.CacheLookedUp] = []
        for session in self._sessions.values():
            for line in session.tail.poll():
                event = self._read(session, line)
                if event is not None and (event.unit, event.at) not in self.subject.told:
                    told.append(event)
        return told

    def end(self, at: float, *, is_whole: bool) -> None:
        """The run ended then."""
        self.ended = at

    def is_settled(self, now: float) -> bool:
        """The run ended, and nothing more is to come."""
        if self.ended is None or now < self.ended + SETTLE_S:
            return False
        return all(one.is_over for one in self._sessions.values()) or now >= self.ended + SETTLE_LIMIT_S

    def saw_lock_wait(self, path: str) -> None:
        """Nothing: a session is one command's, whoever else builds."""

    def close(self) -> None:
        """Let go of all files."""
        for session in self._sessions.values():
            session.tail.close()

    def _find(self, now: float) -> None:
        """Look for new files where the folder changed, or did just now: its time is no finer than some milliseconds."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
            if changed == self._looked:
                return
            names = [name for name in os.listdir(self._folder) if name.endswith(".jsonl")]
        except OSError:
            return
        is_open = False
        for name in names:
            if name in self._sessions or name in self._passed:
                continue
            owner = self._owner(name)
            if owner is None:
                is_open = True
            elif owner == self.subject.run:
                self._sessions[name] = _Session(LineTail(f"{self._folder}/{name}", 0.0, _when))
            else:
                self._passed.add(name)
        self._looked = -1 if is_open or now - changed / 1e9 < SETTLE_S else changed

    def _owner(self, name: str) -> str | None:
        """The run of a session; empty: none of ours; None: its file does not say yet."""
        began, pid = _name_parts(name)
        if not self._was_there(began):
            return ""
        found = self._claims.by_name.get(name)
        if found is None:
            found = _run_of(pid)
            if found is None:
                return self._only_run(f"{self._folder}/{name}", began)
            self._claims.by_name[name] = found
        return found

    def _was_there(self, at: float) -> bool:
        return self.subject.started - _EARLY_S <= at and (self.ended is None or at <= self.ended)

    def _only_run(self, path: str, began: float) -> str | None:
        """Of a session that was over before it was seen: the one run then of that workspace with that command."""
        try:
            with open(path, "rb") as file:
                row = json.loads(file.readline())
            said = os.path.realpath(str(row["workspace_root"])), tuple(str(word) for word in row["command"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        fitting = [one for one in self._claims.readers if one.says() == said and one._was_there(began)]
        if len(fitting) > 1:
            for one in fitting:
                one.note = "two runs gave the same command here at once, and mbx's session does not say whose it was"
        return fitting[0].subject.run if len(fitting) == 1 else ""

    def says(self) -> tuple[str, tuple[str, ...]]:
        """Workspace and command, as its session gives them."""
        return os.path.realpath(self.subject.checkout), self.subject.words

    def _read(self, session: _Session, line: bytes) -> e.CacheLookedUp | None:
        try:
            row = json.loads(line)
            session.is_over = session.is_over or row["type"] == "session_finished"
            if row["type"] == "truncated":
                self.note = "mbx's session grew too long, and it noted no more"
            return _event(row) if row["type"] == "action" else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def _event(row: Mapping[str, Any]) -> e.CacheLookedUp | None:
    outcome, reason, detail = _verdict(row["outcome"])
    if reason in _NO_COMPILATIONS:
        return None
    name = str(row.get("crate_name") or "")
    is_script = name.endswith(_SCRIPT)
    restored = row.get("detail") or {}
    action = (row.get("diagnostic") or {}).get("action") or {}
    return e.CacheLookedUp(
        at=int(row["ts_ms"]) / 1e3, cache="mbx", unit=shown(_unit(name)),
        language=SCRIPT_RUN if is_script else "Rust", outcome=outcome, key=shown(str(action.get("hash") or "")),
        source_agent="", reason=shown(reason), detail=shown(detail), elapsed_s=int(row["duration_ns"]) / 1e9,
        saved_s=int(restored.get("avoided_compiler_ns") or 0) / 1e9 or None if outcome == "hit" else None,
        size_bytes=int(restored.get("output_bytes") or 0) or None,
    )  # fmt: skip


def _unit(name: str) -> str:
    return name.removesuffix(_SCRIPT) + "(build)" if name.endswith(_SCRIPT) else name


def _verdict(said: Mapping[str, Any]) -> tuple[CacheOutcome, str, str]:
    """Outcome, reason, detail."""
    match said["kind"]:
        case "hit":
            return "hit", "", ""
        case "miss":
            return "missed", "not known", "`mbx explain --last` says more"
        case "unconsulted":
            return "missed", "not looked up", "mbx had no key to look for"
        case "verification":
            return (
                "missed",
                "verified",
                "compiled again to check an entry: " + ("same" if said["matched"] else "differs"),
            )
        case "bypass":
            return "not cacheable", str(said["reason"]), ""
        case other:
            raise ValueError(f"outcome {other!r} is not known")


def _name_parts(name: str) -> tuple[float, int]:
    """When a session began, and mbx's pid, by the name of its file."""
    words = name.split("-")
    try:
        return int(words[0]) / 1e3, int(words[1])
    except (ValueError, IndexError):
        return float("-inf"), 0


def _run_of(pid: int) -> str | None:
    """The run in a process's environment; empty: it has none; None: there is no such process of mbx."""
    try:
        if not os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("mbx"):
            return None
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read().split(b"\0")
    except OSError:
        return None
    if environ == [b""]:  # it is ending
        return None
    return next((one[9:].decode("utf-8", "replace") for one in environ if one.startswith(b"DECK_RUN=")), "")


def _when(line: bytes) -> float | None:
    return None


def _setting(env: Mapping[str, str]) -> str | None:
    config = env.get("XDG_CONFIG_HOME") or f"{env.get('HOME', '')}/.config"
    try:
        with open(f"{config}/mbx/config.toml", "rb") as file:
            given = tomllib.load(file).get("cache_dir")
    except (OSError, ValueError):
        return None
    return given if isinstance(given, str) else None
