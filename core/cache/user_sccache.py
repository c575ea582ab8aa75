"""What a user's own sccache server did for one run, from its counters before and after. Source: sccache 0.16.

One server counts for everybody, and says nothing of single compilations. So there are figures only where its counters
grew by exactly what this run asked: where the front before sccache noted its calls, their number proves it; else the
server must have begun with the run, and nobody else may have built meanwhile. Otherwise `note` says why there are none.
`sccache --show-stats --stats-format=json` takes 3 ms and starts no server; it runs beside us, once before and after.
"""

import contextlib
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from core import events as e
from core.cache.calls import PROBE, CallNotes
from core.cache.journal_reader import shown
from core.cache.sccache_log import is_question
from core.cache.subject import Subject
from core.events.cache import CacheOutcome
from core.run.fronts import notes_links

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
_FAILED = "compile failed"


_OUTCOMES: tuple[tuple[str, CacheOutcome], ...] = (
    ("cache_hits", "hit"), ("cache_misses", "missed"), ("cache_errors", "error"),
)  # fmt: skip


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
        for name, outcome in _OUTCOMES:
            for language, count in stats[name]["counts"].items():
                counts[Kind(str(language), outcome, "" if outcome == "hit" else "not known")] += count
        for reason, count in stats["not_cached"].items():
            if not is_question(str(reason)):
                counts[Kind("Rust", "not cacheable", str(reason))] += count
        counts[Kind("Rust", "error", _FAILED)] += int(stats["compile_fails"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return +counts


def _went_well(folder: str) -> bool:
    """The run ended with code 0."""
    try:
        with open(folder + "/exit.json", "rb") as file:
            return bool(json.load(file)["code"] == 0)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _with_probes(counts: "Counter[Kind]", noted: int) -> "Counter[Kind]":
    """Of a build that went well: none of its units failed, so what did was a build script's that tried the compiler.

    Where its sources could not even be listed, that is counted as an error, as is an entry that could not be read: only
    of calls that were noted it is known which.
    """
    found: Counter[Kind] = Counter()
    for kind, count in counts.items():
        failed = count if kind.reason == _FAILED else min(count, noted) if kind.outcome == "error" else 0
        found[kind] += count - failed
        found[Kind(PROBE, "error", _FAILED)] += failed
    return +found


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
            self._process = os.pidfd_open(self._pid)
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
        try:
            done, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # whoever started us takes care of all that ends
            done, status = self._pid, 0
        if not done:
            return None
        self._let_go()
        if status:
            self._content = b""
        return self._content

    def close(self) -> None:
        """End it, where it did not answer."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._let_go()

    def _let_go(self) -> None:
        self._pid = 0
        os.close(self._out)
        os.close(self._process)


@dataclass(slots=True)
class Servers:
    """What readers know together."""

    spans: list["SccacheReader"] = field(default_factory=list)
    past: list[tuple[str, float, float]] = field(default_factory=list)
    """Server and time span of runs that ended lately."""
    last: dict[str, tuple[float, "Counter[Kind]"]] = field(default_factory=dict)
    """When a server was asked last, and what it said."""
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

    def __init__(self, servers: Servers, subject: Subject) -> None:
        env = subject.env
        self.cache = "sccache"
        self.note = ""
        self.server = env.get("SCCACHE_SERVER_UDS") or env.get("SCCACHE_SERVER_PORT") or _DEFAULT_PORT
        self.started = subject.started
        self.ended: float | None = None
        self._servers = servers
        self._env = {name: env[name] for name in (*VARIABLES, "PATH") if name in env}
        self._program = shutil.which("sccache", path=env.get("PATH"))
        self._notes = CallNotes(subject.folder + "/fronts/cache.jsonl", has_probes=True)
        self._folder = subject.folder
        self._has_front = "/" not in subject.wrapper and notes_links(subject.folder)
        self._is_told = bool(subject.told)
        self._calls = self._probes = 0
        self._is_whole = True
        self._bases: list[Counter[Kind]] = []
        """What the server may have counted when the run began; none of it counts a call of the run."""
        self._has_asked = False
        self._began_fresh = False
        self._question: Question | None = None
        self._asked_at = float("-inf")
        self._is_done = False
        servers.spans.append(self)

    def poll(self, now: float) -> list[e.CacheLookedUp]:
        """All of the run's compilations, once it has ended and the server has answered."""
        if self._is_done:
            return []
        if self._question is None:
            self._ask(now)
            return []
        answer = self._question.poll()
        if answer is None:
            if now - self._asked_at > ASK_LIMIT_S:
                self._give_up("sccache did not answer")
            return []
        self._question = None
        counts = read_counts(answer)
        if counts is None:
            self._give_up("sccache gave no counters")
            return []
        calls = [call for call in self._notes.poll() if "-" not in call.argv]
        self._calls += len(calls)
        self._probes += sum(call.is_probe for call in calls)
        if not self._has_asked:
            self._begin(counts)
        elif self.ended is not None:
            self._servers.last[self.server] = self._asked_at, counts
            return self._compare(counts, self._asked_at)
        return []

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
        if self._has_asked and (self.ended is None or now < self.ended + SETTLE_S):
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

    def _begin(self, counts: "Counter[Kind]") -> None:
        self._has_asked = True
        self._began_fresh = not counts
        last = self._servers.last.get(self.server)
        if last is not None and last[0] < self.started:
            self._bases.append(last[1])
        if self._has_front and not self._calls:
            self._bases.append(counts)
        self._bases.append(Counter())

    def _compare(self, after: "Counter[Kind]", now: float) -> list[e.CacheLookedUp]:
        """A base counts no call of the run, so what grew is at least what the run asked; where equal, it is that."""
        assert self.ended is not None
        grown = [after - base for base in self._bases if not base - after]
        if self._is_told:
            self._give_up("")
        elif not self._is_whole:
            self._give_up("the run was stopped, and the server does not say which calls were its")
        elif not self._has_front:
            return self._without_front(after)
        elif (mine := next((one for one in grown if one.total() == self._calls), None)) is not None:
            return self._tell(mine)
        elif now >= self.ended + SETTLE_LIMIT_S:
            totals = f"{min(one.total() for one in grown)} compilations, and the run asked for {self._calls}"
            self._give_up(f"the server counted {totals}: others built with it, or had before it was asked")
        return []

    def _without_front(self, after: "Counter[Kind]") -> list[e.CacheLookedUp]:
        """Nobody noted the calls: all that the server counted is the run's, where nobody else can have asked."""
        is_alone = self._servers.foreign < self.started and self._servers.is_alone(self)
        if is_alone and len(self._bases) == 1 and self._began_fresh:
            return self._tell(after)
        self._give_up("others built with the same sccache server, or may have")
        return []

    def _tell(self, counts: "Counter[Kind]") -> list[e.CacheLookedUp]:
        self._give_up("")
        if _went_well(self._folder):
            counts = _with_probes(counts, self._probes)
        return [self._event(kind) for kind, count in sorted(counts.items()) for _ in range(count)]

    def _event(self, kind: Kind) -> e.CacheLookedUp:
        assert self.ended is not None
        return e.CacheLookedUp(
            at=self.ended, cache="sccache", unit="", language=shown(kind.language),
            outcome=kind.outcome, key="", source_agent="", reason=shown(kind.reason), detail="", elapsed_s=None,
            saved_s=None, size_bytes=None,
        )  # fmt: skip

    def _give_up(self, why: str) -> None:
        self.note, self._is_done = why, True
