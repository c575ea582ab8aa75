"""`cargo deck cache stats|zero|clear|start|stop|log`: each agent's cache server, and the store behind them."""

import argparse
import os
import subprocess
from collections.abc import Callable
from typing import Any

from core.cache import server as servers
from core.cache.key_book import KeyBook
from core.cache.sccache_stats import ServerStats, parse_stats
from core.cache.server_record import Server, read_server
from core.cache.store_client import clear_store, find_lost_store, stop_store, store_stats
from core.cache_use import CacheUse, combine
from core.errors import StateError, UsageError
from core.nvcc_use import NvccUse, nvcc_use
from core.paths import Paths
from core.run import identity, nvcc_cache
from core.run.cache import read_wish
from core.state import Board, Run
from tui import format as f
from tui.cli import common
from tui.cli.cache_record import counts_record, saved_record
from tui.cli.listing import bring_up_to_date
from tui.cli.nvcc_record import nvcc_use_record
from tui.widgets.ansi import safe
from tui.widgets.cache_reasons import reason_shown, why_nvcc

_ASK_LIMIT_S = 10.0
_NVCC_HEADING = ("agent", "calls of nvcc", "hits", "misses", "not looked up", "effective", "why nvcc ran")
_HEADING = ("agent", "server", "hits", "misses", "not cacheable", "errors", "effective", "saved", "stores in")


def main(argv: list[str]) -> int:
    """Look after caches; exit code."""
    return common.guarded(_cache, argv)


def _cache(argv: list[str]) -> int:
    parser = common.make_parser("cache", "Compiler caches: an sccache server an agent, and the store they share.")
    parser.add_argument(
        "what", nargs="?", default="stats", choices=tuple(_ACTIONS), metavar="|".join(_ACTIONS),
        help="stats: what builds of the last day were given (the default); zero: servers count anew; clear: empty our "
        "store, and what nvcc made; start, stop: servers, and our store with the last; log: look-ups of the last day",
    )  # fmt: skip
    parser.add_argument("--agent", metavar="NAME", help="of this agent alone; `start` takes yours where none is named")
    given = parser.parse_args(argv)
    if given.agent is not None and not identity.AGENT_NAME.match(given.agent):
        raise UsageError(f"--agent {given.agent!r} is not a name: use 1 to 64 of A-Z a-z 0-9 . _ -")
    return _ACTIONS[given.what](common.user_paths(), given)


def _chosen(paths: Paths, given: argparse.Namespace) -> list[str]:
    """Agents that have a server: the one that was named, else all.

    Raises:
        UsageError: the one that was named has none.
    """
    known = servers.agents(paths)
    if given.agent is None:
        return known
    if given.agent not in known:
        raise _has_none(given.agent)
    return [given.agent]


def _has_none(agent: str) -> UsageError:
    return UsageError(f"{agent} has no cache server: `cargo deck cache start --agent {agent}`")


def _stats(paths: Paths, given: argparse.Namespace) -> int:
    bring_up_to_date(paths)
    board = common.whole_board(paths)
    of_nvcc = _of_nvcc(board)
    names = {*servers.agents(paths), *of_nvcc, *(run.agent for run in board.runs.values() if run.cache.cache)}
    if given.agent is not None:
        if given.agent not in names:
            raise _has_none(given.agent)
        names = {given.agent}
    records = [_record(paths, board, agent, of_nvcc.get(agent, NvccUse())) for agent in sorted(names)]
    store, nvcc = _store(paths), nvcc_cache.held(nvcc_cache.folder(paths))
    if given.json:
        common.print_json("cache", now=board.now, agents=records, store=store, nvcc=nvcc._asdict())
        return 0
    _print_nvcc({agent: of_nvcc[agent] for agent in sorted(names & of_nvcc.keys())}, nvcc)
    _print_units([record for record in records if record["cache"]], store)
    return 0


def _print_nvcc(uses: dict[str, NvccUse], held: nvcc_cache.Held) -> None:
    """What the depfile cache did for each agent, and what it holds; nothing where it did and holds nothing."""
    _print_table([_NVCC_HEADING, *(_nvcc_row(agent, use) for agent, use in uses.items())] if uses else [])
    if held.outputs:
        common.print_text(_nvcc_line(held))
    if uses or held.outputs:
        common.print_text("")


def _print_units(records: list[dict[str, Any]], store: dict[str, Any] | None) -> None:
    if not records:
        common.print_text('No build had a cache: `--cache sccache` for one, cache = "sccache" in config.toml for all.')
        return
    _print_table([_HEADING, *(_row(record) for record in records)])
    for record in records:
        if record["alarm"]:
            common.print_text(f"! {record['agent']}: {record['alarm']}")
    common.print_text(_store_line(store))


