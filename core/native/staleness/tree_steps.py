"""What ninja, or make with CMake's files, knows of a build tree: which output is made again when which file is newer.

Of make without CMake nothing is known here: its rules are a language of their own.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from core.folder import absolute
from core.native.traces.build_tree import all_files, prerequisites, read
from core.native.traces.cmake_inputs import cmake_inputs, make_inputs
from core.native.traces.depfile import read_depfile
from core.native.traces.ninja_deps import deps_in
from core.native.traces.ninja_file import MAX_BYTES, read_ninja
from core.plan.small_file import read_head

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
Kind = Literal["ninja", "cmake-make", "make"]
_GENERATES = "RERUN_CMAKE"
_RULES = "/build.make"
_KEPT = ("/compiler_depend.make", "/depend.make")
"""What make learned of headers, in one folder of CMake's a target."""
_NONE = "-"
"""Stands for what a rule without inputs is made of."""
_MAKE_VARIABLE = re.compile(r"(?<!\$)\$\((\w+)\)")
_DEPENDENCY = re.compile(rb'"([^"\n]*)" "([^"\n]+)" "(?:gcc|custom)" "([^"\n]+)"')
"""Source, output, and depfile, in `DependInfo.cmake`."""


class Step(NamedTuple):
    """One thing that is made."""

    outputs: tuple[str, ...]
    """Absolute."""
    inputs: frozenset[str]
    """Absolute: when one of them is newer, it is made again."""
    command: str
    """Empty: it is only a name for others, or that is not known."""
    cwd: str
    """Where the command starts."""
    has_told: bool = False
    """A compiler told what it read, and the tool goes by it."""


class Tree(NamedTuple):
    """A build tree."""

    folder: str
    kind: Kind
    steps: tuple[Step, ...] = ()
    cmake_files: tuple[str, ...] = ()
    """What CMake read when it wrote the tree, absolute."""

    @property
    def outputs(self) -> frozenset[str]:
        """All that it knows how to make."""
        return frozenset(output for step in self.steps for output in step.outputs)


def read_tree(folder: str) -> Tree | None:
    """A build tree as it lies there; None: it is none."""
    if os.path.isfile(folder + "/build.ninja"):
        return _ninja(folder)
    if os.path.isfile(folder + "/CMakeFiles/Makefile.cmake"):
        return _cmake_make(folder)
    return Tree(folder, "make") if any(os.path.isfile(f"{folder}/{name}") for name in MAKEFILES) else None


def made_of(steps: Iterable[Step], paths: Collection[str], more: Mapping[str, Collection[str]]) -> frozenset[str]:
    """All that is made, directly or by way of others, of some files.

    Args:
        steps: What is known of a tree.
        paths: The files.
        more: Further inputs by output, which the steps do not have.
    """
    known = [(step.outputs, step.inputs.union(*(more.get(one, ()) for one in step.outputs))) for step in steps]
    there = {output for outputs, _ in known for output in outputs}
    known += [((output,), frozenset(inputs)) for output, inputs in more.items() if output not in there]
    users: dict[str, list[tuple[str, ...]]] = {}
    for outputs, inputs in known:
        for path in inputs:
            users.setdefault(path, []).append(outputs)
    found: set[str] = set()
    ahead = list(paths)
    while ahead:
        for outputs in users.get(ahead.pop(), ()):
            fresh = [output for output in outputs if output not in found]
            found.update(fresh)
            ahead += fresh
    return frozenset(found)


def makers_in(tree: Tree) -> dict[str, Step]:
    """What makes each output."""
    return {output: step for step in tree.steps for output in step.outputs}


def inputs_below(makers: Mapping[str, Step], output: str) -> frozenset[str]:
    """All that makes an output again when it is newer, also by way of others that are made first."""
    found: set[str] = set()
    ahead = [output]
    while ahead:
        step = makers.get(ahead.pop())
        fresh = step.inputs - found if step is not None else ()
        found.update(fresh)
        ahead += fresh
    return frozenset(found)


# Ninja


