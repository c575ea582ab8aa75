"""From what a person typed to what is executed: which flags of ours go where, and what the caller is shown.

A pure function of (command line, cargo's settings, what the caller's streams are).
"""

import shlex
from collections.abc import Mapping
from typing import Literal, NamedTuple

from core.run import handoff
from core.run.config import CargoConfig
from core.run.grammar import Parsed

WIDE = 240
"""Columns of a progress line that only we read; narrower ones cut the names of units."""
_WIDTH_VARIABLE = "__CARGO_TEST_TTY_WIDTH_DO_NOT_USE_THIS"
"""Cargo's own tests set it; a cargo without it cuts at 140 columns."""
_NEXTEST_PROGRESS = "NEXTEST_SHOW_PROGRESS"
_RUNS_NO_PROGRAM = ("build", "check", "clippy", "doc", "rustc", "rustdoc", "fix", "run")
"""`run` on a terminal hands over, and the program does not get it."""
_NO_CAPTURE = ("--nocapture", "--no-capture")
_UNTOUCHED = ("unit-graph", "build-plan", "help", "version", "explain")


class Caller(NamedTuple):
    """The caller's streams."""

    out_tty: bool
    err_tty: bool
    is_one_stream: bool
    """stdout and stderr are one object."""
    columns: int
    """Of the terminal behind stderr; 0 where there is none."""

    @property
    def has_terminal(self) -> bool:
        """Somebody sees it."""
        return self.out_tty or self.err_tty


NOBODY = Caller(out_tty=False, err_tty=False, is_one_stream=True, columns=0)
"""A detached run: no caller, one log."""


class Composed(NamedTuple):
    """The command line to execute and how its output is to be read."""

    words: tuple[str, ...]
    """After `cargo`."""
    json: Literal["ours", "user", "none"]
    """`ours`, `user`, `none`: see docs/internals.md."""
    cut_progress: bool
    """The log has progress lines that the caller would not have had."""
    has_progress: bool
    env: tuple[tuple[str, str], ...]
    """Variables that make cargo write for the caller's terminal."""
    cut_own_args: bool
    """Cargo shows arguments of ours in its `Running` lines."""
    is_handoff: bool
    parser: Literal["cargo", "nextest", "generic"]


def compose(parsed: Parsed, config: CargoConfig, caller: Caller, env: dict[str, str], *, target_dir: str | None,
            can_hand_over: bool, own_harnesses: frozenset[str] = frozenset(),
            more: tuple[str, ...] = ()) -> Composed:  # fmt: skip
    """What to execute for a cargo command line; `more`: further flags for cargo."""
    command = parsed.command
    if command is None or not parsed.is_known or any(name in parsed.options for name in _UNTOUCHED):
        parser: Literal["cargo", "nextest", "generic"] = "generic" if command is None else command.parser
        given = parsed.options.get("message-format", [])
        return Composed(parsed.words, "user" if _is_json(given) else "none", False, False, (), False, False, parser)
    ours: list[str] = []
    json = _message_format(parsed, ours)
    dropped = ("message-format",) if json == "ours" else ()
    is_quiet = config.quiet or "quiet" in parsed.options or "cargo-quiet" in parsed.options
    shows_progress = _shows_progress(parsed, config, caller, env, is_quiet=is_quiet)
    has_progress = not is_quiet and not (config.progress == "always" and not caller.err_tty) and (
        not any(value.startswith("term.") for value in parsed.options.get("config", []))
    )  # fmt: skip
    if has_progress:
        width = caller.columns if shows_progress and caller.columns else WIDE
        ours += ["--config", 'term.progress.when="always"', "--config", f"term.progress.width={width}"]
    if shows_progress and caller.err_tty and _has_title_bar(env):
        ours += ["--config", "term.progress.term-integration=true"]
    if _wants_color(caller.err_tty, env) and "color" not in parsed.options and config.color in (None, "auto"):
        ours += ["--color", "always"]
    if target_dir is not None:
        ours += ["--target-dir", target_dir]
    ours += more
    is_handoff = can_hand_over and command.name == "run" and caller.out_tty and not config.has_runner
    if is_handoff:
        ours += ["--config", handoff.runner_config()]
    test_args = _test_color(parsed, caller, env)
    has_runner = is_handoff
    if test_args and own_harnesses:
        has_runner = not config.has_runner
        if has_runner:
            ours += ["--config", handoff.color_config(own_harnesses)]
        else:
            test_args = ()
    return Composed(
        words=_insert(parsed, tuple(ours), test_args, dropped),
        json=json,
        cut_progress=has_progress and not shows_progress,
        has_progress=has_progress or shows_progress,
        env=_terminal_env(command.name, caller, env),
        cut_own_args=bool(test_args) or has_runner or (json == "ours" and _shows_commands(parsed)),
        is_handoff=is_handoff,
        parser=command.parser,
    )  # fmt: skip


