"""Calls in CMake files: what they say, and the text with more in them. Source: CMake 3.25, cmake-language(7). Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MAX_CHARACTERS = 1 << 20
_BRACKET = re.compile(r"\[(=*)\[")
_TOKEN = re.compile(
    r'\#[^\n]*|"(?P<quoted>(?:\\[\s\S]|[^"\\])*)"|(?P<round>[()])|(?P<word>(?:\\.|[^\s()#"\\])+)|[\s\S]'
)
_NAME = re.compile(r"[A-Za-z_]\w*\Z")


class Word(NamedTuple):
    """One argument."""

    text: str
    start: int
    end: int


class Call(NamedTuple):
    """`file(GLOB SOURCES *.cu)`."""

    name: str
    """In lower case."""
    words: tuple[Word, ...]
    """Without brackets within."""
    line: int
    """From 1."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Its arguments."""
        return tuple(word.text for word in self.words)


def calls_in(text: str) -> tuple[Call, ...]:
    """The calls, in order; what is cut off at the end is left out."""
    found: list[Call] = []
    name: Word | None = None
    open_call: Word | None = None
    words: list[Word] = []
    depth, line, counted = 0, 1, 0
    for kind, word in _tokens(text[:MAX_CHARACTERS]):
        if kind == "(":
            if not depth:
                open_call, words = name, []
            depth += 1
        elif kind == ")":
            depth = max(0, depth - 1)
            if not depth and open_call is not None:
                line, counted = line + text.count("\n", counted, open_call.start), open_call.start
                found.append(Call(open_call.text.lower(), tuple(words), line))
                open_call = None
        else:
            if depth:
                words.append(word)
            name = word if not depth and kind == "word" and _NAME.match(word.text) else None
    return tuple(found)


def _tokens(text: str) -> Iterator[tuple[str, Word]]:
    """Kind (`(`, `)`, `word`, `quoted`) and what it says; comments and blanks are passed over."""
    at = 0
    missing: set[str] = set()
    while at < len(text):
        is_comment = text[at] == "#"
        if (bracket := _BRACKET.match(text, at + is_comment)) is not None:
            closing = f"]{bracket[1]}]"
            end = -1 if closing in missing else text.find(closing, bracket.end())
            if end >= 0:
                if not is_comment:
                    yield "quoted", Word(text[bracket.end() : end], at, end + len(closing))
                at = end + len(closing)
                continue
            missing.add(closing)
        token = _TOKEN.match(text, at)
        if token is None:
            return
        kind = token.lastgroup
        if kind is not None:
            yield token[0] if kind == "round" else kind, Word(token[kind], at, token.end())
        at = token.end()


class Insertion(NamedTuple):
    """Text to be put somewhere."""

    at: int
    text: str


def with_all(text: str, insertions: Sequence[Insertion]) -> str:
    """The text with them; each once."""
    for one in sorted(set(insertions), reverse=True):
        text = text[: one.at] + one.text + text[one.at :]
    return text


def watching(call: Call) -> Insertion | None:
    """What has a `file(GLOB …)` look again at each build; None: it does, or it is none."""
    if call.name != "file" or len(call.words) < 3 or call.texts[0] not in ("GLOB", "GLOB_RECURSE"):
        return None
    return None if "CONFIGURE_DEPENDS" in call.texts else Insertion(call.words[1].end, " CONFIGURE_DEPENDS")


def depending(call: Call, text: str, files: Sequence[str]) -> Insertion | None:
    """What has an `add_custom_command(OUTPUT …)` run when files changed; None: it is none, or a name would have to be
    quoted."""
    if call.name != "add_custom_command" or call.texts[:1] != ("OUTPUT",) or not files:
        return None
    if not all(re.fullmatch(r"(?:\$\{CMAKE_CURRENT_SOURCE_DIR\})?[\w./+-]+", one) for one in files):
        return None
    words = " ".join(files)
    there = next((word for word in call.words if word.text == "DEPENDS"), None)
    if there is not None:
        return Insertion(there.end, f" {words}")
    last = call.words[-1]
    if text.count("\n", 0, last.start) + 1 == call.line:
        return Insertion(last.end, f" DEPENDS {words}")
    line = text[text.rfind("\n", 0, last.start) + 1 : last.start]
    indent = line[: len(line) - len(line.lstrip())]
    return Insertion(last.end, f"\n{indent}DEPENDS {words}")
