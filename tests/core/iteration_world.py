"""A package on disk and runs of it as cargo, nvcc and our supervisor would have left them: no build takes place."""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

from core import events as e
from core.facts import read_record
from core.native.edits.iteration_settle import settle
from core.native.edits.iteration_watch import Draft, IterationWatch
from core.paths import Paths

SOURCES = {
    "src/lib.rs": "pub fn a() {}\n", "src/more.rs": "// more\n", "build.rs": "fn main() {}\n",
    "Cargo.toml": "[package]\nname = 'app'\n", "kernels/a.cu": '#include "n.cuh"\n', "kernels/b.cu": "// b\n",
    "kernels/n.cuh": "#define N 1\n", "kernels/host.cpp": "// c\n", "CMakeLists.txt": "project(k)\n",
}  # fmt: skip
FILE_OF = {
    "rust": "src/more.rs", "cu": "kernels/a.cu", "cpp": "kernels/host.cpp", "header": "kernels/n.cuh",
    "cmake": "CMakeLists.txt", "build.rs": "build.rs", "manifest": "Cargo.toml",
}  # fmt: skip
"""What is edited for an edit of a class."""


class IterationWorld:
    """A checkout, its target dir, its runs; time is told, not measured."""

    def __init__(self, folder: Path) -> None:
        self.root = Path(os.path.realpath(folder)) / "app"
        self.paths = Paths(str(folder / "state"), str(folder / "cache"))
        self.now = 1_800_000_000.0
        self._count = 0
        self.ticks: Iterator[float] = repeat(0.0)
        """What a clock says each time that it is asked."""
        self.is_hurried = False
        """The run is over before the engine looked at all."""
        self.is_fresh = False
        """Cargo finds nothing to do."""
        self.has_front = False
        """One stands before nvcc."""
        self.settle: Callable[[Draft], None] = partial(settle, self.paths)
        for name, text in SOURCES.items():
            self.write(name, text)
        self._fill_target()

    def write(self, name: str, text: str) -> None:
        """A file of the package."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str) -> None:
        """Change its content."""
        path = self.root / name
        path.write_text(path.read_text() + f"// {self._count}\n")

    def edit_later(self, name: str) -> None:
        """Change its content after all that was; time goes on to then."""
        while True:  # a file has the time of the last tick
            self.edit(name) if (self.root / name).exists() else self.write(name, "x")
            at = os.stat(self.root / name).st_ctime
            if at > self.now:
                self.now = at
                return
            self.write(name, (self.root / name).read_text())

    def meet_files(self) -> None:
        """Time is that of the files, from now on."""
        self.now = max(os.stat(self.root / name).st_ctime for name in SOURCES)
        self.edit_later("README")

    def _fill_target(self) -> None:
        target = self.root / "target/debug"
        self.out_dir = target / "build/app-1/out"
        self.out_dir.mkdir(parents=True)
        (target / "deps").mkdir()
        (target / "deps/app-1.d").write_text(f"{target}/deps/libapp-1.rlib: src/lib.rs src/more.rs\n")
        declared = ("kernels", "CMakeLists.txt", "build.rs")
        (target / "build/app-1/output").write_text("".join(f"cargo:rerun-if-changed={name}\n" for name in declared))

    def run(
        self, wall_s: float, *, command: str = "build", code: int | None = 0, is_stopped: bool = False,
        link_s: float = 0.1, nvcc: dict[str, float] | None = None, is_built: bool | None = None,
        unseen: Callable[[], None] | None = None,
    ) -> str:  # fmt: skip
        """A run from its begin to its end, as the engine sees it; its id.

        `unseen`: what happens after its end, and before an engine that was not there looks at anything.
        """
        run, folder, draft = self._begin(command)
        began, self.now = self.now, self.now + wall_s
        (folder / "out.log").write_text(self._log(code == 0 if is_built is None else is_built))
        self._note(folder, began, wall_s, link_s, nvcc)
        ended = {"code": code, "signal": None, "ended": self.now, "wall_s": wall_s,
                 "stopped_by": "request" if is_stopped else None}  # fmt: skip
        (folder / "exit.json").write_text(json.dumps(ended))
        if unseen is not None:
            unseen()
            record = read_record(self.paths, run)
            assert record is not None
            draft = self.draft_of(record.started)
        self.settle(draft)
        return run

    def run_unsettled(self, wall_s: float) -> tuple[str, Callable[[], None]]:
        """A run that went well, and what is to be called for the engine to notice its end."""
        self.settle, later = (lambda draft: kept.append(draft)), self.settle
        kept: list[Draft] = []
        try:
            run = self.run(wall_s)
        finally:
            self.settle = later
        return run, lambda: later(kept[0])

    def draft_of(self, started: e.RunStarted) -> Draft:
        """What the engine sees as a run begins; as far as `ticks` give it time."""
        watch = IterationWatch(self.paths, lambda: next(self.ticks))
        rest = watch.began(started)
        if not self.is_hurried:
            list(rest)
        draft = watch.ended(started.run)
        assert draft is not None
        return draft

    def _begin(self, command: str) -> tuple[str, Path, Draft]:
        self._count += 1
        run = f"20270115-080000-{self._count:03d}-0000"
        folder = Path(self.paths.run(run))
        (folder / "fronts").mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(self._record(run, command, self.now)))
        record = read_record(self.paths, run)
        assert record is not None
        return run, folder, self.draft_of(record.started)

    def _record(self, run: str, command: str, began: float) -> dict[str, Any]:
        root = str(self.root)
        return {
            "schema": 1, "run": run, "agent": "me", "tool": "cargo", "subcommand": command.split()[0],
            "command": command, "typed": command.split(), "cwd": root, "checkout": root,
            "target_dir": root + "/target", "started": began, "env": {"HOME": root}, "owner": True, "streams": 1,
            "launch": {"path_front": ["/cache/fronts/nvcc-1/bin"] if self.has_front else []},
        }  # fmt: skip

    def _log(self, is_built: bool) -> str:
        about = {"package_id": f"path+file://{self.root}#app@1.0.0"}
        target, deps = {"kind": ["lib"], "src_path": f"{self.root}/src/lib.rs"}, self.root / "target/debug/deps"
        script = {"kind": ["custom-build"], "src_path": f"{self.root}/build.rs"}
        lines = [
            {"reason": "compiler-artifact", **about, "manifest_path": f"{self.root}/Cargo.toml", "target": script,
             "filenames": [], "fresh": True},
            {"reason": "build-script-executed", **about, "out_dir": str(self.out_dir)},
            {"reason": "compiler-artifact", **about, "manifest_path": f"{self.root}/Cargo.toml", "target": target,
             "filenames": [f"{deps}/libapp-1.rlib"], "fresh": self.is_fresh},
            {"reason": "build-finished", "success": is_built},
        ]  # fmt: skip
        return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)

    def _note(self, folder: Path, began: float, wall_s: float, link_s: float, nvcc: dict[str, float] | None) -> None:
        """As fronts do: nvcc right at the beginning, a link at the end."""
        link = {"link": "1", "at": began + wall_s - link_s, "pid": 1, "cwd": "/", "output": "/o", "inputs": 1,
                "input_bytes": 1, "fuse": None, "rust_lld": True, "rustc": [], "package": None, "version": None,
                "binary": None}  # fmt: skip
        end = {"end": "1", "elapsed_s": link_s, "user_s": 0, "sys_s": 0, "peak_bytes": 1, "code": 0, "signal": None,
               "output_bytes": 1}  # fmt: skip
        if link_s:
            _append(folder / "fronts/links.jsonl", link, end)
        if nvcc is not None:
            took = sum(nvcc.values())
            call = {"nvcc": "1-1", "at": began, "pid": 1, "parent": 1, "cwd": str(self.root), "argv": ["-c"],
                    "tool": "/cuda/bin/nvcc", "sources": [str(self.root / "kernels/a.cu")], "output": "/o/a.o",
                    "kind": "object", "archs": ["sm_90"], "out_dir": str(self.out_dir)}  # fmt: skip
            over = {**end, "end": "1-1", "elapsed_s": took, "verdict": "miss", "why": "", "inputs": None,
                    "times": [[tool, "sm_90", s * 1000] for tool, s in nvcc.items()], "memory": []}  # fmt: skip
            _append(folder / "fronts/nvcc.jsonl", call, over)


def _append(path: Path, *notes: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(note) + "\n" for note in notes)
