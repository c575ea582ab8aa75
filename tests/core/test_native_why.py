"""Why units were rebuilt or not: from facts that are given, and from real builds with an nvcc that compiles nothing."""

import os
from pathlib import Path

import pytest

from core.native.reasons.rebuilt import Why
from core.native.reasons.why import Facts, explain
from core.native.reasons.why_make import is_told, tree_of, tree_of_script
from core.native.staleness.closure import Made
from core.native.staleness.cover import Cover
from core.native.staleness.input_state import read_stamp
from core.native.staleness.seen import Seen
from core.native.staleness.stale import Case
from core.native.traces.directives import Declared, Directives
from core.native.traces.fingerprint import ScriptRun
from core.native.traces.nvcc_calls import NvccCall
from core.native.traces.units import Unit

S = 1_000_000_000
BEFORE, BEGAN, ENDED = 1000 * S, 2000 * S, 2100 * S


class Folder:
    """Files with given times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str, at_s: float, text: str = "x") -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, ns=(int(at_s * S), int(at_s * S)))
        return str(path)

    def script(self, *declared: str, at_s: float) -> ScriptRun:
        directives = Directives(tuple(Declared(path, 1) for path in declared))
        output = self.file("target/out.txt", at_s)
        return ScriptRun("app", "1", "debug", output, output, str(self.folder / "target/out"), int(at_s * S),
                         int(at_s * S) + S, directives, root=str(self.folder))  # fmt: skip

    def case(self, script: ScriptRun, *made: Made) -> Case:
        return Case(script, made, Cover(script))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def facts(**more: object) -> Facts:
    return Facts(BEGAN, ENDED, BEFORE)._replace(**more)  # type: ignore[arg-type]


def call(output: str, verdict: str, why: str = "", at: float = 2050.0, source: str = "/w/k.cu") -> NvccCall:
    return NvccCall("r", "1", at, "/w", (), "", (source,), output, "ptx", "app", "", "", 0, verdict, why)


def test_what_cargo_said_comes_first_and_stands_as_it_is() -> None:
    found = explain(facts(told=(("app", "the file `k.cu` has changed"),), compiled=("app", "low")))
    assert found == (
        Why("app", "crate", True, "the file `k.cu` has changed", "cargo", "app"),
        Why("low", "crate", True, "", "", "low"),
    )


def test_a_source_that_changed_since_the_build_before_is_named(folder: Folder) -> None:
    new, old = folder.file("a/src/main.rs", 1500), folder.file("a/src/old.rs", 900)
    late = folder.file("a/src/late.rs", 2150)
    unit = Unit("app", "bin-app", "debug", 2001 * S, "f", (), (new, old, late))
    (found,) = explain(facts(compiled=("app",), units=(unit,)))
    assert (found.reason, found.by) == ("…/src/main.rs has changed since the build before", "times")


def test_a_crate_is_rebuilt_for_what_it_depends_on_or_for_its_script(folder: Folder) -> None:
    low = Unit("low", "lib-low", "debug", 2001 * S, "aa", (), ())
    app = Unit("app", "bin-app", "debug", 2002 * S, "bb", ("aa",), ())
    other = Unit("other", "lib-other", "debug", 1500 * S, "cc", (), ())
    found = {one.package: one.reason for one in explain(facts(compiled=("low", "app"), units=(low, app, other)))}
    assert found == {"low": "", "app": "what it depends on was rebuilt: low"}
    ran = folder.case(folder.script("k.cu", at_s=2001))
    found = {one.unit: one.reason for one in explain(facts(compiled=("app",), cases=(ran,), units=(app,)))}
    assert found["app"] == "its build script ran"


def test_the_file_that_made_a_script_run_is_named(folder: Folder) -> None:
    folder.file("k.cu", 900)
    folder.file("inc/deep/x.cuh", 1500)
    folder.file("inc/y.cuh", 800)
    for name in ("inc/deep", "inc"):
        os.utime(folder.folder / name, ns=(700 * S, 700 * S))
    (found,) = explain(facts(cases=(folder.case(folder.script("k.cu", "inc", at_s=2001)),)))
    assert (found.unit, found.kind, found.reason, found.by) == (
        "app (build script)", "script", "…/deep/x.cuh has changed, in inc", "declared",
    )  # fmt: skip
    (found,) = explain(facts(cases=(folder.case(folder.script("k.cu", "*.cuh", at_s=2001)),)))
    assert found.reason == "*.cuh is declared and not there: it runs at each build"
    assert explain(facts(cases=(folder.case(folder.script("k.cu", at_s=1500)),))) == (), "it did not run in this build"


def test_calls_tell_whether_nvcc_ran_and_which_input_differed() -> None:
    calls = (
        call("/w/a.ptx", "hit"), call("/w/b.ptx", "miss", "inc.cuh differs"), call("/w/c.ptx", "off"),
        call("", "off"), call("/w/d", "off")._replace(kind="query"), call("/w/e.o", "miss", "x")._replace(code=2),
    )  # fmt: skip
    found = {one.unit: (one.is_rebuilt, one.reason) for one in explain(facts(calls=calls))}
    assert found == {
        "/w/a.ptx": (False, "k.cu: no input differs, so it was taken from the depfile cache"),
        "/w/b.ptx": (True, "k.cu: nvcc ran; inc.cuh differs"),
        "/w/c.ptx": (True, "k.cu: nvcc ran"),
        "/w/e.o": (True, "k.cu: nvcc failed; x"),
    }


def test_an_output_that_is_left_old_is_told_with_the_cause(folder: Folder) -> None:
    output = folder.file("target/out/k.ptx", 1200)
    source, header = folder.file("k.cu", 900), folder.file("inc.cuh", 1500)
    made = Made(output, source, (source, header), "depfile")
    for declared, at_s, cause in (
        (("k.cu",), 1100, "no rerun-if-changed covers it"),
        (("k.cu", "inc.cuh"), 2001, "the build script, which ran, did not make it again"),
        (("k.cu", "inc.cuh"), 1100, "the build script did not run"),
    ):
        found = explain(facts(cases=(folder.case(folder.script(*declared, at_s=at_s), made),)))
        (left,) = (one for one in found if one.kind == "output")
        assert (left.unit, left.is_rebuilt) == (output, False)
        assert left.reason.endswith(f"has changed, and {cause}")
    folder.file("inc.cuh", 1100)
    assert explain(facts(cases=(folder.case(folder.script("k.cu", at_s=1100), made),))) == ()


def test_an_output_whose_inputs_were_only_touched_is_not_left_old(folder: Folder) -> None:
    output = folder.file("target/out/k.ptx", 1200)
    source, header = folder.file("k.cu", 900), folder.file("inc.cuh", 1500)
    script = folder.script("k.cu", "inc.cuh", at_s=2001)
    case = folder.case(script, Made(output, source, (source, header), "depfile"))
    for was, count in ((read_stamp(header).digest, 0), ("another one", 1)):
        seen = Seen(outputs={output: (1200 * S, {header: was})})
        found = explain(facts(cases=(case._replace(seen=seen),)))
        assert sum(one.kind == "output" for one in found) == count


def test_files_that_changed_and_that_nothing_reads_are_named_last() -> None:
    unit = Unit("app", "bin-app", "debug", 2001 * S, "f", (), ("/w/src/main.rs",))
    changed = {"/w/src/main.rs": 1500 * S, "/w/src/unused.rs": 1500 * S, "/w/old.rs": 900 * S, "/w/README.md": 1500 * S}
    (found,) = explain(facts(units=(unit,), changed=changed))
    assert (found.unit, found.kind, found.is_rebuilt) == ("/w/src/unused.rs", "file", False)


def test_an_edit_that_an_old_mtime_hid_from_the_build_is_named_where_contents_tell(folder: Folder) -> None:
    header = folder.file("n.cuh", 500)
    changed_ns = os.stat(header).st_ctime_ns
    (found,) = explain(facts(hidden={header: "cargo"}, ended_ns=changed_ns))
    assert (found.unit, found.kind, found.is_rebuilt, found.by) == (header, "file", False, "content")
    assert found.reason.startswith("another content than the build read, and an mtime before it: cargo did not see it")
    assert explain(facts(hidden={header: "cargo"}, ended_ns=changed_ns - 1)) == (), "edited after that run"


def test_inputs_that_nothing_declares_are_counted_and_named_whatever_changed(folder: Folder) -> None:
    output = folder.file("target/out/k.ptx", 1200)
    source, header = folder.file("k.cu", 900), folder.file("inc/deep/deep.cuh", 900)
    made = Made(output, source, (source, header), "depfile")
    found = explain(facts(cases=(folder.case(folder.script("k.cu", at_s=1100), made),)))
    assert found == (
        Why(
            "app (inputs)", "input", False,
            "1 input that no rerun-if-changed covers: …/deep/deep.cuh; see `cargo deck stale`", "declared", "app",
        ),
    )  # fmt: skip
    assert explain(facts(cases=(folder.case(folder.script("k.cu", "inc", at_s=1100), made),))) == ()


def test_what_was_built_for_the_first_time_says_so_instead_of_nothing(folder: Folder) -> None:
    first = {("app", "crate"): "first build in this target dir", ("app", "script"): "first build in this target dir"}
    ran = folder.case(folder.script("k.cu", at_s=2001))
    found = {one.kind: (one.reason, one.by) for one in explain(facts(compiled=("app",), cases=(ran,), first=first))}
    assert found == {
        "crate": ("first build in this target dir", "times"), "script": ("first build in this target dir", "times"),
    }  # fmt: skip


def test_ninjas_words_and_its_log_are_read_where_a_script_ran_it(folder: Folder) -> None:
    script = folder.script("k.cu", at_s=2001)
    tree = folder.folder / "target/out/build"
    tree.mkdir(parents=True)
    folder.file("target/out/build/a.o", 2002)
    (tree / ".ninja_log").write_text(
        f"# ninja log v5\n0\t1\t{1000 * S}\ta.o\taa\n0\t1\t{2002 * S}\ta.o\tbb\n0\t1\t{2002 * S}\tb.o\tcc\n"
    )
    case = folder.case(script)
    by_log = [one for one in explain(facts(cases=(case,))) if one.by == "ninja"]
    assert by_log == [Why(f"{tree}/a.o", "output", True, "its command line changed", "ninja", "app")]
    log = folder.file("err.log", 2002, "x\nninja explain: output a.o older than most recent input k.cu (1 vs 2)\n")
    said = [one for one in explain(facts(cases=(case,), logs=(log,))) if one.by == "ninja"]
    assert said == [Why("a.o", "output", True, "output a.o older than most recent input k.cu (1 vs 2)", "ninja")]


def test_what_ninja_linked_is_told_by_the_statement_that_says_what_of(folder: Folder) -> None:
    tree = folder.folder / "out"
    folder.file("out/a.o", 2002)
    folder.file("out/app", 2003)
    folder.file("out/rules.ninja", 900, "rule link\n  command = ld $in -o $out\n")
    folder.file("out/build.ninja", 900, "include rules.ninja\nbuild app: link a.o b.o || c.o\nbuild all: phony app\n")
    log = f"# ninja log v5\n0\t1\t{1000 * S}\tapp\taa\n0\t1\t{2003 * S}\tapp\taa\n"
    (tree / ".ninja_log").write_text(log)
    (found,) = explain(facts(trees=(str(tree),)))
    assert (found.unit, found.reason) == (f"{tree}/app", "a.o is newer than what was made before")


DEPEND = "CMakeFiles/k.dir/c.cpp.o: {0}/c.cpp {0}/h.h \\\n  /usr/include/x.h\n{0}/h.h:\n"


class MakeTree:
    """What CMake, make and compilers left, with given times."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.top = str(folder.folder / "build")
        objects = ("build/CMakeFiles/k.dir/c.cpp.o", "build/CMakeFiles/k.dir/d.cpp.o", "build/sub/libk.a")
        self.c, self.d, self.library = (folder.file(name, 900) for name in objects)
        folder.file(
            "build/CMakeFiles/k.dir/c.cpp.o.d", 900, DEPEND.format(folder.folder).replace("CMakeFiles/k.dir/", "")
        )
        folder.file("build/CMakeFiles/k.dir/compiler_depend.make", 900,
                    f"CMakeFiles/k.dir/d.cpp.o: {folder.folder}/d.cpp {folder.folder}/h.h\n")  # fmt: skip
        folder.file("build/CMakeFiles/k.dir/flags.make", 900)
        link = "/usr/bin/ar qc libk.a ../CMakeFiles/k.dir/c.cpp.o ../CMakeFiles/k.dir/d.cpp.o\n/usr/bin/ranlib libk.a\n"
        folder.file("build/sub/CMakeFiles/k.dir/link.txt", 900, link)
        folder.file("build/CMakeFiles/3.25.1/CompilerIdCXX/a.o", 2050)
        for name in ("c.cpp", "d.cpp", "h.h"):
            folder.file(name, 800)

    def touch(self, at_s: float, *paths: str) -> None:
        for path in paths:
            os.utime(path, ns=(int(at_s * S), int(at_s * S)))

    def explain(self, log: str = "", **more: object) -> dict[str, tuple[bool, str, str]]:
        out = self.folder.file("out.log", 2050, log)
        trees = (tree_of(self.top, (out,), self.top),)
        found = explain(facts(made=trees, born_ns=lambda path: 500 * S, **more))
        return {os.path.relpath(one.unit, self.top): (one.is_rebuilt, one.reason, one.by) for one in found}


