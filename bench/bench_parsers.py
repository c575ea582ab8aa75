"""Lines a second through parsers, projection and line index. `python bench/bench_parsers.py`."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from core.logfile import IndexWriter, LogFile
from core.logfile_index import Classes
from core.parsers.projection import Projection
from core.parsers.select import make_parser
from core.parsers.text import sanitise

CHUNK_BYTES = 1 << 16
BUILT = b'{"reason":"build-finished","success":true}\n    Finished `dev` profile target(s) in 0.1s\n'
TESTING = BUILT + b"     Running unittests src/lib.rs (target/debug/deps/x-0123456789abcdef)\n\nrunning 900000 tests\n"
PLAIN = b"".join(
    b"2026-11-20T10:00:%02d INFO worker %d: handled request in 12 ms\n" % (i % 60, i) for i in range(300_000)
)
TESTS = b"".join(b"test module_%d::tests::case_%d ... ok\n" % (i % 9, i) for i in range(300_000))
COLOURED = TESTS.replace(b" ok\n", b" \x1b[32mok\x1b(B\x1b[m\n")
WARNING = (
    b"warning: unused variable: `unused`\n  --> util/src/lib.rs:11:9\n   |\n11 |     let unused = 1;\n"
    b"   |         ^^^^^^ help: prefix it with an underscore: `_unused`\n   |\n"
    b"   = note: `#[warn(unused_variables)]` (part of `#[warn(unused)]`) on by default\n\n"
)
BAR = b"    Building [=====>      ] %d/900: m%d, reg%d(build)      \r"
BUILD = b"".join(BAR % (i // 100, i, i) + WARNING for i in range(10_000))
STEPS = b"".join(
    b"[%d/300000] Building CXX object src/CMakeFiles/x.dir/file_%d.cpp.o\n" % (i, i) for i in range(300_000)
)


def measure(name: str, content: bytes, work: Callable[[bytes], object]) -> None:
    """Prints how fast `work` takes the content, chunk by chunk; the best of three."""
    best = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        for at in range(0, len(content), CHUNK_BYTES):
            work(content[at : at + CHUNK_BYTES])
        best = min(best, time.perf_counter() - begun)
    lines = content.count(b"\n")
    print(f"{name:44} {lines / best:14,.0f} lines/s {len(content) / best / 1e6:9.1f} MB/s")


def parse(before: bytes, kind: str = "cargo") -> Callable[[bytes], object]:
    parser = make_parser("generic" if kind == "generic" else "cargo", is_split=False, json="ours")
    parser.feed("out", before, 0.0)
    return lambda chunk: parser.feed("out", chunk, 1.0)


def project(before: bytes, *, cut_color_args: bool = False) -> Callable[[bytes], object]:
    projection = Projection(cut_json=True, cut_progress=True, cut_color_args=cut_color_args)
    projection.feed(before)
    return projection.feed


def bench_log(folder: Path, lines: int) -> None:
    """Index and random reads over a log of many lines, and what it keeps in memory."""
    log = folder / "out.log"
    with log.open("wb") as file:
        for _ in range(lines // 300_000):
            file.write(PLAIN)
    reader = LogFile(str(log), str(folder / "none.idx"), Classes(has_json=False, has_progress=False))
    begun = time.perf_counter()
    reader.extend()
    scan_s = time.perf_counter() - begun
    total = reader.shown_line_count
    begun = time.perf_counter()
    for i in range(200):
        assert len(reader.lines(i * (total // 200), 50)) == 50
    read_s = (time.perf_counter() - begun) / 200
    with open("/proc/self/statm") as file:
        rss = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    print(f"{'log of ' + format(total, ',') + ' lines, no index':44} {total / scan_s:14,.0f} lines/s")
    print(f"{'50 lines anywhere in it':44} {read_s * 1e3:14.2f} ms;  RSS {rss / 1e6:.0f} MB")


def main() -> None:
    measure("parser: program output after the build", PLAIN, parse(BUILT))
    measure("parser: program output within tests", PLAIN, parse(TESTING))
    measure("parser: test … ok", TESTS, parse(TESTING))
    measure("parser: test … ok, coloured", COLOURED, parse(TESTING))
    measure("parser: progress and warnings of a build", BUILD, parse(b""))
    measure("parser: generic, [n/m] steps", STEPS, parse(b"", "generic"))
    measure("parser: generic, plain output", PLAIN, parse(b"", "generic"))
    measure("projection: after the build", PLAIN, project(BUILT))
    measure("projection: after the build, colour args", PLAIN, project(BUILT, cut_color_args=True))
    measure("projection: plain output within the build", PLAIN, project(b""))
    measure("projection: progress and warnings", BUILD, project(b""))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = IndexWriter(str(folder / "a.idx"), Classes(has_json=True, has_progress=True))
        writer.feed(BUILT)
        measure("index: after the build", PLAIN, writer.feed)
        fresh = IndexWriter(str(folder / "b.idx"), Classes(has_json=True, has_progress=True))
        measure("index: progress and warnings", BUILD, fresh.feed)
        bench_log(folder, 3_000_000)
    lines = PLAIN.split(b"\n")[:100_000]
    begun = time.perf_counter()
    for line in lines:
        sanitise(line, 120)
    print(f"{'text.sanitise':44} {len(lines) / (time.perf_counter() - begun):14,.0f} lines/s")


if __name__ == "__main__":
    main()
