"""What `cargo clean` would do here: where, who builds there, whether the last log asks for it, and smaller ways."""

import contextlib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from core.chain import read_needs
from core.facts import Record, read_record
from core.folder import modified_ns, names_in
from core.native.cleans import cmake_folder
from core.native.cleans.clean_words import CleanWords, read_words
from core.native.cleans.loss import Contents, Loss, Scope, contents_of, loss_of, profiles_of
from core.native.cleans.rebuild import Rebuild, Seconds, dependants, rebuild_of, seconds_in
from core.native.cleans.telling import program_of, teller
from core.native.traces.cmake_cache import is_cmake_folder
from core.paths import Paths
from core.plan.plan import Finding
from core.run import begin, identity
from core.run.decided import own_target
from core.run.stop import is_live
from core.run.target import Subject, Target, private_dir
from core.runs import run_ids
from core.watch.fault_book import Chosen, FaultBook
from core.watch.lock_now import look_now
from core.watch.native_findings import CLEAN

_TAIL_BYTES = 8 << 20
_WORKERS = (
    "cmake",
    "ninja",
    "make",
    "gmake",
    "nvcc",
    "cudafe++",
    "cicc",
    "ptxas",
    "cc1",
    "cc1plus",
    "clang",
    "ar",
    "ld",
)
_MAX_RUNS = 5000
"""Runs, of all agents, that are looked through for the last one of a target dir: 0.2 s where it is none of them."""


class Here(NamedTuple):
    """What is to be cleaned."""

    words: CleanWords
    cwd: str
    env: dict[str, str]
    agent: str
    checkout: str
    target: Target
    build_dir: str = ""
    """Set apart from the target dir; empty: it is the same."""

    @property
    def folders(self) -> tuple[str, ...]:
        """What cargo would clean."""
        return tuple(filter(None, (self.target.path, self.build_dir)))


class LastLog(NamedTuple):
    """The last run that built there."""

    run: str
    agent: str
    command: str
    at: float
    """When it was started."""
    findings: tuple[Finding, ...] = ()
    """Native failures that its log tells of."""


class Choice(NamedTuple):
    """One way to clean."""

    words: tuple[str, ...]
    """After `clean`."""
    loss: Loss
    rebuild: Rebuild
    after: Rebuild = Rebuild()
    """Units of other packages that are compiled again because of it."""
    mends: str = ""
    """Title of what it mends; empty: nothing that is known."""

    @property
    def command(self) -> str:
        """As a person would type it."""
        import shlex

        return CLEAN + shlex.join(self.words) if self.words else CLEAN.rstrip()


def find_here(paths: Paths, words: CleanWords, cwd: str, env: dict[str, str]) -> Here:
    """Where a clean works: the private dir of the agent for this checkout where it has one, else cargo's own.

    Raises:
        UsageError: `--agent` is no name.
    """
    given = [f"--{name}={value}" for name in ("manifest-path", "target-dir", "config") for value in
             words.options.get(name, ())]  # fmt: skip
    command = begin.command_of(paths, ("build", *given), cwd, env)
    agent = identity.find_agent(words.value("agent") or None, env, cwd).name
    own = own_target(command)
    checkout = command.root or identity.git_root(cwd) or cwd
    build_dir = command.config.build_dir or ""
    if own.source == "default" and own.path is not None and (path := _private(paths, agent, checkout, own.path)):
        return Here(words, cwd, env, agent, checkout, Target(path, "private", f"{agent} builds there"))
    return Here(words, cwd, env, agent, checkout, own, build_dir if build_dir != own.path else "")


def _private(paths: Paths, agent: str, checkout: str, own: str) -> str:
    """The agent's private dir for the checkout, the one used last where it has several; empty: there is none."""
    path = private_dir(paths, Subject(agent, checkout, own))
    if os.path.isdir(path):
        return path
    keyed = [
        one for one in private_dirs(paths, checkout) if os.path.basename(os.path.dirname(one)).startswith(agent + "@")
    ]
    return max(keyed, key=modified_ns, default="")


def private_dirs(paths: Paths, checkout: str) -> Iterator[str]:
    """Private target dirs of all agents for a checkout."""
    for name in names_in(paths.targets, has_hidden=False):
        folder = f"{paths.targets}/{name}"
        try:
            with open(folder + "/checkout", encoding="utf-8", errors="surrogateescape") as file:
                is_ours = file.read(1 << 16).rstrip("\n") == checkout
        except OSError:
            continue
        if is_ours and os.path.isdir(folder + "/target"):
            yield folder + "/target"


