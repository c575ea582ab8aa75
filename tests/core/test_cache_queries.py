"""Agents, look-ups, trades and alarms of a board."""

from types import MappingProxyType

from core import events as e
from core.cache_queries import AgentUse, Trade, agents, alarms, has_cache, lookups, servers, together, trades
from core.events.machine import ServerRow
from core.host import Host
from core.reduce import reduce_run
from core.state import Board, Run
from tests.core.test_cache_use import looked_up

END = e.RunEnded(20.0, 0, None, 10.0, 1.0, 1.0, 0, None)


def run_of(run: str, agent: str, *events: e.Event) -> Run:
    started = e.RunStarted(0.0, run, agent, "build", "cargo", "build", "/w", "/w", "/w/target", False, False, False)
    found = reduce_run(None, [started, *events])
    assert found is not None
    return found


def board_of(*runs: Run, caches: e.CachesSeen | None = None) -> Board:
    return Board(MappingProxyType({run.run: run for run in runs}), now=30.0, host=Host(caches=caches))


def server_of(
    agent: str, *, pid: int | None = 7, troubles: tuple[int, int, int] = (0, 0, 0), alarm: str = ""
) -> ServerRow:
    return (agent, "sccache", pid, 3, 1, 2, 0, *troubles, "our store", alarm)


EARLIER = run_of("r1", "ada", looked_up("missed", at=1.0, reason="first time", unit="old"), END)
LATER = run_of("r2", "ada", looked_up("hit", at=9.0, source="ada", saved_s=2.0), looked_up("hit", at=9.5, source="bob"))
OTHER = run_of("r3", "bob", looked_up("error", at=5.0, reason="timeout"))
BARE = run_of("r4", "cleo")
BOARD = board_of(EARLIER, LATER, OTHER, BARE)


def test_an_agent_has_all_its_runs_or_the_newest_alone() -> None:
    ada, bob, cleo = agents(BOARD)
    assert (ada.agent, ada.runs, ada.use.rust.hits, ada.use.rust.all) == ("ada", (EARLIER, LATER), 2, 3)
    assert (bob.use.rust.errors, cleo.use.total.all) == (1, 0)
    newest = agents(BOARD, newest_only=True)[0]
    assert (newest.runs, newest.use) == ((LATER,), LATER.cache)
    assert cleo.cached_runs == ()


def test_a_server_is_its_agents_and_one_without_a_run_comes_last() -> None:
    caches = e.CachesSeen(1.0, (server_of("gone"), server_of("bob")))
    found = agents(board_of(OTHER, caches=caches))
    assert [(one.agent, one.server is not None, len(one.runs)) for one in found] == [
        ("bob", True, 1),
        ("gone", True, 0),
    ]
    assert found[0].server is not None
    assert found[0].server.rate == 0.75


def test_all_agents_together_are_the_sum_of_each() -> None:
    both = together(agents(BOARD))
    assert (both.use.rust.hits, both.use.rust.all) == (2, 4)
    assert len(both.runs) == 4


def test_look_ups_come_newest_or_slowest_first_and_can_be_narrowed() -> None:
    found = agents(BOARD)
    assert [one.event.at for one in lookups(found)] == [9.5, 9.0, 5.0, 1.0]
    assert [one.event.outcome for one in lookups(found, misses_only=True)] == ["error", "missed"]
    assert {one.agent for one in lookups(found, agent="ada")} == {"ada"}
    slow = run_of(
        "r9", "ada", e.CacheLookedUp(0.1, "sccache", "big", "Rust", "missed", "", "", "", "", 9.0, None, None)
    )
    quick = run_of(
        "r8", "ada", e.CacheLookedUp(0.2, "sccache", "un", "Rust", "missed", "", "", "", "", None, None, None)
    )
    units = [one.event.unit for one in lookups(agents(board_of(LATER, quick, slow)), order="slowest")]
    assert units == ["big", "serde", "serde", "un"]
    assert len({one.key for one in lookups(found)}) == 4


def test_trades_are_the_stores_and_without_a_store_those_of_the_runs() -> None:
    assert trades(BOARD, agents(BOARD)) == ((Trade("ada", "ada", 1, 100), Trade("bob", "ada", 1, 100)), False)
    caches = e.CachesSeen(1.0, (), "running", trades=(("ada", "bob", 2, 50), ("bob", "ada", 7, 90)))
    board = board_of(OTHER, caches=caches)
    assert trades(board, agents(board)) == ((Trade("bob", "ada", 7, 90), Trade("ada", "bob", 2, 50)), True)


def test_the_bytes_of_a_trade_are_not_known_where_they_are_not_of_each_hit() -> None:
    bare = e.CacheLookedUp(1.0, "sccache", "x", "Rust", "hit", "", "bob", "", "", 0.1, None, None)
    board = board_of(run_of("r1", "ada", bare, looked_up("hit", source="bob")))
    assert trades(board, agents(board))[0] == (Trade("bob", "ada", 2, None),)


def test_alarms_are_what_servers_say_and_what_their_counters_tell() -> None:
    assert alarms(BOARD) == ()
    told = (
        server_of("ada", alarm="its store became read-only"),
        server_of("bob", troubles=(1, 0, 2)),
        server_of("cleo"),
    )
    board = board_of(OTHER, caches=e.CachesSeen(1.0, told, "running"))
    assert alarms(board) == (
        "ada: its store became read-only",
        "bob: 1 look-up timed out, 2 entries could not be stored since its sccache server was started.",
    )


def test_a_store_that_does_not_run_is_an_alarm_where_a_server_lives() -> None:
    alive, dead = server_of("ada"), server_of("ada", pid=None)
    assert alarms(board_of(caches=e.CachesSeen(1.0, (alive,), "stopped")))[0].startswith("The store does not run")
    assert alarms(board_of(caches=e.CachesSeen(1.0, (dead,), "stopped"))) == ()


def test_a_cache_is_there_where_a_run_a_server_or_a_store_says_so() -> None:
    assert has_cache(BOARD)
    assert not has_cache(board_of(BARE))
    assert not has_cache(board_of(BARE, caches=e.CachesSeen(1.0, ())))
    assert has_cache(board_of(BARE, caches=e.CachesSeen(1.0, (server_of("x"),))))
    assert has_cache(board_of(BARE, caches=e.CachesSeen(1.0, (), "running")))
    assert servers(board_of(BARE)) == ()
    assert isinstance(agents(BOARD)[0], AgentUse)
