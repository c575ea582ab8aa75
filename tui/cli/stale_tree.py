"""`cargo deck stale` in build trees of CMake, ninja and make: what goes on with old code, and the lines to add."""

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from core.errors import UsageError
from core.native.proofs.prove_setup import plain_env
from core.native.staleness.input_state import read_stamp
from core.native.staleness.nvcc_ask import asker
from core.native.staleness.tree_launchers import launchers_found
from core.native.staleness.tree_place import Reading, TreePlace, made_by, read_made, remember_tree
from core.native.staleness.tree_stale import TreeFound, TreeMend, found_in
from core.native.traces.cmake_text import with_all
from core.paths import Paths
from core.plan.findings import SEVERITIES
from tui import format as f
from tui.cli import common
from tui.cli import plan_words as words
from tui.cli.events import plain
from tui.cli.stale import NOTHING, can_change, change, finding_lines


def run(given: Namespace, paths: Paths, place: TreePlace, ask: Callable[[str], bool] | None) -> bool:
    """Show what is wrong, and change what is to be changed; True: something is.

    Raises:
        UsageError: What is asked for is for packages of cargo alone.
    """
    if given.prove or given.package or given.target_dir:
        raise UsageError("--prove, -p and --target-dir are for packages of cargo: in a build tree `cargo deck prove` "
                         "edits each input and tells what is made again")  # fmt: skip
    reading = read_made(paths, place, asker(plain_env(place.env)) if given.ask else None)
    found = found_in(
        place, reading.made, lambda tree: remember_tree(paths.state, tree, reading.made),
        lambda path: read_stamp(path).digest,
    )  # fmt: skip
    found += launchers_found(paths, place.trees, place.env)
    found.sort(key=lambda one: SEVERITIES.index(one.finding.severity))
    if given.json:
        common.print_json("stale", **record(found, place, reading))
    else:
        for line in lines(found, place, reading):
            common.print_text(line)
    if given.apply and found:
        _apply([one.mend for one in found if one.mend is not None], ask, is_sure=given.yes)
    return bool(found)


def lines(found: Sequence[TreeFound], place: TreePlace, reading: Reading) -> Iterator[str]:
    """What was looked at, and each finding with its mend."""
    width = common.room() or words.COLUMNS
    look = words.Look(width, common.has_colour(), is_asked_why=True)
    for tree in place.trees:
        made = made_by(tree, reading.made)
        inputs = {path for one in made for path in one.inputs}
        told = f"{f.many(len(made), 'native output')}, {f.many(len(inputs), 'input')}, in {tree.folder}"
        yield from words.folded(plain(told), width)
        if tree.kind == "make":
            yield from words.folded(
                "a makefile that is not CMake's: what it watches `cargo deck prove` tries", width, 2
            )
    for one in found:
        yield ""
        yield from finding_lines(one.finding, look)
    if not found:
        yield ""
        yield NOTHING if reading.made else "There is nothing to judge: build first."


def record(found: Sequence[TreeFound], place: TreePlace, reading: Reading) -> dict[str, Any]:
    """As docs/json.md says."""
    return {
        "workspace": place.root, "build_dir": place.trees[0].folder, "scripts": [], "not_known": [],
        "findings": [
            {
                **one.finding.record(), "mend": one.finding.mend, "package": None, "profile": None, "profiles": [],
                "paths": list(one.paths), "outputs": list(one.outputs), "is_certain": one.is_certain, "declare": [],
                "proof": None,
            }
            for one in found
        ],
        "trees": [
            {
                "folder": tree.folder, "kind": tree.kind,
                "outputs": [
                    {"output": one.output, "known_by": one.known_by, "inputs": list(one.inputs)}
                    for one in made_by(tree, reading.made)
                ],
            }
            for tree in place.trees
        ],
    }  # fmt: skip


def _apply(mends: Sequence[TreeMend], ask: Callable[[str], bool] | None, *, is_sure: bool) -> None:
    """Change the files that have diffs, each after a yes."""
    paths = list(dict.fromkeys(one.path for one in mends))
    for path in paths if can_change(paths, ask, is_sure=is_sure) else ():
        own = [one for one in mends if one.path == path]
        after = with_all(own[0].before, [insertion for one in own for insertion in one.insertions])
        change(path, (own[0].before, after), ask, is_sure=is_sure)
