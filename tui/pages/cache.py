"""Cache: what became of each compilation of this run that went through a compiler cache, and why."""

from core import events as e
from core.cache_queries import AgentUse, UnitLookup
from core.nvcc_use import nvcc_use
from tui import format as f
from tui.pages.scene import Content, Scene, words_of
from tui.widgets import cache_words as words
from tui.widgets.cache_rows import NARROW_BELOW, unit_columns, unit_rows
from tui.widgets.status_line import Part
from tui.widgets.table_view import Cell


def content(scene: Scene) -> Content:
    """The page; the newest look-up first."""
    run = scene.run
    found = [UnitLookup(run.agent, run.run, place, event) for place, event in enumerate(run.cache.lookups)][::-1]
    width = min(scene.width, NARROW_BELOW - 1)  # whose it is is known here
    return Content(
        _summary(scene), unit_columns(width), unit_rows(found, scene.glyphs, scene.called, width), _nothing(scene)
    )


def _summary(scene: Scene) -> tuple[Part, ...]:
    use = scene.run.cache
    counts, nvcc = use.main, nvcc_use((scene.run,))
    of_nvcc = [(f"nvcc {nvcc.hits}/{nvcc.asked}", "text")] if nvcc.asked else []
    if not counts.all:
        return words_of([(f"hit {f.UNKNOWN}", "dim"), *of_nvcc], scene.glyphs.dot)
    parts = [
        (f"hit {f.percent(counts.effective_rate)} {words.share(counts)}", "text"),
        (f"saved {words.saved(use)}", "dim"),
        (f"as {use.cache} counts {f.percent(counts.server_rate)}", "dim"),
        *of_nvcc,
    ]
    if counts.errors:
        parts.insert(1, (f.many(counts.errors, "error"), "failed"))
    return words_of(parts, scene.glyphs.dot)


def _nothing(scene: Scene) -> str:
    """Why there is no look-up."""
    if scene.run.cache.uncounted:
        return f"No figures, because {scene.run.cache.uncounted}."
    of_nvcc = words.nvcc_gain(nvcc_use((scene.run,)))
    said = (cell.text for cell in tuple(words.explain_none(scene.plan))[1:])
    return " ".join((*said, *((of_nvcc,) if of_nvcc else ())))


def chosen(scene: Scene, key: str | None) -> e.CacheLookedUp | None:
    """The look-up of a row."""
    place = int(key.rpartition(" ")[2]) if key is not None else -1
    lookups = scene.run.cache.lookups
    return lookups[place] if 0 <= place < len(lookups) else None


def detail(scene: Scene, key: str | None) -> tuple[Cell, ...]:
    """A look-up in full, then what the cache gave to the run."""
    event = chosen(scene, key)
    if event is None:
        return ()
    run = scene.run
    gain = words.gain(AgentUse(run.agent, (run,), run.cache, None), scene.now, scene.called)
    about = words.explain_unit(event, run.agent, run.command, scene.called)
    return (Cell(event.unit, "strong"), *about, Cell(""), Cell(gain, "strong"))
