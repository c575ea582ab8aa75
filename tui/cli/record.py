"""`cargo deck record RUN… -o FILE` and `cargo deck replay FILE`: builds to show and to keep."""

import os
import sys
import tempfile
import time
from typing import Any

from core.clock import monotonic
from core.errors import EngineError, UsageError
from core.paths import find_paths
from core.record import record, unpack
from core.replay import Replay
from core.runs import resolve_run
from tui import format as f
from tui.cli import common
from tui.cli.events import Changes

_PULL_S = 0.1


def main_record(argv: list[str]) -> int:
    """Write runs into one file; exit code."""
    return common.guarded(_record, argv)


def main_replay(argv: list[str]) -> int:
    """Play a recording; exit code."""
    return common.guarded(_replay, argv)


def _record(argv: list[str]) -> int:
    parser = common.make_parser(
        "record", "Writes runs into one file: journals and logs, without environment and folders of this machine."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the recording, *.deckrec by custom")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    runs = [resolve_run(paths, word) for word in given.runs]
    size = record(paths, runs, given.output, dict(os.environ))
    if given.json:
        common.print_json("record", file=given.output, bytes=size, runs=runs)
    else:
        common.print_text(f"{given.output}  {f.many(len(runs), 'run')}  {f.size(size)}")
    return 0


def _replay(argv: list[str]) -> int:
    parser = common.make_parser("replay", "Plays a recording on the board.", has_json=False)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="N times as fast (default 1)")
    parser.add_argument("--plain", action="store_true", help="no dashboard: a line for each change")
    given = parser.parse_args(argv)
    if not 0 < given.speed <= 10_000:
        raise UsageError("--speed takes a number above 0, at most 10000")
    has_screen = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not given.plain
    with tempfile.TemporaryDirectory(prefix="deck-replay-") as folder:
        paths, runs = unpack(given.file, folder)
        source = Replay(paths, runs, monotonic, given.speed)
        return _on_board(source, paths, given.speed) if has_screen else _in_lines(source)


def _in_lines(source: Replay) -> int:
    changes = Changes(None)
    while True:
        is_over = source.is_over
        for line in changes.lines(source.poll()):
            common.print_text(line)
        if is_over:
            return 0
        time.sleep(_PULL_S)


def _on_board(source: Replay, paths: Any, speed: float) -> int:
    from tui.app import DeckApp, run_app
    from tui.preferences import Preferences
    from tui.source import Deck
    from tui.themes import has_unicode, pick_theme

    deck = Deck(
        source=source,
        paths=paths,
        clock=source.now,
        request=_refuse,
        is_recording=True,
        note=f"recording ×{speed:g}",
        glyphs_are_ascii=not has_unicode(os.environ),
        theme=pick_theme(os.environ),
        preferences=Preferences.of_user(os.environ, find_paths(os.environ)),
    )
    return run_app(DeckApp(deck))


def _refuse(message: dict[str, Any]) -> dict[str, Any]:
    raise EngineError("this is a recording: its builds are over")
