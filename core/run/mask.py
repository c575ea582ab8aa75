"""Keeping credentials out of everything that we write."""

import re
from collections.abc import Iterable
from typing import Any

_NAME = re.compile(
    r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|AUTHORIZATION|SSHPASS|(?:_PWD|(?:\A|_)(?:PAT|AUTH))\Z",
    re.I,
)
_USER_INFO = re.compile(r"(?<=://)[^/\s]+@")
_SET = re.compile(r"(?<![\w.-])([\w.-]++)\\*+[\"']?\s*+=\s*+")
"""`NAME=`, `NAME = `, `"NAME" = `, wherever in a text."""
_VALUE = re.compile(
    r"\"{3}(?s:.*?)(?:\"{3}|\Z)|'{3}(?s:.*?)(?:'{3}|\Z)|\\+[\"'][^\"']*[\"']?|\"(?:[^\"\\]|\\.)*\"?|'[^']*'?"
    r"|\[[^\]]*\]?|\{[^}]*\}?|[^\s\"'`]+"
)
"""What may stand behind that: quoted, in brackets, or up to the next blank."""
_OF_PACKAGE = re.compile(r"(?:\A|\.)package\.")
"""In a name: what stands behind it is the name of a crate."""
_OPTION = re.compile(r"(--?[A-Za-z0-9_-]*(?:key|token|secret|password|passwd|credential)[A-Za-z0-9_-]*)(=.*)?\Z", re.I)
_ASSIGNMENT = re.compile(r"((?:--config=)?[A-Za-z_][A-Za-z0-9_.\"'-]*)=(.+)\Z", re.S)
MASK = "***"
_SHORTEST = 6
"""A credential shorter than this is not searched for inside other words."""


def is_credential(name: str) -> bool:
    """The name of a variable or option says that its value is nobody's business."""
    return _NAME.search(name) is not None


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
    return is_credential(name) or _USER_INFO.search(value) is not None or any(one in value for one in secrets)


def is_flags(name: str) -> bool:
    """A variable that changes what a build makes: without its value the build is another one."""
    return name.endswith("FLAGS")


def _sets_credential(value: str) -> bool:
    """`--cfg token="…"`, `--api-key …` in a longer text."""
    if not is_credential(value):
        return False
    words = tuple(value.split())
    return safe_text(value) != value or safe_words(words, {}) != words


def safe_words(words: tuple[str, ...], env: dict[str, str]) -> tuple[str, ...]:
    """A command line with `***` for credentials: values of options and assignments with such names, user info of
    URLs, and the values of the environment's credentials wherever they stand."""
    secrets = secrets_of(env)
    safe: list[str] = []
    hide_next = False
    for word in words:
        if hide_next:
            safe.append(MASK)
            hide_next = False
            continue
        option, assignment = _OPTION.match(word), _ASSIGNMENT.match(word)
        if option:
            hide_next = option[2] is None
            safe.append(option[1] + ("" if option[2] is None else "=" + MASK))
        elif assignment and is_credential(assignment[1]):
            safe.append(assignment[1] + "=" + MASK)
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
        value = _VALUE.match(text, found.end()) if found.start() >= at and _is_told(found[1]) else None
        if value is not None:
            parts += [text[at : value.start()], MASK]
            at = value.end()
    return "".join((*parts, text[at:]))


def _is_told(name: str) -> bool:
    """It says that what is set is a credential: `MY_TOKEN.value`, and no setting for a crate called `keyring`."""
    return is_credential(name.rpartition(".")[2] if _OF_PACKAGE.search(name) else name)


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
    named = {value for name, value in env.items() if is_credential(name) and len(value) >= _SHORTEST}
    for value in env.values():
        named.update(part[:-1].rpartition(":")[2] for part in _USER_INFO.findall(value) if len(part) > _SHORTEST)
    return sorted((secret for secret in named if len(secret) >= _SHORTEST), key=len, reverse=True)
