"""Asks the programs of a run's environment what they are: `python asker.py STATE CACHE RUN`, started by the engine.

It runs as a plain file, as `engine.py` does; what it learns is in the cache of answers.
"""

import os
import sys


def main(argv: list[str]) -> int:
    """Ask, and end."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.dirname(here), *(path for path in sys.path if os.path.abspath(path) != here)]
    from core.daemon import detach
    from core.late_plan import plan_late
    from core.paths import Paths

    detach()
    os.nice(10)
    plan_late(Paths(argv[1], argv[2]), argv[3], may_ask=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
