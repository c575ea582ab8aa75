"""Cargo's command lines as data: which flags a subcommand knows, where ours go, what it prints.

Source: `cargo help COMMAND`, cargo 1.80 to 1.95. A command line with a flag that is not in the table gets none
of our flags: clap prints the flags that were given in its usage line, so an error would look different.
"""

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple

_COMMON = (
    "future-incompat-report verbose quiet workspace all lib bins examples tests benches all-targets "
    "all-features no-default-features release keep-going ignore-rust-version locked offline frozen unit-graph"
)
_COMMON_VALUES = (
    "message-format color config package exclude features profile jobs target target-dir artifact-dir out-dir "
    "manifest-path lockfile-path"
)
_OPTIONAL_VALUES = "bin example test bench timings"
_SHORT = {
    "v": "verbose",
    "q": "quiet",
    "p": "package",
    "F": "features",
    "r": "release",
    "j": "jobs",
    "Z": "Z",
}
_SHORT_VALUES = "pFjZ"
_REPEATABLE = frozenset("verbose package exclude features config bin example test bench target Z".split())


class Command(NamedTuple):
    """One subcommand."""

    name: str
    """Canonical."""
    flags: frozenset[str]
    """Long flags without a value."""
    values: frozenset[str]
    """Long options with a value."""
    takes_words: int
    """How many free words it takes before `--`."""
    after: str = "none"
    """What follows `--`: `libtest`, `program`, `rustc`, `none`."""
    has_json: bool = True
    """Accepts `--message-format=json-render-diagnostics`."""
    parser: Literal["cargo", "nextest"] = "cargo"


def _command(name: str, flags: str = "", values: str = "", **more: object) -> Command:
    return Command(
        name,
        frozenset((_COMMON + " " + flags).split()),
        frozenset((_COMMON_VALUES + " " + values).split()),
        takes_words=int(str(more.get("words", 0))),
        after=str(more.get("after", "none")),
        has_json=bool(more.get("json", True)),
        parser="nextest" if more.get("parser") == "nextest" else "cargo",
    )


_NEXTEST_FLAGS = (
    "no-run no-capture nocapture fail-fast no-fail-fast ignore-default-filter no-output-indent "
    "hide-progress-bar no-input-handler override-version-check cargo-quiet cargo-verbose no-pager"
)
_NEXTEST_VALUES = (
    "build-jobs cargo-profile run-ignored partition platform-filter filterset filter-expr test-threads retries "
    "flaky-result max-fail no-tests failure-output success-output status-level final-status-level "
    "show-progress config-file user-config-file tool-config-file stress-count stress-duration"
)
COMMANDS: dict[str, Command] = {
    c.name: c
    for c in (
        _command("build"),
        _command("check"),
        _command("test", "no-run no-fail-fast doc", words=1, after="libtest"),
        _command("bench", "no-run no-fail-fast", words=1, after="libtest"),
        _command("run", after="program", words=99),
        _command("doc", "open no-deps document-private-items"),
        _command("clippy", "no-deps fix allow-dirty allow-staged allow-no-vcs", after="rustc"),
        _command("rustc", values="print crate-type", after="rustc"),
        _command("rustdoc", "open", after="rustc"),
        _command("fix", "edition edition-idioms broken-code allow-dirty allow-staged allow-no-vcs"),
        _command("nextest", _NEXTEST_FLAGS, _NEXTEST_VALUES, words=99, after="program", json=False,
                 parser="nextest"),
    )
}  # fmt: skip
ALIASES = {"b": "build", "c": "check", "t": "test", "r": "run", "d": "doc"}
"""Cargo's own."""
FOREIGN = frozenset(
    "add clean config fetch fmt generate-lockfile git-checkout help info init install locate-project login logout "
    "metadata miri new owner package pkgid publish read-manifest remove rm report search tree uninstall update "
    "vendor verify-project version yank".split()
)
"""Built-in subcommands that build nothing worth a pane; they run as they are."""
_GLOBAL_VALUES = frozenset(("--color", "-C", "--config", "-Z", "--explain"))


class Parsed(NamedTuple):
    """A cargo command line, taken apart. `words` is what the person typed after `cargo`."""

    words: tuple[str, ...]
    command: Command | None
    """None: not a subcommand of the table."""
    subcommand: str
    """As typed: `b`, `xt`, `nosuch`; empty where there is none."""
    insert_at: int
    """Index in `words` where our flags go: straight after the subcommand (`nextest run`: after `run`)."""
    dashes_at: int | None
    """Index of `--`."""
    options: dict[str, list[str]]
    """Long name → values (flags: empty strings), global ones included."""
    is_known: bool
    """Every flag is in the table, none twice, all values there."""
    toolchain: str | None
    """`+nightly`, else None."""

    def value(self, name: str) -> str | None:
        """The last value of an option; None where it was not given."""
        given = self.options.get(name)
        return given[-1] if given else None


