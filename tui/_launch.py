"""What the console script calls: finds the three folders, in a wheel and in a checkout."""

import os
import sys


def main() -> int:
    """Run `cargo-deck`; its exit code."""
    here = os.path.dirname(os.path.abspath(__file__))
    if os.path.isdir(here + "/core"):
        sys.path.insert(0, here)
    from tui.cli.main import main as run

    return run(sys.argv[1:])
