"""What may make a call of nvcc shorter, and how that is measured."""

import json
import os
from pathlib import Path

import pytest

from core.errors import StateError, UsageError
from core.native.edits import lever_figures
from core.native.edits.lever_figures import FEWEST, Figure, Measurement, noise_of, read, verdict_of
from core.native.edits.lever_trials import make_plan, measure
from core.native.edits.levers import AS_IS, CONTROL, levers_of, parallel_levers, redirected
from core.paths import Paths

_TWO = (
    "-gencode",
    "arch=compute_80,code=sm_80",
    "--generate-code=arch=compute_90,code=sm_90",
    "-c",
    "k.cu",
    "-o",
    "k.o",
)


def named(argv: tuple[str, ...], archs: tuple[str, ...], arch: str = "") -> dict[str, tuple[str, ...]]:
    return {lever.name: lever.argv for lever in levers_of(argv, archs, 4, arch)}


def test_a_call_for_several_architectures_can_have_one_threads_and_a_cubin() -> None:
    found = named(_TWO, ("sm_80", "sm_90"))
    assert found == {
        AS_IS: _TWO,
        CONTROL: _TWO,
        "one arch: sm_90": ("-c", "k.cu", "-o", "k.o", "-arch=sm_90"),
        "--threads=2": (*_TWO, "--threads=2"),
        "--split-compile=4": (*_TWO, "--split-compile=4"),
        "-cubin, sm_90": ("-cubin", "k.cu", "-o", "k.o", "-arch=sm_90"),
    }


def test_the_gpu_at_hand_counts_more_than_the_newest_that_is_named() -> None:
    assert "one arch: sm_80" in named(_TWO, ("sm_80", "sm_90"), "sm_80")
    assert "one arch: sm_100" in named(_TWO, ("sm_90", "sm_100", "sm_80"))


def test_what_a_call_has_already_is_no_lever() -> None:
    argv = ("-arch=sm_90", "-t", "2", "-split-compile=2", "-ptx", "k.cu")
    assert list(named(argv, ("sm_90",))) == [AS_IS, CONTROL]
    assert list(named((*_TWO, "-t=0", "--split-compile", "2"), ("sm_80", "sm_90"))) == [
        AS_IS, CONTROL, "one arch: sm_90", "-cubin, sm_90",
    ]  # fmt: skip


def test_debug_information_can_be_left_out() -> None:
    found = named(("-c", "k.cu", "-G", "-lineinfo", "-g", "-t", "1", "--split-compile=1"), ())
    assert found["without -G"] == ("-c", "k.cu", "-lineinfo", "-g", "-t", "1", "--split-compile=1")
    assert {"without -G", "without -lineinfo", "without -g"} < found.keys()


