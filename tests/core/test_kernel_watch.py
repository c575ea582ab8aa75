import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from core import events as e
from core.native.kernels.kernel_store import MAX_ENTRIES, KernelStore, digest_of
from core.native.kernels.spills import PtxasRun, start_ptxas
from core.watch import kernel_watch
from core.watch.kernel_watch import PTXAS_S, WAIT_S, KernelWatch
from core.watch.lost_images import without_arch
from core.watch.nvcc_notes import Kept
from tests.core.cubins import FOLDER, content_of, nvcc_in, said_of

NAMES = ("_Z5callsPfPKfi", "_Z4tilePfPKf", "_Z5heavyILi20EEvPfPKf")


@dataclass
class Ptxas:
    """A process that is over when it is told so."""

    code: int | None = None
    is_killed: bool = False

    def poll(self) -> int | None:
        return self.code

    def wait(self) -> int:
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        self.is_killed, self.code = True, -9


@dataclass
class World:
    """Runs, time, and a ptxas that does what it is told."""

    folder: Path
    now: float = 1000.0
    kept: list[Kept] = field(default_factory=list)
    told: list[e.KernelsMeasured] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    running: list[Ptxas] = field(default_factory=list)

    def take_kept(self) -> list[Kept]:
        kept, self.kept = self.kept, []
        return kept

    def note(self, events: Iterable[e.Event]) -> None:
        self.told += [event for event in events if isinstance(event, e.KernelsMeasured)]

    def watch(self) -> KernelWatch:
        return KernelWatch(lambda: self.now, lambda: self.now, KernelStore(f"{self.folder}/kernels"), start=self.start)

    def start(self, argv: tuple[str, ...], said_path: str) -> PtxasRun:
        self.asked.append(argv)
        process = Ptxas()
        self.running.append(process)
        return PtxasRun(process, said_path)  # type: ignore[arg-type]

    def answer(self, name: str = "sm_80-13.0", made: str = "sm_80-13.0", code: int = 0) -> None:
        """The ptxas that runs is done, having said and made this."""
        argv = self.asked[-1]
        Path(argv[-1]).write_bytes(content_of(made))
        Path(os.path.dirname(argv[-1]), "ptxas.said").write_text("\n".join(said_of(name)))
        self.running[-1].code = code

    def leave(self, *names: str, call: str = "7-1", code: int = 0) -> Path:
        """A call that kept these cubins, each with its PTX."""
        folder = self.folder / f"nvcc-{call}"
        folder.mkdir(parents=True)
        files = []
        for at, name in enumerate(names):
            stem = f"tmpxft_0000000{at}_00000000-7_k.compute_{80 + at}"
            (folder / f"{stem}.cubin").write_bytes(content_of(name))
            (folder / f"{stem}.ptx").write_bytes((FOLDER / "three.ptx").read_bytes())
            files += [("", "cubin", f"{stem}.cubin"), ("", "ptx", f"{stem}.ptx")]
        self.kept.append(Kept(ended(call, code), ("/w/k.cu",), ("sm_80",), self.nvcc, str(folder), tuple(files)))
        return folder

    @property
    def nvcc(self) -> str:
        """With a ptxas beside it."""
        return nvcc_in(self.folder)


def ended(call: str, code: int | None = 0, *, kind: str = "object", output: str = "/w/k.o") -> e.NvccEnded:
    return e.NvccEnded(
        at=900.0, call=call, package="", source="/w/k.cu", output=output, kind=kind, began=890.0, elapsed_s=10.0,
        cpu_s=9.0, peak_bytes=1, code=code, signal=None, output_bytes=1, verdict="off", why="",
    )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def spills(event: e.KernelsMeasured) -> list[tuple[int | None, int | None]]:
    return [(kernel.spill_store_bytes, kernel.spill_load_bytes) for kernel in event.kernels]


def test_kernels_are_told_at_once_and_again_with_their_spills(world: World) -> None:
    folder, watch = world.leave("sm_80-13.0"), world.watch()
    watch.work({"r": world})
    (first,) = world.told
    assert (first.call, first.source, first.output) == ("7-1", "/w/k.cu", "/w/k.o")
    assert tuple(kernel.name for kernel in first.kernels) == NAMES
    assert spills(first) == [(0, 0), (0, 0), (None, None)]
    assert world.asked[0][1:-3] == ("-v", "-maxrregcount", "16", "-arch", "sm_80", "-m", "64")
    assert watch.holds("r")
    watch.work({"r": world})
    assert len(world.told) == 1
    world.answer()
    watch.work({"r": world})
    assert spills(world.told[-1])[2] == (32, 36)
    assert world.told[-1].kernels[2].compile_s is not None
    assert not watch.holds("r")
    assert not folder.exists()


