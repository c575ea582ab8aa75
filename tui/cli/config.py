"""`cargo deck config`: whether the settings can be used, where they are, and a file to begin with."""

import os

from core.errors import UsageError
from tui import config
from tui.cli import common

_WORDS = ("check", "path", "default")


def main(argv: list[str]) -> int:
    """Check the settings, say where they are, or print the default ones; exit code, 2 for a file that has mistakes."""
    return common.guarded(_run, argv)


def _run(argv: list[str]) -> int:
    parser = common.make_parser("config", "Checks config.toml (check), says where it is (path), or prints one with "
                                "every setting and its default (default).")  # fmt: skip
    parser.add_argument("word", nargs="?", choices=_WORDS, default="check", metavar="check|path|default")
    given = parser.parse_args(argv)
    path = config.config_path(os.environ)
    if given.word == "check":
        return _check(path, is_json=given.json)
    if given.json:
        raise UsageError("--json goes with check: it has the path too")
    common.print_text(path if given.word == "path" else config.default_text().rstrip("\n"))
    return 0


def _check(path: str, *, is_json: bool) -> int:
    _, complaints = config.load(path)
    if is_json:
        mistakes = [{"line": one.line or None, "why": one.why} for one in complaints]
        common.print_json("config", path=path, exists=os.path.exists(path), mistakes=mistakes)
    elif complaints:
        for one in complaints:
            common.print_text(one.sentence(path))
    elif os.path.exists(path):
        common.print_text(f"{path}: all of it can be used")
    else:
        common.print_text(f"there is no {path}, so the defaults apply; `cargo deck config default` prints one")
    return 2 if complaints else 0
