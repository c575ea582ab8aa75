"""Makes a split in a scratch world, and says it as a patch."""

import os
from collections.abc import Callable, Iterator

from core.native.gains.split import Split, Write
from core.native.proofs.scratch import Scratch, ScratchError
from core.native.proofs.scratch_edit import write
from core.plan.diff_text import ended, lines_of

_MOVE = """set -e
while [ $# -gt 0 ]; do
  mkdir -p "$(dirname "$2")"
  mv "$1" "$2"
  shift 2
done
"""
_CONTEXT = 3


def apply(scratch: Scratch, split: Split) -> None:
    """Move and write all that it says.

    Raises:
        ScratchError: Something cannot be moved or written, or lies outside of the world.
    """
    named = (*(os.path.dirname(path) for move in split.moves for path in move), *(one.path for one in split.writes))
    if outside := [path for path in named if not scratch.holds(path)]:
        raise ScratchError(f"the split cannot be made: {outside[0]} lies outside of the scratch world")
    words = [scratch.at(path) for move in split.moves for path in move]
    folders = sorted({scratch.at(os.path.dirname(one.path)) for one in split.writes})
    for argv in (["mkdir", "-p", *folders], ["sh", "-c", _MOVE, "sh", *words]):
        done = scratch.run(argv, "/", {})
        if done.code:
            raise ScratchError(f"the split cannot be made: {done.errors.decode('utf-8', 'replace').strip()[-300:]}")
    for one in split.writes:
        write(scratch, one.path, one.after.encode("utf-8", "surrogateescape"))


def read_text(scratch: Scratch, path: str) -> str | None:
    """A file as it is in the world; None: it is not there, or no text."""
    done = scratch.run(["cat", scratch.at(path)], "/", {})
    try:
        return None if done.code else done.output.decode()
    except UnicodeDecodeError:
        return None


def patch_of(split: Split, top: str, also: tuple[Write, ...] = ()) -> str:
    """What `git apply` takes in the folder `top`.

    Args:
        split: What is moved and written.
        top: Of the repository: names in the patch start there.
        also: Files that the build changed, as `Cargo.lock`.
    """
    written = {one.path for one in (*split.writes, *also)}
    parts = [_renamed(_name(one.old, top), _name(one.new, top)) for one in split.files if one.new not in written]
    parts += [_changed(one, _name(one.path, top)) for one in (*split.writes, *also) if one.before != one.after]
    return "".join(parts)


def _name(path: str, top: str) -> str:
    return os.path.relpath(path, top)


def _renamed(old: str, new: str) -> str:
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"


def _changed(one: Write, name: str) -> str:
    head = f"diff --git a/{name} b/{name}\n"
    name += "\t" if " " in name else ""
    if one.before is None:
        return f"{head}new file mode 100644\n--- /dev/null\n+++ b/{name}\n{''.join(_hunks('', one.after))}"
    return f"{head}--- a/{name}\n+++ b/{name}\n{''.join(_hunks(one.before, one.after))}"


def _hunks(before: str, after: str) -> Iterator[str]:
    from difflib import SequenceMatcher

    old, new = lines_of(before), lines_of(after)
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for what, a1, a2, b1, b2 in group:
            if what == "equal":
                yield from (" " + line for line in map(ended, old[a1:a2]))
                continue
            yield from ("-" + line for line in map(ended, old[a1:a2]))
            yield from ("+" + line for line in map(ended, new[b1:b2]))


def _range(start: int, end: int) -> str:
    return f"{start + 1 if end > start else start},{end - start}"


def lock_change(read: Callable[[str], str | None], workspace: str, before: str | None) -> tuple[Write, ...]:
    """What the build made of `Cargo.lock`, where there was one. `read`: a file as it is in the world."""
    path = f"{workspace}/Cargo.lock"
    after = read(path) if before is not None else None
    return (Write(path, before, after),) if before is not None and after not in (None, before) and after else ()
