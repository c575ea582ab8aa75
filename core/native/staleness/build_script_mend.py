"""A build script's text with other `cargo:rerun-if-changed` lines, and what that is as a diff. Pure.

Only lines that are printed literally are touched: `println!("cargo:rerun-if-changed=kernels/k.cu");`.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from core.plan.diff_text import ended, lines_of, range_of

MAX_CHARACTERS = 1 << 20
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*)|(?P<raw>\bb?c?r(?P<hashes>\#*)")|(?P<text>\bb"|\bc"|")|(?P<char>'(?:\\[^\n]|[^\\'\n])')""",
    re.VERBOSE,
)
_TEXT_END = re.compile(r'(?:\\.|[^"\\])*"', re.DOTALL)
_COMMENT_PART = re.compile(r"/\*|\*/")
_MAIN = re.compile(r"\bfn\s+main\s*\(\s*\)[^{;]*\{")
_PRINT = re.compile(r"\bprintln!\s*[(\[{]\s*(?P<text>\")")
_DIRECTIVE = re.compile(r"cargo:(:?)rerun-if-changed=(.*)\Z", re.DOTALL)
_STATEMENT_END = re.compile(r"\s*,?\s*[)\]}]\s*;")


class Printed(NamedTuple):
    """A statement that prints one literal `rerun-if-changed`."""

    path: str
    start: int
    end: int
    """Behind its semicolon."""
    line: int
    """From 1."""
    is_plain: bool
    """It stands in `main` itself, not in a loop, a condition or another function."""
    has_two_colons: bool
    """`cargo::rerun-if-changed`."""


def printed(text: str) -> tuple[Printed, ...]:
    """Literal directives in a script, in order."""
    blank = _without_texts(text)
    body = _main_body(blank, text)
    found = []
    for one in _PRINT.finditer(blank):
        start = one.start("text")
        end = _TEXT_END.match(text, start + 1)
        said = _DIRECTIVE.match(text[start + 1 : end.end() - 1]) if end else None
        if end is None or said is None or (tail := _STATEMENT_END.match(blank, end.end())) is None:
            continue
        path = _unescaped(said[2])
        if path is not None:
            is_plain = (
                body is not None and body[0] <= one.start() < body[1] and _depth(blank, body[0], one.start()) == 0
            )
            line = text.count("\n", 0, one.start()) + 1
            found.append(Printed(path, one.start(), tail.end(), line, is_plain, bool(said[1])))
    return tuple(found)


