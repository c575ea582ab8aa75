"""Links of real builds that no front sees: told from the processes, once each."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.real.product import Deck, until
from tests.real.samples import write_chain, write_files

TARGET = "x86_64-unknown-linux-gnu"


@pytest.fixture(autouse=True)
def engine(deck: Deck) -> None:
    """It is there before anything links: short builds do not start one."""
    deck.run("exec", "--agent", "first", "--", "true")
    deck.run("ps")
    until(deck.engine, 10, "an engine")


def links_of(deck: Deck, *words: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Starts and ends of the links of a build, which an engine sees from its beginning."""
    tool, rest = words[0], words[1:]
    run = deck.run(tool, "--agent", "a", "--detach", *rest, cwd=deck.folder + "/work").stdout.strip()
    path = Path(deck.state, "runs", run, "events.jsonl")

    def journal() -> list[dict[str, Any]]:
        events = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return events if events and events[-1].get("event") == "RunEnded" else []

    events = until(journal, 60, f"the end of {run}")
    assert events[-1]["code"] == 0
    begun, ended = ([x for x in events if x.get("event") == name] for name in ("LinkStarted", "LinkEnded"))
    return begun, ended


@pytest.mark.parametrize("linker", ["mold", "lld"])
def test_a_link_of_clang_is_seen_with_its_unit_and_its_memory(deck: Deck, linker: str) -> None:
    folder = deck.folder + "/work"
    write_chain(folder, crates=1, functions=400)
    flags = f'"-Clink-arg=--ld-path={folder}/ld.{linker}"'
    write_files(folder, {
        ".cargo/config.toml": f'[target.{TARGET}]\nlinker = "clang"\nrustflags = [{flags}]\n',
        f"ld.{linker}": f'#!/bin/sh\nsleep 0.3\nexec {shutil.which(f"ld.{linker}")} "$@"\n',  # as a large link
    })  # fmt: skip
    os.chmod(f"{folder}/ld.{linker}", 0o755)
    begun, ended = links_of(deck, "build")
    assert [(link["unit"], link["linker"], link["is_sampled"]) for link in begun] == [("link0(bin)", linker, True)]
    (end,) = ended
    # mold links in a child of its own, here in less than the time between two looks
    assert {"mold": 1_000_000, "lld": 10_000_000}[linker] < end["peak_bytes"] < 1_000_000_000
    assert end["elapsed_s"] > 0.3
    assert end["output_bytes"] == os.path.getsize(end["output"])
    assert end["input_bytes"] > 1_000_000


def test_a_link_that_a_front_tells_is_not_told_twice(deck: Deck) -> None:
    folder = deck.folder + "/work"
    write_chain(folder, crates=1, functions=400)
    begun, ended = links_of(deck, "build")
    assert [(link["unit"], link["is_sampled"]) for link in begun] == [("link0(bin)", False)]
    assert len(ended) == 1


@pytest.mark.long
def test_a_link_of_make_is_seen(deck: Deck) -> None:
    folder = deck.folder + "/work"
    files = {f"f{n}.c": f"char v{n}[40000000] = {{1}};\n" for n in range(6)}  # compiled at once, linked in 0.3 s
    files["main.c"] = "int main(void) { return 0; }\n"
    objects = " ".join(name.replace(".c", ".o") for name in files)
    files["Makefile"] = f"all: {objects}\n\tcc {objects} -o tool\n%.o: %.c\n\tcc -c $< -o $@\n"
    write_files(folder, files)
    begun, ended = links_of(deck, "exec", "--", "make")
    assert [(Path(link["output"]).name, link["linker"], link["inputs"]) for link in begun] == [("tool", "bfd", 7)]
    assert ended[0]["peak_bytes"] > 5_000_000
