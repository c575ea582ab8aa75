"""What may be imported where, proven in fresh interpreters."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "core").rglob("*.py")
    if path.name != "__init__.py" and "sample" not in path.parts
)
HOT = ("tui.cli.main", "tui.cli.build", "core.launch", "core.run.begin", "core.run.follow", "core.client")
SLOW = (
    "argparse", "asyncio", "dataclasses", "pathlib", "subprocess", "textual", "rich", "psutil", "tomllib", "hashlib",
)  # fmt: skip


def imported_by(*modules: str) -> set[str]:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + "\n".join(f"import {m}" for m in modules)
    code += "\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_core_draws_nothing() -> None:
    assert len(CORE) > 30
    assert not imported_by(*CORE) & {"textual", "rich", "tui"}


@pytest.mark.parametrize("module", HOT)
def test_what_runs_before_every_build_imports_nothing_slow(module: str) -> None:
    before = imported_by("sys")
    assert not (imported_by(module) - before) & set(SLOW)
