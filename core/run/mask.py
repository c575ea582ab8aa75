"""Keeping credentials out of everything that we write."""

import re
from collections.abc import Iterable
from typing import Any

_STRONG = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|AUTHORIZATION|SSHPASS|(?:_PWD|(?:\A|_)(?:PAT|AUTH))\Z"
)
_WEAK = re.compile(r"(?:TOKEN|(?:\A(?:-[A-Z])?|[\W_\d]|API|AUTH|ACCESS|PRIVATE|PRIV|SSH|GPG|SIGNING)KEY)S?(?![A-Z])")
"""In a name inside a longer text: a word of its own, for `monkey` and `tokenizer` are none. Names in capitals, here as
above: patterns that look at case are compiled in half the time, before every build."""
_USER_INFO = re.compile(r"(?<=://)[^/\s]+@")
_SET = re.compile(
    r"(?<![\w.-])(?<![^\s\"'\\]/)(?<!path-prefix=)(?<!prefix-map=)([\w.-]++)(\\*+[\"']?)\s*+(=|:(?![:/]))\s*+"
)
"""`NAME=`, `NAME = `, `"NAME" = `, `NAME: `, wherever in a text; not the end of a path, as in `--remap-path-prefix`."""
_VALUE = (
    r"(?i:bearer|basic|digest|token)[ \t]++[^\s\"'`]+|\"{3}(?s:.*?)(?:\"{3}|\Z)|'{3}(?s:.*?)(?:'{3}|\Z)"
    r"|\\+[\"'][^\"']*[\"']?|\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|\[[^\]]*\]?|\{[^}]*\}?|[^\s\"'`]+"
)
"""What may stand behind that: with its kind, as in `Authorization`, quoted, in brackets, or up to the next blank.
Compiled where it is needed: that takes 0.3 ms."""
_OPTION = re.compile(r"(--?[A-Za-z0-9_-]+)([=:].*)?\Z", re.S)
_ASSIGNMENT = re.compile(r"((?:--config=)?[A-Za-z_][A-Za-z0-9_.\"'-]*)=(.+)\Z", re.S)
_FLAGS = re.compile(r"(?:\A|_)(?:[A-Z]*FLAGS|ARGS)(?:_|\Z)|\A(?:HOST_|TARGET_)?(?:CC|CXX)(?:_|\Z)")
MASK = "***"
_LONGEST_NUMBER = 5
"""Digits of what is a number, and no code that somebody got."""
_SHORTEST = 6
"""A credential shorter than this is not searched for inside other words."""


def is_credential(name: str) -> bool:
    """The name of a variable or option says that its value is nobody's business."""
    upper = name.upper()
    return "KEY" in upper or "TOKEN" in upper or _STRONG.search(upper) is not None


def _holds_credential(name: str, value: str) -> bool:
    """A variable does by its name; `ORIGINAL_PWD` holds a folder."""
    return is_credential(name) and not (value[:1] == "/" and name.upper().endswith("_PWD"))


def safe_environment(env: dict[str, str]) -> dict[str, str | None]:
    """The environment with credentials as None (*set*): by name, by user info in a URL, by what stands in another one,
    and values in which something is set that is named like one, as in `RUSTFLAGS`."""
    secrets = secrets_of(env)
    return {
        name: None if is_hidden(name, value, secrets) or _sets_credential(value) else value
        for name, value in env.items()
    }


def is_hidden(name: str, value: str, secrets: Iterable[str]) -> bool:
    """All of a variable is a credential, or holds one of `secrets`, as `secrets_of` gives them."""
    return (
        _holds_credential(name, value) or _USER_INFO.search(value) is not None or any(one in value for one in secrets)
    )


def is_flags(name: str) -> bool:
    """A variable that changes what a build makes: without its value the build is another one. `MAKEFLAGS` is none: it
    speaks of the make that started the build."""
    return _FLAGS.search(name) is not None and name != "MAKEFLAGS" and not is_credential(name)


def _sets_credential(value: str) -> bool:
    """`--cfg token="…"`, `--api-key …`, `Authorization: …` in a longer text."""
    if not is_credential(value):
        return False
    words = tuple(value.split())
    return safe_text(value) != value or safe_words(words, {}) != words


