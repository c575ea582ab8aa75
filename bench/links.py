"""Each link is told, with its true peak; a build without us afterwards finds all as it was, and caches their keys.

`python -m bench.links [--binaries 5] [--many 50]`. Behind our front stands a small C program as `cc`: it measures the
same link by `wait4` on its own child, and a child that a linker leaves behind (mold's) by `waitid` without taking it
from our front. Workspaces of binaries, the later ones with up to `--sections` sections of machine code, so that links
take from 40 ms to seconds; with rust-lld, bfd and mold; debug and release. Then a build with many links, links that are
only sampled (clang), and sccache with and without us.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

from bench.figures import Figures, spread
from bench.link_keys import check_keys
from bench.link_world import Told, build, measuring_cc, read_peaks, write_workspace
from core.watch.links import LinkNotes
from core.watch.sampled_links import LOOK_S, LinkRun, SampledLinks
from tests.real.product import Deck, temporary_deck

OFF_SHARE = 0.05
SAMPLED_OFF_SHARE = 0.25
"""Of links that take at least `_LONG_S`: an aim of our own."""
_LONG_S = 0.25
LOOK_SHARE = 0.01
"""Of one core, while something links that no front tells of."""
LINKERS = ("rust-lld", "bfd", "mold")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=int, default=5, help="of each of six builds")
    parser.add_argument("--many", type=int, default=50, help="links of one build")
    parser.add_argument("--sections", type=int, default=120_000, help="of the largest link")
    args = parser.parse_args()
    figures = Figures()
    with temporary_deck() as deck:
        tools = measuring_cc(deck)
        told: list[Told] = []
        for linker in LINKERS:
            if linker == "mold" and shutil.which("mold") is None:
                figures.note("mold", "is not installed")
                continue
            for profile in ("debug", "release"):
                told += _measure(figures, deck, tools, (linker, profile), args)
        seconds = sorted(one.elapsed_s for one in told)
        more = f"{len(told)} links, {seconds[0]:.2f} to {seconds[-1]:.1f} s, median and middle half "
        more += spread([one.off for one in told], "{:.3f}")
        figures.at_most("a peak is off by at most, share", max(one.off for one in told), OFF_SHARE, "{:.3f}", more)
        _build_many(figures, deck, tools, args.many)
        _sample(figures, deck, args)
        check_keys(figures, deck)
    return figures.end("links")


def _measure(figures: Figures, deck: Deck, tools: str, kind: tuple[str, str], args: argparse.Namespace) -> list[Told]:
    """One clean build with a linker and a profile; its links."""
    linker, profile = kind
    folder = f"{deck.folder}/{linker}-{profile}"
    write_workspace(folder, args.binaries, args.sections)
    words = ["build", *(["--release"] if profile == "release" else [])]
    flags = {} if linker == "rust-lld" else {"RUSTFLAGS": f"-Clink-arg=-fuse-ld={linker}"}
    env = {"PATH": f"{tools}:{deck.env['PATH']}", **flags}
    ends = build(deck, words, folder, env)
    true = read_peaks(deck)
    told = [Told(end, true.get(str(end["output"]), 0)) for end in ends]
    again = subprocess.run(
        ["cargo", *words, "-v"], cwd=folder, env={**deck.env, **flags}, capture_output=True, text=True, check=True
    ).stderr
    names = {str(end["output"]) for end in ends}
    is_whole = names == true.keys() and len(ends) == len(names) > args.binaries  # build scripts are links too
    more = (
        f"{len(ends)} of {len(true)}, {min(x.elapsed_s for x in told):.2f} to {max(x.elapsed_s for x in told):.1f} s, "
    )
    more += f"peaks {min(x.peak_bytes for x in told) / 1e6:.0f} to {max(x.peak_bytes for x in told) / 1e6:.0f} M"
    figures.holds(f"{linker}, {profile}: every link is told", is_whole, more)
    figures.holds("  its linker is named", {end["linker"] for end in ends} == {linker})
    is_size = all(end["output_bytes"] == os.path.getsize(str(end["output"])) for end in ends)
    figures.holds("  sizes are those on the disk", is_size)
    figures.holds("  plain cargo afterwards builds nothing", "Fresh" in again and "Compiling" not in again)
    shutil.rmtree(folder)
    return told


def _build_many(figures: Figures, deck: Deck, tools: str, count: int) -> None:
    folder = deck.folder + "/many"
    write_workspace(folder, count, 0)
    ends = build(deck, ["build"], folder, {"PATH": f"{tools}:{deck.env['PATH']}"})
    true = read_peaks(deck)
    missing = true.keys() - {str(end["output"]) for end in ends}
    more = f"{len(ends)} of {len(true)}, {sum(not end['is_sampled'] for end in ends)} by the front"
    figures.holds(f"a build with {count} links: all are told", not missing and len(ends) == count, more)
    shutil.rmtree(folder)


def _sample(figures: Figures, deck: Deck, args: argparse.Namespace) -> None:
    """Links of clang, which no front sees: told of in time, and what looking for them costs."""
    if shutil.which("clang") is None:
        figures.note("clang", "is not installed")
        return
    folder = deck.folder + "/clang"
    write_workspace(folder, args.binaries, args.sections)
    tools = measuring_cc(deck, "clang")
    flags = {"RUSTFLAGS": "-Clinker=clang -Clink-arg=-fuse-ld=lld", "PATH": f"{tools}:{deck.env['PATH']}"}
    ends = build(deck, ["build"], folder, flags)
    true = read_peaks(deck)
    told = [Told(end, true[str(end["output"])]) for end in ends]
    known = [one for one in told if one.peak_bytes]
    long = [one for one in known if one.elapsed_s >= _LONG_S]
    figures.holds("clang: its links are told, as sampled", bool(told) and all(end["is_sampled"] for end in ends),
                  f"{len(told)} of {len(true)}, {len(told) - len(known)} of them without a peak")  # fmt: skip
    if long:
        figures.at_most(f"  a peak of those over {_LONG_S} s is off by", max(one.off for one in long),
                        SAMPLED_OFF_SHARE, "{:.3f}", spread([one.off for one in known], "{:.3f}"))  # fmt: skip
    shutil.rmtree(folder + "/target")
    share, looks = _cost_of_looking(folder, {**deck.env, **flags})
    figures.at_most("  looking costs, share of a core", share, LOOK_SHARE, "{:.4f}", f"{looks} looks")
    shutil.rmtree(folder)


def _cost_of_looking(folder: str, env: dict[str, str]) -> tuple[float, int]:
    """CPU time of looks at a build, over the time that it takes; and how many there were."""
    links = SampledLinks(time.time)
    child = subprocess.Popen(["cargo", "build", "-q"], cwd=folder, env=env)
    runs = {"r": LinkRun("r", child.pid, LinkNotes("/nowhere", lambda output: None), lambda: None)}
    began, cpu_s, looks = time.monotonic(), 0.0, 0
    while child.poll() is None:
        before_s = time.thread_time()
        links.look(runs)
        cpu_s, looks = cpu_s + time.thread_time() - before_s, looks + 1
        time.sleep(LOOK_S)
    return cpu_s / (time.monotonic() - began), looks


if __name__ == "__main__":
    sys.exit(main())