def test_code_that_was_gone_too_soon_is_made_again_of_the_ptx_with_the_options_of_its_siblings(world: World) -> None:
    folder, watch = world.leave("sm_80-13.0"), world.watch()
    lose(world, folder)
    watch.work({"r": world})
    assert {kernel.arch for kernel in world.told[0].kernels} == {"sm_80"}
    world.answer()
    watch.work({"r": world})
    assert world.asked[1][1:-3] == ("-v", "-maxrregcount", "16", "-m", "64", "-arch", "sm_100")
    assert world.asked[1][-3].endswith("k.compute_100.ptx")
    world.answer("sm_100-13.0", "sm_100-13.0")
    watch.work({"r": world})
    last = [(kernel.name, kernel.arch, kernel.registers is None) for kernel in world.told[-1].kernels]
    assert last == [(name, arch, False) for arch in ("sm_80", "sm_100") for name in NAMES]
    assert [kernel.spill_store_bytes for kernel in world.told[-1].kernels] == [0, 0, 32, 0, 0, 48]
    assert not watch.holds("r")


def test_what_could_not_be_made_again_is_left_out(world: World) -> None:
    folder, watch = world.leave("sm_80-13.0"), world.watch()
    lose(world, folder)
    watch.work({"r": world})
    world.answer()
    watch.work({"r": world})
    Path(world.asked[1][-1]).unlink()
    world.running[-1].code = 1
    watch.work({"r": world})
    assert {kernel.arch for kernel in world.told[-1].kernels} == {"sm_80"}
    assert not watch.holds("r")


@pytest.mark.parametrize("options", ["-arch sm_80 -m 64", "-m 64 -arch=sm_80", "-m 64 --gpu-name sm_80", "-m 64"])
def test_options_of_ptxas_are_those_of_all_archs_but_for_the_arch(options: str) -> None:
    assert without_arch(options).split() == ["-m", "64"]


def lose(world: World, folder: Path) -> None:
    """The call made code for another arch too, of which only the PTX was kept."""
    name = "tmpxft_00000009_00000000-7_k.compute_100.ptx"
    (folder / name).write_bytes((FOLDER / "three.ptx").read_bytes())
    (kept,) = world.kept
    phases = (e.Phase("cicc", "compute_100", 1.0), e.Phase("ptxas", "sm_80", 1.0), e.Phase("ptxas", "sm_100", 1.0))
    files = [("sm_80" if kind == "cubin" else "compute_80", kind, file) for _, kind, file in kept.files]
    lost = kept._replace(
        ended=replace(kept.ended, phases=phases),
        archs=("sm_80", "sm_100"),
        files=(*files, ("compute_100", "ptx", name)),
    )
    world.kept = [lost]


def test_one_ptxas_runs_at_a_time_and_other_calls_are_read_meanwhile(world: World) -> None:
    watch = world.watch()
    world.leave("sm_80-13.0", "sm_100-13.0")
    world.leave("sm_80-13.0", call="8-1")
    watch.work({"r": world})
    assert [event.call for event in world.told] == ["7-1", "8-1"]
    assert len(world.asked) == 1
    world.answer()
    watch.work({"r": world})
    assert len(world.asked) == 2
    assert len(world.told) == 2  # told again when all of a call is known
    world.answer("sm_100-13.0", "sm_100-13.0")
    watch.work({"r": world})
    assert [kernel.spill_store_bytes for kernel in world.told[2].kernels] == [0, 0, 32, 0, 0, 48]
    assert len(world.asked) == 3


def test_a_ptxas_that_fails_or_makes_other_code_leaves_the_spills_unknown(world: World) -> None:
    for code, made in ((1, "sm_80-13.0"), (0, "sm_80-11.8")):
        watch = world.watch()
        folder = world.leave("sm_80-13.0", call=f"7-{code}")
        watch.work({"r": world})
        world.answer(made=made, code=code)
        watch.work({"r": world})
        assert spills(world.told[-1])[2] == (None, None)
        assert not folder.exists()


