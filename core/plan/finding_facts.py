"""What findings ask of what was found, and how they tell of it. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from core.plan.decide_case import Case, toml
from core.plan.found import Found
from core.plan.given import Given, Key, Origin
from core.plan.plan import Change, Evidence, Finding
from core.plan.profile import own_given, profile_chain
from core.plan.rustflags import Flag, flag_places, flags_at

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")


class Facts:
    """What a finding may look at."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.found = case.found
        self.wish = case.wish
        self.flags = case.flags
        """Rustflags that are known to reach rustc for the target."""
        self.profile = case.profile
        """Name of the one that is built: `dev`, `release`, …"""
        self.triple = case.triple
        """What is built for; empty: not known."""
        self.wrapper = _wrapper_of(case.found)
        """The rustc-wrapper that a person set; None: none, or set to nothing."""

    @property
    def has_sccache(self) -> bool:
        """The user's own wrapper is sccache."""
        return self.wrapper is not None and _is_sccache(str(self.wrapper.value))

    @property
    def has_cache(self) -> bool:
        """Some compiler cache, the user's or ours."""
        return self.wish.cache not in ("", "none") or self.has_sccache

    def variable(self, name: str) -> Given | None:
        """One of the environment; None: not set."""
        value = self.found.env.get(name)
        return None if value is None else Given(value, Origin(name))

    def any_variable(self, name: str) -> Given | None:
        """One of the environment, or of a config's `[env]`, where only what cargo starts sees it."""
        return self._case.variable(name)

    def of_profile(self, key: str) -> tuple[Key, Given] | None:
        """What counts for a key of the profile that is built, and under which name it stands."""
        for name in profile_chain(self.found.settings, self.profile):
            given = own_given(self.found.settings, name, key)
            if given is not None:
                return ("profile", name, key), given
        return None

    def change(self, given: Given, key: Key, value: Any = None) -> tuple[Change, ...]:
        """What to do about a key where it stands in a file; nothing where it does not."""
        if not given.origin.is_file:
            return ()
        root = self.found.root
        is_inside = bool(root) and given.origin.place.startswith(root.rstrip("/") + "/")
        return (Change(given.origin.place, key, value, root if is_inside else ""),)


def _is_sccache(wrapper: str) -> bool:
    """`sccache`, `/usr/bin/sccache`."""
    return wrapper.rpartition("/")[2].removesuffix(".exe") == "sccache"


def _wrapper_of(found: Found) -> Given | None:
    """Source: cargo 1.95, `GlobalContext::load_global_rustc`: the variable first, and an empty one is none."""
    value = found.env.get("RUSTC_WRAPPER")
    given = Given(value, Origin("RUSTC_WRAPPER")) if value is not None else found.settings.get("build", "rustc-wrapper")
    return given if given is not None and isinstance(given.value, str) and given.value else None


def changes_of_flags(facts: Facts, unwanted: Iterable[Flag]) -> tuple[Change, ...]:
    """How the files look without some flags."""
    gone = list(unwanted)
    changes: list[Change] = []
    for key in dict.fromkeys(flag.key for flag in gone if flag.key):
        for place in flag_places(facts.found.settings, key):
            those = [flag.words for flag in gone if flag.key == key and flag.origin == place.origin]
            if those:
                changes += facts.change(place, key, _without(place.value, those))
    return tuple(changes)


def _without(value: Any, gone: list[tuple[str, ...]]) -> Any:
    """Rustflags without some; None: none are left."""
    flags = flags_at(Given(value, Origin("")))
    words = [word for flag in flags if flag.words not in gone for word in flag.words]
    return None if not words else " ".join(words) if isinstance(value, str) else words


def command_without(facts: Facts, unwanted: Iterable[Flag]) -> str:
    """What takes flags out of variables; empty: they are in none that a shell can write, or have what a terminal
    obeys."""
    gone = list(unwanted)
    commands = []
    for name in dict.fromkeys(flag.origin.place for flag in gone):
        value = facts.found.env.get(name)
        if value is not None and name != "CARGO_ENCODED_RUSTFLAGS":
            left = _without(value, [flag.words for flag in gone if flag.origin.place == name])
            commands.append(f"export {name}={in_shell(left)}" if left else f"unset {name}")
            if not is_plain(name) or not (left or "").isprintable():
                return ""
    return "; ".join(commands)


def unset(given: Given) -> str:
    """What takes a variable away; empty: it is none."""
    return command("unset", given.origin.place) if given.origin.is_variable else ""


def command(*words: str) -> str:
    """A command whose last word is foreign: a name as programs, packages, toolchains and variables have; empty: it is
    none of those, and a shell might do with it what nobody asked for."""
    return " ".join(words) if is_plain(words[-1]) else ""


def is_plain(name: str) -> bool:
    """A name of which a shell takes every letter as it stands, and no program takes it for an option."""
    return 0 < len(name) <= 200 and set(name) <= _PLAIN and name[0] not in "-+."


def in_shell(text: str) -> str:
    """A text as one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def evidence_of(given: Given, text: str = "") -> Evidence:
    """A place, and what it says there."""
    return Evidence(given.origin, text or toml(given.value))


Findings = Iterator[Finding]
"""What each finder gives."""
