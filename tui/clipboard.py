"""Copying text to where a person can paste it, and saying what really happened.

Nobody answers an OSC 52 sequence, so programs that end with an exit code are asked first where they reach the person's
own desktop; a file is the last resort.
"""

import base64
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Way = Literal["desktop", "tmux", "osc52", "passthrough", "file"]
Wish = Literal["auto", "desktop", "osc52", "file"]

OSC52_BYTES = 74_000
"""Of base64. Terminals cut or ignore longer sequences: xterm and hterm at 75 to 100 kB, others later."""
_WITHIN_S = 2.0
"""A program that has not taken the text by then hangs: an X server that is gone."""
_WAYLAND = ("wl-copy",)
_X11 = (("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input"))
_MAC = ("pbcopy",)
_TMUX = ("tmux", "load-buffer", "-w", "-")
_DEAF = ("linux", "dumb", "screen.linux")
"""`$TERM` of terminals without a clipboard."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the dashboard runs, as far as copying goes."""

    desktop: tuple[str, ...] | None
    """The program that fills the desktop's clipboard; None: no desktop, or no such program."""
    is_remote: bool
    """Over ssh: a desktop of that machine is hardly the one where the person sits."""
    is_in_tmux: bool
    has_tmux: bool
    """The program `tmux` is there."""
    has_osc52: bool
    """The terminal may know OSC 52."""
    wish: Wish = "auto"
    """What the settings say."""


def look_around(env: Mapping[str, str], wish: Wish = "auto") -> Situation:
    """The situation by environment and PATH."""
    path = env.get("PATH")
    candidates: list[tuple[str, ...]] = [_MAC]
    if env.get("WAYLAND_DISPLAY"):
        candidates.append(_WAYLAND)
    if env.get("DISPLAY"):
        candidates.extend(_X11)
    return Situation(
        desktop=next((words for words in candidates if shutil.which(words[0], path=path)), None),
        is_remote=bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY")),
        is_in_tmux=bool(env.get("TMUX")),
        has_tmux=shutil.which("tmux", path=path) is not None,
        has_osc52=env.get("TERM", "") not in _DEAF and not (env.get("STY") and not env.get("TMUX")),
        wish=wish,
    )


def ways(situation: Situation, encoded_bytes: int) -> tuple[Way, ...]:
    """What to try for so much base64, best first; a file always comes last."""
    fits = situation.has_osc52 and encoded_bytes <= OSC52_BYTES
    found: list[Way] = []
    if situation.is_in_tmux and situation.has_tmux:
        found.append("tmux")
    elif fits:
        found.append("passthrough" if situation.is_in_tmux else "osc52")
    if situation.desktop is not None:
        found.insert(len(found) if situation.is_remote and fits else 0, "desktop")
    match situation.wish:
        case "auto":
            return (*found, "file")
        case "desktop":
            return (*(way for way in found if way == "desktop"), "file")
        case "osc52":
            return (*(way for way in found if way != "desktop"), "file")
        case "file":
            return ("file",)


@dataclass(frozen=True, slots=True)
class Clipboard:
    """Where text goes."""

    situation: Situation
    file: str
    """The last resort; each copy replaces the one before."""
    write: Callable[[str], None]
    """Sends a sequence to the terminal."""

    def copy(self, text: str, what: str) -> str:
        """Copy; gives a sentence on what happened to `what` (`3 lines`). Blocks: not for the event loop.

        Raises:
            OSError: not even the file could be written.
        """
        content = text.encode("utf-8", "surrogateescape")
        encoded = base64.b64encode(content).decode()
        for way in ways(self.situation, len(encoded)):
            if self._has_gone(way, content, encoded):
                return self._said(way, what, len(encoded))
        raise AssertionError("a file always comes last")

    def _has_gone(self, way: Way, content: bytes, encoded: str) -> bool:
        match way:
            case "desktop":
                return _feed(self.situation.desktop or (), content)
            case "tmux":
                return _feed(_TMUX, content)
            case "osc52" | "passthrough":
                self.write(sequence(encoded, is_in_tmux=way == "passthrough"))
            case "file":
                _write_private(self.file, content)
        return True

    def _said(self, way: Way, what: str, encoded_bytes: int) -> str:
        match way:
            case "desktop":
                return f"copied {what} to the clipboard"
            case "tmux" if encoded_bytes > OSC52_BYTES:
                return f"copied {what} to tmux's buffer: too much for the terminal's clipboard"
            case "tmux":
                return f"copied {what} to tmux's buffer, and to the terminal's clipboard if it allows that"
            case "osc52" | "passthrough":
                return f"sent {what} to the terminal's clipboard (OSC 52): it does not say whether it took it"
            case "file":
                return f"wrote {what} to {self.file}"


def sequence(encoded: str, *, is_in_tmux: bool) -> str:
    """OSC 52 for a terminal; inside tmux wrapped so that it passes through (`allow-passthrough`)."""
    plain = f"\x1b]52;c;{encoded}\x07"
    return through_tmux(plain) if is_in_tmux else plain


def through_tmux(sequence: str) -> str:
    """The sequence so that tmux hands it on to the terminal, where its `allow-passthrough` is on."""
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def _feed(words: Sequence[str], content: bytes) -> bool:
    """Give the text to a program; False where it did not take it. xclip and wl-copy stay behind to serve it, so they
    get a session of their own, and nothing of ours to hold open."""
    try:
        done = subprocess.run(
            words, input=content, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_WITHIN_S,
            check=False, start_new_session=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _write_private(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
