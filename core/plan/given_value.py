"""A value of cargo's `--config KEY=VALUE`. Pure."""

import re
from typing import Any

from core.plan.foreign import short
from core.plan.given import Key

_SIMPLE = re.compile(
    r"\s*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){0,9})\s*="
    r"""\s*(?:(true|false)|([1-9][0-9]{0,16}|0)|"([^"\\\n\r]*)"|'([^'\n\r]*)')\s*\Z"""
)
_NEITHER = 'is neither the path of a file nor KEY=VALUE as TOML has it, such as build.jobs=2 or term.color="never"'


def parse_given(text: str) -> tuple[tuple[Key, Any] | None, str]:
    """The key and its value; None, and why: cargo refuses it.

    Source: cargo 1.95, `toml_dotted_keys`: one dotted key, and no table as value. What is simple needs no `tomllib`.
    """
    if found := _SIMPLE.match(text):
        _, truth, number, basic, literal = found.groups()
        key = tuple(found[1].split("."))
        value = truth == "true" if truth else int(number) if number else basic if basic is not None else literal
        return _checked(key, value)
    from core.plan.toml_text import parse_text

    leaves, _ = parse_text(text.encode(errors="replace"))
    if len(leaves) != 1 or text.lstrip().startswith("["):
        return None, f"{short(text) or 'an empty text'} {_NEITHER}"
    key = tuple(leaves[0][0])
    if re.search(r"=\s*\{", text.split('"')[0]):
        return None, f"it sets a table: write --config {'.'.join(key)}=… for each of its values"
    return _checked(key, leaves[0][1])


def _checked(key: Key, value: Any) -> tuple[tuple[Key, Any] | None, str]:
    if key[0] in ("registry", "registries") and key[-1] in ("token", "secret-key"):
        return None, "cargo takes no credential here: use `cargo login`, or CARGO_REGISTRY_TOKEN"
    return (key, value), ""
