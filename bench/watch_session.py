"""A `cargo deck watch` under way, seen from outside. Part of `bench.watch`."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from tests.real.product import COMMAND, Deck

LIMIT_S = 1800.0
"""Nothing that a watch tells of takes longer."""


class Session:
    """A watch in a folder; each line that it tells has the moment at which it came: `told_at`."""

    def __init__(self, deck: Deck, root: Path, env: Mapping[str, str], words: Sequence[str] = ("build",)) -> None:
        self._child = subprocess.Popen(
            [COMMAND, "watch", "--json", *words], cwd=root, env={**deck.env, **env}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._told: Queue[dict[str, Any] | None] = Queue()
        self.all: list[dict[str, Any]] = []
        """What was told so far."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            told = {**json.loads(line), "told_at": time.time()}
            self.all.append(told)
            self._told.put(told)
        self._told.put(None)

    def next(self, *events: str, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The next of these that is told. Raises RuntimeError at the end, and where none comes in time."""
        ends = time.monotonic() + limit_s
        while True:
            try:
                told = self._told.get(timeout=max(0.0, ends - time.monotonic()))
            except Empty:
                raise RuntimeError(f"none of {events} within {limit_s:g} s: {self.all[-3:]}") from None
            if told is None:
                raise RuntimeError(f"the watch ended: {self._child.wait()}")
            if told["event"] in events:
                return told

    def saved(self, kind: str, saved_at: float) -> dict[str, Any]:
        """What was told of the build for an edit: with its wait from outside, and when it began after the save.

        Raises:
            RuntimeError: it failed, or is of another class.
        """
        started = self.next("started")
        ended = self.next("ended")
        if ended["code"] != 0 or ended["class"] != kind:
            raise RuntimeError(f"an edit of class {kind} gave {ended}")
        self.next("watching")
        return {**ended, "start_s": started["at"] - saved_at, "wait_s": ended["told_at"] - saved_at}

    def close(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGINT)
        return self._child.wait(60)


def save(path: Path, text: str) -> float:
    """Write a file as an editor does; the moment at which that began."""
    at = time.time()
    path.write_text(text)
    return at
