"""PTX that the engine measures in the background: when, with what, once for each content."""

import os
import resource
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from core import events as e
from core.native.kernels import ptx_queue
from core.native.kernels.kernel_store import KernelStore, digest_of_content
from core.native.kernels.ptx_queue import PtxQueue
from core.native.kernels.spills import CPU_S, MOST_BYTES, PtxasRun, start_idle
from core.ptx_book import PtxBook
from core.ptx_setting import MeasuresPtx
from core.state import Run
from core.watch.kernel_watch import KernelWatch
from core.watch.memory_room import has_room
from core.watch.nvcc_notes import Kept
from core.watch.ptx_watch import LOOK_EVERY_S, REST_S, TRIES, WALL_S, PtxWatch
from tests.core.cubins import FOLDER, content_of, nvcc_in, said_of
from tests.core.test_kernel_watch import Ptxas, ended
from tests.nvcc_scene import begun, measured, over, run_of

PTX = (FOLDER / "three.ptx").read_bytes()
DIGEST = digest_of_content(PTX)
FIGURES = {"_Z5callsPfPKfi": 24, "_Z4tilePfPKf": 12, "_Z5heavyILi20EEvPfPKf": 24}


@dataclass
class World:
    """A queue, a store, and a ptxas that does what it is told."""

    folder: Path
    now: float = 1000.0
    is_wanted: bool = True
    room: dict[bool, bool] = field(default_factory=lambda: {False: True, True: True})
    asked: list[tuple[str, ...]] = field(default_factory=list)
    running: list[Ptxas] = field(default_factory=list)

    def watch(self) -> PtxWatch:
        return PtxWatch(
            lambda: self.now, self.store, PtxQueue(f"{self.folder}/ptx"), is_wanted=lambda: self.is_wanted,
            has_room=lambda is_begun: self.room[is_begun], start=self.start,
        )  # fmt: skip

    @property
    def store(self) -> KernelStore:
        return KernelStore(f"{self.folder}/kernels")

    def start(self, argv: tuple[str, ...], said_path: str) -> PtxasRun:
        self.asked.append(argv)
        self.running.append(Ptxas())
        Path(said_path).touch()
        return PtxasRun(self.running[-1], said_path)  # type: ignore[arg-type]

    def answer(self, code: int = 0) -> None:
        """The ptxas that runs is done."""
        made = self.asked[-1][-1]
        if code == 0:
            Path(made).write_bytes(content_of("sm_80-13.0"))
            Path(made.removesuffix("cubin") + "said").write_text("\n".join(said_of("sm_80-13.0")))
        self.running[-1].code = code

    @property
    def nvcc(self) -> str:
        """With a ptxas beside it."""
        return nvcc_in(self.folder)

    def left(self) -> list[str]:
        """Files of the queue."""
        return sorted(os.listdir(self.folder / "ptx"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_ptx_is_measured_once_for_the_arch_that_it_is_made_for(world: World) -> None:
    watch = world.watch()
    watch.take(DIGEST, PTX, world.nvcc)
    watch.take(DIGEST, PTX, world.nvcc)
    watch.work()
    (argv,) = world.asked
    assert argv[0] == str(world.folder / "bin" / "ptxas")
    assert argv[1:4] == ("-v", "-arch", "sm_80")
    assert Path(argv[4]).read_bytes() == PTX
    assert watch.is_running
    world.answer()
    watch.work()
    found = world.store.of(DIGEST)
    assert {kernel.name: kernel.registers for kernel in found} == FIGURES
    assert {(kernel.arch, kernel.ptxas_arch) for kernel in found} == {("compute_80", "sm_80")}
    assert [kernel.spill_store_bytes for kernel in found] == [0, 0, 32]
    assert (watch.has_work, world.left()) == (False, [])
    watch.take(DIGEST, PTX, world.nvcc)
    assert not watch.has_work


def test_one_runs_at_a_time_and_what_came_last_is_first(world: World) -> None:
    watch = world.watch()
    second, third = PTX + b"// 2\n", PTX + b"// 3\n"
    watch.take(DIGEST, PTX, world.nvcc)
    watch.work()
    for content in (second, third):
        watch.take(digest_of_content(content), content, world.nvcc)
        watch.work()
    assert len(world.asked) == 1
    world.answer()
    watch.work()
    assert Path(world.asked[1][4]).read_bytes() == third


def test_ptx_that_is_to_be_linked_is_tried_in_that_way_too_and_what_fails_is_not_asked_of_again(world: World) -> None:
    watch = world.watch()
    watch.take(DIGEST, PTX, world.nvcc)
    watch.work()
    world.answer(code=255)
    watch.work()
    assert world.asked[1][1:5] == ("-v", "-c", "-arch", "sm_80")
    world.answer(code=255)
    watch.work()
    assert (world.store.entry(DIGEST), world.left()) == ((), [])
    watch.take(DIGEST, PTX, world.nvcc)
    assert not watch.has_work


def test_one_that_uses_up_its_time_is_ended_and_not_asked_again(world: World) -> None:
    watch = world.watch()
    for content, ends in ((PTX, "killed"), (PTX + b"// 2\n", "waited for")):
        watch.take(digest_of_content(content), content, world.nvcc)
        watch.work()
        if ends == "killed":  # by its limit
            world.running[-1].code = -24
        world.now += WALL_S + 1
        watch.work()
        assert world.store.entry(digest_of_content(content)) == ()
        assert not watch.has_work
    assert len(world.asked) == 2
    assert world.running[1].is_killed


def test_none_starts_while_memory_is_short_and_one_that_runs_is_stopped(world: World) -> None:
    watch = world.watch()
    world.room[False] = False
    watch.take(DIGEST, PTX, world.nvcc)
    watch.work()
    assert (world.asked, watch.has_work, watch.is_running) == ([], True, False)
    world.room[False] = True
    world.now += LOOK_EVERY_S
    for stopped in range(1, TRIES + 1):
        watch.work()
        assert len(world.asked) == stopped
        world.room[True] = False
        world.now += LOOK_EVERY_S
        watch.work()
        assert world.running[-1].is_killed
        assert not watch.is_running
        watch.work()
        assert len(world.asked) == stopped  # it rests
        world.room[True] = True
        world.now += REST_S
    assert not watch.has_work
    assert world.store.entry(DIGEST) is None  # it may be asked of another time


def test_nothing_is_measured_where_it_is_switched_off_or_the_toolkit_is_not_known(world: World) -> None:
    watch = world.watch()
    watch.take(DIGEST, PTX, "")
    watch.take(DIGEST, b"no PTX", world.nvcc)
    world.is_wanted = False
    watch.take(DIGEST, PTX, world.nvcc)
    assert not watch.has_work
    world.is_wanted = True
    watch.take(DIGEST, PTX, world.nvcc)
    world.is_wanted = False
    watch.work()
    assert (world.asked, watch.has_work) == ([], False)
    world.is_wanted = True
    assert watch.has_work


def test_what_a_killed_engine_left_half_done_goes(world: World) -> None:
    watch = world.watch()
    watch.take(DIGEST, PTX, world.nvcc)
    for name in ("torn.ptx", "other.cubin", "other.said"):
        (world.folder / "ptx" / name).touch()
    watch.work()
    assert [name for name in world.left() if not name.startswith(DIGEST)] == []
    assert len(world.left()) == 3


def test_what_waits_when_an_engine_ends_is_measured_by_the_next_one(world: World) -> None:
    watch = world.watch()
    watch.take(DIGEST, PTX, world.nvcc)
    watch.work()
    watch.close()
    assert world.running[0].is_killed
    later = world.watch()
    assert later.has_work
    later.work()
    world.answer()
    later.work()
    assert len(world.store.of(DIGEST)) == 3


def test_a_toolkit_that_is_gone_leaves_nothing_waiting(world: World) -> None:
    watch = PtxWatch(
        lambda: world.now, world.store, PtxQueue(f"{world.folder}/ptx"), is_wanted=lambda: True,
        has_room=lambda is_begun: True,
    )  # fmt: skip
    watch.take(DIGEST, PTX, world.nvcc)
    (world.folder / "bin" / "ptxas").unlink()
    watch.work()
    assert not watch.has_work


def test_the_queue_keeps_its_limits_and_minds_nothing_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ptx_queue, "MAX_ENTRIES", 3)
    monkeypatch.setattr(ptx_queue, "MAX_BYTES", 40)
    queue = PtxQueue(str(tmp_path / "ptx"))
    for name in "abcd":
        queue.add(name, b"x", "/bin/ptxas", "sm_80")
    assert queue.all() == ("b", "c", "d")
    queue.add("e", b"x" * 11, "/bin/ptxas", "sm_80")  # too much for one
    assert queue.all() == ("b", "c", "d")
    (tmp_path / "ptx" / "d.json").write_text("[" * 100_000)
    waiting = queue.next()
    assert waiting is not None
    assert (waiting.digest, waiting.arch) == ("c", "sm_80")
    assert PtxQueue(str(tmp_path / "ptx")).all() == ("b", "c")
    (tmp_path / "file").touch()
    nowhere = PtxQueue(str(tmp_path / "file"))
    nowhere.add("a", b"x", "/bin/ptxas", "sm_80")
    assert nowhere.is_empty
    assert nowhere.next() is None


def test_a_process_gets_what_nobody_else_wants_and_a_bound(tmp_path: Path) -> None:
    run = start_idle(("/bin/sleep", "1000"), str(tmp_path / "said"))
    pid = run.process.pid
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    assert resource.prlimit(pid, resource.RLIMIT_CPU) == (CPU_S, CPU_S)
    assert resource.prlimit(pid, resource.RLIMIT_AS) == (MOST_BYTES, MOST_BYTES)
    run.stop()
    assert run.is_killed


def test_memory_is_short_below_a_share_of_what_there_is(tmp_path: Path) -> None:
    def machine(total_kb: int, available_kb: int) -> str:
        (tmp_path / "meminfo").write_text(
            f"MemTotal: {total_kb} kB\nMemAvailable: {available_kb} kB\nAnonPages: 1 kB\n"
        )
        return str(tmp_path)

    gib = 1 << 20
    assert has_room(False, machine(16 * gib, 3 * gib))
    assert not has_room(False, machine(16 * gib, 2 * gib))
    assert has_room(True, machine(16 * gib, 2 * gib))
    assert not has_room(True, machine(16 * gib, gib))
    assert has_room(False, machine(gib, gib * 6 // 10))  # a small one, mostly free
    assert has_room(False, str(tmp_path / "nowhere"))


def test_a_person_switches_it_off_while_the_engine_runs(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    is_wanted = MeasuresPtx(str(path))
    assert is_wanted()
    for text, expected in (
        ("measure-ptx = false\n", False), ("theme = 'dark'\n", True), ("measure-ptx = false\n[", True),
        ("measure-ptx = true\n", True), ("measure-ptx = 'no'\n", True),
    ):  # fmt: skip
        path.write_text(text)
        assert is_wanted() is expected, text


# What a call made


class Noted:
    """A run whose calls left this."""

    def __init__(self, *kept: Kept) -> None:
        self.kept = list(kept)
        self.told: list[e.KernelsMeasured] = []

    def take_kept(self) -> list[Kept]:
        kept, self.kept = self.kept, []
        return kept

    def note(self, events: object) -> None:
        self.told += [one for one in events if isinstance(one, e.KernelsMeasured)]  # type: ignore[attr-defined]


def test_ptx_has_its_digest_in_the_journal_and_its_run_waits_for_nobody(world: World) -> None:
    made = world.folder / "k.ptx"
    made.write_bytes(PTX)
    at = made.stat().st_mtime
    end = replace(ended("7-1", kind="ptx", output=str(made)), at=at)
    run, ptx = Noted(Kept(end, ("/w/k.cu",), ("compute_80",), world.nvcc, "", ())), world.watch()
    kernels = KernelWatch(lambda: at, lambda: world.now, world.store, ptx)
    kernels.work({"r": run})
    (told,) = run.told
    assert (told.ptx, {kernel.registers for kernel in told.kernels}) == (DIGEST, {None})
    assert ptx.has_work
    assert not kernels.holds("r")
    ptx.work()
    world.answer()
    ptx.work()
    run.kept = [Kept(replace(end, call="8-1", verdict="hit"), ("/w/k.cu",), (), world.nvcc, "", ())]
    kernels.work({"r": run})
    assert {kernel.name: kernel.registers for kernel in run.told[1].kernels} == FIGURES


def test_ptx_that_was_written_since_is_not_what_the_call_made(world: World) -> None:
    made = world.folder / "k.ptx"
    made.write_bytes(PTX)
    end = replace(ended("7-1", kind="ptx", output=str(made)), at=made.stat().st_mtime - 1)
    run, ptx = Noted(Kept(end, ("/w/k.cu",), ("compute_80",), world.nvcc, "", ())), world.watch()
    KernelWatch(lambda: end.at, lambda: world.now, world.store, ptx).work({"r": run})
    assert (run.told[0].ptx, len(run.told[0].kernels)) == ("", 3)
    assert not ptx.has_work


def test_each_source_of_a_call_has_its_kernels_and_its_output(world: World) -> None:
    for name in ("a", "b"):
        (world.folder / f"{name}.ptx").write_bytes(PTX.replace(b"_Z4tile", b"_Z4" + name.encode() * 4))
    outputs = tuple(str(world.folder / f"{name}.ptx") for name in ("a", "b"))
    at = os.stat(outputs[1]).st_mtime
    end = replace(ended("7-1", kind="ptx", output=outputs[0]), at=at, source="/w/a.cu")
    run = Noted(Kept(end, ("/w/a.cu", "/w/b.cu"), ("compute_80",), world.nvcc, "", (), outputs))
    KernelWatch(lambda: at, lambda: world.now, world.store, world.watch()).work({"r": run})
    assert [(one.source, one.output) for one in run.told] == list(zip(("/w/a.cu", "/w/b.cu"), outputs, strict=True))
    assert ["_Z4bbbbPfPKf" in {kernel.name for kernel in one.kernels} for one in run.told] == [False, True]
    assert run.told[0].ptx != run.told[1].ptx != ""


# Where they are shown


def ptx_run(digest: str = DIGEST) -> Run:
    start = begun("1-1", 1.0, archs=("compute_80",))
    told = replace(measured(start, e.Kernel("_Z4tilePfPKf", "compute_80")), ptx=digest)
    return run_of("20251229-100000-000-0001", [start, over(start), told])


def test_figures_appear_where_ptx_is_told_of_as_soon_as_they_are_there(tmp_path: Path) -> None:
    book, store, run = PtxBook(str(tmp_path)), KernelStore(str(tmp_path)), ptx_run()
    bare = book.with_figures(run)
    assert bare.kernels == run.kernels
    assert book.with_figures(run).kernels is bare.kernels
    store.keep("another", [])
    assert not book.has_news()
    store.keep(DIGEST, [e.Kernel("_Z4tilePfPKf", "compute_80", 14, ptxas_arch="sm_80")])
    assert book.has_news()
    assert not book.has_news()
    (told,) = book.with_figures(run).kernels
    assert [kernel.registers for kernel in told.kernels] == [14]
    assert book.with_figures(run).kernels is book.with_figures(run).kernels


def test_what_ptxas_does_not_compile_stays_without_figures_and_is_not_looked_for_again(tmp_path: Path) -> None:
    book, store = PtxBook(str(tmp_path)), KernelStore(str(tmp_path))
    store.keep(DIGEST, [])
    (told,) = book.with_figures(ptx_run()).kernels
    assert [kernel.registers for kernel in told.kernels] == [None]
    store.keep("another", [])
    assert not book.has_news()
    assert book.with_figures(ptx_run("")).kernels[0].kernels == told.kernels
