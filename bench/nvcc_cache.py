"""The depfile cache of nvcc: is it ever stale, and how fast is it.

`python -m bench.nvcc_cache [--count 1000] [--seed N] [--keep FOLDER] [--part edits|kernels|all]`. *Edits*: after each
of many random changes to sources, headers, flags, environment and toolkit, two calls at a time compile in verify mode,
which compares what the cache would have given; some hits are compared with a plain compilation besides, and some files
change while nvcc runs. *Kernels*: candle's twelve, cold and in a second worktree; their sources are
fetched into FOLDER where they are not there.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from bench.figures import Figures, spread
from bench.nvcc_edits import Ask, World, settle
from bench.nvcc_subjects import fetch
from core.paths import Paths
from core.run.fronts import find_exec_fronts
from tests.real.nvcc import our_toolkit

WARM_SHARE, HIT_MS = 0.01, 100.0
KERNELS = (
    "affine",
    "binary",
    "cast",
    "conv",
    "fill",
    "indexing",
    "quantized",
    "reduce",
    "sort",
    "ternary",
    "unary",
    "mmvq_gguf",
)
OPTIONS = ("-ptx", "--gpu-architecture=sm_80", "--expt-relaxed-constexpr", "-std=c++17", "-O3")
_SAMPLE, _RACES, _COMPARED = 0.15, 0.2, 8
_MANY = 100
"""So many edits have hits among them that are compared with a plain compilation."""
_NAMES = re.compile(rb"tmpxft_[0-9a-f]{8}_[0-9a-f]{8}-\d+_")


class Call(NamedTuple):
    """One nvcc through the front."""

    code: int
    said: bytes
    verdict: str
    why: str
    is_stale: bool | None
    elapsed_s: float


class Bench:
    """A cache of its own, and the fronts before each toolkit."""

    def __init__(self, folder: str, kits: list[str]) -> None:
        self.folder, self.kits = folder, kits
        self.fronts = [self._front(kit) for kit in kits]

    def _front(self, kit: str) -> str:
        env = {**os.environ, "PATH": f"{kit}/bin:{os.environ['PATH']}"}
        found = find_exec_fronts(Paths(self.folder + "/state", self.folder + "/cache"), env, ("ninja",), self.folder)
        (place,) = (one for one in found.folders if "/nvcc-" in one)
        return place

    def env(self, kit: int, **more: str) -> dict[str, str]:
        """Of a call; `with_front`: through ours."""
        return {**os.environ, "PATH": f"{self.kits[kit]}/bin:{os.environ['PATH']}", **more}

    def call(self, argv: list[str], cwd: str, kit: int = 0, **more: str) -> Call:
        """Run it, and read what was noted."""
        notes = tempfile.mkdtemp(dir=self.folder)
        env = self.env(kit, DECK_FRONTS=notes, DECK_NVCC_CACHE=self.folder + "/store", **more)
        env["PATH"] = f"{self.fronts[kit]}:{env['PATH']}"
        began = time.perf_counter()
        done = subprocess.run(
            [self.fronts[kit] + "/nvcc", *argv], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        elapsed = time.perf_counter() - began
        with open(notes + "/nvcc.jsonl", "rb") as file:
            ended: dict[str, Any] = next(note for line in file if "end" in (note := json.loads(line)))
        shutil.rmtree(notes)
        why = "; not kept: ".join(filter(None, (ended["why"], ended.get("not_kept"))))
        return Call(done.returncode, done.stdout, ended["verdict"], why, ended["stale"], elapsed)

    def plain(self, argv: list[str], cwd: str, kit: int = 0, **more: str) -> int:
        """Run it without any of ours."""
        words = [self.kits[kit] + "/bin/nvcc", *argv]
        done = subprocess.run(words, cwd=cwd, env=self.env(kit, **more), capture_output=True, check=False)
        return done.returncode


class Sum:
    """What was seen."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.whys: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.compared = 0
        self.hit_ms: list[float] = []


