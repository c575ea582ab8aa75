"""What `cargo deck cache` tells of nvcc, beside the notes of real calls."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.real.product import Deck, until

pytestmark = pytest.mark.long

COUNTS = ("hits", "misses", "bypassed")


def test_calls_that_the_depfile_cache_answered_are_those_of_the_notes(deck: Deck, cuda_home: str) -> None:
    folder = Path(deck.folder, "work")
    folder.mkdir()
    (folder / "k.cuh").write_text("#define N 1\n")
    (folder / "k.cu").write_text('#include "k.cuh"\n__global__ void k(float *y) { y[0] = N; }\n')
    env = {"PATH": f"{cuda_home}/bin:{deck.env['PATH']}"}
    calls = (("-cubin", "k.cu"), ("-cubin", "k.cu"), ("-cubin", "k.cu"), ("-cubin", "k.cu", "--keep"))
    for at, words in enumerate(calls):
        if at == 2:
            (folder / "k.cuh").write_text("#define N 2\n")
        done = deck.run("exec", "--", "nvcc", "-arch=sm_80", *words, cwd=str(folder), env=env)
        assert done.returncode == 0, done.stderr
    paths = Path(deck.state, "runs").glob("*/fronts/nvcc.jsonl")
    notes = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    verdicts = Counter(note["verdict"] for note in notes if "end" in note)
    whys = Counter((note["verdict"], note["why"]) for note in notes if note.get("verdict") in ("miss", "bypass"))
    assert (verdicts["hit"], verdicts["miss"], verdicts["bypass"]) == (1, 2, 1)

    def told() -> Any:
        (agent,) = deck.json("cache", "--json")["agents"] or [{"nvcc": None}]
        found = agent["nvcc"]
        return found if found and sum(found[name] for name in COUNTS) == sum(verdicts.values()) else None

    found = until(told, 30, "the engine has read the notes")
    assert (found["hits"], found["misses"], found["bypassed"]) == (1, 2, 1)
    assert {(one["verdict"], one["why"] or ""): one["count"] for one in found["reasons"]} == whys
