"""What the plain commands share: output, errors, runs by name."""

import argparse
import json
import os
import select
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from core.attach import Reader
from core.clock import wall_clock
from core.errors import DeckError, UsageError
from core.paths import Paths, find_paths
from core.state import Board
from tui import format as f

VERSION = 1
"""Of every `--json` schema: see docs/json.md."""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are ours: one sentence, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line and where help is."""
        raise UsageError(f"{message}: see `{self.prog} --help`")


def make_parser(command: str, description: str, *, has_json: bool = True) -> Parser:
    """A parser for one command."""
    parser = Parser(prog=f"cargo deck {command}", description=description, allow_abbrev=False)
    if has_json:
        parser.add_argument("--json", action="store_true", help="one JSON object, see docs/json.md")
    return parser


def user_paths() -> Paths:
    """The folders of this user."""
    return find_paths(os.environ)


def current_folder() -> str:
    """Where we were started.

    Raises:
        UsageError: It is gone.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError(f"the current folder cannot be used: {error.strerror}") from error


def whole_board(paths: Paths) -> Board:
    """Every run of the last 24 hours, read to the end."""
    return Reader(paths, wall_clock).read_all()


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Cells that each column needs."""
    return [max(f.cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]


def room() -> int | None:
    """Columns of the terminal that is printed to; None: it is none, and nothing has to fit."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def narrowed(widths: Sequence[int], gives_way: Iterable[tuple[int, int]], room: int | None) -> list[int]:
    """Cells of each column so that a row fits a room, 0 for a column that is left out.

    Args:
        widths: What each one needs.
        gives_way: Columns in the order in which they get narrower, down to so many cells; 0: they are left out.
        room: Cells; None: there is no end to them.
    """
    kept = list(widths)
    for at, least in gives_way:
        excess = sum(kept) + 2 * (sum(map(bool, kept)) - 1) - room if room is not None else 0
        if excess > 0:
            kept[at] = max(min(kept[at], least), kept[at] - excess) if least else 0
    return kept


def table(
    rows: Sequence[Sequence[str]], gives_way: Iterable[tuple[int, int]] = (), *, paths: Sequence[int] = ()
) -> Iterator[str]:
    """Rows as aligned lines, without columns that have nothing in them, on a terminal narrowed as `narrowed` says; of
    columns of paths the ends are seen."""
    widths = narrowed(column_widths(rows), gives_way, room())
    kept = [at for at, width in enumerate(widths) if width]
    for row in rows:
        cells = [f.cut_path(row[at], widths[at]) if at in paths else row[at] for at in kept]
        yield aligned(cells, [widths[at] for at in kept])


def aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """A row of a table as a line."""
    return "  ".join(f.fit(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()


def print_json(schema: str, **fields: Any) -> None:
    """One object with its schema and version."""
    print_text(json.dumps({"schema": f"cargo-deck/{schema}", "version": VERSION, **fields}))


def print_text(text: str, end: str = "\n") -> None:
    """A line on stdout, or the beginning of one, in characters that it can take."""
    encoding = (sys.stdout.encoding or "ascii").lower()
    if not encoding.startswith("utf"):
        text = f.ascii_only(text)
    print_bytes(f"{text}{end}".encode("utf-8", "replace"))


def print_prose(text: str) -> None:
    """A sentence on stdout, on a terminal in lines that part between words."""
    width = room()
    for line in f.wrapped(text, max(1, width)) if width is not None else (text,):
        print_text(line)


def print_bytes(content: bytes) -> None:
    """Bytes on stdout as they are; a reader that is gone ends the program quietly."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(141) from None


def rest(seconds: float, fd: int = 1) -> None:
    """Wait; where nobody reads any more what we print, end the program quietly, as the next line would."""
    poll = select.poll()
    poll.register(fd, 0)
    if any(told & select.POLLERR for _, told in poll.poll(seconds * 1000)):
        raise SystemExit(141)


def say(text: str) -> None:
    """A sentence on stderr."""
    sys.stderr.write(f"cargo-deck: {text}\n")


def guarded(run: Any, argv: list[str]) -> int:
    """Run a command; expected failures become a sentence and an exit code."""
    try:
        return int(run(argv))
    except UsageError as error:
        say(str(error))
        return 2
    except DeckError as error:
        say(str(error))
        return 125
    except OSError as error:
        say(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
        return 125
    except KeyboardInterrupt:
        end_line()
        return 130


def end_line() -> None:
    """Leave the line of a terminal that shows ^C: the shell does so only behind what died of it."""
    if sys.stderr.isatty():
        sys.stderr.write("\n")


def has_colour(stream: Any = None) -> bool:
    """stdout is a terminal that shows colour, and nobody asked for none."""
    target = sys.stdout if stream is None else stream
    return bool(target.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
