"""What a plan costs before a build, in a fresh interpreter, once its programs were asked: imports and all.

`python -m bench.plan_warm [--rounds N]`: 15 ms of CPU time at most; beside it what a build without a mode pays.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from tests.real.product import REPO, plain_env

LIMIT_MS = 15.0
_WARM = """
import json, os, sys, time
sys.path.insert(0, {repo!r})
from core.paths import find_paths
from core.run import begin, cache, decided
env = dict(os.environ)
paths = find_paths(env)
words = ("build",)
began = time.process_time(), time.perf_counter()
command = begin.command_of(paths, words, os.getcwd(), env)
if {mode!r}:
    decided.load_plans()
    from core.plan import make
    prepared = make.prepare(paths, command, flag={mode!r}, may_ask=True)
    planned = make.finish(prepared, decided.own_target(command), cache.Chosen())
    assert not prepared.found.unasked, prepared.found.unasked
    assert planned.plan.mode == {mode!r}
else:
    assert not decided.is_planned_first(command, None)
print(json.dumps([1000 * (time.process_time() - began[0]), 1000 * (time.perf_counter() - began[1])]))
"""


def _once(mode: str, folder: str, env: dict[str, str]) -> tuple[float, float]:
    """CPU and wall time, milliseconds."""
    code = _WARM.format(repo=REPO, mode=mode)
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=folder, env=env, capture_output=True, check=True)
    cpu_ms, wall_ms = json.loads(done.stdout)
    return cpu_ms, wall_ms


def main() -> int:
    """Measure; 1 where the limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--slack", type=float, default=1.0, help="of a machine that others use: the limit, times this")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = plain_env(folder)
        root = os.path.join(folder, "ws")
        subprocess.run(["cargo", "new", "-q", "--vcs", "none", root], check=True, env=env)
        os.makedirs(root + "/.cargo")
        with open(root + "/.cargo/config.toml", "w", encoding="utf-8") as file:
            file.write(
                '[build]\njobs = 2\n[alias]\nxt = "run"\n[target.x86_64-unknown-linux-gnu]\nrustflags = ["-g"]\n'
            )
        cold_cpu_ms, cold_ms = _once("dev", root, env)
        figures = {mode or "none": [_once(mode, root, env) for _ in range(args.rounds)] for mode in ("dev", "")}
    for mode, rows in figures.items():
        cpu, wall = (statistics.median(column) for column in zip(*rows, strict=True))
        least = min(cpu for cpu, _ in rows)
        print(f"mode {mode}: {cpu:.1f} ms of CPU time (least {least:.1f}), {wall:.1f} ms; medians of {args.rounds}")
    print(f"the first time: {cold_ms:.0f} ms, {cold_cpu_ms:.0f} ms of it ours")
    warm_ms = statistics.median(cpu for cpu, _ in figures["dev"])
    print(f"limit: {LIMIT_MS * args.slack:.1f} ms")
    return 0 if warm_ms <= LIMIT_MS * args.slack else 1


if __name__ == "__main__":
    sys.exit(main())