def test_several_calls_of_a_build_can_be_made_at_once() -> None:
    calls = [("-c", f"{name}.cu") for name in "abcdef"]
    one, again, parallel = parallel_levers(calls, 3)
    assert (one.argv, one.jobs, len(one.more)) == (("-c", "a.cu"), 1, 3)
    assert (again.argv, again.jobs) == (one.argv, 1)
    assert (parallel.name, parallel.jobs) == ("4 calls, 3 at once", 3)
    assert parallel_levers(calls[:1], 3) == parallel_levers(calls, 1) == ()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("-c", "k.cu", "-o", "/out/k.o"), ("-c", "k.cu", "-o", "/s/k.o")),
        (("-c", "k.cu", "--output-file=/out/k.o"), ("-c", "k.cu", "--output-file=/s/k.o")),
        (("--ptx", "--output-directory", "/out", "k.cu"), ("--ptx", "--output-directory", "/s", "k.cu")),
        (("-c", "k.cu"), ("-c", "k.cu", "-odir", "/s")),
        (("-c", "k.cu", "-MD", "-MF", "d/k.d", "-o", "k.o"), ("-c", "k.cu", "-MD", "-MF", "/s/k.d", "-o", "/s/k.o")),
        (("-keep", "-keep-dir", "x", "-c", "k.cu"), ("-keep-dir", "/s", "-c", "k.cu", "-odir", "/s")),
        (("--time", "t.csv", "-fdevice-time-trace", "t", "-o", "k"), ("--time", "/s/t.csv", "-o", "/s/k")),
        (("-c", "k.cu", "-o"), ("-c", "k.cu", "-o", "/s/out")),
        ((), ("-odir", "/s")),
    ],
)  # fmt: skip
def test_a_repeated_call_writes_into_the_scratch_folder_alone(argv: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert redirected(argv, "/s") == expected


# Verdicts


def test_a_lever_is_told_only_beyond_the_noise_of_the_same_call() -> None:
    quiet, loud = noise_of([1.0, 1.01, 0.99, 1.0, 1.0]), noise_of([0.7, 1.3, 1.0, 0.8, 1.4])
    assert (quiet < 0.02, loud > 0.3) == (True, True)
    better = [0.8, 0.81, 0.79, 0.8, 0.82]
    assert (verdict_of(better, quiet), verdict_of(better, loud)) == ("faster", "within noise")
    assert verdict_of([1.2, 1.21, 1.3, 1.2, 1.25], quiet) == "slower"
    assert verdict_of([0.99, 0.98, 0.985, 0.99, 0.98], 0.0) == "within noise", "a hundredth is not worth a word"
    assert verdict_of([0.5] * (FEWEST - 1), 0.0) == "too few rounds"


# Trials with a script in the place of nvcc

_FAKE = """#!/bin/sh
if [ "$1" = --version ]; then echo "Cuda compilation tools, release 13.0, V13.0.88"; exit 0; fi
printf '%s|%s\\n' "$PWD" "$*" >> "$CALLS"
case "$*" in *-cubin*) echo "no such thing" >&2; echo "error: not today" >&2; exit 3 ;; esac
out=
while [ $# -gt 0 ]; do case "$1" in -o) out=$2; shift ;; esac; shift; done
echo code > "$out"
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A user's state with one run, in which a source was compiled by a script."""
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    tool = tmp_path / "cuda/bin/nvcc"
    tool.parent.mkdir(parents=True)
    tool.write_text(_FAKE)
    tool.chmod(0o755)
    (tmp_path / "w").mkdir()
    (tmp_path / "w/k.cu").write_text("kernel")
    note(paths, tmp_path, "r1", list(_TWO))
    return paths


def note(paths: Paths, root: Path, run: str, argv: list[str], source: str = "k.cu", code: int = 0) -> None:
    """Have a run whose front noted such a call."""
    folder = Path(paths.run(run), "fronts")
    folder.mkdir(parents=True, exist_ok=True)
    env = {"PATH": os.environ["PATH"], "CALLS": str(root / "calls"), "SECRET_KEY": None, "DECK_RUN": "x"}
    Path(paths.run(run), "run.json").write_text(json.dumps({"env": env}))
    begun = {"nvcc": f"{run}-{source}", "at": 1.0, "pid": 1, "parent": 1, "cwd": str(root / "w"), "argv": argv,
             "tool": str(root / "cuda/bin/nvcc"), "sources": [str(root / "w" / source)], "output": None,
             "kind": "object", "archs": ["sm_80", "sm_90"]}  # fmt: skip
    ended = {"end": f"{run}-{source}", "elapsed_s": 1.0, "user_s": 1, "sys_s": 0, "peak_bytes": 1, "code": code,
             "signal": None, "output_bytes": 1, "verdict": "miss", "why": ""}  # fmt: skip
    with (folder / "nvcc.jsonl").open("a") as file:
        file.write(json.dumps(begun) + "\n" + json.dumps(ended) + "\n")


def test_each_round_has_all_levers_and_nothing_is_written_beside_the_scratch_folder(
    paths: Paths, tmp_path: Path
) -> None:
    before = sorted(os.listdir(tmp_path / "w"))
    plan = make_plan(paths, str(tmp_path / "w/k.cu"), env=dict(os.environ), cores=2)
    assert plan.version == "13.0.88"
    said: list[str] = []
    found = measure(paths, plan, FEWEST, lambda: 5.0, said.append)
    assert len(said) == FEWEST
    assert sorted(os.listdir(tmp_path / "w")) == before
    assert not os.path.exists(paths.cache + "/measure/levers")
    by_name = {figure.lever: figure for figure in found.figures}
    assert list(by_name) == [
        AS_IS, CONTROL, "one arch: sm_90", "--threads=2", "--split-compile=2", "-cubin, sm_90",
    ]  # fmt: skip
    assert by_name["-cubin, sm_90"].trouble == "exit 3: error: not today"
    assert (by_name[AS_IS].ratio, by_name[AS_IS].output_bytes) == (None, 5)
    assert by_name["--threads=2"].ratio is not None
    calls = (tmp_path / "calls").read_text().splitlines()
    assert {line.partition("|")[0] for line in calls} == {str(tmp_path / "w")}
    assert sum("--threads=2" in line for line in calls) == FEWEST
    assert sum("-cubin" in line for line in calls) == 1, "what fails once is not tried again"
    assert read(paths) == (found,)


def test_where_the_call_as_it_is_fails_now_and_then_nothing_is_said_to_be_faster(paths: Paths, tmp_path: Path) -> None:
    tool = tmp_path / "cuda/bin/nvcc"
    luck = 'if [ $(wc -l < "$CALLS") -gt 9 ]; then echo "out of luck"; exit 9; fi\nout=\n'
    tool.write_text(_FAKE.replace("out=\n", luck, 1))
    plan = make_plan(paths, str(tmp_path / "w/k.cu"), env=dict(os.environ), cores=2)
    with pytest.raises(StateError, match=r"not always compiled as it was: exit 9: out of luck"):
        measure(paths, plan, FEWEST, lambda: 5.0, lambda said: None)
    assert read(paths) == ()


def test_with_other_sources_of_the_same_build_several_at_once_are_measured_too(paths: Paths, tmp_path: Path) -> None:
    note(paths, tmp_path, "r1", ["-c", "b.cu", "-o", "b.o"], source="b.cu")
    plan = make_plan(paths, str(tmp_path / "w/k.cu"), env=dict(os.environ), cores=2)
    found = measure(paths, plan, FEWEST, lambda: 5.0, lambda said: None)
    last = found.figures[-1]
    assert (last.lever, last.trouble, last.output_bytes) == ("2 calls, 2 at once", "", 10)


def test_the_last_call_that_went_well_is_the_one_that_counts(paths: Paths, tmp_path: Path) -> None:
    note(paths, tmp_path, "r2", ["-c", "k.cu", "-o", "new.o"])
    note(paths, tmp_path, "r3", ["-c", "k.cu", "-o", "broken.o"], code=2)
    plan = make_plan(paths, str(tmp_path / "w/k.cu"), env={}, cores=2)
    assert plan.call.argv[-1] == "new.o"
    assert "DECK_RUN" not in plan.env


def test_what_cannot_be_repeated_is_refused(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no call of nvcc that compiled .*x\.cu is known"):
        make_plan(paths, str(tmp_path / "w/x.cu"), env={}, cores=2)
    note(paths, tmp_path, "r2", ["-c", "k.cu", "-DTOKEN=***", "-o", "k.o"])
    with pytest.raises(UsageError, match="credential"):
        make_plan(paths, str(tmp_path / "w/k.cu"), env={}, cores=2)
    note(paths, tmp_path, "r3", ["-c", "k.cu", "-o", "k.o"])
    (tmp_path / "cuda/bin/nvcc").unlink()
    with pytest.raises(UsageError, match="not there any more"):
        make_plan(paths, str(tmp_path / "w/k.cu"), env={}, cores=2)


def test_a_source_that_is_not_compiled_any_more_ends_it_and_leaves_nothing(paths: Paths, tmp_path: Path) -> None:
    note(paths, tmp_path, "r2", ["-cubin", "k.cu", "-o", "k.o"])
    plan = make_plan(paths, str(tmp_path / "w/k.cu"), env={}, cores=2)
    with pytest.raises(StateError, match="not compiled as it was: exit 3: error: not today"):
        measure(paths, plan, FEWEST, lambda: 5.0, lambda said: None)
    assert not os.path.exists(paths.cache + "/measure/levers")
    assert read(paths) == ()


def test_two_do_not_measure_at_once(paths: Paths, tmp_path: Path) -> None:
    import fcntl

    plan = make_plan(paths, str(tmp_path / "w/k.cu"), env={}, cores=2)
    os.makedirs(paths.cache + "/measure")
    with open(paths.cache + "/measure/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="measured already"):
            measure(paths, plan, FEWEST, lambda: 5.0, lambda said: None)


# What is kept


def test_of_each_source_and_version_the_last_measurement_counts_and_damaged_lines_none(paths: Paths) -> None:
    figure = Figure(AS_IS, "", 1.0, None, None, None, "", 1, 1)
    ones = [
        Measurement(at, source, version, 2, 5, 0.1, (figure,))
        for at, source, version in (
            (1.0, "/a.cu", "13.0"),
            (2.0, "/b.cu", "13.0"),
            (3.0, "/a.cu", "13.0"),
            (4.0, "/a.cu", "13.1"),
        )
    ]
    for one in ones:
        lever_figures.append(paths, one)
    with open(lever_figures.path_of(paths), "ab") as file:
        file.write(b'{"schema": 9}\n[]\n{"schema": 1, "figures": [{"lever": 5}]}\n\xff\n{"schema": 1')
    assert read(paths) == (ones[1], ones[2], ones[3])
    os.unlink(lever_figures.path_of(paths))
    os.mkdir(lever_figures.path_of(paths))
    assert read(paths) == ()
