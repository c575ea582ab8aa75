"""A user's cargo-deck in temporary folders, for tests that drive the installed command."""

from collections.abc import Iterator

import pytest

from tests.real.product import Deck, temporary_deck


@pytest.fixture
def deck() -> Iterator[Deck]:
    """Folders, environment and engine of its own, gone afterwards."""
    with temporary_deck() as one:
        yield one
