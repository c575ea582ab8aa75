"""Textual's driver, for terminals that go away and processes that are stopped without notice."""

import asyncio
import os
from typing import IO, Any, cast

from textual import constants
from textual.drivers.linux_driver import LinuxDriver

_ESCAPE_S = 0.04
"""So long it waits for what may follow an Esc (the keys of a terminal begin with one, and come in one piece, over ssh
too); Textual's 0.1 s can be seen. Who set `ESCDELAY` keeps it."""


class _Patient:
    """A terminal that may be gone: what is written then is lost. (An error would end Textual's writer, and the
    dashboard would wait for ever for somebody to take its last words.)"""

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal

    def write(self, text: str) -> None:
        try:
            self._terminal.write(text)
        except OSError:
            pass

    def flush(self) -> None:
        try:
            self._terminal.flush()
        except OSError:
            pass

    def fileno(self) -> int:
        return self._terminal.fileno()


class DeckDriver(LinuxDriver):
    """Survives the end of its terminal, and a SIGSTOP."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "ESCDELAY" not in os.environ:
            constants.ESCAPE_DELAY = _ESCAPE_S  # type: ignore[misc]
        self._file = cast("Any", _Patient(cast("IO[str]", self._file)))

    def _sigcont_application(self, *_: object) -> None:
        """Go on. Textual expects that its own SIGTSTP came before; without that it would take the raw terminal for
        the one to restore, and read keys twice. A terminal that hangs up sends SIGCONT too."""
        if self._must_signal_resume:
            super()._sigcont_application()
        elif self._auto_restart:
            try:
                asyncio.get_running_loop().call_soon_threadsafe(self._come_back)
            except RuntimeError:
                pass  # it is not running yet, or any more

    def _come_back(self) -> None:
        """Leave the terminal and take it again: the shell has had it in between."""
        if os.isatty(self.fileno) and self._writer_thread is not None and self._writer_thread.is_alive():
            self.suspend_application_mode()
            self._must_signal_resume = True
            self.resume_application_mode()