def test_of_a_tree_of_make_the_file_that_changed_is_named_and_the_link_by_its_objects(folder: Folder) -> None:
    tree = MakeTree(folder)
    assert tree.explain() == {}
    folder.file("c.cpp", 1500)
    tree.touch(2050, tree.c, tree.library)
    assert tree.explain() == {
        "CMakeFiles/k.dir/c.cpp.o": (True, _changed(folder, "c.cpp"), "times"),
        "sub/libk.a": (True, "made again of c.cpp.o", "times"),
    }
    folder.file("c.cpp", 800)
    folder.file("build/CMakeFiles/k.dir/flags.make", 1500)
    assert tree.explain()["CMakeFiles/k.dir/c.cpp.o"] == (True, "its command line changed", "times")
    folder.file("build/CMakeFiles/k.dir/flags.make", 900)
    assert tree.explain()["CMakeFiles/k.dir/c.cpp.o"] == (True, "", "")


def _changed(folder: Folder, name: str) -> str:
    return f"…/{folder.folder.name}/{name} has changed since the build before"


def test_of_a_tree_of_make_what_stayed_old_although_its_note_names_what_changed_is_told(folder: Folder) -> None:
    tree = MakeTree(folder)
    folder.file("h.h", 1500)
    assert tree.explain() == {
        "CMakeFiles/k.dir/c.cpp.o": (
            False, f"…/{folder.folder.name}/h.h has changed, and this run did not make it again", "times",
        ),
    }  # fmt: skip
    tree.touch(2050, tree.c, tree.d)
    assert tree.explain()["CMakeFiles/k.dir/d.cpp.o"] == (True, _changed(folder, "h.h"), "times")


