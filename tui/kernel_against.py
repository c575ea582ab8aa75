"""What the Kernels screen compares kernels with: the build before, the branch point, or a run that was chosen."""

from collections.abc import Mapping, Sequence

from core import kernel_queries as queries
from core.kernel_choice import Comparable
from core.kernel_queries import Compiled, KernelRow
from core.native.kernels.branch_blobs import BranchPoint, blobs_of, branch_points, git_of
from core.native.kernels.repository import repository_of
from tui import format as f
from tui.widgets import kernel_summary
from tui.widgets.ansi import safe

_LAST, _BRANCH = "last", "branch"
_WORDS = {_LAST: "the build before", _BRANCH: "the branch point"}
_SHORT = {_LAST: "last build", _BRANCH: "branch point"}


class Against:
    """Which of the three it is, and what is known for it."""

    def __init__(self) -> None:
        self._what = _LAST
        self._chosen: Comparable | None = None
        self.branches: Mapping[str, BranchPoint] = {}
        """By checkout; empty until they are asked for."""
        self._asked: tuple[tuple[str, str], ...] = ()
        self._repositories: dict[str, str] = {}
        """By checkout, as each was looked at first."""

    @property
    def is_branch(self) -> bool:
        """It is the branch point."""
        return self._what == _BRANCH

    @property
    def is_chosen(self) -> bool:
        """It is not what everybody has without a key."""
        return self._what != _LAST

    @property
    def run(self) -> str:
        """The run that was chosen; empty: none is."""
        return self._chosen.run if self._chosen is not None else ""

    def turn(self) -> None:
        """The branch point instead of anything else, or the build before instead of that."""
        self._what, self._chosen = (_LAST if self.is_branch else _BRANCH), None
        self._asked = ()  # a branch may be another one by now

    def ask(self, found: Sequence[Compiled], env: Mapping[str, str]) -> Mapping[str, BranchPoint] | None:
        """What sources were at the branch points; None: the same was asked before. Asks git: off the event loop."""
        asked = tuple(queries.asked_of(queries.newest(found), found))
        if asked == self._asked:
            return None
        self._asked = asked
        return branch_points(asked, git_of(env))

    def repository(self, checkout: str) -> str:
        """Which repository a checkout is of; a few small files are read, once."""
        if checkout not in self._repositories:
            self._repositories[checkout] = repository_of(checkout)
        return self._repositories[checkout]

    def choose(self, run: Comparable) -> None:
        """That run."""
        self._what, self._chosen = run.run, run

    def baseline(self, found: Sequence[Compiled]) -> queries.Baseline:
        """What each compilation is compared with."""
        if self._chosen is not None:
            return queries.run_of(found, self._chosen.run, self.repository)
        return queries.branch_of(found, blobs_of(self.branches)) if self.is_branch else queries.last_of(found)

    def words(self) -> str:
        """For a sentence."""
        return _WORDS.get(self._what, "the run that was chosen")

    def short(self, now: float) -> str:
        """For a line with little room: `ada 14:03:07`."""
        run = self._chosen
        return _SHORT[self._what] if run is None else f"{safe(run.agent)} {f.moment(run.began, now)}"

    def why_nothing(self, row: KernelRow) -> str:
        """Why a kernel has nothing to be compared with, where that is not said elsewhere; empty: it is."""
        if row.before is not None:
            return ""
        if self._chosen is not None:
            return f"run {self._chosen.run} did not compile {safe(row.compiled.place)} of this repository"
        return kernel_summary.no_branch(row, self.branches.get(row.compiled.checkout)) if self.is_branch else ""
