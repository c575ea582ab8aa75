"""On which line each key of a TOML text stands, which `tomllib` does not say. Pure.

It reads what TOML 1.1 allows and is meant for texts that are TOML: at the first thing that is not, it stops.
"""

import re
from typing import NamedTuple

Key = tuple[str, ...]

MAX_DEPTH = 60
"""Of tables and arrays in one another. `tomllib` takes time that grows with the square of a dotted key's length."""
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")
_IN_BASIC = re.compile(r'\\.|["\n]', re.S)
_IN_LONG = re.compile(r'\\.|"""', re.S)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))", re.S)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


class Lines(NamedTuple):
    """What was seen of a text."""

    lines: dict[Key, int]
    """By key, 1..; of an array of tables, its first header; a table that is only a header is not in it."""
    too_deep: int = 0
    """The line from which it is nested deeper than `MAX_DEPTH`; 0: it is not."""
    plain: str = ""
    """The same in TOML 1.0: inline tables on one line, no new escapes. Lines are other ones."""

    def of(self, key: Key) -> int:
        """The line of a key, or of what stands above it; 0: not known."""
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key[:-1]
        return 0


class _Lost(Exception):
    """This is not TOML."""


class _TooDeep(Exception):
    """Deeper than anybody writes."""


def find_lines(text: str) -> Lines:
    """The line of each key."""
    scanner = _Scanner(text)
    too_deep = 0
    try:
        scanner.scan()
    except (_Lost, IndexError):
        pass
    except _TooDeep:
        too_deep = scanner.line()
    return Lines(scanner.lines, too_deep, scanner.plain())


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Key, int] = {}
        self.edits: list[tuple[int, int, str]] = []
        self._arrays = 0
        """In how many it is: tables in them are not told apart."""
        self._counted = (0, 1)

    def line(self) -> int:
        """Of where it is."""
        before, line = self._counted
        line += self.text.count("\n", before, self.at)
        self._counted = (self.at, line)
        return line

    def plain(self) -> str:
        if not self.edits:
            return self.text
        parts = []
        done = 0
        for start, end, instead in sorted(self.edits):
            parts += [self.text[done:start], instead]
            done = end
        return "".join((*parts, self.text[done:]))

    def scan(self) -> None:
        table: Key = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table, 0)
            self._skip(_SPACE)
            if self.at < len(self.text) and self.text[self.at] not in "\r\n#":
                raise _Lost

    def _header(self) -> Key:
        is_array = self.text.startswith("[[", self.at)
        line = self.line()
        self.at += 1 + is_array
        table = self._key(())
        self._take("]]" if is_array else "]")
        if is_array:
            self.lines.setdefault(table, line)
        return table

    def _pair(self, table: Key, depth: int) -> None:
        line = self.line()
        key = self._key(table)
        self._take("=")
        self._skip(_SPACE)
        if self.text[self.at] == "{":
            self._inline_table(key, depth + 1)
        else:
            if not self._arrays:
                self.lines.setdefault(key, line)
            self._value(depth)

    def _key(self, table: Key) -> Key:
        parts = list(table)
        while True:
            self._skip(_SPACE)
            parts.append(self._key_part())
            if len(parts) > MAX_DEPTH:
                raise _TooDeep
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return tuple(parts)
            self.at += 1

    def _key_part(self) -> str:
        start = self.at
        quote = self.text[start]
        if quote in "\"'":
            self._string()
            part = self.text[start + 1 : self.at - 1]
            return _ESCAPE.sub(_unescaped, part) if quote == '"' else part
        return self.text[start : self._must(_BARE_KEY)]

    def _value(self, depth: int) -> None:
        match self.text[self.at]:
            case '"' | "'":
                self._string()
            case "[":
                self._array(depth + 1)
            case "{":
                self._inline_table((), depth + 1)
            case _:
                self._must(_BARE_VALUE)

    def _array(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _TooDeep
        self._arrays += 1
        self.at += 1
        while True:
            self._skip(_BLANK)
            if self.text[self.at] == "]":
                self._arrays -= 1
                self.at += 1
                return
            self._value(depth)
            self._skip(_BLANK)
            if self.text[self.at] not in ",]":
                raise _Lost
            self.at += self.text[self.at] == ","

    def _inline_table(self, key: Key, depth: int) -> None:
        if depth + len(key) > MAX_DEPTH:
            raise _TooDeep
        self.at += 1
        comma = 0
        while True:
            self._skip_as_space()
            if self.text[self.at] == "}":
                if comma:
                    self.edits.append((comma - 1, comma, " "))
                self.at += 1
                return
            self._pair(key, depth)
            self._skip_as_space()
            if self.text[self.at] not in ",}":
                raise _Lost
            comma = self.at + 1 if self.text[self.at] == "," else 0
            self.at += self.text[self.at] == ","

    def _string(self) -> None:
        quote = self.text[self.at]
        is_long = self.text.startswith(quote * 3, self.at)
        start = self.at + (3 if is_long else 1)
        end = self._end_of_basic(start, is_long) if quote == '"' else self.text.find("'" * (3 if is_long else 1), start)
        if end < 0:
            raise _Lost
        self.at = end + (3 if is_long else 1)
        if is_long:  # one or two more may belong to the text
            self.at += len(self.text[self.at : self.at + 2]) - len(self.text[self.at : self.at + 2].lstrip(quote))

    def _end_of_basic(self, start: int, is_long: bool) -> int:
        for found in (_IN_LONG if is_long else _IN_BASIC).finditer(self.text, start):
            what = found[0]
            if what[0] != "\\":
                return -1 if what == "\n" else found.start()
            if what == "\\e":
                self.edits.append((found.start(), found.end(), "\\u001B"))
            elif what == "\\x":
                self.edits.append((found.start(), found.end(), "\\u00"))
        return -1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def _skip_as_space(self) -> None:
        start = self.at
        if self._skip(_BLANK) > start and "\n" in self.text[start : self.at]:
            self.edits.append((start, self.at, " "))

    def _must(self, pattern: re.Pattern[str]) -> int:
        start = self.at
        if self._skip(pattern) == start:
            raise _Lost
        return self.at

    def _take(self, what: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(what, self.at):
            raise _Lost
        self.at += len(what)


def _unescaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2] or found[3]
    if digits is None:
        return _ESCAPED.get(found[4], found[4])
    code = int(digits, 16)
    return chr(code) if code < 0x110000 else ""
