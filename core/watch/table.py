"""All processes, as far as builds are concerned: one look serves all runs.

A look lists /proc (0.2 ms at 300 processes). What is new is read once or twice; of those that belong to a build, `stat`
and `statm` stay open and are read again at each look: 7 µs a process, where opening them anew costs 15 and psutil 160.
A file that is open belongs to its process and to no later one of the same number.
"""

import os
from collections import deque
from collections.abc import Container, Iterable, Iterator

from core.values import dataclass
from core.watch.forks import LEAST_BYTES, ForkMemory
from core.watch.proc_files import read, read_again, read_link
from core.watch.procs import is_compiler_or_script
from core.watch.roles import Part, part_of

_YOUNG_LOOKS = 3
"""A process is forked first and becomes another program later: so often it is looked at anew."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_FORGET_EVERY = 20
"""Looks after which a zombie's number is read again: it may be another process's by then."""
_REMEMBERED = 400
"""Processes of nobody we know that ended lately."""
_MAX_DEPTH = 256
_MAX_KEPT = 300
"""Processes whose files stay open; a system often allows 1,024 files in all."""


@dataclass(frozen=False, eq=False, slots=True)
class Proc:
    """One process, as it was at the last look."""

    pid: int
    parent: int
    started_ticks: int
    """Since boot."""
    name: str
    """The kernel's fifteen letters of its program."""
    looks: int = 0
    cpu_ticks: int = 0
    """User and system time, with that of children it waited for."""
    anonymous_bytes: int = 0
    """Resident, and no page of a file; pages that forked processes share are in each one's."""
    memory_bytes: int = 0
    """The same, of each shared page only its part: these add up. As of the last time that it was followed."""
    minor_faults: int = 0
    stack: int = 0
    """Where it begins, as exec placed it: forked processes have their parent's. 0: not to be seen."""
    state: str = ""
    """Of its first thread, one letter: `R` runs or is ready to, `S` sleeps, `D` waits for a disk, `T` is stopped."""
    major_faults: int = 0
    """Pages that it had to wait for, with those of children it waited for."""
    read_bytes: int = 0
    """Read from disks, with what children read that it waited for."""
    write_bytes: int = 0
    is_io_known: bool = False
    """Those two could be read."""
    is_followed: bool = False
    """Its time and memory are read at each look."""
    slept: int = 0
    """Looks in a row that found it as it was."""
    last_stat: bytes = b""
    """What `stat` said of one that is followed; while it says the same, the process slept."""
    stat_fd: int = -1
    statm_fd: int = -1
    part: Part | None = None
    words: tuple[bytes, ...] | None = None
    """Its command line; None: nobody asked yet."""
    owner: str = ""
    """The run that it belongs to."""

    def close(self) -> None:
        """Let go of its files."""
        for fd in (self.stat_fd, self.statm_fd):
            if fd >= 0:
                os.close(fd)
        self.stat_fd = self.statm_fd = -1


