"""What is said of links, in words: figures with their signs, advice, measurements. Pure."""

from collections.abc import Iterable, Iterator

from core import events as e
from core.advice import best_of, measurement_of, to_try
from core.measured import AS_IS, Measurement, Trial
from core.memory_queries import BYTES_PER_INPUT, KillRow, LinkRow
from tui import format as f
from tui.widgets.table_view import Cell
from tui.widgets.text_view import Frame
from tui.widgets.words import kill_words

_LABEL = 10
_FIGURE = 10
_SLOWER = 1.2
"""A setting that makes a link slower by this is said to."""
_EARLIER = 8
"""Links of the same output that are listed."""
SAMPLED = "≈: seen among the processes, not told by a front; short links of that kind are missing"


def figure(size_bytes: int | None, *, is_sampled: bool) -> str:
    """Bytes; `≈` where they were sampled."""
    return f.size(size_bytes) if size_bytes is None or not is_sampled else f"≈{f.size(size_bytes)}"


def change_of(link: e.LinkEnded | None) -> str:
    """How much larger its output is than that of the last link of it."""
    if link is None or link.output_bytes is None or link.before_bytes is None:
        return f.UNKNOWN
    return f.size_change(link.output_bytes - link.before_bytes)


def advice(row: LinkRow, measurements: Iterable[Measurement], now: float, key: str) -> str:
    """What would make a link smaller: as measured here, else what can be tried; `key` measures it."""
    found = measurement_of(row, measurements)
    if found is None:
        tried = ", ".join(to_try(row))
        return f"could be tried ({key} measures): {tried}"
    best = best_of(found)
    if best is not None:
        return said_of(found, best, now, "this link")
    count = sum(trial.peak_bytes is not None for trial in found.trials[1:])
    return f"none of the {count} settings that were tried makes this link smaller (measured {f.moment(found.at, now)})"


def said_of(measurement: Measurement, best: Trial, now: float, what: str) -> str:
    """What a setting does, in a sentence."""
    before = measurement.as_is
    assert before is not None
    sizes = (figure(trial.peak_bytes, is_sampled=trial.is_sampled) for trial in (before, best))
    slower = ""
    if before.elapsed_s and best.elapsed_s and best.elapsed_s > before.elapsed_s * _SLOWER:
        slower = f"; it then takes {f.seconds(best.elapsed_s)} instead of {f.seconds(before.elapsed_s)}"
    return f"{best.setting} cuts {what} from {' to '.join(sizes)} (measured {f.moment(measurement.at, now)}){slower}"


def setting_of(command: str) -> str:
    """What a build of a measurement tries, from its command line."""
    before, dashes, rustc = command.partition(" -- ")
    if dashes:
        return rustc
    configs = [word.partition(" ")[0] for word in before.split("--config ")[1:] if "profile." in word]
    return configs[-1].strip("'") if configs else "as it is"


def trial_line(trial: Trial, as_is: Trial) -> str:
    """A setting with its figures, and each against how it is now."""
    if trial.trouble:
        return f"{trial.setting:<29} {trial.trouble}"
    peak = figure(trial.peak_bytes, is_sampled=trial.is_sampled)
    said = f"{trial.setting:<29} peak {peak:>7} {_ratio(trial.peak_bytes, as_is.peak_bytes):>5}"
    said += f"  {f.seconds(trial.elapsed_s or 0.0):>7} {_ratio(trial.elapsed_s, as_is.elapsed_s):>5}"
    said += f"  size {f.size(trial.output_bytes):>6} {_ratio(trial.output_bytes, as_is.output_bytes):>5}"
    return said if trial.setting != AS_IS else f"{said}  {trial.linker}".rstrip()


def _ratio(value: float | None, base: float | None) -> str:
    return f"×{value / base:.2f}" if value is not None and base else ""


