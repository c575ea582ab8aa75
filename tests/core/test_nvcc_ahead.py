"""Calls of nvcc that are begun with a save: the build's own call takes up what they make, or makes it anew."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.native.edits.calls_ahead import CallsAhead, calls_as_now
from core.native.traces.nvcc_calls import NvccCall, read_calls
from core.paths import Paths
from core.run.nvcc_front import AHEAD
from tests.core.runs import until
from tests.nvcc_world import SOURCE, World, build_stub, make_world, settle

WORDS = ("-c", "-arch=sm_80", "-Iearly", "-Iinc", "src/k.cu", "-o", "k.o")


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_stub(tmp_path_factory.mktemp("stub"))


@pytest.fixture
def world(tmp_path: Path, stub: Path) -> World:
    """With a call that is known."""
    world = make_world(tmp_path, stub)
    assert world.call(*WORDS).verdict == "miss"
    return world


@pytest.fixture
def begin(world: World) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Begins the calls of these words ahead, by what was noted of them; without words, that of `WORDS`."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(*words: str, env: dict[str, str] | None = None, is_orphaned: bool = False) -> "subprocess.Popen[bytes]":
        settle()
        (call,) = [one for one in noted(world) if one.argv == (words or WORDS)][-1:]
        launcher = Path(world.front).parents[1] / "launch/launch"
        whole = {**world.env, **dict(call.env or ()), AHEAD: "1", **(env or {})}
        argv = [str(launcher), call.tool, *call.argv]
        if is_orphaned:
            argv = ["sh", "-c", '"$@" & wait', "sh", *argv]
        silent = subprocess.DEVNULL
        begun.append(subprocess.Popen(argv, cwd=call.cwd, env=whole, stdin=silent, stdout=silent, stderr=silent))
        return begun[-1]

    yield start
    for one in begun:
        one.kill()
        one.wait()


def noted(world: World) -> tuple[NvccCall, ...]:
    return read_calls((world.folder / "notes/nvcc.jsonl").read_bytes())


def ahead(world: World, name: str) -> list[Path]:
    """Files of this name of calls that are made ahead."""
    return list((world.folder / "notes/ahead").glob(f"*/{name}"))


def is_ready(world: World) -> bool:
    """What is made ahead is in the cache."""
    return any(subprocess.run(["flock", "-n", path, "true"], check=False).returncode == 0
               for path in ahead(world, "kept"))  # fmt: skip


def run(world: World, *words: str) -> "subprocess.Popen[str]":
    """The build's own call, under way."""
    env = {**world.env, "PATH": f"{world.front}:{world.env['PATH']}"}
    return subprocess.Popen(["nvcc", *(words or WORDS)], executable=world.front + "/nvcc", cwd=world.root, env=env,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)  # fmt: skip


def notes(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (world.folder / "notes/nvcc.jsonl").read_text().splitlines()]


