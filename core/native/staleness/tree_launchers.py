"""Caches that CMake noted to stand before the compilers of a build tree, where they are known to give wrong objects."""

from collections.abc import Mapping

from core.native.staleness.tree_stale import TreeFound
from core.native.staleness.tree_steps import Tree
from core.native.traces.cmake_cache import CACHE_FILE, read_cache
from core.paths import Paths
from core.plan.answers import open_answers
from core.plan.ccache_mode import goes_by_dependencies
from core.plan.decide_case import case_of
from core.plan.finding_facts import Facts
from core.plan.finding_mask import masked
from core.plan.finding_nvcc import LAUNCHERS, NOTED
from core.plan.found import Found
from core.plan.given import Given, Key, Origin, Settings
from core.plan.look import relevant
from core.plan.tools import find_tools
from core.plan.wish import Wish
from core.run.mask import secrets_of


def launchers_found(paths: Paths, trees: tuple[Tree, ...], env: Mapping[str, str]) -> list[TreeFound]:
    """What is wrong with the caches before compilers in trees of CMake's.

    Args:
        paths: Ours, for what programs answered.
        trees: Where.
        env: Of who builds there; what it says of launchers counts for new trees alone.
    """
    found: list[TreeFound] = []
    for tree in trees:
        noted = _noted(tree)
        if noted:
            cache = f"{tree.folder}/{CACHE_FILE}"
            kept = {name: value for name, value in relevant(env).items() if name not in LAUNCHERS}
            known = open_answers(paths)
            tools = find_tools(("sccache", "nvcc"), env, known, may_ask=True)
            case = case_of(Found(tools=tools, settings=Settings(noted), env=kept,
                                 ccache_depends=goes_by_dependencies(env)), Wish())  # fmt: skip
            secrets = secrets_of(dict(env))
            told = (masked(one, secrets) for finder in NOTED for one in finder(Facts(case)))
            found += [TreeFound(one, (cache,)) for one in told]
    return found


def _noted(tree: Tree) -> dict[Key, Given]:
    cache = f"{tree.folder}/{CACHE_FILE}"
    kept = read_cache(tree.folder)
    values = {name: kept.get(name, "") for name in LAUNCHERS}
    return {("env", name): Given(value, Origin(cache)) for name, value in values.items() if value}
