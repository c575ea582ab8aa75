"""Links that no front tells of, as they are seen among the processes: a linker, its topmost driver, its largest memory.

The kernel counts new processes for all to read, so a look that finds none costs 10 µs; each new one costs one read of
its name, each linker one read of its `status` a look. `VmHWM` there is the most that a process ever had, and stands
until it ends: read late in its life it is nearly exact. A link that begins and ends between two looks is not seen.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from core import events as e
from core.clock import Clock
from core.values import dataclass
from core.watch import proc_files, procs
from core.watch.elf import read_sizes
from core.watch.link_words import LinkWords, read_link, reader_in
from core.watch.links import LinkNotes, linker_name, linker_of
from core.watch.roles import part_of

LOOK_S = 0.04
"""Between two looks while there are links that no front tells of, or may be."""
_LISTED_FROM = 20
"""So many new numbers, and all processes are listed: most numbers are threads, and to ask for one costs 12 µs."""
_MAX_NEW = 2000
"""New processes that are looked at in one look; of more, the last ones."""
_MAX_DEPTH = 64
_STARTERS = frozenset(("cargo", "rustc", "cc", "build script", "make", "ninja", "cmake", "nvcc"))
"""Who starts drivers and linkers: a new process has the name of its parent until it becomes another program."""
_NOT_THE_LINKER = frozenset(("collect2", "lto-wrapper", "lto1"))
"""They belong to a link and are not what links."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_CLOCK_SLACK_S = 2 * _TICK_S


@dataclass(frozen=True, slots=True)
class LinkRun:
    """A run whose links are looked for."""

    run: str
    supervisor: int
    """Pid."""
    notes: LinkNotes
    """What fronts tell of it."""
    refresh: Callable[[], object]
    """Reads on in them."""
    has_fronts: bool = False
    """Links of `cc` are told by one."""


class _Process(NamedTuple):
    pid: int
    parent: int
    started_ticks: int
    name: str


@dataclass(frozen=False, eq=False, slots=True)
class _Link:
    """A link under way."""

    run: LinkRun
    started: e.LinkStarted
    began: float
    driver_fd: int
    """Its `stat`."""
    members: dict[int, int]
    """`status` of each of its linkers, by pid."""
    peak_bytes: int = 0

    def close(self) -> None:
        for fd in (self.driver_fd, *self.members.values()):
            os.close(fd)


