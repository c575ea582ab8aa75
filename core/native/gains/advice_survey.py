"""What is to be said of each advice for a project: from its iterations, its plan, what was measured, and whether the
native part can be split."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from core.errors import DeckError, UsageError
from core.native.edits.iteration_book import read_iterations
from core.native.edits.iterations import Iteration, rows_of
from core.native.gains import advice_edits, advice_figures
from core.native.gains.advice import ALL, Advice, Touch, elsewhere, touch_of
from core.native.gains.advice_arms import (
    Arm,
    Offer,
    Project,
    base_arms,
    last_mode,
    offer_debug,
    offer_jobs,
    offer_linker,
    offer_sccache,
    plan_with,
)
from core.native.gains.advice_edits import Edit
from core.native.gains.advice_figures import Tried, changed_since
from core.native.gains.split import NoSplit, Split, plan_split
from core.native.gains.split_facts import facts_of
from core.native.proofs.prove_setup import command_for, named_packages, plain_env, recorded_words
from core.native.staleness.doctor import Examined, Place
from core.native.staleness.input_state import read_stamp
from core.native.staleness.stale import Case
from core.native.traces.units import compiled_units
from core.paths import Paths
from core.plan.figures import figures
from core.plan.machine import core_count
from core.plan.plan import Plan

_ADDED = 3
"""Words that `command_for` ends a command with."""


class Row(NamedTuple):
    """What is known of one advice."""

    offer: Offer
    touch: Touch
    elsewhere: str
    tried: Tried | None
    """None: it was not measured here."""
    changed: tuple[str, ...]
    """What the measurement rests on and is another one now."""


class Survey(NamedTuple):
    """All advice for a project."""

    project: Project
    plan: Plan
    rows: tuple[Row, ...]
    iterations: tuple[Iteration, ...]
    case: Case | None
    """Of the native part; None: no build script makes native code."""
    split: Split | NoSplit | None
    """None: there is nothing to split."""
    inputs: tuple[str, ...]
    """Manifests and build scripts that measurements rest on."""

    def with_tried(self, tried: Iterable[Tried]) -> "Survey":
        """The same after these were tried."""
        new = {one.advice: one for one in tried}
        rows = (row._replace(tried=new[row.offer.advice], changed=()) if row.offer.advice in new else row
                for row in self.rows)  # fmt: skip
        return self._replace(rows=tuple(rows))

    def arms(self, wanted: Iterable[Advice]) -> tuple[Arm, ...]:
        """Ways to build: as it is, twice, then with each advice that can be had."""
        offered = [row.offer.arm for row in self.rows if row.offer.advice in set(wanted)]
        own = self.plan
        split = (arm._replace(flags=own.flags, env=own.env) if arm.split else arm for arm in offered if arm is not None)
        return (*base_arms(own), *split)


def survey(paths: Paths, place: Place, examined: Examined, words: Sequence[str] = (), package: str = "") -> Survey:
    """What is to be said. Builds nothing.

    Args:
        paths: Ours.
        place: Where.
        examined: Build scripts there, and their inputs.
        words: Cargo's; empty: those of the last recorded build.
        package: Whose native part is split; empty: that which was edited last, else the one with most outputs.

    Raises:
        ModeRefused: The mode of the last build is none any more.
        UsageError: The package has no native part.
    """
    native = [case for case in examined.scripts if case.made]
    if package and all(case.script.package != package for case in native):
        raise UsageError(f"no build script of a package {package[:60]!r} makes native code here, as far as is known")
    project = _project(paths, place, examined, (words, package))
    iterations = tuple(one for one in read_iterations(paths) if one.checkout == place.workspace)
    case = _case(native, iterations, [package] if package else named_packages(project.words))
    plan, split = plan_with(project, {}), _split(place, case)
    offers = [_offer(advice, project, plan, (case, split)) for advice in ALL]
    rows = tuple(_rows(project, iterations, offers))
    return Survey(project, plan, rows, iterations, case, split, _inputs(place, examined.scripts))


def _project(paths: Paths, place: Place, examined: Examined, asked: tuple[Sequence[str], str]) -> Project:
    """With the words that were given, else of the last build, where that is of the package that is asked for."""
    words, package = asked
    last = [] if words else recorded_words(paths, place, has_packages=True)
    named = named_packages(last)
    if package and named and package not in named:
        last = []
    command = command_for(paths, place, examined.scripts, words or last, plain_env(place.env))
    mode = None if words else last_mode(paths, place)
    return Project(paths, place, command.argv[1:-_ADDED], examined.scripts, mode)


def _rows(project: Project, iterations: Sequence[Iteration], offers: Iterable[Offer]) -> Iterator[Row]:
    kept, rows = advice_figures.read(project.paths, project.place.workspace), rows_of(iterations)
    table, cores = figures(), core_count()
    for offer in offers:
        tried = kept.get(offer.advice)
        changed = changed_since(tried, lambda path: read_stamp(path).digest) if tried is not None else ()
        value = offer.arm.name.rpartition(" ")[2] if offer.arm is not None else ""
        touch = touch_of(offer.advice, rows, cores, is_met=offer.is_met)
        yield Row(offer, touch, elsewhere(offer.advice, table, value), tried, changed)


def _case(cases: Sequence[Case], iterations: Sequence[Iteration], packages: Sequence[str]) -> Case | None:
    """Of the native part: of one of these packages, where they have one."""
    native = [case for case in cases if case.script.package in packages] or cases
    edit = advice_edits.native_edit(iterations, [made for case in native for made in case.made])
    return next((case for case in native if edit and any(made.source == edit.path for made in case.made)), None)


def _split(place: Place, case: Case | None) -> Split | NoSplit | None:
    if case is None:
        return None
    try:
        facts = facts_of(place, case)
    except DeckError as error:
        return NoSplit(case.script.package, (str(error),))
    return facts if isinstance(facts, NoSplit) else plan_split(facts)


def _inputs(place: Place, cases: Sequence[Case]) -> tuple[str, ...]:
    """Manifests, build scripts, and cargo's settings of the project."""
    paths = [f"{place.workspace}/Cargo.toml", f"{place.workspace}/.cargo/config.toml", f"{place.workspace}/deck.toml"]
    for case in cases:
        paths += [f"{case.script.root}/Cargo.toml", case.script.script]
    return tuple(dict.fromkeys(path for path in paths if path))


