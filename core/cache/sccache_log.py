r"""What sccache's server logs of its compilations: one verdict each. Pure.

Source: sccache 0.16.0, its server started with `sccache_env.LOG_ENV` and SCCACHE_ERROR_LOG=FILE. A record is a line;
what follows of one of several lines is indented by four spaces, or was printed to stderr without a stamp:

    [2026-11-20T17:04:33.177Z DEBUG sccache::compiler::compiler] [m3]: get_cached_or_compile: ["--crate-name", "m3", …]
    [… sccache::compiler::compiler] [m3]: generate_hash_key took 0.168 s
    [… sccache::compiler::compiler] [m3]: Hash key: a0aea1be…           | process error: Output { … }
    [… sccache::compiler::compiler] [m3]: Cache miss in 0.000 s         | Cache hit in | Cache none in
                                              | Cache recache in | Cache timed out 60.001 s | Cache read error: …
    [… sccache::compiler::compiler] [m3]: Failed to decompress object   (after a hit: then it compiles)
    [… sccache::compiler::compiler] [m3]: Compiled in 1.210 s, storing in cache   | …, but failed, not storing in cache
                                                                        | …, but not caching | …, but not cacheable
    [… sccache::server] [m3]: compile result: cache miss | cache hit | cache error | not cached | not cacheable
                                                                        | compile failed
    [… sccache::compiler::compiler] [m3]: Stored in cache successfully!
    [… sccache::server] [m3]: Cache write finished in 0.002 s
    [… sccache::server] Error executing cache write: …, context: { …, path: a/0/a/a0aea1be… } => …     (no tag)
    [… sccache::server] Compilation failed: Output { status: …, stdout: "", stderr: "…" }             (no tag)
    [… ERROR sccache::server] ["m3"] fatal error: …
    [… sccache::server] parse_arguments: CannotCache(crate-type, bin): ["--crate-name", …]             (no tag)
    [… sccache::server] check_compiler: Unsupported compiler: …                                        (no tag)
    [… ERROR opendal::services] service=redis name=… path=a/0/a/a0aea1be…: read failed Unexpected …    (counted a miss!)
    [… INFO  sccache::server] start_server: /path/of/socket | server has setup with ReadWrite

Which record belongs to which compilation. A tag (a crate, a file name) is all that most records carry. Of compilations
under one tag at once, a record is given to one that is at the step before it; where several are, to the one whose step
began when the record's own seconds say; else to the one that waited longest. What has no tag goes by the key it names,
by the source that the compiler's output names, else to the one that waited longest. So two compilations of one
tag may swap their later records when they reach the same step within a millisecond (or, for `Hash key` and `compile
result`, are at the same step): then their keys, seconds or outcomes are told of each other. Counts are exact all the
same: each verdict comes of one record for which the server counts one.

Questions of cargo, cc-rs and configure scripts (`-vV`, `-`, `--print`, `-E`) and links are no compilations.
"""

import re
from collections import Counter
from datetime import datetime

from core.cache.sccache_argv import read_asked, read_list
from core.cache.sccache_pairing import Step, Task, Tasks
from core.cache.verdict import Verdict
from core.events.cache import CacheOutcome
from core.parsers.text import sanitise

MAX_LINE_BYTES = 4 << 20
"""Of a line that is longer, nothing is looked at."""
_MAX_TEXT = 200
_MAX_UNREAD = 1000
_RECORD = re.compile(rb"\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z) +([A-Z]+) +([\w:]+)\] (.*)", re.DOTALL)
_GLUED = re.compile(rb".\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z +[A-Z]+ +[\w:]+\] (?=start_server)", re.DOTALL)
_TAGGED = re.compile(
    r"\[(.*?)\]: (get_cached_or_compile|generate_hash_key took|process error|Hash key|Cache hit in|Cache miss in"
    r"|Cache none in|Cache recache in|Cache read error|Cache timed out|Failed to decompress object|Compiling locally"
    r"|Compiled in|Created cache artifact|compile result|Stored in cache|Cache write finished in):? ?(.*)",
    re.DOTALL,
)
_SECONDS = re.compile(r"(\d+\.\d+) s(?:, (.*))?\Z")
_CANNOT = re.compile(r"parse_arguments: CannotCache\(([^,)]*)(?:, .*?)?\): (\[.*)", re.DOTALL)
_FATAL = re.compile(r'\["(.*?)"\] fatal error: (.*)', re.DOTALL)
_SERVICE = re.compile(r"service=\S+ .*?path=(\S*?):? .*?(read|write|close)\w* .*?failed (.*)", re.DOTALL)
_PATH = re.compile(r"\bpath: ([^\s,}]+)")
_OF_NO_USE = ("Got ", "notify_server_startup", "server started", "handle_client", "check_compiler: Supported",
              "parse_arguments: Ok", "parse_arguments: NotComp", "stats after", "shutting down", "ok, fully", "Using ",
              "Found ", "No scheduler", "Failed ")  # fmt: skip