def command_line(words: tuple[str, ...]) -> str:
    """The words as a person would type them."""
    return shlex.join(words)


def _is_json(given: list[str]) -> bool:
    return any(value.startswith("json") for value in given)


def _message_format(parsed: Parsed, ours: list[str]) -> Literal["ours", "user", "none"]:
    """Choose the message format: the user's own JSON stays, everything else becomes ours."""
    assert parsed.command is not None
    if not parsed.command.has_json:
        return "none"
    given = parsed.options.get("message-format", [])
    if _is_json(given) or len(given) > 1:
        return "user" if _is_json(given) else "none"
    match given:
        case [] | ["human"]:
            ours.append("--message-format=json-render-diagnostics")
        case ["short"]:
            ours.append("--message-format=json-render-diagnostics,json-diagnostic-short")
        case _:
            return "none"
    return "ours"


def _shows_progress(parsed: Parsed, config: CargoConfig, caller: Caller, env: dict[str, str], *,
                    is_quiet: bool) -> bool:  # fmt: skip
    """Plain cargo would have drawn a progress bar for this caller. Source: cargo 1.95 util/progress.rs."""
    if config.progress == "always":
        return True
    if config.progress == "never" or is_quiet or not caller.err_tty:
        return False
    return env.get("TERM") != "dumb" and "CI" not in env and "TF_BUILD" not in env


def _shows_commands(parsed: Parsed) -> bool:
    """Test runs show rustdoc's command line with `-v`, and in it that messages are JSON."""
    return parsed.command is not None and parsed.command.after == "libtest" and "verbose" in parsed.options


def _has_title_bar(env: Mapping[str, str]) -> bool:
    """The terminal shows progress in its title bar (OSC 9;4). Source: cargo 1.95 core/shell.rs."""
    program = env.get("TERM_PROGRAM")
    return (
        "WT_SESSION" in env
        or env.get("ConEmuANSI") == "ON"
        or program in ("WezTerm", "ghostty")
        or (program == "iTerm.app" and "P" in env.get("TERM_FEATURES", ""))
    )


def _terminal_env(command: str, caller: Caller, env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What makes a tool write into a file as it would to the caller's terminal.

    Diagnostics are cut to the terminal's width, which cargo asks of stderr: a file has none. Not where programs of
    the user run: a nested cargo would inherit it. nextest counts tests in each line where it cannot draw its bar.
    """
    if command == "nextest" and caller.err_tty and _NEXTEST_PROGRESS not in env:
        return ((_NEXTEST_PROGRESS, "none"),)
    if not caller.err_tty or not caller.columns or command not in _RUNS_NO_PROGRAM:
        return ()
    return ((_WIDTH_VARIABLE, str(caller.columns)),)


def _wants_color(is_tty: bool, env: dict[str, str]) -> bool:
    """A stream of the caller's would have been coloured, which our log file would not be.

    `CLICOLOR_FORCE` and `NO_COLOR` act on files by themselves. Source: anstyle-query 1.1.
    """
    if not is_tty or env.get("NO_COLOR") or env.get("CLICOLOR") == "0":
        return False
    term = env.get("TERM", "")
    return (term not in ("", "dumb")) or "CLICOLOR" in env or "CI" in env


def _test_color(parsed: Parsed, caller: Caller, env: dict[str, str]) -> tuple[str, ...]:
    """libtest colours only a terminal: told so where the caller has one and said nothing else."""
    assert parsed.command is not None
    if parsed.command.after != "libtest" or not caller.out_tty or "no-run" in parsed.options:
        return ()
    rest = parsed.words[parsed.dashes_at + 1 :] if parsed.dashes_at is not None else ()
    is_decided = any(word in (*_NO_CAPTURE, "--list") or word.startswith("--color") for word in rest)
    if is_decided or env.get("RUST_TEST_NOCAPTURE", "0") != "0":
        return ()
    return ("--color", "always")


def _insert(
    parsed: Parsed, ours: tuple[str, ...], test_args: tuple[str, ...], dropped: tuple[str, ...]
) -> tuple[str, ...]:
    end = len(parsed.words) if parsed.dashes_at is None else parsed.dashes_at
    own = list(parsed.words[parsed.insert_at : end])
    for name in dropped:
        own = _without(own, "--" + name)
    tail = parsed.words[end:]
    if test_args:
        tail = (*(tail or ("--",)), *test_args)
    return (*parsed.words[: parsed.insert_at], *ours, *own, *tail)


def _without(words: list[str], option: str) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == option:
            skip = True
        elif not word.startswith(option + "="):
            kept.append(word)
    return kept
