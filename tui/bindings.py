"""Every key of the dashboard: what it does, its name for keymaps, and its line in the help."""

from collections.abc import Mapping

from textual.binding import Binding

from tui.key import Key

ACTIONS = (
    Key("run.start", "s", "start", "s", "start", "Start a build: folder, agent, command, mode", True),
    Key("run.stop", "x", "stop", "x", "stop", "Stop the highlighted build as Ctrl-C would", True),
    Key("run.kill", "X,shift+x", "kill", "X", "kill", "Kill the highlighted build and all its processes"),
    Key("run.restart", "r", "restart", "r", "restart", "Start the highlighted build again", True),
    Key("run.watch", "A,shift+a", "watch", "A", "again on save",
        "Build the highlighted one again after each save, or no longer"),
    Key("run.forget", "f", "forget", "f", "forget", "Forget a finished build: its pane and its logs go"),
    Key("run.rename", "N,shift+n", "rename", "N", "rename", "Give the agent another name in the dashboard"),
    Key("run.findings", "W,shift+w", "findings", "W", "contradictions",
        "Show what defeats the settings of the highlighted build, and the mend"),
    Key("run.copy", "c", "copy_command", "c", "copy command", "Copy the command line, with its folder"),
    Key("tab.board", "f1", "tab('board')", "F1", "board", "Show the board: a pane an agent", group="Dashboard"),
    Key("tab.logs", "f2", "tab('logs')", "F2", "logs", "Show the logs of all agents in one", group="Dashboard"),
    Key("tab.memory", "f3", "tab('memory')", "F3", "memory", "Show who takes the memory, and the links",
        group="Dashboard"),
    Key("tab.locks", "f4", "tab('locks')", "F4", "locks", "Show who holds which lock, who waits", group="Dashboard"),
    Key("tab.cache", "f5", "tab('cache')", "F5", "cache", "Show what compiler caches give", group="Dashboard"),
    Key("tab.kernels", "f6", "tab('kernels')", "F6", "kernels", "Show what kernels need, and calls of nvcc",
        group="Dashboard"),
    Key("tab.history", "f7", "tab('history')", "F7", "history", "Show past runs, compare two", group="Dashboard"),
    Key("tab.next", "right_square_bracket", "next_tab(1)", "]", "next tab", "Show the next tab", group="Dashboard"),
    Key("tab.previous", "left_square_bracket", "next_tab(-1)", "[", "previous tab", "Show the tab before",
        group="Dashboard"),
    Key("board.attention", "exclamation_mark", "attention", "!", "next needing you",
        "Go to the next build that failed, waits or was lost", True, "Board"),
    Key("board.sort", "O,shift+o", "next_sort", "O", "order", "Order the panes: appearance, name, state",
        group="Board"),
    Key("board.layout", "L,shift+l", "next_layout", "L", "layout", "Lay the panes out: auto, list, 1, 2 or 3 columns",
        group="Board"),
    Key("app.help", "question_mark", "help", "?", "help", "Show all keys", True, "Dashboard"),
    Key("app.palette", "ctrl+p,colon", "command_palette", "^p", "all actions", "Find any action by its name", True,
        "Dashboard", in_palette=False),
    Key("app.theme", "T,shift+t", "next_theme", "T", "theme", "Change colours: dark, light, the terminal's own",
        group="Dashboard"),
    Key("app.suspend", "ctrl+z", "suspend_process", "^z", "to the shell", "Go to the shell; fg comes back",
        group="Dashboard"),
    Key("app.leave", "q", "leave", "q", "leave", "Leave the dashboard; builds go on", True, "Dashboard"),
    Key("app.break", "ctrl+c", "interrupt", "^c", "leave", "Leave the dashboard; builds go on", group="Dashboard",
        in_palette=False),
)  # fmt: skip
"""What works wherever one is."""

