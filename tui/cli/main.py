"""Which command line goes to which module. On the start-up path of every build: it imports nothing else."""

import gc
import os
import sys

import core.run  # noqa: F401  # notes who our parent is, before it can die

VERSION = "0.1.0"
HELP = """\
cargo deck: one screen for every agent's build

  cargo deck                            the dashboard

run builds (cargo's own arguments; output, exit code and terminal as plain cargo)
  cargo deck build|check|test|clippy|run|doc|bench|nextest run …
  cargo deck exec -- CMD …              cmake, ninja, make, nvcc, anything
      --agent NAME                      who builds (else $AGENT_ID, the CI's name, the git worktree's)
      --cache none|sccache              compiler cache of this build (else config.toml's)
      --mode NAME                       settings for what the build is for: dev, test, release, … (docs/modes.md)
      --detach                          return at once with the run's id
      --brief                           errors, counts and the log's path, nothing else
  cargo deck run-all [NAME=]'CMD …' …   several at once
  cargo deck watch [--test NAME] [build …]   builds after each save what must be, runs a test
  cargo deck shim install               plain `cargo build` goes through cargo-deck too

plan them
  cargo deck plan [--mode M] [build …]  what would be set for a build, why, and what stands in its way
  cargo deck tools [install NAME]       what there is to build with, what would help, what is known to fail

look at them
  cargo deck ps | top                   who builds what, and how far
  cargo deck logs RUN [-f]              what it printed
  cargo deck wait RUN…                  until they end; their exit code
  cargo deck links                      what linking took; `links measure RUN`: what would make it less
  cargo deck kernels [RUN]              registers, spills and code of CUDA kernels, and what they were before
  cargo deck iterations [--levers FILE] what edits cost by kind, and what would make it less
  cargo deck locks [--prove]            who waits for whom; who runs the wrong program out of a shared target dir
  cargo deck why [RUN]                  why each unit was rebuilt, or was not although a file near it changed
  cargo deck stale [--prove]            native code that goes on old: inputs that nothing declares, skipped nvcc calls
  cargo deck prove [FILE…]              what an edit to each native source rebuilds, tried in a scratch world
  cargo deck advise [--measure]         what a split native crate, less debug, sccache, mold, more jobs would gain here

act on them (RUN: an id, the beginning of one, or an agent's name)
  cargo deck stop RUN… [--kill]         all of its processes, nothing else
  cargo deck restart RUN
  cargo deck forget RUN… | sweep        remove what is over; of an agent its newest run, with --all each
  cargo deck clean [cargo's words]      what a clean would lose, and the smallest one that helps

  cargo deck record RUN… -o FILE | replay FILE [--speed N]
  cargo deck cache [stats|log|…]        what compiler caches gave each agent; start, stop, zero, clear
  cargo deck config [default]           check config.toml, print one; docs/config.md
  cargo deck demo                       four agents build a sample workspace

--json: plan, tools, ps, top, logs, links, kernels, iterations, why, stale, prove, advise, watch, locks, cache, wait,
  stop, restart, forget, sweep, clean, record, shim, config.
--help: every command.
"""
_COMMANDS = {
    "run-all": ("tui.cli.run_all", "main"),
    "shim": ("tui.cli.shim", "main"),
    "plan": ("tui.cli.plan", "main"),
    "tools": ("tui.cli.tools", "main"),
    "ps": ("tui.cli.listing", "main"),
    "top": ("tui.cli.listing", "main_top"),
    "logs": ("tui.cli.logs", "main"),
    "links": ("tui.cli.links", "main"),
    "kernels": ("tui.cli.kernels", "main"),
    "locks": ("tui.cli.locks", "main"),
    "why": ("tui.cli.why", "main"),
    "stale": ("tui.cli.stale", "main"),
    "prove": ("tui.cli.prove", "main"),
    "advise": ("tui.cli.advise", "main"),
    "wait": ("tui.cli.wait", "main"),
    "watch": ("tui.cli.watch", "main"),
    "iterations": ("tui.cli.iterations", "main"),
    "stop": ("tui.cli.manage", "main_stop"),
    "restart": ("tui.cli.manage", "main_restart"),
    "forget": ("tui.cli.manage", "main_forget"),
    "sweep": ("tui.cli.manage", "main_sweep"),
    "record": ("tui.cli.record", "main_record"),
    "replay": ("tui.cli.record", "main_replay"),
    "demo": ("tui.cli.demo", "main"),
    "config": ("tui.cli.config", "main"),
    "cache": ("tui.cli.cache", "main"),
    "clean": ("tui.cli.clean", "main"),
    "_shim": ("tui.cli.build", "main_shim"),
}


def main(argv: list[str]) -> int:
    """Run one command; its exit code. Cargo starts us as `cargo-deck deck …`."""
    if argv[:1] == ["deck"]:
        argv = argv[1:]
    if not argv:
        return _dashboard()
    word = argv[0]
    if word in ("-h", "--help", "help") and len(argv) == 1:
        sys.stdout.write(HELP)
        return 0
    if word in ("-V", "--version") and len(argv) == 1:
        sys.stdout.write(f"cargo-deck {VERSION}\n")
        return 0
    if word in _COMMANDS:
        module, name = _COMMANDS[word]
        return _call(module, name, argv[1:])
    if word == "exec" or word.startswith(("-", "+")):
        return _call("tui.cli.build", "main", argv)
    return _cargo(word, argv)


def _cargo(word: str, argv: list[str]) -> int:
    """A cargo subcommand, an alias, an external; what looks like a slip of one of ours gets a hint."""
    from core.run import grammar

    if word not in grammar.COMMANDS and word not in grammar.ALIASES and word not in grammar.FOREIGN:
        from core.run.begin import parse_cargo

        _, settings = parse_cargo(tuple(argv), os.getcwd(), dict(os.environ))
        if word not in settings.aliases and not _is_external(word) and (meant := _slip_of(word)):
            sys.stderr.write(f"cargo-deck: there is no command {word[:60]!r}: did you mean `cargo deck {meant}`?\n")
            return 2
    return _call("tui.cli.build", "main", argv)


def _is_external(word: str) -> bool:
    return any(
        os.access(f"{folder}/cargo-{word}", os.X_OK) for folder in os.environ.get("PATH", "").split(":") if folder
    )


def _slip_of(word: str) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(word, [*_COMMANDS, "exec"], 1, 0.75)
    return near[0] if near else None


def _dashboard() -> int:
    if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        gc.disable()  # until the first paint: what is imported stays anyway, and walking it takes 20 of 240 ms
        return _call("tui.app", "main", [])
    return _call("tui.cli.listing", "main_top", ["--once"])


def _call(module: str, name: str, argv: list[str]) -> int:
    try:
        return int(getattr(__import__(module, fromlist=(name,)), name)(argv))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
