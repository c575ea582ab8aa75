"""`cargo deck plan`: what would be set for a build, why, at which price, and what stands in its way."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

from core.clock import monotonic
from core.errors import ModeRefused, UsageError
from core.paths import Paths
from core.plan.choose import FLAG, all_modes
from core.plan.make import Planned, preview
from core.run import begin
from tui.cli import common
from tui.cli import plan_words as words_of
from tui.cli.events import plain
from tui.cli.plan_modes import difference_lines, differences, mode_lines
from tui.cli.plan_record import copy_record, differences_record, modes_record, record, troubles_of

Maker = Callable[..., Planned]
"""As `core.plan.make.preview`: with the diffs that mend its findings."""
_OWN_VALUES = ("--mode", "--diff", "--agent")
_OWN_FLAGS = ("--json", "--shell", "--modes", "--why", "--help", "-h")
_OWN_FIRST = ("--all", "-v")
"""Ours only before cargo's own words, which have the same."""
_WALK_S = 0.3
"""How long may be looked for the size of a folder."""
EXIT_TROUBLE = 2
EXIT_CODES = (
    "Exit code: 0, the plan is shown, also where it says that the build will fail, as without a linker; 2, the command "
    "line, a mode, a manifest, or a file or variable with settings cannot be used, and the rest of the plan is shown "
    "where there is one; 125, cargo-deck failed; 130, it was interrupted."
)


def main(argv: list[str]) -> int:
    """Show the plan of a cargo command; exit code as `EXIT_CODES` says."""
    return common.guarded(lambda words: run(words, preview, dict(os.environ)), argv)


def run(argv: list[str], maker: Maker, env: dict[str, str]) -> int:
    """The same with a maker of plans.

    Raises:
        UsageError: The command line cannot be used, or a mode that it names does not exist.
    """
    own, words = split(argv)
    given = _parser().parse_args(own)
    if given.diff is not None and (given.shell or given.modes):
        raise UsageError("--diff goes with the table or with --json")
    if given.json and given.shell:
        raise UsageError("--json goes with the table, --diff or --modes, not with --shell")
    words = _cargo_words(words)
    paths, cwd = common.user_paths(), common.current_folder()

    def make(mode: str | None) -> Planned:
        return maker(paths, words=words, cwd=cwd, env=env, mode=mode, agent=given.agent or "")

    planned = _made(make, given.mode, "--mode")
    _say_troubles(planned)
    if given.shell:
        _print_shell(planned, words, cwd, env)
    elif given.modes:
        _print_modes(planned, paths, env, given)
    elif given.diff is not None:
        _print_difference(planned, _made(make, given.diff, "--diff"), words, given)
    else:
        _print_plan(planned, words, given, is_ours=with_flags(words, ("",), cwd, env) is not None)
    return EXIT_TROUBLE if troubles_of(planned) else 0


def _say_troubles(planned: Planned) -> None:
    for one in troubles_of(planned):
        common.say(plain(one.sentence))


def _made(make: Callable[[str | None], Planned], mode: str | None, option: str) -> Planned:
    """The plan with a mode that an option of ours names.

    Raises:
        ModeRefused: It cannot be used.
    """
    try:
        return make(mode)
    except ModeRefused as error:
        raise ModeRefused(str(error).replace(f"{FLAG}:", f"{option}:", 1)) from None


