"""`history.sqlite`: an index over finished runs, for what is typical; made anew from `runs/` when it is missing."""

import os
import sqlite3
from collections.abc import Iterator
from statistics import median

from core import events as e
from core.errors import JournalError
from core.journal import NAME, read_journal
from core.paths import Paths
from core.reduce import reduce_run
from core.state import Run, RunState

SCHEMA = 2
TYPICAL_RUNS = 5
"""So many of the last runs that succeeded and compiled something make the typical one."""
MAX_CRATES = 2000
_TABLES = """
CREATE TABLE runs (
  run TEXT PRIMARY KEY, agent TEXT, checkout TEXT, command TEXT, tool TEXT, subcommand TEXT, state TEXT,
  started REAL, ended REAL, code INTEGER, signal INTEGER, wall_s REAL, user_s REAL, sys_s REAL,
  largest_process_bytes INTEGER, units_built INTEGER, units_fresh INTEGER, errors INTEGER, warnings INTEGER,
  tests_passed INTEGER, tests_failed INTEGER, tests_ignored INTEGER
) WITHOUT ROWID;
CREATE INDEX runs_by_place ON runs (checkout, subcommand, started);
CREATE TABLE crates (run TEXT, name TEXT, elapsed_s REAL, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE links (output TEXT PRIMARY KEY, bytes INTEGER, at REAL) WITHOUT ROWID;
"""
_ADD_LINK = """
INSERT INTO links VALUES (?, ?, ?)
ON CONFLICT (output) DO UPDATE SET bytes = excluded.bytes, at = excluded.at WHERE excluded.at >= at
"""
_LAST = """
SELECT run, wall_s FROM runs
WHERE checkout = ? AND tool = ? AND {column} = ? AND state = 'done' AND units_built > 0 AND run != ?
ORDER BY started DESC LIMIT ?
"""


class History:
    """The index. Everything in it stands in the journals too, so a failure is never more than a lost estimate."""

    def __init__(self, path: str) -> None:
        """Open or create it; a corrupt file is replaced.

        Raises:
            sqlite3.Error: it cannot be opened, or is of a newer version.
        """
        self.is_new = not os.path.exists(path)
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError | sqlite3.NotSupportedError):
                raise
            os.unlink(path)
            self.is_new = True
            self._db = _open(path)

    def add(self, run: Run) -> None:
        """Put a finished run in, or again.

        Raises:
            sqlite3.Error: it cannot be written.
        """
        ended = run.ended
        row = (
            run.run, run.agent, run.checkout, run.command, run.tool, run.subcommand, str(run.state),
            run.started_at, run.ended_at, *_exit_columns(ended), run.units_built, run.units_fresh, run.errors,
            run.warnings, run.tests_passed, run.tests_failed, run.tests_ignored,
        )  # fmt: skip
        with self._db:
            self._db.execute(f"INSERT OR REPLACE INTO runs VALUES ({','.join('?' * len(row))})", row)
            crates = [(run.run, name, elapsed_s) for name, elapsed_s in run.finished_s.items()]
            self._db.executemany("INSERT OR REPLACE INTO crates VALUES (?, ?, ?)", crates)
            links = [(link.output, link.output_bytes, link.at) for link in run.link_ends]
            self._db.executemany(_ADD_LINK, [link for link in links if link[1] is not None])

    def has(self, run: str) -> bool:
        """The run is in it."""
        return self._db.execute("SELECT 1 FROM runs WHERE run = ?", (run,)).fetchone() is not None

    def last_size(self, output: str) -> int | None:
        """Bytes of the last link of an output, by its path; None: not known."""
        row = self._db.execute("SELECT bytes FROM links WHERE output = ?", (output,)).fetchone()
        return None if row is None else int(row[0])

    def typical(self, started: e.RunStarted, at: float) -> e.TypicalRecalled | None:
        """What is typical of this command in this checkout, else of its subcommand; None where nothing is known."""
        for column, value in (("command", started.command), ("subcommand", started.subcommand)):
            query = _LAST.format(column=column)
            place = (started.checkout, started.tool, value, started.run, TYPICAL_RUNS)
            if last := self._db.execute(query, place).fetchall():
                wall_s = median(wall_s for _, wall_s in last)
                return e.TypicalRecalled(at, wall_s, self._crates([run for run, _ in last]), len(last))
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _crates(self, runs: list[str]) -> tuple[tuple[str, float], ...]:
        marks = ",".join("?" * len(runs))
        query = f"SELECT name, elapsed_s FROM crates WHERE run IN ({marks})"
        seconds: dict[str, list[float]] = {}
        for name, elapsed_s in self._db.execute(query, runs):
            seconds.setdefault(name, []).append(elapsed_s)
        longest = sorted(((name, median(all_s)) for name, all_s in seconds.items()), key=lambda x: -x[1])
        return tuple(longest[:MAX_CRATES])


def read_run(paths: Paths, run: str) -> Run | None:
    """A run as its journal tells it; None where it has none that can be read."""
    try:
        return reduce_run(None, read_journal(paths.run(run) + "/" + NAME).events)
    except (OSError, JournalError):
        return None


def rebuild(paths: Paths, history: History) -> Iterator[str]:
    """Put every finished run in that is missing; gives each run's id after it was looked at, newest first."""
    try:
        names = sorted(os.listdir(paths.runs), reverse=True)
    except OSError:
        return
    for name in names:
        if not history.has(name):
            run = read_run(paths, name)
            if run is not None and run.state.is_over and run.state is not RunState.LOST:
                history.add(run)
        yield name


def _exit_columns(ended: e.RunEnded | None) -> tuple[int | float | None, ...]:
    if ended is None:
        return (None,) * 6
    return ended.code, ended.signal, ended.wall_s, ended.user_s, ended.sys_s, ended.largest_process_bytes


def _open(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=1.0)
    try:
        os.chmod(path, 0o600)
        db.execute("PRAGMA synchronous = OFF")  # it can be rebuilt; an fsync a run costs 3 ms
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise sqlite3.NotSupportedError(f"{path} has schema {version}, this version writes {SCHEMA}")
        if 0 < version < SCHEMA:
            raise sqlite3.DatabaseError(f"{path} has the old schema {version}: it is made anew")
        if version < SCHEMA:
            db.executescript("BEGIN;" + _TABLES + f"PRAGMA user_version = {SCHEMA}; COMMIT;")
    except sqlite3.Error:
        db.close()
        raise
    return db
