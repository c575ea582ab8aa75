"""The colours of the dashboard: two palettes of our own, and the terminal's sixteen."""

from collections.abc import Mapping

from textual.theme import Theme

DARK = Theme(
    name="deck-dark",
    primary="#6ba6e8",
    secondary="#8f9bb3",
    warning="#e0b05c",
    error="#ec7171",
    success="#7dba84",
    accent="#6ba6e8",
    foreground="#c9ced8",
    background="#13161c",
    surface="#1a1e26",
    panel="#222731",
    dark=True,
    variables={
        "deck-strong": "#eef1f6",
        "deck-dim": "#7a8394",
        "deck-track": "#323947",
        "deck-who-0": "#7fc8c2",
        "deck-who-1": "#c79bd8",
        "deck-who-2": "#8fa8e8",
        "deck-who-3": "#d0b98a",
        "deck-who-4": "#9ccf8f",
        "deck-who-5": "#e39db0",
        "deck-selected": "#1d222c",
        "deck-found": "#3d4a2a",
        "deck-found-text": "#e6efcf",
        "deck-match": "#e0b05c",
        "deck-match-text": "#13161c",
        "deck-picked": "#2f4a6e",
        "deck-picked-text": "#eef1f6",
        "state-building": "#6ba6e8",
        "state-waiting": "#e0b05c",
        "state-failed": "#ec7171",
        "state-done": "#7dba84",
        "state-quiet": "#6b7383",
    },
)
LIGHT = Theme(
    name="deck-light",
    primary="#1f66b0",
    secondary="#5b6475",
    warning="#8f6200",
    error="#b3312f",
    success="#2f7a3d",
    accent="#1f66b0",
    foreground="#2b303a",
    background="#fbfbfa",
    surface="#f2f2f0",
    panel="#e7e8e6",
    dark=False,
    variables={
        "deck-strong": "#0f131a",
        "deck-dim": "#6d7480",
        "deck-track": "#d3d6d9",
        "deck-who-0": "#1c7d76",
        "deck-who-1": "#8a4a9e",
        "deck-who-2": "#3c56b0",
        "deck-who-3": "#7a5f1c",
        "deck-who-4": "#3d7a2f",
        "deck-who-5": "#a83f5c",
        "deck-selected": "#eff2f6",
        "deck-found": "#e4ecc8",
        "deck-found-text": "#2b303a",
        "deck-match": "#8f6200",
        "deck-match-text": "#ffffff",
        "deck-picked": "#cfe0f5",
        "deck-picked-text": "#0f131a",
        "state-building": "#1f66b0",
        "state-waiting": "#8f6200",
        "state-failed": "#b3312f",
        "state-done": "#2f7a3d",
        "state-quiet": "#7b828d",
    },
)
TERMINAL = Theme(
    name="deck-terminal",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    accent="ansi_blue",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        "deck-strong": "ansi_default",
        "deck-dim": "ansi_bright_black",
        "deck-track": "ansi_bright_black",
        "deck-who-0": "ansi_cyan",
        "deck-who-1": "ansi_magenta",
        "deck-who-2": "ansi_blue",
        "deck-who-3": "ansi_yellow",
        "deck-who-4": "ansi_green",
        "deck-who-5": "ansi_bright_magenta",
        "deck-selected": "ansi_default",
        "deck-found": "ansi_bright_black",
        "deck-found-text": "ansi_default",
        "deck-match": "ansi_yellow",
        "deck-match-text": "ansi_black",
        "deck-picked": "ansi_bright_blue",
        "deck-picked-text": "ansi_black",
        "state-building": "ansi_blue",
        "state-waiting": "ansi_yellow",
        "state-failed": "ansi_red",
        "state-done": "ansi_green",
        "state-quiet": "ansi_bright_black",
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "border-blurred": "ansi_bright_black",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_bright_blue",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_bright_blue",
        "screen-selection-foreground": "ansi_black",
    },
)
THEMES = (DARK, LIGHT, TERMINAL)

FALLBACKS: Mapping[str, str] = {
    "deck-strong": "$foreground",
    "deck-dim": "$secondary",
    "deck-track": "$panel",
    "deck-who-0": "$accent",
    "deck-who-1": "$secondary",
    "deck-who-2": "$primary",
    "deck-who-3": "$warning",
    "deck-who-4": "$success",
    "deck-who-5": "$error",
    "deck-selected": "$surface",
    "deck-found": "$panel",
    "deck-found-text": "$foreground",
    "deck-match": "$warning",
    "deck-match-text": "$background",
    "deck-picked": "$primary",
    "deck-picked-text": "$background",
    "state-building": "$accent",
    "state-waiting": "$warning",
    "state-failed": "$error",
    "state-done": "$success",
    "state-quiet": "$secondary",
}
"""Our colours in a theme that is not ours: the name of one of its own."""


def pick_theme(env: Mapping[str, str]) -> str:
    """The theme that suits a terminal, by what it says of itself.

    Fewer than 256 colours: its own sixteen. `COLORFGBG` (`fg;bg`, of rxvt, Konsole and others) tells light from dark.
    """
    term = env.get("TERM", "")
    is_rich = env.get("COLORTERM", "") in ("truecolor", "24bit") or "256" in term or "kitty" in term
    if not is_rich:
        return TERMINAL.name
    background = env.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if background in ("7", "15") else DARK.name


def has_unicode(env: Mapping[str, str]) -> bool:
    """Whether the terminal's locale can draw more than ASCII."""
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    return "utf" in locale.lower()
