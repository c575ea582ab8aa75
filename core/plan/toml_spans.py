"""Where in the text of a TOML file its keys and values stand. Pure; for text that `tomllib` has accepted.

Source: toml.io, v1.0.0.
"""

from typing import NamedTuple

_BARE_ENDS = ",]}#\r\n"


class Span(NamedTuple):
    """From and to, as slices count."""

    start: int
    end: int


class Item(NamedTuple):
    """A value, with its key where it has one."""

    key: tuple[str, ...]
    """From the table or inline table that it stands in; empty: of an array."""
    span: Span
    """Key and value."""
    value: Span
    kind: str
    """`array`, `table` (inline), `scalar`."""
    items: tuple["Item", ...] = ()
    """Of an array or an inline table."""


class Section(NamedTuple):
    """A header, and what stands below it up to the next one."""

    path: tuple[str, ...] | None
    """Empty: what stands before all headers. None: a part of an array of tables."""
    header: Span
    """Up to the end of its line, line feed included; empty for what stands before all headers."""
    items: tuple[Item, ...]


class Malformed(ValueError):
    """The text is not what this reads: a form that `tomllib` took and this does not know."""


def read_sections(text: str) -> list[Section]:
    """All of them, in order; the first is what stands before all headers.

    Raises:
        Malformed: It is no TOML 1.0.
        RecursionError: Nested deeper than the interpreter goes.
    """
    return _Reader(text).sections()


def line_start(text: str, at: int) -> int:
    """Of the line that holds a place."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Behind the line feed of the line that holds a place, or the end of the text."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def sections(self) -> list[Section]:
        text = self._text
        path: tuple[str, ...] | None = ()
        header = Span(0, 0)
        items: list[Item] = []
        found: list[Section] = []
        arrays: list[tuple[str, ...]] = []
        self._skip_blank()
        while self._at < len(text):
            if text[self._at] == "[":
                found.append(Section(path, header, tuple(items)))
                items = []
                start = self._at
                is_array = text.startswith("[[", start)
                self._at += 2 if is_array else 1
                path = self._key("]")
                if is_array:
                    arrays.append(path)
                if any(path[: len(one)] == one for one in arrays):
                    path = None
                header = Span(start, line_end(text, self._at))
                self._at += 2 if is_array else 1
            else:
                items.append(self._pair())
            self._skip_blank()
        found.append(Section(path, header, tuple(items)))
        return found

    def _char(self) -> str:
        if self._at >= len(self._text):
            raise Malformed("it ends in the middle of something")
        return self._text[self._at]

    def _skip_spaces(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in " \t":
            self._at += 1

    def _skip_blank(self) -> None:
        """Spaces, line ends, comments."""
        text = self._text
        while self._at < len(text):
            if text[self._at] == "#":
                self._at = line_end(text, self._at)
            elif text[self._at] in " \t\r\n":
                self._at += 1
            else:
                return

    def _pair(self) -> Item:
        start = self._at
        key = self._key("=")
        self._at += 1
        self._skip_spaces()
        return self._value(key, start)

    def _key(self, end: str) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            self._skip_spaces()
            parts.append(self._key_part())
            self._skip_spaces()
            char = self._char()
            if char == end:
                return tuple(parts)
            if char != ".":
                raise Malformed(f"{char!r} in a key")
            self._at += 1

    def _key_part(self) -> str:
        text, start = self._text, self._at
        if self._char() in "\"'":
            self._skip_string()
            return _unquoted(text[start : self._at])
        while self._at < len(text) and (text[self._at].isalnum() or text[self._at] in "_-"):
            self._at += 1
        if self._at == start:
            raise Malformed("a key is missing")
        return text[start : self._at]

    def _value(self, key: tuple[str, ...], start: int) -> Item:
        begin = self._at
        char = self._char()
        kind, items = "scalar", ()  # type: tuple[str, tuple[Item, ...]]
        if char in "\"'":
            self._skip_string()
        elif char == "[":
            kind, items = "array", self._array()
        elif char == "{":
            kind, items = "table", self._inline_table()
        else:
            self._skip_bare()
        return Item(key, Span(start, self._at), Span(begin, self._at), kind, items)

    def _array(self) -> tuple[Item, ...]:
        items: list[Item] = []
        self._at += 1
        while True:
            self._skip_blank()
            if self._char() == "]":
                self._at += 1
                return tuple(items)
            if self._char() == ",":
                self._at += 1
                continue
            items.append(self._value((), self._at))

    def _inline_table(self) -> tuple[Item, ...]:
        items: list[Item] = []
        self._at += 1
        while True:
            self._skip_blank()
            if self._char() == "}":
                self._at += 1
                return tuple(items)
            if self._char() == ",":
                self._at += 1
                continue
            items.append(self._pair())

    def _skip_bare(self) -> None:
        """A number, a date (which may hold a space), `true`."""
        text, start = self._text, self._at
        while self._at < len(text) and text[self._at] not in _BARE_ENDS:
            self._at += 1
        while self._at > start and text[self._at - 1] in " \t":
            self._at -= 1
        if self._at == start:
            raise Malformed("a value is missing")

    def _skip_string(self) -> None:
        text, quote = self._text, self._char()
        if text.startswith(quote * 3, self._at):
            self._skip_long_string(quote)
            return
        self._at += 1
        while self._char() != quote:
            self._at += 2 if quote == '"' and self._char() == "\\" else 1
        self._at += 1

    def _skip_long_string(self, quote: str) -> None:
        self._at += 3
        while not self._text.startswith(quote * 3, self._at):
            self._at += 2 if quote == '"' and self._char() == "\\" else 1
            self._char()
        self._at += 3
        extra = 0
        while extra < 2 and self._text.startswith(quote, self._at):
            self._at += 1
            extra += 1


def _unquoted(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1]
    import tomllib

    return str(tomllib.loads("k = " + key)["k"])
