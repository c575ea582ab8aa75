"""What is done to files of a scratch world: they are listed, edited, and put back. Never to a file outside of it."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from core.native.proofs.scratch import Done, Scratch, ScratchError

_MAX_WORD = 1 << 16
"""Bytes that a program is given in one word; the system takes twice as many."""
_APPEND = """set -e
size=$(stat -L -c %s "$1"); time=$(stat -L -c %y "$1")
printf '%s' "$2" >> "$1"
printf '%s %s' "$size" "$time"
"""
_RESTORE = 'truncate -s "$2" "$1" && touch -d "$3" "$1"'


class Stat(NamedTuple):
    """A file as it is: what differs was written anew."""

    mtime: str
    size: int
    inode: int


class Edit(NamedTuple):
    """What was there before an edit."""

    path: str
    size: str
    time: str


def snapshot(scratch: Scratch, folders: Sequence[str]) -> dict[str, Stat]:
    """All files below folders of it, by the path that they have outside; none where they are not there.

    Raises:
        ScratchError: They cannot be listed.
    """
    if not folders:
        return {}
    there = [scratch.at(folder) for folder in folders]
    done = scratch.run(["find", *there, "-type", "f", "-printf", r"%H\0%T@ %s %i %P\0"], "/", {})
    if done.code not in (0, 1):
        raise ScratchError(f"what lies in {folders[0]} cannot be listed: {_said(done)}")
    outside = dict(zip(there, folders, strict=True))
    words = os.fsdecode(done.output).split("\0")
    found = {}
    for start, row in zip(words[::2], words[1::2], strict=False):
        mtime, size, inode, name = row.split(" ", 3)
        found[f"{outside[start]}/{name}" if name else outside[start]] = Stat(mtime, int(size), int(inode))
    return found


def append(scratch: Scratch, path: str, text: str) -> Edit:
    """Add a text to a file as an editor does that writes in place.

    Raises:
        ScratchError: It cannot be written, or lies outside of the world.
    """
    _check(scratch, path)
    done = scratch.run(["sh", "-c", _APPEND, "sh", scratch.at(path), text], "/", {})
    size, _, time = done.output.decode("utf-8", "replace").partition(" ")
    if done.code or not time:
        raise ScratchError(f"{path} cannot be edited: {_said(done)}")
    return Edit(path, size, time)


def restore(scratch: Scratch, edit: Edit) -> None:
    """The file as it was, with its mtime."""
    scratch.run(["sh", "-c", _RESTORE, "sh", scratch.at(edit.path), edit.size, edit.time], "/", {})


def write(scratch: Scratch, path: str, content: bytes) -> None:
    """Put a content into a file, a new one perhaps.

    Raises:
        ScratchError: It cannot be written, or lies outside of the world.
    """
    _check(scratch, path)
    pieces = [os.fsdecode(content[at : at + _MAX_WORD]) for at in range(0, len(content), _MAX_WORD)] or [""]
    for script, pieces_of_it in (('printf %s "$2" > "$1"', pieces[:1]), ('printf %s "$2" >> "$1"', pieces[1:])):
        for piece in pieces_of_it:
            done = scratch.run(["sh", "-c", script, "sh", scratch.at(path), piece], "/", {})
            if done.code:
                raise ScratchError(f"{path} cannot be written: {_said(done)}")


def touch(scratch: Scratch, paths: Sequence[str]) -> None:
    """Give files the time of now.

    Raises:
        ScratchError: One of them lies outside of the world.
    """
    _check(scratch, *paths)
    scratch.run(["touch", *map(scratch.at, paths)], "/", {})


def take_away(scratch: Scratch, path: str) -> None:
    """Remove a file, where it is there.

    Raises:
        ScratchError: It lies outside of the world.
    """
    _check(scratch, os.path.dirname(path))
    scratch.run(["rm", "-f", scratch.at(path)], "/", {})


def _check(scratch: Scratch, *paths: str) -> None:
    for path in paths:
        if not scratch.holds(path):
            raise ScratchError(f"{path} is not touched: it lies outside of the scratch world")


def _said(done: Done) -> str:
    return done.errors.decode("utf-8", "replace").strip()[-200:]