_LOOKED = {
    "Cache miss in": "", "Cache none in": "none", "Cache recache in": "recache", "Cache timed out": "timeout",
    "Cache read error": "unreadable",
}  # fmt: skip
_RESULTS = {
    "cache hit": Step.FOUND, "cache miss": Step.COMPILED, "cache error": Step.UNKEYED, "not cached": Step.UNCACHED,
    "not cacheable": Step.DRIVEN, "compile failed": Step.FAILED,
}  # fmt: skip
_COMPILED = {"storing": Step.COMPILED, "but failed": Step.FAILED, "but not caching": Step.UNCACHED}


def is_question(reason: str) -> bool:
    """What cannot be cached for this reason is no compilation: a compiler was asked something, or preprocessed."""
    return reason in ("-", "-E", "-M", "-MM", "-P", "-fsyntax-only") or reason.startswith("missing ")


class ServerLog:
    """Reads the log of one server, in any pieces. May be pickled between two of them."""

    def __init__(self) -> None:
        self.skipped_lines = 0
        """Lines that mean nothing to us: torn ones, and what another version may say."""
        self.read_failures = 0
        """Look-ups that the store did not answer. sccache 0.16 counts them as plain misses."""
        self.mode = ""
        """`ReadWrite`, `ReadOnly` (the store took nothing when the server started: it will not try again); empty: it
        was not said."""
        self.trouble = ""
        """What the store or the server last complained about, in its words, sanitised."""
        self._rest = b""
        self._is_too_long = False
        self._tasks = Tasks()
        self._unread: Counter[str] = Counter()
        self._cuda_failed_at = 0.0

    @property
    def in_flight(self) -> int:
        """Compilations that have begun and are not answered."""
        return len(self._tasks)

    def feed(self, chunk: bytes) -> list[Verdict]:
        """Verdicts of the next bytes, in their order."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        verdicts: list[Verdict] = []
        for line in lines:
            if self._is_too_long:
                self._is_too_long = False
                continue
            verdicts += self._take_line(line.strip(b"\0\r"))
        if len(self._rest) > MAX_LINE_BYTES:
            self.skipped_lines += 0 if self._is_too_long else 1
            self._rest, self._is_too_long = b"", True
        return verdicts

    def begin_anew(self) -> None:
        """The file was emptied or put aside: the next bytes are the first of it."""
        self.skipped_lines += 1 if self._rest else 0
        self._rest, self._is_too_long = b"", False

    def abandon(self, at: float) -> list[Verdict]:
        """The server is gone: what it had begun has failed. Its statistics never counted that."""
        return [_verdict(task, at, reason="server", counters=()) for task in self._tasks.clear()]

    def _take_line(self, line: bytes) -> list[Verdict]:
        found = _RECORD.match(line)
        if found is None or (_GLUED.search(line) is not None):
            return self._take_torn(line)
        try:
            at = datetime.fromisoformat(found[1].decode()).timestamp()
        except ValueError:
            return self._skip()
        level, target, text = found[2], found[3], found[4].decode("utf-8", "replace")
        if target in (b"sccache::compiler::compiler", b"sccache::server"):
            return self._take_own(at, text)
        if target == b"opendal::services" and level == b"ERROR":
            self._take_service(text)
        return []

    def _take_torn(self, line: bytes) -> list[Verdict]:
        """A record that a server began, and another one went on; the rest of a record of several lines; anything."""
        found = _GLUED.search(line)
        if found is not None:
            self.skipped_lines += 1
            return self._take_line(line[found.start() + 1 :])
        if line.startswith((b" ", b"storage ", b"Context:", b"Backtrace:", b"Stack backtrace:")) or not line:
            return []
        return self._skip()

    def _skip(self) -> list[Verdict]:
        self.skipped_lines += 1
        return []

    def _take_own(self, at: float, text: str) -> list[Verdict]:
        if (found := _TAGGED.match(text)) is not None:
            return self._take_tagged(at, found[1], found[2], found[3])
        if (cannot := _CANNOT.match(text)) is not None:
            return self._cannot_cache(at, cannot[1], cannot[2])
        if (fatal := _FATAL.match(text)) is not None:
            self.trouble = _short(fatal[2])
            return [_verdict(self._tasks.take_any(fatal[1], at), at, reason="server", counters=("errors",))]
        return self._take_untagged(at, text)

    def _take_untagged(self, at: float, text: str) -> list[Verdict]:
        head, _, rest = text.partition(": ")
        match head:
            case "Compilation failed":
                return [self._failed(self._tasks.take_failed(rest, at), at)]
            case "Error executing cache write":
                self.trouble = _short(rest)
                path = _PATH.search(rest)
                return [_missed(self._tasks.take_unwritten(_key_of(path[1]) if path else "", at), at, is_stored=False)]
            case "check_compiler":
                return [] if rest.startswith("Supported") else [_uncounted(at, "unsupported compiler")]
            case "start_server":
                return self.abandon(at)
            case "storage init failed for" | "storage check failed for":
                self.trouble = _short(rest)
                return []
        if text.startswith("server has setup with "):
            self.mode = text.removeprefix("server has setup with ").strip()
            return []
        # A fatal error is told once more, cause by cause.
        return [] if text.startswith((*_OF_NO_USE, '["')) else self._skip()

    def _take_tagged(self, at: float, tag: str, event: str, rest: str) -> list[Verdict]:
        seconds, said = _seconds(rest)
        match event:
            case "get_cached_or_compile":
                self._tasks.begin(tag, at, read_asked(read_list(rest)))
            case "generate_hash_key took":
                self._tasks.move(tag, at, Step.BEGUN, Step.HASHED, seconds).hash_s = seconds
            case "process error":
                self._tasks.move(tag, at, Step.HASHED, Step.UNKEYED)
            case "Hash key":
                self._tasks.move(tag, at, Step.HASHED, Step.KEYED).key = rest.strip()[:128]
            case "Cache hit in":
                task = self._tasks.move(tag, at, Step.KEYED, Step.FOUND, seconds)
                task.lookup_s = seconds
                self._unread.pop(task.key, None)
            case "Failed to decompress object":
                self._tasks.move(tag, at, Step.FOUND, Step.COMPILING).looked = "unreadable"
            case "Compiled in":
                step = next((step for word, step in _COMPILED.items() if said.startswith(word)), Step.DRIVEN)
                self._tasks.move(tag, at, Step.COMPILING, step, seconds).compile_s = seconds
            case "Stored in cache":
                self._tasks.move(tag, at, Step.WRITING, Step.WRITTEN)
            case "Cache write finished in":
                task = self._tasks.take(tag, at, (Step.WRITTEN, Step.WRITING), seconds)
                return [_missed(task, at, is_stored=True)]
            case "compile result":
                return self._take_result(tag, at, rest.strip())
            case _ if event in _LOOKED:
                self._take_miss(tag, at, event, seconds)
        return []

    def _take_miss(self, tag: str, at: float, event: str, seconds: float | None) -> None:
        task = self._tasks.move(tag, at, Step.KEYED, Step.COMPILING, seconds)
        task.lookup_s, task.looked = seconds, _LOOKED[event]
        if task.key in self._unread and event == "Cache miss in":
            task.looked = "unread"
            self._unread[task.key] -= 1
            self._unread += Counter()  # drops what is down to zero

    def _take_result(self, tag: str, at: float, result: str) -> list[Verdict]:
        step = _RESULTS.get(result)
        if step is None:
            return self._skip()
        if step is Step.COMPILED:
            self._tasks.move(tag, at, step, Step.WRITING)
            return []
        task = self._tasks.take(tag, at, (step,))
        match step:
            case Step.FOUND:
                return [_verdict(task, at, "hit", counters=("hits",))]
            case Step.UNKEYED:
                return [_verdict(task, at, reason="compile failed", counters=("errors",))]
            case Step.UNCACHED:
                return [_verdict(task, at, "not cacheable", "SCCACHE_NO_CACHE", counters=())]
            case Step.DRIVEN:
                counters = ("uncacheable_outputs",)
                return [_verdict(task, at, "not cacheable", "nvcc itself", counters=counters, is_driver=True)]
        return [self._failed(task, at)]

    def _failed(self, task: Task, at: float) -> Verdict:
        """A compiler that failed. nvcc does where a step of it did, which has told it before."""
        is_driver = task.asked.is_driver and self._cuda_failed_at >= task.began > 0
        if not is_driver and task.asked.language not in ("Rust", "C/C++"):
            self._cuda_failed_at = at
        return _verdict(task, at, reason="compile failed", counters=("compile_fails",), is_driver=is_driver)

    def _cannot_cache(self, at: float, reason: str, words: str) -> list[Verdict]:
        if is_question(reason):
            return []
        asked = read_asked(read_list(words))
        tag = asked.crate_name or (asked.output or asked.source).rpartition("/")[2]
        task = Task(tag, at, asked)
        return [_verdict(task, at, "not cacheable", _short(reason), counters=("not_cacheable",))]

    def _take_service(self, text: str) -> None:
        """A store that failed; that an entry is not there is none of this level."""
        found = _SERVICE.match(text)
        if found is None or ".sccache_check" in found[1]:
            return
        self.trouble = _short(found[3])
        if found[2] == "read":
            self.read_failures += 1
            self._unread[_key_of(found[1])] += 1
            if len(self._unread) > _MAX_UNREAD:
                self._unread.clear()


def _missed(task: Task, at: float, *, is_stored: bool) -> Verdict:
    """A compilation that was made, and what came of keeping it."""
    counters = ["misses", "writes" if is_stored else "write_errors"]
    match task.looked:
        case "timeout":
            counters.append("timeouts")
        case "unreadable":
            counters.append("errors")
        case "recache":
            counters.append("recaches")
    reason = {"timeout": "timeout", "unreadable": "read", "unread": "read"}.get(task.looked, "")
    reason = reason or ("" if is_stored else "write")
    return _verdict(
        task, at, "error" if reason else "missed", reason or ("recache" if task.looked == "recache" else ""),
        counters=tuple(counters), is_stored=is_stored,
    )  # fmt: skip


def _verdict(
    task: Task, at: float, outcome: CacheOutcome = "error", reason: str = "", *, counters: tuple[str, ...],
    is_driver: bool = False, is_stored: bool = False,
) -> Verdict:  # fmt: skip
    asked = task.asked
    return Verdict(
        at, _short(task.tag), asked.language, outcome, reason, task.key, asked.crate_name, asked.crate_types,
        asked.out_dir, asked.extra_filename, asked.metadata, asked.emit, asked.source, asked.output, asked.is_test,
        asked.words, task.hash_s, task.lookup_s, task.compile_s, is_stored, task.began,
        is_driver, counters,
    )  # fmt: skip


def _uncounted(at: float, reason: str) -> Verdict:
    return Verdict(at, "", "C/C++", "not cacheable", reason, counters=("not_cacheable",))


def _seconds(rest: str) -> tuple[float | None, str]:
    found = _SECONDS.match(rest)
    return (float(found[1]), found[2] or "") if found else (None, "")


def _key_of(path: str) -> str:
    return path.rstrip(":").rpartition("/")[2]


def _short(text: str) -> str:
    return sanitise(text.encode("utf-8", "replace"), _MAX_TEXT)
