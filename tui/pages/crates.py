"""Crates: when each unit was compiled, how long that took and usually takes, and the chain that ended the build."""

from collections.abc import Iterable
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from core.chain import RESOLUTION_S, Chain
from core.story import Span, Wait
from tui import format as f
from tui.pages.scene import Content, Scene, seconds, words_of
from tui.widgets.cache_words import outcome_words
from tui.widgets.look import Glyphs
from tui.widgets.status_line import Part
from tui.widgets.table_view import Cell, Column, Row, lay_out

_NICE_S = (10, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
"""The axis of a live run ends at one of these, so that its bars do not shrink each second."""
_MUCH_OVER = 1.2
_NAME_CELLS = (12, 28)
_WIDE = 60
"""From here there is room for what is usual."""
_BAR = 1
_SECONDS, _USUAL, _CHANGE = 6, 7, 8
_CHAIN_NAMES = 12


def content(scene: Scene) -> Content:
    """The page."""
    columns = _columns(scene)
    width = dict(lay_out(columns, scene.width - 2)).get(_BAR, 0)
    axis = _axis(scene, width)
    columns = (columns[0], columns[_BAR]._replace(title=axis.title), *columns[2:])
    chained = {link.span for link in scene.chain.links} if scene.chain is not None else set()
    hits = {event.unit for event in scene.run.cache.lookups if event.outcome == "hit"}
    marks = {span: _Marks(is_chained=span in chained, is_hit=span.name in hits) for span in scene.story.spans}
    units = [(span, _unit_row(span, scene, axis, marks[span])) for span in scene.story.spans]
    waits = [_wait_row(f"w{index}", wait, scene, axis) for index, wait in enumerate(scene.story.waits)]
    return Content(_summary(scene), columns, _ordered(units, waits, scene), _nothing(scene))


def _columns(scene: Scene) -> tuple[Column, ...]:
    has_usual = bool(scene.story.typical_s) and scene.width >= _WIDE
    share = scene.width // 3 if has_usual else scene.width * 2 // 5
    name = min(_NAME_CELLS[1], max(_NAME_CELLS[0], share))
    columns = (Column("unit", name), Column("", 0), Column("took", _SECONDS, is_right=True))
    if not has_usual:
        return columns
    return (*columns, Column("usually", _USUAL, is_right=True), Column("change", _CHANGE, is_right=True))


class _Axis(NamedTuple):
    """The run's time across a column."""

    began: float
    length_s: float
    width: int
    """In cells."""
    dot: str

    @property
    def title(self) -> str:
        """Its ends."""
        first, last = "0:00", f.duration(round(self.length_s))
        blanks = self.width - len(first) - len(last)
        return first + " " * blanks + last if blanks > 0 else first

    def _place(self, at: float) -> float:
        """Where a moment falls, in cells."""
        return min(max(0.0, (at - self.began) / self.length_s), 1.0) * self.width

    def dot_at(self, ended: float, sign: str) -> str:
        """A sign at a moment."""
        return " " * (max(1, ceil(self._place(ended))) - 1) + sign if self.width else ""

    def bar(self, began: float | None, ended: float, sign: str) -> str:
        """A bar between two moments, at least a cell; a dot at its end where its beginning was not seen."""
        if not self.width:
            return ""
        stop = max(1, ceil(self._place(ended)))
        if began is None:
            return self.dot_at(ended, self.dot)
        first = min(int(self._place(began)), self.width - 1)
        return " " * first + sign * max(1, stop - first)


def _axis(scene: Scene, width: int) -> _Axis:
    began = _began(scene)
    end = scene.story.ended if scene.story.ended is not None else scene.run.ended_at
    length_s = end - began if end is not None else _nice(scene, scene.now - began)
    return _Axis(began, max(0.1, length_s), width, "." if scene.glyphs.is_ascii else "·")


def _began(scene: Scene) -> float:
    return scene.story.began if scene.story.began is not None else scene.run.started_at


def _nice(scene: Scene, elapsed_s: float) -> float:
    wanted = max(elapsed_s, scene.story.typical_wall_s or 0.0)
    return next((float(nice) for nice in _NICE_S if nice >= wanted), wanted)


class _Marks(NamedTuple):
    """What is said of a unit beside its times."""

    is_chained: bool
    is_hit: bool
    """It came from a cache."""


def _unit_row(span: Span, scene: Scene, axis: _Axis, marks: _Marks) -> Row:
    usual = scene.story.typical_s.get(span.name)
    if span.ended is not None:
        return _closed_row(span, usual, axis, scene.glyphs, marks)
    took = _took(span, scene.now)
    change, role = _change(span, took, usual)
    return Row(_key(span), (
        Cell("  " + span.name, "strong"), Cell(axis.bar(span.began, scene.now, scene.glyphs.bar), "building"),
        Cell(seconds(took), role if usual is not None else "number"), Cell(seconds(usual), "dim"), Cell(change, role),
    ))  # fmt: skip


@lru_cache(maxsize=1 << 13)
def _closed_row(span: Span, usual: float | None, axis: _Axis, glyphs: Glyphs, marks: _Marks) -> Row:
    """Of a unit that does not change any more: 10 µs, which count where there are thousands."""
    sign = glyphs.bar if span.kind != "run-build-script" else ("-" if glyphs.is_ascii else "─")
    bar = (
        axis.dot_at(span.ended or 0.0, glyphs.building)
        if marks.is_hit
        else axis.bar(span.began, span.ended or 0.0, sign)
    )
    change, role = _change(span, span.elapsed_s, usual)
    return Row(_key(span), (
        Cell((glyphs.mark + " " if marks.is_chained else "  ") + span.name, "strong" if marks.is_chained else "text"),
        Cell(bar, "done" if span.is_done else "quiet"),
        Cell(seconds(span.elapsed_s), "number"), Cell(seconds(usual), "dim"), Cell(change, role),
    ))  # fmt: skip


def _key(span: Span) -> str:
    """The same as long as the unit is known; no two of a name begin together."""
    return f"u{span.began if span.began is not None else span.ended} {span.name}"


def _wait_row(key: str, wait: Wait, scene: Scene, axis: _Axis) -> Row:
    ended = wait.ended if wait.ended is not None else scene.now
    took = ended - wait.began
    sign = "." if scene.glyphs.is_ascii else "┄"
    return Row(key, (
        Cell(f"{scene.glyphs.waiting} {wait.what}", "waiting"), Cell(axis.bar(wait.began, ended, sign), "waiting"),
        Cell(seconds(took if took > 0 else None), "waiting"), Cell(""), Cell(""),
    ))  # fmt: skip


def _took(span: Span, now: float) -> float | None:
    if span.ended is None and span.began is not None:
        return max(0.0, now - span.began)
    return span.elapsed_s


def _change(span: Span, took: float | None, usual: float | None) -> tuple[str, str]:
    """How much more or less than usual; of a running unit that is below it, what is left."""
    if took is None or usual is None:
        return f.UNKNOWN, "dim"
    if span.ended is None and took < usual:
        return f"≈{seconds(usual - took)}", "building"
    is_much = took > usual * _MUCH_OVER and took - usual > 2 * RESOLUTION_S
    return ("+" if took >= usual else "-") + seconds(abs(took - usual)), "waiting" if is_much else "dim"


def _ordered(units: list[tuple[Span, Row]], waits: list[Row], scene: Scene) -> list[Row]:
    if scene.sort == "start":
        both = [(span.began or span.ended or 0.0, row) for span, row in units]
        both += [(wait.began, row) for wait, row in zip(scene.story.waits, waits, strict=True)]
        return [row for _, row in sorted(both, key=lambda pair: pair[0])]
    flying = [row for span, row in units if span.ended is None]
    closed = [(span.elapsed_s, row) for span, row in units if span.ended is not None]
    closed.sort(key=lambda pair: -1.0 if pair[0] is None else pair[0], reverse=True)
    long = [row for wait, row in zip(scene.story.waits, waits, strict=True) if wait.ended is None]
    return [*long, *flying, *(row for _, row in closed), *(row for row in waits if row not in long)]


def _summary(scene: Scene) -> tuple[Part, ...]:
    spans = scene.story.spans
    done, flying = sum(span.is_done for span in spans), sum(span.ended is None for span in spans)
    hits = scene.run.cache.rust.hits
    parts = [(f"{max(0, done - hits)} compiled", "text"), (f"{scene.story.fresh} fresh", "dim")]
    if hits:
        parts.insert(1, (f"{scene.glyphs.building} {hits} from the cache", "done"))
    if flying:
        parts.append((f"{flying} running", "building"))
    if other := len(spans) - done - flying:
        parts.append((f"{other} not finished", "quiet"))
    return words_of([*parts, (f"by {scene.sort}", "dim")], scene.glyphs.dot)


def _nothing(scene: Scene) -> str:
    if scene.story.trouble:
        return scene.story.trouble
    if scene.run.tool != "cargo":
        return f"{scene.run.subcommand} does not say which units it compiles."
    return "No unit was compiled." if scene.run.state.is_over else "No unit is named yet."


def chosen(scene: Scene, key: str | None) -> Span | None:
    """The unit of a row."""
    return next((span for span in scene.story.spans if _key(span) == key), None)


def chosen_wait(scene: Scene, key: str | None) -> Wait | None:
    """The wait of a row."""
    index = int(key[1:]) if key is not None and key[0] == "w" else -1
    return scene.story.waits[index] if 0 <= index < len(scene.story.waits) else None


def detail(scene: Scene, key: str | None) -> tuple[Cell, ...]:
    """What is known of a unit, then of the chain."""
    lines: tuple[Cell, ...] = ()
    if (span := chosen(scene, key)) is not None:
        lines = (*_about(span, scene), Cell(""))
    elif (wait := chosen_wait(scene, key)) is not None:
        lines = (Cell(_about_wait(wait, scene)), Cell(""))
    return (*lines, *_about_chain(scene))


def _about(span: Span, scene: Scene) -> Iterable[Cell]:
    began = _began(scene)
    package = f"  {span.package} {span.version}  {span.kind}" if span.package else ""
    yield Cell(f"{span.name}{package}", "strong")
    if span.began is None:
        yield Cell(f"its start was not seen; it was there {seconds((span.ended or 0.0) - began)} into the run")
    else:
        end = "still runs" if span.ended is None else f"took {seconds(span.elapsed_s)} (± {RESOLUTION_S} s)"
        yield Cell(f"began {seconds(span.began - began)} into the run, {end}")
    if span.ended is not None and not span.is_done:
        yield Cell("not finished: it failed, or the build ended first", "waiting")
    yield from _about_cache(span, scene)
    yield Cell(_about_usual(span, scene), "dim")


def _about_cache(span: Span, scene: Scene) -> Iterable[Cell]:
    event = next((one for one in scene.run.cache.lookups[::-1] if one.unit == span.name), None)
    if event is not None:
        said = outcome_words(event, scene.run.agent, scene.called)
        yield Cell(f"{event.cache}: {said.text}", "done" if event.outcome == "hit" else said.role)


def _about_usual(span: Span, scene: Scene) -> str:
    usual, took = scene.story.typical_s.get(span.name), _took(span, scene.now)
    if usual is None:
        return "usually –: no earlier run compiled it"
    said = f"usually {seconds(usual)}, the median of {f.many(scene.story.typical_runs, 'earlier run')}"
    if took is None:
        return said
    if span.ended is None and took < usual:
        return f"{said}: ≈{seconds(usual - took)} left"
    return f"{said}: {seconds(abs(took - usual))} {'more' if took >= usual else 'less'}"


def _about_wait(wait: Wait, scene: Scene) -> str:
    if wait.ended is None:
        return f"waits for the lock on the {wait.what} since {seconds(scene.now - wait.began)}"
    took = wait.ended - wait.began
    return f"waited for the lock on the {wait.what}: " + (
        seconds(took) if took > 0 else "so short that it was not timed"
    )


def _about_chain(scene: Scene) -> Iterable[Cell]:
    chain = scene.chain
    if not scene.story.spans:
        return
    if chain is None or not chain.links:
        why = "it did not come to its end" if scene.run.state.is_over else "known when the build is over"
        yield Cell(f"Chain that ends the build –: {why}.", "dim")
        return
    mark = scene.glyphs.mark
    yield Cell(
        f"{mark} Chain that ended the build: {f.many(len(chain.links), 'unit')}, {seconds(chain.seconds)}", "strong"
    )
    yield Cell(_names(chain))
    yield Cell(_derived(scene, chain), "dim")


def _names(chain: Chain) -> str:
    names = [f"{link.span.name} {seconds(link.span.elapsed_s)}" for link in chain.links]
    if len(names) > _CHAIN_NAMES:
        names = [*names[:2], f"{len(names) - _CHAIN_NAMES} more", *names[2 - _CHAIN_NAMES :]]
    return " > ".join(names)


def _derived(scene: Scene, chain: Chain) -> str:
    how = f"Derived from times in the log: each began when the one before it had finished (± {RESOLUTION_S} s). "
    if not scene.knows_needs:
        return how + "Which unit needed which is not known: Cargo.lock cannot be read."
    return how + (
        f"By Cargo.lock {chain.count('needs')} needed it; {chain.count('free')} did not, and may have waited "
        "for a core. Units may overlap otherwise: cargo can begin a crate before the one it needs is complete."
    )
