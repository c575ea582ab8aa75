"""Findings and a plan, made up, and how they come onto a stage."""

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.findings import merged
from core.plan.given import Origin
from core.plan.plan import Change, Evidence, Finding, Setting
from core.state import Run
from tests.tui.conftest import Stage

MEND = """--- a/.cargo/config.toml
+++ b/.cargo/config.toml
@@ -2 +2 @@ [build]
-incremental = true
+incremental = false
"""
CACHE = Finding(
    "sccache-incremental", "warning", "sccache never caches incremental crates",
    (Evidence(Origin("/home/ada/.cargo/config.toml", 4), 'rustc-wrapper = "sccache"'),
     Evidence(Origin("CARGO_INCREMENTAL"), "1")),
    "members are compiled again (not measured)", MEND,
    (Change("/home/ada/.cargo/config.toml", ("build", "incremental"), False, "/home/ada"),),
)  # fmt: skip
LINKER = Finding("no-linker", "error", "the linker mold is not there", mend="cargo deck tools install mold")
HINT = Finding("thin", "hint", "thin LTO would do")
SETTINGS = (
    Setting("debug", "line-tables-only", "mode", "backtraces have lines", "a second copy of each unit; 0.6 × memory",
            Origin("/w/deck.toml", 3), ("--config", 'profile.dev.debug="line-tables-only"')),
    Setting("jobs", "2", "deck", "three agents share 8 cores", env=(("NUM_JOBS", "2"),)),
    Setting("linker", "mold", "user", "yours wins", origin=Origin("/home/ada/.cargo/config.toml", 9)),
    Setting("strip", "none", "cargo", "its default"),
)  # fmt: skip


def live(stage: Stage) -> Run:
    """The first run of a stage."""
    return next(run for run in stage.board.runs.values() if not run.state.is_over)


def find(stage: Stage, run: Run, *findings: Finding) -> Run:
    """Findings of a run, on the board."""
    found = replace(run, findings=merged(findings))
    stage.board = replace(stage.board, runs=MappingProxyType({**stage.board.runs, run.run: found}))
    return found


def record(stage: Stage, run: Run, **values: Any) -> None:
    """Other values in `run.json`."""
    path = Path(stage.paths.run(run.run), "run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