def users_of(paths: Paths, here: Here, now: float) -> tuple[str, ...]:
    """Who builds there just now, ours or not, in words: `claude-1: build -p app`."""
    folder = here.words.value("cmake")
    workers = workers_in(os.path.realpath(os.path.join(here.cwd, folder))) if folder else ()
    found = dict.fromkeys(user for place in here.folders for user in _users_of(paths, place, now))
    return (*found, *workers)


def _users_of(paths: Paths, folder: str, now: float) -> tuple[str, ...]:
    real = os.path.realpath(folder)
    found: dict[str, None] = {}
    for run in names_in(paths.open, has_hidden=False):
        record = read_record(paths, run) if is_live(paths, run) else None
        if record is not None and record.started.subcommand != "run" and _builds_in(record, real):
            found[f"{record.started.agent}: {record.started.command}"] = None
    for held in look_now(paths, now, ()):
        if held.path.startswith(real + "/"):
            for owner in held.holders:
                record = read_record(paths, owner.run) if owner.run else None
                command = record.started.command if record is not None else owner.command
                found[f"{owner.agent or f'process {owner.pid}'}: {command or 'cargo'}"] = None
    return tuple(found)


def workers_in(folder: str, proc: str = "/proc") -> tuple[str, ...]:
    """CMake, make, ninja and compilers that work in a folder: `process 4711: ninja`."""
    found = []
    for pid in filter(str.isdigit, names_in(proc)):
        try:
            place = os.readlink(f"{proc}/{pid}/cwd")
            with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as file:
                name = file.read().strip()
        except OSError:
            continue
        if name in _WORKERS and (place == folder or place.startswith(folder.rstrip("/") + "/")):
            found.append(f"process {pid}: {name}")
    return tuple(found)


def _builds_in(record: Record, real: str) -> bool:
    places = (record.started.target_dir, record.started.build_dir)
    return any(place and os.path.realpath(place) == real for place in places)


def last_log(paths: Paths, here: Here) -> LastLog | None:
    """The last run that built in the target dir, with what its log asks for; None: none is kept."""
    for run in reversed(run_ids(paths)[-_MAX_RUNS:]):
        record = read_record(paths, run)
        if record is None or record.started.checkout != here.checkout:
            continue
        if record.started.target_dir in (here.target.path, None):
            started = record.started
            return LastLog(run, started.agent, started.command, started.at, _findings(paths, run, record))
    return None


def _findings(paths: Paths, run: str, record: Record) -> tuple[Finding, ...]:
    book = FaultBook(Chosen(), (), (program_of(record.started), teller(paths, record.started)))
    found: tuple[Finding, ...] = ()
    for stream in ("out", "err"):
        found = book.read(stream, _tail(f"{paths.run(run)}/{stream}.log")) or found
    return book.close() or found


def _tail(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES) + b"\n"
    except OSError:
        return b""


def scope_of(words: CleanWords, members: Callable[[], frozenset[str]]) -> Scope:
    """The part of a target dir that a clean takes. `members`: asked for names of the workspace's own packages."""
    if words.has("doc"):
        return Scope(is_doc=True)
    if words.is_whole:
        return Scope()
    names = frozenset({words.profile or "debug"})
    if not words.packages and not words.has("workspace"):
        return Scope(profiles=names)
    targets = words.options.get("target", ())
    profiles = frozenset(f"{target}/{name}" for target in targets for name in names) or names
    packages = frozenset(words.packages) | (members() if words.has("workspace") else frozenset())
    return Scope(packages=packages, profiles=profiles)


def members_of(checkout: str) -> frozenset[str]:
    """Packages that come from no registry, by `Cargo.lock`: those of the workspace, and paths outside of it."""
    try:
        with open(checkout + "/Cargo.lock", "rb") as file:
            packages = tomllib.load(file).get("package")
    except (OSError, ValueError, RecursionError):
        return frozenset()
    rows = [row for row in packages if isinstance(row, dict)] if isinstance(packages, list) else []
    return frozenset(str(row.get("name")) for row in rows if "source" not in row)


