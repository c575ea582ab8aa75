"""One run in the hands of the engine: its logs are read step by step, each step goes to its journal as one batch."""

import signal
from collections.abc import Callable, Iterable, Sequence

from core import checkpoint, facts, retention
from core import events as e
from core.digest import Chunk, Digest, SilentParser
from core.findings import seen
from core.journal import Mark
from core.native.cleans.telling import program_of, teller
from core.parts import Parts
from core.plan.plan import Finding
from core.refusal import refuse_linker_of
from core.resume import Resume
from core.tail import LogTail
from core.watch.deaths import Losses
from core.watch.fault_book import FaultBook
from core.watch.links import LinkNotes
from core.watch.nvcc_notes import Kept
from core.watch.prober import Watched

STEP_BYTES = 512 << 10
"""Read of each log in one step, so that no run keeps others waiting."""
NOTES_WAIT_S = 1.0
"""A link whose end is not noted keeps a run that is over open so long: mold's is noted once its memory is free."""
MAX_FAULTS = 3
"""A parser that failed so often is not asked again."""


class WatchedRun:
    """A run that is live, or ended and not yet closed."""

    def __init__(self, parts: Parts, resume: Resume) -> None:
        self.run = parts.record.started.run
        self.record = parts.record
        self.faults = 0
        started = parts.record.started
        self.faults_said = FaultBook(
            parts.record.chosen, resume.findings or parts.record.findings,
            (program_of(started), teller(parts.paths, started)),
        )  # fmt: skip
        self.losses = Losses(float("inf") if resume.is_stop_asked else resume.killed_at)
        self.told_lookups = resume.lookups
        """Look-ups in a cache that the journal told of when we took over: unit and time."""
        self.is_given_up = resume.is_stop_asked
        """Somebody asked for its end, or it was killed: what it had under way is of no use to anybody."""
        self.says_units = resume.says_units
        self.is_build_over = resume.is_build_over
        self.sampled = resume.sampled
        self.sampled_links = resume.sampled_links
        """Links that an engine before this one saw begin, and nobody end."""
        self.blocked_on: set[str] = set()
        """Lock files that it was seen to wait for."""
        self.is_waiting = False
        """For a lock, as the kernel or cargo said last."""
        self._links = resume.links
        self._notes_until: float | None = None
        self._cut_ends = resume.cut_ends
        self._is_backlog = resume.is_backlog
        self._parts = parts
        self._resume = resume
        self._last_at = resume.last_at
        self._marks = resume.marks
        self._unsaved_bytes = 0
        self._is_closed = False
        """The parser gave what it held back."""
        self._is_end_written = False

    @property
    def folder(self) -> str:
        """Of the run."""
        return self._parts.paths.run(self.run)

    @property
    def journal_path(self) -> str:
        """Of the run."""
        return self._parts.journal.path

    @property
    def is_gone(self) -> bool:
        """Somebody removed the run's folder."""
        return self._parts.journal.is_gone

    @property
    def is_stuck(self) -> bool:
        """The disk did not take the last batch; nothing is read until it does."""
        return self._parts.journal.has_pending

    @property
    def is_catching_up(self) -> bool:
        """The digest is behind the journal."""
        return bool(self._resume.replay)

    @property
    def logs(self) -> tuple[LogTail, ...]:
        """`out.log`, and `err.log` where there are two."""
        return (self._parts.out,) if self._parts.err is None else (self._parts.out, self._parts.err)

    def is_live(self) -> bool:
        """The supervisor lives."""
        return self._parts.lock.is_held()

    def supervisor(self) -> tuple[int, int] | None:
        """Pid and start of the supervisor."""
        return self._parts.lock.supervisor()

    def watched(self) -> Watched | None:
        """What the prober looks at; None before the supervisor has said who it is."""
        found = self.supervisor()
        if found is None:
            return None
        noted = (*self._parts.links.open, *self._parts.nvcc.open)
        links = tuple(link for link in noted if link in self._links)
        return Watched(self.run, found[0], self.record.started.target_dir, links)

    @property
    def link_notes(self) -> LinkNotes:
        """What fronts tell of its links."""
        return self._parts.links

    def take_kept(self) -> list[Kept]:
        """What calls of nvcc left that ended since the last time; nothing of one whose end is not told yet."""
        return self._parts.nvcc.take_kept()

    def poll(self) -> bool:
        """Look at the files; True where there is something to read."""
        has_more = self.is_catching_up
        for log in self.logs:
            has_more = log.poll() or has_more
        if not has_more:
            self._is_backlog = False
        return has_more

    def step(self, now: float) -> bool:
        """Read and understand the next bytes; False where there was nothing to do, or the disk is full."""
        if not self._parts.journal.flush():
            return False
        if self._resume.replay:
            self._replay(self._resume.replay.popleft())
            return True
        at = self._moment(now)
        chunks = self._read(None)
        if not chunks:
            self._is_backlog = False
            return False
        self._write(self._digest(chunks, at), at)
        self._listen(chunks, at)
        self._unsaved_bytes += sum(len(chunk) for _, chunk, _ in chunks)
        if self._unsaved_bytes >= checkpoint.EVERY_BYTES:
            self.save()
        return True

    def exited(self, found: facts.Exit | None) -> None:
        """It is over, as its supervisor said; None: nobody said it."""
        if found is not None and found.is_killed_by_others:
            started = self.record.started
            self.losses.died(found.ended.at, "cargo" if started.tool == "cargo" else started.subcommand, "")
        if found is None or found.is_cut_short:
            self._give_up()

    def found(self, findings: Iterable[Finding], now: float) -> None:
        """Put findings into the journal that it does not have."""
        self._tell(self.faults_said.add(findings), self._moment(now))

    def _tell(self, findings: tuple[Finding, ...] | None, at: float) -> None:
        """Put findings into the journal; None: there is nothing new."""
        if findings is None:
            return
        self.note([seen(at, findings)])
        if linker := self.faults_said.take_linker():
            refuse_linker_of(self._parts.paths, self.run, linker)

    def _give_up(self) -> None:
        self.is_given_up = True
        self.losses.stop()

    def note(self, events: Iterable[e.Event]) -> None:
        """Put facts into the journal that no log says."""
        events = self._links.take(events)
        for event in events:
            if isinstance(event, e.LockBlocked):
                self.blocked_on.add(event.path)
                self.is_waiting = True
            elif isinstance(event, e.LockPassed):
                self.is_waiting = False
            elif isinstance(event, e.ProcessKilled):
                self.losses.told(event.at)
        self._parts.journal.append(events)

    def poll_notes(self) -> bool:
        """Put into the journal what others noted: stop requests, links, nvcc. False where there was nothing new."""
        links = self._parts.links.poll()
        for link in links:
            if isinstance(link, e.LinkEnded):
                self.losses.link_ended(link)
        asks = self._parts.asks.poll()
        if asks:
            self._give_up()
        if found := [*asks, *links, *self._parts.nvcc.poll()]:
            self.note(found)
        return bool(found)

    def waits_for_notes(self, steady_s: float) -> bool:
        """It is over, and a link of it may still be told of; `steady_s` never jumps."""
        if self.is_given_up or not self._links.has_fronts:
            return False
        self._notes_until = self._notes_until or steady_s + NOTES_WAIT_S
        return steady_s < self._notes_until

    def note_lost_links(self, is_alive: Callable[[int], bool], now: float) -> None:
        """Put ends of links into the journal whose fronts were killed: nobody notes them."""
        if lost := self._links.lost(now, is_alive):
            self.note(lost)

    def save(self) -> bool:
        """Write a checkpoint; False where that is not possible now."""
        self._unsaved_bytes = 0
        if self.is_stuck or self.is_catching_up:
            return False
        state = checkpoint.Checkpoint(
            self._parts.code, self._marks, self._parts.out.offset, self._err_offset, self._parts.digest
        )
        return checkpoint.save(self.folder, state)

    def cut(self, limit_bytes: int, now: float) -> None:
        """Punch a hole into each log that takes more than its limit; the journal says so first."""
        names: tuple[e.Stream, ...] = ("out", "err")
        for name, log in zip(names, self.logs, strict=False):
            hole = retention.plan_cut(
                size_bytes=log.size, disk_bytes=log.disk_bytes, read_bytes=log.offset, limit_bytes=limit_bytes
            )
            if hole is None or self.is_stuck or self.is_catching_up:
                continue
            self.save()
            end = hole.offset + hole.length
            start = max(hole.offset, self._cut_ends.get(name, 0))
            if end > start:
                self.note([e.LogCut(self._moment(now), name, start, end - start)])
                self._cut_ends[name] = end
            if not self.is_stuck:
                retention.punch(log.path, hole)

    def end(self, final: Sequence[e.Event], now: float) -> bool:
        """Write what the parser held back, then the end. False while the disk does not take it."""
        if self._is_end_written or self.is_stuck:
            return self._parts.journal.flush() and self._is_end_written
        if not self._is_closed:
            at = self._moment(now)
            said = self._close_digest(at)
            self._parts.journal.append(said, self._mark(at, len(said), is_closing=True))
        self._is_end_written = True
        while self.poll_notes():
            pass
        self._tell(self.faults_said.close(), self._moment(now))
        if any(isinstance(event, e.RunEnded) and event.signal == signal.SIGILL for event in final):
            self._tell(self.faults_said.died(self.record.started.subcommand), self._moment(now))
        left = self._links.take(self._links.left(self._moment(now)))
        return self._parts.journal.append([*left, *final])

    def close(self) -> None:
        """Let go of all files."""
        for log in self.logs:
            log.close()
        self._parts.journal.close()
        self._parts.lock.close()

    def sync(self) -> None:
        """Put the journal on the disk for good."""
        self._parts.journal.sync()

    def _moment(self, now: float) -> float:
        """A run's time never goes back, whatever the clock does."""
        self._last_at = max(self._last_at, now)
        return self._last_at

    @property
    def _err_offset(self) -> int:
        return self._parts.err.offset if self._parts.err is not None else 0

    def _mark(self, at: float, events: int, *, is_closing: bool = False) -> Mark:
        is_backlog = self._is_backlog and not is_closing
        return Mark(self._parts.out.offset, self._err_offset, at, events, is_backlog, is_closing)

    def _read(self, mark: Mark | None) -> list[Chunk]:
        """The next bytes of each log: up to the mark, or one step.

        `err.log` comes first: what cargo says there was written before the last message in `out.log`.
        """
        chunks: list[Chunk] = []
        names: tuple[e.Stream, ...] = ("out", "err")
        for name, log, end in zip(names, self.logs, (mark.out, mark.err) if mark else (None, None), strict=False):
            chunk = log.read(STEP_BYTES) if end is None else log.read_to(end)
            if chunk:
                chunks.insert(0, (name, chunk, log.offset))
        return chunks

    def _digest(self, chunks: list[Chunk], at: float, again: Mark | None = None) -> list[e.Event]:
        """What the next bytes say. Those that a parser fails on are passed over; in the end, the parser is."""
        try:
            is_backlog = again.is_backlog if again else self._is_backlog
            said = self._said(self._parts.digest.feed(chunks, at, is_backlog=is_backlog))
        except Exception:
            self.faults += 1
            if again is None:
                self._write([], at)
            if self.faults >= MAX_FAULTS:
                self._parts.digest = Digest(SilentParser(), self._parts.digest.indexes)
            raise
        return said

    def _listen(self, chunks: list[Chunk], at: float) -> None:
        """What the same bytes say of failures: after all else is written, so that trouble here loses nothing."""
        for stream, chunk, _ in chunks:
            self.losses.read(stream, chunk, at)
            self._tell(self.faults_said.read(stream, chunk), at)

    def _close_digest(self, at: float) -> list[e.Event]:
        self._is_closed = True
        return self._said(self._parts.digest.close(at))

    def _write(self, events: list[e.Event], at: float) -> None:
        self._marks += 1
        self._parts.journal.append(events, self._mark(at, len(events)))

    def _replay(self, mark: Mark) -> None:
        """Do a step again; of the last one, write what its torn batch lacks."""
        self._marks += 1
        chunks = [] if mark.is_closing else self._read(mark)
        events = self._close_digest(mark.at) if mark.is_closing else self._digest(chunks, mark.at, mark)
        missing = self._resume.missing_events
        if not self._resume.replay and missing:
            self._parts.journal.append(events[-missing:])
        self._listen(chunks, mark.at)

    def _said(self, events: list[e.Event]) -> list[e.Event]:
        for event in events:
            if isinstance(event, e.BuildFinished):
                self.is_build_over = True
            elif isinstance(event, e.UnitStarted) or (isinstance(event, e.ProgressMoved) and event.kind == "units"):
                self.says_units, self.is_waiting = True, False
            elif isinstance(event, e.LockWaitBegan | e.LockWaitEnded):
                self.is_waiting = isinstance(event, e.LockWaitBegan)
        return events
