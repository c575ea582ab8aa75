"""Builds that nobody started through us: cargo, rustc, cmake, ninja, make and nvcc, as /proc shows them."""

import os
from collections.abc import Callable, Iterable

from core.clock import Clock
from core.clock import uptime as real_uptime
from core.events.machine import BuildRow
from core.run.identity import workspace_root
from core.run.mask import safe_words
from core.values import dataclass
from core.watch.locks import is_cargo_program, manifest_of
from core.watch.prober import CACHES
from core.watch.table import TICKS_A_SECOND, Proc, ProcessTable

LEAST_AGE_S = 0.8
"""What is over sooner, nobody would have read; and a run of ours is known by then."""
IsOpen = Callable[[str], bool]
"""A run of ours of that id is live: true from before its first process on, whoever knows of it yet."""
_TOOLS = ("cargo", "rustc", "clippy-driver", "cmake", "ninja", "ninja-build", "make", "gmake", "nvcc")
_BUILDERS = ("cargo", "cmake", "ninja", "ninja-build")
"""They are builds of their own, whoever calls them."""
_PASSED = ("make", "gmake", "sh", "bash", "dash", "ccache", "sccache", "libtool")
"""Between make and a compiler."""
_NO_BUILDS = frozenset(
    "add clean config fetch fmt generate-lockfile help info init locate-project login logout metadata new owner pkgid "
    "read-manifest remove report rm search tree uninstall update vendor verify-project version yank deck".split()
)
"""Subcommands of cargo that compile nothing."""
_LISTING = {
    "install": (b"--list",),
    "package": (b"--list", b"-l", b"--no-verify"),
    "publish": (b"--no-verify",),
}
"""Others compile nothing with one of these."""
_WORKERS = ("cargo", "cc", "rustc", "linker", "ninja", "nvcc")
_EDITORS = ("rust-analyzer", "RustRover", "clion", "zed", "code", "nvim", "vim", "emacs", "helix", "hx")
_MAX_COMMAND = 200
_MAX_DEPTH = 64
_STEP = 0.05
"""Of the memory: what changed by less looks as before."""
_LEAST_BYTES = 10 << 20


@dataclass(frozen=False, eq=False, slots=True)
class _Build:
    """What is known of one build."""

    root: Proc
    tool: str
    command: str
    cwd: str
    checkout: str
    editor: str
    started_at: float
    cpu_ticks: int = -1
    at: float = 0.0
    cores: float | None = None