def _joined(several: Sequence[Contents]) -> Contents:
    """What a target dir and a build dir of its own hold together."""
    pieces = tuple(piece for one in several for piece in one.pieces)
    units = tuple(unit for one in several for unit in one.units)
    return Contents(several[0].folder if several else "", pieces, units, all(one.is_whole for one in several))


def _loss_of_cmake(folder: str) -> Loss:
    """What goes with a folder of CMake's: of one with sources only CMake's own notes."""
    gone = cmake_folder.paths_of(folder) if is_cmake_folder(folder) else (folder,)
    inside = [contents_of(path) for path in gone]
    sizes = [(piece.size_bytes, piece.files) for one in inside for piece in one.pieces]
    for path in gone:
        with contextlib.suppress(OSError):
            sizes += [] if os.path.isdir(path) else [(os.lstat(path).st_blocks * 512, 1)]
    size, files = (sum(row[column] for row in sizes) for column in (0, 1))
    return Loss((("other", size),), files, (), all(one.is_whole for one in inside))


class Figures:
    """What ways to clean cost, in one target dir."""

    def __init__(self, paths: Paths, here: Here, has_time: Callable[[], bool] = lambda: True) -> None:
        self._here = here
        self.contents = _joined([contents_of(folder, has_time=has_time) for folder in here.folders])
        self._seconds: Seconds = seconds_in(paths.history, here.checkout)
        self._needs: Mapping[tuple[str, str], frozenset[tuple[str, str]]] | None = None

    def choice(self, words: tuple[str, ...], mends: str = "") -> Choice:
        """What one way costs."""
        taken = read_words(words)
        if folder := taken.value("cmake"):
            return Choice(words, _loss_of_cmake(os.path.realpath(os.path.join(self._here.cwd, folder))), Rebuild(),
                          mends=mends)  # fmt: skip
        scope = scope_of(taken, lambda: members_of(self._here.checkout))
        loss = loss_of(self.contents, scope)
        return Choice(words, loss, rebuild_of(loss.units, self._seconds), self._after(scope), mends)

    def _after(self, scope: Scope) -> Rebuild:
        if not scope.packages:
            return Rebuild()
        if self._needs is None:
            self._needs = read_needs(self._here.checkout) or {}
        others = dependants(scope.packages, self._needs)
        units = [unit for unit in self.contents.units if unit.package in others]
        return rebuild_of(
            [one for one in units if scope.profiles is None or one.profile in scope.profiles], self._seconds
        )


def choices_of(figures: Figures, here: Here, last: LastLog | None) -> tuple[Choice, ...]:
    """Ways to clean, the smallest that mends something first, what was typed last."""
    typed = tuple(
        word for word in here.words.cargos if word not in ("-n", "--dry-run", "-q", "--quiet", "-v", "--verbose")
    )
    if folder := here.words.value("cmake"):
        typed = ("--cmake", folder)
    found: dict[tuple[str, ...], Choice] = {}
    for finding in last.findings if last is not None else ():
        words = mend_words(finding)
        if words and words not in found:
            found[words] = figures.choice(words, finding.title)
    if here.words.is_whole:
        names = [name for name, _ in profiles_of(here.target.path or "")]
        for name in names if len(names) > 1 else ():
            if "/" not in name:
                words = ("--profile", "dev" if name == "debug" else name)
                found.setdefault(words, figures.choice(words))
        if os.path.isdir(f"{here.target.path}/doc"):
            found.setdefault(("--doc",), figures.choice(("--doc",)))
    mending = sorted((one for one in found.values() if one.mends), key=lambda one: one.loss.size_bytes)
    others = [one for one in found.values() if not one.mends and one.words != typed]
    as_typed = found.get(typed) or figures.choice(typed)
    return (*(one for one in mending if one.words != typed), *others, as_typed)


def mend_words(finding: Finding) -> tuple[str, ...]:
    """What follows `cargo deck clean`, or `cargo clean`, in a finding's mend; empty: it is none of these, or not as we
    write it."""
    import shlex

    start = next((one for one in (CLEAN, "cargo clean ") if finding.mend.startswith(one)), "")
    if not start:
        return ()
    try:
        words = tuple(shlex.split(finding.mend.removeprefix(start)))
    except ValueError:
        return ()
    taken = read_words(words)
    return words if taken.is_known and (taken.packages or taken.value("cmake")) else ()
