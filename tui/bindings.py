"""Every key of the dashboard: what it does, its name for keymaps, and its line in the help."""

from dataclasses import dataclass

from textual.binding import Binding

_IN_ASCII = {"↵": "enter", "←": "left", "↓": "down", "↑": "up", "→": "right", "⇧tab": "shift-tab", "1–9": "1-9"}


@dataclass(frozen=True, slots=True)
class Key:
    """One action with its keys."""

    id: str
    """Name in a keymap and in the palette: `run.stop`."""
    keys: str
    """Comma separated, as Textual names them."""
    action: str
    shown: str
    """The key as the footer and the help print it."""
    word: str
    """One word for the footer."""
    help: str
    """One sentence without a full stop, for help, tooltip and palette."""
    is_hint: bool = False
    """It is named in the footer."""
    group: str = "Build"
    in_palette: bool = True

    def label(self, *, is_ascii: bool) -> str:
        """The key as it is printed, in words where the terminal has no arrows."""
        if not is_ascii:
            return self.shown
        return " ".join(_IN_ASCII.get(word, word) for word in self.shown.split(" "))

    def binding(self) -> Binding:
        """As Textual wants it."""
        return Binding(
            self.keys,
            self.action,
            self.word,
            show=False,
            tooltip=self.help,
            id=self.id,
            priority=self.id == "app.break",
        )


ACTIONS = (
    Key("run.start", "s", "start", "s", "start", "Start a build: folder, agent, command", True),
    Key("run.stop", "x", "stop", "x", "stop", "Stop the highlighted build as Ctrl-C would", True),
    Key("run.kill", "X,shift+x", "kill", "X", "kill", "Kill the highlighted build and all its processes"),
    Key("run.restart", "r", "restart", "r", "restart", "Start the highlighted build again", True),
    Key("run.forget", "f", "forget", "f", "forget", "Take a finished build off the board; its logs stay"),
    Key("tab.board", "f1", "tab('board')", "F1", "board", "Show the board: a pane an agent", group="Dashboard"),
    Key("tab.logs", "f2", "tab('logs')", "F2", "logs", "Show the logs of all agents in one", group="Dashboard"),
    Key("tab.history", "f3", "tab('history')", "F3", "history", "Show past runs, compare two", group="Dashboard"),
    Key("tab.next", "right_square_bracket", "next_tab(1)", "]", "next tab", "Show the next tab", group="Dashboard"),
    Key("tab.previous", "left_square_bracket", "next_tab(-1)", "[", "previous tab", "Show the tab before",
        group="Dashboard"),
    Key("board.attention", "exclamation_mark", "attention", "!", "next needing you",
        "Go to the next build that failed, waits or was lost", True, "Board"),
    Key("app.help", "question_mark", "help", "?", "help", "Show all keys", True, "Dashboard"),
    Key("app.palette", "ctrl+p", "command_palette", "^p", "all actions", "Find any action by its name", True,
        "Dashboard", in_palette=False),
    Key("app.theme", "T,shift+t", "next_theme", "T", "theme", "Change colours: dark, light, the terminal's own",
        group="Dashboard"),
    Key("app.leave", "q", "leave", "q", "leave", "Leave the dashboard; builds go on", True, "Dashboard"),
    Key("app.break", "ctrl+c", "interrupt", "^c", "leave", "Leave the dashboard; builds go on", group="Dashboard",
        in_palette=False),
)  # fmt: skip
"""What works wherever one is."""

BOARD = (
    Key("board.open", "enter,z", "open", "↵", "open", "Show the log of the highlighted build in full", True, "Board"),
    Key("board.left", "left,h", "move(-1, 0)", "← h", "left", "Highlight the pane to the left", group="Board",
        in_palette=False),
    Key("board.down", "down,j", "move(0, 1)", "↓ j", "down", "Highlight the pane below", group="Board",
        in_palette=False),
    Key("board.up", "up,k", "move(0, -1)", "↑ k", "up", "Highlight the pane above", group="Board", in_palette=False),
    Key("board.right", "right,l", "move(1, 0)", "→ l", "right", "Highlight the pane to the right", group="Board",
        in_palette=False),
    Key("board.next", "tab", "step(1)", "tab", "next", "Highlight the next pane", group="Board"),
    Key("board.previous", "shift+tab", "step(-1)", "⇧tab", "previous", "Highlight the previous pane", group="Board"),
    Key("board.number", "1,2,3,4,5,6,7,8,9", "number", "1–9", "pane", "Highlight a pane by its number",
        group="Board", in_palette=False),
)  # fmt: skip
RUN = (
    Key("run.back", "escape,z", "back", "esc", "back", "Go back to the board", True, "Run"),
    Key("run.next", "tab", "neighbour(1)", "tab", "next", "Show the next agent's run", group="Run"),
    Key("run.previous", "shift+tab", "neighbour(-1)", "⇧tab", "previous", "Show the previous agent's run",
        group="Run"),
    Key("run.swap", "o", "swap", "o", "other log", "Switch between stdout and stderr", group="Run"),
)  # fmt: skip
LOG = (
    Key("log.follow", "f,G,end", "follow", "f", "follow", "Follow the end of the log", True, "Log"),
    Key("log.home", "g,home", "home", "g", "top", "Go to the beginning of the log", group="Log"),
    Key("log.down", "j,down", "scroll(1)", "↓ j", "down", "Scroll a line down", group="Log", in_palette=False),
    Key("log.up", "k,up", "scroll(-1)", "↑ k", "up", "Scroll a line up", group="Log", in_palette=False),
    Key("log.page_down", "pagedown,ctrl+d,space", "page(1)", "pgdn", "page down", "Scroll a page down", group="Log",
        in_palette=False),
    Key("log.page_up", "pageup,ctrl+u", "page(-1)", "pgup", "page up", "Scroll a page up", group="Log",
        in_palette=False),
)  # fmt: skip
"""Of every log, wherever it is shown."""


def bindings(keys: tuple[Key, ...]) -> list[Binding]:
    """Textual's form of a list of keys. `board.number` has one binding a digit."""
    plain = [key.binding() for key in keys if key.id != "board.number"]
    digits = [
        Binding(digit, f"number({digit})", key.word, show=False, tooltip=key.help, id=f"{key.id}.{digit}")
        for key in keys
        if key.id == "board.number"
        for digit in key.keys.split(",")
    ]
    return plain + digits
