"""The parent of one build: starts it, waits, stops it when asked, writes how it ended.

Forked from whoever starts the run, so that no second interpreter starts (10 ms). It is a child subreaper: whatever
the build leaves behind, however daemonised, becomes its child, and nothing of a stopped run survives. It sleeps in
`poll` and costs nothing while the build runs.
"""

import fcntl
import json
import os
import select
import signal
import time
from typing import NoReturn

from core.clock import wall_clock
from core.run import proctree
from core.run.ahead import AheadRuns, waits_for_go
from core.run.child import Job, drop_pending, let_go_of_all_but, set_subreaper, start_child

TERM_AFTER_S = 0.4
"""After SIGINT, those that are still there get SIGTERM."""
OWNER_GONE_KILL_AFTER_S = 1.0
"""The owner is gone: nobody waits for a graceful end."""
REQUEST_KILL_AFTER_S = 2.0
LEFTOVER_KILL_AFTER_S = 1.0
"""The main process of an interrupted run has ended; what it left gets this long after SIGTERM."""
OWNER_HEARD_WITHIN_MS = 60
"""A build died of a signal: its owner, if it got the same one, is heard within this time."""
_EXIT_RESERVE = 2048
"""Bytes set aside at the start, so that a full disk cannot lose the exit code."""


class _Stop:
    """A stop that is under way."""

    def __init__(self, by: str, *, sends: bool, kill_at: float | None) -> None:
        self.by = by
        self.sends = sends
        """We signal the tree ourselves (else the terminal did)."""
        self.kill_at = kill_at
        self.term_at: float | None = None
        self.is_killed = False


def supervise(job: Job) -> NoReturn:
    """Run the build to its end and exit. Called in a freshly forked child; never returns."""
    code = 70
    try:
        code = _Supervisor(job).run()
    except BaseException as error:
        _note(job, f"supervisor failed: {error!r}")
    finally:
        os._exit(code)


