"""After a run that called nvcc: keep what its build scripts saw of their inputs, while that is still certain."""

import os

from core.facts import read_record
from core.native.closure import Ground, made_of
from core.native.doctor import TICK_NS, homes_of, toolkits_of
from core.native.fingerprint import script_runs
from core.native.input_state import read_stamp
from core.native.nvcc_calls import calls_of_run
from core.native.seen import remember
from core.paths import Paths


def remember_run(paths: Paths, run: str) -> None:
    """Keep digests of what the build scripts read that ran in this run; a second where there are many files."""
    record = read_record(paths, run)
    started = record.started if record is not None else None
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
