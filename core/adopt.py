"""Taking a run over, from its start or from an engine that was killed at any moment.

Kept: every line of the journal up to its last newline. Done again: the steps through the logs since the last
checkpoint, with the same bytes at the same moments as the journal's marks say; that puts the parser and the line
index where they were, and gives the events of a torn batch, of which only the missing ones are written. Read anew
from their files: stop requests beyond those in the journal, and how the run ended. So the journal of a run is the
same as if one engine had watched it all, but for the moments of what happened while there was none.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core import checkpoint, facts
from core import events as e
from core.digest import Digest, Index, Parser
from core.errors import JournalError
from core.findings import from_event
from core.journal import NAME, Content, JournalWriter, read_journal
from core.parts import Parts
from core.paths import Paths
from core.resume import Resume
from core.tail import LogTail
from core.watch.links import LastSize, LinkNotes
from core.watch.nvcc_notes import NvccNotes, told_in
from core.watched import WatchedRun

ParserMaker = Callable[[facts.Record], Parser]
IndexMaker = Callable[[str, e.Stream, facts.Record], Index]
"""From the run's folder, the log, and the record."""


@dataclass(frozen=True, slots=True)
class Makers:
    """How to make what a digest consists of."""

    parser: ParserMaker
    index: IndexMaker
    code: str
    """See `checkpoint.code_identity`."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A run that was taken over."""

    run: WatchedRun
    is_new: bool
    """Its journal is empty."""
    is_ended: bool
    """Its end is in the journal; it was not yet closed."""


BACKLOG_AFTER_S = 2.0
"""Of a run older than this, nobody saw when what its logs say was written."""


def adopt(
    paths: Paths, record: facts.Record, makers: Makers, *, lock: facts.Lock, now: float, last_size: LastSize
) -> Adopted:
    """Take a run over.

    Raises:
        JournalError: its journal was written by a newer version.
        OSError: its journal cannot be opened.
    """
    run = record.started.run
    folder = paths.run(run)
    content = _journal(folder + "/" + NAME)
    saved = _usable(checkpoint.load(folder, makers.code), content)
    digest = saved.digest if saved else fresh_digest(folder, record, makers)
    out = LogTail(folder + "/out.log", saved.out if saved else 0)
    err = LogTail(folder + "/err.log", saved.err if saved else 0) if record.started.is_split else None
    asks = facts.Asks(folder + "/asked.json", sum(isinstance(x, e.StopAsked) for x in content.events))
    links = LinkNotes(folder + "/fronts/links.jsonl", last_size, told=_links(content))
    journal = JournalWriter(folder + "/" + NAME, run)
    nvcc = NvccNotes(folder + "/fronts/nvcc.jsonl", told=told_in(content.events))
    parts = Parts(paths, record, lock, journal, digest, out, err, asks, links, nvcc, makers.code)
    is_new = not any(isinstance(x, e.RunStarted) for x in content.events)
    is_ended = any(isinstance(x, e.RunEnded | e.RunLost) for x in content.events)
    resume = _resume(content, saved)
    resume.is_backlog = now - record.started.at > BACKLOG_AFTER_S
    watched = WatchedRun(parts, resume)
    if is_new:
        watched.note(record.begun)
    if is_ended:
        watched.poll_notes()  # its kernels may not be measured yet
    return Adopted(watched, is_new, is_ended)


def fresh_digest(folder: str, record: facts.Record, makers: Makers) -> Digest:
    """A digest that has seen nothing."""
    streams: tuple[e.Stream, ...] = ("out", "err") if record.started.is_split else ("out",)
    indexes = {stream: makers.index(folder, stream, record) for stream in streams}
    return Digest(makers.parser(record), indexes)


def _journal(path: str) -> Content:
    """What the journal says; a file that is no journal is put aside."""
    try:
        return read_journal(path)
    except FileNotFoundError:
        return Content()
    except JournalError as error:
        if error.is_newer:
            raise
        os.rename(path, path + ".bad")
        return Content()


def _links(content: Content) -> frozenset[tuple[str, bool]]:
    """Links that the journal tells of, and whether of their end."""
    told = (event for event in content.events if isinstance(event, e.LinkStarted | e.LinkEnded))
    return frozenset((event.link, isinstance(event, e.LinkEnded)) for event in told)


def _sampled_links(content: Content) -> tuple[e.LinkStarted, ...]:
    """Links seen among the processes that have no end."""
    ended = {event.link for event in content.events if isinstance(event, e.LinkEnded)}
    begun = (event for event in content.events if isinstance(event, e.LinkStarted))
    return tuple(event for event in begun if event.is_sampled and event.link not in ended)


def _usable(saved: checkpoint.Checkpoint | None, content: Content) -> checkpoint.Checkpoint | None:
    """The checkpoint, where it belongs to this journal."""
    if saved is None or not 0 < saved.marks <= len(content.marks):
        return None
    mark = content.marks[saved.marks - 1]
    return saved if (mark.out, mark.err) == (saved.out, saved.err) else None


def _resume(content: Content, saved: checkpoint.Checkpoint | None) -> Resume:
    resume = Resume(missing_events=content.missing_events)
    resume.marks = saved.marks if saved else 0
    resume.replay = deque(content.marks[resume.marks :])
    resume.last_at = content.marks[-1].at if content.marks else 0.0
    resume.lookups = frozenset((x.unit, x.at) for x in content.events if isinstance(x, e.CacheLookedUp))
    resume.is_stop_asked = any(isinstance(x, e.StopAsked) for x in content.events)
    resume.sampled_links = _sampled_links(content)
    resume.links.take(content.events)
    for event in content.events:
        match event:
            case e.UnitStarted(is_sampled=True):
                resume.sampled[event.name] = event.at
            case e.UnitFinished():
                resume.sampled.pop(event.name, None)
            case e.UnitStarted() | e.ProgressMoved(kind="units"):
                resume.says_units = True
            case e.ProcessKilled():
                resume.killed_at = event.at
            case e.ContradictionsSeen():
                resume.findings = from_event(event)
            case e.LogCut():
                resume.cut_ends[event.stream] = event.offset + event.removed_bytes
            case e.BuildFinished():
                resume.is_build_over = True
            case _:
                pass
    return resume
