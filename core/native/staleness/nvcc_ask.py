"""Asks nvcc which files a call of it reads: the same command line, with `-M` for what it makes. 0.3 to 2 s each."""

import os
import subprocess
from collections.abc import Mapping

from core.native.staleness.closure import Ask
from core.native.traces.depfile import read_depfile
from core.native.traces.nvcc_calls import NvccCall
from core.native.traces.nvcc_words import (
    COMPILES,
    FOLDER,
    KEEP_FOLDER,
    KEEPS,
    TRACES,
    WRITES,
    is_repeatable,
    without,
)

LIMIT_S = 60.0
_WITH_VALUE = (*WRITES, *FOLDER, *KEEP_FOLDER, *TRACES, "-MT", "--dependency-target-name")
_MAKES = (
    *COMPILES, *KEEPS, "-MD", "--generate-dependencies-with-compile", "-MMD", "-MP", "--generate-dependency-targets",
    "-v", "--verbose", "-lib", "--lib",
)  # fmt: skip


def asker(env: Mapping[str, str]) -> Ask:
    """What asks, with somebody's environment: the calls' own are not noted."""
    return lambda call: ask(call, env)


def ask(call: NvccCall, env: Mapping[str, str]) -> tuple[str, ...] | None:
    """What a call reads; None: nvcc does not say, or a word of the call is a credential and was not noted."""
    words = words_for(call)
    if not call.tool or words is None or not os.path.isdir(call.cwd):
        return None
    try:
        done = subprocess.run(
            [call.tool, *words], cwd=call.cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    found = dict.fromkeys(path for rule in read_depfile(done.stdout) for path in rule.inputs)
    return tuple(found) if done.returncode == 0 and found else None


def words_for(call: NvccCall) -> tuple[str, ...] | None:
    """The words of a call that asks for what another one reads; None: it cannot be asked."""
    if not call.sources or not is_repeatable(call.argv):
        return None
    return (*(word for word in without(call.argv, _WITH_VALUE) if word not in _MAKES), "-M")
