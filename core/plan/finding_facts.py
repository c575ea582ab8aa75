"""What findings ask of what was found: which rustflags count, which wrapper, which profile is built. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from core.plan.cfg import facts_of, holds
from core.plan.found import Found
from core.plan.given import Given, Key, Origin
from core.plan.plan import Change, Evidence, Finding, Setting
from core.plan.wish import Wish

_NAMED_PROFILES = {"test": "dev", "bench": "release"}
"""Built-in profiles that take from another one."""
BUILD_FLAGS: Key = ("build", "rustflags")
_SHORT_FLAGS = {"-O": ("opt-level", "3"), "-g": ("debuginfo", "2")}
_TAKE_A_WORD = frozenset(
    "--cfg --check-cfg -L -l -A -W -D -F --allow --warn --deny --forbid --force-warn --cap-lints --extern --emit "
    "--remap-path-prefix --sysroot --target --edition --crate-type --print -o --out-dir".split()
)
"""Options whose value is the word behind them."""
_MAX_CHAIN = 16
"""Profiles may inherit from one another in a circle: cargo says so, we only stop."""


class Flag(NamedTuple):
    """One word of rustc's command line, or two that belong together."""

    kind: str
    """`C`, `Z`; empty: another one."""
    name: str
    """`link-arg`, `opt-level`; of another one the word itself."""
    value: str
    words: tuple[str, ...]
    """As they stand there."""
    origin: Origin
    key: Key = ()
    """Of the setting; empty: a variable."""

    @property
    def shown(self) -> str:
        """As a person would write it."""
        return " ".join(self.words)


class Facts(NamedTuple):
    """What a finding may look at."""

    found: Found
    wish: Wish
    settings: tuple[Setting, ...]
    wrapper: Given | None
    """The rustc-wrapper that a person set; None: none, or set to nothing."""
    flags: tuple[Flag, ...]
    """Rustflags that reach rustc for the target."""
    profile: str
    """Name of the one that is built: `dev`, `release`, …"""

    @property
    def has_sccache(self) -> bool:
        """The user's own wrapper is sccache."""
        return self.wrapper is not None and is_sccache(str(self.wrapper.value))

    @property
    def has_cache(self) -> bool:
        """Some compiler cache, the user's or ours."""
        return self.wish.cache not in ("", "none") or self.has_sccache

    @property
    def triple(self) -> str:
        """What is built for; empty: not known."""
        return self.found.target.triple if self.found.target else self.found.toolchain.host

    def variable(self, name: str) -> Given | None:
        """One of the environment; None: not set."""
        value = self.found.env.get(name)
        return None if value is None else Given(value, Origin(name))

    def any_variable(self, name: str) -> Given | None:
        """One of the environment, or of a config's `[env]`, where only what cargo starts sees it."""
        return self.variable(name) or self.found.settings.get("env", name, "value") or self.found.settings.get(
            "env", name
        )  # fmt: skip

    def of_profile(self, key: str, profile: str = "") -> tuple[Key, Given] | None:
        """What counts for a key of the profile that is built, and under which name it stands."""
        for name in profile_chain(self.found, profile or self.profile):
            given = setting_of(self.found, ("profile", name, key))
            if given is not None:
                return ("profile", name, key), given
        return None

    def change(self, given: Given, key: Key, value: Any = None) -> tuple[Change, ...]:
        """What to do about a key where it stands in a file; nothing where it does not."""
        if not is_file(given.origin):
            return ()
        root = self.found.root
        is_inside = bool(root) and given.origin.place.startswith(root.rstrip("/") + "/")
        return (Change(given.origin.place, key, value, root if is_inside else ""),)


def gather_facts(found: Found, wish: Wish, settings: tuple[Setting, ...]) -> Facts:
    """All of them."""
    return Facts(found, wish, settings, wrapper_of(found), tuple(placed_flags(found)), profile_of(wish))


