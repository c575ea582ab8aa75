"""Which lines of a log begin an error, by the words of the tools that write them."""

import re

from core.search import Pattern

_FORMS = (
    r"^error(?:\[[A-Z]*\d+\])?: ",  # rustc 1.95, cargo
    r"^\s*error: ",  # cmake --build, build scripts
    r": (?:fatal |catastrophic )?error(?: [A-Z]*\d+)?: ",  # gcc 12, clang, nvcc 12, MSVC
    r"^\s*(?:ptxas|nvlink|nvcc) (?:fatal|error|\S.*; error)\s*:",
    r"undefined reference to ",  # ld
    r"^FAILED: ",  # ninja 1.11
    r"^(?:g?make)(?:\[\d+\])?: \*\*\* ",
    r"^CMake Error",
    r"^test .* \.\.\. FAILED$",  # libtest
    r"^\s+(?:TRY \d+ )?FAIL \[",  # nextest
    r"^thread '.*' (?:\(\d+\) )?panicked at ",
)
_WORDS = ("error", "fatal", "undefined reference", "FAILED", "*** ", "CMake Error", "FAIL [", "panicked at ")
ERRORS = Pattern(
    text="errors",
    line=re.compile("|".join(_FORMS)),
    ascii=re.compile("|".join(_FORMS).encode()),
    is_lowered=False,
    words=tuple(word.encode() for word in _WORDS),
    is_words=False,
)
"""Any of them."""
