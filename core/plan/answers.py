"""What programs answered, kept until their files change: to ask twenty of them costs half a second."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from core.clock import Clock, wall_clock
from core.paths import Paths
from core.plan.small_file import keep_json, read_head, read_json, stamp

FRESH_S = 86400.0
"""A program may break though its own file stays, by a library that goes: after this it is asked again by whoever has
the time."""
FRESH_OTHERS_S = 600.0
"""What did not run may be mended, and a script may start another program than it did."""
_FOR_EVER = 1e12
LATE = "did not answer in"
_MAX_KEPT = 200
_MAX_TEXT = 4000
_FRONTS_FOR_OTHERS = ("ccache", "sccache", "rustup", "distcc", "icecc")
"""Started under another's name they answer for somebody else, whose file is not looked at."""


class Answer(NamedTuple):
    """What a program said, or what was made of it."""

    text: str
    """As it said it: its standard output, else standard error; at most 64 KiB. Kept is what a question's reader took
    of it."""
    trouble: str = ""
    """What went wrong, as the end of "it …"; empty: it ended well."""


Ask = Callable[[str, tuple[str, ...], Mapping[str, str]], Answer]
Reader = Callable[[str], str]
"""From a program's output to what is kept of it."""


class Question(NamedTuple):
    """What to ask of a program."""

    name: str
    """Short; what has the same name, of one file, has the same answer."""
    words: tuple[str, ...]
    read: Reader = str
    depends_on: str = ""
    """What the answer rests on besides the program's file."""


class Answers:
    """What programs answered before, and what they answer now."""

    def __init__(self, file: str, *, ask: Ask | None = None, clock: Clock = wall_clock) -> None:
        self._file = file
        self._ask = ask
        self._clock = clock
        self._kept: dict[str, list[Any]] | None = None
        self._is_changed = False
        self.unasked: list[str] = []
        """Names of questions that nobody had asked, or too long ago, and that were not to be asked."""

    def find(self, question: Question, path: str, env: Mapping[str, str], *, may_ask: bool) -> Answer | None:
        """The answer. What is not to be asked is answered with what is kept, however old; None: nothing is."""
        kept = self._load()
        key, seen = f"{question.name} {path}", f"{stamp(path)} {question.depends_on}"
        row = kept.get(key)
        if row is not None and row[0] != seen:
            row = None
        if row is None or row[3] < self._clock():
            if may_ask:
                row = self._ask_now(question, path, env, seen)
                kept.pop(key, None)
                kept[key] = row
                self._is_changed = True
            else:
                self.unasked.append(question.name)
        return Answer(row[1], row[2]) if row is not None else None

    def put(self, question: str, path: str, answer: Answer) -> None:
        """Have this known as the answer until the program's file changes."""
        self._load()[f"{question} {path}"] = [f"{stamp(path)} ", *answer, _FOR_EVER]
        self._is_changed = True

    def keep(self) -> None:
        """Write down what is new; a full disk only has it asked again."""
        if not self._is_changed or self._kept is None:
            return
        others = {key: row for key, row in _rows(read_json(self._file)).items() if key not in self._kept}
        every = {**others, **self._kept}
        keep_json(self._file, {"schema": 1, "answers": dict(list(every.items())[-_MAX_KEPT:])})
        self._is_changed = False

    def _load(self) -> dict[str, list[Any]]:
        if self._kept is None:
            self._kept = _rows(read_json(self._file))
        return self._kept

    def _ask_now(self, question: Question, path: str, env: Mapping[str, str], seen: str) -> list[Any]:
        said = (self._ask or _asks())(path, question.words, env)
        is_late = said.trouble.startswith(LATE)  # it would keep a build waiting again
        fresh_s = FRESH_OTHERS_S if not is_late and (said.trouble or _is_for_others(path)) else FRESH_S
        return [seen, question.read(said.text)[:_MAX_TEXT], said.trouble, self._clock() + fresh_s]


def open_answers(paths: Paths) -> Answers:
    """Those of this user."""
    return Answers(paths.cache + "/answers.json")


def _asks() -> Ask:
    from core.plan.ask import ask  # with subprocess, 8 ms: only where somebody is asked

    return ask


def _rows(found: Any) -> dict[str, list[Any]]:
    rows = found.get("answers") if isinstance(found, dict) and found.get("schema") == 1 else None
    return {key: row for key, row in rows.items() if _is_row(row)} if isinstance(rows, dict) else {}


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == 4
        and type(row[3]) in (int, float)
        and all(isinstance(one, str) for one in row[:3])
    )


def _is_for_others(path: str) -> bool:
    real = os.path.basename(os.path.realpath(path))
    if real in _FRONTS_FOR_OTHERS and real != os.path.basename(path):
        return True
    return read_head(path, 2) in (b"#!", None)
