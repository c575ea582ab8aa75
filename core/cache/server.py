"""An sccache server for each agent: started by us outside any run, on a backend that agents can share, ended when idle.

One a agent, because a server's log and figures do not say who asked. `caches/<agent>/` holds `server.json`, `lock`, the
log of each server that was started (`log-<seconds>`), and the socket where its path is short enough.
"""

import _socket
import fcntl
import hashlib
import json
import os
import re
import signal
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from core.cache.backends import backend_of, with_namespace
from core.cache.program import Program, find_programs, own_folder, reject
from core.cache.sccache_env import LOG_ENV
from core.cache.server_process import (
    connect,
    last_words,
    listener,
    note_failure,
    reap,
    recent_failure,
    socket_path,
    spawn,
    surroundings,
)
from core.cache.server_record import Server, agent_folder, read_server, write_server
from core.clock import monotonic, wall_clock
from core.errors import StateError
from core.paths import Paths
from core.run import proctree
from core.run.cache import Wish
from core.run.stop import is_live

IDLE_S = 600
"""A server ends so long after its last request."""
START_LIMIT_S = 5.0
CONNECT_LIMIT_S = 0.5
MAX_LOG_BYTES = 8 << 20
"""A server whose log is longer is started anew, once no build of its agent is open. 2 KB a compilation; an engine that
starts reads it in half a second."""
KEPT_LOGS = 2
_LOG = re.compile(r"log-\d+\.\d{3}\Z")
_PASSED = (
    "PATH", "HOME", "XDG_STATE_HOME", "USER", "LOGNAME", "LANG", "CARGO_HOME", "RUSTUP_HOME", "LD_LIBRARY_PATH",
)  # fmt: skip


def ensure_server(paths: Paths, agent: str, wish: Wish, env: dict[str, str]) -> Server:
    """The agent's server; started where none runs as it is wished. 1 ms where one runs, else 30.

    Raises:
        UsageError: the store that is set is no place to store.
        StateError: there is no sccache, or its server does not start.
    """
    programs = find_programs(paths, env)
    backend, variables = _backend(paths, agent, wish, env)
    variables = with_namespace(variables, wish.namespace)
    folder = agent_folder(paths, agent)
    for place in (paths.state, paths.caches, folder):  # a mode is for the last folder of a path only
        os.makedirs(place, 0o700, exist_ok=True)
    wanted = [_Wanted(program, backend, variables, wish.namespace) for program in programs]
    settings = wanted[0].settings
    with _locked(folder):
        known = read_server(paths, agent)
        if known is not None and is_alive(known):
            if known.settings == settings and not _is_log_full(known):
                return known
            if is_in_use(paths, agent):
                return _shared(known, wish)
        if known is not None:
            _end(known)
        _end_unknown(folder)
        if (why := recent_failure(folder, settings)) is not None:
            raise StateError(why)
        _drop_old_logs(folder)
        return _start_one(paths, agent, wanted, _base_env(env))


def _shared(known: Server, wish: Wish) -> Server:
    """A server that another build of the agent uses, whatever it was started with.

    Raises:
        StateError: its objects are made for other processors than ours are to be.
    """
    if known.namespace != wish.namespace:
        why = "does not compile for the same processors (target-cpu): objects of the two are kept apart"
        raise StateError(f"another build of this agent uses its server, and {why}")
    return known


class _Wanted(NamedTuple):
    """A server that could be started."""

    program: Program
    backend: str
    variables: dict[str, str]
    namespace: str

    @property
    def settings(self) -> str:
        """Digest of all that it is started with."""
        given = sorted(f"{name}={value}" for name, value in self.variables.items())
        return _digest(self.program.path, self.program.shown, surroundings(), *given)


def _start_one(paths: Paths, agent: str, wanted: list[_Wanted], env: dict[str, str]) -> Server:
    """The first that starts; one that did not, where another one does, is tried no more.

    Raises:
        StateError, OSError: none does; the next builds do not wait for that again.
    """
    failed: list[_Wanted] = []
    why: Exception = StateError("there is no sccache")
    for one in wanted:
        try:
            server = _start(paths, agent, one, env)
        except (StateError, OSError) as error:
            failed, why = [*failed, one], error
            continue
        for broken in failed:
            reject(paths, broken.program)
        return server
    note_failure(agent_folder(paths, agent), wanted[0].settings, str(why))
    raise why


def _backend(paths: Paths, agent: str, wish: Wish, env: dict[str, str]) -> tuple[str, dict[str, str]]:
    if wish.store != "own":
        found = backend_of(wish.store, env)
        if found.address is not None:
            _try(found.name, found.address)
        return found.name, found.env
    from core.cache.store_client import ensure_store

    store = ensure_store(paths, limit_bytes=wish.limit_bytes)
    return "own", {
        "SCCACHE_WEBDAV_ENDPOINT": f"http://127.0.0.1:{store.port}/{agent}",
        "SCCACHE_WEBDAV_TOKEN": store.token,
    }


def _try(name: str, address: tuple[str, int]) -> None:
    """Somebody listens there. Raises StateError where nobody does."""
    try:
        family, kind, protocol, _, place = _socket.getaddrinfo(*address, 0, _socket.SOCK_STREAM)[0]
        link = _socket.socket(family, kind, protocol)
        try:
            link.settimeout(CONNECT_LIMIT_S)
            link.connect(place)
        finally:
            link.close()
    except OSError as error:
        raise StateError(f"{name} does not answer ({error.strerror or error}): is it started?") from error


