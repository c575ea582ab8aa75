"""The live processes of one run, as a tree. Reads all of /proc (8 ms at 300 processes): not for the event loop."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core import facts
from core.paths import Paths
from core.run import proctree
from core.run.mask import safe_words
from core.run.stop import find_holder
from core.watch.procs import is_compiler_or_script
from core.watch.roles import Part, part_of

_MAX_COMMAND_BYTES = 4096
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class RunProcess:
    """One process."""

    pid: int
    depth: int
    """0: the supervisor's child."""
    program: str
    """File name of its executable."""
    command: str
    """Its words; credentials masked."""
    cpu_s: float
    """User and system time so far, of its own, without its children's."""
    rss_bytes: int
    """Memory that it has resident; pages that processes share count in each."""
    role: str = "program"
    """As in `core.watch.roles`."""
    detail: str = ""
    """The unit that it works on, else the file; empty: not known."""
    anonymous_bytes: int = 0
    """Its own memory: resident, and no page of a file; of each page that forked processes share, only its part."""
    pss_bytes: int | None = None
    """Resident memory, of each shared page only its part; None: not to be seen."""
    read_bytes: int | None = None
    """Read from disks so far, with children that ended; None: not to be seen."""
    write_bytes: int | None = None
    is_served: bool = False
    """A cache server started it for the run: it is not below the supervisor."""


def look(paths: Paths, run: str) -> tuple[RunProcess, ...]:
    """Processes below the run's supervisor, each after its parent, then what cache servers compile for it; none where
    the run is over."""
    holder = find_holder(paths, run)
    if holder is None:
        return ()
    try:
        below = proctree.all_processes().values()
    except OSError:
        return ()  # no /proc on this system
    children: dict[int, list[int]] = {}
    for process in sorted(below, key=lambda one: one.pid):
        if process.state not in "ZX":
            children.setdefault(process.parent, []).append(process.pid)
    tree = tuple(_tree(holder.supervisor.pid, children, 0))
    record = facts.read_record(paths, run)
    target = record.started.target_dir if record is not None else None
    own = {one.pid for one in tree}
    return (*tree, *_served(target, children, own)) if target else tree


def _tree(parent: int, children: Mapping[int, list[int]], depth: int) -> Iterator[RunProcess]:
    for pid in children.get(parent, ()):
        found = _read(pid, depth)
        if found is not None:
            yield found[0]
        yield from _tree(pid, children, depth + 1)


def _served(target: str, children: Mapping[int, list[int]], own: set[int]) -> Iterator[RunProcess]:
    """Compilers that write to the target dir, below cache servers that are not below the supervisor."""
    folder = os.fsencode(target) + b"/"
    for pids in children.values():
        for pid in pids:
            if pid in own or proctree.executable_name(pid) not in proctree.CACHE_TOOLS:
                continue
            for one in children.get(pid, ()):
                found = _read(one, 0, is_served=True)
                if found is not None and found[1].out_dir.startswith(folder):
                    yield found[0]


def _read(pid: int, depth: int, *, is_served: bool = False) -> tuple[RunProcess, Part] | None:
    """The process and what it does; None: it ended meanwhile."""
    try:
        content, line = _file(pid, "stat"), _file(pid, "cmdline")
        pages = _file(pid, "statm").split()
    except OSError:
        return None
    fields = content[content.rfind(b")") + 2 :].split()
    if len(fields) < 22 or len(pages) < 3:
        return None
    words = [word for word in line.split(b"\0") if word]
    program = proctree.executable_name(pid)
    part = part_of(program, words, _quiet(pid, "environ") if is_compiler_or_script(words) else b"")
    shown = tuple(word.decode("utf-8", "replace") for word in line[:_MAX_COMMAND_BYTES].split(b"\0") if word)
    anonymous = (int(pages[1]) - int(pages[2])) * _PAGE_BYTES
    io, rollup = _numbers(_quiet(pid, "io")), _numbers(_quiet(pid, "smaps_rollup"))
    process = RunProcess(
        pid=pid,
        depth=depth,
        program=program,
        command=" ".join(safe_words(shown, {})),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND,
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
        role=part.role,
        detail=part.detail,
        anonymous_bytes=min(anonymous, rollup.get("Pss_Anon", rollup.get("Pss", anonymous // 1024)) * 1024),
        pss_bytes=rollup["Pss"] * 1024 if "Pss" in rollup else None,
        read_bytes=io.get("read_bytes"),
        write_bytes=io.get("write_bytes"),
        is_served=is_served,
    )
    return process, part


def _numbers(content: bytes) -> dict[str, int]:
    """`read_bytes: 4096` or `Pss:  123 kB` a line."""
    found = {}
    for line in content.split(b"\n"):
        words = line.split()
        if len(words) > 1 and words[0].endswith(b":") and words[1].isdigit():
            found[words[0][:-1].decode("ascii", "replace")] = int(words[1])
    return found


def _file(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()


def _quiet(pid: int, name: str) -> bytes:
    """Empty: it is not ours to read, or gone."""
    try:
        return _file(pid, name)
    except OSError:
        return b""