def test_what_a_later_build_overwrote_is_told_by_makes_own_words(folder: Folder) -> None:
    tree = MakeTree(folder)
    tree.touch(2500, tree.c, tree.library)
    assert tree.explain() == {}
    log = "[ 50%] Building CXX object CMakeFiles/k.dir/c.cpp.o\n[100%] Linking CXX static library libk.a\n"
    said = tree.explain(log)
    assert [(name, by) for name, (_, _, by) in said.items()] == [
        ("CMakeFiles/k.dir/c.cpp.o", "make"), ("sub/libk.a", "make"),
    ]  # fmt: skip


def test_that_nothing_was_made_is_said_only_where_that_is_known(folder: Folder) -> None:
    tree = MakeTree(folder)
    os.unlink(folder.folder / "build/CMakeFiles/3.25.1/CompilerIdCXX/a.o")
    quiet, said = folder.file("quiet.log", 1), folder.file("said.log", 1, "make: Nothing to be done for 'all'.\n")
    assert is_told((tree_of(tree.top, (quiet,), tree.top),), ENDED)
    tree.touch(2500, tree.c)
    assert not is_told((tree_of(tree.top, (quiet,), tree.top),), ENDED)
    assert is_told((tree_of(tree.top, (said,), tree.top),), ENDED)
    assert not is_told((tree_of("", (quiet,), tree.top),), ENDED)
    assert not is_told((tree_of(str(folder.folder / "empty"), (quiet,), tree.top),), ENDED)


