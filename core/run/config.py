"""The few of cargo's own settings that decide what a caller sees: aliases, `term`, target dir, runners.

Source: cargo book, "Configuration".
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

from core.plan.given import Given, Settings
from core.plan.settings import read_settings

_FORCING = ("CARGO_INCREMENTAL", "CARGO_BUILD_INCREMENTAL")


class CargoConfig(NamedTuple):
    """Merged over the hierarchy, nearest first; environment variables win over files."""

    aliases: dict[str, tuple[str, ...]]
    quiet: bool
    color: str | None
    """`always`, `never`, `auto`; None: not set."""
    progress: str | None
    """`always`, `never`, `auto`; None: not set."""
    target_dir: str | None
    """Absolute."""
    has_runner: bool
    """Somewhere a `runner` is configured."""
    rustc_wrapper: str | None
    """Empty: a variable or a file says that there is none, whatever else does."""
    incremental: bool | None = None
    """None: nobody set it but the profiles."""
    is_incremental_forced: bool = False
    """A variable did: a compiler cache sees it too."""
    build_dir: str | None = None
    """Absolute; None: not set, or made of parts that cargo fills in, as `{workspace-path-hash}`."""
    settings: Settings = Settings()
    """All that this was taken from; without the profiles of a manifest."""


def read_config(cwd: str, env: dict[str, str], home: str, *, cache: str = "", given: Sequence[str] = ()) -> CargoConfig:
    """What applies to a cargo started in `cwd`. A file that cannot be read or parsed says nothing here (cargo itself
    will complain about it in its own words); it is among the troubles of `settings`.

    `cache`: our folder for what was parsed; empty: nothing is kept. `given`: values of `--config`.
    """
    return config_of(read_settings(cache, cwd=cwd, env=env, home=home, given=given), cwd)


def config_of(settings: Settings, cwd: str) -> CargoConfig:
    """The few of them."""
    values = settings.values
    incremental = settings.get("build", "incremental")
    return CargoConfig(
        aliases={key[1]: one.words for key, one in values.items() if key[0] == "alias" and len(key) == 2},
        quiet=(quiet := settings.get("term", "quiet")) is not None and quiet.value is True,
        color=_text(settings.get("term", "color")) or None,
        progress=_text(settings.get("term", "progress", "when") or settings.get("term", "progress")) or None,
        target_dir=_folder(settings.get("build", "target-dir"), cwd),
        has_runner=any(key[0] == "target" and key[-1] == "runner" for key in values),
        rustc_wrapper=_text(settings.get("build", "rustc-wrapper")),
        incremental=incremental.value if incremental is not None and isinstance(incremental.value, bool) else None,
        is_incremental_forced=incremental is not None and incremental.origin.place in _FORCING,
        build_dir=_build_dir(settings, cwd),
        settings=settings,
    )


def given_in(words: Sequence[str]) -> tuple[str, ...]:
    """Values of `--config` on a command line of cargo's, in their order."""
    found = []
    for at, word in enumerate(words):
        if word == "--":
            break
        if word == "--config" and at + 1 < len(words):
            found.append(words[at + 1])
        elif word.startswith("--config="):
            found.append(word[len("--config=") :])
    return tuple(found)


def _text(given: Given | None) -> str | None:
    return given.value if given is not None and isinstance(given.value, str) else None


def _folder(given: Given | None, cwd: str) -> str | None:
    """Absolute: a file's value is relative to the folder above the file's own, others to where cargo is started."""
    text = _text(given)
    if given is None or not text:
        return None
    place = given.origin.place
    base = os.path.dirname(os.path.dirname(place)) if place.startswith("/") else cwd
    return os.path.normpath(os.path.join(base, text))


def _build_dir(settings: Settings, cwd: str) -> str | None:
    found = _folder(settings.get("build", "build-dir"), cwd)
    return None if found is None or "{" in found else found
