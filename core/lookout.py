"""Tells what moved in folders: `python lookout.py`, started by a watch, ended by the end of its stdin.

A process of its own, because the watch forks builds, and the package that listens to the kernel has threads. Lines of
JSON: in `{"number": N, "folders": […]}` (these instead of those before), out `{"number": N}` once it listens to them,
`{"moved": [paths]}`, and `{"trouble": sentence}` where it must look around instead of listening.
"""

import json
import os
import sys
import threading
from typing import Any

STEP_MS = 4
"""What moves within two of these is told in one line."""
LONGEST_MS = 60
_POLL_MS = 400
"""Where the kernel does not tell."""


class _Orders:
    """What is to be watched, as it comes in."""

    def __init__(self) -> None:
        self.newest: dict[str, Any] | None = None
        self.is_over = False
        self.has_news = threading.Event()

    def read(self) -> None:
        """Until there are no more; the process ends then."""
        for line in sys.stdin.buffer:
            self.newest = json.loads(line)
            self.has_news.set()
        self.is_over = True
        self.has_news.set()


def main() -> int:
    """Watch until stdin ends."""
    import signal

    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # of a terminal they reach the whole group: the watch decides
    orders = _Orders()
    threading.Thread(target=orders.read, daemon=True).start()
    while not orders.is_over:
        orders.has_news.wait()
        orders.has_news.clear()
        order = orders.newest
        if order is None or orders.is_over:
            continue
        try:
            _listen(order, orders, polls=False)
        except Exception as error:
            _say({"trouble": f"the kernel does not tell what moves ({error}): files are looked at instead"})
            _look_around(order, orders)
    return 0


def _listen(order: dict[str, Any], orders: _Orders, *, polls: bool) -> None:
    """Until there are other orders."""
    from watchfiles._rust_notify import RustNotify  # `watchfiles.watch` cannot say when it begins to listen

    folders = [folder for folder in order["folders"] if os.path.isdir(folder)]
    with RustNotify(folders, False, polls, _POLL_MS, False, True) as kernel:
        _say({"number": order["number"]})
        while isinstance(moved := kernel.watch(LONGEST_MS, STEP_MS, 0, orders.has_news), set):
            _say({"moved": sorted({path for _, path in moved})})


def _look_around(order: dict[str, Any], orders: _Orders) -> None:
    """Where even that is not possible, whoever gave the order looks for itself now and then."""
    try:
        _listen(order, orders, polls=True)
    except Exception:
        _say({"number": order["number"]})


def _say(record: dict[str, Any]) -> None:
    try:
        os.write(1, json.dumps(record).encode() + b"\n")
    except OSError:
        os._exit(0)  # nobody listens any more


if __name__ == "__main__":
    sys.exit(main())
