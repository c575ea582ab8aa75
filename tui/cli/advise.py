"""`cargo deck advise`: what often given advice could gain in this project, and with `--measure` what it does."""

import argparse
import os
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from core.clock import wall_clock
from core.errors import UsageError
from core.native.edits.lever_figures import FEWEST
from core.native.gains import advice_figures
from core.native.gains.advice import ALL, TITLES, Advice
from core.native.gains.advice_arms import Arm
from core.native.gains.advice_figures import Figure, Rebuilt, Tried
from core.native.gains.advice_survey import Row, Survey, digests, edits_of, survey, top_of
from core.native.gains.advice_trials import Trial, try_all
from core.native.gains.advice_world import World, worlds
from core.native.gains.split import NoSplit, Split
from core.native.gains.split_build import lock_change, patch_of
from core.native.staleness.doctor import Examined, examine
from core.native.staleness.stale_place import find_place
from core.plan.machine import core_count
from core.plan.small_file import read_text
from tui import format as f
from tui.cli import common, listing
from tui.cli import plan_words as words
from tui.cli.events import plain
from tui.cli.prove import end_cleanly

_ROUNDS = 7
_MAX_LOCK_BYTES = 1 << 26
EXIT_FAILED = 1
_EXIT_CODES = (
    "Exit code: 0; 1, the split was asked for and cannot be made or does not build; 2, the command line cannot be "
    "used; 125, it cannot be tried, or the project does not build; 130, it was interrupted."
)


def main(argv: list[str]) -> int:
    """Tell, measure; exit code as `_EXIT_CODES` says."""
    return common.guarded(run, argv)


def run(argv: list[str]) -> int:
    """The same, with failures as exceptions.

    Raises:
        UsageError: The command line cannot be used, or nothing was built.
        ScratchError: There can be no scratch world.
        StateError: What is there does not build, or something is being measured already.
    """
    at = argv.index("--") if "--" in argv else len(argv)
    given = _parser().parse_args(argv[:at])
    if given.rounds < FEWEST:
        raise UsageError(f"--rounds is {FEWEST} at least: fewer tell nothing")
    if given.patch is not None:
        _check_patch(given)
    paths = common.user_paths()
    listing.bring_up_to_date(paths)
    place = find_place(paths, common.current_folder(), dict(os.environ), given.target_dir)
    examined = examine(paths, place)
    found = survey(paths, place, examined, argv[at + 1 :], given.package or "")
    if given.patch is not None:
        return _patch(found, examined, given.patch)
    tried = tuple(_measure(found, examined, given)) if given.measure is not None else ()
    found = found.with_tried(tried)
    if given.json:
        common.print_json("advice", **record(found, tried))
        return 0
    for line in lines(found) if given.measure is None else measured_lines(tried, found):
        common.print_text(line)
    return 0


def _parser() -> common.Parser:
    parser = common.make_parser(
        "advise", "What often given advice could gain in this project at most, by its own recorded iterations; what "
        "was measured of it here; how to have it. With --measure it is tried in scratch worlds, edit by edit, beside "
        "the build as it is: the checkout and its target dir stay as they are.",
    )  # fmt: skip
    parser.usage = "cargo deck advise [OPTIONS] [-- CARGO WORDS…]"
    parser.epilog = _EXIT_CODES
    parser.add_argument("--measure", nargs="*", type=_advice, metavar="ADVICE", help="try these, else all that can be "
                        f"had: {', '.join(ALL)}; takes minutes")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"of --measure; {FEWEST} at least")
    parser.add_argument("-p", "--package", metavar="PKG", help="whose native part is meant; else the one edited last")
    parser.add_argument("--patch", metavar="FILE", help="make the split in a scratch world, build it there, and write "
                        "what `git apply` takes into FILE")  # fmt: skip
    parser.add_argument("--target-dir", metavar="DIR", help="build there, instead of where cargo would")
    return parser


def _check_patch(given: argparse.Namespace) -> None:
    """Before minutes of building.

    Raises:
        UsageError: A patch is not all that is asked for, or cannot be written there.
    """
    if given.json or given.measure is not None:
        raise UsageError("--patch writes a patch: it goes neither with --measure nor with --json")
    folder = os.path.dirname(os.path.abspath(given.patch))
    if os.path.isdir(given.patch) or not os.access(folder, os.W_OK):
        raise UsageError(f"{plain(given.patch)} cannot be written: name a file in a folder of yours")


def _advice(word: str) -> Advice:
    try:
        return Advice(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word[:40]!r} is none of {', '.join(ALL)}") from None


# What takes time


