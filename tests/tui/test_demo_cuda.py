"""The demo's agent for kernels: only where an nvcc starts, and it edits what the demo wrote."""

import os
from pathlib import Path

import pytest

from core import sample
from core.errors import StateError
from tui.cli import demo, demo_cuda


@pytest.mark.parametrize(("script", "is_there"), [("exit 0", True), ("exit 1", False), (None, False)])
def test_an_nvcc_counts_where_it_starts(tmp_path: Path, script: str | None, is_there: bool) -> None:
    if script is not None:
        (tmp_path / "nvcc").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvcc").chmod(0o755)
    assert demo_cuda.has_nvcc({"PATH": str(tmp_path)}) is is_there


def test_one_that_cannot_be_executed_is_none(tmp_path: Path) -> None:
    (tmp_path / "nvcc").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "nvcc").chmod(0o755)
    assert demo_cuda.has_nvcc({"PATH": str(tmp_path)}) is False
    assert demo_cuda.has_nvcc({}) is False


def test_the_agent_is_there_with_an_nvcc_alone() -> None:
    plain = demo.jobs(has_clippy=True)
    assert [job.agent for job in plain] == ["claude-1", "claude-2", "codex", "ci"]
    more = demo.jobs(has_clippy=True, has_nvcc=True)
    assert more[: len(plain)] == plain
    assert [(job.agent, job.words) for job in more[len(plain) :]] == [
        ("kernels", ("build", "-p", "orchard-kernels", "-p", "orchard-grid"))
    ]


def test_the_edit_changes_one_header_once(tmp_path: Path) -> None:
    sample.write_checkout(str(tmp_path / "kernels"), "/shared", has_cuda=True)
    before = {path: path.read_text() for path in (tmp_path / "kernels").rglob("*") if path.is_file()}
    demo_cuda.edit(str(tmp_path))
    changed = [path for path, text in before.items() if path.read_text() != text]
    assert changed == [tmp_path / "kernels" / sample.KERNEL_HEADER]
    with pytest.raises(StateError, match="is not as the demo wrote it"):
        demo_cuda.edit(str(tmp_path))
    os.unlink(changed[0])
    with pytest.raises(StateError, match="cannot edit"):
        demo_cuda.edit(str(tmp_path))
