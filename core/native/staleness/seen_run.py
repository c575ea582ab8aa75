"""After a run that called nvcc: keep what its build scripts saw of their inputs, while that is still certain."""

import os

from core.facts import read_record
from core.native.staleness.closure import Ground, made_of
from core.native.staleness.doctor import TICK_NS, homes_of, toolkits_of
from core.native.staleness.input_state import read_stamp
from core.native.staleness.seen import remember
from core.native.staleness.tree_made import made_in
from core.native.staleness.tree_steps import read_tree
from core.native.traces import build_tree
from core.native.traces.fingerprint import script_runs
from core.native.traces.nvcc_calls import calls_of_run
from core.paths import Paths


def remember_run(paths: Paths, run: str) -> None:
    """Keep digests of what the build scripts read that ran in this run; a second where there are many files."""
    record = read_record(paths, run)
    started = record.started if record is not None else None
    if started is not None and started.tool == "exec":
        _remember_trees(paths, run)
        return
    build_dir = (started.build_dir or started.target_dir) if started is not None else None
    if started is None or not build_dir:
        return
    workspace, real = os.path.realpath(started.checkout), os.path.realpath(build_dir)
    calls = calls_of_run(paths, run)
    toolkits, homes = toolkits_of(calls, os.environ), homes_of(os.environ)
    for script in script_runs(real, workspace):
        if script.root and script.began_ns >= int(started.at * 1e9) - TICK_NS:
            ground = Ground(script, workspace, real, toolkits, homes)
            declared = (os.path.normpath(os.path.join(script.root, one.path)) for one in script.directives.changed)
            made = made_of(ground, calls)
            if made:
                watched = [path for path in declared if os.path.isfile(path)]
                remember(paths.state, script, made, watched, lambda path: read_stamp(path).digest)


def _remember_trees(paths: Paths, run: str) -> None:
    """Of a command that is not cargo: in the build trees that it names."""
    from core.native.staleness import tree_place  # with what it needs 10 ms

    found = tree_place.exec_run(paths, run)
    for folder in build_tree.trees_of(found.words, found.cwd) if found is not None else ():
        real, calls = os.path.realpath(folder), calls_of_run(paths, run)
        if (tree := read_tree(real)) is not None:
            owned = tree_place.owned_in(tree_place.project_of(real), (tree,), calls, os.environ)
            tree_place.remember_tree(paths.state, tree, made_in(tree, calls, owned))
