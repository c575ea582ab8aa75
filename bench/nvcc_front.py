"""Every call of nvcc is told, with its phases, and makes what it makes without us: real sources, plain and fronted.

`python -m bench.nvcc_front [--keep DIR] [--candle DIR --sppark DIR --samples DIR] [--kernels 99]`. Each set of calls
runs three times in one folder: plain, plain with `--time`, and through `cargo deck exec`. What is written is compared
byte by byte (objects without the names of temporary files, which plain nvcc varies), the notes with the calls that were
made and with nvcc's own table. Registers, spills, stack and shared memory of each kernel are compared with what
`-Xptxas -v` says in a further plain call. Then sccache before nvcc, and what the front itself takes.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figures, spread
from bench.nvcc_subjects import Call, candle, fetch, own, samples, small, sppark
from core.native.kernels.usage import parse_usage
from tests.real.nvcc import our_toolkit
from tests.real.product import Deck, temporary_deck, until

OWN_SHARE = 0.02
"""Of one core that the front may take for itself, of calls of a second and more."""
OWN_S = 0.03
"""Processor time of the front for a call that ends at once: an aim of our own."""
COVERED = 0.9
"""Of the time of a call that its phases account for."""
_FIGURES = ("registers", "spill_store_bytes", "spill_load_bytes", "stack_bytes", "shared_bytes")
_TEMPORARY = re.compile(rb"tmpxft_[0-9a-f]{8}_[0-9a-f]{8}-\d+")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", default="", help="folder for what is fetched")
    for name in ("candle", "sppark", "samples"):
        parser.add_argument(f"--{name}", default="", help="a folder that has its files already")
    parser.add_argument("--only", default="", help="one set of calls: small, sample, sppark, cuda-samples, candle")
    parser.add_argument("--kernels", type=int, default=99, help="at most so many of candle's")
    args = parser.parse_args()
    keep = os.path.abspath(args.keep) if args.keep else tempfile.mkdtemp(prefix="nvcc-front-")
    figures = Figures()
    with temporary_deck("nvcc-") as deck:
        home = our_toolkit()
        deck.env["PATH"] = f"{home}/bin:{deck.env['PATH']}"
        first = small(f"{deck.folder}/small")
        sets: dict[str, Callable[[], list[Call]]] = {
            "small": lambda: first,
            "sample": lambda: own(f"{deck.folder}/own"),
            "sppark": lambda: sppark(_copy(deck, "sppark", args.sppark or fetch("sppark", keep))),
            "cuda-samples": lambda: samples(_copy(deck, "samples", args.samples or fetch("cuda-samples", keep))),
            "candle": lambda: candle(_copy(deck, "candle", args.candle or fetch("candle", keep)), args.kernels),
        }
        for name, calls in sets.items():
            if args.only in ("", name):
                _compare(figures, deck, name, calls())
        deck.env["DECK_NVCC_CACHE"] = "off"  # what follows makes the same call again
        _cache(figures, deck, first[0])
        _cost(figures, deck, first[3])
    if not args.keep:
        shutil.rmtree(keep, ignore_errors=True)
    return figures.end("nvcc front")


def _copy(deck: Deck, name: str, place: str) -> str:
    """The sources where they can be written beside."""
    target = f"{deck.folder}/{name}"
    shutil.copytree(place, target, ignore=shutil.ignore_patterns(".git"), symlinks=True)
    return target


def _compare(figures: Figures, deck: Deck, name: str, calls: Sequence[Call]) -> None:
    script = f"{deck.folder}/{name}.sh"
    lines = [f"cd {shlex.quote(one.folder)} && nvcc {shlex.join(one.words)} || exit 1\n" for one in calls]
    Path(script).write_text("".join(lines))
    plain = _outputs(deck, ["sh", script], calls, {})
    table = f"{deck.folder}/{name}.csv"
    timed = _outputs(deck, ["sh", script], calls, {"NVCC_APPEND_FLAGS": f"--time={table}"})
    began = time.perf_counter()
    done = deck.run("exec", "--", "sh", script, timeout_s=3600)
    elapsed_s = time.perf_counter() - began
    fronted = [_read(one) for one in calls]
    begun, ended = _notes(deck)
    is_whole = done.returncode == 0 and [line["argv"] for line in begun] == [list(one.words) for one in calls]
    is_ended = [line["end"] for line in ended] == [line["nvcc"] for line in begun]
    figures.holds(f"{name}: every call is told", is_whole and is_ended, f"{len(begun)} in {elapsed_s:.0f} s")
    rows, told = _phases(table), [(phase, arch) for line in ended for phase, arch, _ in line["times"]]
    phases = f"{len(told)}: {', '.join(sorted({phase for phase, _ in told}))}"
    figures.holds("  phases are those of nvcc --time", rows == sorted(told, key=str), phases)
    for what, wanted in (("ptx and cubins", True), ("all else, without temporary names", False)):
        at = [number for number, one in enumerate(calls) if one.is_exact == wanted]
        if at:
            same = [calls[number].name for number in at if plain[number] == timed[number] == fronted[number] != b""]
            figures.holds(f"  {what} are the same", len(same) == len(at), f"{len(same)} of {len(at)}")
    shares = [sum(ms for *_, ms in line["times"]) / 1000 / line["elapsed_s"] for line in ended if "-t2" not in line]
    figures.at_least("  phases account for, median share", sorted(shares)[len(shares) // 2], COVERED, "{:.2f}",
                     spread(shares, "{:.2f}"))  # fmt: skip
    _told(figures, begun, ended)
    _kernels(figures, deck, calls)


def _told(figures: Figures, begun: list[dict[str, Any]], ended: list[dict[str, Any]]) -> None:
    """What stands beside the phases: memory, and code that was made on the way."""
    seen = {(tool, arch) for line in ended for tool, arch, _ in line["memory"]}
    made = {(phase, arch) for line in ended for phase, arch, ms in line["times"] if ms > 100}
    made = {one for one in made if one[0] != "nvcc (driver)"}
    figures.holds("  memory of each phase of 0.1 s and more", made <= seen, f"{len(made & seen)} of {len(made)}")
    cubins = sum(kind == "cubin" for line in ended for _, kind, _ in line["files"])
    wanted = sum(
        phase in ("ptxas", "nvlink") and arch.startswith("sm_") and begun[at]["output"][-6:] != ".cubin"
        for at, line in enumerate(ended)
        for phase, arch, _ in line["times"]
    )
    figures.holds("  each cubin made on the way is kept", cubins == wanted, f"{cubins} of {wanted}")


def _kernels(figures: Figures, deck: Deck, calls: Sequence[Call]) -> None:
    """Each figure of each kernel and arch, of all calls that make code, against `-Xptxas -v`."""
    run = os.path.basename(deck.runs()[-1])
    until(lambda: not os.path.exists(f"{deck.state}/open/{run}"), 600, f"the end of {run}")
    rows = deck.json("kernels", run, "--json")["kernels"]
    told = {(row["output"], row["arch"], row["name"]): tuple(row[name] for name in _FIGURES)
            for row in rows if not row["ptxas_arch"] and row["registers"] is not None}  # fmt: skip
    linked = {os.path.normpath(f"{one.folder}/{one.output}") for one in calls if "-dlink" in one.words}
    told = {key: figures for key, figures in told.items() if key[0] not in linked}  # ptxas has no part in those
    said = {key: figures for one in calls for key, figures in _said(deck, one).items()}
    same = sum(told.get(key) == figures for key, figures in said.items())
    figures.holds("  kernels have the figures of -Xptxas -v", told == said, f"{same} of {len(said)}, {len(told)} told")


def _said(deck: Deck, call: Call) -> dict[tuple[str, str, str], tuple[int | None, ...]]:
    """What ptxas says of each kernel, by output, arch and name."""
    if not {"-lib", "-dlink", "--ptx", "-ptx"}.isdisjoint(call.words):
        return {}
    argv = ["nvcc", "-Xptxas", "-v", *call.words]
    done = subprocess.run(argv, cwd=call.folder, env=deck.env, check=True, capture_output=True, text=True)
    path = os.path.normpath(f"{call.folder}/{call.output}")
    found = (usage.kernel for usage in parse_usage(done.stderr.splitlines()) if usage.is_entry)
    return {(path, one.arch, one.name): tuple(getattr(one, name) for name in _FIGURES) for one in found}


def _outputs(deck: Deck, argv: list[str], calls: Sequence[Call], env: Mapping[str, str]) -> list[bytes]:
    for one in calls:
        Path(one.folder, one.output).unlink(missing_ok=True)
    subprocess.run(argv, env={**deck.env, **env}, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = [_read(one) for one in calls]
    for one in calls:
        Path(one.folder, one.output).unlink(missing_ok=True)
    return found


def _read(call: Call) -> bytes:
    path = Path(call.folder, call.output)
    content = path.read_bytes() if path.exists() else b""
    return content if call.is_exact else _TEMPORARY.sub(b"tmpxft", content)


def _notes(deck: Deck) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Starts and ends of calls in the last run."""
    path = Path(deck.runs()[-1], "fronts", "nvcc.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if "nvcc" in line], [line for line in lines if "end" in line]


def _phases(table: str) -> list[tuple[str, str | None]]:
    """Phase and arch of each row of nvcc's table; the ptxas that only checks PTX has no name there."""
    found = []
    for line in Path(table).read_text().splitlines():
        fields = [field.strip() for field in line.split(" , ")]
        if fields[-1] == "ms":
            found.append((fields[1] or "ptxas", fields[4] or None))
    return sorted(found, key=str)


def _cache(figures: Figures, deck: Deck, call: Call) -> None:
    """Sccache before nvcc, filled by a plain call: it finds the same below us."""
    env = {**deck.env, "SCCACHE_DIR": f"{deck.folder}/sccache", "SCCACHE_SERVER_UDS": f"{deck.folder}/s.socket"}
    script = f"{deck.folder}/sccache.sh"
    Path(script).write_text(f"cd {call.folder} && sccache nvcc {shlex.join(call.words)}\n")
    subprocess.run(["sccache", "--start-server"], env=env, check=True, capture_output=True)
    try:
        subprocess.run(["sh", script], env=env, check=True, stderr=subprocess.DEVNULL)
        cold = _counted(env)
        deck.run("exec", "--", "sh", script, env=env)
        warm = _counted(env)
    finally:
        subprocess.run(["sccache", "--stop-server"], env=env, check=False, capture_output=True)
    hits = {name: count - cold["cache_hits"].get(name, 0) for name, count in warm["cache_hits"].items()}
    misses = {name: count - cold["cache_misses"].get(name, 0) for name, count in warm["cache_misses"].items()}
    more = f"hits {hits}, misses {misses}; cold misses {cold['cache_misses']}"
    figures.holds(
        "sccache before nvcc finds below us what it kept", any(hits.values()) and not any(misses.values()), more
    )


def _counted(env: Mapping[str, str]) -> dict[str, dict[str, int]]:
    words = ["sccache", "--show-stats", "--stats-format=json"]
    stats = json.loads(subprocess.run(words, env=env, check=True, capture_output=True).stdout)["stats"]
    return {name: stats[name]["counts"] for name in ("cache_hits", "cache_misses")}


def _cost(figures: Figures, deck: Deck, call: Call) -> None:
    """Processor time of the front alone: that of its whole call, without nvcc's."""
    deck.run("exec", "--", "nvcc", "--version")
    record = json.loads(Path(deck.runs()[-1], "run.json").read_text())
    notes = f"{deck.folder}/cost"
    os.mkdir(notes)
    env = {**deck.env, "PATH": ":".join((*record["launch"]["path_front"], deck.env["PATH"])), "DECK_FRONTS": notes}
    for words, count in ((call.words, 5), (("--version",), 20)):
        own, of_core = [], []
        for _ in range(count):
            child = subprocess.Popen(["nvcc", *words], cwd=call.folder, env=env, stdout=subprocess.DEVNULL)
            _, child.returncode, usage = os.wait4(child.pid, 0)
            end = json.loads(Path(notes, "nvcc.jsonl").read_text().splitlines()[-1])
            own.append(usage.ru_utime + usage.ru_stime - end["user_s"] - end["sys_s"])
            of_core.append(own[-1] / end["elapsed_s"])
        if words == call.words:
            figures.at_most("front, of one core while nvcc runs", statistics.median(of_core), OWN_SHARE, "{:.4f}")
        else:
            figures.at_most("front, of a call that ends at once, s", statistics.median(own), OWN_S, "{:.4f}")


if __name__ == "__main__":
    sys.exit(main())
