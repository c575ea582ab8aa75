"""Which profile a command builds, who says what of it, and what counts in the end. Pure.

Source: cargo 1.95 and 1.99, `Profiles`, and its book, "Profiles".
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.plan.given import Given, Key, Settings

Version = tuple[int, ...]
_DEFAULTS = {"test": "test", "nextest": "test", "bench": "bench"}
"""What subcommands build that were not told; the others `dev`."""
PARENTS = {"test": "dev", "bench": "release", "doc": "dev", "debug": "dev"}
"""Profiles that cargo has besides `dev` and `release`; `debug` since 1.99."""
_ROOTS = ("dev", "release")
_MAX_CHAIN = 50
_DEV: dict[str, Any] = {
    "opt-level": "0", "debug": "full", "lto": "thin-local", "incremental": True, "panic": "unwind",
    "overflow-checks": True, "debug-assertions": True, "rpath": False, "split-debuginfo": "",
}  # fmt: skip
_RELEASE = {
    **_DEV, "opt-level": "3", "debug": "none", "incremental": False, "overflow-checks": False,
    "debug-assertions": False,
}  # fmt: skip
_WORDS: dict[str, dict[str, str]] = {
    "debug": {"0": "none", "1": "limited", "2": "full", "False": "none", "True": "full"},
    "lto": {"False": "thin-local", "True": "fat", "n": "off", "no": "off", "none": "off"},
    "strip": {"False": "none", "True": "symbols"},
}
_OF_PARTS = ("opt-level", "debug", "codegen-units", "overflow-checks", "debug-assertions", "incremental")
PARTS: dict[str, Key] = {"package.*": ("package", "*"), "build-override": ("build-override",)}
"""Dependencies; build scripts, procedural macros and what they need."""
UNITS_INCREMENTAL, _UNITS = 256, 16
"""Parts of a crate, as rustc has them by itself."""
CI = ("CI", "TF_BUILD")
CI_TURNS_OFF = (1, 99)
"""Cargo from here on builds without incremental where `CI` or `TF_BUILD` is set."""
_STRIPS_STD = (1, 77)
_MAX_BITS = 128
"""Longer numbers are no value of any key, and Python refuses to write very long ones."""


class Effective(NamedTuple):
    """What counts of a profile for one key."""

    value: Any
    """In one form: `debug` `none`, `limited`, `full`, …; `lto` `thin-local`, `off`, `thin`, `fat`; `opt-level` a text;
    `strip` `none`, `debuginfo`, `symbols`; `split-debuginfo` empty where rustc decides; numbers and truths as such."""
    given: Given | None = None
    """Who says so; None: it is cargo's default, or follows from another key."""
    why: str = ""
    """Where it is not the key's own default: from what it follows."""


def profile_of(subcommand: str, options: Mapping[str, list[str]]) -> str:
    """The profile that a command builds; `subcommand` canonical, `options` as `core.run.grammar.Parsed.options`."""
    return typed_profile(subcommand, options) or default_profile(subcommand)


def typed_profile(subcommand: str, options: Mapping[str, list[str]]) -> str:
    """The profile that the command line names; empty: none. `--profile` of nextest is not one of cargo's."""
    named = options.get("cargo-profile" if subcommand == "nextest" else "profile")
    if named and named[-1]:
        return "dev" if subcommand == "rustc" and named[-1] == "check" else named[-1]
    return "release" if "release" in options else ""


def default_profile(subcommand: str) -> str:
    """What a command builds that names none."""
    return _DEFAULTS.get(subcommand, "dev")


def profile_chain(settings: Settings, profile: str) -> tuple[str, ...]:
    """It, and those that it inherits from, up to one that does not exist or comes a second time."""
    found: list[str] = []
    while profile not in found and len(found) < _MAX_CHAIN:
        found.append(profile)
        parent = _parent(settings, profile)
        if parent is None:
            break
        profile = parent
    return tuple(found)


def profile_given(settings: Settings, profile: str, *key: str) -> Given | None:
    """Who says something of a key: of the profile itself variables, `--config` and files before the manifest, then the
    same of what it inherits from. None: nobody."""
    for name in profile_chain(settings, profile):
        given = own_given(settings, name, *key)
        if given is not None:
            return given
    return None


