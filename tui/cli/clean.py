"""`cargo deck clean`, and `cargo clean` by way of the shim: says what would be lost, offers the smallest that helps."""

import os
import sys
import time
from collections.abc import Sequence

from core.clock import monotonic, wall_clock
from core.errors import StateError, UsageError
from core.native.cleans import clean, clean_notes, cmake_folder
from core.native.cleans.clean_words import read_words
from core.paths import Paths
from core.run import begin, grammar, handoff
from tui.cli import clean_shown as shown
from tui.cli import common

_LOOK_FOR_S, _TOLD_FOR_S = 0.4, 3.0
"""How long a clean that nobody watches may be looked at before it is done: cargo's by the shim, one that is ours."""
_WATCHED_FOR_S = 20.0
_NAP_S = 0.3
_BUSY = 1
_HELP = """\
usage: cargo deck clean [--yes | --dry-run] [--json] [--agent NAME] [--cmake FOLDER | CARGO'S WORDS…]

Says what `cargo clean` would take away and how long it takes to make it again, whether the last log asks for a clean,
and offers the smallest one that mends what it tells of. Takes all words of `cargo clean`. Cleans the target dir in
which your agent builds, private ones too; never while somebody builds there.

  --cmake FOLDER   only this build folder of CMake's, and what has its build script run again
  --yes            do what was typed, do not ask
  --dry-run        only say it
  --json           the same for programs; asks nobody, so with --yes or --dry-run

Without a terminal it says on stderr, in one to three lines, what goes, whether the last log asks for it, and the
smaller clean that would do; then it is `cargo clean`.
"""


def main(argv: list[str]) -> int:
    """Clean; the exit code of cargo, 1 where somebody builds there."""
    return common.guarded(_clean, argv)


def main_shim(argv: list[str]) -> int:
    """The same for the shim: what was typed after `cargo`."""
    at = grammar.split_globals(tuple(argv))
    globals_, words = argv[:at], argv[at + 1 :]
    if globals_ or _is_for_cargo(words) or not _has_terminal() or os.environ.get("DECK_RUN"):
        return common.guarded(lambda typed: _plain(tuple(typed), at), argv)
    return common.guarded(_clean, words)


def _clean(argv: list[str]) -> int:
    words = read_words(argv)
    if words.has("help"):
        common.print_text(_HELP.rstrip())
        return 0
    if not words.has_ours and (not words.is_known or not _has_terminal() or os.environ.get("DECK_RUN")):
        return _plain(("clean", *argv), 0, is_told=True)
    if not words.is_known and argv[-1] in ("--cmake", "--agent"):
        raise UsageError(f"{argv[-1]} needs a value: see `cargo deck clean --help`")
    if not words.is_known:
        raise UsageError(f"cargo deck clean does not know {' '.join(argv)[:80]!r}: see `cargo deck clean --help`")
    if words.has("json") and not (words.has("yes") or words.has("dry-run")):
        raise UsageError("--json asks nobody: with --yes it does what was typed, with --dry-run it only says it")
    if words.value("cmake") and (words.packages or words.profile or words.has("doc") or words.has("workspace")):
        raise UsageError("--cmake names all that is to be removed: it stands alone")
    paths = common.user_paths()
    here = clean.find_here(paths, words, os.getcwd(), dict(os.environ))
    return _Session(paths, here).run()


class _Session:
    """One clean, from what would be lost to what was done."""

    def __init__(self, paths: Paths, here: clean.Here) -> None:
        self._paths, self._here, self._words = paths, here, here.words
        self._is_json = here.words.has("json")
        self._users = clean.users_of(paths, here, wall_clock())
        ends = monotonic() + _WATCHED_FOR_S
        self._figures = clean.Figures(paths, here, lambda: monotonic() < ends)
        self._last = clean.last_log(paths, here)
        self._marked: cmake_folder.Marked | None = None
        if folder := here.words.value("cmake"):
            self._marked = self._mark(folder)
        self._choices = clean.choices_of(self._figures, here, self._last)

    def run(self) -> int:
        """Say it, ask where that is to be done, do it; exit code."""
        is_dry = self._words.has("dry-run")
        if not self._is_json:
            self._tell()
            if is_dry and len(self._choices) > 1:
                common.print_text("\n".join(shown.menu(self._choices)))
        if self._users and not is_dry:
            return self._refuse()
        chosen = None if is_dry else self._chosen()
        code = self._do(chosen) if chosen is not None else 0
        if self._is_json:
            self._print(is_dry=is_dry, chosen=chosen, code=code)
        return code

    def _tell(self) -> None:
        place = shown.place(self._here)
        own = self._here.target.path
        others = [path for path in clean.private_dirs(self._paths, self._here.checkout) if path != own]
        for line in (
            *shown.lines(place, self._choices[-1], self._last, wall_clock()),
            *shown.others(others if self._words.is_whole else ()),
        ):
            common.print_prose(line)

    def _refuse(self) -> int:
        for user in self._users:
            common.say(f"not cleaned: {user} builds in {self._here.target.path}")
        if self._is_json:
            self._print(is_dry=False, chosen=None, code=_BUSY)
        return _BUSY

    def _chosen(self) -> clean.Choice | None:
        """What is to be done; None: nothing. Where nothing would go there is nothing to ask."""
        if self._words.has("yes") or not _has_terminal() or not any(choice.loss.files for choice in self._choices):
            return self._choices[-1]
        for line in shown.menu(self._choices):
            common.print_text(line)
        try:
            answer = input("Which one? [number, Enter: none] ").strip()
        except EOFError:
            return None
        return self._choices[int(answer) - 1] if answer in map(str, range(1, len(self._choices) + 1)) else None

    def _do(self, choice: clean.Choice) -> int:
        """Do it, with a note of it; cargo's exit code."""
        if self._users_now():
            return self._refuse()
        folder = read_words(choice.words).value("cmake")
        _note(self._paths, self._here, choice, self._last)
        if folder:
            marked = self._marked or self._mark(folder)
            cmake_folder.remove(marked)
            if not self._is_json:
                common.print_text(shown.removed(marked, choice))
            return 0
        return _call_cargo(self._here, choice.words, is_quiet=self._is_json)

    def _users_now(self) -> bool:
        """Somebody began to build meanwhile."""
        self._users = clean.users_of(self._paths, self._here, wall_clock())
        return bool(self._users)

    def _mark(self, folder: str) -> cmake_folder.Marked:
        here = self._here
        return cmake_folder.mark(
            folder, cwd=here.cwd, target_dir=here.build_dir or here.target.path or "", checkout=here.checkout
        )

    def _print(self, *, is_dry: bool, chosen: clean.Choice | None, code: int) -> None:
        fields = shown.record(self._here, self._choices, self._last, self._users)
        done = " ".join(chosen.words) if chosen is not None and code == 0 else None
        common.print_json("clean", **fields, is_dry_run=is_dry, cleaned=done, code=code)


