"""Takes note of a linker that a mode chose and that failed a link of a run: the next build goes without it."""

import json

from core.paths import Paths
from core.plan.answers import open_answers
from core.plan.refused import refuse_linker
from core.plan.tools import find_tools


def refuse_linker_of(paths: Paths, run: str, linker: str) -> bool:
    """Refuse a linker for the workspace of a run, as its file is now; False: that could not be written down."""
    try:
        with open(paths.run(run) + "/run.json", "rb") as file:
            record = json.load(file)
        env = {name: value for name, value in record["env"].items() if isinstance(value, str)}
        root = record["checkout"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    tool = find_tools((linker,), env, open_answers(paths), may_ask=False).get(linker)
    return isinstance(root, str) and tool is not None and refuse_linker(paths, root, linker, tool.path)
