"""Builds of CUDA kernels by made-up agents: calls of nvcc under way and done, and what their kernels need."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from core import events as e
from core.reduce import reduce_run
from core.state import Board, Run
from tests.scene import T0

CHECKOUT = "/home/ada/src/engine"
GEMM, NTT = f"{CHECKOUT}/kernels/gemm.cu", f"{CHECKOUT}/kernels/ntt.cu"


def run_started(run: str, agent: str = "gpu-agent", at: float = T0, checkout: str = CHECKOUT) -> e.RunStarted:
    """A build of a checkout."""
    return e.RunStarted(
        at, run, agent, "build -p kernels", "cargo", "build", checkout, checkout, f"{checkout}/target", False, False,
        False,
    )  # fmt: skip


def run_of(
    run: str, events: Iterable[e.Event], agent: str = "gpu-agent", at: float = T0, checkout: str = CHECKOUT
) -> Run:
    """A run with these events."""
    found = reduce_run(None, [run_started(run, agent, at, checkout), *events])
    assert found is not None
    return found


def begun(
    call: str, at: float, source: str = GEMM, archs: Sequence[str] = ("sm_80", "sm_90"), blob: str = ""
) -> e.NvccStarted:
    """A call begins."""
    return e.NvccStarted(at, call, "kernels", source, made_of(source), "object", tuple(archs), (), blob)


def made_of(source: str) -> str:
    """What a source is compiled to."""
    return f"{CHECKOUT}/target/debug/build/kernels-1234/out/{source.rpartition('/')[2]}.o"


def over(started: e.NvccStarted, elapsed_s: float = 4.0, **changes: object) -> e.NvccEnded:
    """The same call ends well."""
    phases = [
        e.Phase("gcc (preprocessing 4)", None, elapsed_s * 0.05, 26_000_000),
        e.Phase("cudafe++", "compute_90", elapsed_s * 0.15, 190_000_000),
    ]
    for arch in started.archs:
        number = arch.partition("_")[2]
        phases += [
            e.Phase("cicc", f"compute_{number}", elapsed_s * 0.5 / len(started.archs), 400_000_000),
            e.Phase("ptxas", arch, elapsed_s * 0.2 / len(started.archs), 1_200_000_000),
        ]
    phases.append(e.Phase("gcc (compiling)", "compute_90", elapsed_s * 0.1, 60_000_000))
    ended = e.NvccEnded(
        at=started.at + elapsed_s, call=started.call, package="kernels", source=started.source, output=started.output,
        kind=started.kind, began=started.at, elapsed_s=elapsed_s, cpu_s=elapsed_s, peak_bytes=1_200_000_000, code=0,
        signal=None, output_bytes=680_000, verdict="miss", why="", phases=tuple(phases), headers=(),
    )  # fmt: skip
    return replace(ended, **changes)  # type: ignore[arg-type]


def kernel(
    name: str,
    arch: str,
    registers: int,
    *,
    spills: int = 0,
    shared: int = 0,
    code: int = 8960,
    threads: int | None = 256,
) -> e.Kernel:
    """A kernel with its figures."""
    return e.Kernel(
        name, arch, registers, spills, spills, spills, shared, 368, 1, code, None, 0, threads
    )  # fmt: skip


def measured(started: e.NvccStarted, *kernels: e.Kernel) -> e.KernelsMeasured:
    """What a call made."""
    return e.KernelsMeasured(started.at + 5, started.call, started.source, started.output, kernels)


def compiled(started: e.NvccStarted, *kernels: e.Kernel, elapsed_s: float = 4.0) -> list[e.Event]:
    """A whole call."""
    return [started, over(started, elapsed_s), measured(started, *kernels)]


def kernels_of(registers: int = 64, spills: int = 0) -> list[e.Kernel]:
    """Those of gemm.cu."""
    return [
        kernel(name, arch, registers + extra + (arch == "sm_90") * 4, spills=spills * (extra > 0), shared=16_384)
        for arch in ("sm_80", "sm_90")
        for name, extra in (("_Z4gemmILi64ELi64EEvPfPKfS2_", 0), ("_Z4gemmILi128ELi128EEvPfPKfS2_", 40))
    ]


def ended(at: float) -> e.RunEnded:
    """A run that went well."""
    return e.RunEnded(at, 0, None, 8.0, 6.0, 1.0, 1_200_000_000, None)


def board_of(*runs: Run, now: float = T0 + 60) -> Board:
    """Just these runs."""
    return Board({run.run: run for run in runs}, now, now)


def two_builds(now: float = T0 + 60) -> Board:
    """An edit made a kernel spill and another's occupancy fall; an NTT is compiled for nine archs just now."""
    before = begun("11-1", T0 + 2, blob="b1")
    first = run_of("20251229-100000-000-0001", [*compiled(before, *kernels_of()), ended(T0 + 10)])
    after = begun("21-1", T0 + 32, blob="b2")
    second = run_of(
        "20251229-100030-000-0002", [*compiled(after, *kernels_of(88, 264), elapsed_s=4.6), ended(T0 + 40)], at=T0 + 30
    )
    archs = ("sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_100", "sm_110", "sm_120")
    now_begun = begun("31-1", T0 + 52, NTT, archs)
    live = run_of(
        "20251229-100050-000-0003",
        [
            now_begun, e.NvccPhaseBegan(T0 + 53, "31-1", "cicc", "compute_86"),
            e.NvccPhaseBegan(T0 + 55, "31-1", "ptxas", "sm_86"),
            e.RunSampled(T0 + 58, 5, 1.0, 1_300_000_000, (), (("31-1", 1_210_000_000),)),
        ],
        agent="claude-1", at=T0 + 50,
    )  # fmt: skip
    return board_of(first, second, live, now=now)