def _plain(argv: tuple[str, ...], at: int, *, is_told: bool = False) -> int:
    """Become `cargo clean`; before that, what will be lost is said and noted.

    Args:
        argv: What follows `cargo`, with `clean` at index `at`.
        at: Where.
        is_told: It is ours, not cargo's by the shim: all is said, of a `--dry-run` too.
    """
    env = dict(os.environ)
    cargo = begin.find_cargo(env)
    if cargo is None:
        raise StateError("cargo was not found on PATH: install Rust (https://rustup.rs)")
    words = argv
    if not env.get("DECK_RUN"):
        try:
            words = _noted(argv, at, env, is_told=is_told)
        except Exception as error:  # whatever fails of ours: the clean must not
            common.say(f"not noted: {error}")
    handoff.restore_signals()
    sys.stdout.flush()
    os.execve(cargo, ("cargo", *words), env)


def _noted(argv: tuple[str, ...], at: int, env: dict[str, str], *, is_told: bool) -> tuple[str, ...]:
    """Wait until nobody builds there, say and note what will be lost; the words for cargo."""
    words = read_words(argv[at + 1 :])
    is_dry = words.has("dry-run")
    if _is_for_cargo(argv[at + 1 :]) or (is_dry and not is_told):
        return argv
    paths = common.user_paths()
    here = clean.find_here(paths, words, grammar.folder_of(argv, os.getcwd()), env)
    if not here.target.path or not os.path.isdir(here.target.path):
        return argv
    if not is_dry:
        _await(paths, here)
    ends = monotonic() + (_TOLD_FOR_S if is_told else _LOOK_FOR_S)
    figures = clean.Figures(paths, here, lambda: monotonic() < ends)
    typed = figures.choice(words.cargos)
    last = clean.last_log(paths, here) if monotonic() < ends else None
    if is_told and not words.has("quiet"):
        choices = (*clean.choices_of(figures, here, last)[:-1], typed) if monotonic() < ends else (typed,)
        for line in shown.brief(choices, last, wall_clock()):
            common.say(line)
    if not is_dry:
        _note(paths, here, typed, last)
    if here.target.source != "private":
        return argv
    return (*argv[: at + 1], "--target-dir", here.target.path, *argv[at + 1 :])


def _await(paths: Paths, here: clean.Here) -> None:
    """Nobody builds there any more; who does is said once."""
    told: set[str] = set()
    while users := clean.users_of(paths, here, wall_clock()):
        for user in users:
            if user not in told:
                common.say(f"waits: {user} builds in {here.target.path}")
        told.update(users)
        time.sleep(_NAP_S)


def _note(paths: Paths, here: clean.Here, choice: clean.Choice, last: clean.LastLog | None) -> None:
    if not here.target.path:
        return
    rebuild, after = choice.rebuild, choice.after
    known = [one.seconds for one in (rebuild, after) if one.seconds is not None]
    command = " ".join(("cargo clean", *choice.words))
    asked = tuple(one.id for one in last.findings if one.mend) if last is not None else ()
    noted = clean_notes.Clean(
        wall_clock(), here.agent, here.target.path, command, choice.loss.size_bytes, choice.loss.is_whole,
        rebuild.units + after.units, sum(known) if known else None, asked,
    )  # fmt: skip
    clean_notes.note(paths, noted, here.env)


def _call_cargo(here: clean.Here, words: Sequence[str], *, is_quiet: bool) -> int:
    """Run `cargo clean` in the target dir that is meant; its exit code."""
    import subprocess

    cargo = begin.find_cargo(here.env)
    if cargo is None:
        raise StateError("cargo was not found on PATH: install Rust (https://rustup.rs)")
    own = ("--target-dir", here.target.path) if here.target.source == "private" and here.target.path else ()
    out = subprocess.DEVNULL if is_quiet else None
    done = subprocess.run([cargo, "clean", *own, *words], cwd=here.cwd, stdout=out, stderr=out, check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _is_for_cargo(words: Sequence[str]) -> bool:
    """Cargo alone knows what these mean, or they ask for its help."""
    taken = read_words(words)
    return not taken.is_known or taken.has("help") or taken.has_ours


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()
