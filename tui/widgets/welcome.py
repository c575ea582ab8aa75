"""What the board says before the first build: what is here, how to begin."""

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from core.machine import Machine


_COMMANDS = (
    ("cargo deck build", "build here; the same arguments as cargo's own"),
    ("cargo deck run-all 'build' 'test -p engine'", "several at once, a pane each"),
    ("cargo deck shim install", "send every plain cargo of your agents through here"),
)


class Welcome(Static):
    """Shown while no build is known."""

    def __init__(self) -> None:
        super().__init__(welcome_text(None), id="welcome")

    def tell(self, machine: "Machine | None") -> None:
        """Say what was found on this machine; None: nobody looked yet."""
        self.update(welcome_text(machine))


def welcome_text(machine: "Machine | None") -> Content:
    """The words, with what was found in between."""
    lines = [Content.styled("No builds yet.", "bold"), Content(""), Content.styled("On this machine", "bold")]
    if machine is None:
        lines.append(Content("  looking…"))
    else:
        lines += [Content.assemble((f"  {name:<12}", "dim"), value) for name, value in machine.facts()]
    lines += [Content(""), Content.styled("Start something, in another terminal or with s", "bold")]
    lines += [Content.assemble("  ", (command, "bold $accent"), f"\n      {what}") for command, what in _COMMANDS]
    lines += [
        Content(""),
        Content.assemble(
            "  ", ("cargo deck demo", "bold $accent"), "\n      four agents build a small workspace while you watch"
        ),
    ]
    return Content("\n").join(lines)
