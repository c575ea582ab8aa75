"""What defeats the settings of a build, what failed in it, and what would mend that.

A sheet that changes nothing by itself: where a small clean mends, it offers to do it, and asks first.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.plan.mended import mended
from core.plan.plan import Finding
from core.state import Run
from tui.bindings import FINDING, SHEET, bindings
from tui.mend_run import Doable, doable, run_mend
from tui.screens.sheet import SheetText
from tui.widgets import finding_text
from tui.widgets.table_view import Cell

if TYPE_CHECKING:
    from tui.app import DeckApp


class FindingScreen(SheetText):
    """All findings of a run, one of them chosen: its mend is what is copied."""

    BINDINGS: ClassVar[list[Binding]] = bindings((*FINDING, *SHEET))  # type: ignore[assignment]

    def __init__(self, run: Run, findings: Sequence[Finding], *, chosen: int = 0, is_ascii: bool = False) -> None:
        super().__init__(is_ascii=is_ascii)
        self._title, self._findings = f"{run.agent}: {run.command}", mended(tuple(findings))
        self._run = run
        self._chosen = min(max(0, chosen), max(0, len(self._findings) - 1))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog sheet findings"):
            yield Static(self.drawable(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(can_focus=False):
                for index in range(len(self._findings)):
                    yield Static(self._text_of(index), classes="finding")
                if not self._findings:
                    yield Static(self.styled(Cell(finding_text.NONE)))
            yield Static(self._hints(), classes="dialog-hints", markup=False)

    def on_mount(self) -> None:
        super().on_mount()
        self.call_after_refresh(self._go_to_chosen)

    def on_resize(self, event: events.Resize) -> None:
        self.limit_height(event.size.height, frame=7)

    def _text_of(self, index: int) -> Content:
        """A finding; of several, the chosen one has a sign."""
        finding = self._findings[index]
        head = finding_text.head(finding)
        if len(self._findings) > 1:
            head = head._replace(text=f"{self.deck.glyphs.here if index == self._chosen else ' '} {head.text}")
        return Content("\n").join(map(self.styled, (head, *finding_text.lines(finding))))

    def _hints(self) -> str:
        """What can be done here; that it changes nothing."""
        said = [f"{self.key('sheet.close')} back"]
        if any(finding.mend for finding in self._findings):
            offered = any(map(self._doable, self._findings))
            end = f"{self.key('finding.run')} clean as it says" if offered else "nothing is changed"
            said = [f"{self.key('finding.copy')} copy the mend", *said, end]
        if len(self._findings) > 1:
            said.insert(0, f"{self.key('finding.next')} next")
        return self.drawable("   ".join(said))

    def _go_to_chosen(self) -> None:
        if self._findings:
            self.query(".finding")[self._chosen].scroll_visible(animate=False, top=True)

    def action_choose(self, by: int) -> None:
        if len(self._findings) < 2:
            return
        before, self._chosen = self._chosen, (self._chosen + by) % len(self._findings)
        shown = list(self.query(".finding").results(Static))
        for index in (before, self._chosen):
            shown[index].update(self._text_of(index))
        self._go_to_chosen()

    def action_copy_mend(self) -> None:
        mend = self._findings[self._chosen].mend if self._findings else ""
        if mend:
            self.deck.copy_text(mend, "the mend")
        else:
            self.notify("There is no mend to copy.")

    def _doable(self, finding: Finding) -> Doable | None:
        """What could be run for it here; None: nothing, or this is a recording."""
        if self.deck.deck.is_recording:
            return None
        return doable(finding, self._run.cwd, self.deck.names.true_name(self._run))

    def action_run_mend(self) -> None:
        what = self._doable(self._findings[self._chosen]) if self._findings else None
        if what is None:
            self.notify("There is nothing here that could be done with a key.")
            return
        from tui.screens.confirm import ConfirmScreen

        def answer(is_sure: bool | None) -> None:
            if is_sure:
                self.deck.run_worker(partial(_mend, self.deck, what), thread=True, group="mend", exit_on_error=False)

        about = f"in {what.cwd}: {self._findings[self._chosen].mend}"
        consequence = "Only that is removed; the next build makes it again. Not while somebody builds there."
        self.app.push_screen(ConfirmScreen("Clean?", about, consequence), answer)


def _mend(app: "DeckApp", what: Doable) -> None:
    """Off the event loop: clean, then say how it went."""
    is_done, said = run_mend(what)
    app.call_from_thread(
        partial(app.notify, said, title="cleaned" if is_done else "not cleaned", markup=False,
                severity="information" if is_done else "error")
    )  # fmt: skip