class ForeignWatch:
    """Finds them in the table of processes, after each look of it."""

    def __init__(
        self, table: ProcessTable, *, clock: Clock, monotonic: Clock, is_open: IsOpen, uptime: Clock = real_uptime
    ) -> None:  # fmt: skip
        self._table = table
        self._clock = clock
        self._monotonic = monotonic
        self._is_open = is_open
        self._uptime = uptime
        self._builds: dict[tuple[int, int], _Build | None] = {}
        """By pid and start; None: it is none."""
        self._supervisors: frozenset[int] = frozenset()
        self._spared: frozenset[int] = frozenset()
        """Supervisors, and cache servers that a build happened to start: what they compile may be anybody's."""
        self._told: tuple[BuildRow, ...] | None = None
        self.memory_bytes = 0
        """Of all of them."""

    @property
    def is_any(self) -> bool:
        """There is one."""
        return any(self._builds.values())

    def look(self, supervisors: Iterable[int], ours: Iterable[Proc]) -> tuple[BuildRow, ...] | None:
        """All builds, oldest first; None: nothing that a person would see changed.

        Args:
            supervisors: Of our runs that live.
            ours: What a cache server compiles for them.
        """
        self._supervisors = frozenset(supervisors)
        self._spared = self._supervisors | {proc.pid for proc in self._table.all() if self._is_server(proc)}
        roots = self._roots()
        self._builds = {key: self._builds.get(key) for key in roots}
        taken = {proc.pid for proc in ours}
        served = [proc for proc in self._served() if proc.pid not in taken]
        rows = []
        self.memory_bytes = 0
        for key, root in roots.items():
            if self._builds[key] is None and self._age_s(root) >= LEAST_AGE_S:
                self._builds[key] = self._describe(root)
            build = self._builds[key]
            if build is not None:
                rows.append(self._row(build, served))
        found = tuple(sorted(rows, key=lambda row: (row[1], row[0])))
        if self._told is not None and _is_same(self._told, found):
            return None
        self._told = found
        return found

    def _roots(self) -> dict[tuple[int, int], Proc]:
        """The topmost process of each build."""
        found = {}
        for proc in self._table.all():
            if proc.name in _TOOLS and self._is_topmost(proc) and self._is_build(proc):
                found[proc.pid, proc.started_ticks] = proc
        return found

    def _is_topmost(self, proc: Proc) -> bool:
        above = proc.parent
        for _ in range(_MAX_DEPTH):
            parent = self._table.get(above)
            if parent is None:
                return above not in self._supervisors
            if parent.pid in self._supervisors or parent.name in CACHES:
                return False
            if parent.name in _TOOLS and self._is_build(parent):
                return False
            above = parent.parent
        return True

    def _is_build(self, proc: Proc) -> bool:
        """It compiles, or will. Of make that is seen only once it has started a compiler, itself or by a shell: `make
        test` of a project in Rust is cargo's build."""
        key = (proc.pid, proc.started_ticks)
        if self._builds.get(key) is not None:
            return True
        words = self._table.words(proc)
        match proc.name:
            case "cargo":
                subcommand = subcommand_of(words)
                return subcommand not in _NO_BUILDS and not any(word in _LISTING.get(subcommand, ()) for word in words)
            case "rustc" | "clippy-driver":
                return self._table.part(proc).unit is not None
            case "cmake":
                return b"--build" in words or self._has_compiler(proc)
            case "make" | "gmake":
                return any(self._table.part(one).role in _WORKERS for one in self._started_by(proc))
            case _:
                return True

    def _has_compiler(self, proc: Proc) -> bool:
        return any(self._table.part(one).role in _WORKERS for one in self._below(proc))

    def _started_by(self, make: Proc) -> Iterable[Proc]:
        """Its own jobs: what other programs start is theirs."""
        below = self._below(make)
        others = {one.pid for one in below if one.name not in _PASSED and not self._compiles(one)}
        return self._table.below(make.pid, self._spared | others)

    def _compiles(self, proc: Proc) -> bool:
        return proc.name not in _BUILDERS and self._table.part(proc).role in _WORKERS

    def _below(self, proc: Proc) -> Iterable[Proc]:
        return self._table.below(proc.pid, self._spared)

    def _is_server(self, proc: Proc) -> bool:
        """It compiles for others: sccache as it runs without a word, zccache's daemon."""
        if proc.name not in CACHES:
            return False
        return proc.name.endswith("-daemon") or len(self._table.words(proc)) == 1

    def _describe(self, root: Proc) -> _Build | None:
        """What stays the same of a build; None: it is a run of ours that was just begun."""
        if self._is_ours(root):
            return None
        words = tuple(word.decode("utf-8", "replace") for word in self._table.words(root))
        program = os.path.basename(words[0]) if words else root.name
        cwd = self._table.cwd(root)
        command = " ".join(" ".join(safe_words((program, *words[1:]), {})).split())[:_MAX_COMMAND]
        checkout = (workspace_root(cwd, manifest_of(words)) or "") if cwd and program == "cargo" else ""
        started_at = round(self._clock() - self._age_s(root), 2)
        return _Build(root, program, command, cwd, checkout, self._editor_of(root), started_at)

    def _is_ours(self, root: Proc) -> bool:
        """It says so, and the run is live: not one of another state folder, nor what a run left behind."""
        run = next((word[9:] for word in self._table.environ(root) if word.startswith(b"DECK_RUN=")), b"")
        return bool(run) and b"/" not in run and self._is_open(run.decode("utf-8", "replace"))

    def _editor_of(self, root: Proc) -> str:
        """The editor or language server that started it; empty: none did."""
        parent = self._table.get(root.parent)
        return parent.name if parent is not None and parent.name in _EDITORS else ""

    def _served(self) -> list[Proc]:
        """What cache servers compile for whomever."""
        servers = [proc for proc in self._table.all() if proc.name in CACHES]
        below = {proc.pid: proc for server in servers for proc in self._table.below(server.pid)}
        return [proc for proc in below.values() if proc.name not in CACHES and self._table.part(proc).out_dir]

    def _row(self, build: _Build, served: list[Proc]) -> BuildRow:
        root = build.root
        tree = [root, *self._below(root)]
        asked = {(part.out_dir, part.detail) for proc in tree if (part := self._table.part(proc)).out_dir}
        procs = [*tree, *(proc for proc in served if self._is_asked(proc, asked))]
        self._table.follow(procs, "")
        units = {part.unit.name: None for proc in procs if (part := self._table.part(proc)).unit is not None}
        cargos = tuple(sorted(proc.pid for proc in tree[1:] if is_cargo_program(proc.name)))
        memory = sum(proc.memory_bytes for proc in procs)
        self.memory_bytes += memory
        return (
            root.pid, build.started_at, build.tool, build.command, build.cwd, build.checkout,
            tuple(units), memory, self._cores(build, sum(p.cpu_ticks for p in procs)), len(procs), build.editor, cargos,
        )  # fmt: skip

    def _is_asked(self, proc: Proc, asked: set[tuple[bytes, str]]) -> bool:
        part = self._table.part(proc)
        return (part.out_dir, part.detail) in asked

    def _cores(self, build: _Build, ticks: int) -> float | None:
        now = self._monotonic()
        passed_s = now - build.at
        if build.cpu_ticks >= 0 and passed_s > 0:
            build.cores = round(max(0, ticks - build.cpu_ticks) / TICKS_A_SECOND / passed_s, 2)
        build.cpu_ticks, build.at = max(ticks, build.cpu_ticks), now
        return build.cores

    def _age_s(self, root: Proc) -> float:
        return self._uptime() - root.started_ticks / TICKS_A_SECOND


