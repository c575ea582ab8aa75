"""Which page of a run is seen first, and which place in a source file the chosen row of a page names."""

import os
import re

from core.state import Run, RunState
from tui.pages import errors
from tui.pages.scene import Scene

_PANICKED = re.compile(r"panicked at (?:'.*', )?(\S[^:]*):(\d+):(\d+)")


def first_page(run: Run) -> str:
    """What a person wants to see first."""
    if run.state is RunState.FAILED:
        return "tests" if run.tests_failed else "errors" if run.errors else "crates"
    return "crates"


def file_of(scene: Scene, page: str, key: str) -> tuple[str, int, int] | None:
    """File, line and column of an error or of a test's panic; None: it names none."""
    if page == "errors":
        one = errors.chosen(scene, key)
        if one is not None and one.file is not None:
            return _existing(scene.run, one.file), one.line or 1, one.column or 1
    if page == "tests":
        for text in scene.outputs.get(key) or ():
            if found := _PANICKED.search(text):
                return _existing(scene.run, found[1]), int(found[2]), int(found[3])
    return None


def _existing(run: Run, file: str) -> str:
    """Where a file lies: compilers name it as seen from the workspace or from where they were started."""
    paths = [os.path.join(folder, file) for folder in (run.checkout, run.cwd)]
    return next((path for path in paths if os.path.exists(path)), paths[0])
