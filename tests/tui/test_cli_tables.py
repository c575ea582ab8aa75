"""Tables of the plain commands on terminals that are narrower than they are."""

import pytest

from tui import format as f
from tui.cli import common

ROWS = (("sign", "kernel", "", "file"), ("⚠", "gemm<日本, 128>", "", "/w/app/kernels/deep/gemm.cu"))


def shown(room: int | None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(common, "room", lambda: room)
    return list(common.table(ROWS, [(3, 10), (0, 0), (1, 6)], paths=(3,)))


def test_columns_give_way_in_their_order_and_of_paths_the_end_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(None, monkeypatch)[1] == "⚠     gemm<日本, 128>  /w/app/kernels/deep/gemm.cu"
    assert shown(40, monkeypatch)[1] == "⚠     gemm<日本, 128>  …els/deep/gemm.cu"
    assert shown(30, monkeypatch) == ["kernel           file", "gemm<日本, 128>  …p/gemm.cu"]
    assert shown(20, monkeypatch)[1] == "gemm<日…  …p/gemm.cu"


def test_what_has_to_be_seen_is_seen_however_narrow_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {f.cell_len(line) for line in shown(1, monkeypatch)} <= {12, 18}
    assert common.narrowed([4, 4], [], 1) == [4, 4]
