"""What a triple says about a target, as far as `cfg(…)` of a config needs it. Pure."""

from collections.abc import Iterator

_ARCH = {"i586": "x86", "i686": "x86", "armv7": "arm", "thumbv7em": "arm", "riscv64gc": "riscv64", "arm64": "aarch64"}
_OS = {"darwin": "macos"}
_ENV = {"gnu": "gnu", "musl": "musl", "msvc": "msvc", "gnueabihf": "gnu", "musleabihf": "musl", "gnueabi": "gnu"}
_MAX_DEPTH = 32


def facts_of_triple(triple: str) -> dict[str, str]:
    """`target_arch`, `target_os`, `target_env`, `target_family`, as far as the name says them."""
    arch, *rest = triple.split("-")
    facts = {"target_arch": _ARCH.get(arch, arch), "target_env": "", "target_vendor": rest[0] if len(rest) > 1 else ""}
    system = rest[1] if len(rest) > 1 else rest[0] if rest else ""
    facts["target_os"] = _OS.get(system, system)
    if len(rest) > 2:
        facts["target_env"] = _ENV.get(rest[2], rest[2])
    facts["target_family"] = "windows" if system == "windows" else "wasm" if arch.startswith("wasm") else "unix"
    return facts


def cfg_holds(expression: str, triple: str) -> bool:
    """What stands between the brackets of `cfg(…)` is true for a target; what cannot be told is not.

    Source: Rust reference, "Conditional compilation": `all`, `any`, `not`, `key = "value"`, `unix`, `windows`.
    """
    try:
        holds, rest = _predicate(list(_tokens(expression)), facts_of_triple(triple), 0)
    except (IndexError, ValueError):
        return False
    return holds is True and not rest


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        char = text[at]
        if char in "(),=":
            yield char
            at += 1
        elif char == '"':
            end = text.index('"', at + 1)
            yield text[at : end + 1]
            at = end + 1
        elif char.isspace():
            at += 1
        else:
            end = at
            while end < len(text) and (text[end].isalnum() or text[end] == "_"):
                end += 1
            if end == at:
                raise ValueError(char)
            yield text[at:end]
            at = end


def _predicate(tokens: list[str], facts: dict[str, str], depth: int) -> tuple[bool | None, list[str]]:
    """Whether it holds (None: cannot be told), and the tokens behind it."""
    if depth > _MAX_DEPTH:
        raise ValueError("deeper than anybody writes")
    word, *rest = tokens
    if rest and rest[0] == "(":
        return _combined(word, rest[1:], facts, depth)
    if rest and rest[0] == "=":
        value = rest[1].strip('"')
        return (facts[word] == value if word in facts else None), rest[2:]
    return (facts["target_family"] == word if word in ("unix", "windows") else None), rest


def _combined(
    word: str, tokens: list[str], facts: dict[str, str], depth: int
) -> tuple[bool | None, list[str]]:  # fmt: skip
    parts: list[bool | None] = []
    while tokens[0] != ")":
        part, tokens = _predicate(tokens, facts, depth + 1)
        parts.append(part)
        if tokens[0] == ",":
            tokens = tokens[1:]
    rest = tokens[1:]
    match word:
        case "all":
            return (False if False in parts else None if None in parts else True), rest
        case "any":
            return (True if True in parts else None if None in parts else False), rest
        case "not" if len(parts) == 1:
            return (None if parts[0] is None else not parts[0]), rest
        case _:
            raise ValueError(word)