START = (
    Key("start.leave", "escape", "leave", "esc", "leave", "Start nothing", group="Start"),
    Key("start.next", "tab", "app.focus_next", "tab", "next", "Go to the next field", group="Start"),
    Key("start.previous", "shift+tab", "app.focus_previous", "⇧tab", "previous", "Go to the field before",
        group="Start"),
    Key("start.older", "up", "recall(1)", "↑", "older", "Take what was entered here before", group="Start"),
    Key("start.newer", "down", "recall(-1)", "↓", "newer", "Take what was entered here later", group="Start"),
)  # fmt: skip
RENAME = (Key("rename.leave", "escape", "leave", "esc", "leave", "Leave the name as it is", group="Rename"),)
CONFIRM = (
    Key("confirm.yes", "y,Y,shift+y", "answer(True)", "y", "yes", "Do it", group="Question"),
    Key("confirm.no", "n,N,shift+n,escape,q", "answer(False)", "n", "no", "Leave it as it is", group="Question"),
    Key("confirm.other", "left,right,h,l,tab,shift+tab", "app.focus_next", "← →", "other", "Go to the other choice",
        group="Question"),
)  # fmt: skip
HELP = (
    Key("help.close", "escape", "close", "esc", "close", "Show all keys again, then go back", group="Help"),
    Key("help.down", "down", "scroll(1)", "↓", "down", "Scroll a line down", group="Help"),
    Key("help.up", "up", "scroll(-1)", "↑", "up", "Scroll a line up", group="Help"),
    Key("help.page_down", "pagedown,ctrl+d", "page(1)", "pgdn", "page down", "Scroll a page down", group="Help"),
    Key("help.page_up", "pageup,ctrl+u", "page(-1)", "pgup", "page up", "Scroll a page up", group="Help"),
)  # fmt: skip
"""Of the dialogs."""

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
    Key("run.other", "tab", "other(1)", "tab", "other side", "Go from the log to the list beside it, and back", True,
        "Run"),
    Key("run.other_back", "shift+tab", "other(-1)", "⇧tab", "other side", "The same the other way round", group="Run"),
    Key("run.beside", "i", "beside", "i", "list", "Show the list beside the log, or the log alone", group="Run"),
    Key("run.crates", "1", "side('crates')", "1", "crates", "Show when each crate was compiled", group="Run"),
    Key("run.errors", "2", "side('errors')", "2", "errors", "Show errors and warnings", group="Run"),
    Key("run.tests", "3", "side('tests')", "3", "tests", "Show tests, failed ones first", group="Run"),
    Key("run.plan", "4", "side('plan')", "4", "plan", "Show what was decided for this run, and why", group="Run"),
    Key("run.why", "5", "side('why')", "5", "why", "Show why crates were compiled again", group="Run"),
    Key("run.processes", "6", "side('processes')", "6", "processes", "Show who is alive in this run", group="Run"),
    Key("run.cache", "7", "side('cache')", "7", "cache", "Show what a compiler cache gave to this run", group="Run"),
    Key("run.order", "O,shift+o", "order", "O", "order", "Order crates by seconds or by their start", group="Run"),
    Key("run.edit", "o", "edit", "o", "open", "Open the file of the chosen error or test in your editor", group="Run"),
    Key("run.retry", "R,shift+r", "retry", "R", "retry", "Run the chosen test again, alone", group="Run"),
    Key("run.next", "greater_than_sign", "neighbour(1)", ">", "next", "Show the next agent's run", group="Run"),
    Key("run.previous", "less_than_sign", "neighbour(-1)", "<", "previous", "Show the previous agent's run",
        group="Run"),
    Key("run.swap", "d", "swap", "d", "other log", "Switch between stdout and stderr", group="Run"),
)  # fmt: skip
LOG = (
    Key("log.search", "slash", "search", "/", "search", "Search by a regular expression", True, "Log"),
    Key("log.next_found", "n", "found(1)", "n", "next", "Go to the next line that was found", group="Log"),
    Key("log.previous_found", "N,shift+n", "found(-1)", "N", "previous", "Go to the line found before", group="Log"),
    Key("log.filter", "backslash", "filter", "\\", "filter", "Show only the lines that were found, or all again",
        group="Log"),
    Key("log.case", "alt+c", "case", "alt+c", "case", "Search: capitals as typed, always, or never told apart",
        group="Log"),
    Key("log.next_error", "e", "error(1)", "e", "error", "Go to the next error", True, "Log"),
    Key("log.previous_error", "E,shift+e", "error(-1)", "E", "error before", "Go to the error before", group="Log"),
    Key("log.follow", "f,G,end", "follow", "f", "follow", "Follow the end of the log", True, "Log"),
    Key("log.home", "g,home", "home", "g", "top", "Go to the beginning of the log", group="Log"),
    Key("log.line", "colon", "line", ":", "line", "Go to a line by its number", group="Log"),
    Key("log.down", "j,down", "scroll(1)", "↓ j", "down", "Scroll a line down", group="Log", in_palette=False),
    Key("log.up", "k,up", "scroll(-1)", "↑ k", "up", "Scroll a line up", group="Log", in_palette=False),
    Key("log.page_down", "pagedown,ctrl+d,space", "page(1)", "pgdn", "page down", "Scroll a page down", group="Log",
        in_palette=False),
    Key("log.page_up", "pageup,ctrl+u", "page(-1)", "pgup", "page up", "Scroll a page up", group="Log",
        in_palette=False),
    Key("log.right", "l,right", "sideways(1)", "→ l", "right", "Scroll long lines to the right", group="Log",
        in_palette=False),
    Key("log.left", "h,left", "sideways(-1)", "← h", "left", "Scroll long lines to the left", group="Log",
        in_palette=False),
    Key("log.wrap", "w", "wrap", "w", "wrap", "Wrap long lines, or cut them", group="Log"),
    Key("log.times", "t", "times", "t", "times", "Show when each line came", group="Log"),
    Key("log.mark", "m", "mark", "m", "mark", "Mark the current line, or take its mark away", group="Log"),
    Key("log.next_mark", "apostrophe", "next_mark", "'", "next mark", "Go to the next marked line", group="Log"),
    Key("log.select", "v", "select", "v", "select", "Select lines: j and k extend, y copies, esc ends", group="Log"),
    Key("log.copy", "y", "copy", "y", "copy", "Copy what is selected, else the current line", group="Log"),
    Key("log.copy_all", "Y,shift+y", "copy_all", "Y", "copy all", "Copy all lines that are shown", group="Log"),
    Key("log.bare", "F,shift+f", "bare", "F", "text alone",
        "Show text alone on the whole screen, for the terminal's own selection", group="Log"),
    Key("log.pager", "p", "pager", "p", "pager", "Open the log in $PAGER at this line", group="Log"),
    Key("log.editor", "P,shift+p", "editor", "P", "editor", "Open the log in $EDITOR at this line", group="Log"),
)  # fmt: skip
"""Of every log, wherever it is shown."""

