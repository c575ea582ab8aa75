"""The sizes of a terminal at which pictures are taken."""

import pytest

SIZES = ((40, 20), (80, 24), (120, 40), (200, 60))
USUAL = ((80, 24), (200, 60))
"""Where most of what a screen has is beside or below something else, and where all is seen."""
PICTURED = [size if size in USUAL else pytest.param(size, marks=pytest.mark.long) for size in SIZES]
"""For a test of each size: the usual ones always, the others in the long run."""