def is_file(origin: Origin) -> bool:
    """A file says it: not a variable, not `--config`."""
    return origin.place.startswith("/")


def is_variable(origin: Origin) -> bool:
    """A variable says it."""
    return bool(origin.place) and not origin.place.startswith(("/", "-"))


def is_sccache(wrapper: str) -> bool:
    """`sccache`, `/usr/bin/sccache`."""
    return wrapper.rpartition("/")[2].removesuffix(".exe") == "sccache"


def wrapper_of(found: Found) -> Given | None:
    """Source: cargo 1.95, `GlobalContext::load_global_rustc`: the variable first, and an empty one is none."""
    value = found.env.get("RUSTC_WRAPPER")
    given = Given(value, Origin("RUSTC_WRAPPER")) if value is not None else found.settings.get("build", "rustc-wrapper")
    return given if given is not None and isinstance(given.value, str) and given.value else None


def places_of(found: Found, key: Key) -> list[Given]:
    """Every place that says something about a key, each with its own value, those that count more first."""
    given = [one for name, one in found.settings.every if name == key]
    counts = setting_of(found, key)
    return given or ([counts] if counts is not None else [])


def setting_of(found: Found, key: Key) -> Given | None:
    """What counts: cargo's configuration before the workspace's manifest."""
    return found.settings.values.get(key) or found.settings.manifest.get(key)


def profile_of(wish: Wish) -> str:
    """Name of the profile that is built."""
    named = wish.options.get("cargo-profile") or wish.options.get("profile")
    if named and named[-1]:
        return named[-1]
    if "release" in wish.options:
        return "release"
    return {"test": "test", "nextest": "test", "bench": "bench"}.get(wish.subcommand, "dev")


def profile_chain(found: Found, profile: str) -> Iterator[str]:
    """It, and those that it takes from."""
    for _ in range(_MAX_CHAIN):
        yield profile
        given = setting_of(found, ("profile", profile, "inherits"))
        parent = given.value if given is not None else _NAMED_PROFILES.get(profile, "")
        if not isinstance(parent, str) or not parent:
            return
        profile = parent


def words_of(value: Any) -> list[str]:
    """Of rustflags as TOML has them: an array, or a string that is split at spaces."""
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list | tuple) else []


def flags_of_variables(found: Found) -> Given | None:
    """Rustflags of the environment, which drop all of the configuration's; None: there are none.

    Source: cargo 1.95, `env_args`: CARGO_ENCODED_RUSTFLAGS, then RUSTFLAGS; an empty one counts too.
    """
    encoded = found.env.get("CARGO_ENCODED_RUSTFLAGS")
    if encoded is not None:
        return Given(encoded.split("\x1f") if encoded else [], Origin("CARGO_ENCODED_RUSTFLAGS"))
    plain = found.env.get("RUSTFLAGS")
    return None if plain is None else Given(plain.split(), Origin("RUSTFLAGS"))


def keys_in_effect(found: Found) -> list[Key]:
    """Under which keys the rustflags stand that cargo hands on for what is built; none where a variable has them."""
    if flags_of_variables(found) is not None:
        return []
    of_targets = target_keys(found, "rustflags")
    return of_targets or ([BUILD_FLAGS] if found.settings.values.get(BUILD_FLAGS) is not None else [])


def target_keys(found: Found, name: str) -> list[Key]:
    """Keys `target.*.NAME` that hold for what is built, those of a `cfg(…)` last."""
    triple = found.target.triple if found.target else found.toolchain.host
    exact: list[Key] = []
    by_cfg: list[Key] = []
    for key, given in found.settings.values.items():
        if len(key) != 3 or key[0] != "target" or key[2] != name or not given.value:
            continue
        if key[1] == triple:
            exact.append(key)
        elif key[1].startswith("cfg(") and holds(key[1], facts_of(triple)):
            by_cfg.append(key)
    return exact + by_cfg


