"""Mutilated output: no parser raises, hangs, or lets a control character through."""

import random

import pytest

from core import events as e
from core.events import to_record
from core.parsers.projection import Projection
from core.parsers.select import Kind, make_parser
from core.parsers.text import sanitise
from core.reduce import reduce_run
from tests.core.recordings import DATA, NAMES, is_split, log

SPICE = (
    b"\x1b", b"\x1b[", b"\x1b]", b"\x1bP", b"\r", b"\n", b"\r\n", b"\0", b"\xff\xfe",
    b"\x9b", b'{"reason":"', b"}",
    b"[=>", b"    Building [", b'{"reason":"build-finished"', b"error: ", b"warning: ",
    b"test x ... ", b"running 3 tests\n", b"failures:\n", b" --> a:1:1", b"\xe2\x80\xae",
    b"9" * 40, b" " * 200, b"[" * 300, b"    Finished", b"/", b"%",
    b"test result: ok. 1 passed; ", b"     Running ", b"99999999999/1: a", b"\\ud800", b"1e999",
    b"null", b"CMake Error at ",
)  # fmt: skip


def mutilated(content: bytes, dice: random.Random) -> bytes:
    pieces = bytearray(content)
    for _ in range(dice.randint(1, 30)):
        at = dice.randrange(len(pieces) + 1)
        match dice.randrange(4):
            case 0:
                pieces[at:at] = dice.choice(SPICE)
            case 1:
                del pieces[at : at + dice.randint(1, 80)]
            case 2:
                pieces[at : at + 4] = dice.randbytes(4)
            case _:
                other = dice.randrange(len(pieces) + 1)
                pieces[at:at] = pieces[other : other + dice.randint(1, 200)]
    return bytes(pieces)


def cut(content: bytes, dice: random.Random) -> list[bytes]:
    chunks = []
    while content:
        size = dice.choice((1, 5, 100, 4000))
        chunks.append(content[:size])
        content = content[size:]
    return chunks


def strings_of(event: e.Event) -> list[str]:
    found: list[str] = []
    for value in to_record(event).values():
        found += (
            [value]
            if isinstance(value, str)
            else [x for x in value if isinstance(x, str)]
            if isinstance(value, tuple)
            else []
        )
    return found


@pytest.mark.parametrize("seed", range(60))
def test_no_parser_raises_or_passes_control_characters(seed: int) -> None:
    dice = random.Random(seed)
    name = dice.choice(NAMES)
    kinds: tuple[Kind, ...] = ("cargo", "nextest", "generic")
    for kind in kinds:
        parser = make_parser(kind, is_split=is_split(name), json=dice.choice(("ours", "user", "none")))
        events: list[e.Event] = []
        for chunk in cut(mutilated(log(name), dice), dice):
            events += parser.feed(dice.choice(("out", "err")), chunk, 1.0)
        events += parser.close(2.0)
        for event in events:
            for text in strings_of(event):
                assert all(char.isprintable() or char in "\n\t\xa0\u3000" for char in text), (kind, event)
        started = e.RunStarted(0.0, "r", "a", "build", "cargo", "build", "/", "/", None, False, False, False)
        assert reduce_run(None, [started, *events]) is not None


@pytest.mark.parametrize("seed", range(60))
def test_the_projection_gives_the_same_at_any_cut_and_invents_nothing(seed: int) -> None:
    dice = random.Random(1000 + seed)
    content = mutilated(log(dice.choice(NAMES)), dice)
    for progress in (True, False):
        whole = Projection(cut_json=True, cut_progress=progress)
        seen = whole.feed(content) + whole.close()
        parts = Projection(cut_json=True, cut_progress=progress)
        assert b"".join(map(parts.feed, cut(content, dice))) + parts.close() == seen
        rest = iter(content.replace(b"\x1b[K", b""))
        assert all(byte in rest for byte in seen.replace(b"\x1b[K", b"")), "a subsequence of the log"


@pytest.mark.parametrize("seed", range(20))
def test_sanitised_text_holds_nothing_but_colours(seed: int) -> None:
    dice = random.Random(seed)
    for line in mutilated(log(dice.choice(NAMES)), dice).split(b"\n"):
        text = sanitise(line, 200)
        bare = "".join(part.partition("m")[2] if i else part for i, part in enumerate(text.split("\x1b[")))
        assert "\x1b" not in bare
        assert all(char == "\t" or ord(char) >= 32 for char in bare)


def test_recordings_name_no_machine() -> None:
    for path in DATA.rglob("*.*"):
        content = path.read_bytes()
    assert not any(b"/%s/" % name in content for name in (b"root", b"work", b"tmp")) or path.suffix == ".py", path
