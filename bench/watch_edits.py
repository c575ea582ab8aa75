"""Random edits to the sample's CUDA members and a program that uses them. Part of `bench.watch_hour`."""

import random
import time
from pathlib import Path
from typing import NamedTuple

USER = "crates/user"
_KERNELS, _GRID = "crates/orchard-kernels", "crates/orchard-grid"
_BROKEN, _RENAMED = 0.1, 0.5
"""Shares of edits."""
_BAD = "\n#error not yet\n"


class Source(NamedTuple):
    """A file that is edited."""

    name: str
    kind: str
    before: str
    """Text that each edit replaces."""
    after: str
    """With the number of the edit in it."""
    is_breakable: bool = False
    """A line that no compiler takes can be put at its end."""


SOURCES = (
    Source(f"{USER}/src/main.rs", "rust", "SAVED: u32 = 0", "SAVED: u32 = {}"),
    Source(f"{_KERNELS}/src/lib.rs", "rust", "#[cfg(test)]", "pub const SAVED: u32 = {};\n#[cfg(test)]"),
    Source(f"{_KERNELS}/kernels/frost.cu", "cu", "9.0f", "9.{}f", is_breakable=True),
    Source(f"{_KERNELS}/kernels/rain.cu", "cu", "water = 0.0f", "water = 0.{}f", is_breakable=True),
    Source(f"{_GRID}/native/drain.cu", "cu", "1.0f", "1.{}f", is_breakable=True),
    Source(f"{_GRID}/native/shape.cpp", "cpp", "});", "}) + {};", is_breakable=True),
    Source(f"{_KERNELS}/kernels/units.cuh", "header", "1.5f", "1.5{}f"),
    Source(f"{_KERNELS}/kernels/cell.cuh", "header", "13.12f", "13.12{}f"),
    Source(f"{_GRID}/native/grid/stencil.cuh", "header", "0.25f", "0.25{}f"),
    Source(f"{_GRID}/native/CMakeLists.txt", "cmake", "# Where", "# {}\n# Where"),
    Source(f"{_KERNELS}/build.rs", "build.rs", "fn main", "// {}\nfn main"),
    Source(f"{_GRID}/build.rs", "build.rs", "fn main", "// {}\nfn main"),
    Source(f"{USER}/Cargo.toml", "manifest", "[dependencies]", "# {}\n[dependencies]"),
    Source(f"{USER}/table.txt", "other", "0", "{}"),
)
_WEIGHTS = {"rust": 3.0, "cu": 4.0, "cpp": 2.0, "header": 2.0, "manifest": 0.5, "build.rs": 0.5}
"""Of a file of that kind; of the others 1."""


class Save(NamedTuple):
    """A file that was saved."""

    at: float
    """Before the write."""
    done_at: float
    name: str
    kind: str


class Editor:
    """Edits files of a checkout at random."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self._root, self._rng = root, rng
        self._texts = {one.name: (root / one.name).read_text() for one in SOURCES}
        self._broken: list[Source] = []
        self.saves: list[Save] = []

    def edit(self) -> None:
        """One edit: what is broken is mended, else a file or two."""
        chosen = self._broken or self._choose()
        is_mended, self._broken = bool(self._broken), []
        for one in chosen:
            is_bad = not is_mended and one.is_breakable and self._rng.random() < _BROKEN / 0.6
            self._save(one, is_bad=is_bad)
            self._broken += [one] if is_bad else []

    def mend(self) -> bool:
        """Mend what is broken; False where nothing is."""
        is_broken = bool(self._broken)
        if is_broken:
            self.edit()
        return is_broken

    def _choose(self) -> list[Source]:
        weights = [_WEIGHTS.get(one.kind, 1.0) for one in SOURCES]
        first, second = self._rng.choices(SOURCES, weights, k=2)
        return [first, second] if self._rng.random() < 0.15 and first != second else [first]

    def _save(self, one: Source, *, is_bad: bool) -> None:
        text = self._texts[one.name].replace(one.before, one.after.replace("{}", str(len(self.saves) + 1)), 1)
        path, at = self._root / one.name, time.time()
        if self._rng.random() < _RENAMED:
            aside = path.with_name(f".{path.name}.swp")
            aside.write_text(text + (_BAD if is_bad else ""))
            aside.rename(path)
        else:
            path.write_text(text + (_BAD if is_bad else ""))
        self.saves.append(Save(at, time.time(), one.name, one.kind))
