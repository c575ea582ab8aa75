"""The sample's CUDA members with an nvcc that needs no GPU: what an edit compiles again, and the demo of it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from core import sample
from tests.real.product import Deck

pytestmark = pytest.mark.long

_LOG = "nvcc-calls"


class Checkout:
    """A checkout with CUDA, and a front before nvcc that notes which files it compiles."""

    def __init__(self, deck: Deck, nvcc: str) -> None:
        self.root = Path(deck.folder, "ws")
        sample.write_shared(f"{deck.folder}/shared")
        sample.write_checkout(str(self.root), f"{deck.folder}/shared", has_cuda=True)
        self.calls_at = Path(deck.folder, _LOG)
        front = Path(deck.folder, "front")
        front.mkdir()
        (front / "nvcc").write_text(f'#!/bin/sh\necho "$*" >>{self.calls_at}\nexec {nvcc}/nvcc "$@"\n')
        (front / "nvcc").chmod(0o755)
        self.env = {"PATH": f"{front}:{deck.env['PATH']}", "CUDACXX": f"{nvcc}/nvcc"}
        self._deck = deck

    def build(self, name: str, **env: str) -> tuple[list[str], str]:
        """Files that nvcc compiled, and what CMake's ninja did; the build goes well."""
        self.calls_at.write_text("")
        done = self._deck.run("build", "-vv", "-p", name, cwd=str(self.root), env={**self.env, **env}, timeout_s=600)
        assert done.returncode == 0, done.stderr
        calls = re.findall(r"kernels/(\w+)\.cu\b", self.calls_at.read_text())
        return calls, done.stdout + done.stderr

    def edit(self, name: str, before: str, after: str) -> None:
        path = self.root / "crates" / name
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))


@pytest.fixture
def checkout(deck: Deck, nvcc: str) -> Checkout:
    return Checkout(deck, nvcc)


def test_an_edit_compiles_the_kernels_that_read_the_file_and_no_other(checkout: Checkout) -> None:
    name, kernels = "orchard-kernels", "orchard-kernels/kernels"
    assert checkout.build(name)[0] == ["frost", "rain"]
    assert checkout.build(name)[0] == []
    checkout.edit(f"{kernels}/frost.cu", "TILE = 16", "TILE = 8")
    assert checkout.build(name)[0] == ["frost"]
    checkout.edit(f"{kernels}/cell.cuh", "13.12f", "13.13f")
    assert checkout.build(name)[0] == ["frost"]
    checkout.edit(f"{kernels}/units.cuh", "1.5f", "1.25f")
    assert checkout.build(name)[0] == ["frost", "rain"]
    checkout.edit(f"{kernels}/hopper.cuh", "= 4", "= 8")
    assert checkout.build(name)[0] == ["rain"]
    (checkout.root / "crates" / kernels / "hail.cu").write_text('extern "C" __global__ void hail() {}\n')
    assert checkout.build(name)[0] == ["hail"]
    assert checkout.build(name, ORCHARD_ARCHS="80")[0] == ["frost", "hail", "rain"]
    assert checkout.build(name, ORCHARD_ARCHS="80")[0] == []


def test_cmake_and_ninja_make_again_what_an_edit_reaches(checkout: Checkout) -> None:
    def built() -> set[str]:
        return set(re.findall(r"orchard_grid\.dir/(\w+\.\w+)\.o\b", checkout.build("orchard-grid")[1]))

    assert built() == {"diffuse.cu", "drain.cu", "shape.cpp"}
    native = "orchard-grid/native"
    checkout.edit(f"{native}/grid/stencil.cuh", "0.25f", "0.24f")
    assert built() == {"diffuse.cu"}
    checkout.edit(f"{native}/drain.cu", "1.0f - share", "0.99f - share")
    assert built() == {"drain.cu"}
    checkout.edit(f"{native}/grid/shape.h", "return shape.width", "return 1 * shape.width")
    assert built() == {"diffuse.cu", "drain.cu", "shape.cpp"}
    (checkout.root / "crates" / native / "hail.cu").write_text("__global__ void hail() {}\n")
    assert built() == {"hail.cu"}


def test_the_native_library_is_linked_and_called(checkout: Checkout, deck: Deck) -> None:
    done = deck.run("test", "-p", "orchard-grid", "-p", "orchard-kernels", "--lib", cwd=str(checkout.root),
                    env=checkout.env, timeout_s=600)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test result: ok") == 2
    libraries = list(checkout.root.glob("target/debug/build/orchard-grid-*/out/build/liborchard_grid.a"))
    assert len(libraries) == 1


def runs_of(deck: Deck, agent: str) -> list[Mapping[str, object]]:
    return [run for run in deck.json("ps", "--json", "--all")["runs"] if run["agent"] == agent]


def test_the_demo_has_an_agent_that_builds_kernels_and_edits_one(deck: Deck, nvcc: str) -> None:
    done = deck.run("demo", env={"PATH": f"{nvcc}:{deck.env['PATH']}"}, timeout_s=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "As planned" in done.stdout
    first, second = sorted(runs_of(deck, "kernels"), key=lambda run: str(run["run"]))
    assert (first["state"], second["state"]) == ("done", "done")
    (checkout,) = Path(deck.folder, "cache", "cargo-deck", "demo").glob("*/kernels")
    assert "1.25f" in (checkout / sample.KERNEL_HEADER).read_text()
    deck.run("cache", "stop")
