"""Tries advice: in each way's world the same files are edited and built, in rounds, the ways in random order beside the
build as it is, twice. No build is in the way, and nothing is left but the figures."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from core.clock import Clock
from core.errors import StateError
from core.native.edits.lever_figures import interval, noise_of, verdict_of
from core.native.gains.advice_arms import AS_IS, CONTROL, Project
from core.native.gains.advice_edits import Edit
from core.native.gains.advice_figures import Figure, Tried, append
from core.native.gains.advice_world import Built, World
from core.plan.machine import core_count


class Trial(NamedTuple):
    """What is to be tried."""

    edits: tuple[Edit, ...]
    rounds: int
    inputs: Mapping[str, str]
    """Digests by path of what it rests on."""
    tell: Callable[[str], None]
    """Hears of each round."""


Taken = dict[tuple[str, str], list[Built]]
"""Builds of each way and kind of edit, round by round."""


def try_all(project: Project, found: Sequence[World], trial: Trial, clock: Clock) -> Iterator[Tried]:
    """Try all ways beside the build as it is, and keep what was measured; one of each advice.

    Raises:
        StateError: It does not build as it is.
        ScratchError: Something cannot be written.
    """
    cwd = project.place.workspace
    troubles: dict[str, str] = {}
    for world in found:
        trial.tell(f"builds {world.arm.name}")
        troubles[world.arm.name] = world.prepare(cwd)
    base, control = found[:2]
    if why := troubles[base.arm.name] or troubles[control.arm.name]:
        raise StateError(f"it does not build as it is: {why}")
    good = [world for world in found if not troubles[world.arm.name]]
    taken = _rounds(good, trial, troubles)
    for world in found[2:]:
        yield _tried(project, world, trial, taken, troubles[world.arm.name], clock)


def _rounds(good: Sequence[World], trial: Trial, troubles: dict[str, str]) -> Taken:
    """A round without a figure, then all others."""
    taken: Taken = {}
    rng = random.Random()
    for number in range(trial.rounds + 1):
        for edit in trial.edits:
            for world in rng.sample(good, len(good)):
                if troubles[world.arm.name]:
                    continue
                world.edit(edit, number)
                built = world.build()
                troubles[world.arm.name] = built.trouble
                if number:
                    taken.setdefault((world.arm.name, edit.kind), []).append(built)
        if troubles[good[0].arm.name] or troubles[good[1].arm.name]:
            raise StateError(
                f"it does not build after an edit: {troubles[good[0].arm.name] or troubles[good[1].arm.name]}"
            )
        if number:
            told = ", ".join(f"{edit.kind} {taken[AS_IS, edit.kind][-1].took_s:.2f} s" for edit in trial.edits)
            trial.tell(f"round {number} of {trial.rounds}: as it is, {told}")
    return taken


def _tried(project: Project, world: World, trial: Trial, taken: Taken, trouble: str, clock: Clock) -> Tried:
    if world.arm.advice is None:
        raise TypeError(world.arm.name)
    figures = () if trouble else tuple(_figure(world, edit, taken) for edit in trial.edits)
    one = Tried(
        clock(), project.place.workspace, world.arm.advice, world.arm.name, " ".join(project.words) or "build",
        world.kind, core_count(), trial.rounds, figures, trial.inputs, trouble,
    )  # fmt: skip
    append(project.paths, one)
    return one


def _figure(world: World, edit: Edit, taken: Taken) -> Figure:
    base, control, own = (taken[name, edit.kind] for name in (AS_IS, CONTROL, world.arm.name))
    noise = noise_of(_ratios(base, control))
    ratios = _ratios(base, own)
    low, high = interval(ratios)
    return Figure(
        edit.kind, edit.path, median(one.took_s for one in base), median(one.took_s for one in own), median(ratios),
        low, high, noise, verdict_of(ratios, noise), base[-1].rebuilt, own[-1].rebuilt,
    )  # fmt: skip


def _ratios(base: Sequence[Built], others: Sequence[Built]) -> list[float]:
    """Round by round."""
    return [other.took_s / one.took_s for one, other in zip(base, others, strict=True)]