def kill_line(row: KillRow) -> str:
    """Who was killed for want of memory, how large it was, which limit was reached, who else was large."""
    return ": ".join(part for part in kill_words(row.kill) if part)


def page(row: LinkRow, measurements: Iterable[Measurement], kills: Iterable[KillRow], now: float) -> list[Cell | Frame]:
    """All that is known of a link, and where each figure comes from."""
    lines: list[Cell | Frame] = [Cell(row.output or row.name, "strong"), Cell("")]
    lines += [Frame(line) for line in _figures(row, now)]
    lines += [Cell(kill_line(kill), "failed") for kill in kills if (kill.run, kill.kill.unit) == (row.run, row.unit)]
    if row.earlier:
        lines += [Cell(""), Cell("earlier links of this file", "title")]
        lines += [Frame(_earlier(link, now)) for link in reversed(row.earlier[-_EARLIER:])]
    found = measurement_of(row, measurements)
    if found is not None and found.as_is is not None:
        lines += [Cell(""), Cell(f"measured {f.moment(found.at, now)}, one build after another", "title")]
        lines += [Frame(f"  {trial_line(trial, found.as_is)}") for trial in found.trials]
    return lines


def _figures(row: LinkRow, now: float) -> Iterator[str]:
    link = row.ended
    is_seen = row.is_sampled and not row.is_cut_short
    yield _line("linker", row.linker or f.UNKNOWN, "the program that ran" if is_seen else "as its driver was told")
    yield _line("inputs", f.size(row.input_bytes), "object files and libraries on its command line")
    yield _line("estimate", f.size(row.estimate_bytes), _estimated(row))
    if link is None:
        yield _line("now", f.size(row.now_bytes), "anonymous memory of its processes at the last sample")
        yield _line("time", f.seconds(now - row.began), f"so far; began {f.moment(row.began, now)}")
        return
    seen = "largest VmHWM that was seen, 25 looks a second" if is_seen else "largest of its processes, by wait4"
    seen = "anonymous memory of its processes, the largest sample before it was killed" if row.is_cut_short else seen
    yield _line("peak", figure(row.peak_bytes, is_sampled=row.is_sampled), seen)
    yield _line("time", f.seconds(link.elapsed_s), f"began {f.moment(link.began, now)}")
    yield _line("cpu", f.UNKNOWN if link.cpu_s is None else f.seconds(link.cpu_s), "user and system")
    yield _line(*_exit(link))
    yield _line("size", f.size(link.output_bytes), "of the file that it made")
    yield _line("  text", f.size(link.text_bytes), "sections that are executed")
    yield _line("  debug", f.size(link.debug_bytes), "sections .debug_*")
    yield _line("  symbols", f.size(link.symbol_bytes), ".symtab and its names")
    yield _line("change", change_of(link), "against the last link of this file")


def _line(label: str, shown: str, source: str) -> str:
    return f"{label:<{_LABEL}}{shown:>{_FIGURE}}   {source}"


def _estimated(row: LinkRow) -> str:
    used = sum(bool(link.peak_bytes) and link.linker == row.linker for link in row.earlier)
    if used:
        return f"from {f.many(used, 'earlier link')} of this file, the last ones count most"
    return f"{BYTES_PER_INPUT} × its inputs" if row.estimate_bytes is not None else "its inputs are not known"


def _exit(link: e.LinkEnded) -> tuple[str, str, str]:
    if link.signal is not None:
        return "exit", f"signal {link.signal}", "of the driver"
    if link.code is not None:
        return "exit", str(link.code), "of the driver"
    return "exit", f.UNKNOWN, "nobody waited for it on our behalf"


def _earlier(link: e.LinkEnded, now: float) -> str:
    peak = figure(link.peak_bytes or None, is_sampled=link.is_sampled)
    size = f.size(link.output_bytes)
    return f"  {f.moment(link.at, now):<13} peak {peak:>7}  {f.seconds(link.elapsed_s):>7}  size {size}"
