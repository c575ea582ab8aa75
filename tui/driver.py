"""Textual's driver, for terminals that go away, processes that are stopped without notice, and keys that count."""

import asyncio
import os
import select
from codecs import getincrementaldecoder
from time import monotonic
from typing import IO, Any, cast

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

_ESCAPE_S = 0.04
"""So long it waits for what may follow an Esc (other keys begin with one too, and come in one piece, over ssh as well).
Textual's 0.1 to 0.2 s can be seen. Who set `ESCDELAY` keeps it."""
_READ_BYTES = 1 << 16


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
    """Survives the end of its terminal and a SIGSTOP; sleeps while no key is pressed, where Textual's looks ten times
    a second."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._file = cast("Any", _Patient(cast("IO[str]", self._file)))
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        if "ESCDELAY" not in os.environ:
            constants.ESCAPE_DELAY = _ESCAPE_S  # type: ignore[misc]

    def run_input_thread(self) -> None:
        """Hand on keys and mouse until input is disabled; leave the dashboard when the terminal is gone."""
        self._forget_wakes()
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        settled_at = 0.0
        while not self.exit_event.is_set():
            text, is_over = "", False
            pause_s = constants.ESCAPE_DELAY / 4 if monotonic() < settled_at else None
            if self.fileno in select.select((self.fileno, self._woken), (), (), pause_s)[0]:
                content = self._read()
                text, is_over = decode(content), not content
                settled_at = monotonic() + 2 * constants.ESCAPE_DELAY
            if is_over:
                self._app.call_later(self._app.exit, "signal")
                return
            for message in (*(parser.feed(text) if text else ()), *parser.tick()):
                self.process_message(message)

    def notice_size(self) -> None:
        """Have the app drawn anew where the terminal has another size than it knows: a SIGWINCH can be lost, for one
        while another program was in the foreground."""
        try:
            size = Size(*os.get_terminal_size(self.fileno))
        except OSError:
            return
        if size.area and size != self._app.size:
            self._app.post_message(events.Resize(size, size))

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, _READ_BYTES)
        except OSError:
            return b""

    def _forget_wakes(self) -> None:
        try:
            os.read(self._woken, _READ_BYTES)
        except BlockingIOError:
            pass

    def disable_input(self) -> None:
        """Let the thread that reads keys end at once."""
        os.write(self._wake, b"\n")
        super().disable_input()

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