def test_a_ptxas_that_takes_for_ever_is_killed(world: World) -> None:
    watch, folder = world.watch(), world.leave("sm_80-13.0")
    watch.work({"r": world})
    world.now += PTXAS_S + 1
    watch.work({"r": world})
    assert world.running[0].is_killed
    assert not folder.exists()


def test_a_run_is_held_for_a_while_only(world: World) -> None:
    watch = world.watch()
    world.leave("sm_80-13.0")
    watch.work({"r": world})
    assert watch.holds("r")
    assert not watch.holds("other")
    world.now += WAIT_S + 1
    assert not watch.holds("r")


def test_what_a_run_left_that_is_gone_is_removed_and_its_ptxas_killed(world: World) -> None:
    watch, folder = world.watch(), world.leave("sm_80-13.0")
    watch.work({"r": world})
    watch.work({})
    assert world.running[0].is_killed
    assert not folder.exists()


def test_the_engines_end_leaves_no_process(world: World) -> None:
    watch = world.watch()
    world.leave("sm_80-13.0")
    watch.work({"r": world})
    watch.close()
    assert world.running[0].is_killed


def test_a_call_that_failed_has_no_kernels_and_its_files_go(world: World) -> None:
    watch, folder = world.watch(), world.leave("sm_80-13.0", code=2)
    watch.work({"r": world})
    assert world.told == []
    assert not folder.exists()


def test_without_a_ptxas_or_its_ptx_spills_are_not_known(world: World) -> None:
    watch, folder = world.watch(), world.leave("sm_80-13.0")
    for path in folder.glob("*.ptx"):
        path.unlink()
    watch.work({"r": world})
    watch.work({"r": world})
    assert world.asked == []
    assert spills(world.told[-1])[2] == (None, None)
    assert not folder.exists()


def test_a_cubin_that_was_asked_for_is_read_where_it_lies(world: World) -> None:
    made = world.folder / "out" / "k.cubin"
    made.parent.mkdir()
    made.write_bytes(content_of("sm_100-13.0"))
    for output in (made, made.parent):  # or a folder for it
        end = ended(f"7-{output.name}", kind="cubin", output=str(output))
        world.kept.append(Kept(end, ("/w/k.cu",), ("sm_100a",), "", "", ()))
    watch = world.watch()
    watch.work({"r": world})
    assert [[kernel.arch for kernel in event.kernels] for event in world.told] == [["sm_100a"] * 3] * 2
    assert made.exists()


def test_kernels_of_ptx_are_named_without_figures(world: World) -> None:
    made = world.folder / "k.ptx"
    made.write_bytes((FOLDER / "three.ptx").read_bytes())
    end = ended("7-1", kind="ptx", output=str(made))
    world.kept.append(Kept(end, ("/w/k.cu",), ("compute_80",), "", "", ()))
    watch = world.watch()
    watch.work({"r": world})
    assert {(kernel.arch, kernel.registers) for kernel in world.told[0].kernels} == {("compute_80", None)}


def test_an_arch_that_a_cubin_names_by_its_number_alone_is_called_as_nvcc_was_told(world: World) -> None:
    world.leave("sm_80-11.8")
    world.kept[0] = world.kept[0]._replace(archs=("sm_80a", "sm_90"))
    world.watch().work({"r": world})
    assert {kernel.arch for kernel in world.told[0].kernels} == {"sm_80a"}


def test_files_that_are_none_are_passed_over(world: World) -> None:
    folder = world.leave("sm_80-13.0")
    (cubin,) = folder.glob("*.cubin")
    secret = world.folder / "secret"
    secret.write_bytes(content_of("sm_80-13.0"))
    for make in (
        cubin.mkdir,
        lambda: os.mkfifo(cubin),
        lambda: cubin.symlink_to(secret),
        lambda: cubin.write_bytes(b"x"),
    ):
        cubin.rmdir() if cubin.is_dir() else cubin.unlink()
        make()
        world.kept[:] = [world.kept[0]] if world.kept else [_kept_again(folder)]
        world.watch().work({"r": world})
        assert world.told == []
        folder.mkdir(exist_ok=True)
        cubin.touch()
    assert secret.exists()


def _kept_again(folder: Path) -> Kept:
    files = (("sm_80", "cubin", "tmpxft_00000000_00000000-7_k.compute_80.cubin"),)
    return Kept(ended("7-1"), ("/w/k.cu",), ("sm_80",), "", str(folder), files)


