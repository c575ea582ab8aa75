"""A watch: builds once, then again after each save, until it is told to end. What it does stands in `World`.

One thread; what happens is told as values, for whoever shows it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from core.errors import DeckError
from core.native.edits.edit_class import EditClass, class_of
from core.native.edits.iteration_of import Measured, make_iteration
from core.native.edits.iterations import BY_WATCH, to_record
from core.values import dataclass
from core.watching import QUIET_S, Do, Watching


@dataclass(frozen=True, slots=True)
class Step:
    """A command that is run: a build first, then perhaps a test."""

    tool: str
    """`cargo` or `exec`."""
    words: tuple[str, ...]
    command: str
    """As a person types it."""


class Ended(NamedTuple):
    """How a run ended."""

    run: str
    code: int | None
    """None: died of a signal, or nobody knows."""
    signal: int | None = None
    wall_s: float = 0.0
    is_stopped: bool = False
    """Because somebody asked for it."""

    @property
    def is_good(self) -> bool:
        """It did what it was for."""
        return self.code == 0 and not self.is_stopped


class Woken(NamedTuple):
    """Why a wait is over."""

    changed: tuple[str, ...] = ()
    """Files whose content changed, that came or went."""
    newest: float | None = None
    """When the last of them was saved, on the clock of `World.now`; None: not known."""
    ended: Ended | None = None
    is_over: bool = False
    """Somebody wants the watch to end."""
    is_last: bool = False
    """Nobody watches any more: what runs may end, and nothing is begun."""
    notices: tuple[str, ...] = ()


class Edit(NamedTuple):
    """What a build is started for."""

    changed: tuple[str, ...]
    kind: EditClass | None
    """None: nothing was saved, it is the first one."""


class Told(NamedTuple):
    """Something that happened."""

    what: str
    """`watching`, `started`, `stopping`, `ended`, `refused`, `notice`, `over`."""
    at: float
    step: int = 0
    run: str = ""
    edit: Edit = Edit((), None)
    ended: Ended | None = None
    since_save_s: float | None = None
    """Of `ended`: since the first save that it was for; None: nothing was saved."""
    text: str = ""
    files: int = 0
    """Of `watching`: so many are watched."""
    is_exact: bool = True
    is_cancelled: bool = False
    """Of `ended`: a save came while it ran, or the watch ends."""
    measured: Measured | None = None
    """Of `ended`: what the run did; None: that is not known."""


class World(Protocol):
    """What a watch does things with."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def wait(self, timeout_s: float | None) -> Woken:
        """Until something happens, or for so long."""

    def prepare(self, step: Step, changed: Collection[str]) -> None:
        """Files were saved, and further saves are waited for: begin what can be begun."""

    def start(self, step: Step, changed: Collection[str] = ()) -> str:
        """Start a run for these files; its id. Raises DeckError where that is not possible."""

    def stop(self, run: str) -> None:
        """Ask for its end, as `cargo deck stop` does; that it has ended is told by `wait`."""

    def survey(self, step: int, run: str, *, is_whole: bool) -> tuple[int, bool]:
        """Find anew what is to be watched, from what a run left; how many files, and whether those are exactly its
        inputs."""

    def measure(self, run: str) -> Measured | None:
        """What a run that is over did."""

    def keep(self, record: Mapping[str, Any]) -> None:
        """Keep what is known of an iteration: `run` says of which."""

    def unseen(self, changed: tuple[str, ...], measured: Measured) -> tuple[str, ...]:
        """Of the changed files those that nvcc read before, where the build went well without calling it."""

    def build_scripts(self) -> frozenset[str]:
        """Sources of build scripts, as far as they are known."""

    def cmake_files(self) -> frozenset[str]:
        """What CMake reads, as far as it is known."""


