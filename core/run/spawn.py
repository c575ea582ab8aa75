"""Starting a run: its folder, its record, its supervisor."""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from core.clock import wall_clock
from core.errors import SpawnError, StateError
from core.launch import Launch
from core.paths import Paths
from core.run import ahead, child, fronts, mask, nvcc_front, supervisor

SCHEMA = 1
FREE_FLOOR_BYTES = 500_000_000
"""Under this much free space nothing is recorded: a full disk under stderr makes cargo itself exit 101."""


_STAMP_LETTERS = 19
"""Of a run id: to the millisecond."""


class Ahead(NamedTuple):
    """A call of nvcc that the build is going to make."""

    argv: tuple[str, ...]
    """The launcher of ours, nvcc, and its words."""
    cwd: str
    env: tuple[tuple[str, str], ...]
    """Variables as the build script had them."""


class Order(NamedTuple):
    """A run to start."""

    agent: str
    agent_source: str
    tool: str
    """`cargo` or `exec`."""
    subcommand: str
    typed: tuple[str, ...]
    launch: Launch
    env: dict[str, str]
    """The caller's environment."""
    checkout: str
    target_dir: str | None
    target_source: str
    """`default`, `user`, `private`, `none`."""
    json: str
    has_progress: bool
    parser: str
    streams: int
    has_terminal: bool
    plan: Mapping[str, Any] = MappingProxyType({})
    """What `run.json` says of what was decided for it: see `core.plan.make.Planned.record`."""
    rustc_wrapper: str | None = None
    cache_server: str = ""
    """Folder of the cache server that we started for it; empty: none."""
    build_dir: str | None = None
    """Where cargo builds, if not in the target dir."""
    handoff_fd: int | None = None
    mode_asked: str | None = None
    """Value of `--mode`, for a restart; None: it was not given."""
    ahead: tuple[Ahead, ...] = ()
    """What is begun before the build."""
    is_held: bool = False
    """The build begins when its owner says so: see `let_go`."""


class Slot(NamedTuple):
    """A place for a run: its id, its folder, its lock (held by us until the supervisor has it)."""

    run: str
    folder: str
    lock_fd: int


class Started(NamedTuple):
    """A run that is under way."""

    run: str
    folder: str
    supervisor: int
    owner_fd: int
    """Write end of the owner pipe; -1 for a detached run."""
    report_fd: int
    """Read end: the exit record comes here; -1 for a detached run."""


def new_run_id(now: float) -> str:
    """A run id that sorts by time: `YYYYmmdd-HHMMSS-mmm-xxxx`, UTC."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stamp}-{int(now * 1000) % 1000:03d}-{os.urandom(2).hex()}"


def take_slot(paths: Paths, agent: str, target_dir: str | None) -> Slot:
    """Make a run's folder and take its lock, saying who it is and which target dir it would use.

    Raises:
        StateError: the state directory cannot be written, or the disk is nearly full.
    """
    try:
        for folder in (paths.state, paths.runs, paths.open):
            if not os.path.isdir(folder):
                os.makedirs(folder, 0o700, exist_ok=True)
        space = os.statvfs(paths.state)
        if space.f_bavail * space.f_frsize < FREE_FLOOR_BYTES:
            free = space.f_bavail * space.f_frsize // 1_000_000
            raise StateError(f"only {free} MB free under {paths.state}: free some space, or set XDG_STATE_HOME")
        with open(paths.state + "/order", "ab") as order:
            fcntl.flock(order, fcntl.LOCK_EX)
            run = _next_id(paths)
            folder = paths.run(run)
            os.mkdir(folder, 0o700)
            hidden = f"{paths.open}/.{run}"
            lock_fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock_fd, fcntl.LOCK_EX)
            os.write(lock_fd, json.dumps({"agent": agent, "target": target_dir}).encode() + b"\n")
            os.rename(hidden, f"{paths.open}/{run}")
    except OSError as error:
        raise StateError(
            f"cannot write {error.filename or paths.state}: {error.strerror}. "
            "Make it writable, or point XDG_STATE_HOME at a folder that is"
        ) from error
    return Slot(run, folder, lock_fd)


def _next_id(paths: Paths) -> str:
    """An id after all that are open: who looks sees all earlier ones, and of two that start at once one gives way."""
    newest = max((name for name in os.listdir(paths.open) if not name.startswith(".")), default="")
    run = new_run_id(wall_clock())
    while run[:_STAMP_LETTERS] <= newest[:_STAMP_LETTERS] and newest[:_STAMP_LETTERS] <= new_run_id(wall_clock() + 1):
        time.sleep(0.0005)
        run = new_run_id(wall_clock())
    return run


def give_up_slot(paths: Paths, slot: Slot) -> None:
    """Undo `take_slot`, where the run never started."""
    for name in (f"{slot.folder}/{n}" for n in ("out.log", "err.log", "exit.json.part", "run.json")):
        _quietly(os.unlink, name)
    _quietly(os.unlink, f"{paths.open}/{slot.run}")
    _quietly(os.unlink, f"{slot.folder}/fronts/{fronts.NO_LINKS}")
    _quietly(os.rmdir, slot.folder + "/fronts")
    _quietly(os.rmdir, slot.folder)
    os.close(slot.lock_fd)


def _quietly(act: Any, path: str) -> None:
    try:
        act(path)
    except OSError:
        pass


def write_record(slot: Slot, order: Order, *, owner: bool) -> None:
    """Write `run.json`; no credential reaches it."""
    typed = mask.safe_words(order.typed, order.env)
    env = mask.safe_environment(order.env)
    launch = order.launch
    record = {
        "schema": SCHEMA,
        "version": "0.1.0",
        "run": slot.run,
        "agent": order.agent,
        "agent_source": order.agent_source,
        "tool": order.tool,
        "subcommand": order.subcommand,
        "typed": typed,
        "is_masked": typed != order.typed or any(env[name] is None for name in env if mask.is_flags(name)),
        "command": _shown((*typed[:1], "--mode", order.mode_asked, *typed[1:]) if order.mode_asked else typed),
        "cwd": launch.cwd,
        "checkout": order.checkout,
        "target_dir": order.target_dir,
        "target_source": order.target_source,
        "build_dir": order.build_dir,
        "launch": {
            "argv": mask.safe_words(launch.argv, order.env),
            "env": mask.safe_environment(dict(launch.env)),
            "unset": launch.unset,
            "path_front": launch.path_front,
            "wrappers": launch.wrappers,
        },
        **mask.safe_record(dict(order.plan), order.env),
        "mode_asked": order.mode_asked,
        "rustc_wrapper": order.rustc_wrapper,
        "cache_server": order.cache_server or None,
        "json": order.json,
        "progress": order.has_progress,
        "parser": order.parser,
        "streams": order.streams,
        "owner": owner,
        "terminal": order.has_terminal,
        "started": wall_clock(),
        "env": env,
    }
    content = json.dumps(record, indent=1).encode() + b"\n"
    fd = os.open(slot.folder + "/run.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)


def _shown(words: tuple[str, ...]) -> str:
    import shlex

    return shlex.join(words)


def start(paths: Paths, slot: Slot, order: Order, *, owned: bool) -> Started:
    """Fork the supervisor, which starts the build. Where that cannot be, the slot is given up.

    Raises:
        SpawnError: the logs or pipes could not be made; nothing was started.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, child.HELD)
    try:
        job, owner_write, report_read = _job(slot, order, owned=owned)
        pid = os.fork()
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        give_up_slot(paths, slot)
        raise
    if pid == 0:
        for fd in (owner_write, report_read):
            if fd >= 0:
                os.close(fd)
        supervisor.supervise(job)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for mine in {job.out_fd, job.err_fd, slot.lock_fd, job.owner_fd, job.report_fd}:
        if mine is not None:
            os.close(mine)
    return Started(slot.run, slot.folder, pid, owner_write, report_read)


