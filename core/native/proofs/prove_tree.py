"""Proof of what an edit rebuilds in a build tree of ninja, make or CMake: as `prove`, without cargo."""

import os
from collections.abc import Collection, Mapping, Sequence

from core.folder import topmost
from core.native.proofs.cache_servers import server_of
from core.native.proofs.prove import Command, Verdict, comment_for
from core.native.proofs.scratch import Done, Scratch, ScratchError
from core.native.proofs.scratch_edit import Stat, append, restore, snapshot, take_away
from core.native.staleness.tree_place import Reading, TreePlace
from core.native.staleness.tree_steps import made_of
from core.parsers.text import plain

_MAX_TAIL = 2000
_MAX_LINES = 40


class TreeProver:
    """Builds a project in a world, and tells what was made again."""

    def __init__(self, scratch: Scratch, command: Command, place: TreePlace, reading: Reading) -> None:
        """Builds nothing yet.

        Raises:
            ScratchError: It would build through a cache whose server is not in the world.
        """
        if server := server_of(place.trees, command.argv, command.env):
            raise ScratchError(f"{place.trees[0].folder} is built through {server}, whose server is outside of a "
                               "scratch world and would write into the real tree: prove a tree without it")  # fmt: skip
        self._scratch = scratch
        self._command = command
        self._steps = (*(step for tree in place.trees for step in tree.steps), *reading.links)
        self._read: Mapping[str, tuple[str, ...]] = {made.output: made.inputs for made in reading.made}
        known = {output for step in self._steps for output in step.outputs} | self._read.keys()
        self._folders = _folders(place, known)
        self._before = self._look()
        self.outputs = known & self._before.keys()
        """What is there, and known how it is made."""
        self._is_asked: dict[str, bool] = {}

    def baseline(self) -> frozenset[str]:
        """Build until nothing is left to be done; gives outputs that are made again even then.

        Raises:
            ScratchError: It does not build.
        """
        for _ in range(2):
            done, _ = self.build()
            if done.code:
                raise ScratchError(f"it does not build even without an edit: {_tail(done)}")
        _, written = self.build()
        return written & self.outputs

    def build(self) -> tuple[Done, frozenset[str]]:
        """Build; gives what was written anew."""
        done = self._scratch.run(self._command.argv, self._command.cwd, self._command.env)
        before, self._before = self._before, self._look()
        return done, frozenset(path for path, stat in self._before.items() if before.get(path) != stat)

    def judge(self, path: str, always: frozenset[str] = frozenset()) -> Verdict:
        """Edit one file, build, and say whether exactly what is made of it was made again.

        A file that is tracked stays edited; any other is put back as it was, with its mtime.

        Args:
            path: Of the file.
            always: Outputs that are made again without an edit.
        """
        expected = made_of(self._steps, (path,), self._read) & self.outputs
        comment = comment_for(path)
        if comment is None:
            return Verdict(path, "left out", tuple(sorted(expected)), why="how a comment is written in it is not known")
        try:
            edit = append(self._scratch, path, comment)
        except ScratchError as error:
            return Verdict(path, "left out", tuple(sorted(expected)), why=str(error))
        done, written = self.build()
        if done.code or expected - written or not expected:
            restore(self._scratch, edit)
        if done.code:
            self.build()
            return Verdict(path, "failed", tuple(sorted(expected)), why=_tail(done))
        if not expected and not written & self.outputs:
            return Verdict(path, "untracked", (), why="nothing is made of it, as far as is known")
        missing = {one for one in expected - written if self._makes(one)}
        return _verdict(path, expected - (expected - written - missing), missing, (written & self.outputs) - always)

    def _makes(self, output: str) -> bool:
        """The command makes an output at all: it is there again after it was taken away."""
        if output not in self._is_asked:
            take_away(self._scratch, output)
            self.build()
            self._is_asked[output] = output in self._before
        return self._is_asked[output]

    def _look(self) -> dict[str, Stat]:
        return snapshot(self._scratch, self._folders)


def _folders(place: TreePlace, outputs: Collection[str]) -> tuple[str, ...]:
    """The trees, and where else in the project they write to; none within another."""
    outside = {os.path.dirname(one) for one in outputs if one.startswith(place.root + "/")}
    return topmost({tree.folder for tree in place.trees} | {one for one in outside if os.path.isdir(one)})


def _verdict(path: str, expected: frozenset[str], missing: set[str], written: frozenset[str]) -> Verdict:
    made, extra = tuple(sorted(expected)), tuple(sorted(written - expected))
    if not expected:
        return Verdict(path, "left out", (), why="the command makes nothing of it")
    if missing:
        names = ", ".join(os.path.basename(one) for one in sorted(missing)[:3])
        why = f"the build did not make {names} again: it is not known there that this file is read"
        return Verdict(path, "untracked", made, tuple(sorted(missing)), extra, why)
    return Verdict(path, "wide" if extra else "tracked", made, (), extra)


def roots_of(place: TreePlace, inputs: Sequence[str]) -> tuple[str, ...]:
    """Folders that an edit or a build may change."""
    outside = sorted({os.path.dirname(os.path.realpath(path)) for path in inputs})
    wanted = (place.root, *(tree.folder for tree in place.trees), *outside)
    return tuple(one for one in dict.fromkeys(wanted) if os.path.isdir(one) and os.access(one, os.W_OK))


def _tail(done: Done) -> str:
    """From the first error on; make and ninja say it on either."""
    lines = [plain(line) for line in (done.output + b"\n" + done.errors).split(b"\n")]
    first = next((at for at, line in enumerate(lines) if "error" in line.lower() or "FAILED" in line), 0)
    return "\n".join(line for line in lines[first : first + _MAX_LINES] if line.strip())[:_MAX_TAIL]