def split(argv: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Our options, and cargo's words: ours are taken from before cargo's `--`."""
    own: list[str] = []
    words: list[str] = []
    i = 0
    while i < len(argv):
        word = argv[i]
        name = word.partition("=")[0]
        i += 1
        if word == "--":
            return own, (*words, *(argv[i:] if not words else argv[i - 1 :]))
        if name in _OWN_VALUES:
            own += argv[i - 1 : i + 1] if name == word else [word]
            i += name == word
        elif name in _OWN_FLAGS or (not words and name in _OWN_FIRST):
            own.append(word)
        elif not words and word.startswith("-"):
            raise UsageError(
                f"{plain(word[:60])!r} is no option of plan: cargo's own come after its subcommand, "
                "`cargo deck plan build --release`; see `cargo deck plan --help`"
            )
        else:
            words.append(word)
    return own, tuple(words)


def _parser() -> common.Parser:
    parser = common.make_parser("plan", "What would be set for a cargo command (`build` where none is named), whose "
                                "decision each setting is, and what stands in the way. Nothing is built.")  # fmt: skip
    parser.usage = "cargo deck plan [OPTIONS] [--] [CARGO WORDS…]"
    parser.epilog = EXIT_CODES
    parser.add_argument("--mode", metavar="NAME", help="as if this mode were chosen")
    parser.add_argument("--modes", action="store_true", help="list the modes there are, and which one is chosen")
    parser.add_argument("--diff", metavar="MODE", help="what would change in another mode; `none` is without one")
    parser.add_argument("--why", "-v", action="store_true", help="the reason of each setting, and what mends a finding")
    parser.add_argument("--all", action="store_true", help="also each setting that stays as cargo has it; before "
                        "cargo's words")  # fmt: skip
    parser.add_argument("--shell", action="store_true", help="lines for sh that build so without "
                        'cargo-deck: eval "$(cargo deck plan --shell …)"')  # fmt: skip
    parser.add_argument("--agent", metavar="NAME", help="as if this agent built")
    return parser


def _cargo_words(words: tuple[str, ...]) -> tuple[str, ...]:
    words = words[1:] if words[:1] == ("cargo",) else words
    if words[:1] == ("exec",):
        raise UsageError("a plan is made for a command of cargo, not for exec")
    return words or ("build",)


# For people


def _look(given: Any) -> words_of.Look:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else words_of.COLUMNS
    return words_of.Look(width, common.has_colour(), given.why, given.all)


def _print_plan(planned: Planned, words: tuple[str, ...], given: Any, *, is_ours: bool) -> None:
    copy = copy_of(planned)
    if given.json:
        common.print_json("plan", **record(planned, words, copy))
        return
    if is_ours:
        _print(words_of.lines(planned, words, _look(given), copy))
    else:
        _print(words_of.untouched_lines(planned, words, _look(given)))


def _print_difference(before: Planned, after: Planned, words: tuple[str, ...], given: Any) -> None:
    copy = copy_of(after)
    if not given.json:
        _print(difference_lines(before, after, words, _look(given), copy))
        return
    changes = differences_record(differences(before.plan, after.plan))
    common.print_json("plan-diff", words=list(words), before=before.plan.mode or None, after=after.plan.mode or None,
                      changes=changes, copy=copy_record(copy))  # fmt: skip


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        common.print_text(line)


def _print_shell(planned: Planned, words: tuple[str, ...], cwd: str, env: dict[str, str]) -> None:
    wish = planned.wish
    private = ("--target-dir", wish.target_dir) if wish.target_dir_source == "private" else ()
    whole = with_flags(words, (*private, *planned.plan.flags), cwd, env)
    if whole is None:
        common.say("cargo-deck does not know all of this command line, so it sets nothing in it")
        whole = words
    if wish.cache.startswith("sccache "):
        common.say("the cache is not in it: its server is cargo-deck's own")
    for line in words_of.shell_lines(planned.plan, whole):
        common.print_bytes(os.fsencode(line) + b"\n")  # a path that is no text has to come back as it is


def with_flags(words: tuple[str, ...], flags: tuple[str, ...], cwd: str, env: dict[str, str]) -> tuple[str, ...] | None:
    """The words after `cargo` with a plan's flags where cargo takes them; None: there is no such place."""
    if not flags:
        return words
    parsed = begin.parse_cargo(words, cwd, env)[0]
    if parsed.command is None or not parsed.is_known:
        return None
    return (*words[: parsed.insert_at], *flags, *words[parsed.insert_at :])


# The price of a second copy


def copy_of(planned: Planned) -> words_of.Size | None:
    """How large the folder is beside whose units others would lie; None: nothing that is set changes a hash."""
    folder = words_of.profile_folder(planned)
    if not folder or not words_of.changes_hashes(planned.plan):
        return None
    return folder_size(folder, monotonic, _WALK_S)


def folder_size(folder: str, clock: Callable[[], float], limit_s: float) -> words_of.Size:
    """Bytes of all files below a folder, hard links once, until the time is over; 0 where there is none."""
    until = clock() + limit_s
    total = 0
    seen: set[tuple[int, int]] = set()
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if clock() > until:
                        return words_of.Size(folder, total, False)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    held = entry.stat(follow_symlinks=False)
                    key = (held.st_dev, held.st_ino)
                    if held.st_nlink == 1 or key not in seen:
                        seen.add(key)
                        total += held.st_size
        except (OSError, ValueError):
            continue
    return words_of.Size(folder, total, True)


# Modes


def _print_modes(planned: Planned, paths: Paths, env: dict[str, str], given: Any) -> None:
    modes = all_modes(paths.cache, planned.found.root, env)
    if given.json:
        common.print_json("plan-modes", **modes_record(planned, modes))
    else:
        _print(mode_lines(planned, modes, _look(given)))
