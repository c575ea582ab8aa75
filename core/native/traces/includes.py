"""Which files a source includes, by its text alone: what is known where no compiler told it.

More than is compiled may be in it (no `#if` is decided but `#if 0`), and less (names that macros make).
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence

from core.plan.small_file import read_head

MAX_FILES = 2000
MAX_TRIES = 100_000
"""So many names are looked for in all: each in several folders, half a second altogether."""
_MAX_BYTES = 1 << 21
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)')
_CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|else|elif|endif)\b[ \t]*([^\n]*)")
_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)

Reader = Callable[[str], bytes | None]
"""Gives the beginning of a file; None: it cannot be read."""


def closure(source: str, folders: Sequence[str], read: Reader | None = None) -> tuple[str, ...]:
    """The source and all that it includes, as far as that is found; at most MAX_FILES, in MAX_TRIES.

    Args:
        source: Absolute.
        folders: Where names are looked for that are not beside the file which includes them.
        read: For tests.
    """
    reader = read or (lambda path: read_head(path, _MAX_BYTES))
    found: dict[str, None] = {os.path.normpath(source): None}
    ahead = [os.path.normpath(source)]
    tries = 0
    while ahead and len(found) < MAX_FILES:
        path = ahead.pop()
        for name, is_near in includes(reader(path) or b""):
            for place in [os.path.dirname(path), *folders] if is_near else folders:
                wanted = os.path.normpath(os.path.join(place, name))
                tries += 1
                if tries > MAX_TRIES:
                    return tuple(found)
                if wanted in found:
                    break
                if reader(wanted) is not None:
                    found[wanted] = None
                    ahead.append(wanted)
                    break
    return tuple(found)


def includes(content: bytes) -> Iterator[tuple[str, bool]]:
    """Names that a source includes, and whether in quotes. What is commented out or below `#if 0` is left out."""
    text = _COMMENT.sub(_without_comment, content.decode("utf-8", "surrogateescape"))
    dead: list[bool] = []
    for line in text.split("\n"):
        if condition := _CONDITION.match(line):
            _turn(dead, condition[1], condition[2].strip())
        elif not any(dead) and (found := _INCLUDE.match(line)):
            yield (found[1] or found[2]), found[1] is not None


def _turn(dead: list[bool], word: str, rest: str) -> None:
    """Go into, on or out of a conditional part."""
    if word in ("if", "ifdef", "ifndef"):
        dead.append(word == "if" and rest == "0")
    elif word == "endif":
        if dead:
            dead.pop()
    elif dead:
        dead[-1] = False


def _without_comment(found: "re.Match[str]") -> str:
    return found[0] if found[0].startswith('"') else "\n" * found[0].count("\n") or " "