def own_given(settings: Settings, profile: str, *key: str) -> Given | None:
    """Without what it inherits."""
    whole = ("profile", profile, *key)
    return settings.values.get(whole) or settings.manifest.get(whole)


def effective(
    settings: Settings, profile: str, *, subcommand: str = "build", cargo: Version = (), is_ci: bool = False
) -> dict[str, Effective]:
    """What counts for workspace members by key, and by `package.*.KEY` and `build-override.KEY` for those parts.

    `cargo`: its version; empty: the newest is meant. `is_ci`: `CI` or `TF_BUILD` is set, to whatever. Packages that a
    profile names are not looked at, nor what a package's own place decides: incremental is for path packages alone.
    """
    cargo = cargo or (999,)
    defaults = _RELEASE if root_of(settings, profile) == "release" else _DEV
    found = {key: _one(settings, profile, key, default) for key, default in defaults.items()}
    found["incremental"] = _incremental(settings, found["incremental"], cargo, is_ci)
    if subcommand in ("test", "bench", "nextest"):
        found["panic"] = Effective("unwind", None, "tests are always built to unwind")
    found["codegen-units"] = _units(settings, profile, found["incremental"])
    for part, key in PARTS.items():
        found.update(_part(settings, profile, part, key, found))
    found["strip"] = _strip(settings, profile, found, cargo)
    return found


def root_of(settings: Settings, profile: str) -> str:
    """`dev` or `release`, whose defaults it has."""
    return "release" if "release" in profile_chain(settings, profile) else "dev"


def normal(key: str, value: Any) -> Any:
    """A value in its one form; what no key takes stays as it is."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return value
    if key == "opt-level":
        return str(value)
    return _WORDS.get(key, {}).get(str(value), value)


def _parent(settings: Settings, profile: str) -> str | None:
    if profile in _ROOTS:
        return None
    given = own_given(settings, profile, "inherits")
    if given is not None and isinstance(given.value, str):
        return given.value
    return PARENTS.get(profile)


def _one(settings: Settings, profile: str, key: str, default: Any) -> Effective:
    given = profile_given(settings, profile, key)
    return Effective(default) if given is None else Effective(normal(key, given.value), given)


def _incremental(settings: Settings, own: Effective, cargo: Version, is_ci: bool) -> Effective:
    """`build.incremental`, where CARGO_INCREMENTAL stands too, counts more than all profiles."""
    given = settings.get("build", "incremental")
    if given is not None and isinstance(given.value, bool):
        return Effective(given.value, given)
    if is_ci and cargo >= CI_TURNS_OFF:
        return Effective(False, None, "CI is set")
    return own


def _units(settings: Settings, profile: str, incremental: Effective) -> Effective:
    given = profile_given(settings, profile, "codegen-units")
    if given is not None:
        return Effective(given.value, given)
    return _units_of(incremental)


def _units_of(incremental: Effective) -> Effective:
    return Effective(UNITS_INCREMENTAL if incremental.value else _UNITS, None, "rustc's own")


def _part(
    settings: Settings, profile: str, part: str, key: Key, whole: Mapping[str, Effective]
) -> dict[str, Effective]:
    """Dependencies have what the profile has, but are not incremental; what runs at build time is not optimized."""
    found = {one: whole[one] for one in _OF_PARTS}
    if part == "build-override":
        found["opt-level"] = Effective("0")
        found["debug"] = Effective("none", None, "unless the build shares the crate with the program")
        found["codegen-units"] = _units_of(whole["incremental"])
    else:
        found["incremental"] = Effective(False, None, "dependencies from elsewhere never are")
        if whole["codegen-units"].given is None:
            found["codegen-units"] = _units_of(found["incremental"])
    for one in _OF_PARTS:
        given = profile_given(settings, profile, *key, one)
        if given is not None and one != "incremental":
            found[one] = Effective(normal(one, given.value), given)
    return {f"{part}.{one}": value for one, value in found.items()}


def _strip(settings: Settings, profile: str, found: Mapping[str, Effective], cargo: Version) -> Effective:
    given = profile_given(settings, profile, "strip")
    if given is not None:
        return Effective(normal("strip", given.value), given)
    has_none = found["debug"].value == found["package.*.debug"].value == "none"
    if has_none and cargo >= _STRIPS_STD:
        return Effective("debuginfo", None, "nothing has debug information: that of std is left out")
    return Effective("none")