LOGS = (
    Key("logs.open", "enter", "open", "↵", "open", "Show the run of the current line, there", True, "Logs"),
    Key("logs.only", "1,2,3,4,5,6,7,8,9,0", "number", "1–9", "only", "Leave an agent's lines out, or have them; 0: all",
        group="Logs", in_palette=False),
    Key("logs.results", "L,shift+l", "results", "L", "list", "List all lines that were found", True, "Logs"),
    Key("logs.back", "escape", "back", "esc", "back", "Undo the last view, then go back to the board", group="Logs"),
)  # fmt: skip
HISTORY = (
    Key("history.compare", "d", "compare", "d", "compare",
        "Compare the two marked runs, or this one with the last of its kind", True, "History"),
    Key("history.mark", "m", "mark", "m", "mark", "Mark a run for a comparison", True, "History"),
    Key("history.filter", "slash", "filter", "/", "filter", "Show only runs with these words", True, "History"),
    Key("history.order", "O,shift+o", "order", "O", "order", "Newest, longest, or most compiled first", True,
        "History"),
    Key("history.back", "escape", "back", "esc", "back", "Undo filter and marks, then go back to the board",
        group="History"),
)  # fmt: skip
MEMORY = (
    Key("memory.measure", "m", "measure", "m", "measure", "Measure what would make the chosen link take less", True,
        "Memory"),
    Key("memory.back", "escape", "back", "esc", "back", "Go back to the board", group="Memory"),
)  # fmt: skip
LINK = (Key("link.back", "escape", "back", "esc", "back", "Go back to memory and links", True, "Link"),)
LOCKS = (
    Key("locks.prove", "p", "prove", "p", "prove", "Read the shared dir: who runs the wrong program there", True,
        "Locks"),
    Key("locks.run", "o", "open_run", "o", "run", "Show the run that holds the chosen lock, or waits for it", True,
        "Locks"),
    Key("locks.other", "tab,shift+tab", "other", "tab", "text", "Go to the text below the list, and back",
        group="Locks"),
    Key("locks.back", "escape", "back", "esc", "back", "Show the list again, then go back to the board",
        group="Locks"),
)  # fmt: skip
CACHE = (
    Key("cache.other", "tab", "other(1)", "tab", "list", "Go to the next list: agents, units, who profits", True,
        "Cache"),
    Key("cache.other_back", "shift+tab", "other(-1)", "⇧tab", "list", "The same the other way round",
        group="Cache"),
    Key("cache.span", "t", "span", "t", "24 h or newest", "Count all runs of 24 hours, or the newest of each agent",
        True, "Cache"),
    Key("cache.misses", "m", "misses", "m", "misses", "Show only units that were no hit, or all again", True, "Cache"),
    Key("cache.agent", "a", "agent", "a", "one agent", "Show only units of the chosen agent, or of all again", True,
        "Cache"),
    Key("cache.order", "O,shift+o", "order", "O", "order", "Newest or slowest units first", group="Cache"),
    Key("cache.store", "i", "store", "i", "store", "Show the store and who profits from whom, or the units", True,
        "Cache"),
    Key("cache.back", "escape", "back", "esc", "back", "Undo filters, then go back to the board", group="Cache"),
)  # fmt: skip
KERNELS = (
    Key("kernels.against", "b", "against", "b", "branch", "Compare with the branch point, or the build before", True,
        "Kernels"),
    Key("kernels.against_run", "B,shift+b", "against_run", "B", "another run", "Compare with a run that you choose",
        group="Kernels"),
    Key("kernels.changed", "m", "changed", "m", "changed", "Show only kernels that changed, or all again", True,
        "Kernels"),
    Key("kernels.below", "i", "below", "i", "iterations", "Show what edits cost, or calls of nvcc", True, "Kernels"),
    Key("kernels.agent", "a", "agent", "a", "one agent", "Show only this agent's kernels, or all", group="Kernels"),
    Key("kernels.order", "O,shift+o", "order", "O", "order", "Order kernels: changed, registers, time, source",
        group="Kernels"),
    Key("kernels.run", "o", "run", "o", "its run", "Show the run of the chosen kernel or call", group="Kernels"),
    Key("kernels.other", "tab", "other(1)", "tab", "list", "Go to the next list: kernels, calls, iterations",
        True, "Kernels"),
    Key("kernels.other_back", "shift+tab", "other(-1)", "⇧tab", "list", "The same the other way round",
        group="Kernels"),
    Key("kernels.back", "escape", "back", "esc", "back", "Undo filters, then go back to the board", group="Kernels"),
)  # fmt: skip
SHEET = (
    Key("sheet.close", "escape,enter,q", "close", "esc", "close", "Go back", group="Sheet"),
    Key("sheet.down", "down,j", "scroll(1)", "↓ j", "down", "Scroll a line down", group="Sheet", in_palette=False),
    Key("sheet.up", "up,k", "scroll(-1)", "↑ k", "up", "Scroll a line up", group="Sheet", in_palette=False),
    Key("sheet.page_down", "pagedown,ctrl+d,space", "page(1)", "pgdn", "page down", "Scroll a page down",
        group="Sheet", in_palette=False),
    Key("sheet.page_up", "pageup,ctrl+u", "page(-1)", "pgup", "page up", "Scroll a page up", group="Sheet",
        in_palette=False),
)  # fmt: skip
"""Of a sheet that says where a figure comes from."""
CHOOSE = (Key("choose.close", "escape,q", "close", "esc", "close", "Choose nothing", group="Sheet"),)
"""Of a dialog with a list, beside those of every list."""
FINDING = (
    Key("finding.copy", "y,c", "copy_mend", "y", "copy", "Copy the mend of the chosen finding", group="Sheet"),
    Key("finding.run", "r", "run_mend", "r", "do it", "Clean as the chosen finding says, after a question",
        group="Sheet"),
    Key("finding.next", "tab,n", "choose(1)", "tab", "next", "Choose the next finding", group="Sheet"),
    Key("finding.previous", "shift+tab,N,shift+n", "choose(-1)", "⇧tab", "previous", "Choose the finding before",
        group="Sheet"),
)  # fmt: skip
"""Of the sheet that says what defeats a build's settings, beside those of every sheet."""
COMPARE = (Key("compare.back", "escape", "back", "esc", "back", "Go back to the history", True, "Comparison"),)
TABLE = (
    Key("table.open", "enter", "open", "↵", "open", "Open the chosen row", group="List"),
    Key("table.down", "j,down", "step(1)", "↓ j", "down", "Choose the row below", group="List", in_palette=False),
    Key("table.up", "k,up", "step(-1)", "↑ k", "up", "Choose the row above", group="List", in_palette=False),
    Key("table.page_down", "pagedown,ctrl+d,space", "page(1)", "pgdn", "page down", "Go down by a page", group="List",
        in_palette=False),
    Key("table.page_up", "pageup,ctrl+u", "page(-1)", "pgup", "page up", "Go up by a page", group="List",
        in_palette=False),
    Key("table.first", "g,home", "first", "g", "first", "Choose the first row", group="List", in_palette=False),
    Key("table.last", "G,end", "last", "G", "last", "Choose the last row", group="List", in_palette=False),
)  # fmt: skip
"""Of every list with columns."""


