"""What a cache did for a run, as `--json` tells it: exactly the fields that docs/json.md names."""

from dataclasses import replace

from core.cache_use import CacheUse
from tests.scene import board_at, run_id
from tests.tui.test_cli_json import documented
from tui.cli.listing import run_record


def test_what_a_cache_did_for_a_run_is_told_as_documented() -> None:
    board = board_at(60.0)
    run = board.runs[run_id(0, 0.0)]
    told = run_record(board, run)["cache"]
    assert set(told) == documented("### `cache`")
    for name in ("languages", "reasons", "sources"):
        assert {key for one in told[name] for key in one} == documented(f"### `{name}`"), name
    assert sum(sum(v for k, v in one.items() if k != "language") for one in told["languages"]) == run.cache.total.all
    assert told["saved_s"] == round(run.cache.saved_s, 3) > 0
    assert run_record(board, replace(run, cache=CacheUse()))["cache"] is None


def test_what_hits_saved_is_null_where_it_is_known_of_none() -> None:
    run = next(iter(board_at(60.0).runs.values()))
    use = replace(run.cache, saved_s=0.0, saved_unknown=run.cache.total.hits)
    assert run_record(board_at(60.0), replace(run, cache=use))["cache"]["saved_s"] is None