def run_edits(bench: Bench, world: World, count: int) -> Sum:
    """Change something, compile twice, so often."""
    found = Sum()
    edits: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        for world.count in range(count):
            edits.append(world.edit())
            settle()
            asks = [world.ask(), world.ask()]
            race = world.dice.random() < _RACES
            samples = [world.dice.random() < _SAMPLE for _ in asks]
            futures = [
                pool.submit(_try, bench, world, ask, f"{bench.folder}/out{at}", found, samples[at] and not race, race)
                for at, ask in enumerate(asks)
            ]
            if race:
                time.sleep(world.dice.random() * 0.8)
                edits.append("meanwhile " + world.edit())
            troubles = [trouble for future in futures for trouble in future.result()]
            found.wrong += [f"{trouble} after {edits[-3:]}" for trouble in troubles]
            for trouble in troubles:
                print(f"WRONG at {world.count}: {trouble} after {edits[-3:]}", flush=True)
            if world.count % 50 == 49:
                print(f"{world.count + 1}: {dict(found.verdicts)}, {len(found.wrong)} wrong", flush=True)
    return found


def _try(bench: Bench, world: World, ask: Ask, out: str, found: Sum, is_sample: bool, is_race: bool) -> list[str]:
    """One call; what was wrong with it."""
    root = world.root(ask.worktree)
    env = {name: value.format(root=root) for name, value in ask.env.items()}
    argv = ask.argv(root, out)
    for path in ask.made(out):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    mode = {} if is_sample or is_race else {"DECK_NVCC_VERIFY": "1"}
    call = bench.call(argv, root, ask.toolkit, **mode, **env)
    if is_race:
        found.verdicts[f"changed meanwhile: {call.verdict}"] += 1
        return []
    if call.is_stale is not None:
        found.verdicts["verified"] += 1
        return [f"stale: {ask}"] if call.is_stale else []
    found.verdicts[call.verdict if call.code == 0 else "failed"] += 1
    if call.verdict == "hit":
        found.hit_ms.append(call.elapsed_s * 1000)
        return _compare(bench, ask, root, out, env, found)
    lines = call.said.decode("utf-8", "replace").splitlines()
    error = next((line for line in lines if "error" in line), "no word") if call.code else ""
    found.whys[re.sub(r"/\S+/", "", f"{call.why} {error}".strip())] += 1
    return []


def _compare(bench: Bench, ask: Ask, root: str, out: str, env: dict[str, str], found: Sum) -> list[str]:
    """Of a hit: what plain nvcc makes, in the same place."""
    given = [_read(path) for path in ask.made(out)]
    code = bench.plain(ask.argv(root, out), root, ask.toolkit, **env)
    found.compared += 1
    if code != 0:
        return [f"a hit where nvcc fails: {ask}"]
    made = [_read(path) for path in ask.made(out)]
    return [] if made == given else [f"a hit differs: {ask}"]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return _NAMES.sub(b"", file.read())
    except OSError:
        return b""


def edits(folder: str, kit: str, args: argparse.Namespace) -> bool:
    """Never a stale object."""
    seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    world = World(folder + "/world", kit, random.Random(seed))
    bench = Bench(folder, world.toolkits)
    found, figures = run_edits(bench, world, args.count), Figures()
    hits, misses = found.verdicts["hit"] + found.verdicts["verified"], found.verdicts["miss"]
    figures.note("edits, calls", f"{args.count}, {sum(found.verdicts.values())}: {dict(found.verdicts)}")
    figures.note("misses because", f"{found.whys.most_common(12)}")
    figures.note("hits", f"{hits / max(1, hits + misses):.0%}; {found.compared} compared with plain nvcc")
    figures.note("a hit, ms", spread(found.hit_ms) if found.hit_ms else "-")
    figures.holds("every answer was what nvcc makes", not found.wrong, "; ".join(found.wrong[:3]))
    figures.holds("the cache was of use", hits > 0 and (found.compared > 0 or args.count < _MANY))
    return figures.end("edits") == 0


