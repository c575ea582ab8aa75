"""Search in a log by pattern: a step at a time, so that whoever draws stays in charge of the time."""

import re
import signal
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from time import perf_counter
from types import FrameType
from typing import AnyStr, NamedTuple, Protocol

from core.errors import DeckError
from core.parsers.text import has_controls, plain_block

BLOCK_BYTES = 1 << 18
"""Of a log at once: it stays in the nearer caches of the processor."""
STEP_S = 0.01
"""How long a step takes, about: a frame has 16 ms."""
PATIENCE_S = 0.4
"""A block that takes longer to search has a pattern that backtracks for ever."""
_PLAIN = r"[\w \-/:,=<>'\"`&@#%!~;]"
_ALTERNATIVES = re.compile(rf"(?:{_PLAIN}+(?:\|{_PLAIN}+)*|\({_PLAIN}+(?:\|{_PLAIN}+)*\))\Z")
_TOKEN = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<group>\((?:\\.|[^()\\])*\))"
    r"|(?P<repeat>[*?]|\{[^}]*\})|(?P<other>[^\\\[\](){}^$.*+?|])|(?P<sign>.)",
    re.DOTALL,
)
_SPARSE_BYTES = 512
"""Words that come more often than once in so many bytes are not worth looking for."""
_LETTERS_BY_CODE = re.compile(r"\\[xuUN0-9]|[^a-z0-9\\]-|-[^a-z0-9\]]|\\.-")
"""What tells letters by number, or in a range that is not one of small letters: not the same in small letters."""
_LIKE_ASCII = "\u0130\u0131\u017f\u212a"
"""These are like `i`, `s` and `k` where small and capital letters are not told apart."""


class SearchError(DeckError):
    """The pattern cannot be used; the words say why."""


class Searchable(Protocol):
    """Whole lines by number, many at once."""

    @property
    def shown_line_count(self) -> int:
        """Lines there are."""

    def block(self, line: int, size: int) -> tuple[int, int, bytes]:
        """As `core.logfile.LogFile.block`."""


class Pattern(NamedTuple):
    """What is looked for in a line without colours."""

    text: str
    """As typed."""
    line: "re.Pattern[str]"
    """For one line."""
    ascii: "re.Pattern[bytes] | None"
    """The same for a line of ASCII alone; None: the pattern has other characters."""
    is_lowered: bool
    """`ascii` and `words` are for text in small letters."""
    words: tuple[bytes, ...]
    """One of these is in each ASCII line that matches; empty: nobody knows."""
    is_words: bool
    """Each line that holds one of the words matches."""
    is_beyond_ascii: bool = False
    """No line of ASCII alone matches."""


def compile_pattern(text: str, *, is_case_sensitive: bool | None = None) -> Pattern:
    """The pattern of a regular expression as Python has them.

    Without `is_case_sensitive`: small and capital letters are told apart where the pattern has a capital one.
    Raises SearchError with a sentence.
    """
    if is_case_sensitive is None:
        is_case_sensitive = text != text.lower()
    flags = 0 if is_case_sensitive else re.IGNORECASE
    is_lowered = not is_case_sensitive and text == text.lower() and not _LETTERS_BY_CODE.search(text)
    try:
        line = re.compile(text, flags)
        ascii_line = re.compile(text.encode(), 0 if is_lowered else flags) if text.isascii() else None
    except (re.error, OverflowError, RecursionError) as error:
        raise SearchError(f"not a regular expression: {error}") from None
    words: tuple[bytes, ...] = ()
    is_words = False
    if text.isascii() and (is_case_sensitive or is_lowered):
        alternatives = text.removeprefix("(").removesuffix(")").split("|") if _ALTERNATIVES.match(text) else []
        is_words = bool(alternatives)
        words = tuple(word.encode() for word in alternatives or (_certain_word(text),) if word)
    is_beyond_ascii = any(not char.isascii() and char not in _LIKE_ASCII for char in _certain_word(text))
    return Pattern(text, line, ascii_line, is_lowered, words, is_words, is_beyond_ascii)


def _certain_word(pattern: str) -> str:
    """The longest text that is in all that matches; empty: none is known."""
    best = run = ""
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if token.lastgroup == "other" or (token.lastgroup == "escape" and not text[1].isalnum()):
            run += text[-1]
            continue
        if text in ("(", ")", "|") or text.startswith("(?"):
            return ""
        best = max(best, run[:-1] if token.lastgroup == "repeat" else run, key=len)
        run = ""
    return max(best, run, key=len)


def find_lines(pattern: Pattern, block: bytes, *, is_hasty: bool = False) -> list[int]:
    """Which lines of a block match, from 0, ascending. Raises SearchError where that takes too long."""
    text = plain_block(block, is_hasty=is_hasty)
    with patience():
        if isinstance(text, str):
            return _each(text, "\n", pattern.line)
        if pattern.is_beyond_ascii:
            return []
        if pattern.ascii is None:
            return _each(text.decode("ascii"), "\n", pattern.line)
        text = text.lower() if pattern.is_lowered else text
        found = _holding(text, pattern) if pattern.words else None
        return _each(text, b"\n", pattern.ascii) if found is None else found


