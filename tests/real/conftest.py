"""A user's cargo-deck in temporary folders, for tests that drive the installed command."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.nvcc import our_toolkit
from tests.real.product import COMMAND, Deck, temporary_deck
from tests.real.terminal import Terminal


@pytest.fixture
def deck() -> Iterator[Deck]:
    """Folders, environment and engine of its own, gone afterwards."""
    with temporary_deck() as one:
        yield one


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal of its own; the builds of the agent `speaker` are gone afterwards."""
    terminal = Terminal(tmp_path)
    yield terminal
    terminal("kill-server")
    subprocess.run([COMMAND, "stop", "--kill", "speaker"], env=terminal.env, capture_output=True, check=False)


@pytest.fixture(scope="session")
def cuda_home() -> str:
    """The folder of a CUDA toolkit; a test fails where there is none to be had."""
    return our_toolkit()


@pytest.fixture(scope="session")
def nvcc(cuda_home: str) -> str:
    """The folder of its nvcc."""
    return cuda_home + "/bin"