def _ninja(folder: str) -> Tree:
    content = read_head(folder + "/build.ninja", MAX_BYTES) or b""
    told = {absolute(output, folder): _all(inputs, folder) for output, inputs in deps_in(folder).items()}
    steps = []
    for one in read_ninja(content, lambda name: read_head(absolute(name, folder), MAX_BYTES) or b""):
        if one.rule == _GENERATES:
            continue
        outputs = tuple(absolute(name, folder) for name in one.outputs)
        heard = frozenset[str]().union(*(told.get(output, frozenset()) for output in outputs))
        if not one.has_deps and one.depfile:
            heard |= _of_depfile(absolute(one.depfile, folder), folder)
        steps.append(Step(outputs, _all(one.inputs, folder) | heard, one.command, folder, bool(heard)))
    return Tree(folder, "ninja", tuple(steps), tuple(sorted(_all(cmake_inputs(content), folder))))


def _of_depfile(path: str, base: str) -> frozenset[str]:
    return _all(prerequisites(path), base)


# Make, with files of CMake's


def _cmake_make(folder: str) -> Tree:
    """Names in all of them start from the top of the tree."""
    steps: list[Step] = []
    told: dict[str, frozenset[str]] = {}
    for path in all_files(folder):
        if path.endswith(_RULES) and "/CMakeFiles/" in path:
            steps += _of_rules(read(path), folder, _flags(read(path.removesuffix(_RULES) + "/flags.make")))
        elif path.endswith(_KEPT):
            for rule in read_depfile(read(path)):
                for name in rule.targets:
                    _add(told, absolute(name, folder), _all(rule.inputs, folder))
        elif path.endswith("/DependInfo.cmake"):
            for _, output, depfile in _DEPENDENCY.findall(read(path)):
                said = _of_depfile(absolute(os.fsdecode(depfile), folder), folder)
                _add(told, absolute(os.fsdecode(output), folder), said)
    heard = [step._replace(inputs=step.inputs | told.get(step.outputs[0], frozenset()),
                           has_told=bool(told.get(step.outputs[0]))) for step in steps]  # fmt: skip
    cmake_files = _all(make_inputs(read(folder + "/CMakeFiles/Makefile.cmake")), folder)
    return Tree(folder, "cmake-make", tuple(heard), tuple(sorted(cmake_files)))


def _add(told: dict[str, frozenset[str]], output: str, inputs: frozenset[str]) -> None:
    told[output] = told.get(output, frozenset()) | inputs


def _flags(content: bytes) -> dict[str, str]:
    """`CUDA_FLAGS = -O3` of a target."""
    text = content.decode("utf-8", "surrogateescape")
    return {found[1]: found[2] for found in re.finditer(r"^(\w+) = (.*)$", text, re.MULTILINE)}


def _of_rules(content: bytes, folder: str, flags: Mapping[str, str]) -> Iterator[Step]:
    """`k.o: k.cu` of a `build.make`, perhaps on several lines, and the command behind the last of them."""
    inputs: dict[str, list[str]] = {}
    commands: dict[str, list[str]] = {}
    target = ""
    for line in content.decode("utf-8", "surrogateescape").replace("\\\n", " ").split("\n"):
        if line.startswith("\t"):
            if target and not line.startswith("\t@"):
                commands.setdefault(target, []).append(line.strip())
            continue
        rules = read_depfile(os.fsencode(f"{line} {_NONE}" if line.endswith(":") else line))
        target = rules[0].targets[0] if rules else ""
        if target.startswith((".", "%")) and "/" not in target:
            target = ""
        elif target:
            inputs.setdefault(target, []).extend(one for one in rules[0].inputs if one != _NONE)
    for name, files in inputs.items():
        if "cmake_force" not in files:
            command = _MAKE_VARIABLE.sub(lambda found: flags.get(found[1], ""), " && ".join(commands.get(name, ())))
            command = command.replace("$$", "$")
            yield Step((absolute(name, folder),), _all(files, folder), command, folder)


def _all(names: Iterable[str], base: str) -> frozenset[str]:
    return frozenset(absolute(name, base) for name in names)
