"""How long edits of each kind may take: built in, else `[budgets]` of `deck.toml` and of the person's `config.toml`.

[budgets]
rust = 1.5        # seconds
build-rs = 20
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from core.native.edits.edit_class import CLASSES, EditClass
from core.native.edits.iterations import BUDGETS, Budget, ClassRow, Iteration, rows_of
from core.plan.given import Given, Key, Trouble
from core.plan.modes import hint
from core.plan.option import shown
from core.plan.toml_file import read_leaves
from core.run.cache import settings_path
from core.run.command import project_file

TABLE = "budgets"
_BY_NAME = {str(kind).replace(".", "-"): kind for kind in CLASSES}
MOST_S = 86_400.0


class Budgets(NamedTuple):
    """What was read."""

    by_class: Mapping[EditClass, Budget] = BUDGETS
    troubles: tuple[Trouble, ...] = ()


def read_budgets(cache: str, root: str, env: Mapping[str, str]) -> Budgets:
    """Budgets in force: the project's before the person's before the built-in ones.

    Args:
        cache: Folder of what was parsed before; empty: none.
        root: Of the workspace; empty: there is none.
        env: The caller's variables.
    """
    found, troubles = dict(BUDGETS), []
    for path, name in ((settings_path(env), "config.toml"), (project_file(root), "deck.toml")):
        if path:
            leaves, unreadable = read_leaves(cache, path, TABLE)
            own, wrong = budgets_in(leaves.items(), name)
            found |= own
            troubles += [*unreadable, *wrong]
    return Budgets(found, tuple(troubles))


def rows_with_budgets(cache: str, iterations: Sequence[Iteration], env: Mapping[str, str]) -> tuple[ClassRow, ...]:
    """Rows of all checkouts, each with the budgets in force there; the one with the last iteration first."""
    by_checkout: dict[str, list[Iteration]] = {}
    for one in iterations:
        own = by_checkout.pop(one.checkout, [])
        own.append(one)
        by_checkout[one.checkout] = own
    return tuple(
        row
        for checkout, own in reversed(by_checkout.items())
        for row in rows_of(own, read_budgets(cache, checkout, env).by_class)
    )


def budgets_in(leaves: Iterable[tuple[Key, Given]], name: str) -> tuple[dict[EditClass, Budget], list[Trouble]]:
    """What the table `budgets` of a file says, and what is wrong in it; `name`: of the file."""
    found: dict[EditClass, Budget] = {}
    troubles: list[Trouble] = []
    for key, given in leaves:
        if key[0] != TABLE:
            continue
        why = why_no_budget(key, given.value)
        if why:
            troubles.append(Trouble(given.origin, why))
        else:
            found[_BY_NAME[key[1]]] = Budget(0.0, float(given.value), name)
    return found, troubles


def why_no_budget(key: Key, value: object) -> str:
    """What is wrong with an entry of the table; empty: nothing."""
    if len(key) != 2:
        return f"{TABLE} is a table of seconds: write [{TABLE}] on a line of its own" if len(key) < 2 else (
            f"{'.'.join(key)} is seconds: a table is not"
        )  # fmt: skip
    if key[1] not in _BY_NAME:
        return f"there is no kind of edit {key[1][:60]!r}{hint(key[1], tuple(_BY_NAME))}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST_S:
        return f"{TABLE}.{key[1]} is seconds, such as 2.5: {shown(value)} is not"
    return ""


def names() -> Iterator[str]:
    """Of the kinds, as they stand in the table."""
    yield from _BY_NAME