def _base_env(env: Mapping[str, str]) -> dict[str, str]:
    return {name: env[name] for name in _PASSED if name in env}


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    fd = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def agents(paths: Paths) -> list[str]:
    """Agents that have, or had, a server."""
    try:
        return sorted(os.listdir(paths.caches))
    except OSError:
        return []


def is_alive(server: Server) -> bool:
    """It takes connections: this very one, and not what a client started in its place."""
    if server.start and _process(server) is None:
        return False
    try:
        connect(server.socket).close()
    except OSError:
        return False
    return True


def logs_since(paths: Paths, agent: str, at: float) -> list[str]:
    """Logs of an agent's servers that were written to after `at`, seconds since the epoch; oldest first."""
    folder = agent_folder(paths, agent)
    try:
        started = sorted(float(name[4:]) for name in os.listdir(folder) if _LOG.match(name))
    except OSError:
        return []
    first = max(0, bisect_right(started, at) - 1)
    return [_log_path(folder, one) for one in started[first:]]


def _log_path(folder: str, started: float) -> str:
    return f"{folder}/log-{started:.3f}"


def is_in_use(paths: Paths, agent: str) -> bool:
    """A build of the agent is alive that was started with its server."""
    try:
        runs = os.listdir(paths.open)
    except OSError:
        return False
    return any(not run.startswith(".") and _uses(paths, run, agent) for run in runs)


def _uses(paths: Paths, run: str, agent: str) -> bool:
    try:
        with open(paths.run(run) + "/run.json", "rb") as file:
            record = json.load(file)
        is_its = record["agent"] == agent and bool(record["cache_server"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return is_its and is_live(paths, run)


def stop_server(paths: Paths, agent: str) -> bool:
    """End an agent's server; False: none ran. Builds that use it go on without a cache."""
    folder = agent_folder(paths, agent)
    with _locked(folder):
        known = read_server(paths, agent)
        has_ended = known is not None and _end(known)
        return _end_unknown(folder) or has_ended


def _end(server: Server) -> bool:
    """Only the very process that we started; False: it is over. Then its socket may be another's."""
    return _end_process(_process(server), server.socket)


def _end_unknown(folder: str) -> bool:
    """End a server of the folder's of which its `server.json` says nothing, being damaged or lost: nobody else would.
    False: there was none."""
    socket = socket_path(folder)
    return _end_process(listener(socket), socket)


def _end_process(process: proctree.Process | None, socket: str) -> bool:
    """TERM, then KILL; False: there is none."""
    if process is None:
        return False
    for number, limit_s in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
        if not proctree.send(process, number):
            break
        ends = monotonic() + limit_s
        while monotonic() < ends and proctree.is_same(process):
            time.sleep(0.005)
    reap(process.pid)
    _quietly_unlink(socket)
    return True


def kill_server(server: Server) -> None:
    """End a server that hangs, at once and without waiting."""
    process = _process(server)
    if process is not None:
        proctree.send(process, signal.SIGKILL)


def _process(server: Server) -> proctree.Process | None:
    """The very one that we started; None: it is over, whether or not anybody has waited for it."""
    process = proctree.read_process(server.pid)
    is_over = process is None or process.started_ticks != server.start or process.state in "ZX"
    return None if is_over else process


def _is_log_full(server: Server) -> bool:
    try:
        return os.stat(server.log).st_size > MAX_LOG_BYTES
    except OSError:
        return True


def _drop_old_logs(folder: str) -> None:
    logs = sorted((name for name in os.listdir(folder) if name.startswith("log-")), reverse=True)
    for name in logs[KEPT_LOGS:]:
        _quietly_unlink(f"{folder}/{name}")


def _quietly_unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _start(paths: Paths, agent: str, wanted: _Wanted, env: dict[str, str]) -> Server:
    folder, program = agent_folder(paths, agent), wanted.program
    now = wall_clock()
    socket, log = socket_path(folder), _log_path(folder, now)
    _quietly_unlink(socket)
    env = {
        **env,
        **wanted.variables,
        **LOG_ENV,
        "SCCACHE_SERVER_UDS": socket,
        "SCCACHE_START_SERVER": "1",
        "SCCACHE_NO_DAEMON": "1",
        "SCCACHE_IDLE_TIMEOUT": str(IDLE_S),
        "SCCACHE_ERROR_LOG": log,
        "SCCACHE_CONF": "/dev/null",
    }
    os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    own = own_folder(paths, program)
    pid = spawn(program.path, env, folder + "/stderr")
    process = proctree.read_process(pid)
    server = Server(
        agent, folder, socket, log, pid, process.started_ticks if process else 0, program.path, own, program.shown,
        wanted.backend, wanted.settings, now, wanted.namespace,
    )  # fmt: skip
    try:
        _await_start(server)
        write_server(server)
    except BaseException:
        _end(server)  # nobody else would know of it
        raise
    return server


def _await_start(server: Server) -> None:
    ends = monotonic() + START_LIMIT_S
    while not is_alive(server):
        if reap(server.pid) is not None:
            raise StateError(f"its server ended at once: {last_words(server.folder, server.log)}")
        if monotonic() > ends:
            raise StateError(f"its server took no connection within {START_LIMIT_S:g} s: see {server.log}")
        time.sleep(0.002)