def _job(slot: Slot, order: Order, *, owned: bool) -> tuple[child.Job, int, int]:
    """Record, logs and pipes of a run; what its supervisor needs, and our ends of the pipes (-1: there is none)."""
    try:
        write_record(slot, order, owner=owned)
        if _has_fronts(order.launch):
            _make_notes(slot.folder + "/fronts", order.launch)
        out_fd = _log(slot.folder + "/out.log")
        err_fd = _log(slot.folder + "/err.log") if order.streams == 2 else out_fd
        owner_read, owner_write = os.pipe() if owned else (None, -1)
        report_read, report_write = os.pipe() if owned else (-1, None)
    except OSError as error:
        raise SpawnError(f"cannot write {error.filename or slot.folder}: {error.strerror}") from error
    env = _environment(order, slot)
    job = child.Job(
        slot.run, slot.folder, order.launch.argv, env, order.launch.cwd, out_fd, err_fd,
        slot.lock_fd, owner_read, report_write, order.handoff_fd, order.rustc_wrapper, _ahead(order, env),
        order.is_held,
    )  # fmt: skip
    return job, owner_write, report_read


def _ahead(order: Order, env: dict[str, str]) -> tuple[child.Ahead, ...]:
    if fronts.VARIABLE not in env:
        return ()
    return tuple(child.Ahead(one.argv, one.cwd, env | dict(one.env) | {nvcc_front.AHEAD: "1"}) for one in order.ahead)


def let_go(started: Started) -> None:
    """Have a build that is held begin."""
    _tell(started, ahead.GO)


def _tell(started: Started, words: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # its supervisor was killed: the report says so
        os.write(started.owner_fd, words)


def drop(started: Started) -> None:
    """Give up a build that is held, and wait for the end of what runs ahead."""
    _tell(started, b"d")
    while os.read(started.report_fd, 1 << 16):
        pass
    os.close(started.report_fd)
    os.close(started.owner_fd)
    os.waitpid(started.supervisor, 0)


def _environment(order: Order, slot: Slot) -> dict[str, str]:
    env = order.launch.environment(order.env)
    env["DECK_RUN"] = slot.run
    if _has_fronts(order.launch):
        env[fronts.VARIABLE] = slot.folder + "/fronts"
    return env


def _has_fronts(launch: Launch) -> bool:
    return bool(launch.path_front) or any(name == nvcc_front.PROGRAM for name, _ in launch.env)


def _make_notes(folder: str, launch: Launch) -> None:
    os.mkdir(folder, 0o700)
    if not any(one.endswith("/cc") for one in launch.path_front):
        os.close(os.open(f"{folder}/{fronts.NO_LINKS}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _log(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