def _print_table(rows: list[tuple[str, ...]]) -> None:
    """The last column is what gives way."""
    for line in common.table(rows, [(len(rows[0]) - 1, 10)]) if rows else ():
        common.print_text(line)


def _of_nvcc(board: Board) -> dict[str, NvccUse]:
    """What the depfile cache did, by agent that called nvcc."""
    runs: dict[str, list[Run]] = {}
    for run in board.runs.values():
        runs.setdefault(run.agent, []).append(run)
    return {agent: use for agent, its in runs.items() if (use := nvcc_use(its)).all}


def _record(paths: Paths, board: Board, agent: str, nvcc: NvccUse) -> dict[str, Any]:
    """What is known of an agent's caches; what its builds of the last day were given."""
    use = _use(board, agent)
    known = read_server(paths, agent)
    is_alive = known is not None and servers.is_alive(known)
    asked = _ask(known) if known is not None and is_alive else None
    rust = use.main
    alarm = next((row[11] for row in (board.host.caches.servers if board.host.caches else ()) if row[0] == agent), "")
    return {
        "agent": agent,
        "cache": use.cache or ("sccache" if known else ""),
        "server": None if known is None else {
            "is_running": is_alive, "pid": known.pid if is_alive else None, "version": known.version,
            "backend": known.backend, "log": known.log, "started_at": known.started,
            "hits": asked.hits if asked else None, "misses": asked.misses if asked else None,
            "not_cacheable": asked.not_cacheable if asked else None, "errors": asked.errors if asked else None,
            "timeouts": asked.timeouts if asked else None, "read_errors": asked.read_errors if asked else None,
            "write_errors": asked.write_errors if asked else None,
        },
        "units": counts_record(rust),
        "effective_rate": rust.effective_rate,
        "saved_s": saved_record(use),
        "saved_unknown": use.saved_unknown,
        "nvcc": nvcc_use_record(nvcc),
        "alarm": alarm or None,
    }  # fmt: skip


def _use(board: Board, agent: str) -> CacheUse:
    """Of all runs of an agent together."""
    return combine(run.cache for run in board.runs.values() if run.agent == agent)


def _ask(known: Server) -> ServerStats | None:
    """What the server counted since it started or was zeroed; None: it does not answer."""
    try:
        return parse_stats(_call(known, "--show-stats", "--stats-format=json"))
    except (StateError, ValueError):
        return None


