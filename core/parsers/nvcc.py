"""Diagnostics of nvcc's front end. Source: nvcc 13.0, `src/gemm.cu(12): error: …`, `… warning #177-D: …`."""

import re
from typing import cast

from core import events as e
from core.parsers.messages import clean_rendered
from core.parsers.text import plain

_LINE = re.compile(
    rb"([^\s(][^(]*)\(([0-9]{1,9})\): (?:catastrophic |fatal |internal )?(error|warning)"
    rb"(?: #([0-9]{1,6}-?[A-Z]?))?: (.+)"
)


def parse_nvcc(line: bytes, at: float) -> e.DiagnosticEmitted | None:
    """One line without SGR."""
    found = _LINE.match(line)
    if found is None:
        return None
    code = found[4].decode() if found[4] else None
    level = cast(e.Level, found[3].decode())
    place = plain(found[1], 500)
    return e.DiagnosticEmitted(at, level, plain(found[5], 500), code, place, int(found[2]), None, clean_rendered(line))
