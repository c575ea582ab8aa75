"""Compilations that a server has under way, as far as its log tells them apart. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, auto

from core.cache.sccache_argv import Asked, language_of_tag

MAX_TASKS = 4096
"""Under way at once; those that were begun first are given up."""


class Step(IntEnum):
    """How far a compilation has come, by the last record of it."""

    BEGUN = auto()
    HASHED = auto()
    UNKEYED = auto()
    """The compiler would not even list its sources."""
    KEYED = auto()
    FOUND = auto()
    COMPILING = auto()
    COMPILED = auto()
    FAILED = auto()
    UNCACHED = auto()
    """It was asked to leave the cache alone."""
    DRIVEN = auto()
    """It is nvcc itself, and its steps are done."""
    WRITING = auto()
    WRITTEN = auto()


@dataclass(slots=True)
class Task:
    """One compilation."""

    tag: str
    began: float
    """Seconds since the epoch; 0: before the log begins."""
    asked: Asked
    step: Step = Step.BEGUN
    since: float = 0.0
    """When it reached the step."""
    key: str = ""
    looked: str = ""
    """What the look-up gave where it was no hit and no plain miss: `none`, `recache`, `timeout`, `unreadable` (counted
    as an error), `unread` (not counted)."""
    hash_s: float | None = None
    lookup_s: float | None = None
    compile_s: float | None = None


class Tasks:
    """All that are under way. What a record belongs to is always found: at worst it is a task of which only that is
    known, as where the log begins in the middle."""

    def __init__(self) -> None:
        self._by_tag: dict[str, list[Task]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Task]:
        for tasks in self._by_tag.values():
            yield from tasks

    def begin(self, tag: str, at: float, asked: Asked) -> None:
        """One more is under way."""
        self._put(Task(tag, at, asked, since=at))
        if self._count > MAX_TASKS:
            for task in sorted(self, key=lambda task: task.began)[: MAX_TASKS // 8]:
                self._drop(task)

    def move(self, tag: str, at: float, before: Step, after: Step, spent: float | None = None) -> Task:
        """The one that went from one step to the next, in so many seconds."""
        task = self._find(tag, at, (before,), spent)
        if task is None:
            task = _unknown(tag)
            self._put(task)
        task.step, task.since = after, at
        return task

    def take(self, tag: str, at: float, steps: tuple[Step, ...], spent: float | None = None) -> Task:
        """The one that is done with, at the first of these steps that any is at."""
        for step in steps:
            if (task := self._find(tag, at, (step,), spent)) is not None:
                return self._drop(task)
        return _unknown(tag)

    def take_any(self, tag: str, at: float) -> Task:
        """The one of the tag that broke, at whatever step."""
        task = self._find(tag, at, tuple(Step), None)
        return _unknown(tag) if task is None else self._drop(task)

    def take_failed(self, output: str, at: float) -> Task:
        """The one whose compiler said this and failed: one that is compiled, best one whose source is named."""
        tasks = [task for task in self if task.step is Step.COMPILING]
        if not tasks:
            return _unknown("")
        return self._drop(min(tasks, key=lambda task: (-_likeness(task, output), task.since)))

    def take_unwritten(self, key: str, at: float) -> Task:
        """The one that could not be stored, by its key where that is known."""
        tasks = [task for task in self if task.step is Step.WRITING]
        if not tasks:
            return _unknown("")
        return self._drop(min(tasks, key=lambda task: (task.key != key, task.since)))

    def clear(self) -> list[Task]:
        """All of them, in the order in which they began."""
        tasks = sorted(self, key=lambda task: task.began)
        self._by_tag, self._count = {}, 0
        return tasks

    def _find(self, tag: str, at: float, steps: tuple[Step, ...], spent: float | None) -> Task | None:
        tasks = [task for task in self._by_tag.get(tag, ()) if task.step in steps]
        if not tasks:
            return None
        if spent is None:
            return min(tasks, key=lambda task: task.since)
        return min(tasks, key=lambda task: abs(at - spent - task.since))

    def _put(self, task: Task) -> None:
        self._by_tag.setdefault(task.tag, []).append(task)
        self._count += 1

    def _drop(self, task: Task) -> Task:
        tasks = self._by_tag[task.tag]
        # Two tasks may be equal in all they say: this very one is meant.
        del tasks[next(at for at, one in enumerate(tasks) if one is task)]
        if not tasks:
            del self._by_tag[task.tag]
        self._count -= 1
        return task


def _unknown(tag: str) -> Task:
    return Task(tag, 0.0, Asked(language_of_tag(tag), ()))


def _likeness(task: Task, output: str) -> int:
    is_named = bool(task.asked.source) and task.asked.source in output
    return 2 * is_named + (not task.asked.is_driver)