def test_a_file_of_more_than_is_read_gives_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_watch, "_MAX_FILE_BYTES", 1000)
    world.leave("sm_80-13.0")
    world.watch().work({"r": world})
    assert world.told == []


def test_what_a_process_says_is_read_when_it_is_over(tmp_path: Path) -> None:
    """A real process in its place: a shell."""
    said = str(tmp_path / "said")
    run = start_ptxas(("/bin/sh", "-c", "echo 'ptxas info' >&2; echo out; read x || true"), said)
    assert run.said() == "ptxas info\nout\n"
    assert run.is_over()
    run.stop()


def test_a_process_runs_behind_all_others_and_can_be_killed(tmp_path: Path) -> None:
    run = start_ptxas(("/bin/sleep", "1000"), str(tmp_path / "said"))
    assert not run.is_over()
    assert os.getpriority(os.PRIO_PROCESS, run.process.pid) == 19
    run.stop()
    assert run.process.returncode == -9
    assert run.said() == ""
    with pytest.raises(OSError, match="nowhere"):
        start_ptxas(("/nowhere/ptxas",), str(tmp_path / "said"))


# What a cache gives again


def test_an_object_that_a_cache_gives_has_the_kernels_that_were_measured_of_it(world: World) -> None:
    watch, made = world.watch(), world.folder / "k.o"
    made.write_bytes(b"an object")
    world.now = made.stat().st_mtime
    world.leave("sm_80-13.0")
    end = replace(ended("7-1", output=str(made)), at=world.now, output_bytes=9)
    world.kept[0] = world.kept[0]._replace(ended=end)
    watch.work({"r": world})
    world.answer()
    watch.work({"r": world})
    elsewhere = world.folder / "other" / "k.o"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"an object")
    hit = replace(end, call="9-1", output=str(elsewhere), verdict="hit", at=elsewhere.stat().st_mtime, source="/v/k.cu")
    world.kept.append(Kept(hit, ("/v/k.cu",), ("sm_80",), "", "", ()))
    world.watch().work({"other": world})
    told = world.told[-1]
    assert (told.call, told.source) == ("9-1", "/v/k.cu")
    assert [kernel._replace(compile_s=None) for kernel in world.told[-2].kernels] == list(told.kernels)
    assert spills(told)[2] == (32, 36)


def test_an_object_that_nobody_measured_has_no_kernels(world: World) -> None:
    made = world.folder / "k.o"
    made.write_bytes(b"another")
    hit = replace(ended("9-1", output=str(made)), verdict="hit", output_bytes=7, at=made.stat().st_mtime)
    world.kept.append(Kept(hit, ("/w/k.cu",), ("sm_80",), "", "", ()))
    watch = world.watch()
    watch.work({"r": world})
    assert world.told == []
    assert not watch.holds("r")


def test_an_object_that_was_changed_since_is_not_the_calls(tmp_path: Path) -> None:
    made = tmp_path / "k.o"
    made.write_bytes(b"12345")
    at = made.stat().st_mtime
    assert len(digest_of(str(made), 5, at)) == 48
    assert digest_of(str(made), 6, at) == digest_of(str(made), None, at) == digest_of(str(made), 5, at - 1) == ""
    assert digest_of(str(tmp_path), 5, at) == digest_of(str(tmp_path / "none"), 5, at) == ""
    os.mkfifo(tmp_path / "pipe")
    assert digest_of(str(tmp_path / "pipe"), 5, at) == ""


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"\xff", b'{"schema": 1, "kernels": 3}', b'{"schema": 1, "kernels": [["k"]]}',
        b'{"schema": 2, "kernels": []}', b'{"schema": 1, "kernels": [["k", 3]]}',
        b'{"schema": 1, "kernels": [["k", "sm_80", "many"]]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_an_entry_of_the_store_that_is_damaged_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.json").write_bytes(content)
    assert KernelStore(str(tmp_path)).of("d") == ()


def test_the_store_keeps_its_limit_and_minds_no_place_it_cannot_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.native.kernels.kernel_store.MAX_ENTRIES", 5)
    store = KernelStore(str(tmp_path / "kernels"))
    for number in range(101):
        store.keep(f"{number:03}", [e.Kernel("k", "sm_80", number)])
    assert len(os.listdir(tmp_path / "kernels")) == 5
    assert store.of("100") == (e.Kernel("k", "sm_80", 100),)
    assert MAX_ENTRIES == 2000
    (tmp_path / "file").touch()
    KernelStore(str(tmp_path / "file")).keep("d", [])