def _measure(found: Survey, examined: Examined, given: argparse.Namespace) -> Iterator[Tried]:
    end_cleanly()
    wanted = tuple(given.measure) or ALL
    arms, edits = found.arms(wanted), edits_of(found, wanted)
    for row in found.rows:
        if row.offer.advice in wanted and row.offer.arm is None:
            common.say(plain(f"{row.offer.advice} is not tried: {row.offer.why}"))
    if len(arms) < 3 or not edits:
        return
    count = (given.rounds + 1) * len(arms) * len(edits)
    edited = ", ".join(f"{edit.kind} {os.path.relpath(edit.path, found.project.place.workspace)}" for edit in edits)
    common.say(plain(f"builds {count} times after edits ({edited}), in scratch worlds"))
    trial = Trial(edits, given.rounds, digests(found), lambda said: common.say(plain(said)))
    with worlds(found.project, examined, arms) as made:
        yield from try_all(found.project, made, trial, wall_clock)


def _patch(found: Survey, examined: Examined, file: str) -> int:
    """Make the split, build it, write the patch."""
    if not isinstance(found.split, Split):
        reasons = (
            found.split.reasons if isinstance(found.split, NoSplit) else ("no build script makes native code here",)
        )
        common.say(plain(f"there is no split: {'; '.join(reasons)}"))
        return EXIT_FAILED
    end_cleanly()
    with worlds(found.project, examined, (Arm(found.split.name, flags=found.plan.flags, env=found.plan.env,
                                              split=found.split),)) as made:  # fmt: skip
        return _build_patch(found, found.split, made[0], file)


def _build_patch(found: Survey, split: Split, world: World, file: str) -> int:
    workspace = found.project.place.workspace
    before = read_text(f"{workspace}/Cargo.lock", _MAX_LOCK_BYTES)
    if why := world.prepare(workspace):
        common.say(plain(f"the split does not build: {why}"))
        return EXIT_FAILED
    text = patch_of(split, top_of(found.project.place), lock_change(world.read, workspace, before))
    with open(file, "w", encoding="utf-8") as out:
        out.write(text)
    common.say(plain(f"{file}: {split.package} depends on {split.name}, which builds; git apply {shlex.quote(file)}"))
    return 0


# For people


def lines(found: Survey) -> Iterator[str]:
    """A table, a row an advice, and below it what is so now and how to have each."""
    width = common.room() or words.COLUMNS
    project = found.project
    yield plain(f"cargo {' '.join(project.words)}  in {project.place.workspace}: {_count_words(found)}")
    cells = [("advice", "at most", "measured here")]
    cells += [(TITLES[row.offer.advice], touch_words(row), tried_words(row)) for row in found.rows]
    widths = common.column_widths(cells)
    yield from (plain(common.aligned(row, widths)) for row in cells)
    for row in found.rows:
        yield ""
        told = "; ".join(_parts(row))
        yield from words.folded(plain(f"{row.offer.advice}: {told}"), width, hang=2)
        if row.tried is not None:
            yield from words.folded(plain(range_words(row.tried)), width, 2, hang=4)
        if row.changed:
            names = ", ".join(os.path.relpath(path, project.place.workspace) for path in row.changed)
            yield from words.folded(plain(f"{names} changed since"), width, 4, hang=4)
    yield ""
    yield "what each does here: cargo deck advise --measure"


def _count_words(found: Survey) -> str:
    """`1 iteration recorded, 18 of other commands`: all of them tell what advice could shorten."""
    done = [one for one in found.iterations if one.state == "done"]
    own = sum(one.command == " ".join(found.project.words) for one in done)
    others = f", {len(done) - own} of other commands" if own < len(done) else ""
    return f"{f.many(own, 'iteration')} recorded{others}"


def _parts(row: Row) -> Iterator[str]:
    yield row.offer.why
    if row.offer.arm is not None:
        yield from (f"what it takes: {row.offer.arm.gives}",) if row.offer.arm.gives else ()
        yield from (row.elsewhere,) if row.elsewhere else ()
    if row.offer.way:
        yield f"to have it: {row.offer.way}"


def touch_words(row: Row) -> str:
    """`−0.4 s of 3.2 s (rust, 12 seen)`; why there is nothing to say."""
    touch = row.touch
    if row.offer.arm is None and row.offer.why.startswith("nothing"):
        return "nothing"
    if touch.why or touch.at_most_s is None or touch.of_s is None:
        return touch.why or f.UNKNOWN
    return f"−{f.span(touch.at_most_s)} of {f.span(touch.of_s)} ({touch.kind}, {touch.done} seen)"


