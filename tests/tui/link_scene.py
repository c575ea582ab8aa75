"""Links and memory of a made-up machine, on top of the scene."""

import math
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from core import events as e
from core.host import Host
from core.reduce import reduce_run
from core.state import Board
from tests.scene import T0

TOTAL_BYTES = 24_000_000_000


def link_end(
    at: float, link: str, unit: str, peak_bytes: int, agent: str = "claude-1", **changes: object
) -> e.LinkEnded:
    """A link of a debug build that went well."""
    output = f"/home/ada/src/{agent}/target/debug/deps/{unit.partition('(')[0]}-0123456789abcdef"
    known = e.LinkEnded(
        at=at, link=link, unit=unit, output=output, linker="rust-lld", input_bytes=peak_bytes // 2, began=at - 4.1,
        elapsed_s=4.1, peak_bytes=peak_bytes, cpu_s=6.2, code=0, signal=None, output_bytes=peak_bytes // 5,
        text_bytes=peak_bytes // 40, debug_bytes=peak_bytes // 7, symbol_bytes=peak_bytes // 50,
        before_bytes=peak_bytes // 5 - 1_200_000,
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def trail(now: float, seconds: int = 300, ours_bytes: int = 3_000_000_000) -> tuple[e.MachineSampled, ...]:
    """Samples of the machine, one a second: what is not ours swells and shrinks."""
    return tuple(
        e.MachineSampled(
            at=now - seconds + 1 + second, cpu=0.9, total_bytes=TOTAL_BYTES, available_bytes=9_800_000_000,
            anonymous_bytes=ours_bytes + int(2.4e9 + 0.8e9 * math.sin(second / 40)), ours_bytes=ours_bytes,
            swap_used_bytes=0, swap_total_bytes=0,
        )
        for second in range(seconds)
    )  # fmt: skip


def with_events(board: Board, agent: str, found: Iterable[e.Event]) -> Board:
    """The board after more events of an agent's run."""
    run = next(run for run in board.runs.values() if run.agent == agent)
    after = reduce_run(run, found)
    assert after is not None
    return replace(board, runs=MappingProxyType({**board.runs, run.run: after}))


def with_links(board: Board, seconds: float = 60.0) -> Board:
    """Links under way and done, memory over five minutes, somebody killed for want of it."""
    now = T0 + seconds
    board = replace(board, host=Host(sample=trail(now)[-1], trail=trail(now)))
    for agent, phase, most in (("claude-1", 0.0, 5.2e9), ("claude-2", 2.0, 2.1e9), ("gpu-agent", 4.0, 3.4e9)):
        samples = [
            e.RunSampled(now - 290 + 5 * i, 6, 1.7, int(most * (0.55 + 0.45 * math.sin(phase + i / 7))))
            for i in range(59)
        ]
        board = with_events(board, agent, samples)
    first = link_end(now - 200, "5-1", "server(bin)", 1_700_000_000)
    board = with_events(board, "claude-1", [
        first,
        replace(first, at=now - 40, began=now - 44, link="5-2", peak_bytes=1_900_000_000, before_bytes=340_000_000),
        link_end(now - 100, "5-3", "cli(test)", 1_200_000_000),
        link_end(now - 90, "5-4", "router(test)", 640_000_000, linker="mold", is_sampled=True, cpu_s=None, code=None),
        link_end(now - 20, "5-6", "planner(test)", 82_000_000, code=None, signal=9, output_bytes=None, text_bytes=None,
                 debug_bytes=None, symbol_bytes=None, before_bytes=None),
        e.LinkStarted(now - 3, "5-5", "engine(test)", "/home/ada/src/claude-1/target/debug/deps/engine-77",
                      "rust-lld", 210, 512_000_000),
        e.RunSampled(now - 1, 8, 1.7, 4_900_000_000, (), (("5-5", 1_050_000_000),)),
        e.ProcessKilled(now - 20, 991, "rust-lld", "planner(test)", True, 2_100_000_000, 8_000_000_000,
                        (("gpu-agent", 3_400_000_000), ("claude-2", 2_000_000_000))),
    ])  # fmt: skip
    return with_events(board, "claude-2", [link_end(now - 60, "6-1", "server(bin)", 2_300_000_000, "claude-2")])
