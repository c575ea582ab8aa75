"""What a user's own sccache server did for one run, from its counters before and after. Source: sccache 0.16.

One server counts for everybody, and says nothing of single compilations. So there are figures only where its counters
grew by exactly what this run asked: where the front before sccache noted its calls, their number says so; else the
server must have begun with the run, and nobody else may have built meanwhile. Otherwise `note` says why there are none.
`sccache --show-stats --stats-format=json` takes 3 ms and starts no server; it runs beside us, once before and after.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from core import events as e
from core.cache.calls import CallNotes
from core.cache.journal_reader import shown
from core.events.cache import CacheOutcome

VARIABLES = (
    "SCCACHE_SERVER_UDS", "SCCACHE_SERVER_PORT", "SCCACHE_CONF", "SCCACHE_ERROR_LOG", "HOME", "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
)  # fmt: skip
ASK_LIMIT_S = 5.0
"""An answer that takes longer is none."""
SETTLE_S = 0.2
RETRY_S = 0.3
SETTLE_LIMIT_S = 1.5
_DEFAULT_PORT = "4226"
_QUESTIONS = ("missing input", "-")
"""Reasons of `not_cached` that stand for cargo's questions to the compiler."""
_LANGUAGES = {"Rust": "Rust", "C/C++": "C/C++"}


class Kind(NamedTuple):
    """Compilations that are counted together."""

    language: str
    outcome: CacheOutcome
    reason: str


