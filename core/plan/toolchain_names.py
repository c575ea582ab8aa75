"""What the name of a toolchain says, and what gets one that is not there. Pure."""

import re

_CHANNELS = ("stable", "beta", "nightly")
_RELEASE = re.compile(
    r"(stable|beta|nightly|\d+\.\d+(\.\d+)?(-beta(\.\d+)?)?)(-\d{4}-\d\d-\d\d)?(-gnu|-msvc|(-[a-z0-9_.]+){2,4})?"
)
_OWN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")


def is_official(name: str) -> bool:
    """It names a release: `stable`, `nightly-2026-05-15`, `1.95`, `beta-x86_64-unknown-linux-musl`."""
    channel = name.split("-", 1)[0]
    return channel in _CHANNELS or (channel[:1].isdigit() and channel.replace(".", "").isdigit())


def command_for(name: str) -> str:
    """What gets a toolchain that is not there: rustup has releases alone, one of another name is somebody's own. Empty:
    no command does."""
    if _RELEASE.fullmatch(name):
        return f"rustup toolchain install {name}"
    return f"rustup toolchain link {name} PATH" if _OWN_NAME.fullmatch(name) else ""


def channel_of(name: str) -> str:
    """`stable`, `beta`, `nightly` as a name says it; empty: it does not."""
    first, _, rest = name.partition("-")
    if first in _CHANNELS:
        return first
    if not is_official(name):
        return ""
    return "beta" if rest.startswith("beta") else "stable"


def host_of(name: str) -> str:
    """The triple at the end of a full name; empty: there is none."""
    words = name.split("-")
    at = next((n for n, word in enumerate(words) if n and _is_arch(word)), 0)
    return "-".join(words[at:]) if at and len(words) - at >= 3 else ""


def _is_arch(word: str) -> bool:
    return not word.isdigit() and word not in (*_CHANNELS, "") and not word.startswith("beta") and word[0].isalpha()
