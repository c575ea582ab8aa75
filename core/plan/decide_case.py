"""One build that is decided on: its profile, what the mode says, what the user says. Pure."""

from typing import Any, NamedTuple

from core.plan.foreign import plain
from core.plan.found import Found
from core.plan.given import Given, Origin, Settings, Trouble
from core.plan.plan import Setting
from core.plan.profile import PARENTS, default_profile, profile_given, typed_profile
from core.plan.rustflags import Flag, flags_in_effect
from core.plan.wish import Wish

NO_MODE = "no mode is chosen"
_NOTHING = "; no mode is chosen, so nothing is set that changes a unit's hash"
SECOND_COPY = "a second copy of every unit that it changes lies beside the plain one in the target dir"
_CARGOS_OWN = ("release", "bench", "test")
"""Profiles beside `dev` that are there without anybody defining them."""
_MAX_BITS = 128
"""Longer numbers cannot be told, and nobody means them."""
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Case(NamedTuple):
    """What all decisions about one build look at."""

    found: Found
    wish: Wish
    profile: str
    """That the build uses: `dev`, `release`, `test`, …"""
    profile_flags: tuple[str, ...] = ()
    """What the mode adds to have it."""
    profile_origin: Origin = Origin("")
    """Who chose it; empty: cargo, by the subcommand."""
    foreign: str = ""
    """Why the mode's profile settings do not apply: it is for another profile. Empty: they apply."""
    flags: tuple[Flag, ...] = ()
    """Rustflags of the user's that are known to reach rustc for what is built."""

    @property
    def mode(self) -> str:
        """Its name; empty: none."""
        return self.wish.mode.name

    @property
    def written(self) -> str:
        """The profile that our settings go to: what `test` and `bench` take theirs from."""
        return PARENTS.get(self.profile, self.profile)

    @property
    def triple(self) -> str:
        """That it is built for; empty: not known."""
        return _triple(self.found)

    @property
    def share(self) -> int:
        """Cores for each agent that builds now, at least 1."""
        return max(1, self.found.machine.usable_cores // max(1, self.wish.agents))

    def option(self, name: str) -> Given | None:
        """What the mode says."""
        return self.wish.mode.options.get(name)

    def typed(self, *names: str) -> str | None:
        """The last value on the command line of the first of the options that is there; None: none of them is."""
        return next((self.wish.options[name][-1] for name in names if self.wish.options.get(name)), None)

    def given(self, key: str, *scope: str) -> Given | None:
        """What the user says of a key of the build's profile, itself or one that it inherits from."""
        return profile_given(self.found.settings, self.profile, *scope, key)

    def variable(self, name: str) -> Given | None:
        """What a build script would see of it without us: the caller's variable, else `[env]` of cargo's settings."""
        if name in self.found.env:
            return Given(self.found.env[name], Origin(name))
        return self.found.settings.get("env", name) or self.found.settings.get("env", name, "value")


def case_of(found: Found, wish: Wish) -> Case:
    """What is built, by what was typed, else by the mode, else by the subcommand."""
    flags = tuple(flags_in_effect(found.settings, found.env, _triple(found)))
    return _with_profile(Case(found, wish, default_profile(wish.subcommand), flags=flags))


def _triple(found: Found) -> str:
    return found.target.triple if found.target else found.toolchain.host


def _with_profile(case: Case) -> Case:
    """With the profile, and who chose it."""
    wish, wanted = case.wish, case.option("profile")
    typed = typed_profile(wish.subcommand, wish.options)
    own = typed or (case.profile if case.profile == "bench" else "")
    if own:
        case = case._replace(profile=own, profile_origin=Origin("command line" if typed else ""))
    if wanted is None or not isinstance(wanted.value, str) or not wanted.value:
        return case
    asked = wanted.value
    if own:
        is_same = asked in (own, PARENTS.get(own))
        return case if is_same else case._replace(foreign=f"mode {case.mode} is for {shown(asked)}, and this builds "
                                                          f"{shown(own)}")  # fmt: skip
    if asked in ("dev", case.profile):
        return case._replace(profile_origin=wanted.origin)
    if asked not in _CARGOS_OWN and not is_defined(case.found.settings, asked):
        return case._replace(foreign=f"no manifest or config file defines the profile {shown(asked)}")
    option = "--cargo-profile" if wish.subcommand == "nextest" else "--profile"
    flags = ("--release",) if asked == "release" else (option, asked)
    return case._replace(profile=asked, profile_flags=flags, profile_origin=wanted.origin)


def unknown_profile(settings: Settings, wish: Wish) -> Trouble | None:
    """What is wrong with a mode whose profile nobody defines; None: somebody does, it is not what would be built, or
    the manifest that might define it cannot be read."""
    wanted = wish.mode.options.get("profile")
    if wanted is None or typed_profile(wish.subcommand, wish.options) or default_profile(wish.subcommand) == "bench":
        return None
    if wanted.value in ("dev", *_CARGOS_OWN) or is_defined(settings, wanted.value) or _lacks_manifest(settings):
        return None
    from core.plan.modes import hint

    known = {key[1] for table in (settings.values, settings.manifest) for key in table if key[0] == "profile"}
    known |= {"dev", "release"}
    near = hint(wanted.value, sorted(known), "define it in Cargo.toml, below [profile.NAME]")
    return Trouble(wanted.origin, f"no manifest or config file defines the profile {shown(wanted.value)}{near}")


def _lacks_manifest(settings: Settings) -> bool:
    return any(one.origin.place.endswith("/Cargo.toml") for one in settings.troubles) and not settings.manifest


def is_defined(settings: Settings, profile: str) -> bool:
    """Somebody speaks of a profile of that name."""
    return any(key[:2] == ("profile", profile) for table in (settings.values, settings.manifest) for key in table)


def profile_row(case: Case) -> Setting:
    """Which profile is built, and who says so."""
    name, typed = shown(case.profile), typed_profile(case.wish.subcommand, case.wish.options)
    if case.profile_flags:
        reason = f"mode {case.mode} is for {name}, and the command line names no profile"
        return Setting("profile", name, "mode", reason, "its units lie in a folder of their own, beside those of dev",
                       case.profile_origin, case.profile_flags)  # fmt: skip
    if case.foreign:
        by = "user" if typed else "cargo"
        return Setting("profile", name, by, f"{case.foreign}: what it says of profiles is left out",
                       origin=case.profile_origin)  # fmt: skip
    if typed:
        return Setting("profile", name, "user", "the command line names it", origin=case.profile_origin)
    if case.profile_origin.place:
        return Setting("profile", name, "mode", "what this command builds anyway", origin=case.profile_origin)
    return Setting(
        "profile", name, "cargo", f"what cargo {case.wish.subcommand} builds" + ("" if case.mode else _NOTHING)
    )


def has_our_cache(case: Case) -> bool:
    """We put a compiler cache in front: one of the user's own is named without a version."""
    return case.wish.cache.startswith("sccache ")


def toml(value: Any) -> str:
    """A boolean, number, text or list of such as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return "0"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return '"' + "".join(_escaped(letter) for letter in str(value)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if letter.isprintable() else f"\\U{ord(letter):08X}"


def dotted(*key: str) -> str:
    """A key of several levels as `--config` takes it."""
    return ".".join(part if part and _BARE.issuperset(part) else toml(part) for part in key)


def config(key: tuple[str, ...], value: Any) -> tuple[str, str]:
    """The two words that give cargo a setting."""
    return "--config", f"{dotted(*key)}={toml(value)}"


def shown(value: Any) -> str:
    """A value as a person would write it: text without quotes, and nothing that moves a cursor."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(shown, value)) or "nothing"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return "a very large number"
    text = toml(value) if isinstance(value, (bool, int, float)) else str(value)
    return plain(text, 200)
