"""Parse lag and memory of a real engine under a paced flood of lines.

    .venv/bin/python bench/bench_engine.py --runs 8 --rate 100000 --lines 10000000 --kind program

Lag: at 50 moments a second, the age of the oldest byte that is written and not yet in the journal.
"""

import argparse
import fcntl
import json
import os
import sys
import tempfile
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from core import client
from core import events as e
from core.journal import JournalTail
from core.paths import Paths

STEP_S = 0.02
RSS_AT = (1_000_000, 5_000_000, 10_000_000)
BUILD_OVER = b'{"reason":"build-finished","success":true}\n'
KINDS = {
    "program": ("cargo", BUILD_OVER, b"2026-01-01T00:00:00Z  INFO engine::plan: step %08d of the plan is done ok\n"),
    "tests": (
        "cargo",
        b'{"reason":"compiler-artifact","package_id":"path+file:///w#app@0.1.0","manifest_path":"/w/Cargo.toml",'
        b'"target":{"kind":["lib"],"name":"app","src_path":"/w/src/lib.rs"},"profile":{"test":true},'
        b'"filenames":[],"executable":"/w/target/debug/deps/app-0123456789abcdef","fresh":false}\n' + BUILD_OVER
        + b"     Running unittests src/lib.rs (target/debug/deps/app-0123456789abcdef)\n\nrunning 9 tests\n",
        b"test module::of::tests::case_%08d_does_what_it_should ... ok\n",
    ),
    "compile": ("cargo", b"", b"   Compiling crate_%08d v1.0.0 (/home/user/project/crates/some_crate)\n"),
    "generic": ("generic", b"", b"[12/900] Building CXX object src/CMakeFiles/app.dir/file_%08d.cpp.o\n"),
}  # fmt: skip


@dataclass
class Feed:
    """One run that is fed."""

    fd: int
    lock_fd: int
    tail: JournalTail
    offsets: list[int] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    parsed: int = 0

    def write(self, content: bytes) -> None:
        os.write(self.fd, content)
        self.offsets.append((self.offsets[-1] if self.offsets else 0) + len(content))
        self.moments.append(time.monotonic())

    def lag_s(self) -> float:
        for event in self.tail.poll():
            if isinstance(event, e.OutputGrew):
                self.parsed = event.size_bytes
        oldest = bisect_right(self.offsets, self.parsed)
        return time.monotonic() - self.moments[oldest] if oldest < len(self.offsets) else 0.0


def start(paths: Paths, number: int, kind: str) -> Feed:
    run = f"20260101-000000-{number:03d}-0000"
    folder = paths.run(run)
    os.makedirs(folder, 0o700)
    os.makedirs(paths.open, 0o700, exist_ok=True)
    record = {
        "schema": 1, "run": run, "agent": f"a{number}", "command": "run", "tool": "cargo", "subcommand": "run",
        "cwd": "/w", "checkout": "/w", "parser": KINDS[kind][0], "json": "ours", "progress": True, "streams": 1,
        "started": time.time(), "env": {},
    }  # fmt: skip
    Path(folder, "run.json").write_text(json.dumps(record))
    fd = os.open(folder + "/out.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    lock_fd = os.open(f"{paths.open}/.{run}", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock_fd, fcntl.LOCK_EX)
    os.rename(f"{paths.open}/.{run}", f"{paths.open}/{run}")
    feed = Feed(fd, lock_fd, JournalTail(folder + "/events.jsonl"))
    feed.write(KINDS[kind][1] or b"\n")
    return feed


def rss_mb(pid: int) -> float:
    words = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()
    return int(words[0]) / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def flood(feeds: list[Feed], pid: int, *, rate: int, lines: int, line: bytes) -> tuple[list[float], list[str]]:
    """Lags, and a word on memory at each of `RSS_AT`."""
    per_step = max(1, int(rate * STEP_S / len(feeds)))
    block = b"".join(line % number for number in range(per_step))
    lags: list[float] = []
    sizes: list[str] = []
    written = 0
    started = time.monotonic()
    while written < lines:
        for feed in feeds:
            feed.write(block)
        written += per_step * len(feeds)
        lags.append(max(feed.lag_s() for feed in feeds))
        if len(sizes) < len(RSS_AT) and written >= RSS_AT[len(sizes)]:
            sizes.append(f"{rss_mb(pid):.1f} MB at {RSS_AT[len(sizes)] // 1_000_000} M")
        time.sleep(max(0.0, started + written / rate - time.monotonic()))
    return lags, sizes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--rate", type=int, default=100_000, help="lines a second, over all runs")
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--kind", choices=sorted(KINDS), default="program")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deck") as folder:
        paths = Paths(folder + "/state", folder + "/cache")
        pid = int(client.request(paths, {"do": "ping"})["pid"])
        feeds = [start(paths, number, args.kind) for number in range(args.runs)]
        client.ensure_engine(paths)
        begun, before_s = time.monotonic(), cpu_s(pid)
        lags, sizes = flood(feeds, pid, rate=args.rate, lines=args.lines, line=KINDS[args.kind][2])
        took_s, busy_s = time.monotonic() - begun, cpu_s(pid) - before_s
        client.request(paths, {"do": "shutdown"})
        log = Path(paths.engine, "log")
        print(log.read_text() if log.exists() else "", end="")
    lags.sort()
    p95 = lags[int(len(lags) * 0.95)]
    print(
        f"{args.kind}, {args.runs} runs, {args.lines / took_s:,.0f} lines/s: lag max {lags[-1]:.3f} s, "
        f"p95 {p95:.3f} s; engine {100 * busy_s / took_s:.0f} % of a core; RSS {', '.join(sizes)}"
    )
    return 0 if lags[-1] <= 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