def _offer(advice: Advice, project: Project, plan: Plan, native: tuple[Case | None, Split | NoSplit | None]) -> Offer:
    case, split = native
    match advice:
        case Advice.SPLIT:
            return _offer_split(split, case)
        case Advice.DEBUG:
            return offer_debug(project, plan)
        case Advice.SCCACHE:
            return offer_sccache(project, plan)
        case Advice.LINKER:
            return offer_linker(project, plan)
        case Advice.JOBS:
            return offer_jobs(project, plan)
        case _:
            raise TypeError(advice)


def _offer_split(split: Split | NoSplit | None, case: Case | None) -> Offer:
    if split is None:
        return Offer(Advice.SPLIT, None, "nothing: no build script makes native code here")
    if isinstance(split, NoSplit):
        return Offer(Advice.SPLIT, None, f"{split.package} cannot be split mechanically: {'; '.join(split.reasons)}")
    why = f"{split.package} would depend on {split.name}, and cargo compiles what depends on a crate whose script ran"
    if case is not None and case.cover.style == "package":
        why += (
            "; its script declares nothing, and so runs on each Rust edit: cargo:rerun-if-changed lines of what it "
            "reads spare that, too"
        )
    return Offer(Advice.SPLIT, Arm(split.name, Advice.SPLIT, split=split), why, "cargo deck advise --patch FILE")


def edits_of(found: Survey, wanted: Iterable[Advice]) -> tuple[Edit, ...]:
    """What is edited to try advice: a native source, for parallel builds a header too, a Rust file, and for
    a cache that one back again."""
    offered = {row.offer.advice for row in found.rows if row.offer.arm is not None}
    return tuple(one for one in _edits(found, offered & set(wanted)) if one is not None)


def _edits(found: Survey, wanted: set[Advice]) -> Iterator[Edit | None]:
    case = found.case
    outputs = case.made if case is not None else ()
    yield advice_edits.native_edit(found.iterations, outputs)
    if Advice.JOBS in wanted:
        yield advice_edits.header_edit(found.iterations, outputs)
    rust = _rust_edit(found, is_own=Advice.SPLIT in wanted)
    yield rust
    if Advice.SCCACHE in wanted and rust is not None:
        yield rust._replace(kind=advice_edits.BACK)


def _rust_edit(found: Survey, *, is_own: bool) -> Edit | None:
    """In the package with the native part, where it was edited there last; `is_own`: only there."""
    case, place = found.case, found.project.place
    units = compiled_units(place.build_dir, place.workspace)
    own = [unit for unit in units if case is None or unit.package == case.script.package]
    roots = [unit.sources[0] for unit in sorted(own, key=lambda one: one.target[:3] != "lib")
             if unit.sources and unit.sources[0].startswith(place.workspace + "/")]  # fmt: skip
    scripts = {one.script.script for one in found.project.cases}
    last = None
    for among in (own,) if is_own else (own, units):
        sources = {path for unit in among for path in unit.sources if path.startswith(place.workspace + "/")}
        last = last or advice_edits.rust_edit(found.iterations, sources - scripts, ())
    return last or advice_edits.rust_edit((), (), roots)


def digests(found: Survey) -> dict[str, str]:
    """Of what measurements rest on, as it is now."""
    return {path: read_stamp(path).digest for path in found.inputs}


def top_of(place: Place) -> str:
    """Folder that names in a patch start at: of the repository, else of the workspace."""
    from core.run.identity import git_root

    return os.path.realpath(git_root(place.workspace) or place.workspace)