def split_globals(words: tuple[str, ...]) -> int:
    """Index of the subcommand in what was typed after `cargo` (toolchain and global flags come before it)."""
    i = 0
    while i < len(words):
        word = words[i]
        if word in _GLOBAL_VALUES:
            i += 2
        elif word.startswith(("-", "+")):
            i += 1
        else:
            break
    return min(i, len(words))


def folder_of(words: tuple[str, ...], cwd: str) -> str:
    """Where a cargo that is started in `cwd` works: `-C` has it go elsewhere before it reads anything."""
    options: dict[str, list[str]] = {}
    _globals(words[: split_globals(words)], options)
    return os.path.normpath(os.path.join(cwd, *options.get("C", ())[-1:]))


def parse(words: tuple[str, ...], aliases: Mapping[str, tuple[str, ...]] | None = None) -> Parsed:
    """Take a cargo command line apart; `aliases` are the user's own, already split into words."""
    at = split_globals(words)
    typed = words[at] if at < len(words) else ""
    expansion: tuple[str, ...] = ()
    name = ALIASES.get(typed, typed)
    seen: set[str] = set()
    while name not in COMMANDS and name not in FOREIGN and aliases and name in aliases and name not in seen:
        seen.add(name)
        expansion = aliases[name][1:] + expansion
        name = aliases[name][0] if aliases[name] else ""
        name = ALIASES.get(name, name)
    command = COMMANDS.get(name)
    insert_at = at + 1
    if command is not None and command.name == "nextest":
        if words[insert_at : insert_at + 1] in (("run",), ("r",)):
            insert_at += 1
        else:
            command = None
    rest = words[insert_at:]
    dashes = rest.index("--") if "--" in rest else None
    options: dict[str, list[str]] = {}
    is_known = command is not None and "--" not in expansion
    if command is not None:
        own = rest if dashes is None else rest[:dashes]
        _globals(words[:at], options)
        is_known &= _options((*expansion, *own), command, options)
    toolchain = words[0] if words and words[0].startswith("+") else None
    return Parsed(
        words,
        command,
        typed,
        insert_at,
        None if dashes is None else insert_at + dashes,
        options,
        is_known,
        toolchain,
    )


def _globals(words: tuple[str, ...], options: dict[str, list[str]]) -> None:
    i = 0
    while i < len(words):
        word = words[i]
        name, _, value = word.lstrip("-").partition("=")
        if word in _GLOBAL_VALUES:
            value, i = (words[i + 1] if i + 1 < len(words) else ""), i + 1
        if word[:2] in ("-C", "-Z"):
            options.setdefault(word[1], []).append(value if len(word) == 2 else word[2:].removeprefix("="))
        elif not word.startswith("+"):
            for long in ("quiet", "verbose") if not word.startswith("--") else (name,):
                if word.startswith("--") or long[0] in name:
                    options.setdefault(long, []).append(value)
        i += 1


def _options(words: tuple[str, ...], command: Command, options: dict[str, list[str]]) -> bool:
    """Fill `options`; False where something is not in the table or clap would refuse it."""
    free = 0
    i = 0
    seen: set[str] = set()
    while i < len(words):
        word = words[i]
        i += 1
        if not word.startswith("-") or word == "-":
            free += 1
            if command.name == "run":
                return True  # what follows the first free word is the program's
            continue
        for name, value, missing in _names(word, words[i : i + 1], command):
            if missing == "value":
                i += 1
            if missing == "error" or (name in seen and name not in _REPEATABLE):
                return False
            seen.add(name)
            options.setdefault(name, []).append(value)
    return free <= command.takes_words and not ({"release", "profile"} <= seen)


def _names(word: str, following: tuple[str, ...], command: Command) -> list[tuple[str, str, str]]:
    """(long name, value, `value` where the next word was taken, `error`, or ``) for one word."""
    ahead = following[0] if following and not following[0].startswith("-") else None
    if word.startswith("--"):
        name, has_value, value = word[2:].partition("=")
        if name in command.flags:
            return [(name, "", "error" if has_value else "")]
        if name in command.values:
            if has_value:
                return [(name, value, "")]
            return [(name, ahead, "value")] if ahead is not None else [(name, "", "error")]
        if name in _OPTIONAL_VALUES.split() and command.parser in ("cargo", "nextest"):
            if has_value or ahead is None or name == "timings":
                return [(name, value, "")]
            return [(name, ahead, "value")]
        return [(name, "", "error")]
    found: list[tuple[str, str, str]] = []
    letters = word[1:]
    for k, letter in enumerate(letters):
        name = _SHORT.get(letter, "")
        if command.name == "nextest":
            name = {"E": "filterset", "P": "nextest-profile", "j": "test-threads"}.get(letter, name)
        if not name or (command.name == "bench" and letter == "r"):
            return [(letter, "", "error")]
        if letter in _SHORT_VALUES or letter in "EP":
            tail = letters[k + 1 :].removeprefix("=")
            if tail:
                return [*found, (name, tail, "")]
            return [*found, (name, ahead, "value") if ahead is not None else (name, "", "error")]
        found.append((name, "", ""))
    return found
