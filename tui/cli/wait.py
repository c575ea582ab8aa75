"""`cargo deck wait RUN…`: until the runs have ended; the code of the first that failed."""

import time

from core.facts import read_exit, read_record
from core.paths import Paths
from core.run.stop import is_live
from core.runs import resolve_run
from tui import format as f
from tui.cli import common

_NAP_S = 0.05


def main(argv: list[str]) -> int:
    """Wait for runs; exit code."""
    return common.guarded(_wait, argv)


def _wait(argv: list[str]) -> int:
    parser = common.make_parser("wait", "Waits until runs have ended; ends with the code of the first that failed.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id, unique beginning of one, or an agent's name")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    waiting = list(dict.fromkeys(resolve_run(paths, word) for word in given.runs))
    first = 0
    while waiting:
        over = [run for run in waiting if not is_live(paths, run)]
        for run in over:
            waiting.remove(run)
            code = _tell(paths, run, as_json=given.json)
            first = first or code
        if waiting:
            time.sleep(_NAP_S)
    return first


def _tell(paths: Paths, run: str, *, as_json: bool) -> int:
    found, record = read_exit(paths, run), read_record(paths, run)
    agent = record.started.agent if record else "?"
    code = 125
    how = "lost, exit unknown"
    ended = found.ended if found else None
    if ended is not None:
        code = 128 + ended.signal if ended.signal is not None else ended.code if ended.code is not None else 125
        how = f"signal {ended.signal}" if ended.signal is not None else f"exit {ended.code}"
    if as_json:
        common.print_json("wait", run=run, agent=agent, code=ended.code if ended else None,
                          signal=ended.signal if ended else None, is_lost=ended is None,
                          wall_s=ended.wall_s if ended else None)  # fmt: skip
    else:
        common.print_text(f"{agent}  {how}  {f.duration(ended.wall_s if ended else None)}  {run}")
    return code
