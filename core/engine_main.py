"""Puts the engine together and runs it: the outer edge, where whatever goes wrong is written down."""

import contextlib
import os

from core import checkpoint, facts
from core import events as e
from core.actions import Actions
from core.adopt import Makers
from core.clock import monotonic, wall_clock
from core.digest import Index, Parser
from core.engine_loop import Engine
from core.keeper import Keeper
from core.logfile import IndexWriter
from core.logfile_index import classes_of
from core.parsers.cargo import Json
from core.parsers.select import Kind, make_parser
from core.paths import Paths
from core.ptx_setting import MeasuresPtx
from core.requests import Server
from core.retention import Limits
from core.run.cache import settings_path
from core.tenure import Tenure, installed_code


def run(state: str, cache: str, idle_s: float, lock_fd: int) -> int:
    """Be the engine; the exit code. `lock_fd` holds the engine's lock."""
    paths = Paths(state, cache)
    keeper = Keeper(paths, clock=wall_clock, monotonic=monotonic, limits=Limits(), reaps=True)
    try:
        tenure = Tenure(paths.engine + "/lock", lock_fd, monotonic, installed_code)
        engine = Engine(
            paths, default_makers(), clock=wall_clock, monotonic=monotonic, keeper=keeper, tenure=tenure,
            measures_ptx=MeasuresPtx(settings_path(os.environ)),
        )  # fmt: skip
        actions = Actions(paths, status=lambda: _status(engine), shut_down=engine.stop)
        server = Server(paths.engine, actions.handle, keeper.fault)
        with contextlib.closing(server):
            engine.loop(server, idle_s)
    except Exception as error:
        keeper.fault("engine", error)
        return 1
    return 0


def default_makers() -> Makers:
    """Parsers by the run's record, line indexes beside its logs."""
    return Makers(_parser, _index, checkpoint.code_identity())


def _parser(record: facts.Record) -> Parser:
    kind: Kind = "generic"
    match record.parser:
        case "cargo" | "nextest":
            kind = record.parser
        case _:
            pass
    return make_parser(kind, is_split=record.started.is_split, json=_json(record))


def _json(record: facts.Record) -> Json:
    match record.json:
        case "ours" | "user":
            return record.json
        case _:
            return "none"


def _index(folder: str, stream: e.Stream, record: facts.Record) -> Index:
    classes = classes_of(stream, is_split=record.started.is_split, json=record.json, parser=record.parser)
    return IndexWriter(folder + ("/lines.idx" if stream == "out" else "/lines.err.idx"), classes)


def _status(engine: Engine) -> dict[str, object]:
    return {"pid": os.getpid(), "runs": list(engine.open_runs)}
