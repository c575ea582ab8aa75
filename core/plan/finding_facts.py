"""What findings ask of what was found: which rustflags count, which wrapper, which profile is built. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from core.plan.found import Found, Given, Key, Origin
from core.plan.plan import Change, Evidence, Finding, Setting
from core.plan.triples import cfg_holds
from core.plan.wish import Wish

_NAMED_PROFILES = {"test": "dev", "bench": "release"}
"""Built-in profiles that take from another one."""
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


def facts_of(found: Found, wish: Wish, settings: tuple[Setting, ...]) -> Facts:
    """All of them."""
    flags = tuple(read_flags(flags_in_effect(found)))
    return Facts(found, wish, settings, wrapper_of(found), flags, profile_of(wish))


def is_file(origin: Origin) -> bool:
    """A file says it: not a variable, not `--config`."""
    return origin.place.startswith("/")


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


def flags_of_targets(found: Found) -> list[tuple[Key, Given]]:
    """`target.*.rustflags` that hold for what is built, those of a `cfg(…)` last."""
    triple = found.target.triple if found.target else found.toolchain.host
    exact: list[tuple[Key, Given]] = []
    by_cfg: list[tuple[Key, Given]] = []
    for key, given in found.settings.values.items():
        if len(key) != 3 or key[0] != "target" or key[2] != "rustflags" or not words_of(given.value):
            continue
        if key[1] == triple:
            exact.append((key, given))
        elif key[1].startswith("cfg(") and triple and cfg_holds(key[1][4:-1], triple):
            by_cfg.append((key, given))
    return exact + by_cfg


def flags_in_effect(found: Found) -> list[Given]:
    """The rustflags that cargo hands on for what is built, in the order in which they stand."""
    variables = flags_of_variables(found)
    if variables is not None:
        return [variables]
    of_targets = [given for _, given in flags_of_targets(found)]
    if of_targets:
        return of_targets
    built = found.settings.get("build", "rustflags")
    return [built] if built is not None else []


def read_flags(given: Iterable[Given]) -> Iterator[Flag]:
    """Each flag by itself. Source: `rustc --help -v`, 1.95."""
    for one in given:
        words = words_of(one.value)
        at = 0
        while at < len(words):
            flag = _flag(words[at], words[at + 1] if at + 1 < len(words) else None, one.origin)
            yield flag
            at += len(flag.words)


def _flag(word: str, following: str | None, origin: Origin) -> Flag:
    for head, kind in (("--codegen=", "C"), ("-C", "C"), ("-Z", "Z")):
        if word.startswith(head) and len(word) > len(head):
            name, _, value = word[len(head) :].strip().partition("=")
            return Flag(kind, name.replace("_", "-"), value, (word,), origin)
        if word == head.rstrip("=") and following is not None:
            name, _, value = following.strip().partition("=")
            return Flag(kind, name.replace("_", "-"), value, (word, following), origin)
    if word == "-O":
        return Flag("C", "opt-level", "3", (word,), origin)
    if word == "-g":
        return Flag("C", "debuginfo", "2", (word,), origin)
    return Flag("", word, "", (word,), origin)


def without(words: list[str], unwanted: Iterable[Flag]) -> list[str]:
    """The words of one place without some flags."""
    gone = [flag.words for flag in unwanted]
    return [
        word
        for flag in read_flags([Given(words, Origin(""))])
        if flag.words not in gone
        for word in flag.words
    ]  # fmt: skip


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


Findings = Iterator[Finding]
