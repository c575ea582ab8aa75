"""One user's state on disk with runs as supervisors leave it, and an engine over it with clocks of its own."""

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import events as e
from core.adopt import Makers
from core.engine_loop import Engine
from core.engine_main import default_makers
from core.journal import read_journal
from core.keeper import Keeper
from core.observer import Observer
from core.paths import Paths
from core.reduce import reduce_run
from core.retention import Limits
from core.state import Run
from tests.fronts import lend_fronts

START = 1_800_000_000.0


@dataclass
class FakeClock:
    """Both clocks; each reading of the monotonic one takes `step_s`."""

    wall_s: float = START
    steady_s: float = 1000.0
    step_s: float = 0.0

    def wall(self) -> float:
        return self.wall_s

    def steady(self) -> float:
        self.steady_s += self.step_s
        return self.steady_s

    def advance(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


@dataclass
class World:
    """Folders, clocks, and the locks that supervisors would hold."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    locks: dict[str, int] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.paths = Paths(str(self.folder / "state"), lend_fronts(self.folder / "cache"))
        for name in (self.paths.runs, self.paths.open, self.paths.engine):
            os.makedirs(name, 0o700, exist_ok=True)

    def engine(self, makers: Makers | None = None) -> Engine:
        steady, wall = self.clock.steady, self.clock.wall
        keeper = Keeper(self.paths, clock=wall, monotonic=steady, limits=self.limits)
        observer = Observer(wall, steady, proc=str(self.folder))  # locks of others on this machine are none of ours
        return Engine(
            self.paths, makers or default_makers(), clock=wall, monotonic=steady, keeper=keeper, observer=observer
        )

    def start(self, run: str, **record: Any) -> str:
        """A live run with an empty log."""
        folder = self.run_folder(run)
        folder.mkdir()
        known = {
            "schema": 1, "run": run, "agent": "a", "command": "build", "tool": "cargo", "subcommand": "build",
            "typed": ["build"], "cwd": "/w", "checkout": "/w", "target_dir": "/w/target",
            "target_source": "default", "json": "ours", "progress": True, "parser": "cargo", "streams": 1,
            "owner": False, "started": self.clock.wall_s, "env": {},
        }  # fmt: skip
        (folder / "run.json").write_text(json.dumps({**known, **record}))
        (folder / "out.log").touch()
        self.lock(run)
        return run

    def lock(self, run: str) -> None:
        fd = os.open(f"{self.paths.open}/{run}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(fd, b'{"agent": "a", "target": null}\n')
        fcntl.flock(fd, fcntl.LOCK_EX)
        self.locks[run] = fd

    def write(self, run: str, content: bytes, log: str = "out.log") -> None:
        with open(self.run_folder(run) / log, "ab") as file:
            file.write(content)

    def end(self, run: str, code: int = 0, **record: Any) -> None:
        """The supervisor writes the exit and is gone."""
        known = {
            "schema": 1, "run": run, "code": code, "signal": None, "ended": self.clock.wall_s, "wall_s": 2.0,
            "user_s": 1.5, "sys_s": 0.5, "largest_process_bytes": 4096, "stopped_by": None, "is_killed": False,
            "left_running": [], "handed_to": None,
        }  # fmt: skip
        (self.run_folder(run) / "exit.json").write_text(json.dumps({**known, **record}))
        self.die(run)

    def die(self, run: str) -> None:
        """The supervisor is gone."""
        os.close(self.locks.pop(run))

    def close(self) -> None:
        for run in list(self.locks):
            self.die(run)

    def run_folder(self, run: str) -> Path:
        return Path(self.paths.run(run))

    def events(self, run: str) -> list[e.Event]:
        return read_journal(self.paths.run(run) + "/events.jsonl").events

    def board_run(self, run: str) -> Run:
        found = reduce_run(None, self.events(run))
        assert found is not None
        return found

    def is_open(self, run: str) -> bool:
        return os.path.exists(f"{self.paths.open}/{run}")

    def engine_log(self) -> str:
        path = Path(self.paths.engine, "log")
        return path.read_text() if path.exists() else ""


def settle(engine: Engine) -> None:
    """Ticks until the engine would wait."""
    for _ in range(10_000):
        if engine.tick() > 0.0:
            return
    raise AssertionError("the engine never comes to rest")