def flags_of_targets(found: Found) -> list[tuple[Key, Given]]:
    """`target.*.rustflags` that hold for what is built, those of a `cfg(…)` last."""
    return [(key, found.settings.values[key]) for key in target_keys(found, "rustflags")]


def flags_in_effect(found: Found) -> list[Given]:
    """The rustflags that cargo hands on for what is built, as it merged them."""
    variables = flags_of_variables(found)
    return [variables] if variables is not None else [found.settings.values[key] for key in keys_in_effect(found)]


def placed_flags(found: Found) -> Iterator[Flag]:
    """The same, each flag by itself and with the very place that it stands at."""
    variables = flags_of_variables(found)
    if variables is not None:
        yield from flags_at(variables)
    for key in keys_in_effect(found):
        for place in flag_places(found, key):
            yield from flags_at(place, key)


def flag_places(found: Found, key: Key) -> Iterator[Given]:
    """The places whose rustflags count. Source: cargo 1.95: arrays and variables are joined, a text hides what counts
    less."""
    for place in places_of(found, key):
        yield place
        if isinstance(place.value, str) and not is_variable(place.origin):
            return


def read_flags(given: Iterable[Given]) -> Iterator[Flag]:
    """Each flag by itself."""
    for one in given:
        yield from flags_at(one)


def flags_at(given: Given, key: Key = ()) -> Iterator[Flag]:
    """Each flag of one place. Source: `rustc --help -v`, 1.95."""
    words = words_of(given.value)
    at = 0
    while at < len(words):
        flag = _flag(words[at], words[at + 1] if at + 1 < len(words) else None, given.origin, key)
        yield flag
        at += len(flag.words)


def _flag(word: str, following: str | None, origin: Origin, key: Key) -> Flag:
    for head, kind in (("--codegen=", "C"), ("-C", "C"), ("-Z", "Z")):
        inside = word[len(head) :] if word.startswith(head) else ""
        is_alone = word == head.rstrip("=") and following is not None
        if inside or is_alone:
            name, _, value = (inside or str(following)).strip().partition("=")
            words = (word, str(following)) if is_alone else (word,)
            return Flag(kind, name.replace("_", "-"), value, words, origin, key)
    if word in _SHORT_FLAGS:
        return Flag("C", *_SHORT_FLAGS[word], (word,), origin, key)
    if word in _TAKE_A_WORD and following is not None:
        return Flag("", word, following, (word, following), origin, key)
    return Flag("", word, "", (word,), origin, key)


def changes_of_flags(facts: Facts, unwanted: Iterable[Flag]) -> tuple[Change, ...]:
    """How the files look without some flags."""
    gone = list(unwanted)
    changes: list[Change] = []
    for key in dict.fromkeys(flag.key for flag in gone if flag.key):
        for place in flag_places(facts.found, key):
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
    """What takes flags out of variables; empty: they are in none that a shell can write."""
    gone = list(unwanted)
    commands = []
    for name in dict.fromkeys(flag.origin.place for flag in gone):
        value = facts.found.env.get(name)
        if value is not None and name != "CARGO_ENCODED_RUSTFLAGS":
            left = _without(value, [flag.words for flag in gone if flag.origin.place == name])
            commands.append(f"export {name}={_in_shell(left)}" if left else f"unset {name}")
    return "; ".join(commands)


def unset(given: Given) -> str:
    """What takes a variable away; empty: it is none."""
    return f"unset {given.origin.place}" if is_variable(given.origin) else ""


def _in_shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def evidence_of(given: Given, text: str = "") -> Evidence:
    """A place, and what it says there."""
    return Evidence(given.origin, text or as_toml(given.value))


def as_toml(value: Any) -> str:
    """As a person would write it: `true`, `"thin"`, `["-C", "x"]`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return str(value)


def short(text: str, most: int = 40) -> str:
    """Foreign text for a title: on one line, and not longer than that."""
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


Findings = Iterator[Finding]
"""What each finder gives."""