def _call(known: Server, *words: str) -> bytes:
    env = {"SCCACHE_SERVER_UDS": known.socket, "PATH": os.environ.get("PATH", ""), "SCCACHE_CONF": "/dev/null"}
    try:
        done = subprocess.run(
            [known.program, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_LIMIT_S,
            check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise StateError(f"the cache server of {known.agent} did not answer ({error}): see {known.log}") from error
    return done.stdout


def _store(paths: Paths) -> dict[str, Any] | None:
    """Figures of our own store; None: there is none, or it does not run."""
    found = store_stats(paths) if find_lost_store(paths) else None
    if found is None:
        return None
    return {"entries": found["entries"], "bytes": found["bytes"], "limit_bytes": found["limit"],
            "evicted": found["evicted"]}  # fmt: skip


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    server, units = record["server"], record["units"]
    hits = units["hits_own"] + units["hits_other"] + units["hits_unknown"]
    state = "none of ours" if server is None else f"runs, pid {server['pid']}" if server["is_running"] else "stopped"
    return (
        safe(record["agent"]), state, str(hits), str(units["missed"]), str(units["not_cacheable"]),
        str(units["errors"]), f.percent(record["effective_rate"]), _saved(record),
        safe(server["backend"]) if server else f.UNKNOWN,
    )  # fmt: skip


def _nvcc_row(agent: str, use: NvccUse) -> tuple[str, ...]:
    counts = (use.hits, use.misses, use.bypassed)
    asked = (str(count) if use.asked else f.UNKNOWN for count in counts)
    return safe(agent), str(use.all), *asked, f.percent(use.rate), safe(why_nvcc(use)) or f.UNKNOWN


def _saved(record: dict[str, Any]) -> str:
    at_least = "≥" if record["saved_unknown"] and record["saved_s"] is not None else ""
    return at_least + f.duration(record["saved_s"])


def _store_line(store: dict[str, Any] | None) -> str:
    if store is None:
        return "Our own store does not run."
    taken, limit = f.size(store["bytes"]), f.size(store["limit_bytes"])
    entries = "1 entry" if store["entries"] == 1 else f"{store['entries']:,} entries"
    return f"Our own store: {entries}, {taken} of {limit}, {store['evicted']} had to go."


def _nvcc_line(nvcc: nvcc_cache.Held) -> str:
    outputs = "1 output" if nvcc.outputs == 1 else f"{nvcc.outputs:,} outputs"
    return f"What nvcc made: {outputs}, {f.size(nvcc.size_bytes)} of {f.size(nvcc_cache.LIMIT_BYTES)}."


def _zero(paths: Paths, given: argparse.Namespace) -> int:
    done = []
    for agent in _chosen(paths, given):
        known = read_server(paths, agent)
        if known is not None and servers.is_alive(known):
            _call(known, "--zero-stats")
            done.append(agent)
    return _say(given, "cache-zero", done, word="counts from zero", nothing="No cache server runs.")


def _clear(paths: Paths, given: argparse.Namespace) -> int:
    if given.agent is not None:
        raise UsageError("the store is shared by all agents: `cargo deck cache clear` empties it for all of them")
    wish = read_wish(os.environ)
    if wish.store != "own":
        raise UsageError("what is stored elsewhere is not ours to empty: only our own store is")
    taken = clear_store(paths) + _clear_nvcc(paths)
    KeyBook(paths.state + "/cache.sqlite").forget_all()
    if given.json:
        common.print_json("cache-clear", bytes=taken)
    else:
        common.print_text(f"emptied: {f.size(taken)} freed")
    return 0


def _clear_nvcc(paths: Paths) -> int:
    """Bytes that are free again."""
    place = nvcc_cache.folder(paths)
    taken = nvcc_cache.held(place).size_bytes
    try:
        nvcc_cache.clear(place)
    except OSError as error:
        raise StateError(f"what nvcc made cannot be removed from {place}: {error.strerror}") from error
    return taken


def _start(paths: Paths, given: argparse.Namespace) -> int:
    env = dict(os.environ)
    agent = given.agent or identity.find_agent(None, env, os.getcwd()).name
    wish = read_wish(env)
    if wish.mistake:
        raise UsageError(wish.mistake)
    started = servers.ensure_server(paths, agent, wish, env)
    if given.json:
        common.print_json("cache-start", agent=agent, pid=started.pid, log=started.log, backend=started.backend)
    else:
        where = "our own store" if started.backend == "own" else started.backend
        common.print_text(f"{agent}  sccache {started.version}, pid {started.pid}, stores in {where}")
    return 0


def _stop(paths: Paths, given: argparse.Namespace) -> int:
    done = [agent for agent in _chosen(paths, given) if servers.stop_server(paths, agent)]
    if given.agent is None and stop_store(paths):
        done.append("the store")
    return _say(given, "cache-stop", done, word="stopped", nothing="Nothing ran.")


def _say(given: argparse.Namespace, schema: str, done: list[str], *, word: str, nothing: str) -> int:
    if given.json:
        common.print_json(schema, agents=done)
        return 0
    for name in done:
        common.print_text(f"{name}  {word}")
    if not done:
        common.print_text(nothing)
    return 0


def _log(paths: Paths, given: argparse.Namespace) -> int:
    """Every look-up of the last day, oldest first."""
    bring_up_to_date(paths)
    board = common.whole_board(paths)
    found = [(one, run) for run in board.runs.values() for one in run.cache.lookups if given.agent in (None, run.agent)]
    for one, run in sorted(found, key=lambda pair: pair[0].at):
        if given.json:
            common.print_json(
                "cache-lookup", at=one.at, run=run.run, agent=run.agent, cache=one.cache, unit=one.unit,
                language=one.language, outcome=one.outcome, key=one.key or None, source_agent=one.source_agent or None,
                reason=one.reason or None, detail=one.detail or None, elapsed_s=one.elapsed_s, saved_s=one.saved_s,
                size_bytes=one.size_bytes,
            )  # fmt: skip
            continue
        why = f"from {one.source_agent or 'not known whom'}" if one.outcome == "hit" else reason_shown(one.reason)
        said = f"{why}: {one.detail}" if one.detail else why
        text = f"{f.moment(one.at, board.now)}  {run.agent:<12}  {one.outcome:<13}  {one.unit:<28}  {said}"
        common.print_text(safe(text))
    if not found and not given.json:
        whose = f"No build of {given.agent}'s" if given.agent else "No build"
        common.print_text(f"{whose} had a cache in the last day.")
    return 0


_ACTIONS: dict[str, Callable[[Paths, argparse.Namespace], int]] = {
    "stats": _stats, "zero": _zero, "clear": _clear, "start": _start, "stop": _stop, "log": _log,
}  # fmt: skip