def changed(text: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> str | None:
    """The text that declares these paths too, and those no more; None: it cannot be done surely.

    Args:
        text: Of a build script.
        add: Paths as cargo is to be told them; behind the last literal directive of `main`, else at its start; none
            that `main` declares already.
        remove: Paths of literal directives, which go with their lines; the first of them gives way to `add`.
    """
    if len(text) >= MAX_CHARACTERS or any(not _is_sayable(path) for path in add):
        return None
    there = printed(text)
    gone = [one for one in there if one.path in remove]
    if {one.path for one in gone} != set(remove):
        return None
    said = {one.path for one in there if one.is_plain} - set(remove)
    add = [path for path in dict.fromkeys(add) if path not in said]
    whole, at = text, len(text)
    if add:
        plain = [one for one in there if one.is_plain]
        body = _main_body(_without_texts(text), text)
        if not plain and body is None:
            return None
        colons = "::" if there and all(one.has_two_colons for one in there) else ":"
        lines = [f'println!("cargo{colons}rerun-if-changed={_escaped(path)}");' for path in add]
        at = plain[-1].end if plain else body[0] if body is not None else 0
        text = _behind(text, at, _indent(text, plain[-1].start), lines) if plain else _at_start(text, at, lines)
    grown = len(text) - len(whole)
    for one in reversed(gone):
        shift = grown if one.start >= at else 0
        text = _without(text, one._replace(start=one.start + shift, end=one.end + shift))
    return text


def unified(before: str, after: str, name: str) -> str:
    """A diff without lines that stay, for `patch -p1` and `git apply --unidiff-zero`; empty: nothing differs."""
    old, new = lines_of(before), lines_of(after)
    parts = []
    for what, a1, a2, b1, b2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what != "equal":
            parts.append(f"@@ -{range_of(a1, a2)} +{range_of(b1, b2)} @@\n")
            parts += ["-" + line for line in map(ended, old[a1:a2])]
            parts += ["+" + line for line in map(ended, new[b1:b2])]
    return "".join((f"--- a/{name}\n", f"+++ b/{name}\n", *parts)) if parts else ""


def _without_texts(text: str) -> str:
    """The same length, with blanks for what is in strings, characters and comments; quotes stay."""
    parts: list[str] = []
    at = 0
    while (token := _TOKEN.search(text, at)) is not None:
        parts.append(text[at : token.start()])
        end = _token_end(text, token)
        inner = text[token.start() : end]
        kept = "\n" if token["comment"] else '"\n'
        parts.append("".join(char if char in kept else " " for char in inner))
        at = end
    return "".join(parts) + text[at:]


def _token_end(text: str, token: "re.Match[str]") -> int:
    if token["raw"] is not None:
        end = text.find('"' + token["hashes"], token.end())
        return end + 1 + len(token["hashes"]) if end >= 0 else len(text)
    if token["text"] is not None:
        found = _TEXT_END.match(text, token.end())
        return found.end() if found else len(text)
    if token["comment"] == "/*":
        return _comment_end(text, token.end())
    return token.end()


def _comment_end(text: str, at: int) -> int:
    """They are nested in Rust."""
    depth = 1
    for part in _COMMENT_PART.finditer(text, at):
        depth += 1 if part[0] == "/*" else -1
        if not depth:
            return part.end()
    return len(text)


def _main_body(blank: str, text: str) -> tuple[int, int] | None:
    """Where the body of `main` begins and ends, inside of its braces. Of several, for features or systems, the only one
    that declares something; None: there is none, or it is not to be told which."""
    bodies = [body for found in _MAIN.finditer(blank) if (body := _body(blank, found.end())) is not None]
    if len(bodies) > 1:
        bodies = [(start, end) for start, end in bodies if "rerun-if-changed" in text[start:end]]
    return bodies[0] if len(bodies) == 1 else None


def _body(blank: str, start: int) -> tuple[int, int] | None:
    depth = 1
    for at in range(start, len(blank)):
        depth += {"{": 1, "}": -1}.get(blank[at], 0)
        if not depth:
            return start, at
    return None


def _depth(blank: str, start: int, end: int) -> int:
    part = blank[start:end]
    return sum(part.count(char) for char in "{([") - sum(part.count(char) for char in "})]")


def _behind(text: str, at: int, indent: str, lines: Sequence[str]) -> str:
    """After a statement: on lines of their own behind the end of its line, where nothing but a comment follows."""
    end = text.find("\n", at)
    rest = text[at : end if end >= 0 else len(text)]
    if end >= 0 and (not rest.strip() or rest.lstrip().startswith("//")):
        return text[: end + 1] + "".join(f"{indent}{line}\n" for line in lines) + text[end + 1 :]
    return text[:at] + "".join(f"\n{indent}{line}" for line in lines) + text[at:]


def _at_start(text: str, at: int, lines: Sequence[str]) -> str:
    """As the first statements of a body that begins there."""
    indent = _indent(text, at) + "    "
    end = text.find("\n", at)
    if end >= 0 and not text[at:end].strip():
        return text[: end + 1] + "".join(f"{indent}{line}\n" for line in lines) + text[end + 1 :]
    rest = text[at:].lstrip(" \t")
    is_closed = rest.startswith("}")
    return text[:at] + "".join(f"\n{indent}{line}" for line in lines) + "\n" + ("" if is_closed else indent) + rest


def _without(text: str, one: Printed) -> str:
    start = text.rfind("\n", 0, one.start) + 1
    end = text.find("\n", one.end)
    end = end + 1 if end >= 0 else len(text)
    if not text[start : one.start].strip() and not text[one.end : end].strip():
        return text[:start] + text[end:]
    return text[: one.start].rstrip(" ") + text[one.end :]


def _indent(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    line = text[start:at]
    return line[: len(line) - len(line.lstrip())]


def _is_sayable(path: str) -> bool:
    return bool(path) and path.isprintable() and path == path.strip()


def _escaped(path: str) -> str:
    """As it stands in a format string."""
    return path.replace("\\", "\\\\").replace('"', '\\"').replace("{", "{{").replace("}", "}}")


def _unescaped(text: str) -> str | None:
    """What a format string prints; None: it has parts that are filled in."""
    left = text.replace("{{", "").replace("}}", "")
    if "{" in left or "}" in left or re.search(r"\\[^\\\"]", text.replace("\\\\", "")):
        return None
    return text.replace("{{", "{").replace("}}", "}").replace('\\"', '"').replace("\\\\", "\\")
