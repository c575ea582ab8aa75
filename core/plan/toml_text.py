"""TOML as text to settings with their lines, and what is wrong with it in one sentence. Slow to import: not on the way
to a build whose files are known. Pure."""

import re
import tomllib
from typing import Any

from core.plan.toml_file import leaves_of
from core.plan.toml_lines import MAX_DEPTH, Lines, find_lines
from core.run.mask import MASK, is_credential

Leaf = tuple[list[str], Any, int]
_MOST_EMPTY = 10
"""Each is looked for in the whole text."""
_AT = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")


def parse_text(content: bytes) -> tuple[list[Leaf], list[tuple[int, str]]]:
    """Leaves, and troubles as (line, why): then there is no leaf. Credentials are masked."""
    try:
        text = content.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return [], [(content.count(b"\n", 0, error.start) + 1, "this is not UTF-8 text: save it as UTF-8")]
    lines = find_lines(text)
    if lines.too_deep:
        why = f"it is nested deeper than {MAX_DEPTH} levels: no setting stands so deep"
        return [], [(lines.too_deep, why)]
    try:
        table = _table(text, lines)
    except RecursionError:
        return [], [(0, f"it is nested deeper than {MAX_DEPTH} levels: no setting stands so deep")]
    except ValueError as error:
        return [], [_not_toml(str(error), text)]
    leaves = [(list(key), _masked(key, value), lines.of(key)) for key, value in leaves_of(table)]
    leaves += [(["modes", one], {}, _header_line(text, one) or lines.of(("modes", one))) for one in _empty_modes(table)]
    too_large = next((line for _, value, line in leaves if not _fits(value)), None)
    return (leaves, []) if too_large is None else ([], [(too_large, "this number does not fit into 64 bits")])


def _empty_modes(table: dict[str, Any]) -> list[str]:
    """Modes without a line: the only tables that mean something, namely a mistake, with nothing in them."""
    modes = table.get("modes")
    return [name for name, mode in modes.items() if mode == {}][:_MOST_EMPTY] if isinstance(modes, dict) else []


def _header_line(text: str, mode: str) -> int:
    """Of `[modes.NAME]`; 0: it is written in another way."""
    found = re.search(rf"""^[ \t]*\[[ \t]*modes[ \t]*\.[ \t]*["']?{re.escape(mode)}["']?[ \t]*\]""", text, re.M)
    return text.count("\n", 0, found.start()) + 1 if found else 0


def _fits(value: Any) -> bool:
    """Each number in it does, as TOML wants it: cargo refuses others."""
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    if isinstance(value, dict):
        return all(map(_fits, value.values()))
    return all(map(_fits, value)) if isinstance(value, list) else True


def _table(text: str, lines: Lines) -> dict[str, Any]:
    """`tomllib` reads TOML 1.0, cargo 1.1 since 1.94: what is new is written in the old way."""
    try:
        return tomllib.loads(text)
    except ValueError:
        if lines.plain == text:
            raise
        try:
            return tomllib.loads(lines.plain)
        except ValueError:
            pass
        raise


def _masked(key: tuple[str, ...], value: Any) -> Any:
    """Nobody here needs a credential."""
    is_secret = (key[0] in ("registry", "registries", "http") and is_credential(key[-1])) or (
        key[0] == "env" and len(key) > 1 and is_credential(key[1]) and key[-1] not in ("force", "relative")
    )
    return MASK if is_secret else value


def _not_toml(error: str, text: str) -> tuple[int, str]:
    place = _AT.search(error)
    line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
    said = _AT.sub("", error)
    more = ", and text stands in quotes" if said == "Invalid value" else ""
    return line, f"this is not TOML: {said[:1].lower()}{said[1:]}{more}"
