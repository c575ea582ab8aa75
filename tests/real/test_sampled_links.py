"""Links of real builds that no front sees: told from the processes, once each."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.real.product import Deck, until
from tests.real.samples import write_chain, write_files

TARGET = "x86_64-unknown-linux-gnu"


def links_of(deck: Deck, run: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Starts and ends of a run that is over."""
    deck.run("ps")

    def journal() -> list[dict[str, Any]]:
        path = Path(run, "events.jsonl")
        events = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return events if events and events[-1].get("event") == "RunEnded" else []

    events = until(journal, 20, f"the end of {run}")
    return tuple([x for x in events if x.get("event") == name] for name in ("LinkStarted", "LinkEnded"))  # type: ignore[return-value]


@pytest.mark.parametrize("linker", ["mold", "lld"])
def test_a_link_of_clang_is_seen_with_its_unit_and_its_memory(deck: Deck, linker: str) -> None:
    folder = deck.folder + "/work"
    write_chain(folder, crates=1, functions=400)
    config = f'[target.{TARGET}]\nlinker = "clang"\nrustflags = ["-Clink-arg=-fuse-ld={linker}"]\n'
    write_files(folder, {".cargo/config.toml": config})
    assert deck.run("build", "--agent", "a", cwd=folder).returncode == 0
    begun, ended = links_of(deck, deck.runs()[-1])
    assert [(link["unit"], link["linker"], link["is_sampled"]) for link in begun] == [("link0(bin)", linker, True)]
    (end,) = ended
    assert 10_000_000 < end["peak_bytes"] < 1_000_000_000
    assert end["output_bytes"] == os.path.getsize(end["output"])
    assert end["input_bytes"] > 1_000_000


def test_a_link_that_a_front_tells_is_not_told_twice(deck: Deck) -> None:
    folder = deck.folder + "/work"
    write_chain(folder, crates=1, functions=400)
    assert deck.run("build", "--agent", "a", cwd=folder).returncode == 0
    begun, ended = links_of(deck, deck.runs()[-1])
    assert [(link["unit"], link["is_sampled"]) for link in begun] == [("link0(bin)", False)]
    assert len(ended) == 1


def test_a_link_of_make_is_seen(deck: Deck) -> None:
    folder = deck.folder + "/work"
    files = {f"f{n}.c": f"char v{n}[40000000] = {{1}};\n" for n in range(2)}  # compiled at once, linked in 0.2 s
    files["main.c"] = "int main(void) { return 0; }\n"
    objects = " ".join(name.replace(".c", ".o") for name in files)
    files["Makefile"] = f"all: {objects}\n\tcc {objects} -o tool\n%.o: %.c\n\tcc -c $< -o $@\n"
    write_files(folder, files)
    assert deck.run("exec", "--agent", "a", "--", "make", cwd=folder).returncode == 0
    begun, ended = links_of(deck, deck.runs()[-1])
    assert [(Path(link["output"]).name, link["linker"], link["inputs"]) for link in begun] == [("tool", "bfd", 3)]
    assert ended[0]["peak_bytes"] > 5_000_000
