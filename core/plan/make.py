"""From a command line to its plan: what is there is looked at, what is wanted is read, then it is decided."""

from typing import NamedTuple

from core.paths import Paths
from core.plan.found import Found, Origin, Trouble
from core.plan.plan import Plan
from core.plan.wish import Wish


class Planned(NamedTuple):
    """A plan, and what it rests on."""

    plan: Plan
    found: Found
    wish: Wish
    overruled: tuple[tuple[Origin, str], ...] = ()
    """Places that name another mode and count less than the one that was chosen, those that count more first."""
    troubles: tuple[Trouble, ...] = ()
    """What cannot be used of `deck.toml`, of our settings and of the variables; the plan goes without it."""


def preview(paths: Paths, *, words: tuple[str, ...], cwd: str, env: dict[str, str], mode: str | None = None,
            agent: str = "") -> Planned:  # fmt: skip
    """The plan of a cargo command that is not started. Programs are asked what they are where nobody asked them yet
    (half a second in all); nothing else is changed.

    Args:
        paths: Ours.
        words: After `cargo`.
        cwd: Where it would run.
        env: Its environment.
        mode: As `--mode` says it; None: as variables and files say.
        agent: Who would build; empty: as the environment says.

    Raises:
        UsageError: `mode` names none.
    """
    raise NotImplementedError((paths, words, cwd, env, mode, agent))