def ended(world: World, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """The note of the end of a call that was made ahead and taken up."""
    assert process.wait(20) == 0
    note = world.ended()
    assert note["taken_s"] >= note["elapsed_s"] > 0
    return note


def hold(world: World, text: str = "") -> Path:
    """Save a source whose compilation waits until this file is there."""
    flag = world.folder / "flag"
    world.write("src/k.cu", f"{SOURCE}{text}DURING while [ ! -e {flag} ]; do sleep 0.01; done\n")
    return flag


def begun(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"], text: str = "", *, is_early: bool
) -> tuple["subprocess.Popen[bytes]", Path]:
    """What makes a call ahead, and the file that it waits for; unless `is_early`, that is there, and the call made."""
    flag = hold(world, text)
    process = begin()
    until(lambda: world.compiled() == 2, "nvcc")
    if not is_early:
        flag.touch()
        until(lambda: is_ready(world), "the end of it")
    return process, flag


@pytest.mark.parametrize("is_early", [True, False], ids=["while it is made", "once it is made"])
def test_what_was_begun_ahead_is_taken_up_and_noted_once(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"], is_early: bool
) -> None:
    process, flag = begun(world, begin, "more\n", is_early=is_early)
    own = run(world)
    flag.touch()
    assert (own.wait(20), own.communicate()) == (0, ("", ""))
    note = ended(world, process)
    assert (note["verdict"], note["code"], world.compiled()) == ("miss", 0, 2)
    assert note["why"] == f"{world.root}/src/k.cu has changed; begun with the save"
    assert note["output_bytes"] == (world.root / "k.o").stat().st_size
    assert "more\n" in (world.root / "k.o").read_text()
    assert (len(noted(world)), ahead(world, "*")) == (2, [])
    assert world.call(*WORDS).verdict == "hit"


def test_output_and_depfile_are_those_of_the_call_itself(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    for words in ((*WORDS, "-MD", "-MF", "k.d"), (*WORDS, "-MD", "-MF", "k.d", "-MT", "named"), (*WORDS, "-MD")):
        assert world.call(*words).code == 0
        world.write("src/near.cuh", f"near {len(words)}\n")
        process = begin(*words)
        until(lambda: is_ready(world), "the end of it")
        assert world.call(*words).code == 0
        assert ended(world, process)["why"].endswith("begun with the save")
        made = (world.root / "k.o").read_text(), (world.root / "k.d").read_text()
        (world.root / "k.o").unlink()
        env = {"DECK_NVCC_CACHE": "off"}
        assert world.call(*words, env=env).verdict == "off"
        plain = (world.root / "k.o").read_text(), (world.root / "k.d").read_text()
        assert (made[0].split("tmpxft")[0], made[1]) == (plain[0].split("tmpxft")[0], plain[1])


def test_another_call_is_not_answered_by_it(world: World, begin: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    world.write("src/k.cu", SOURCE + "more\n")
    begin()
    until(lambda: is_ready(world), "the end of it")
    other = world.call("-c", "-arch=sm_90", *WORDS[2:])
    assert (other.verdict, other.code, world.compiled(), len(ahead(world, "busy"))) == ("miss", 0, 3, 1)


@pytest.mark.parametrize("is_early", [True, False], ids=["while it is made", "once it is made"])
def test_what_changed_meanwhile_is_compiled_anew(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"], is_early: bool
) -> None:
    _, flag = begun(world, begin, is_early=is_early)
    settle()
    world.write("early/lib/far.cuh", "other\n")  # it is found before the one that was read
    settle()
    own = run(world)
    flag.touch()
    assert own.wait(20) == 0
    own.communicate()
    assert world.compiled() == 3
    assert "other\n" in (world.root / "k.o").read_text()


def test_a_failure_is_that_of_the_call_itself(world: World, begin: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    world.write("src/k.cu", SOURCE + "FAIL\n")
    process = begin()
    until(lambda: is_ready(world), "the end of it")
    own = run(world)
    assert own.wait(20) == 2
    own.communicate()
    assert process.wait(20) == 0
    assert [call.code for call in noted(world)] == [0, 2], "what was of no use is told of by nobody"
    assert ahead(world, "*") == []


@pytest.mark.parametrize("is_early", [True, False], ids=["while it is made", "once it is made"])
def test_what_was_printed_comes_out_where_it_belongs(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"], is_early: bool
) -> None:
    process, flag = begun(world, begin, "WARN\n", is_early=is_early)
    own = run(world)
    until(lambda: not is_early or waits(world, own.pid), "its wait")
    flag.touch()
    assert own.communicate() == ("told\n", "src/k.cu(1): warning\n")
    assert (own.wait(20), world.compiled()) == (0, 2)
    assert process.wait(20) == 0
    again = world.call(*WORDS)
    assert (again.stdout, again.stderr) == ("told\n", "src/k.cu(1): warning\n")


@pytest.mark.parametrize("what", ["outputs", "PATH", "TMPDIR"])
def test_only_the_very_same_call_takes_it_up(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"], what: str
) -> None:
    (world.folder / "more").mkdir()
    flag = hold(world)
    begin()
    until(lambda: world.compiled() == 2, "nvcc")
    flag.touch()
    paths = {"PATH": f"{world.front}:{world.env['PATH']}:{world.folder}/more", "TMPDIR": f"{world.folder}/more"}
    words = (*WORDS[:-1], "early/k.o") if what == "outputs" else WORDS
    assert world.call(*words, env={what: paths[what]} if what in paths else None).code == 0
    assert len(ahead(world, "busy")) == 1


def test_nobody_waits_for_ever_to_be_asked(world: World, begin: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    world.write("src/k.cu", SOURCE + "more\n")
    process = begin(is_orphaned=True)
    until(lambda: is_ready(world), "the end of it")
    process.kill()
    until(lambda: ahead(world, "*") == [], "its end")
    assert [call.code for call in noted(world)] == [0]


def test_where_there_is_an_answer_nothing_is_begun(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    before = len(notes(world))
    assert begin().wait(20) == 0
    assert (world.compiled(), len(notes(world)), ahead(world, "*")) == (1, before, [])


def test_what_cannot_be_made_elsewhere_is_not_begun(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    kinds: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (WORDS[:-2], {}), (("-G", *WORDS), {}), (WORDS, {"DECK_NVCC_VERIFY": "1"}), (WORDS, {"DECK_NVCC_CACHE": "off"}),
    ]  # fmt: skip
    for words, env in kinds:
        world.call(*words)
        world.write("src/k.cu", f"{SOURCE}{words} {env}\n")
        before = world.compiled()
        assert begin(*words, env=env).wait(20) == 0
        assert world.compiled() == before


def test_a_call_goes_on_by_itself_where_what_it_waits_for_is_killed(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    flag = hold(world)
    process = begin()
    until(lambda: world.compiled() == 2, "nvcc")
    own = run(world)
    until(lambda: waits(world, own.pid), "its wait")
    process.kill()
    flag.touch()
    assert own.wait(20) == 0
    own.communicate()
    assert (world.compiled(), world.ended()["verdict"]) == (3, "miss")


def waits(world: World, pid: int) -> bool:
    """A call has come to what is made ahead."""
    (busy,) = ahead(world, "busy")
    return any(os.path.realpath(f"/proc/{pid}/fd/{fd}") == str(busy) for fd in os.listdir(f"/proc/{pid}/fd"))


def test_a_call_that_waits_ends_when_it_is_asked_to(
    world: World, begin: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    flag = hold(world)
    process = begin()
    until(lambda: world.compiled() == 2, "nvcc")
    own = run(world)
    until(lambda: waits(world, own.pid), "its wait")
    own.terminate()
    assert own.wait(20) == -signal.SIGTERM
    own.communicate()
    process.terminate()
    flag.touch()
    assert process.wait(20) == 0
    assert (world.compiled(), [one.code for one in noted(world)]) == (2, [0])


def call_of(**fields: Any) -> NvccCall:
    whole: dict[str, Any] = {
        "run": "r", "call": "1-1", "at": 1.0, "cwd": "/w", "argv": WORDS, "tool": "/kit/bin/nvcc",
        "sources": ("/w/src/k.cu",), "output": "/w/k.o", "kind": "object", "package": "", "manifest_dir": "",
        "out_dir": "", "code": 0, "verdict": "miss", "inputs": ("/w/src/k.cu", "/w/src/near.cuh"), "env": (),
    }  # fmt: skip
    return NvccCall(**(whole | fields))


def test_calls_that_read_what_was_saved_are_asked_for_the_latest_of_each_output() -> None:
    known = CallsAhead()
    known.most = 2
    known.learn([call_of(), call_of(output="/w/l.o", sources=("/w/src/l.cu",), inputs=("/w/src/l.cu",))])
    known.learn([call_of(call="2-2", at=2.0, argv=("-O1", *WORDS)), call_of(call="3-3", at=3.0, code=2)])
    assert [call.argv[0] for call in known.asked_by(["/w/src/near.cuh"])] == ["-O1"]
    assert [call.output for call in known.asked_by(["/w/src/l.cu", "/w/x.rs"])] == ["/w/l.o"]
    assert known.asked_by(["/w/x.rs"]) == ()
    known.learn([call_of(output=f"/w/{number}.o") for number in range(9)])
    assert len(known.asked_by(["/w/src/k.cu"])) == 2


@pytest.mark.parametrize(
    "fields", [{"env": None}, {"tool": "/kit/bin/other"}, {"kind": "library"}, {"verdict": "bypass"},
               {"verdict": "off"}, {"code": None}, {"argv": ("-DKEY=***", *WORDS)}, {"cwd": ""}, {"output": ""},
               {"out_dir": "/w/src"}],
)  # fmt: skip
def test_what_is_not_wholly_known_or_not_kept_is_not_asked_for(fields: dict[str, Any]) -> None:
    known = CallsAhead()
    known.learn([call_of(**fields)])
    assert known.asked_by(["/w/src/k.cu"]) == ()


def test_calls_of_runs_that_began_with_another_path_are_not_those_of_this_build(tmp_path: Path) -> None:
    paths, env = Paths(str(tmp_path), ""), {"PATH": "/bin", "PWD": "/w", "OTHER": "1"}
    began = {
        "a": env | {"OTHER": "2"},
        "b": env | {"PATH": "/opt/bin:/bin"},
        "c": env | {"TMPDIR": "/var/tmp"},
        "d": None,
    }
    for run, then in began.items():
        (tmp_path / "runs" / run / "fronts").mkdir(parents=True)
        (tmp_path / "runs" / run / "run.json").write_text(json.dumps({"env": then}))
        note = {"nvcc": run, "at": 1.0, "cwd": "/w", "argv": list(WORDS), "kind": "object"}
        (tmp_path / "runs" / run / "fronts/nvcc.jsonl").write_text(json.dumps(note) + "\n")
    assert [call.run for call in calls_as_now(paths, [*began, "gone"], env)] == ["a"]


def test_variables_of_a_call_are_noted_unless_one_holds_a_credential(world: World) -> None:
    env = dict(noted(world)[-1].env or ())
    assert (env["PATH"], env["TMPDIR"]) == (f"{world.front}:{world.env['PATH']}", str(world.folder / "tmp"))
    assert "HOME" not in env
    world.call(*WORDS, env={"NVCC_APPEND_FLAGS": "-DURL=https://me:secret@host/"})
    assert noted(world)[-1].env is None
    assert "secret" not in (world.folder / "notes/nvcc.jsonl").read_text()