class ProcessTable:
    """What is known of all processes; `look` brings it up to date."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._procs: dict[int, Proc] = {}
        self._children: dict[int, list[Proc]] = {}
        self._kept = 0
        self._looks = 0
        self._forks = ForkMemory(root)
        self._zombies: set[int] = set()
        """Ended, and listed until somebody waits for them: in a container that may be for ever."""
        self.gone: list[Proc] = []
        """Those that were followed, and had ended at the last look."""
        self._strangers: deque[tuple[int, tuple[Proc, ...]]] = deque(maxlen=_REMEMBERED)
        """Pids of those that were not, and have ended; with what they descended from, nearest first."""

    def look(self) -> None:
        """List the processes; read those that are new, young, or lost their parent."""
        try:
            pids = {int(name) for name in os.listdir(self._root) if name.isdigit()}
        except OSError:
            pids = set()  # no such thing on this system
        self.gone = []
        ended = [self._procs[pid] for pid in self._procs.keys() - pids]
        self._strangers.extend((proc.pid, tuple(self.above(proc))) for proc in ended if not proc.is_followed)
        for proc in ended:
            self._drop(proc)
        for proc in list(self._procs.values()):
            if proc.is_followed or proc.looks < _YOUNG_LOOKS or (proc.parent and proc.parent not in self._procs):
                self._refresh(proc)
        self._looks += 1
        self._forks.begin_look()
        self._zombies = self._zombies & pids if self._looks % _FORGET_EVERY else set()
        for pid in pids - self._procs.keys() - self._zombies:
            self._add(pid)
        children: dict[int, list[Proc]] = {}
        for proc in self._procs.values():
            children.setdefault(proc.parent, []).append(proc)
        self._children = children

    def get(self, pid: int) -> Proc | None:
        """A process that lived at the last look."""
        return self._procs.get(pid)

    def all(self) -> Iterable[Proc]:
        """All that lived at the last look."""
        return self._procs.values()

    def below(self, pid: int, spared: frozenset[int] = frozenset()) -> Iterator[Proc]:
        """Descendants of a process, each after its parent; `spared` and what is below them left out."""
        queue = [pid]
        seen = {pid, *spared}
        while queue:
            for proc in self._children.get(queue.pop(), ()):
                if proc.pid not in seen:
                    seen.add(proc.pid)
                    queue.append(proc.pid)
                    yield proc

    def follow(self, procs: Iterable[Proc], owner: str) -> None:
        """From now on, read their time and memory at each look, for a run; the first reading is taken now.

        Their `memory_bytes` are what they take as of the last look: call it after each one.
        """
        large = []
        for proc in procs:
            proc.owner = owner
            if not proc.is_followed:
                proc.is_followed = True
                if self._kept < _MAX_KEPT:
                    self._keep(proc)
                self._take_memory(proc)
                self._take_io(proc)
            proc.memory_bytes = proc.anonymous_bytes
            if proc.anonymous_bytes >= LEAST_BYTES:
                large.append(proc)
        self._forks.count_once(large)

    def part(self, proc: Proc) -> Part:
        """What it does in a build; read from its command line once, and again when it became another program."""
        if proc.part is None:
            words = self.words(proc)
            environ = read(f"{self._root}/{proc.pid}/environ") if is_compiler_or_script(words) else b""
            proc.part = part_of(proc.name, words, environ)
        return proc.part

    def words(self, proc: Proc) -> tuple[bytes, ...]:
        """Its command line, read once; empty: it is gone, or not ours to read."""
        if proc.words is None:
            proc.words = tuple(word for word in read(f"{self._root}/{proc.pid}/cmdline").split(b"\0") if word)
        return proc.words

    def is_below(self, proc: Proc, pids: Container[int]) -> bool:
        """One of these processes started it, or its parent, and so on."""
        return any(above.pid in pids for above in self.above(proc))

    def was_strangers(self, pid: int, ours: Container[int], servers: Container[str]) -> bool:
        """A process that was seen alive has ended since, and was none of those below `ours`, which are followed, nor
        below a server of that name, whose work may be anybody's."""
        above = next((above for known, above in reversed(self._strangers) if known == pid), None)
        if above is None:
            proc = self.get(pid)
            if proc is None or proc.is_followed or not self._has_ended(proc):
                return False
            above = tuple(self.above(proc))
        return not any(one.pid in ours or one.name in servers for one in above)

    def _has_ended(self, proc: Proc) -> bool:
        stat = read(f"{self._root}/{proc.pid}/stat")
        return not stat or b") Z " in stat or b") X " in stat

    def above(self, proc: Proc) -> Iterator[Proc]:
        """What it descends from, nearest first, as of the last look."""
        above = self.get(proc.parent)
        for _ in range(_MAX_DEPTH):  # numbers are given anew: what was read at different times may go in a circle
            if above is None:
                break
            yield above
            above = self.get(above.parent)

    def folder(self, proc: Proc) -> str:
        """Its folder in /proc."""
        return f"{self._root}/{proc.pid}"

    def environ(self, proc: Proc) -> list[bytes]:
        """Its environment; empty: it is gone, or not ours to read."""
        return read(f"{self._root}/{proc.pid}/environ").split(b"\0")

    def cwd(self, proc: Proc) -> str:
        """The folder that it works in; empty: not to be seen."""
        return read_link(f"{self._root}/{proc.pid}/cwd")

    def close(self) -> None:
        """Let go of all files."""
        for proc in self._procs.values():
            proc.close()

    def _add(self, pid: int) -> None:
        proc, stat = Proc(pid, 0, 0, ""), read(f"{self._root}/{pid}/stat")
        if self._take(proc, stat):
            self._procs[pid] = proc
        elif b") Z " in stat:
            self._zombies.add(pid)

    def _drop(self, proc: Proc) -> None:
        if proc.is_followed:
            self.gone.append(proc)
        self._kept -= proc.stat_fd >= 0
        proc.close()
        del self._procs[proc.pid]

    def _refresh(self, proc: Proc) -> None:
        proc.looks += 1
        stat = self._read_of(proc, "stat", proc.stat_fd)
        if stat and stat == proc.last_stat:
            proc.slept += 1
            return
        proc.slept = 0
        if not self._take(proc, stat):
            self._drop(proc)
        elif proc.is_followed:
            proc.last_stat = stat
            self._take_memory(proc)

    def _read_of(self, proc: Proc, name: str, fd: int) -> bytes:
        return read(f"{self._root}/{proc.pid}/{name}") if fd < 0 else read_again(fd)

    def _keep(self, proc: Proc) -> None:
        folder = f"{self._root}/{proc.pid}"
        try:
            proc.stat_fd = os.open(folder + "/stat", os.O_RDONLY | os.O_CLOEXEC)
            proc.statm_fd = os.open(folder + "/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            proc.close()
            return
        self._kept += 1

    def _take(self, proc: Proc, stat: bytes) -> bool:
        """Take over what a `stat` file says; False: the process is gone or dead."""
        end = stat.rfind(b")")
        fields = stat[end + 2 :].split(None, 26)
        if len(fields) < 20 or fields[0] in (b"Z", b"X"):
            return False
        started = int(fields[19])
        name = stat[stat.find(b"(") + 1 : end].decode("utf-8", "replace")
        if name != proc.name or started != proc.started_ticks:
            proc.part, proc.words, proc.name, proc.looks = None, None, name, 0
        proc.parent, proc.started_ticks, proc.state = int(fields[1]), started, fields[0].decode("ascii", "replace")
        proc.minor_faults, proc.stack = int(fields[7]), int(fields[25]) if len(fields) > 25 else 0
        proc.major_faults = int(fields[9]) + int(fields[10])
        ticks = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
        if proc.is_followed and (ticks != proc.cpu_ticks or proc.state == "D" or not proc.is_io_known):
            self._take_io(proc)
        proc.cpu_ticks = ticks
        return True

    def _take_io(self, proc: Proc) -> None:
        """Only of those that did something: opening it anew costs 12 µs.

        read_bytes: 4096
        write_bytes: 0            (proc_pid_io(5))
        """
        for line in read(f"{self._root}/{proc.pid}/io").split(b"\n"):
            if line.startswith(b"read_bytes: "):
                proc.read_bytes = int(line[12:])
            elif line.startswith(b"write_bytes: "):
                proc.write_bytes, proc.is_io_known = int(line[13:]), True

    def _take_memory(self, proc: Proc) -> None:
        fields = self._read_of(proc, "statm", proc.statm_fd).split(None, 3)
        if len(fields) >= 3:
            proc.anonymous_bytes = (int(fields[1]) - int(fields[2])) * _PAGE_BYTES
