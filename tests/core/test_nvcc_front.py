"""The front before nvcc, with a script in the place of nvcc: what it notes, hands on and keeps, and where it stands."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.paths import Paths
from core.run import nvcc_front
from core.run.fronts import Build, find_exec_fronts, find_fronts, without_fronts
from core.run.noters import find_noters
from tests.fronts import own_fronts

NVCC = """#!/bin/sh
case $1 in --help) echo "--time <file name>"; exit;; esac
printf '%s\\n' "$@" > args; env > env
for word in $NVCC_PREPEND_FLAGS $NVCC_APPEND_FLAGS; do case $word in --time=*) times=${word#--time=};; esac; done
p=${TMPDIR:-/tmp}/tmpxft_$(printf %08x $$)_00000000
s=${STEM:-k}; check="k.cu ,  , $p-6_k.ptx  , $p-6_k.ptx , compute_80 , nvcc , 1.5 , ms"
[ -z "$STEM" ] || check=  # where code is made of it, PTX is not checked
touch "$p-7_$s.cpp1.ii"; printf PTX > "$p-6_$s.ptx"; printf CUBIN > "$p-8_$s.sm_80.cubin"; printf other > "$p-8_$s.o"
if [ -n "$times" ]; then  # a real one takes longer than the front needs to look
  n=0; until ls -l /proc/$PPID/fd | grep -q sm_80.cubin || [ $n = 2000 ]; do n=$((n + 1)); done
fi
[ -p wait ] && echo $$ > started && cat wait
[ -n "$times" ] && cat >> "$times" << END
source file name , phase name , phase input files , phase output file , arch , tool, metric , unit
k.cu , gcc (preprocessing 4) , k.cu  , $p-5_k.cpp4.ii ,  , nvcc , 347.8310 , ms
k.cu , cicc ,  $p-7_$s.cpp1.ii  , $p-6_$s.ptx , compute_80 , nvcc , 879.5000 , ms
$check
k.cu , ptxas , $p-6_$s.ptx  , $p-8_$s.sm_80.cubin , sm_80 , nvcc , 99.6040 , ms
k.cu , ptxas , broken
 , nvcc (driver) ,  ,  ,  , nvcc , 0.6489 , ms
END
rm $p-*; printf object > k.o
echo out; echo err >&2
[ -z "$KILLED" ] || kill -KILL $$
exit ${CODE:-0}
"""


class World(NamedTuple):
    """A machine with a toolkit whose nvcc is a script."""

    folder: Path
    paths: Paths
    nvcc: Path
    notes: Path
    env: dict[str, str]

    def fronts(self) -> tuple[str, ...]:
        found = find_exec_fronts(self.paths, self.env, ("nvcc",), str(self.folder)).folders
        assert found
        return found

    def fronted(self, **more: str) -> dict[str, str]:
        """The environment of a run."""
        path = ":".join((*self.fronts(), self.env["PATH"]))
        return {**self.env, "PATH": path, "DECK_FRONTS": str(self.notes), **more}

    def call(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "-c", 'exec "$0" "$@"', "nvcc", *words], env=self.fronted(**more), cwd=self.folder / "src",
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def noted(self) -> list[dict[str, Any]]:
        path = self.notes / "nvcc.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def begun(self) -> dict[str, Any]:
        return next(line for line in self.noted() if "nvcc" in line)

    def ended(self) -> dict[str, Any]:
        return next(line for line in self.noted() if "end" in line)


@pytest.fixture
def world(tmp_path: Path) -> World:
    nvcc = program(tmp_path / "toolkit/bin/nvcc", NVCC)
    for folder in ("include", "lib64", "no tes", "src", "tmp"):
        (tmp_path / folder if folder not in ("include", "lib64") else tmp_path / "toolkit" / folder).mkdir()
    (tmp_path / "toolkit/include/cuda.h").touch()
    program(tmp_path / "toolkit/bin/ptxas", "#!/bin/sh\n")
    paths = Paths(str(tmp_path / "state"), own_fronts(tmp_path / "cache"))
    env = {"PATH": f"{nvcc.parent}:/usr/bin:/bin", "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path)}
    return World(tmp_path, paths, nvcc, tmp_path / "no tes", env)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_call_is_noted_with_its_phases_and_the_code_it_made(world: World) -> None:
    done = world.call("-c", "-arch=sm_80", "k.cu")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")
    begun, ended = world.begun(), world.ended()
    source, output = str(world.folder / "src/k.cu"), str(world.folder / "src/k.o")
    assert (begun["sources"], begun["output"], begun["kind"], begun["archs"]) == (
        [source], output, "object", ["sm_80", "compute_80"],
    )  # fmt: skip
    assert (begun["tool"], begun["argv"]) == (str(world.nvcc), ["-c", "-arch=sm_80", "k.cu"])
    assert ended["errors"] is None
    assert ended["times"] == [
        ["gcc (preprocessing 4)", None, 347.831], ["cicc", "compute_80", 879.5], ["ptxas", "compute_80", 1.5],
        ["ptxas", "sm_80", 99.604], ["nvcc (driver)", None, 0.6489],
    ]  # fmt: skip
    assert (ended["end"], ended["code"], ended["signal"], ended["output_bytes"]) == (begun["nvcc"], 0, None, 6)
    kept = {Path(ended["kept"], name).read_text(): (arch, kind) for arch, kind, name in ended["files"]}
    assert kept == {"PTX": ("compute_80", "ptx"), "CUBIN": ("sm_80", "cubin")}
    assert os.listdir(ended["kept"]) != []


def test_code_of_a_source_with_a_blank_in_its_name_is_kept_with_its_ptx(world: World) -> None:
    world.call("-c", "-arch=sm_80", "sp x.cu", STEM="sp x")
    assert sorted((kind, name.partition("_00000000-")[2]) for _, kind, name in world.ended()["files"]) == [
        ("cubin", "8_sp x.sm_80.cubin"), ("ptx", "6_sp x.ptx"),
    ]  # fmt: skip


def test_phases_of_several_sources_name_theirs(world: World) -> None:
    world.call("-c", "-arch=sm_80", "k.cu", "l.cu")
    assert ["ptxas", "sm_80", 99.604, "k.cu"] in world.ended()["times"]


def test_nothing_of_ours_lies_beside_temporary_files(world: World) -> None:
    world.call("-c", "k.cu")
    assert os.listdir(world.folder / "tmp") == []
    assert len(world.ended()["files"]) == 2


def test_words_and_environment_are_those_of_the_caller_but_for_what_asks_for_times(world: World) -> None:
    words = ["-c", "k.cu", "-DA=a b", "-Xcompiler", "-fPIC,-O2", "", "@x"]
    world.call(*words, MINE="1", NVCC_APPEND_FLAGS="-lineinfo")
    assert (world.folder / "src/args").read_text().split("\n")[:-1] == words
    seen = dict(line.split("=", 1) for line in (world.folder / "src/env").read_text().splitlines())
    given = world.fronted(MINE="1", NVCC_APPEND_FLAGS="-lineinfo")
    changed = {name for name in seen.keys() | given.keys() if seen.get(name) != given.get(name)}
    assert changed - {"_", "PWD", "SHLVL", "OLDPWD"} == {"NVCC_APPEND_FLAGS", "DECK_NVCC_PASSED"}
    assert seen["NVCC_APPEND_FLAGS"].startswith("-lineinfo --time=/")


def test_a_variable_with_quotes_stays_and_phases_are_told(world: World) -> None:
    world.call("-c", "k.cu", NVCC_APPEND_FLAGS='-DA="a b"', NVCC_PREPEND_FLAGS="-lineinfo")
    seen = dict(line.split("=", 1) for line in (world.folder / "src/env").read_text().splitlines())
    assert (seen["NVCC_APPEND_FLAGS"], seen["NVCC_PREPEND_FLAGS"].startswith("-lineinfo --time=/")) == (
        '-DA="a b"', True,
    )  # fmt: skip
    assert ["ptxas", "sm_80", 99.604] in world.ended()["times"]


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("-c", "k.cu", "--time=mine.csv"), {}),
        (("-c", "k.cu", "-time", "mine.csv"), {}),
        (("-c", "k.cu", "-v"), {}),
        (("--dryrun", "-c", "k.cu"), {}),
        (("-E", "k.cu"), {}),
        (("-M", "k.cu"), {}),
        (("--version",), {}),
        (("-c", "k.cu"), {"NVCC_APPEND_FLAGS": '-DA="x', "NVCC_PREPEND_FLAGS": "-DB=\\"}),
        (("-c", "k.cu"), {"NVCC_APPEND_FLAGS": "--time=mine.csv"}),
        (("-c", "k.cu"), {"NVCC_PREPEND_FLAGS": "-v"}),
    ],
)
def test_what_would_tell_or_be_told_twice_gets_no_flag(
    world: World, words: tuple[str, ...], more: dict[str, str]
) -> None:
    world.call(*words, **more)
    seen = (world.folder / "src/env").read_text()
    assert [line for line in seen.splitlines() if "no tes" in line and "APPEND" in line] == []
    assert ("NVCC_APPEND_FLAGS" in seen) == ("NVCC_APPEND_FLAGS" in more)
    assert [set(line) & {"nvcc", "end"} for line in world.noted() if "phase" not in line] == [{"nvcc"}, {"end"}]
    assert (world.ended()["times"], world.ended()["code"]) == ([], 0)


def test_an_nvcc_that_does_not_know_times_is_not_asked_for_them(world: World) -> None:
    program(world.nvcc, NVCC.replace("--time <file", "--tame <file"))
    assert world.call("-c", "k.cu").returncode == 0
    assert "NVCC_APPEND_FLAGS" not in (world.folder / "src/env").read_text()
    assert world.ended()["times"] == []


def test_it_ends_as_nvcc_does(world: World) -> None:
    assert world.call("-c", "k.cu", CODE="3").returncode == 3
    assert (world.ended()["code"], world.ended()["signal"], world.ended()["files"]) == (3, None, [])
    assert world.ended()["errors"] == "err\nout\n"
    (world.notes / "nvcc.jsonl").unlink()
    assert world.call("-c", "k.cu", KILLED="1").returncode == -signal.SIGKILL
    assert (world.ended()["code"], world.ended()["signal"]) == (None, signal.SIGKILL)
    assert sorted(os.listdir(world.notes)) == ["nvcc.jsonl"]


def test_what_it_prints_is_kept_of_a_call_that_failed_and_no_more_than_is_read(world: World) -> None:
    program(world.nvcc, NVCC.replace("echo out;", "head -c 100000 /dev/zero | tr '\\0' x >&2;"))
    done = world.call("-c", "k.cu", CODE="2")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "x" * 100_000 + "err\n")
    assert world.ended()["errors"] == "x" * (32 << 10)


@pytest.mark.parametrize("end", ["exit 2", "kill -KILL $$"])
def test_what_nvcc_leaves_behind_is_not_waited_for(world: World, end: str) -> None:
    program(world.nvcc, f"{NVCC.partition('echo out')[0]}sleep 60 & echo $! > left; seq 30000 >&2; {end}\n")
    done = world.call("-c", "k.cu")
    os.kill(int((world.folder / "src/left").read_text()), signal.SIGKILL)
    assert (done.returncode, done.stderr) == (
        2 if "exit" in end else -signal.SIGKILL, "".join(f"{number}\n" for number in range(1, 30001)),
    )  # fmt: skip
    assert world.ended()["errors"] is None, "more may have come"


def test_a_program_that_nvcc_runs_is_not_listened_to(world: World) -> None:
    assert world.call("-run", "k.cu", CODE="2").stderr == "err\n"
    assert world.ended()["errors"] is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_front_reaches_nvcc_and_nothing_is_left(world: World, number: signal.Signals) -> None:
    os.mkfifo(world.folder / "src/wait")
    os.mkfifo(world.folder / "src/started")
    front = subprocess.Popen(["nvcc", "-c", "k.cu"], env=world.fronted(), cwd=world.folder / "src")
    nvcc = int((world.folder / "src/started").read_text())
    assert nvcc != front.pid
    front.send_signal(number)
    writer = os.open(world.folder / "src/wait", os.O_RDWR)
    assert front.wait() == -number
    os.close(writer)
    assert not os.path.exists(f"/proc/{nvcc}")
    assert (world.ended()["signal"], os.listdir(world.notes)) == (number, ["nvcc.jsonl"])


def test_where_nothing_can_be_noted_nvcc_runs(world: World) -> None:
    assert world.call("-c", "k.cu", DECK_FRONTS="/nowhere/at/all").stdout == "out\n"
    plain = {name: value for name, value in world.fronted().items() if name != "DECK_FRONTS"}
    done = subprocess.run(["nvcc", "-c", "k.cu"], env=plain, cwd=world.folder / "src", check=False)
    assert (done.returncode, world.noted()) == (0, [])
    (world.notes / "nvcc.jsonl").mkdir()
    assert world.call("-c", "k.cu").stdout == "out\n"


def test_a_script_that_looks_for_the_next_nvcc_is_not_called_again(world: World) -> None:
    program(world.folder / "first/nvcc", '#!/bin/sh\nexec nvcc -DWRAPPED "$@"\n')
    env = {**world.env, "PATH": f"{world.folder}/first:{world.env['PATH']}"}
    inside = world._replace(env=env)
    done = subprocess.run(
        ["nvcc", "-c", "k.cu"], env=inside.fronted(), cwd=world.folder / "src", check=False, timeout=20
    )
    assert done.returncode == 0
    assert (world.folder / "src/args").read_text() == "-DWRAPPED\n-c\nk.cu\n"
    assert [line["tool"] for line in world.noted() if "nvcc" in line] == [f"{world.folder}/first/nvcc"]


def test_a_cache_under_the_name_of_nvcc_finds_the_real_one(world: World) -> None:
    program(world.folder / "caches/bin/ccache", "#!/bin/sh\nenv > env\nexec true\n")
    (world.folder / "links").mkdir()
    (world.folder / "links/nvcc").symlink_to("../caches/bin/ccache")
    inside = world._replace(env={**world.env, "PATH": f"{world.folder}/links:{world.env['PATH']}"})
    inside.call("-c", "k.cu")
    seen = dict(line.split("=", 1) for line in (world.folder / "src/env").read_text().splitlines())
    assert seen["PATH"] == inside.env["PATH"]


def test_a_cache_before_nvcc_does_not_see_the_front(world: World) -> None:
    program(world.nvcc.parent / "sccache", '#!/bin/sh\nprintf "%s\\n" "$@" > args; env > env\n')
    fronts = world.fronts()
    for word in ("nvcc", f"{fronts[-1]}/nvcc"):
        subprocess.run(["sccache", word, "-c", "k.cu"], env=world.fronted(), cwd=world.folder / "src", check=True)
        seen = dict(line.split("=", 1) for line in (world.folder / "src/env").read_text().splitlines())
        assert seen["PATH"] == world.env["PATH"]
        assert "NVCC_APPEND_FLAGS" not in seen
        compiler = (world.folder / "src/args").read_text().splitlines()[0]
        assert compiler == ("nvcc" if word == "nvcc" else str(world.nvcc))


def test_a_credential_among_the_words_is_not_noted(world: World) -> None:
    world.call("-c", "k.cu", "-DAPI_KEY=abc", "-D", "MY_TOKEN=def", "-Xcompiler=-DA_SECRET=1,-DB", "-DURL=x://a:b@c/")
    assert world.begun()["argv"] == [
        "-c", "k.cu", "-DAPI_KEY=***", "-D", "MY_TOKEN=***", "-Xcompiler=-DA_SECRET=***", "***",
    ]  # fmt: skip
    assert "-DAPI_KEY=abc" in (world.folder / "src/args").read_text()


CALLS = [
    ("k.cu", "program", "a.out", []),
    ("-c k.cu", "object", "k.o", []),
    ("-dc ./d/k.a.cu", "device-object", "k.a.o", []),
    ("-c -rdc=true k.cu", "device-object", "k.o", []),
    ("-c -ptx k.cu -arch sm_90", "ptx", "k.ptx", ["compute_90"]),
    ("--ptx --output-directory d k.cu", "ptx", "d/k.ptx", []),
    ("-arch=compute_90 -code=sm_90 -ptx k.cu", "ptx", "k.ptx", ["compute_90"]),
    ("-cubin -arch=sm_90a k.cu", "cubin", "k.cubin", ["sm_90a"]),
    (
        "-fatbin k.cu -gencode arch=compute_80,code=[sm_80,compute_80] -gencode=arch=compute_90,code=sm_90",
        "fatbin",
        "k.fatbin",
        ["sm_80", "compute_80", "sm_90"],
    ),
    ("-arch=all-major -c k.cu", "object", "k.o", ["all-major"]),
    ("-dlink x.o", "link", "a_dlink.o", []),
    ("-dlink -cubin x.o", "link", "a_dlink.cubin", []),
    ("-lib x.o -odir=d", "library", "d/a.a", []),
    ("-shared k.cu --output-file lib.so", "program", "lib.so", []),
    ("-c k.cu -o=x/k.o -odir d", "object", "x/k.o", []),
    ("-E k.cu -o k.ii", "preprocess", "k.ii", []),
    ("-M k.cu", "depend", None, []),
    ("-cuda k.cu", "other", "k.cu.cpp.ii", []),
    ("--version", "query", None, []),
    ("-c k.cu --dryrun", "query", None, []),
    ("-t0 -Ix -O3 -m64 -std c++17 -Xptxas -v -ccbin g++ -c k.cu -lz", "object", "k.o", []),
]


@pytest.mark.parametrize(("words", "kind", "output", "archs"), CALLS, ids=[words for words, *_ in CALLS])
def test_what_a_call_makes(world: World, words: str, kind: str, output: str | None, archs: list[str]) -> None:
    world.call(*words.split())
    begun = world.begun()
    at = os.path.join(world.folder / "src", output) if output else None
    assert (begun["kind"], begun["output"], begun["archs"]) == (kind, at, archs)


def test_words_of_variables_and_options_files_count(world: World) -> None:
    (world.folder / "src/more.rsp").write_text('-arch=sm_80\n-o "a b"/x\\ y.o\n')
    world.call("-c", "--options-file", "more.rsp", NVCC_PREPEND_FLAGS="k.cu  b.cu", NVCC_APPEND_FLAGS="-arch=sm_90")
    begun = world.begun()
    assert [os.path.basename(source) for source in begun["sources"]] == ["k.cu", "b.cu"]
    assert begun["output"] == f"{world.folder}/src/a b/x y.o"
    assert begun["archs"] == ["sm_90", "compute_90"]


def test_options_files_that_are_none_are_passed_over(world: World) -> None:
    (world.folder / "src/loop.rsp").write_text("-optf loop.rsp -c k.cu")
    os.mkfifo(world.folder / "src/pipe.rsp")
    world.call("-optf", "loop.rsp,pipe.rsp,nowhere.rsp,.")
    assert world.begun()["kind"] == "object"


def test_the_launcher_notes_the_compiler_that_it_is_given(world: World) -> None:
    launch = dict(find_exec_fronts(world.paths, world.env, ("cmake",), "/").env)
    words = [*nvcc_front.LAUNCH.split(";"), str(world.nvcc), "-c", "k.cu"]
    env = {**world.env, "DECK_FRONTS": str(world.notes)}
    subprocess.run(words, env={**env, **launch}, cwd=world.folder / "src", check=True)
    assert (world.begun()["launcher"], world.begun()["tool"]) == (True, str(world.nvcc))
    assert world.ended()["times"] != []
    (world.notes / "nvcc.jsonl").unlink()
    subprocess.run(words, env=env, cwd=world.folder / "src", check=True)
    assert (world.noted(), (world.folder / "src/args").read_text()) == ([], "-c\nk.cu\n")


def test_the_launcher_hands_other_compilers_on(world: World) -> None:
    launch = dict(find_exec_fronts(world.paths, world.env, ("cmake",), "/").env)
    done = subprocess.run(
        [launch["DECK_NVCC"], "/bin/echo", "-c", "k.cu"], env=world.env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "-c k.cu\n"


def test_a_root_that_is_derived_from_the_path_of_nvcc_has_all_of_the_toolkit(world: World) -> None:
    script = 'r=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")"); echo $r; ls $r $r/include $r/bin/ptxas'
    done = subprocess.run(["sh", "-c", script], env=world.fronted(), capture_output=True, text=True, check=True)
    root, *names = done.stdout.split()
    assert root.startswith(world.paths.cache)
    assert {"include", "lib64", "bin", "cuda.h", f"{root}/bin/ptxas"} <= set(names)
    assert os.path.realpath(f"{root}/include") == str(world.folder / "toolkit/include")


def test_a_mirror_follows_the_toolkit(world: World) -> None:
    (folder,) = world.fronts()
    os.rmdir(world.folder / "toolkit/lib64")
    (world.folder / "toolkit/nvvm").mkdir()
    assert world.fronts() == (folder,)
    assert sorted(os.listdir(os.path.dirname(folder))) == ["bin", "include", "nvvm"]


def test_a_mirror_whose_front_is_old_gets_the_new_one(world: World) -> None:
    (folder,) = world.fronts()
    os.unlink(f"{folder}/nvcc")
    program(Path(folder, "nvcc"), "#!/bin/sh\n")
    assert world.fronts() == (folder,)
    assert os.path.samefile(f"{folder}/nvcc", f"{world.paths.cache}/fronts/cc/cc")
    assert not [name for name in os.listdir(folder) if name.startswith("nvcc.") and name != "nvcc.profile"]


def test_it_goes_on_with_the_toolkit_that_it_mirrors(world: World) -> None:
    """As long as that one is there: a build tree may have noted its path."""
    (folder,) = world.fronts()
    other = program(world.folder / "other/nvcc", "#!/bin/sh\necho other\n")
    env = {**world.env, "PATH": f"{other.parent}:/usr/bin:/bin"}

    def said() -> str:
        done = subprocess.run([f"{folder}/nvcc", "-c", "k.cu"], env=env, cwd=world.folder / "src", text=True,
                              capture_output=True, check=True)  # fmt: skip
        return done.stdout

    assert said() == "out\n"
    world.nvcc.unlink()
    assert said() == "other\n"


@pytest.mark.parametrize(
    ("words", "is_there", "is_there_in_a_folder_of_all"),
    [
        (("nvcc",), True, True), (("ninja", "-C", "plain"), True, True), (("make",), True, True),
        (("./plain.sh",), True, True), (("sh", "plain.sh"), True, True), (("sccache", "nvcc"), False, False),
        (("/opt/nvcc",), False, False), (("cmake", "."), True, False), (("ctest",), True, False),
        (("./cmake.sh",), True, False), (("sh", "cmake.sh"), True, False), (("python3", "setup.py"), False, False),
        (("make", "-C", "tree"), True, False), (("bash", "-c", "cmake -B x"), True, False),
        (("./snake.sh",), False, False), (("ninja", "-C", "generated"), True, False),
        (("bash", "-c", "pip install ."), False, False),
    ],
)  # fmt: skip
def test_commands_that_may_note_where_nvcc_was_do_not_find_the_front(
    world: World, words: tuple[str, ...], is_there: bool, is_there_in_a_folder_of_all: bool
) -> None:
    """CMake is told where the real one is, but where all of the system's programs stand beside it."""
    src = world.folder / "src"
    program(src / "plain.sh", "#!/bin/sh\nnvcc -c k.cu\n")
    program(src / "cmake.sh", "#!/bin/sh\ncmake -B x\n")
    program(src / "snake.sh", "#!/usr/bin/env python3\nimport os\n")
    (src / "generated").mkdir()
    (src / "generated/build.ninja").write_text("# CMAKE generated file: DO NOT EDIT!\n")
    (src / "tree").mkdir()
    (src / "tree/Makefile").write_text("# CMAKE generated file\nall:\n\tcmake -B y\n")
    found = find_exec_fronts(world.paths, world.env, words, str(src))
    assert bool(found.folders) == is_there
    assert (dict(found.env).get(nvcc_front.PROGRAMS) == str(world.nvcc.parent)) == is_there
    is_python = words[0] in ("python3", "./snake.sh", "sccache")
    assert ("DECK_NVCC" in dict(found.env)) == (not is_python)
    program(world.nvcc.parent / "git", "#!/bin/sh\n")
    beside = find_exec_fronts(world.paths, world.env, words, str(src))
    assert bool(beside.folders) == is_there_in_a_folder_of_all
    assert nvcc_front.PROGRAMS not in dict(beside.env)


def test_rules_count_for_what_goes_by_them(world: World) -> None:
    (world.folder / "src/Makefile").write_text("setup:\n\tpip install .\n")
    for words, is_there in (
        (("sh", "-c", "nvcc -c k.cu"), True),
        (("sh", "-c", "gmake all"), False),
        (("make",), False),
    ):
        assert bool(find_exec_fronts(world.paths, world.env, words, str(world.folder / "src")).folders) == is_there


@pytest.mark.parametrize(
    ("words", "is_told"),
    [
        (("cmake", "-S", ".", "-B", "new"), True), (("cmake", "-S", ".", "-Bnew"), True), (("cmake", ".."), True),
        (("cmake", "-S", ".", "-B", "old"), False), (("cmake", "old"), False), (("cmake", "--build", "new"), False),
        (("cmake", "--preset", "x"), True), (("cmake", "-B", "new", "-DCMAKE_CUDA_COMPILER_LAUNCHER=x"), False),
        (("ninja",), False),
    ],
)  # fmt: skip
def test_cmake_is_told_of_the_launcher_where_it_makes_a_new_tree(
    world: World, words: tuple[str, ...], is_told: bool
) -> None:
    (world.folder / "src/old").mkdir()
    (world.folder / "src/old/CMakeCache.txt").touch()
    found = dict(find_exec_fronts(world.paths, world.env, words, str(world.folder / "src")).env)
    assert (found.get(nvcc_front.LAUNCHER) == nvcc_front.LAUNCH) == is_told
    own = find_exec_fronts(world.paths, {**world.env, nvcc_front.LAUNCHER: "mine"}, words, str(world.folder / "src"))
    assert nvcc_front.LAUNCHER not in dict(own.env)


@pytest.mark.parametrize(
    ("tree", "cache", "is_told"),
    [
        ("src/none", None, True), ("src/out", "\nCMAKE_CXX_COMPILER:FILEPATH=/usr/bin/c++\n", True),
        ("src/out", f"\nCMAKE_CUDA_COMPILER:FILEPATH=/x/nvcc\n{nvcc_front.LAUNCH}", True),
        *((tree, "\nCMAKE_CUDA_COMPILER:FILEPATH=/x/nvcc\n", False) for tree in ("src", "src/a/b/out", "build")),
        ("src/a/b/c/too/deep", "\nCMAKE_CUDA_COMPILER:FILEPATH=/x/nvcc\n", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "words",
    [("sh", "-c", "cmake -B out && ninja -C out"), ("./make.sh",), ("make",), ("cmake", "--preset", "x")],
)
def test_what_has_cmake_make_a_tree_is_told_of_the_launcher_where_no_other_one_would_be_compiled_anew(
    world: World, words: tuple[str, ...], tree: str, cache: str | None, is_told: bool
) -> None:
    src = world.folder / "src"
    program(src / "make.sh", "#!/bin/sh\ncmake -B out\n")
    (src / "Makefile").write_text("all:\n\tcmake -B out\n")
    if cache is not None:
        (world.folder / tree).mkdir(parents=True, exist_ok=True)
        (world.folder / tree / "CMakeCache.txt").write_text(cache)
    found = dict(find_exec_fronts(world.paths, world.env, words, str(src)).env)
    assert (nvcc_front.LAUNCHER in found) == is_told


def built(world: World, name: str = "", text: str = "") -> tuple[Path, Path]:
    """A workspace whose lock names a package, and its build dir."""
    root, out = world.folder / "ws", world.folder / "ws/target/debug/build/one-1/out"
    (out / "build").mkdir(parents=True)
    (root / "Cargo.lock").write_text(f'[[package]]\nname = "{name}"\n')
    (out.parent / "output").write_text(text)
    return root, out


def names(folders: tuple[str, ...]) -> list[str]:
    return [os.path.basename(folder) for folder in folders]


def test_a_build_that_calls_cmake_gets_the_launcher_and_cmake_finds_the_real_one(world: World) -> None:
    root, out = built(world, "cmake")
    build = Build(world.env, str(root), build_dir=str(root / "target"))

    def launcher(build: Build) -> str | None:
        found = find_fronts(world.paths, build)
        assert names(found.folders) == ["bin"]
        assert dict(found.env)[nvcc_front.PROGRAMS] == str(world.nvcc.parent)
        return dict(found.env).get(nvcc_front.LAUNCHER)

    assert launcher(build) == nvcc_front.LAUNCH
    assert launcher(build._replace(env={**world.env, nvcc_front.LAUNCHER: ""})) is None
    assert launcher(build._replace(settled=frozenset({nvcc_front.LAUNCHER}))) is None
    (out / "build/CMakeCache.txt").write_text("//x\nCMAKE_CXX_COMPILER:FILEPATH=/usr/bin/c++\n")
    assert launcher(build) == nvcc_front.LAUNCH
    (out / "build/CMakeCache.txt").write_text("//x\nCMAKE_CUDA_COMPILER:FILEPATH=/usr/bin/nvcc\n")
    assert launcher(build) is None
    with open(out / "build/CMakeCache.txt", "a") as file:
        file.write(f"{nvcc_front.LAUNCHER}:STRING={nvcc_front.LAUNCH}\n")
    assert launcher(build) == nvcc_front.LAUNCH
    (root / "build-cuda").mkdir()
    (root / "build-cuda/CMakeCache.txt").write_text("//x\nCMAKE_CUDA_COMPILER:FILEPATH=/usr/bin/nvcc\n")
    assert launcher(build) is None


def test_a_script_that_watches_the_variable_of_the_launcher_is_not_run_again(world: World) -> None:
    root, _ = built(world, "cmake", f"cargo:rerun-if-env-changed={nvcc_front.LAUNCHER}\n")
    found = find_fronts(world.paths, Build(world.env, str(root), build_dir=str(root / "target")))
    assert nvcc_front.LAUNCHER not in dict(found.env)


@pytest.mark.parametrize("case", ["settled", "watched", "other tools beside it", "meson"])
def test_where_cmake_cannot_be_told_of_the_real_one_the_front_is_not_in_path(world: World, case: str) -> None:
    root, _ = built(world, "meson" if case == "meson" else "cmake",
                    f"cargo:rerun-if-env-changed={nvcc_front.PROGRAMS}\n" if case == "watched" else "")  # fmt: skip
    if case == "other tools beside it":
        program(world.nvcc.parent / "git", "#!/bin/sh\n")
    settled = frozenset({nvcc_front.PROGRAMS} if case == "settled" else ())
    build = Build(world.env, str(root), build_dir=str(root / "target"), settled=settled)
    found = find_fronts(world.paths, build)
    assert found.folders == ()
    assert nvcc_front.PROGRAMS not in dict(found.env)
    assert (nvcc_front.LAUNCHER in dict(found.env)) == (case != "meson"), "CMake's own calls are told all the same"
    given = {**world.env, nvcc_front.PROGRAMS: "/mine"}
    free = find_fronts(world.paths, Build(given, str(root)))
    told = dict(free.env).get(nvcc_front.PROGRAMS)
    assert told == (f"/mine:{world.nvcc.parent}" if case in ("settled", "watched") else None)


def test_without_a_lock_a_dependency_may_bring_cmake(world: World) -> None:
    """The cmake package looks up `cc` on PATH by itself, and a tree would hold the path of our folder."""
    root, _ = built(world)
    (root / "Cargo.lock").unlink()
    (root / "Cargo.toml").write_text('[package]\nname = "one"\n')
    build = Build(world.env, str(root), build_dir=str(root / "target"))
    assert names(find_fronts(world.paths, build).folders) == ["cc", "bin"]
    (root / "Cargo.toml").write_text('[package]\nname = "one"\n[build-dependencies]\ncmake = "0.1"\n')
    found = find_fronts(world.paths, build)
    assert names(found.folders) == ["bin"]
    assert {nvcc_front.PROGRAMS, nvcc_front.LAUNCHER} <= dict(found.env).keys()


@pytest.mark.parametrize(
    ("manifest", "is_foreign"),
    [
        ("[dependencies]\n", False), ('[dependencies]\n# a = "1"\na = { path = "../a", version = "1" }\n', False),
        ('[dependencies.a]\nversion = "1"\npath = "../a"\n[features]\nx = []\n', False),
        ("[dependencies]\na.workspace = true\nb = { workspace = true }\n", False),
        ('[package]\nname = "x"\n[profile.dev]\nopt-level = 1\n', False),
        ('[dependencies]\na = "1"\n', True), ('[dependencies]\na = { version = "1", features = ["path"] }\n', True),
        ('[target."cfg(unix)".build-dependencies]\na = "1"\n', True), ('[dev-dependencies.a]\nversion = "1"\n', True),
        ('[dependencies.a]\nversion = "1"\n[features]\npath = []\n', True),
        ('[workspace.dependencies]\na = { git = "https://x" }\n', True),
    ],
)  # fmt: skip
def test_without_a_lock_packages_of_the_workspace_alone_bring_nothing(
    tmp_path: Path, manifest: str, is_foreign: bool
) -> None:
    (tmp_path / "Cargo.toml").write_text(manifest)
    assert find_noters(str(tmp_path)).cmake == is_foreign
    (tmp_path / "Cargo.lock").touch()
    assert not find_noters(str(tmp_path)).any


def test_a_build_finds_the_front_in_path_but_where_a_script_watches_path(world: World) -> None:
    root, out = built(world)
    build = Build(world.env, str(root), build_dir=str(root / "target"))
    assert names(find_fronts(world.paths, build).folders) == ["cc", "bin"]
    (out.parent / "output").write_text("cargo:rerun-if-env-changed=PATH\n")
    assert find_fronts(world.paths, build).folders == ()


@pytest.mark.parametrize(
    ("text", "env", "is_replaced"),
    [
        ("cargo:rustc-cfg=x\n", {}, True),
        ("cargo:rerun-if-env-changed=NVCC\n", {}, False),
        ("cargo:rustc-cfg=x\n", {"NVCC": "nvcc"}, False),
        ("cargo:rustc-cfg=x\n", {"NVCC": "/nowhere/nvcc"}, False),
        (None, {}, False),
    ],
)
def test_a_path_in_nvcc_is_replaced_where_it_is_known_that_no_script_watches_it(
    world: World, text: str | None, env: dict[str, str], is_replaced: bool
) -> None:
    root, out = built(world, text=text or "")
    if text is None:
        (out.parent / "output").unlink()
    given = {**world.env, "NVCC": str(world.nvcc), **env}
    found = dict(find_fronts(world.paths, Build(given, str(root), build_dir=str(root / "target"))).env)
    assert ("NVCC" in found) == is_replaced
    assert not is_replaced or found["NVCC"].startswith(world.paths.cache)


def test_a_tool_that_would_be_another_one_means_no_front(world: World) -> None:
    other = program(world.folder / "other/ptxas", "#!/bin/sh\n")
    env = {**world.env, "PATH": f"{other.parent}:{world.env['PATH']}"}
    assert find_exec_fronts(world.paths, env, ("nvcc",), "/").folders == ()
    after = {**world.env, "PATH": f"{world.env['PATH']}:{other.parent}"}
    assert find_exec_fronts(world.paths, after, ("nvcc",), "/").folders != ()


def test_a_toolkit_made_of_links_has_a_front_though_its_folders_are_its_own(world: World) -> None:
    (world.folder / "toolkit/bin/crt").mkdir()
    (world.folder / "toolkit/bin/crt/link.stub").touch()
    subprocess.run(["cp", "-rs", world.folder / "toolkit", world.folder / "links"], check=True)
    env = {**world.env, "PATH": f"{world.folder}/links/bin:/usr/bin:/bin"}
    (mirror,) = find_exec_fronts(world.paths, env, ("nvcc",), "/").folders
    assert os.path.samefile(f"{mirror}/crt/link.stub", world.folder / "toolkit/bin/crt/link.stub")


def test_a_cache_called_by_its_path_means_no_front(world: World) -> None:
    assert names(find_fronts(world.paths, Build(world.env, wrapper="/opt/bin/sccache")).folders) == ["bin"]
    env = {**world.env, "CMAKE_CUDA_COMPILER_LAUNCHER": "/opt/bin/sccache"}
    assert find_exec_fronts(world.paths, env, ("nvcc",), "/").folders == ()


def test_a_folder_that_is_no_toolkit_is_not_mirrored(world: World) -> None:
    for number in range(600):
        (world.folder / f"toolkit/{number}").touch()
    assert find_exec_fronts(world.paths, world.env, ("nvcc",), "/").folders == ()


def test_the_callers_path_has_no_mirror(world: World) -> None:
    assert without_fronts(world.fronted()["PATH"]) == world.env["PATH"]
    assert find_exec_fronts(world.paths, world.fronted(), ("nvcc",), "/").folders == world.fronts()
