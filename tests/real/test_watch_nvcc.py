"""A watch, and what makes nvcc faster, with a real nvcc, which needs no GPU."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.native.traces.nvcc_calls import calls_of_run
from core.paths import Paths
from tests.real.product import Deck, gone_after_s, marked, until
from tests.real.test_watch import Watched

pytestmark = pytest.mark.long

_BUILD = """use std::process::Command;
fn main() {
    println!("cargo:rerun-if-changed=kernels");
    let out = std::env::var("OUT_DIR").unwrap();
    for name in ["a", "b"] {
        let words = ["-c", "-gencode", "arch=compute_80,code=sm_80", "-gencode", "arch=compute_90,code=sm_90"];
        let mut nvcc = Command::new("nvcc");
        nvcc.args(words).arg(format!("kernels/{name}.cu")).arg("-o").arg(format!("{out}/{name}.o"));
        assert!(nvcc.status().unwrap().success());
    }
}
"""
_FILES = {
    "Cargo.toml": '[package]\nname = "kernels"\nversion = "1.0.0"\nedition = "2021"\n',
    "src/main.rs": "fn main() {}\n",
    "build.rs": _BUILD,
    "kernels/a.cu": '#include "n.cuh"\n#include "../../shared/far.cuh"\n'
                    "__global__ void a(float *all) { all[threadIdx.x] += N + FAR; }\n",
    "kernels/b.cu": '#include "n.cuh"\n__global__ void b(float *all) { all[threadIdx.x] *= N; }\n',
    "kernels/n.cuh": "#define N 2\n",
    "../shared/far.cuh": "#define FAR 3\n",
}  # fmt: skip


@pytest.fixture
def package(deck: Deck) -> Path:
    """A package whose build script has nvcc compile two kernels, one of which includes a header that cargo is not told
    of."""
    root = Path(deck.folder, "package")
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def watch(deck: Deck, package: Path, nvcc: str) -> Iterator[Watched]:
    """A watch of it, whose first build is over."""
    env = {"PATH": f"{deck.env['PATH']}:{nvcc}", "MARKER": "deck-watch-nvcc"}
    one = Watched(deck, package, env=env)
    assert one.next("ended", limit_s=300)["code"] == 0
    one.next("watching")
    yield one
    one.child.kill()
    one.child.wait()


def test_a_saved_kernel_is_timed_by_phase_and_a_touched_header_starts_nothing(package: Path, watch: Watched) -> None:
    (package / "kernels/n.cuh").touch()
    (package / "kernels/a.cu").write_text(_FILES["kernels/a.cu"] + "// saved\n")
    built = watch.next("ended", limit_s=300)
    assert (built["class"], built["changed"], built["code"]) == ("cu", [str(package / "kernels/a.cu")], 0)
    assert {"cicc", "ptxas", "cudafe++", "host compiler", "rustc", "link"} <= built["phases"].keys()
    assert built["nvcc_calls"] == 2
    assert sum(built["phases"].values()) == pytest.approx(built["wall_s"], abs=0.05)
    watch.next("watching")
    (package / "kernels/n.cuh").write_text("#define N 4\n")
    built = watch.next("ended", limit_s=300)
    assert (built["class"], built["nvcc_calls"]) == ("header", 2)
    starts = [one for one in watch.events() if one["event"] == "started"]
    assert len(starts) == 3


def ends(deck: Deck, run: str) -> list[tuple[str, str, int]]:
    """Output, why it was no hit, and exit code, of each call of a run."""
    calls = calls_of_run(Paths(deck.state, ""), run)
    return [(Path(call.output).name, call.why, -1 if call.code is None else call.code) for call in calls if call.makes]


def test_what_was_saved_is_compiled_before_the_build_script_asks_for_it(
    deck: Deck, package: Path, watch: Watched
) -> None:
    source = package / "kernels/a.cu"
    early = f"{source} has changed; begun with the save"
    source.write_text(_FILES["kernels/a.cu"].replace("N + FAR", "N - FAR"))
    built = watch.next("ended", limit_s=300)
    assert (built["code"], built["nvcc_calls"], built["nvcc_hits"]) == (0, 2, 1)
    assert ends(deck, built["run"]) == [("a.o", early, 0), ("b.o", "", 0)]
    assert sum(built["phases"].values()) == pytest.approx(built["wall_s"], abs=0.05)
    until(lambda: kernels_of(deck, built["run"]) >= {("a", "sm_80"), ("a", "sm_90")}, 60, "its kernels")
    (out,) = package.glob("target/debug/build/kernels-*/out")
    made = (out / "a.o").read_bytes()
    watch.next("watching")
    source.write_text(_FILES["kernels/a.cu"].replace("N + FAR", "N - WRONG"))
    failed = watch.next("ended", limit_s=300)
    assert failed["code"] != 0
    assert ends(deck, failed["run"]) == [("a.o", early, 2)]
    assert log_of(deck, failed["run"]).count('identifier "WRONG" is undefined') == 1
    watch.next("watching")
    source.write_text(_FILES["kernels/a.cu"].replace("N + FAR", "N * FAR"))
    assert watch.next("ended", limit_s=300)["code"] == 0
    plain = subprocess.run(
        [*_plain_words(deck, built["run"])[:-1], out / "plain.o"], cwd=package, check=True, capture_output=True
    )
    assert plain.returncode == 0
    assert made != (out / "a.o").read_bytes()
    assert masked(out / "a.o") == masked(out / "plain.o")


def kernels_of(deck: Deck, run: str) -> set[tuple[str, str]]:
    found = deck.json("kernels", "--json", run)["kernels"]
    return {(one["kernel"], one["arch"]) for one in found}


def log_of(deck: Deck, run: str) -> str:
    return Path(Paths(deck.state, "").run(run), "out.log").read_text()


def _plain_words(deck: Deck, run: str) -> list[str]:
    (call,) = [one for one in calls_of_run(Paths(deck.state, ""), run) if one.output.endswith("a.o")]
    return [call.tool, *call.argv]


def masked(path: Path) -> bytes:
    """Without the names of temporary files."""
    return re.sub(rb"tmpxft_[0-9a-f]{8}_[0-9a-f]{8}-\d+_", b"", path.read_bytes())


def test_a_header_that_cargo_is_not_told_of_starts_a_build_and_that_it_did_nothing_is_said(
    deck: Deck, package: Path, watch: Watched
) -> None:
    far = package.parent / "shared/far.cuh"
    far.write_text("#define FAR 4\n")
    built = watch.next("ended", limit_s=300)
    assert (built["class"], built["changed"], built["nvcc_calls"]) == ("header", [str(far)], None)
    assert f"{far} was read by nvcc before" in watch.next("notice")["text"]
    until(lambda: deck.json("iterations", "--json", cwd=str(package))["iterations"], 30, "the iteration")
    kept = deck.json("iterations", "--json", cwd=str(package))["iterations"]
    assert kept[-1]["unseen"] == [str(far)]


def test_a_save_while_nvcc_compiles_leaves_nothing_of_it(deck: Deck, package: Path, watch: Watched) -> None:
    (package / "kernels/a.cu").write_text(_FILES["kernels/a.cu"] + "// one\n")
    started = watch.next("started", limit_s=60)
    until(lambda: any("cicc" in one.argv[0] or "cudafe" in one.argv[0] for one in marked("MARKER=deck-watch-nvcc")), 60,
          "a tool of nvcc")  # fmt: skip
    (package / "kernels/b.cu").write_text(_FILES["kernels/b.cu"] + "// two\n")
    stopped = watch.next("ended", limit_s=60)
    assert (stopped["run"], stopped["is_cancelled"]) == (started["run"], True)
    built = watch.next("ended", limit_s=300)
    assert (built["class"], built["code"]) == ("several", 0)
    assert watch.interrupt() == 0
    assert gone_after_s("MARKER=deck-watch-nvcc", 5, (deck.engine(),))[1] == []


def test_levers_are_measured_on_the_call_that_was_recorded(deck: Deck, package: Path, nvcc: str) -> None:
    env = {"PATH": f"{deck.env['PATH']}:{nvcc}"}
    assert deck.run("build", cwd=str(package), env=env, timeout_s=300).returncode == 0
    before = sorted(str(path) for path in package.rglob("*"))
    done = deck.run("iterations", "--levers", "kernels/a.cu", "--rounds", "5", "--json", cwd=str(package), env=env,
                    timeout_s=600)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["schema"], found["version"]) == ("cargo-deck/levers", 1)
    assert (found["nvcc"][:3], found["source"]) == ("13.", str(package / "kernels/a.cu"))
    figures = {one["lever"]: one for one in found["figures"]}
    assert figures["-cubin, sm_90"]["verdict"] == "faster"
    assert figures["one arch: sm_90"]["ratio"] < 1
    assert figures["2 calls, 2 at once"]["trouble"] == ""
    assert all(not one["trouble"] for one in found["figures"])
    assert sorted(str(path) for path in package.rglob("*")) == before
    assert "measured here" in deck.run("iterations", cwd=str(package)).stdout