def look_once(supervisors: Iterable[int], *, clock: Clock, monotonic: Clock, is_open: IsOpen) -> tuple[BuildRow, ...]:
    """All builds as one look sees them, oldest first; what cores they use is not known."""
    table = ProcessTable()
    table.look()
    try:
        return ForeignWatch(table, clock=clock, monotonic=monotonic, is_open=is_open).look(supervisors, ()) or ()
    finally:
        table.close()


def subcommand_of(words: Iterable[bytes]) -> str:
    """Cargo's subcommand; empty: none is given (`cargo --version`)."""
    values = (b"--config", b"-C", b"-Z", b"--color")
    rest = iter(list(words)[1:])
    for word in rest:
        if word in values:
            next(rest, b"")
        elif not word.startswith((b"-", b"+")):
            return word.decode("utf-8", "replace")
    return "version"


def _is_same(before: tuple[BuildRow, ...], now: tuple[BuildRow, ...]) -> bool:
    return len(before) == len(now) and all(_is_like(old, new) for old, new in zip(before, now, strict=True))


def _is_like(old: BuildRow, new: BuildRow) -> bool:
    """A person would see no difference."""
    cores, used = old[8], new[8]
    return (
        (*old[:7], *old[9:]) == (*new[:7], *new[9:])
        and abs(new[7] - old[7]) < max(old[7], _LEAST_BYTES) * _STEP
        and (cores is None) == (used is None)
        and abs((cores or 0.0) - (used or 0.0)) < 0.1
    )
