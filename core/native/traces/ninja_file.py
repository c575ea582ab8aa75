"""`build.ninja`: what ninja makes of what, and how. Source: ninja 1.12, `doc/manual.asciidoc`; CMake 3.25. Pure.

rule nvcc
  command = nvcc -c $in -o $out -MD -MF $out.d
  depfile = $out.d
build k.o: nvcc k.cu | inc/h.cuh || folders
  FLAGS = -O2
"""

import re
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import NamedTuple

MAX_BYTES = 1 << 26
_MAX_FILES = 50
_MAX_DEPTH = 8
_MAX_TEXT = 1 << 16
_MAX_KEPT = 1 << 26
"""Of what variables stand for: each may hold others twice."""
_VARIABLE = re.compile(r"\$(?:([$ :])|\{([\w.-]+)\}|([\w-]+))")
_WORD = re.compile(r"(?:\$[$ :]|\$\{[\w.-]+\}|[^\s$:|]|\$[\w-]+|\|@|:(?=\S))+|\|\||\||:")
_BINDING = re.compile(r"^\s*([\w.-]+)\s*=\s*(.*)$")

Reader = Callable[[str], bytes]
"""Gives a file that another one includes, by its name there; empty: it cannot be read."""


class NinjaStep(NamedTuple):
    """A build statement."""

    rule: str
    outputs: tuple[str, ...]
    """As ninja calls them: relative to the build tree, or absolute."""
    inputs: tuple[str, ...]
    """What makes it run again when it is newer: without those behind `||`."""
    command: str
    """Empty: `phony`, or it cannot be told."""
    depfile: str
    """Empty: none."""
    has_deps: bool
    """Ninja keeps what the depfile says."""


def read_ninja(content: bytes, read: Reader = lambda name: b"") -> tuple[NinjaStep, ...]:
    """The build statements, in order; lines that are none are passed over.

    Args:
        content: Of `build.ninja`.
        read: Gives what it includes.
    """
    return _Reading(read).of(content)


class _Reading:
    """What was read so far."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._rules: dict[str, dict[str, str]] = {}
        self._variables: dict[str, str] = {}
        self._files = self._kept = 0

    def of(self, content: bytes) -> tuple[NinjaStep, ...]:
        steps: list[NinjaStep] = []
        lines = content[:MAX_BYTES].decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        for head, bindings in _blocks(re.sub(r"\$\n[ \t]*", "", lines)):
            word, _, rest = head.partition(" ")
            if word == "rule":
                self._rules[rest.strip()] = bindings
            elif word == "build":
                if (step := self._step(rest, bindings)) is not None:
                    steps.append(step)
            elif word in ("include", "subninja") and self._files < _MAX_FILES:
                self._files += 1
                steps += self.of(self._read(_expanded(rest.strip(), self._variables)))
            elif (found := _BINDING.match(head)) and self._kept < _MAX_KEPT:
                self._variables[found[1]] = _expanded(found[2], self._variables)
                self._kept += len(self._variables[found[1]])
        return tuple(steps)

    def _step(self, text: str, bindings: Mapping[str, str]) -> NinjaStep | None:
        words = _WORD.findall(text)
        if ":" not in words or len(words) < words.index(":") + 2:
            return None
        colon = words.index(":")
        rule = words[colon + 1]
        own = {name: _expanded(value, self._variables) for name, value in bindings.items()}
        scope = ChainMap(own, self._variables)
        outputs = tuple(_expanded(word, scope) for word in words[:colon] if word not in ("|", "||"))
        behind = words[colon + 2 :]
        ends = [behind.index(mark) for mark in ("||", "|@") if mark in behind]
        named = behind[: min(ends, default=len(behind))]
        explicit = named[: named.index("|")] if "|" in named else named
        inputs = tuple(_expanded(word, scope) for word in named if word != "|")
        said = self._rules.get(rule, {})
        places = {"in": " ".join(_expanded(one, scope) for one in explicit), "out": " ".join(outputs)}
        lazy = ChainMap(places, own, said, self._variables)
        told = {key: _expanded(lazy.get(key, ""), lazy) for key in ("command", "depfile", "deps")}
        return NinjaStep(rule, outputs, inputs, told["command"], told["depfile"], bool(told["deps"]))


def _blocks(text: str) -> "list[tuple[str, dict[str, str]]]":
    """Each statement with the bindings that are indented below it."""
    blocks: list[tuple[str, dict[str, str]]] = []
    for line in text.split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t":
            if blocks and (found := _BINDING.match(line)):
                blocks[-1][1][found[1]] = found[2]
        else:
            blocks.append((line.rstrip(), {}))
    return blocks


def _expanded(text: str, scope: Mapping[str, str], depth: int = 0) -> str:
    """With what variables stand for; those that nobody set are empty. Values that are expanded already have no `$`."""
    if depth >= _MAX_DEPTH or "$" not in text or len(text) > _MAX_TEXT:
        return text

    def value(found: "re.Match[str]") -> str:
        return found[1] or _expanded(scope.get(found[2] or found[3], ""), scope, depth + 1)

    return _VARIABLE.sub(value, text)[:_MAX_TEXT]