def read_counts(content: bytes) -> "Counter[Kind] | None":
    """Compilations so far, as `--show-stats --stats-format=json` gives them; None: it is none of that."""
    try:
        stats = json.loads(content)["stats"]
        counts: Counter[Kind] = Counter()
        for name, outcome in (("cache_hits", "hit"), ("cache_misses", "missed"), ("cache_errors", "error")):
            for language, count in stats[name]["counts"].items():
                counts[Kind(str(language), _outcome(outcome), "read" if outcome == "error" else _reason(outcome))] += (
                    count
                )
        for reason, count in stats["not_cached"].items():
            if reason not in _QUESTIONS:
                counts[Kind("Rust", "not cacheable", str(reason))] += count
        counts[Kind("Rust", "error", "compile failed")] += int(stats["compile_fails"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return +counts


def _outcome(word: str) -> CacheOutcome:
    return "hit" if word == "hit" else "missed" if word == "missed" else "error"


def _reason(word: str) -> str:
    return "not known" if word == "missed" else ""


class Question:
    """One `sccache --show-stats`, running beside us."""

    def __init__(self, program: str, env: Mapping[str, str]) -> None:
        """Raises OSError where it cannot be started."""
        self._out, out = os.pipe()
        os.set_blocking(self._out, False)
        self._content = b""
        actions = [
            (os.POSIX_SPAWN_DUP2, out, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        ]
        words = ("sccache", "--show-stats", "--stats-format=json")
        try:
            self._pid = os.posix_spawn(program, words, env, file_actions=actions)
        except OSError:
            os.close(self._out)
            raise
        finally:
            os.close(out)

    def poll(self) -> bytes | None:
        """The answer; None: not yet. Empty: there is none."""
        if self._pid == 0:
            return self._content
        try:
            while chunk := os.read(self._out, 1 << 16):
                self._content += chunk
        except BlockingIOError:
            return None
        done, status = os.waitpid(self._pid, os.WNOHANG)
        if not done:
            return None
        self._pid = 0
        os.close(self._out)
        if status:
            self._content = b""
        return self._content

    def close(self) -> None:
        """End it, where it did not answer."""
        if self._pid:
            os.kill(self._pid, 9)
            os.waitpid(self._pid, 0)
            os.close(self._out)
            self._pid = 0


@dataclass(slots=True)
class Servers:
    """What readers know together."""

    spans: list["SccacheReader"] = field(default_factory=list)
    past: list[tuple[str, float, float]] = field(default_factory=list)
    """Server and time span of runs that ended lately."""
    foreign: float = float("-inf")
    """When a build was last alive that is not ours."""

    def saw_foreign(self, at: float) -> None:
        """A build that nobody started through us was alive then."""
        self.foreign = max(self.foreign, at)

    def is_alone(self, reader: "SccacheReader") -> bool:
        """No other run used its server while it did."""
        until = reader.ended if reader.ended is not None else float("inf")
        spans = [(one.server, one.started, one.ended) for one in self.spans if one is not reader]
        return not any(
            server == reader.server and since <= until and (ended is None or ended >= reader.started)
            for server, since, ended in (*spans, *self.past)
        )


class SccacheReader:
    """Follows one run: asks the server's counters at once, and when the run has ended."""

    def __init__(self, servers: Servers, env: Mapping[str, str], folder: str, started: float) -> None:
        self.note = "the server's counters are read when the run ends"
        self.server = env.get("SCCACHE_SERVER_UDS") or env.get("SCCACHE_SERVER_PORT") or _DEFAULT_PORT
        self.started = started
        self.ended: float | None = None
        self._servers = servers
        self._env = {name: env[name] for name in (*VARIABLES, "PATH") if name in env}
        self._program = shutil.which("sccache", path=env.get("PATH"))
        self._notes = CallNotes(folder + "/fronts/cache.jsonl")
        self._calls = 0
        self._is_whole = True
        self._before: Counter[Kind] | None = None
        self._is_before_first = False
        """Counters were read before the run's first call."""
        self._question: Question | None = None
        self._asked_at = float("-inf")
        self._is_done = False
        servers.spans.append(self)

    def poll(self, now: float) -> list[e.CacheLookedUp]:
        """All of the run's compilations, once it has ended and the server has answered."""
        if self._is_done:
            return []
        self._calls += sum(1 for call in self._notes.poll() if "-" not in call.argv)
        if self._question is None:
            self._ask(now)
            return []
        answer = self._question.poll()
        if answer is None:
            if now - self._asked_at > ASK_LIMIT_S:
                self._give_up("sccache did not answer")
            return []
        asked_at, self._question = self._asked_at, None
        counts = read_counts(answer)
        if counts is None:
            self._give_up("sccache gave no counters")
            return []
        if self._before is None:
            self._calls += sum(1 for call in self._notes.poll() if "-" not in call.argv)
            self._before, self._is_before_first = counts, self._calls == 0
            return []
        return self._compare(counts, self._before, asked_at) if self.ended is not None else []

    def saw_lock_wait(self, path: str) -> None:
        """Nothing: whoever else builds is seen by what the server counted."""

    def end(self, at: float, *, is_whole: bool) -> None:
        """The run ended then."""
        self.ended, self._is_whole = at, is_whole

    def is_settled(self, now: float) -> bool:
        """All is told, or will not be."""
        return self._is_done

    def close(self) -> None:
        """End what was asked."""
        if self._question is not None:
            self._question.close()
        if self in self._servers.spans:
            self._servers.spans.remove(self)
            if self.ended is not None:
                self._servers.past = [*self._servers.past[-99:], (self.server, self.started, self.ended)]

    def _ask(self, now: float) -> None:
        if self._before is not None and (self.ended is None or now < self.ended + SETTLE_S):
            return
        if now - self._asked_at < RETRY_S:
            return
        if self._program is None:
            self._give_up("sccache is not on PATH")
            return
        self._asked_at = now
        try:
            self._question = Question(self._program, self._env)
        except OSError as error:
            self._give_up(f"sccache could not be asked: {error.strerror}")

    def _compare(self, after: "Counter[Kind]", before: "Counter[Kind]", now: float) -> list[e.CacheLookedUp]:
        assert self.ended is not None
        fresh = not before
        grown = after - before
        total = sum(grown.values())
        if before - after:
            self._give_up("the server was started anew, or its counters zeroed, while the run built")
        elif not self._is_whole:
            self._give_up("the run was stopped, and the server does not say which calls were its")
        elif self._calls and not (self._is_before_first or fresh):
            self._give_up("the server had counted some of the run's calls before it could be asked")
        elif self._calls and total != self._calls:
            if total < self._calls and now < self.ended + SETTLE_LIMIT_S:
                return []
            self._give_up(f"the server counted {total} compilations, the run asked for {self._calls}")
        elif not self._calls and not self._is_exclusive(fresh):
            self._give_up("others built with the same sccache server, or may have")
        else:
            self.note, self._is_done = "", True
            return [self._event(kind) for kind, count in sorted(grown.items()) for _ in range(count)]
        return []

    def _is_exclusive(self, fresh: bool) -> bool:
        return fresh and self._servers.foreign < self.started and self._servers.is_alone(self)

    def _event(self, kind: Kind) -> e.CacheLookedUp:
        assert self.ended is not None
        return e.CacheLookedUp(
            at=self.ended, cache="sccache", unit="", language=_LANGUAGES.get(kind.language, shown(kind.language)),
            outcome=kind.outcome, key="", source_agent="", reason=shown(kind.reason), detail="", elapsed_s=None,
            saved_s=None, size_bytes=None,
        )  # fmt: skip

    def _give_up(self, why: str) -> None:
        self.note, self._is_done = why, True