def bindings(keys: tuple[Key, ...]) -> list[Binding]:
    """Textual's form of a list of keys. The action `number` has one binding a digit."""
    plain = [key.binding() for key in keys if key.action != "number"]
    digits = [
        Binding(digit, f"number({digit})", key.word, show=False, tooltip=key.help, id=f"{key.id}.{digit}")
        for key in keys
        if key.action == "number"
        for digit in key.keys.split(",")
    ]
    return plain + digits


SCREENS: Mapping[str, tuple[Key, ...]] = {
    "board": (*BOARD, *ACTIONS),
    "run": (*LOG, *RUN, *ACTIONS),
    "logs": (*LOG, *LOGS, *ACTIONS),
    "history": (*TABLE, *HISTORY, *ACTIONS),
    "memory": (*TABLE, *MEMORY, *ACTIONS),
    "link": (*LINK, *ACTIONS),
    "locks": (*TABLE, *LOCKS, *ACTIONS),
    "cache": (*TABLE, *CACHE, *ACTIONS),
    "kernels": (*TABLE, *KERNELS, *ACTIONS),
    "compare": (*TABLE, *COMPARE, *ACTIONS),
    "list": TABLE,
    "start": START,
    "rename": RENAME,
    "question": CONFIRM,
    "help": HELP,
    "sheet": SHEET,
    "choose": (*TABLE, *CHOOSE),
    "finding": (*FINDING, *SHEET),
}
"""What each screen listens to, nearest first: a key must not be given twice on one of them."""


BY_ID: Mapping[str, Key] = {key.id: key for keys in SCREENS.values() for key in keys}


def every_id() -> tuple[str, ...]:
    """The ids that a keymap may use, sorted."""
    return tuple(sorted({str(one.id) for keys in SCREENS.values() for one in bindings(keys)}))