def kernels(folder: str, kit: str, sources: str) -> bool:
    """Cold, warm, touched, and in a second worktree."""
    figures = Figures()
    roots = [f"{folder}/candle-{name}" for name in ("one", "two")]
    for root in roots:
        shutil.copytree(sources, root)
        os.makedirs(root + "/.git")
    bench = Bench(folder, [kit])
    settle()
    cold = _compile_all(bench, roots[0], figures, "cold")
    warm = _compile_all(bench, roots[0], figures, "again")
    for place, _, files in os.walk(roots[0] + "/src"):
        for name in files:
            os.utime(f"{place}/{name}")
    touched = _compile_all(bench, roots[0], figures, "all files touched")
    second = _compile_all(bench, roots[1], figures, "second worktree")
    outs = [{name: _unnamed(root, name) for name in KERNELS} for root in roots]
    figures.holds("both worktrees have the same code", outs[0] == outs[1] and all(outs[0].values()))
    for name in sorted(KERNELS, key=lambda name: cold[KERNELS.index(name)].elapsed_s)[:_COMPARED]:
        given = _read(f"{roots[1]}/out/{name}.ptx")
        bench.plain([*OPTIONS, "--output-directory", "out", _source(roots[1], name)], roots[1])
        figures.holds(f"{name} is what nvcc makes in the second one", _read(f"{roots[1]}/out/{name}.ptx") == given)
    total = sum(call.elapsed_s for call in cold)
    for name, calls in (("again", warm), ("touched", touched), ("second worktree", second)):
        figures.holds(f"{name}: nvcc did not run", all(call.verdict == "hit" for call in calls))
        figures.at_most(f"{name}, of cold", sum(call.elapsed_s for call in calls) / total, WARM_SHARE, "{:.3%}")
        figures.at_most(f"{name}, a hit in ms at most", max(call.elapsed_s for call in calls) * 1000, HIT_MS)
    return figures.end("kernels") == 0


def _source(root: str, kernel: str) -> str:
    return next(f"src/{place}{kernel}.cu" for place in ("", "moe/") if os.path.exists(f"{root}/src/{place}{kernel}.cu"))


def _unnamed(root: str, kernel: str) -> bytes:
    """PTX without the digest of its source's path, which nvcc makes names of."""
    name = f"{zlib.crc32(os.path.realpath(f'{root}/{_source(root, kernel)}').encode()):08x}"
    return _read(f"{root}/out/{kernel}.ptx").replace(name.encode(), b"")


def _compile_all(bench: Bench, root: str, figures: Figures, name: str) -> list[Call]:
    calls = []
    os.makedirs(root + "/out", exist_ok=True)
    for kernel in KERNELS:
        source = next(
            f"src/{place}{kernel}.cu" for place in ("", "moe/") if os.path.exists(f"{root}/src/{place}{kernel}.cu")
        )
        calls.append(bench.call([*OPTIONS, "--output-directory", "out", source], root))
        if calls[-1].verdict != "hit":
            print(f"  {kernel}: {calls[-1].verdict} {calls[-1].elapsed_s:.1f} s {calls[-1].why}", flush=True)
    figures.note(name, f"{sum(call.elapsed_s for call in calls):.2f} s, {Counter(call.verdict for call in calls)}")
    assert all(call.code == 0 for call in calls), [call.said[-500:] for call in calls if call.code]
    return calls


@contextmanager
def _own_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="nvcc-cache-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--keep", default=os.path.join(tempfile.gettempdir(), "bench-keep"))
    parser.add_argument("--part", choices=("edits", "kernels", "all"), default="all")
    args = parser.parse_args()
    kit = our_toolkit()
    is_good = True
    with _own_folder() as folder:
        if args.part != "kernels":
            is_good = edits(folder, kit, args)
    with _own_folder() as folder:
        if args.part != "edits":
            is_good = kernels(folder, kit, fetch("candle", args.keep) + "/candle-kernels") and is_good
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