def safe_words(words: tuple[str, ...], env: dict[str, str]) -> tuple[str, ...]:
    """A command line with `***` for credentials: values of options and assignments with such names, user info of
    URLs, and the values of the environment's credentials wherever they stand."""
    secrets = secrets_of(env)
    safe: list[str] = []
    open_option = ""
    for word in words:
        if open_option:
            safe.append(MASK if _is_secret(open_option, word) else safe_text(word, secrets))
            open_option = ""
            continue
        option = _OPTION.match(word)
        if option and option[2] is None and _is_told(option[1]):
            open_option = option[1]
        assignment = option or _ASSIGNMENT.match(word)
        if assignment and assignment[2] and _is_secret(assignment[1], assignment[2].lstrip("=:")):
            safe.append(word[: assignment.end(1) + 1] + MASK)
        else:
            safe.append(safe_text(word, secrets))
    return tuple(safe)


def safe_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A text with `***` for credentials: user info of URLs, values behind `NAME=` where that is a credential's name,
    and `secrets`, as `secrets_of` gives them, the beginning of one before a `…` too."""
    return _without_set(_safe_text(text, secrets))


def _without_set(text: str) -> str:
    parts, at = [], 0
    for found in _SET.finditer(text):
        if found.start() < at or not _is_told(found[1]) or (found[3] == ":" and not _is_field(found[1], found[2])):
            continue
        value = re.compile(_VALUE).match(text, found.end())
        if value is not None and _is_secret(found[1], value[0]):
            parts += [text[at : value.start()], MASK]
            at = value.end()
    return "".join((*parts, text[at:]))


def _is_told(name: str) -> bool:
    """It says that what is set is a credential: `MY_TOKEN.value`, and no setting for a crate called `keyring`."""
    if name.startswith(("-l", "-W")):
        return False  # a library, a warning
    upper = (name.rpartition(".")[2] if ".package." in f".{name}" else name).upper()
    return (_WEAK.search(upper) or _STRONG.search(upper)) is not None


def _is_field(name: str, quote: str) -> bool:
    """What stands before a colon is a name, as of a header or in JSON, and no word of a sentence: `the key: …`."""
    return bool(quote) or "-" in name or "_" in name or _STRONG.search(name.upper()) is not None


def _is_secret(name: str, value: str) -> bool:
    """A value that is set to a name is a credential, and not hidden yet."""
    if not _is_told(name) or value.startswith(MASK):
        return False
    return _holds_credential(name, value) if _STRONG.search(name.upper()) else not _is_plain(value)


def _is_plain(value: str) -> bool:
    """What a key or a token is not: `MAX_KEY_LEN=32`."""
    bare = value.strip("\\\"';,").lower()
    return bare in ("", "true", "false") or (len(bare) <= _LONGEST_NUMBER and bare.isdecimal())


def safe_record(record: Any, env: dict[str, str]) -> Any:
    """A value of JSON with `***` for credentials: by the names of keys, and as `safe_text`."""
    return _safe_value(record, secrets_of(env))


def _safe_value(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        return safe_text(value, secrets)
    if isinstance(value, dict):
        return {k: MASK if is_credential(k) and v else _safe_value(v, secrets) for k, v in value.items()}
    return [_safe_value(one, secrets) for one in value] if isinstance(value, list | tuple) else value


def _safe_text(text: str, secrets: Iterable[str]) -> str:
    text = _USER_INFO.sub(MASK + "@", text)
    for secret in secrets:
        text = text.replace(secret, MASK)
        if "…" in text:
            for size in range(len(secret) - 1, _SHORTEST - 1, -1):
                text = text.replace(secret[:size] + "…", MASK + "…")
    return text


def secrets_of(env: dict[str, str]) -> list[str]:
    """Values that must not be written, longest first."""
    named = {value for name, value in env.items() if len(value) >= _SHORTEST and _holds_credential(name, value)}
    for value in env.values():
        named.update(part[:-1].rpartition(":")[2] for part in _USER_INFO.findall(value) if len(part) > _SHORTEST)
    return sorted((secret for secret in named if len(secret) >= _SHORTEST), key=len, reverse=True)
