"""Starts and ends watches for the dashboard: processes of its own, which end with it once their build is over."""

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from typing import IO, Any

from core.clock import monotonic
from core.errors import SpawnError, UsageError
from core.paths import Paths
from core.state import Run
from core.watches import Holder, end, find_watches
from tui.own_program import own_command

_STARTS_WITHIN_S = 10.0
_ENDS_WITHIN_S = 15.0
_NAP_S = 0.05


class Watches:
    """Watches that this dashboard started, and those of others."""

    def __init__(self, paths: Paths, env: Mapping[str, str]) -> None:
        self._paths = paths
        self._env = env
        self._started: list[subprocess.Popen[bytes]] = []

    def toggle(self, run: Run) -> str:
        """End the watch of a run's checkout and agent, else start one for its command; a sentence about it.

        Raises:
            UsageError: its command cannot be repeated.
            SpawnError: the watch did not start.
        """
        holder = self.find(run)
        if holder is not None:
            end(holder)
            self._reap(holder.process.pid)
            return f"`{holder.subject.command}` is not watched any more"
        self._start(run)
        return f"`{run.command}` again after each save"

    def _reap(self, pid: int) -> None:
        """Wait for one of our own to end."""
        for child in [one for one in self._started if one.pid == pid]:
            self._started.remove(child)
            if child.stdin is not None:
                child.stdin.close()
            try:
                child.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._started.append(child)

    def find(self, run: Run) -> Holder | None:
        """Who watches the checkout for the agent of a run; None: nobody."""
        found = find_watches(self._paths)
        return next((one for one in found if _is_of(one, run)), None)

    def _start(self, run: Run) -> None:
        record = _record(self._paths, run.run)
        argv = own_command("watch", "--with-caller", "--agent", run.agent, *_words(record))
        env = {name: value if isinstance(value, str) else self._env.get(name, "") for name, value in
               record["env"].items()}  # fmt: skip
        with tempfile.TemporaryFile() as said:
            try:
                child = subprocess.Popen(argv, cwd=run.cwd, env={**env, **self._folders()}, stdin=subprocess.PIPE,
                                         stdout=subprocess.DEVNULL, stderr=said, start_new_session=True)  # fmt: skip
            except OSError as error:
                raise SpawnError(f"no watch in {run.cwd}: {error.strerror}") from error
            self._started = [one for one in self._started if one.poll() is None] + [child]
            self._until_begun(run, child, said)

    def _folders(self) -> dict[str, str]:
        """Where our own files are, whatever the build's environment says."""
        names = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME")
        return {name: self._env[name] for name in names if name in self._env}

    def _until_begun(self, run: Run, child: "subprocess.Popen[bytes]", said: "IO[bytes]") -> None:
        ends = monotonic() + _STARTS_WITHIN_S
        while self.find(run) is None:
            if child.poll() is not None:
                said.seek(0)
                why = said.read(1 << 12).decode("utf-8", "replace").strip().removeprefix("cargo-deck: ")
                raise SpawnError(why or f"the watch ended with code {child.returncode}")
            if monotonic() > ends:
                child.kill()
                raise SpawnError(f"the watch did not begin within {_STARTS_WITHIN_S:g} s")
            time.sleep(_NAP_S)


def _is_of(holder: Holder, run: Run) -> bool:
    return (holder.subject.agent, holder.subject.checkout) == (run.agent, run.checkout)


def _record(paths: Paths, run: str) -> dict[str, Any]:
    path = paths.run(run) + "/run.json"
    try:
        with open(path, "rb") as file:
            record = json.load(file)
        if not isinstance(record["env"], dict) or not isinstance(record["typed"], list) or not record["typed"]:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{path} cannot be read: watch it from a terminal, with `cargo deck watch`") from None
    if record.get("is_masked"):
        raise UsageError(
            "the command line or the flags held a credential, which is not recorded: watch from a terminal"
        )
    return dict(record)


def _words(record: Mapping[str, Any]) -> tuple[str, ...]:
    """What `cargo deck watch` is told to build."""
    mode = record.get("mode_asked")
    modes = ("--mode", mode) if isinstance(mode, str) else ()
    tool = ("exec", "--") if record.get("tool") == "exec" else ()
    return (*modes, *tool, *map(str, record["typed"]))
