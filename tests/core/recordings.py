"""Recorded output of real tools, for tests; `tests/data/record.py` makes it anew."""

import re
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"
NAMES = sorted(folder.name for folder in DATA.iterdir() if (folder / "out.log").exists())
TWINS = [name for name in NAMES if (DATA / name / "plain_out.txt").exists()]


def log(name: str, stream: str = "out") -> bytes:
    return (DATA / name / f"{stream}.log").read_bytes()


def plain(name: str, stream: str = "out") -> bytes:
    """What cargo wrote without our flags."""
    return (DATA / name / f"plain_{stream}.txt").read_bytes()


def is_split(name: str) -> bool:
    return (DATA / name / "err.log").exists()


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def masked(content: bytes) -> list[bytes]:
    """Lines without times and thread numbers, in an order of their own: units end in any order."""
    content = re.sub(rb"[0-9]+\.[0-9]+s", b"T", content)
    content = re.sub(rb"' \([0-9]+\) panicked", b"' (N) panicked", content)
    return sorted(content.split(b"\n"))
