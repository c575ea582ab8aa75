"""The command that runs one test of a run again, alone. Pure."""

from core import events as e
from core.run.grammar import Command, parse


def retry_words(typed: tuple[str, ...], test: e.TestFinished) -> tuple[str, ...] | None:
    """What to type after `cargo`; None where the command is not one that runs tests.

    The person's flags stay, so that the same units are used; names of tests and what follows `--` go.
    """
    parsed = parse(typed)
    if parsed.command is None or parsed.command.name not in ("test", "nextest"):
        return None
    kept = _without_words(parsed.words[: parsed.dashes_at], parsed.insert_at, parsed.command)
    if parsed.command.name == "nextest":
        return (*kept, "-E", f"test(={test.name})")
    if test.suite.startswith("Doc-tests ") and "doc" not in parsed.options:
        kept = (*kept, "--doc")
    return (*kept, test.name, "--", "--exact")


def _without_words(words: tuple[str, ...], first: int, command: Command) -> tuple[str, ...]:
    """Flags and their values; free words behind the subcommand left out."""
    kept = list(words[:first])
    is_value = False
    for word in words[first:]:
        is_option = word.startswith("-")
        if is_value or is_option:
            kept.append(word)
        is_value = is_option and _takes_value(word, command)
    return tuple(kept)


def _takes_value(word: str, command: Command) -> bool:
    """The next word belongs to this option."""
    if word.startswith("--"):
        name = word[2:]
        return "=" not in word and (name in command.values or name in ("bin", "example", "test", "bench"))
    return len(word) == 2 and word[1] in "pFjZE"
