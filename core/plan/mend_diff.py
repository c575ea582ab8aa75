"""A unified diff of TOML text that shows nothing but what changes: a line beside it may hold a credential. Pure."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from core.plan.diff_text import ended, lines_of, range_of
from core.plan.finding_mask import is_secret_key
from core.plan.toml_spans import Item, Malformed, Section, read_sections
from core.run.mask import safe_text

_LONG = 2000
"""Lines between the first and the last that differ; more are compared in the quick way."""


class _Hunk(NamedTuple):
    """Lines that go, and lines that come in their place, as slices count."""

    old: tuple[int, int]
    new: tuple[int, int]


def unified(before: str, after: str, name: str) -> str:
    """A diff without context that `patch -p1` and `git apply --unidiff-zero` take; the table that a change is in stands
    behind its line numbers. Empty: nothing differs, or a credential would be in it."""
    old, new = lines_of(before), lines_of(after)
    hunks = list(_hunks(old, new))
    gone = [line for hunk in hunks for line in range(*hunk.old)]
    come = [line for hunk in hunks for line in range(*hunk.new)]
    if not hunks or _shows_more([old[at] for at in gone], [new[at] for at in come]):
        return ""
    try:
        sections = read_sections(before)
        if _tells(before, gone, sections) or _tells(after, come, read_sections(after)):
            return ""
    except (Malformed, RecursionError):
        return ""
    starts = _starts(before)
    parts = [f"--- {_quoted('a/' + name)}\n", f"+++ {_quoted('b/' + name)}\n"]
    for hunk in hunks:
        parts.append(f"@@ -{range_of(*hunk.old)} +{range_of(*hunk.new)} @@{_table(hunk, sections, starts, old, new)}\n")
        parts += ["-" + line for line in map(ended, old[slice(*hunk.old)])]
        parts += ["+" + line for line in map(ended, new[slice(*hunk.new)])]
    return "".join(parts)


def _shows_more(gone: list[str], come: list[str]) -> bool:
    """A line is in it that stays. The last one has to be where it gets a line end; what a comment says is not known."""
    both = {line.strip() for line in gone} & {line.strip() for line in come} - {""}
    return bool(both) and (both != {gone[-1].strip()} or gone[-1].endswith("\n") or "#" in gone[-1])


def _hunks(old: list[str], new: list[str]) -> Iterator[_Hunk]:
    from difflib import SequenceMatcher

    first, most = 0, min(len(old), len(new))
    while first < most and old[first] == new[first]:
        first += 1
    last = 0
    while last < most - first and old[-1 - last] == new[-1 - last]:
        last += 1
    a, b = old[first : len(old) - last], new[first : len(new) - last]
    found = SequenceMatcher(None, a, b, autojunk=max(len(a), len(b)) > _LONG)
    for what, a1, a2, b1, b2 in found.get_opcodes():
        if what != "equal":
            yield _Hunk((first + a1, first + a2), (first + b1, first + b2))


def _table(hunk: _Hunk, sections: list[Section], starts: list[int], old: list[str], new: list[str]) -> str:
    """The header of the table that a hunk is in; empty: of none, or the hunk has it."""
    if any(line.lstrip().startswith("[") for line in (*old[slice(*hunk.old)], *new[slice(*hunk.new)])):
        return ""
    at = starts[min(hunk.old[0], len(starts) - 1)]
    path = [one.path for one in sections if one.header.start <= at][-1:]
    return " " + safe_text(f"[{dotted_key(path[0])}]") if path and path[0] else ""


# Credentials


def _tells(text: str, lines: list[int], sections: list[Section]) -> bool:
    """A credential is in one of these lines."""
    starts = _starts(text)
    secret = {line for start, end in _secrets(sections) for line in range(_line(starts, start), _line(starts, end) + 1)}
    return any(line in secret for line in lines) or any(
        safe_text(said) != said for line in lines for said in [text[starts[line] : starts[line + 1]]]
    )


def _secrets(sections: list[Section]) -> Iterator[tuple[int, int]]:
    for section in sections:
        yield from _of_items(section.items, section.path or ())


def _of_items(items: tuple[Item, ...], path: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for item in items:
        key = path + item.key
        if is_secret_key(key):
            yield item.span.start, max(item.span.start, item.span.end - 1)
        else:
            yield from _of_items(item.items, key)


def _starts(text: str) -> list[int]:
    """Where each line begins, and the end of the text."""
    starts = [0]
    for line in lines_of(text):
        starts.append(starts[-1] + len(line))
    return starts


def _line(starts: list[int], at: int) -> int:
    return bisect_right(starts, at) - 1


# Names

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def dotted_key(words: tuple[str, ...]) -> str:
    """As TOML writes it: `profile.dev.package."*"`."""
    return ".".join(word if word and set(word) <= _BARE else basic_string(word) for word in words)


def basic_string(text: str) -> str:
    """In quotes, on one line."""
    escaped = "".join(
        "\\" + char if char in '"\\' else f"\\u{ord(char):04x}" if ord(char) < 32 or ord(char) == 127 else char
        for char in text
    )
    return f'"{escaped}"'


def _quoted(name: str) -> str:
    """As git and GNU diff write names that hold more than letters."""
    if all(char.isprintable() and char not in '"\\' for char in name):
        return name + "\t" if " " in name else name
    codes = (f"\\{byte:03o}" if not 32 <= byte < 127 or byte in b'"\\' else chr(byte) for byte in
             name.encode(errors="surrogateescape"))  # fmt: skip
    return '"' + "".join(codes) + '"'
