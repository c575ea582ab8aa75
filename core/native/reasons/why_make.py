"""Why outputs in trees of make were made again in a run, or were not: below build scripts, and in trees of commands."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.native.reasons.make_tree import Moment, Output, left_old, outputs_in, remade, said_outputs
from core.native.reasons.rebuilt import By, Why
from core.native.staleness.stale import Case, tail_of, times
from core.native.traces.make_said import Told, read_make
from core.plan.small_file import read_head

_OVERWRITTEN = "make says so; a later build has overwritten what tells why"
_MAX_LOG = 1 << 24


class Tree(NamedTuple):
    """A folder that make or a build script writes to, and what was said there in the run."""

    outputs: tuple[Output, ...]
    package: str = ""
    is_nothing_said: bool = False
    """Make said that all is as it should be."""


def tree_of(folder: str, logs: Sequence[str], cwd: str) -> Tree:
    """A tree of a command that is not cargo; `logs`: of its run. Empty folder: none is known."""
    told = _told(logs, cwd)
    return Tree(outputs_in(folder, told.made) if folder else said_outputs(told.made, cwd), "", told.is_nothing)


def tree_of_script(case: Case) -> Tree:
    """What a build script left in its OUT_DIR."""
    script = case.script
    told = _told((script.output, script.stderr), script.out_dir)
    found = {one.path: one for one in outputs_in(script.out_dir, told.made)}
    for made in case.made:
        known = found.get(made.output)
        if known is not None and not known.inputs:
            found[made.output] = known._replace(inputs=made.inputs)
    return Tree(tuple(found.values()), script.package, told.is_nothing)


def _told(logs: Sequence[str], cwd: str) -> Told:
    found = [read_make(read_head(log, _MAX_LOG) or b"", cwd) for log in logs]
    made = tuple(made for one in found for made in one.made)
    return Told(made, not made and any(one.is_nothing for one in found))


def make_whys(trees: Sequence[Tree], moment: Moment, known: frozenset[str]) -> Iterator[Why]:
    """What was made again; `known`: outputs of which somebody else tells."""
    for tree in trees:
        for path, reason in remade(tree.outputs, moment).items():
            if path not in known and os.path.realpath(path) not in known:
                by: By = "make" if reason is None else "times" if reason else ""
                yield Why(path, "output", True, _OVERWRITTEN if reason is None else reason, by, tree.package)


def left_whys(trees: Sequence[Tree], ended_ns: int) -> Iterator[Why]:
    """What a command left older than what it is made of."""
    for tree in trees:
        for path, newer in left_old(tree.outputs, ended_ns):
            if not tree.package:
                yield Why(
                    path, "output", False, f"{tail_of(newer)} has changed, and this run did not make it again", "times"
                )


def is_told(trees: Sequence[Tree], ended_ns: int) -> bool:
    """That nothing was made in trees is known: make said so, or all that was or is there is older than the end of the
    run."""
    outputs = [one.path for tree in trees for one in tree.outputs]
    return any(tree.is_nothing_said for tree in trees) or (
        bool(outputs) and all(0 < times(path)[0] <= ended_ns for path in outputs)
    )
