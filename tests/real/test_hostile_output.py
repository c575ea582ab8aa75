"""Output that would rule the terminal: every byte that the dashboard wrote is looked at."""

import os
import re
import selectors
import time
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest

from tests.real.product import COMMAND, Deck, temporary_deck
from tests.real.ptys import Terminal

ESC = b"\x1b"
ATTACKS = [
    b"\x1b]52;c;SEFDS0VE\x07", b"\x1b]52;c;SEFDS0VE\x1b\\", b"\x1b]0;HACKED it\x07", b"\x1b]2;HACKED\x9c",
    b"\x1b]8;;http://evil.invalid\x1b\\link\x1b]8;;\x1b\\", b"\x1bP+q544e\x1b\\", b"\x1b_apc\x1b\\", b"\x1b^pm\x1b\\",
    b"\x1bXsos\x1b\\", b"\x9b31;1H\x9bJ",
    b"\x9d0;HACKED\x9c", "\u009b2J\u009d52;c;SEFD\u009c".encode(), b"\x1b[2J\x1b[H",
    b"\x1b[10;10H", b"\x1b[?1049l", b"\x1b[?1049h", b"\x1b[?1000h\x1b[?1006h", b"\x1b[?25h", b"\x1b[6n\x1b[c\x1b[>c",
    b"\x1b[5i", b"\x1bc", b"\x1b#8", b"\x1b(0",
    b"\x0e\x0f", b"\x1b[r\x1b[5;10r", b"\x1b[4h", b"\x1b[20t", b"\x1b[?2026h",
    b"\x07\x08\x08\x08\x00\x7f", "\u202ereversed\u202c \u2066iso\u2069 \u200e".encode(), b"over\rwritten\r\r",
    b"\xff\xfe\xc3\x28 broken", b"unterminated \x1b]0;HACKED", b"unterminated \x1bP", b"half \x1b[", b"half \x1b[38;5",
    b"\x1b[1;31mred\x1b[0m after", b"[red]markup[/red] [@click=app.quit]x[/] [bold",
    "wide 漢字かな| combining e\u0301o\u0308| emoji 😀👍| end".encode(), b"tab\tseparated\tline", b"x" * 200_000,
]  # fmt: skip
"""One a line of a log."""
_SEQUENCE = re.compile(
    rb"\x1b\[(?P<csi>[0-?]*[ -/]*[@-~])|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|\x1b(?P<other>.)"
    rb"|(?P<control>[\x00-\x1f\x7f])",
    re.DOTALL,
)
_MODES = r"(?:1049|1000|1002|1003|1004|1006|1015|1016|2004|2026|2048|25|7)"
_ALLOWED_CSI = re.compile(
    rf"[0-9;:]*m|[0-9]+;[0-9]+H|H|\?{_MODES}[hl]|\?(?:2026|2048)\$p|[<>=][0-9;]*u|\?u|2J|>[0-9;]*m"
)
"""Colours, places, and the modes that Textual sets at its start and takes back."""
_ALLOWED_OSC = re.compile(rb"22;[a-z-]*")
"""The shape of the pointer."""


IN_A_RUN = ("g", "w", "w", "t", "l", "h", "i", "2", "3", "4", "5", "6", "\t", "\t", "/HACKED|red|e", "\r", "\\", "\\",
            "n", "e", "v", "j", "\x1b", "\x1b", "\x1b")  # fmt: skip
"""Wrap, times, sideways, each page, search, filter, error, selection, back."""
ELSEWHERE = ("2", "\r", "\x1b", "\x1bOQ", "g", "/x", "\r", "L", "\x1b", "\x1b", "\x1bOR", "\r", "\x1b", "\x1bOP", "?",
             "\x1b", "s", "\x1b")  # fmt: skip
"""The other run, all logs with what was found, history, help, the dialog that starts."""