def test_of_a_makefile_without_depfiles_commands_and_includes_tell(folder: Folder) -> None:
    folder.file("k.cu", 900, '#include "n.cuh"\n')
    folder.file("inc/n.cuh", 1500)
    made = folder.file("k.o", 2050)
    program = folder.file("app", 2060)
    log = folder.file("out.log", 2060, "/opt/cuda/bin/nvcc -Iinc -c k.cu -o k.o\ng++ -o app k.o\nfalse -o gone.o\n")
    top = str(folder.folder)
    found = explain(facts(made=(tree_of(top, (log,), top),), born_ns=lambda path: 500 * S))
    assert [(one.unit, one.reason) for one in found] == [
        (program, "made again of k.o"), (made, "…/inc/n.cuh has changed since the build before"),
    ]  # fmt: skip
    again = explain(facts(made=(tree_of("", (log,), top),), before_ns=0, born_ns=lambda path: 500 * S))
    assert [(one.unit, one.reason) for one in again] == [(program, "made again of k.o"), (made, "")]


def test_below_a_build_script_what_compilers_made_is_told_but_for_what_the_front_told(folder: Folder) -> None:
    script = folder.script("k.cu", at_s=2001)
    source, output = folder.file("c.cpp", 1500), folder.file("target/out/c.o", 2005)
    kernel = folder.file("target/out/k.o", 2005)
    folder.file("target/out/build/.ninja_log", 2005)
    folder.file("target/out/build/n.o", 2005)
    case = folder.case(script, Made(output, source, (source,), "text"))
    found = explain(facts(cases=(case,), made=(tree_of_script(case),), calls=(call(kernel, "hit"),)))
    assert [(one.unit, one.kind, one.package) for one in found if one.kind in ("output", "call")] == [
        (kernel, "call", "app"), (output, "output", "app"),
    ]  # fmt: skip
    (made,) = (one for one in found if one.kind == "output")
    assert made.reason == _changed(folder, "c.cpp")