class Watch:
    """One watch under way."""

    def __init__(self, world: World, steps: tuple[Step, ...], tell: Callable[[Told], None]) -> None:
        self._world = world
        self._steps = steps
        self._tell = tell
        self._state = Watching(len(steps))
        self._run = ""
        """Under way; empty: none."""
        self._edit = Edit((), None)
        self._built = ""
        """The last build that was an iteration; empty: it was none."""
        self._is_first = True
        """Nothing was started yet."""
        self._is_last = False
        self.last: Ended | None = None
        """The last step that was not cut short."""

    def go(self) -> None:
        """Until somebody ends it; then nothing of it runs any more.

        Raises:
            DeckError: the first build could not be started.
        """
        self._state.begin(self._world.now())
        try:
            while self._turn():
                pass
        finally:
            self._end()

    def _turn(self) -> bool:
        now = self._world.now()
        if not (self._is_last and not self._state.is_running):
            self._do(self._state.due(now))
        if self._is_last and not self._run:
            return False
        woken = self._world.wait(self._state.wait_s(self._world.now()))
        for sentence in woken.notices:
            self._say("notice", text=sentence)
        if woken.is_over:
            return False
        self._is_last |= woken.is_last
        if woken.changed and not self._is_last:
            self._take(woken.changed, woken.newest)
            self._prepare()
        if woken.ended is not None:
            self._take_end(woken.ended)
        return True

    def _take(self, changed: Iterable[str], newest: float | None) -> None:
        for path in self._state.saved(self._world.now(), changed, newest):
            self._say("notice", text=f"{path} changes while each build runs: it does not cut one short any more")

    def _prepare(self) -> None:
        wait_s = self._state.wait_s(self._world.now())
        if wait_s is not None and wait_s <= QUIET_S and not self._is_first:
            self._world.prepare(self._steps[0], tuple({**self._state.unbuilt, **self._state.pending}))

    def _take_end(self, ended: Ended) -> None:
        now, step, saved_at, edit = self._world.now(), self._state.step, self._state.began_for, self._edit
        is_cancelled = self._state.phase == "stopping"
        self._run = ""
        measured = self._world.measure(ended.run)  # before the next build writes over its traces
        is_built = measured.is_built if measured is not None else None
        following = self._state.ended(now, is_good=ended.is_good, is_built=is_built)
        if not is_cancelled:
            self.last = ended
        if not self._is_last:
            self._do(following)
        since = max(0.0, now - saved_at) if edit.changed and saved_at is not None else None
        self._tell(Told("ended", now, step, ended.run, edit, ended, since, is_cancelled=is_cancelled,
                        measured=measured))  # fmt: skip
        self._keep(step, edit, ended, measured, None if is_cancelled else since)
        if not self._is_last:
            self._survey(step, ended.run, is_whole=ended.is_good)

    def _keep(self, step: int, edit: Edit, ended: Ended, measured: Measured | None, since: float | None) -> None:
        """Put it among the iterations."""
        if step == 0:
            self._built = ended.run if edit.kind is not None and not ended.is_stopped else ""
            if edit.kind is None or measured is None:
                return
            one = to_record(make_iteration(measured, edit.kind, edit.changed))
            unseen = self._world.unseen(edit.changed, measured)
            for path in unseen:
                self._say("notice", text=f"{path} was read by nvcc before, and this build did not call it")
            self._world.keep({**one, "by": BY_WATCH, "since_save_s": since, "unseen": list(unseen)})
        elif self._built and not ended.is_stopped:
            self._world.keep({"run": self._built, "by": BY_WATCH, "test_run": ended.run, "test_s": ended.wall_s,
                              "test_code": ended.code})  # fmt: skip

    def _survey(self, step: int, run: str, *, is_whole: bool) -> None:
        files, is_exact = self._world.survey(step, run, is_whole=is_whole)
        self._say("watching", files=files, is_exact=is_exact)

    def _do(self, do: Do | None) -> None:
        if do is None:
            return
        if do.what == "stop":
            self._say("stopping", step=do.step, run=self._run)
            self._world.stop(self._run)
            return
        if do.step == 0:
            changed = tuple(self._state.building)
            self._edit = Edit(changed, class_of(changed, self._world.build_scripts(), self._world.cmake_files()))
        try:
            self._run = self._world.start(self._steps[do.step], () if do.step else self._edit.changed)
        except DeckError as error:
            if self._is_first:
                raise  # it was typed wrong
            self._state.refused()
            self._say("refused", step=do.step, text=str(error))
            return
        self._is_first = False
        self._say("started", step=do.step, run=self._run)

    def _end(self) -> None:
        """Stop what runs and wait for its end."""
        if self._run:
            self._world.stop(self._run)
            while (woken := self._world.wait(None)).ended is None:
                if woken.is_over:
                    self._world.stop(self._run)  # asked once more: at once
            self._say("ended", run=self._run, ended=woken.ended, is_cancelled=True)
            self._run = ""
        self._say("over")

    def _say(self, what: str, **fields: object) -> None:
        self._tell(Told(what, self._world.now(), edit=self._edit, **fields))  # type: ignore[arg-type]
