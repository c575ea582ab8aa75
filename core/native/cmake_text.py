"""Calls in CMake files: what they say, and the text with more in them. Source: CMake 3.25, cmake-language(7). Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_CHARACTERS = 1 << 20
_TOKEN = re.compile(
    r"(?P<comment>\#\[(?P<hash>=*)\[[\s\S]*?\](?P=hash)\]|\#[^\n]*)|\[(?P<bracket>=*)\[(?P<raw>[\s\S]*?)\](?P=bracket)\]"
    r'|"(?P<quoted>(?:\\[\s\S]|[^"\\])*)"|(?P<round>[()])|(?P<word>(?:\\.|\$\{[^}\s]*\}|[^\s()#"\\])+)'
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
    end: int
    """Where its last bracket stands."""

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
    depth = 0
    for token in _TOKEN.finditer(text[:MAX_CHARACTERS]):
        if token["comment"] is not None:
            continue
        if token["round"] == "(":
            if not depth:
                open_call, words = name, []
            depth += 1
        elif token["round"] == ")":
            depth = max(0, depth - 1)
            if not depth and open_call is not None:
                line = text.count("\n", 0, open_call.start) + 1
                found.append(Call(open_call.text.lower(), tuple(words), line, token.start()))
                open_call = None
        else:
            said = next((token[one] for one in ("quoted", "raw", "word") if token[one] is not None), "")
            word = Word(said, token.start(), token.end())
            if depth:
                words.append(word)
            name = word if not depth and token["word"] and _NAME.match(said) else None
    return tuple(found)


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