def tried_words(row: Row) -> str:
    """`native ×1.58 slower, rust ×0.84 faster`, `within noise`; `–`: it was not measured here."""
    tried = row.tried
    if tried is None:
        return f.UNKNOWN
    differ = [f"{one.edit} ×{one.ratio:.2f} {one.verdict}" for one in tried.figures
              if one.ratio is not None and one.verdict in ("faster", "slower")]  # fmt: skip
    told = "it failed" if tried.trouble else ", ".join(differ) or "within noise"
    return f"{told} (outdated)" if row.changed else told


def range_words(tried: Tried) -> str:
    """`measured here 26 Nov 14:03, linker mold, 7 rounds: rust ×0.84 (0.80–0.87) faster`."""
    when = f"measured here {f.moment(tried.at, wall_clock())}, {tried.what}, {f.many(tried.rounds, 'round')}"
    if tried.trouble:
        return f"{when}: it did not build: {tried.trouble.splitlines()[0]}"
    told = (f"{one.edit} {_range(one)}" for one in tried.figures)
    return f"{when}: {', '.join(told)}"


def _range(one: Figure) -> str:
    if one.ratio is None or one.low is None or one.high is None:
        return f.UNKNOWN
    return f"×{one.ratio:.2f} ({one.low:.2f}–{one.high:.2f}) {one.verdict}"


def measured_lines(tried: Sequence[Tried], found: Survey) -> Iterator[str]:
    """What was measured now."""
    workspace = found.project.place.workspace
    for one in tried:
        yield plain(f"{TITLES[one.advice]}: {one.what}")
        if one.trouble:
            yield from (plain(f"  {line}") for line in ("it does not build:", *one.trouble.splitlines()[:20]))
            continue
        for figure in one.figures:
            yield plain(f"  {figure.edit} edit, {os.path.relpath(figure.path, workspace)}: {figure_words(figure)}")
            yield from (plain(f"    {line}") for line in _rebuilt_lines(figure))
    if tried:
        yield f"in {tried[0].rounds} rounds on {core_count()} cores, world: {tried[0].world}; seconds are medians, the"
        yield "ratio is that of pairs in a round; ranges hold 95 % of such medians, and only what lies beyond the noise"
        yield "of the same build twice is faster or slower"


def figure_words(one: Figure) -> str:
    """`1.24 s → 1.03 s, pairs ×0.83 (0.80–0.86) faster; the same build twice: ×1.03`: medians, and the median of ratios
    within each round, which may lie on the other side of 1."""
    if one.ratio is None or one.low is None or one.high is None or one.before_s is None or one.after_s is None:
        return f.UNKNOWN
    noise = f"; the same build twice: ×{1 + one.noise:.2f}" if one.noise is not None else ""
    return f"{one.before_s:.2f} s → {one.after_s:.2f} s, pairs {_range(one)}{noise}"


def _rebuilt_lines(one: Figure) -> Iterator[str]:
    before, after = rebuilt_words(one.before), rebuilt_words(one.after)
    if before == after:
        yield f"rebuilt, before and after: {before}"
        return
    yield f"rebuilt before: {before}"
    yield f"rebuilt after:  {after}"


def rebuilt_words(one: Rebuilt) -> str:
    """`app lib, app bin; build script of app; nvcc 1 call`."""
    parts = [", ".join(one.units) or "no crate"]
    parts.append(f"build script of {', '.join(one.scripts)}" if one.scripts else "no build script")
    parts += [] if one.nvcc_calls is None else [f"nvcc {f.many(one.nvcc_calls, 'call')}"]
    return "; ".join(parts)


# For programs


def record(found: Survey, tried: Sequence[Tried]) -> dict[str, Any]:
    """As docs/json.md says."""
    return {
        "workspace": found.project.place.workspace, "command": list(found.project.words),
        "iterations": len(found.iterations), "advice": [_row_record(row) for row in found.rows],
        "tried": [advice_figures.to_record(one) for one in tried],
    }  # fmt: skip


def _row_record(row: Row) -> dict[str, Any]:
    offer, touch = row.offer, row.touch
    return {
        "advice": str(offer.advice), "can_be_had": offer.arm is not None,
        "what": offer.arm.name if offer.arm is not None else None, "why": offer.why,
        "gives": (offer.arm.gives or None) if offer.arm is not None else None, "way": offer.way or None,
        "class": str(touch.kind), "of_s": touch.of_s, "at_most_s": touch.at_most_s, "seen": touch.done,
        "touch_why": touch.why or None, "elsewhere": row.elsewhere or None,
        "measured": advice_figures.to_record(row.tried) if row.tried is not None else None,
        "changed_since": list(row.changed),
    }  # fmt: skip
