"""A unified diff that changes, adds or removes one key of a TOML file's text and leaves all else as it stands. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from core.plan.mend_diff import basic_string, dotted_key, unified
from core.plan.plan import Change
from core.plan.toml_spans import Item, Malformed, Section, line_end, line_start, read_sections
from core.run.mask import MASK

MAX_CHARACTERS = 1 << 20
"""A file that has as many gets no diff: only its beginning may have been read."""


def diff_of(changes: Iterable[Change], read: Callable[[str], str]) -> str:
    """One diff for all of them, in their order; empty: they cannot be made, or a credential would be in it.

    Args:
        changes: A file may be named more than once.
        read: Gives the text of a file, line ends as they are; OSError and ValueError mean that it cannot be read.
    """
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    names: dict[str, str] = {}
    for change in changes:
        if _is_masked(change.value):
            return ""
        if change.path not in before:
            try:
                before[change.path] = after[change.path] = read(change.path)
            except (OSError, ValueError):
                return ""
        text = changed(after[change.path], change.key, change.value)
        if text is None:
            return ""
        after[change.path] = text
        names[change.path] = _name(change)
    diffs = {path: unified(before[path], after[path], names[path]) for path in before if before[path] != after[path]}
    return "".join(diffs.values()) if all(diffs.values()) else ""


def said_of(changes: Iterable[Change]) -> Iterator[str]:
    """The same in words, a sentence each: `in /w/.cargo/config.toml: [build] incremental becomes false`."""
    for change in changes:
        table = f"[{dotted_key(change.key[:-1])}] " if change.key[:-1] else ""
        what = "goes away" if change.value is None else f"becomes {toml_of(change.value)}"
        yield f"in {change.path}: {table}{dotted_key(change.key[-1:])} {what}"


def _is_masked(value: Any) -> bool:
    """What it should be is not known: it holds a credential."""
    return any(map(_is_masked, value)) if isinstance(value, list | tuple) else isinstance(value, str) and MASK in value


def changed(text: str, key: tuple[str, ...], value: Any = None) -> str | None:
    """The text with one key as it should be; None: it cannot be done without touching more than that key.

    Args:
        text: Of a TOML file.
        key: A word a level.
        value: None: the key goes away. Else a bool, number, string or an array of those.
    """
    import tomllib

    if not key or len(text) >= MAX_CHARACTERS:
        return None
    try:
        wanted = _wanted(tomllib.loads(text), key, value)
        if wanted is None:
            return None
        for candidate in _candidates(text, key, value):
            if _canonical(tomllib.loads(candidate)) in wanted:
                return candidate
    except (ValueError, RecursionError):
        return None
    return None


def _name(change: Change) -> str:
    base = (change.base or change.path.rpartition("/")[0]).rstrip("/") + "/"
    return change.path.removeprefix(base)


def _wanted(table: dict[str, Any], key: tuple[str, ...], value: Any) -> list[Any] | None:
    """What the file may say afterwards; None: the key cannot be set, or is not there to be removed."""
    parents = [table]
    for word in key[:-1]:
        below = parents[-1].get(word)
        if below is None and value is not None:
            below = parents[-1][word] = {}
        if not isinstance(below, dict):
            return None
        parents.append(below)
    if value is not None:
        parents[-1][key[-1]] = list(value) if isinstance(value, tuple) else value
        return [_canonical(table)]
    if key[-1] not in parents[-1]:
        return None
    del parents[-1][key[-1]]
    wanted = [_canonical(table)]
    for parent, word in zip(parents[-2::-1], key[-2::-1], strict=False):
        if parent[word]:
            break
        del parent[word]
        wanted.append(_canonical(table))
    return wanted


def _canonical(value: Any) -> Any:
    """Equal only for what is equal in TOML: `1`, `1.0` and `true` are not, `nan` is."""
    if isinstance(value, dict):
        return "table", tuple(sorted((name, _canonical(below)) for name, below in value.items()))
    if isinstance(value, list):
        return "array", tuple(map(_canonical, value))
    return type(value).__name__, repr(value)


def _candidates(text: str, key: tuple[str, ...], value: Any) -> Iterator[str]:
    """Texts that may be what is wanted, the most fitting first."""
    try:
        sections = read_sections(text)
    except Malformed:
        return
    for chain in _places(sections, key):
        if len(chain) == 1 and value is None:
            yield _without_lines(text, chain[0])
        elif value is None:
            yield _without_item(text, chain[-2], chain[-1])
        else:
            yield _with_value(text, chain[-1], value)
    if value is not None:
        yield from _additions(text, sections, key, value)


def _places(sections: list[Section], key: tuple[str, ...]) -> Iterator[list[Item]]:
    """Where a key stands: items from the outermost to its own."""
    for section in sections:
        if section.path is not None and key[: len(section.path)] == section.path:
            yield from _chains(section.items, key[len(section.path) :])


def _chains(items: tuple[Item, ...], key: tuple[str, ...]) -> Iterator[list[Item]]:
    for item in items:
        if item.key == key:
            yield [item]
        elif item.kind == "table" and key[: len(item.key)] == item.key:
            for chain in _chains(item.items, key[len(item.key) :]):
                yield [item, *chain]


def _without_lines(text: str, item: Item) -> str:
    return text[: line_start(text, item.span.start)] + text[line_end(text, item.span.end) :]


def _without_item(text: str, parent: Item, item: Item) -> str:
    """Without one item of an inline table or an array, and the comma that goes with it."""
    start, end = item.span
    at = _behind_blank(text, end, parent.value.end)
    if text[at] == ",":
        end = at + 1
        while end < len(text) and text[end] in " \t":
            end += 1
        begin = line_start(text, start)
        if not text[begin:start].strip() and _is_line_end(text, end):
            return text[:begin] + text[line_end(text, end) :]
        return text[:start].rstrip(" \t") + text[end:] if _is_line_end(text, end) else text[:start] + text[end:]
    before = [other for other in parent.items if other.span.start < start]
    return text[: before[-1].span.end if before else start] + text[end:]


def _is_line_end(text: str, at: int) -> bool:
    """Nothing but a line end stands there."""
    return text.startswith(("\n", "\r\n"), at)


def _behind_blank(text: str, at: int, end: int) -> int:
    """The next place that is neither space, line end nor comment."""
    while at < end and text[at] in " \t\r\n#":
        at = line_end(text, at) if text[at] == "#" else at + 1
    return at


def _with_value(text: str, item: Item, value: Any) -> str:
    if item.kind == "array" and isinstance(value, list | tuple):
        items = _with_items(text, item, list(value))
        if items is not None:
            return items
    return text[: item.value.start] + toml_of(value) + text[item.value.end :]


def _with_items(text: str, array: Item, values: list[Any]) -> str | None:
    """An array of which some items went or became others, the rest and all comments as they were; None: it is not
    that."""
    import tomllib

    spans = [item.value for item in array.items]
    before = [_canonical(tomllib.loads("k = " + text[start:end])["k"]) for start, end in spans]
    after = [_canonical(value) for value in values]
    if len(before) == len(after):
        for (start, end), value, old, new in reversed(list(zip(spans, values, before, after, strict=True))):
            if old != new:
                text = text[:start] + toml_of(value) + text[end:]
        return text
    gone = _gone(before, after)
    for place in gone:
        text = _without_item(text, array, array.items[place])
        array = _array_again(text, array.span.start)
    return text if gone else None


def _gone(before: list[Any], after: list[Any]) -> list[int]:
    """Places, from the last, without which the one list is the other; none: it never is, or nothing is left.

    From the end: of `-C`, `x`, `-C`, `y` without `x`, it is the first `-C` that goes.
    """
    left = list(after)
    gone = []
    for place in range(len(before) - 1, -1, -1):
        if left and left[-1] == before[place]:
            left.pop()
        else:
            gone.append(place)
    return [] if left or not after else gone


def _array_again(text: str, start: int) -> Item:
    for section in read_sections(text):
        for item in _all(section.items):
            if item.span.start == start:
                return item
    raise Malformed("the array is gone")


def _all(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        yield item
        if item.kind == "table":
            yield from _all(item.items)


def _additions(text: str, sections: list[Section], key: tuple[str, ...], value: Any) -> Iterator[str]:
    """A key that is not there yet: in its table, in an inline one, beside dotted keys, or with a table of its own."""
    eol = "\r\n" if "\r\n" in text else "\n"
    for section in sections:
        if section.path is not None and section.path == key[:-1]:
            yield _in_section(text, section, f"{dotted_key(key[-1:])} = {toml_of(value)}", eol)
    for section in sections:
        if section.path is None or key[: len(section.path)] != section.path:
            continue
        rest = key[len(section.path) :]
        yield from _in_inline_tables(text, section.items, rest, value)
        if any(len(item.key) > 1 and item.key[0] == rest[0] for item in section.items):
            yield _in_section(text, section, f"{dotted_key(rest)} = {toml_of(value)}", eol)
    if len(key) > 1:
        start = text if not text or text.endswith("\n") else text + eol
        gap = eol if start.strip() else ""
        yield f"{start}{gap}[{dotted_key(key[:-1])}]{eol}{dotted_key(key[-1:])} = {toml_of(value)}{eol}"


def _in_section(text: str, section: Section, line: str, eol: str) -> str:
    if section.items:
        last = section.items[-1].span
        begin = line_start(text, last.start)
        indent = text[begin : last.start] if not text[begin : last.start].strip() else ""
        at = line_end(text, last.end)
    else:
        indent, at = "", section.header.end
    head = text[:at]
    gap = eol if head and not head.endswith("\n") else ""
    return head + gap + indent + line + eol + text[at:]


def _in_inline_tables(text: str, items: tuple[Item, ...], key: tuple[str, ...], value: Any) -> Iterator[str]:
    for item in items:
        rest = key[len(item.key) :]
        if item.kind != "table" or not rest or key[: len(item.key)] != item.key:
            continue
        yield from _in_inline_tables(text, item.items, rest, value)
        pair = f"{dotted_key(rest)} = {toml_of(value)}"
        if item.items:
            at = item.items[-1].span.end
            yield f"{text[:at]}, {pair}{text[at:]}"
        else:
            yield f"{text[: item.value.start]}{{ {pair} }}{text[item.value.end :]}"


def toml_of(value: Any) -> str:
    """A value as TOML has it.

    Raises:
        ValueError: It is of a kind that no setting has.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return basic_string(value)
        case list() | tuple():
            return "[" + ", ".join(map(toml_of, value)) + "]"
        case Mapping():
            return "{ " + ", ".join(f"{dotted_key((name,))} = {toml_of(one)}" for name, one in value.items()) + " }"
        case _:
            raise ValueError(f"{type(value).__name__} is no value of a setting")