def _note(job: Job, text: str) -> None:
    fd = os.open(job.run_dir + "/supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, text.encode() + b"\n")
    os.close(fd)


def _has_children() -> bool:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return bool(file.read(1))
    except OSError:
        return True


class _Supervisor:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.started_at = wall_clock()
        self.started_mono = time.monotonic()
        self.stop: _Stop | None = None
        self.status: int | None = None
        """Wait status of the main process."""
        self.usage: object = None
        self.is_disowned = False
        """The owner let go, or is gone."""
        self.spared: set[int] = set()
        self.ahead = AheadRuns()
        self.wall_s: float | None = None
        """Until the build had ended, where something ran on; None: until now."""
        self.reserve_fd = self._reserve()
        self.child = 0
        self.wake_fd = -1

    def _reserve(self) -> int:
        fd = os.open(self.job.run_dir + "/exit.json.part", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, b" " * _EXIT_RESERVE)
        except OSError:
            pass
        return fd

    def run(self) -> int:
        set_subreaper()
        self.wake_fd, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(self.wake_fd, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)  # until now it was of the process that forked us
        self.ahead.start(self.job.ahead)
        is_wanted = not self.job.is_held or self.job.owner_fd is None or waits_for_go(self.job.owner_fd)
        if is_wanted:
            self.child = start_child(self.job)
        os.setsid()
        drop_pending()
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if is_wanted:
            self._write_lock_file()  # only now may somebody signal us
        else:
            self._give_up()
        self._let_go(wake_write)
        self._loop()
        self._write_exit()
        return 0

    def _give_up(self) -> None:
        """The build is not started: it is as if it had been killed at once."""
        self.status = int(signal.SIGKILL)
        self.stop = _Stop("owner", sends=True, kill_at=0.0)

    def _write_lock_file(self) -> None:
        me, child = proctree.read_process(os.getpid()), proctree.read_process(self.child)
        record = {
            **json.loads(os.pread(self.job.lock_fd, 65536, 0) or b"{}"),
            "supervisor": os.getpid(),
            "supervisor_start": me.started_ticks if me else 0,
            "child": self.child,
            "child_start": child.started_ticks if child else 0,
        }
        os.pwrite(self.job.lock_fd, json.dumps(record).encode() + b"\n", 0)

    def _let_go(self, wake_write: int) -> None:
        """Hold nothing of the caller."""
        job = self.job
        ours = {job.lock_fd, self.reserve_fd, self.wake_fd, wake_write}
        let_go_of_all_but({*ours, job.owner_fd, job.report_fd, job.handoff_fd})

    def _loop(self) -> None:
        poll = select.poll()
        poll.register(self.wake_fd, select.POLLIN)
        if self.job.owner_fd is not None:
            poll.register(self.job.owner_fd, select.POLLIN | select.POLLHUP)
        while True:
            self._reap()
            if self.status is not None and self.stop is None:
                self._hear_owner_out()
            if self.status is not None and self.stop is None:
                self.wall_s = time.monotonic() - self.started_mono
                self.ahead.end(self.wake_fd, self._reap)
                return
            if self.status is not None and not self._survivors():
                return
            self._escalate()
            for fd, _ in poll.poll(self._timeout_ms()):
                if fd == self.wake_fd:
                    self._signals(os.read(fd, 64))
                elif self._owner(os.read(fd, 64)):
                    self.is_disowned = True
                    poll.unregister(fd)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.ahead.count(pid, usage)
            if pid == self.child:
                self.status, self.usage = status, usage
                if self.stop is not None and self.stop.term_at is None:
                    self.stop.sends = True
                    self.stop.kill_at = min(self.stop.kill_at or float("inf"), time.monotonic() + LEFTOVER_KILL_AFTER_S)

    def _survivors(self) -> list[proctree.Process]:
        """Live descendants that are ours to end. Shared cache servers are found once and spared for good."""
        found = proctree.descendants(os.getpid(), frozenset(self.spared))
        if not found:
            return found
        env = self.job.env
        wrapper = self.job.rustc_wrapper
        tools = proctree.tool_identities(env.get("PATH", ""), wrapper)
        servers = {p.pid for p in found if proctree.is_cache_server(p.pid, tools)} if tools else set()
        if servers:
            self.spared |= servers
            return proctree.descendants(os.getpid(), frozenset(self.spared))
        return found

    def _servers(self) -> set[int]:
        """Shared cache servers that this run started and that live on."""
        if self.stop is None and _has_children():
            self._survivors()
        return self.spared

    def _signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if self.stop is not None and self.stop.sends:
                    self._kill("request")
                else:
                    self._begin("request", REQUEST_KILL_AFTER_S)
            elif number == signal.SIGUSR1:
                self._kill("request")

    def _owner(self, words: bytes) -> bool:
        """Act on what the owner wrote; True when the pipe is of no more use."""
        if not words:
            if self.status is None:
                self._begin("owner", OWNER_GONE_KILL_AFTER_S)
            return True
        for word in words:
            match chr(word):
                case "d":
                    return True
                case "i":  # the terminal sent SIGINT to the whole group
                    self._interrupted()
                case "I" | "T" | "H" | "Q":  # the caller alone was signalled: pass it on as plain cargo would get it
                    self._interrupted()
                    number = {"I": signal.SIGINT, "T": signal.SIGTERM, "H": signal.SIGHUP, "Q": signal.SIGQUIT}
                    self._signal_child(number[chr(word)])
                case "z":
                    self._signal_child(signal.SIGTSTP)
                case "c":
                    self._signal_child(signal.SIGCONT)
                case "k":
                    self._kill("interrupt")
                case "p":  # nobody reads the output any more
                    self._begin("closed output", REQUEST_KILL_AFTER_S, first=signal.SIGPIPE)
                case _:
                    pass
        return False

    def _hear_owner_out(self) -> None:
        """What ended the build may have been sent to the whole group: then its owner dies, or says so, just now."""
        owner_fd, poll = self.job.owner_fd, select.poll()
        if owner_fd is None or self.status is None or self.is_disowned:
            return
        poll.register(owner_fd, select.POLLIN | select.POLLHUP)
        if not poll.poll(OWNER_HEARD_WITHIN_MS if os.WIFSIGNALED(self.status) else 0):
            return
        words = os.read(owner_fd, 64)
        self.is_disowned = self._owner(words)
        if not words:
            self._begin("owner", OWNER_GONE_KILL_AFTER_S, first=signal.SIGTERM)
        if self.stop is not None:
            self.stop.sends = True
            limit = time.monotonic() + LEFTOVER_KILL_AFTER_S
            self.stop.kill_at = limit if self.stop.kill_at is None else self.stop.kill_at

    def _interrupted(self) -> None:
        if self.stop is None:
            self.stop = _Stop("interrupt", sends=False, kill_at=None)

    def _signal_child(self, number: int) -> None:
        child = proctree.read_process(self.child)
        if self.status is None and child is not None and child.parent == os.getpid():
            os.kill(self.child, number)  # our own unreaped child: the pid cannot be another's

    def _begin(self, by: str, kill_after_s: float, first: int = signal.SIGINT) -> None:
        now = time.monotonic()
        if self.stop is None:
            self.stop = _Stop(by, sends=True, kill_at=now + kill_after_s)
        else:
            self.stop.sends = True
            self.stop.kill_at = min(self.stop.kill_at or float("inf"), now + kill_after_s)
        self.stop.term_at = now + TERM_AFTER_S
        self._broadcast(first)

    def _kill(self, by: str) -> None:
        if self.stop is None:
            self.stop = _Stop(by, sends=True, kill_at=0.0)
        self.stop.kill_at = 0.0

    def _broadcast(self, number: int) -> None:
        for process in self._survivors():
            proctree.send(process, number)
            if number != signal.SIGKILL:
                proctree.send(process, signal.SIGCONT)  # a stopped process would never see it

    def _escalate(self) -> None:
        stop = self.stop
        if stop is None:
            return
        now = time.monotonic()
        if self.status is not None and stop.term_at is None:
            stop.term_at = float("inf")
            self._broadcast(signal.SIGTERM)
        if stop.term_at is not None and now >= stop.term_at:
            stop.term_at = float("inf")
            self._broadcast(signal.SIGTERM)
        if stop.kill_at is not None and now >= stop.kill_at:
            stop.is_killed = True
            self._broadcast(signal.SIGKILL)

    def _timeout_ms(self) -> int | None:
        stop = self.stop
        if stop is None:
            return None
        if self.status is not None or stop.is_killed:
            return 5  # leftovers die without telling their non-parent: look again
        ends = [t for t in (stop.term_at, stop.kill_at) if t is not None and t != float("inf")]
        return max(0, int((min(ends) - time.monotonic()) * 1000) + 1) if ends else None

    def _exit_record(self) -> dict[str, object]:
        assert self.status is not None
        signaled = os.WIFSIGNALED(self.status)
        usage = self.usage
        wall_s = time.monotonic() - self.started_mono if self.wall_s is None else self.wall_s
        return {
            "schema": 1,
            "run": self.job.run,
            "code": None if signaled else os.WEXITSTATUS(self.status),
            "signal": os.WTERMSIG(self.status) if signaled else None,
            "ended": self.started_at + wall_s,
            "wall_s": round(wall_s, 6),
            "user_s": getattr(usage, "ru_utime", 0.0) + self.ahead.user_s,
            "sys_s": getattr(usage, "ru_stime", 0.0) + self.ahead.sys_s,
            "largest_process_bytes": max(getattr(usage, "ru_maxrss", 0), self.ahead.peak_kib) * 1024,
            "stopped_by": self.stop.by if self.stop else None,
            "is_killed": bool(self.stop and self.stop.is_killed),
            "left_running": [f"{proctree.executable_name(pid)} {pid}" for pid in sorted(self._servers())],
            "handed_to": self._handed_to(),
        }

    def _handed_to(self) -> str | None:
        fd = self.job.handoff_fd
        if fd is None or os.fstat(fd).st_size == 0:
            return None
        from core.run.handoff import read_handoff

        taken = read_handoff(fd)
        return taken.argv[0] if taken else None

    def _write_exit(self) -> None:
        record = self._exit_record()
        content = json.dumps(record).encode() + b"\n"
        os.pwrite(self.reserve_fd, content, 0)
        os.ftruncate(self.reserve_fd, len(content))
        os.rename(self.job.run_dir + "/exit.json.part", self.job.run_dir + "/exit.json")
        if self.job.report_fd is not None:
            os.write(self.job.report_fd, content)
        fcntl.flock(self.job.lock_fd, fcntl.LOCK_UN)