class SampledLinks:
    """Finds and follows them, for all runs."""

    def __init__(self, clock: Clock, root: str = "/proc") -> None:
        self._clock = clock
        self._root = root
        self._links: dict[tuple[int, int], _Link] = {}
        """By pid and start of the driver."""
        self._young: list[int] = []
        """Seen once: they may become another program."""
        self._own_linker: dict[str, bool] = {}
        """Whether a run's rustc is told to use a certain linker: no front stands before that."""
        self._judged: set[int] = set()
        """Linkers that were looked at."""
        self._last_pid: int | None = None
        self._count_fd = proc_files.open_file(f"{root}/loadavg")

    def open(self, run: str) -> tuple[str, ...]:
        """Links of a run that are under way."""
        return tuple(link.started.link for link in self._links.values() if link.run.run == run)

    @property
    def has_links(self) -> bool:
        """Some are under way."""
        return bool(self._links)

    def is_needed_for(self, run: LinkRun) -> bool:
        """It is worth looking 25 times a second; never where the kernel does not count processes for all to read."""
        if self._count_fd < 0:
            return False
        is_linking = any(link.run.run == run.run for link in self._links.values())
        return is_linking or not run.has_fronts or self._own_linker.get(run.run, True)

    def look(self, runs: Mapping[str, LinkRun]) -> list[tuple[str, e.Event]]:
        """What began and ended since the last look: run, and what to tell of it."""
        for gone in self._own_linker.keys() - runs.keys():
            del self._own_linker[gone]
        young, self._young = self._young, []
        found = self.consider(young, runs)
        found += self.consider(self._new_pids(), runs, is_new=True)
        for key, link in list(self._links.items()):
            for pid in [pid for pid, fd in link.members.items() if not self._measure(link, fd)]:
                os.close(link.members.pop(pid))
            if not self._lives(link):
                del self._links[key]
                link.close()
                if link.run.run in runs:
                    found.append((link.run.run, self._ended(link)))
        return found

    def consider(
        self, pids: Iterable[int], runs: Mapping[str, LinkRun], *, is_new: bool = False
    ) -> list[tuple[str, e.Event]]:
        """Look whether these processes are linkers; what begins with them.

        `is_new`: they were just started, and may become another program soon.
        """
        supervisors = {run.supervisor: run for run in runs.values()}
        judged = (self._judge(pid, supervisors, is_new=is_new) for pid in pids if pid not in self._judged)
        return [event for event in judged if event is not None]

    def take_over(self, run: LinkRun, left: Iterable[e.LinkStarted]) -> list[tuple[str, e.Event]]:
        """Follow links that an engine before this one told the start of; those that ended meanwhile end, unmeasured."""
        found: list[tuple[str, e.Event]] = []
        for started in left:
            pid, _, ticks = started.link.partition("-s")
            process = self._process(int(pid))
            link = _Link(run, started, started.at, -1, {})
            if process is None or str(process.started_ticks) != ticks:
                found.append((run.run, self._ended(link)))
            elif (fd := proc_files.open_file(f"{self._root}/{pid}/stat")) >= 0:
                link.driver_fd = fd
                self._links[int(pid), int(ticks)] = link
        return found

    # New processes

    def _new_pids(self) -> Iterable[int]:
        """Those that were started since the last look."""
        words = proc_files.read_again(self._count_fd).split()
        last, self._last_pid = self._last_pid, int(words[-1]) if words else None
        if self._last_pid is None or last is None or self._last_pid < last:
            self._judged.clear()
            return ()  # the first look, or the numbers began anew
        new = range(max(last + 1, self._last_pid - _MAX_NEW), self._last_pid + 1)
        self._judged.difference_update(new)
        if len(new) < _LISTED_FROM:
            return new
        return [pid for name in os.listdir(self._root) if name.isdigit() and (pid := int(name)) in new]

    def _judge(self, pid: int, supervisors: Mapping[int, LinkRun], *, is_new: bool) -> tuple[str, e.Event] | None:
        name = proc_files.read(f"{self._root}/{pid}/comm").decode("utf-8", "replace").rstrip("\n")
        if not name:
            return None
        role = _role(name)
        if role in _STARTERS and is_new:
            self._young.append(pid)
        if role == "rustc":
            self._see_compiler(pid, supervisors)
        if role != "linker" or not self._is_process(pid):
            return None
        self._judged.add(pid)
        return self._begin(pid, supervisors)

    def _see_compiler(self, pid: int, supervisors: Mapping[int, LinkRun]) -> None:
        """Note whether it is told which linker to use: `-C linker=clang`."""
        if all(self._own_linker.get(run.run, not run.has_fronts) for run in supervisors.values()):
            return
        words = proc_files.read(f"{self._root}/{pid}/cmdline").split(b"\0")
        is_question = b"___" in words or b"--crate-name" not in words  # cargo's, with no word of the linker
        chain = [] if is_question else self._chain(pid, supervisors)
        run = supervisors.get(chain[-1].pid) if chain else None
        if run is not None:
            is_told = any(word.startswith((b"linker=", b"-Clinker=")) for word in words)
            self._own_linker[run.run] = is_told or self._own_linker.get(run.run, False)

    def _is_process(self, pid: int) -> bool:
        """Not one of a linker's threads, which have numbers of their own."""
        status = proc_files.read(f"{self._root}/{pid}/status")
        return proc_files.number(status, b"\nTgid:") == pid

    def _begin(self, pid: int, supervisors: Mapping[int, LinkRun]) -> tuple[str, e.Event] | None:
        """Take a linker into its link, or begin one; None: nothing new is to be told."""
        chain = self._chain(pid, supervisors)
        if not chain or chain[-1].pid not in supervisors:
            return None
        fd = proc_files.open_file(f"{self._root}/{pid}/status")
        if fd < 0:
            return None
        known = next((self._links[key] for one in chain if (key := (one.pid, one.started_ticks)) in self._links), None)
        if known is not None:
            self._add(known, pid, fd)
            return None
        run = supervisors[chain[-1].pid]
        run.refresh()  # a front notes a link before it starts it
        link = None if any(one.pid in run.notes.fronts for one in chain) else self._new_link(run, chain)
        if link is None:
            os.close(fd)
            return None
        self._add(link, pid, fd)
        return run.run, link.started

    def _add(self, link: _Link, pid: int, status_fd: int) -> None:
        if pid in link.members:
            os.close(status_fd)
        else:
            link.members[pid] = status_fd
            self._measure(link, status_fd)

    def _chain(self, pid: int, supervisors: Mapping[int, LinkRun]) -> list[_Process]:
        """The process and those above it, up to the supervisor of a run where it is below one."""
        chain: list[_Process] = []
        while len(chain) < _MAX_DEPTH and (process := self._process(pid)) is not None:
            chain.append(process)
            if pid in supervisors or process.parent <= 1:
                break
            pid = process.parent
        return chain

    def _new_link(self, run: LinkRun, chain: list[_Process]) -> _Link | None:
        height = next((at for at, one in enumerate(chain) if _role(one.name) not in ("cc", "linker")), len(chain))
        driver = chain[height - 1]
        if height == len(chain) - 1 and _role(driver.name) == "linker":
            return None  # mold goes on for a moment after its parent said that it is done
        words = self._words(driver.pid) or self._words(chain[0].pid)
        fd = proc_files.open_file(f"{self._root}/{driver.pid}/stat")
        if words is None or fd < 0:
            if fd >= 0:
                os.close(fd)
            return None
        running_s = time.clock_gettime(time.CLOCK_BOOTTIME) - driver.started_ticks * _TICK_S
        began = self._clock() - max(0.0, running_s)
        started = e.LinkStarted(
            at=began,
            link=f"{driver.pid}-s{driver.started_ticks}",
            unit=self._unit(chain[height:]),
            output=self._absolute(driver.pid, words.output),
            linker=self._linker(chain[0], words),
            inputs=words.inputs,
            input_bytes=words.input_bytes,
            is_sampled=True,
        )
        link = self._links[driver.pid, driver.started_ticks] = _Link(run, started, began, fd, {})
        return link

    def _words(self, pid: int) -> LinkWords | None:
        line = proc_files.read(f"{self._root}/{pid}/cmdline").split(b"\0")[1:]
        cwd = os.fsencode(proc_files.read_link(f"{self._root}/{pid}/cwd"))
        return read_link([word for word in line if word], *reader_in(cwd))

    def _absolute(self, pid: int, output: bytes) -> str:
        path = os.path.join(proc_files.read_link(f"{self._root}/{pid}/cwd"), os.fsdecode(output))
        return os.path.normpath(path).encode("utf-8", "replace").decode()

    def _linker(self, process: _Process, words: LinkWords) -> str:
        seen = (
            ""
            if process.name in _NOT_THE_LINKER
            else linker_of(proc_files.read_link(f"{self._root}/{process.pid}/exe"))
        )
        return seen or linker_name(words.fuse, is_rust_lld=words.is_rust_lld)

    def _unit(self, above: Iterable[_Process]) -> str:
        """The unit of the compiler that links; empty: it is none of cargo's."""
        rustc = next((one for one in above if _role(one.name) == "rustc"), None)
        if rustc is None:
            return ""
        words = [word for word in proc_files.read(f"{self._root}/{rustc.pid}/cmdline").split(b"\0") if word]
        package = procs.package_of(proc_files.read(f"{self._root}/{rustc.pid}/environ"))
        unit = procs.unit_of(words, package) if words else None
        return unit.name if unit is not None else ""

    def _process(self, pid: int) -> _Process | None:
        stat = proc_files.read(f"{self._root}/{pid}/stat")
        end = stat.rfind(b")")
        fields = stat[end + 2 :].split(None, 20)
        if len(fields) < 20:
            return None
        name = stat[stat.find(b"(") + 1 : end].decode("utf-8", "replace")
        return _Process(pid, int(fields[1]), int(fields[19]), name)

    # Links under way

    def _measure(self, link: _Link, status_fd: int) -> bool:
        """Take the memory of one of its linkers; False: that one has ended."""
        status = proc_files.read_again(status_fd)
        peak = proc_files.number(status, b"\nVmHWM:")
        if peak is not None:
            link.peak_bytes = max(link.peak_bytes, peak * 1024)
        return peak is not None

    def _lives(self, link: _Link) -> bool:
        stat = proc_files.read_again(link.driver_fd)
        return bool(stat) and stat[stat.rfind(b")") + 2 :][:1] not in (b"Z", b"X")

    def _ended(self, link: _Link) -> e.LinkEnded:
        begun, now = link.started, self._clock()
        size_bytes = _made_since(begun.output, link.began)
        sizes = read_sizes(begun.output) if size_bytes is not None else None
        before_bytes = link.run.notes.before(begun.output) if size_bytes is not None else None
        if size_bytes is not None:
            link.run.notes.made(begun.output, size_bytes)
        return e.LinkEnded(
            at=now, link=begun.link, unit=begun.unit, output=begun.output, linker=begun.linker,
            input_bytes=begun.input_bytes, began=link.began, elapsed_s=max(0.0, now - link.began),
            peak_bytes=link.peak_bytes, cpu_s=None, code=None, signal=None, output_bytes=size_bytes,
            text_bytes=sizes.text if sizes else None, debug_bytes=sizes.debug if sizes else None,
            symbol_bytes=sizes.symbols if sizes else None, before_bytes=before_bytes, is_sampled=True,
        )  # fmt: skip


@lru_cache(maxsize=1024)
def _role(name: str) -> str:
    return part_of(name, ()).role


def _made_since(output: str, began: float) -> int | None:
    """Bytes of a file that was written since; None: it is not there, or older."""
    try:
        there = os.stat(output)
    except OSError:
        return None
    return there.st_size if there.st_mtime >= began - _CLOCK_SLACK_S else None