def _each(text: AnyStr, newline: AnyStr, pattern: "re.Pattern[AnyStr]") -> list[int]:
    """Numbers of the lines that match, by looking at each of them."""
    search = pattern.search
    lines = text.split(newline)
    if not lines[-1]:
        lines.pop()
    return [number for number, line in enumerate(lines) if search(line)]


def _holding(text: bytes, pattern: Pattern) -> list[int] | None:
    """Numbers of the lines that match, by looking at those that hold one of its words; None: they are too many."""
    limit = len(text) // _SPARSE_BYTES
    places: list[int] = []
    for word in pattern.words:
        places += islice(_places(text, word), limit + 1)
    if len(places) > limit:
        return None
    search = None if pattern.is_words or pattern.ascii is None else pattern.ascii.search
    found: list[int] = []
    number, counted, end = 0, 0, -1
    for place in sorted(places):
        if place <= end:
            continue
        number += text.count(b"\n", counted, place)
        counted = place
        end = text.find(b"\n", place)
        end = len(text) if end < 0 else end
        if search is None or search(text[text.rfind(b"\n", 0, place) + 1 : end]):
            found.append(number)
    return found


def _places(text: bytes, word: bytes) -> Iterator[int]:
    """Where a word stands, the first in each line."""
    at = text.find(word)
    while at >= 0:
        yield at
        end = text.find(b"\n", at)
        at = text.find(word, end) if end >= 0 else -1


class Search:
    """Which lines of a log match, as far as it was looked through. The log may grow meanwhile.

    It is looked through from some line to the end, then from the first line on: who searches wants the next match
    first. Plain text is looked at in haste; in the end the blocks that have control characters in them are done again.
    """

    def __init__(self, log: Searchable, pattern: Pattern, start: int = 0) -> None:
        self.pattern = pattern
        self.lines = array("I")
        """Numbers of the lines that match, ascending, of what was looked at."""
        self._log = log
        self._start = self._next = min(start, max(0, log.shown_line_count - 1))
        self._count = 0
        """Lines there were when the end was reached."""
        self._head = 0
        """Lines that were looked at from the first on, until that meets the start."""
        self._doubtful: list[int] = []
        """First lines of blocks that were looked at in haste."""

    @property
    def is_done(self) -> bool:
        """All lines that there are were looked at."""
        return self._count >= self._log.shown_line_count and self._head >= self._start and not self._doubtful

    def step(self, for_s: float = STEP_S, clock: Callable[[], float] = perf_counter) -> bool:
        """Look on for a moment; True where more lines match. Raises SearchError where the pattern takes too long."""
        before, ends = len(self.lines), clock() + for_s
        while self._take_block() and clock() < ends:
            pass
        return len(self.lines) != before

    def _take_block(self) -> bool:
        """Look through some more lines; True where there is more to do."""
        count = self._log.shown_line_count
        if self._count < count:
            self._next = self._look_at(self._next, count)
            if self._next == count:
                self._count = count
                self._next -= 1  # the last line may not be whole: with the next one it is looked at again
        elif self._head < self._start:
            self._head = self._look_at(self._head, self._start)
        elif self._doubtful:
            self._look_again(self._doubtful.pop())
        return not self.is_done

    def _look_at(self, line: int, end: int) -> int:
        """Look at the lines of a block, from one on; the next line, at most `end`."""
        first, after, block = self._log.block(line, BLOCK_BYTES)
        if not block:
            return end
        after = min(after, end)
        self._put(line, after, (first + found for found in find_lines(self.pattern, block, is_hasty=True)))
        if b"\x1b" not in block:
            self._doubtful.append(line)
        return after

    def _look_again(self, line: int) -> None:
        """The same without haste, where haste may have overlooked something."""
        first, after, block = self._log.block(line, BLOCK_BYTES)
        if has_controls(block):
            after = min(after, self._start if line < self._start else self._next + 1)
            self._put(line, after, (first + found for found in find_lines(self.pattern, block)))

    def _put(self, line: int, after: int, found: Iterable[int]) -> None:
        """Keep what was found from a line on and before another, instead of what was known of these."""
        lines = self.lines
        low, high = bisect_left(lines, line), bisect_left(lines, after)
        lines[low:high] = array("I", [number for number in found if line <= number < after])

    def next_known(self, line: int) -> int | None:
        """The first line at or after one that matches; None: not known (yet)."""
        at = bisect_left(self.lines, line)
        if at == len(self.lines):
            return self.lines[0] if self.lines and self.is_done else None
        is_near = line >= self._start or self.lines[at] < self._head or self._head >= self._start
        return self.lines[at] if is_near else None

    def previous_known(self, line: int) -> int | None:
        """The last line before one that matches; None: not known (yet)."""
        at = bisect_left(self.lines, line) - 1
        if self.is_done:
            return self.lines[at] if self.lines else None
        return self.lines[at] if at >= 0 and self._start <= self.lines[at] and line <= self._next else None

    def rank(self, line: int) -> int:
        """Which of the matching lines it is, from 1; 0: none at or before it."""
        return bisect_right(self.lines, line)


@contextmanager
def patience() -> Iterator[None]:
    """Ends a pattern that backtracks for ever: `re` looks for signals while it works. In the main thread only.

    Raises SearchError there."""
    try:
        before = signal.signal(signal.SIGALRM, _give_up)
    except ValueError:  # another thread
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _give_up(number: int, frame: FrameType | None) -> None:
    raise SearchError("this pattern takes for ever: make it simpler")
