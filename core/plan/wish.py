"""What is wanted of a build: its mode, and what the command line says already. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from core.plan.given import Given, Origin


class Mode(NamedTuple):
    """A set of settings with a name."""

    name: str = ""
    """Empty: none is chosen, and nothing is set that changes a unit's hash."""
    chosen_by: Origin = Origin("")
    """`--mode`, `DECK_MODE`, `MODE`, or the file that says it."""
    options: Mapping[str, Given] = {}
    """By the names of `core.plan.modes.OPTIONS`; the origin of what a built-in mode says is `mode NAME`."""
    about: str = ""
    """One line for people."""


class Wish(NamedTuple):
    """What somebody wants to build."""

    subcommand: str = "build"
    """Canonical: `build`, `check`, `test`, …"""
    options: Mapping[str, list[str]] = {}
    """Of the command line, as `core.run.grammar.Parsed.options`."""
    mode: Mode = Mode()
    cache: str = "none"
    """What `core.run.cache` decided: `none`, `sccache 0.16.0`, or the name of the user's own wrapper."""
    cache_reason: str = ""
    target_dir: str = ""
    """Where it builds; empty: nowhere, or not known."""
    target_dir_source: str = "default"
    """`default`, `user`, `private`."""
    target_dir_reason: str = ""
    features: Given | None = None
    """What `DECK_FEATURES` asks for."""
    is_verbose: Given | None = None
    """What `DECK_VERBOSE` asks for."""
    changed: tuple[str, ...] | None = None
    """Packages whose files differ from the branch point; None: nobody asked, or it is not to be found out."""
    changed_reason: str = ""
    """Against what they differ, or why it is not to be found out."""
    agents: int = 1
    """Agents that build on this machine now, this one included."""