class Recording:
    """A dashboard in a terminal, and all that it wrote."""

    def __init__(self, deck: Deck, columns: int, rows: int) -> None:
        env = {**deck.env, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        self.written = b""
        self.size = (columns, rows)
        self._terminal = Terminal([COMMAND], cwd=deck.folder, env=env, columns=columns, rows=rows)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._terminal.master, selectors.EVENT_READ)

    def press(self, keys: str) -> None:
        """Press keys; wait until it is quiet for a while."""
        os.write(self._terminal.master, keys.encode())
        self.settle()

    def settle(self, quiet_s: float = 0.15, limit_s: float = 10.0) -> None:
        ends, last = time.monotonic() + limit_s, time.monotonic()
        while time.monotonic() < min(ends, last + quiet_s):
            for key, _ in self._selector.select(0.05):
                self.written += os.read(key.fd, 1 << 16)
                last = time.monotonic()

    def until(self, text: str, limit_s: float = 20.0) -> None:
        ends = time.monotonic() + limit_s
        while text not in "\n".join(self.display()):
            assert time.monotonic() < ends, "\n".join(self.display())
            self.settle(0.2, 1.0)

    def display(self) -> list[str]:
        screen = pyte.Screen(*self.size)
        pyte.ByteStream(screen).feed(re.sub(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]", b"", self.written))
        return list(screen.display)

    def close(self) -> None:
        self._terminal.child.terminate()
        self._terminal.child.wait(10)
        self._terminal.close()


def foreign(written: bytes) -> Iterator[bytes]:
    """Every control in the bytes that is not the dashboard's own."""
    for found in _SEQUENCE.finditer(written):
        csi, osc, other, control = found.group("csi", "osc", "other", "control")
        if csi is not None and _ALLOWED_CSI.fullmatch(csi.decode("latin-1")):
            continue
        if osc is not None and _ALLOWED_OSC.fullmatch(osc):
            continue
        if control in (b"\r", b"\n") or other == b"\\":
            continue
        yield found[0]
    text = written.decode("utf-8", "replace")
    for char in text:
        if (
            "\x80" <= char <= "\x9f"
            or char in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ):
            yield char.encode()


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Deck]:
    with temporary_deck() as deck:
        yield deck


def feed(deck: Deck) -> None:
    """A run that printed the attacks, one whose command line and folder hold some, and one that failed with some."""
    log = os.path.join(deck.folder, "hostile.bin")
    Path(log).write_bytes(b"\n".join(ATTACKS) + b"\nlast line of all\n" + b"error: \x1b]52;c;SEFD\x07bad\n")
    assert deck.run("exec", "--detach", "--agent", "logger", "--", "cat", log).returncode == 0
    folder = os.path.join(deck.folder, "dir\x1b]0;HACKED\x07[red]\u202e")
    os.makedirs(folder)
    argv = ["sh", "-c", "echo '\x1b]52;c;SEFD\x07error: x'; exit 3", "\x1b[2J[bold]", "\u202eflip"]
    assert deck.run("exec", "--detach", "--agent", "typist", "--", *argv, cwd=folder).returncode == 0


@pytest.mark.long
@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24)])
def test_no_control_of_the_output_reaches_the_terminal(deck: Deck, columns: int, rows: int) -> None:
    feed(deck)
    board = Recording(deck, columns, rows)
    try:
        board.until("exit 3")
        board.press("1\r")
        board.until("last line of all")
        for keys in (*IN_A_RUN, *ELSEWHERE):
            board.press(keys)
    finally:
        board.close()
    assert list(foreign(board.written)) == []


def test_markup_is_shown_as_it_is_and_wide_characters_take_two_cells(deck: Deck) -> None:
    feed(deck)
    board = Recording(deck, 120, 60)
    try:
        board.until("exit 3")
        board.press("1\ri")
        board.press("g")
        board.until("[red]markup")
        display = board.display()
    finally:
        board.close()
    assert any("[red]markup[/red] [@click=app.quit]x[/] [bold" in row for row in display)
    row = next(row for row in display if "combining" in row)
    assert "emoji 😀👍| end" in row.replace("\x00", "")
    screen = pyte.Screen(120, 60)
    pyte.ByteStream(screen).feed(re.sub(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]", b"", board.written))
    y = next(y for y, line in enumerate(screen.display) if "combining" in line)
    cells = [screen.buffer[y][x].data for x in range(120)]
    start = cells.index("w")
    assert cells[start : start + 5] == list("wide ")
    assert cells[start + 5] == "漢"
    assert cells[start + 13] == "|"  # four wide characters take eight cells
