"""What the outputs of a build tree are really made from: as compilers told the tool, nvcc's front noted, nvcc says when
it is asked, or by the text of the sources. What the tool itself goes by is `core.native.staleness.tree_steps`."""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.folder import absolute
from core.native.staleness.closure import LIBRARY_ENDS, OBJECT_ENDS, SOURCE_ENDS, Ask, KnownBy, Made, Owned
from core.native.staleness.tree_steps import Step, Tree
from core.native.traces import includes
from core.native.traces.build_tree import prerequisites
from core.native.traces.nvcc_calls import NvccCall, latest_by_output
from core.native.traces.nvcc_closure import depfile_of, include_folders
from core.native.traces.nvcc_words import OUTPUT, values

_COMPILERS = ("nvcc", "gcc", "g++", "cc", "c++", "clang", "clang++", "hipcc")
_LAUNCHED = 2
"""So many words behind a word that is called like a compiler may be the real one: behind a launcher."""
_JOINED = ("&&", "||", ";", "|", "(", ")", "{", "}")


def made_in(tree: Tree, calls: Iterable[NvccCall], owned: Owned, ask: Ask | None = None) -> tuple[Made, ...]:
    """Each output that is there and that a compiler made, with its inputs, by output.

    Args:
        tree: As its tool knows it.
        calls: Of nvcc, as they were noted.
        owned: Tells what somebody edits.
        ask: Asks nvcc, where nobody told.
    """
    latest = latest_by_output(calls)
    found: dict[str, Made] = {}
    for step in tree.steps:
        for made in _of_step(step, latest, ask):
            found.setdefault(made.output, made)
    if tree.kind == "make":
        for output, call in latest.items():
            if call.sources and output.startswith(tree.folder + "/"):
                found[output] = _of_call(output, call, ask)
    outputs = tree.outputs | found.keys()
    kept = (
        made._replace(inputs=tuple(one for one in made.inputs if one not in outputs and owned.is_own(one)))
        for made in found.values()
        if os.path.exists(made.output)
    )
    return tuple(sorted(made for made in kept if made.inputs))


def links_of(calls: Iterable[NvccCall]) -> tuple[Step, ...]:
    """What nvcc linked or archived, of what."""
    return tuple(
        Step((output,), frozenset(absolute(word, call.cwd) for word in call.argv if word.endswith(
            (*OBJECT_ENDS, *LIBRARY_ENDS))) - {output}, "", call.cwd)
        for output, call in latest_by_output(calls).items()
        if call.kind in ("library", "link", "program")
    )  # fmt: skip


def _of_step(step: Step, latest: Mapping[str, NvccCall], ask: Ask | None) -> Iterator[Made]:
    """What a compiler made. Where it told the tool, no other word is needed, and any program may be one."""
    calls = calls_in(step)
    source = next((path for path in sorted(step.inputs) if path.endswith(SOURCE_ENDS)), "")
    if not calls and step.has_told and source:
        yield Made(step.outputs[0], source, tuple(sorted(step.inputs)), "depfile")
    for call in calls:
        output = call.output or step.outputs[0]
        if step.has_told:
            known_by: KnownBy = "depfile"
            yield Made(output, call.sources[0], tuple(sorted(step.inputs | set(call.sources))), known_by)
        else:
            noted = latest.get(output)
            yield _of_call(output, noted if noted is not None and noted.inputs else call, ask)


def _of_call(output: str, call: NvccCall, ask: Ask | None) -> Made:
    """As the front noted it, its depfile has it, nvcc says it, or its text does."""
    inputs: Sequence[str] = call.inputs
    known_by: KnownBy = "nvcc"
    note = ""
    if not inputs and (name := depfile_of(call)):
        note = absolute(name, call.cwd)
        inputs, known_by = prerequisites(note), "depfile"
    if not inputs and ask is not None and call.tool:
        inputs, known_by, note = ask(call) or (), "nvcc", ""
    if not inputs:
        folders = include_folders(call.argv, call.cwd)
        inputs = [path for source in call.sources for path in includes.closure(source, folders)]
        known_by, note = "text", ""
    files = dict.fromkeys((*call.sources, *(absolute(one, call.cwd) for one in inputs)))
    return Made(output, call.sources[0], tuple(files), known_by, note)


def calls_in(step: Step) -> tuple[NvccCall, ...]:
    """The calls of compilers in a command, as if they had been noted; none where it is no plain one."""
    cwd, found = step.cwd, []
    for words in _commands(step.command):
        if words[0] == "cd" and len(words) == 2:
            cwd = absolute(words[1], cwd)
            continue
        at = next((at for at, word in enumerate(words) if _is_compiler(word)), None)
        if at is None:
            continue
        behind = range(at, min(len(words), at + 1 + _LAUNCHED))
        at = max(one for one in behind if _is_compiler(words[one]))
        call = _call(words[at], words[at + 1 :], cwd, step)
        if call.sources:
            found.append(call)
    return tuple(found)


def _call(tool: str, argv: Sequence[str], cwd: str, step: Step) -> NvccCall:
    sources = tuple(absolute(word, cwd) for at, word in enumerate(argv) if _is_source(argv, at))
    named = next(values(argv, OUTPUT), "")
    output = absolute(named, cwd) if named else ""
    output = output if output in step.outputs else step.outputs[0]
    is_nvcc = os.path.basename(tool) == "nvcc"
    return NvccCall("", "", 0.0, cwd, tuple(argv), tool if is_nvcc else "", sources, output, "object", "", "", "", 0)


def _is_source(argv: Sequence[str], at: int) -> bool:
    word = argv[at]
    return word.endswith(SOURCE_ENDS) and word[:1] != "-" and not (at and argv[at - 1] in ("-o", "-MF", "-MT", "-MQ"))


def _is_compiler(word: str) -> bool:
    name = word.rpartition("/")[2]
    return name in _COMPILERS or name.rpartition("-")[0] in _COMPILERS  # g++-12


def _commands(text: str) -> Iterator[list[str]]:
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&{}")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return
    command: list[str] = []
    for word in (*words, ";"):
        if word in _JOINED:
            if command:
                yield command
            command = []
        else:
            command.append(word)
