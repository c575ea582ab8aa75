"""What the engine does when it is asked: start, stop, restart and forget runs."""

import json
import os
from collections.abc import Callable
from typing import Any

from core import retention
from core.errors import EngineError, UsageError
from core.paths import Paths
from core.run.cache import KIND, STORE
from core.run.command import FEATURES, MODE, VERBOSE

Message = dict[str, Any]
_WISHES = (KIND, STORE, MODE, VERBOSE, FEATURES)
"""What an environment says of builds, whoever starts them."""


class Actions:
    """Answers requests; what it gives stands in the answer beside `ok`."""

    def __init__(self, paths: Paths, *, status: Callable[[], Message], shut_down: Callable[[], None]) -> None:
        self._paths = paths
        self._status = status
        self._shut_down = shut_down

    def handle(self, message: Message) -> Message:
        """Do what a request says.

        Raises:
            DeckError: it is refused; the message is for the person who asked.
        """
        try:
            return self._do(message)
        except OSError as error:
            raise EngineError(f"{message.get('do')} failed: {error}") from error

    def _do(self, message: Message) -> Message:
        match message.get("do"):
            case "ping":
                return self._status()
            case "start":
                return self._start(message)
            case "stop":
                return self._stop(message)
            case "restart":
                return self._restart(message)
            case "forget":
                return self._forget(message)
            case "shutdown":
                self._shut_down()
                return {}
            case other:
                raise UsageError(f"the engine cannot do {other!r}: ping, start, stop, restart, forget or shutdown")

    def _start(self, message: Message) -> Message:
        from core.run.begin import start_detached

        words = message.get("argv")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or not words:
            raise UsageError("start needs argv: a list of words, none of them empty of meaning")
        env = message.get("env", dict(os.environ))
        if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
            raise UsageError("start takes env: names and values, both text")
        tool = message.get("tool", "cargo")
        if tool not in ("cargo", "exec"):
            raise UsageError(f"tool is cargo or exec, not {tool!r}")
        mode = message.get("mode") or None
        if mode is not None and not isinstance(mode, str):
            raise UsageError("start takes mode: the name of a mode")
        run = start_detached(
            self._paths, agent=_text(message, "agent"), cwd=_text(message, "cwd"), words=tuple(words), tool=tool,
            env=_without_ours(env), mode=mode,
        )  # fmt: skip
        return {"run": run}

    def _stop(self, message: Message) -> Message:
        from core.run.stop import stop_run

        run = self._run_of(message)
        is_told = stop_run(self._paths, run, kill=message.get("kill") is True, by="request")
        return {"run": run, "is_told": is_told}

    def _restart(self, message: Message) -> Message:
        run = self._run_of(message)
        record = self._record(run)
        if record.get("is_masked"):
            raise UsageError(
                f"the command line or the flags of {run} held a credential, which is not recorded: start it from a "
                "terminal"
            )
        env = {k: v if v is not None else os.environ.get(k) for k, v in record["env"].items()}
        return self._start(
            {
                "agent": record["agent"],
                "cwd": record["cwd"],
                "argv": record["typed"],
                "tool": record["tool"],
                "env": {name: value for name, value in env.items() if value is not None},
                "mode": record.get("mode_asked"),
            }
        )

    def _record(self, run: str) -> Message:
        path = self._paths.run(run) + "/run.json"
        try:
            with open(path, "rb") as file:
                record = json.load(file)
            if not isinstance(record["env"], dict) or not {"agent", "cwd", "typed", "tool"} <= record.keys():
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UsageError(f"{path} cannot be read: start the run from a terminal") from None
        return dict(record)

    def _forget(self, message: Message) -> Message:
        run = self._run_of(message)
        if not retention.remove_run(self._paths, run):
            raise UsageError(f"run {run} is not over yet: stop it first")
        return {"run": run}

    def _run_of(self, message: Message) -> str:
        run = _text(message, "run")
        if run.startswith(".") or "/" in run or not os.path.isdir(self._paths.run(run)):
            raise UsageError(f"there is no run {run!r}: see `cargo deck ps --all`")
        return run


def _text(message: Message, key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str) or not value or "\0" in value:
        raise UsageError(f"{message.get('do', 'a request')} needs {key}: text")
    return value


def _without_ours(env: dict[str, str]) -> dict[str, str]:
    """The environment without what an enclosing run put there: the new run is not a part of it."""
    return {name: value for name, value in env.items() if not name.startswith("DECK_") or name in _WISHES}
