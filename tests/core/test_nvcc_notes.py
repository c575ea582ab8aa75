import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.events import from_record, to_record
from core.watch import nvcc_notes
from core.watch.call_book import CallBook
from core.watch.nvcc_book import CUT_SHORT, LOST_AFTER_S
from core.watch.nvcc_notes import NvccNotes, blob_of, outputs_of, told_in
from tests.core.test_link_book import BEGUN as LINK

RECORDED = Path(__file__).parents[1] / "data" / "nvcc-notes" / "object.jsonl"
CALL = "4251-1795688855076766577"


def notes_of(folder: Path, *notes: Any) -> Path:
    path = folder / "nvcc.jsonl"
    path.write_text("".join(json.dumps(note) + "\n" for note in notes))
    return path


def begun(call: str = "7-1", **changes: Any) -> dict[str, Any]:
    note = {
        "nvcc": call, "at": 100.0, "pid": 7, "parent": 1, "cwd": "/w", "argv": ["-c", "k.cu"], "tool": "/cuda/bin/nvcc",
        "launcher": False, "sources": ["k.cu"], "output": "k.o", "kind": "object", "archs": ["sm_90"], "package": None,
    }  # fmt: skip
    return note | changes


def over(call: str = "7-1", **changes: Any) -> dict[str, Any]:
    note = {
        "end": call, "elapsed_s": 2.5, "user_s": 1.0, "sys_s": 0.5, "peak_bytes": 1000, "code": 0, "signal": None,
        "output_bytes": 10, "verdict": "miss", "why": "", "stale": None, "times": [["cicc", "compute_90", 1200.0]],
        "memory": [["cicc", "compute_90", 900]], "kept": None, "files": [],
    }  # fmt: skip
    return note | changes


def test_a_recorded_call_is_told_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "nvcc.jsonl").write_bytes(RECORDED.read_bytes())
    notes = NvccNotes(str(tmp_path / "nvcc.jsonl"))
    events = notes.poll()
    first, last = events[0], events[-1]
    assert isinstance(first, e.NvccStarted)
    assert (first.call, first.source, first.output, first.kind, first.archs) == (
        CALL, "/home/ada/k/k.cu", "/home/ada/k/k.o", "object", ("sm_80", "sm_90"),
    )  # fmt: skip
    seen = [(event.tool, event.arch) for event in events if isinstance(event, e.NvccPhaseBegan)]
    assert len(seen) == 10
    assert ("ptxas", "sm_90") in seen
    assert isinstance(last, e.NvccEnded)
    assert (last.began, last.elapsed_s, last.at) == (first.at, 1.809438, first.at + 1.809438)
    assert (last.cpu_s, last.peak_bytes, last.code, last.output_bytes) == (1.110903 + 0.454753, 193708032, 0, 68696)
    assert (last.verdict, last.is_stale) == ("off", None)
    assert last.phases[4] == e.Phase("ptxas", "sm_80", 0.085056, 28422144)
    (kept,) = notes.take_kept()
    assert kept.folder == f"{tmp_path}/nvcc-{CALL}"
    assert (kept.tool, kept.sources, len(kept.files)) == ("/usr/local/cuda/bin/nvcc", ("/home/ada/k/k.cu",), 4)
    assert notes.take_kept() == []


def test_events_of_nvcc_come_back_from_a_journal_as_they_went_in(tmp_path: Path) -> None:
    (tmp_path / "nvcc.jsonl").write_bytes(RECORDED.read_bytes())
    events: list[e.Event] = NvccNotes(str(tmp_path / "nvcc.jsonl")).poll()
    events.append(e.KernelsMeasured(1.0, CALL, "/k.cu", "/k.o", (e.Kernel("k", "sm_90", 12, compile_s=0.5),)))
    again = [from_record(json.loads(json.dumps(to_record(event)))) for event in events]
    assert again == events
    assert isinstance(again[-1], e.KernelsMeasured)
    assert again[-1].kernels[0].registers == 12


def test_what_a_call_said_that_failed_comes_back_from_a_journal(tmp_path: Path) -> None:
    said = "k.cu(3): error: no such kernel\n"
    _, end = NvccNotes(str(notes_of(tmp_path, begun(), over(code=1, errors=said)))).poll()
    assert isinstance(end, e.NvccEnded)
    assert end.errors == (e.CallError("no such kernel", None, "k.cu", 3, None, said.strip()),)
    assert from_record(json.loads(json.dumps(to_record(end)))) == end
    assert from_record({name: value for name, value in to_record(end).items() if name != "errors"}) is not None


def test_a_later_versions_rows_lose_what_is_not_known_here_and_short_ones_are_refused() -> None:
    record = to_record(e.KernelsMeasured(1.0, "c", "", "", (e.Kernel("k", "sm_90"),)))
    longer = from_record(record | {"kernels": [[*record["kernels"][0], "new", 1]]})
    assert isinstance(longer, e.KernelsMeasured)
    assert longer.kernels == (e.Kernel("k", "sm_90"),)
    assert from_record(record | {"kernels": [["k"]]}) is None
    assert from_record(record | {"kernels": 3}) is None


def test_another_engine_tells_only_what_the_journal_lacks(tmp_path: Path) -> None:
    path = str(tmp_path / "nvcc.jsonl")
    (tmp_path / "nvcc.jsonl").write_bytes(RECORDED.read_bytes())
    events = NvccNotes(path).poll()
    for cut in range(len(events) + 1):
        later = NvccNotes(path, told=told_in(events[:cut]))
        assert later.poll() == events[cut:]


def test_lines_that_are_no_notes_are_passed_over(tmp_path: Path) -> None:
    wrong: list[Any] = [
        None, 3, "nvcc", [], {}, {"nvcc": 3}, begun(sources=3), begun(archs=[1]), begun(at="then"),
        begun(at=float("nan")), begun(cwd=None),
        {"phase": "never begun", "at": 1.0, "tool": "cicc", "arch": None}, over("never begun"),
        begun("8-1"), over("8-1", elapsed_s=-1.0), over("8-1", user_s="much"),
    ]  # fmt: skip
    path = notes_of(tmp_path, *wrong, begun(), over())
    with path.open("ab") as file:
        file.write(b"\xff\xfe{]\n" + b"[" * 200_000 + b"\n" + json.dumps(begun("9-1")).encode()[:40])
    found = NvccNotes(str(path)).poll()
    assert [(type(event).__name__, getattr(event, "call", "")) for event in found] == [
        ("NvccStarted", "8-1"), ("NvccStarted", "7-1"), ("NvccEnded", "7-1"),
    ]  # fmt: skip


def test_rows_of_wrong_types_lose_themselves_alone_or_their_end(tmp_path: Path) -> None:
    odd = over(times=[["cicc", "compute_90", 1200.0], "row", ["short"]], memory="much", code="0", peak_bytes=True)
    (_, end) = NvccNotes(str(notes_of(tmp_path, begun(), odd))).poll()
    assert isinstance(end, e.NvccEnded)
    assert (end.phases, end.code, end.peak_bytes) == ((e.Phase("cicc", "compute_90", 1.2),), None, None)


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".", ".hidden", ""])
def test_only_files_in_the_calls_own_folder_are_looked_at(tmp_path: Path, name: str) -> None:
    kept = over("7-1", kept="/somewhere/else", files=[["sm_90", "cubin", name], ["sm_90", "cubin", "ok.cubin"]])
    notes = NvccNotes(str(notes_of(tmp_path, begun(), kept)))
    notes.poll()
    (found,) = notes.take_kept()
    assert (found.folder, found.files) == (f"{tmp_path}/nvcc-7-1", (("sm_90", "cubin", "ok.cubin"),))


def test_a_call_with_a_slash_in_its_name_has_no_folder(tmp_path: Path) -> None:
    notes = NvccNotes(str(notes_of(tmp_path, begun("../7-1"), over("../7-1", kept="/x"))))
    notes.poll()
    assert [kept.folder for kept in notes.take_kept()] == [""]


def test_letters_that_are_none_and_very_long_text_do_not_reach_the_journal(tmp_path: Path) -> None:
    (event,) = NvccNotes(str(notes_of(tmp_path, begun(sources=["\ud800" + "x" * 9000], package="p" * 9000)))).poll()
    assert isinstance(event, e.NvccStarted)
    json.dumps(to_record(event)).encode()
    event.source.encode()
    assert len(event.package) == 4096


def test_the_content_of_a_source_has_gits_name(tmp_path: Path) -> None:
    source = tmp_path / "k.cu"
    source.write_bytes(b"hello\n")
    assert blob_of(str(source)) == "ce013625030ba8dba906f756967f9e9ca394464a"
    (event,) = NvccNotes(str(notes_of(tmp_path, begun(cwd=str(tmp_path))))).poll()
    assert isinstance(event, e.NvccStarted)
    assert event.blob == hashlib.sha1(b"blob 6\0hello\n").hexdigest()


def test_what_is_no_file_has_no_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "loop", tmp_path / "none", tmp_path / "pipe"):  # nobody waits for a writer
        assert blob_of(str(path)) == ""


def test_what_a_call_read_is_kept_with_gits_names_as_long_as_it_is_certain(tmp_path: Path) -> None:
    old, new = tmp_path / "a.cuh", tmp_path / "b.cuh"
    for path in (old, new):
        path.write_text("x\n")
    os.utime(old, (50.0, 50.0))
    inputs = ["/w/k.cu", str(old), str(new), "/gone.h", "relative.h"]

    def headers(name: str, value: Any) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        ended = NvccNotes(str(notes_of(folder, begun(), over(inputs=value)))).poll()[-1]
        assert isinstance(ended, e.NvccEnded)
        assert from_record(json.loads(json.dumps(to_record(ended)))) == ended
        return ended.headers

    assert headers("told", inputs) == (
        e.Header(str(old), blob_of(str(old))), e.Header(str(new), ""), e.Header("/gone.h", ""),
    )  # fmt: skip
    assert headers("alone", ["/w/k.cu"]) == ()
    assert headers("none", None) is None
    assert headers("many", [f"/h/{number}.h" for number in range(500)]) is None


def test_a_header_that_several_calls_read_is_read_once_and_again_when_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, read = tmp_path / "a.cuh", list[str]()
    header.write_text("x\n")
    os.utime(header, (50.0, 50.0))
    path = notes_of(tmp_path)
    notes = NvccNotes(str(path))

    def counted(path: str) -> str:
        read.append(path)
        return blob_of(path)

    monkeypatch.setattr(nvcc_notes, "blob_of", counted)

    def names() -> list[str]:
        with path.open("a") as file:
            file.writelines(json.dumps(note) + "\n" for note in (begun(), over(inputs=[str(header)])))
        ended = notes.poll()[-1]
        assert isinstance(ended, e.NvccEnded)
        return [one.blob for one in ended.headers or ()]

    first = blob_of(str(header))
    assert names() == names() == [first]
    assert read.count(str(header)) == 1
    header.write_text("other\n")
    os.utime(header, (50.0, 50.0))
    assert names() == [blob_of(str(header))] != [first]


def test_an_answer_of_the_cache_took_no_time_of_anybody(tmp_path: Path) -> None:
    hit = over(verdict="hit", user_s=None, sys_s=None, peak_bytes=None, times=[], memory=[])
    (_, end) = NvccNotes(str(notes_of(tmp_path, begun(), hit))).poll()
    assert isinstance(end, e.NvccEnded)
    assert (end.verdict, end.cpu_s, end.peak_bytes, end.phases) == ("hit", None, None, ())


# Ends that nobody notes


def book_with(*events: e.Event) -> CallBook:
    book = CallBook()
    assert book.take(events) == list(events)
    return book


def started(call: str = "7-1") -> e.NvccStarted:
    return e.NvccStarted(100.0, call, "", "/w/k.cu", "/w/k.o", "object", ("sm_90",))


def test_a_call_that_was_made_ahead_ends_when_it_was_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "nvcc.jsonl"
    for taken_s, at in ((None, 11.5), (1.75, 11.75), (1.0, 11.5)):
        end = {"end": "1-1", "elapsed_s": 1.5, "code": 0, "verdict": "miss", "taken_s": taken_s}
        path.write_text("".join(json.dumps(note) + "\n" for note in (begun(at=10.0, nvcc="1-1"), end)))
        ended = NvccNotes(str(path)).poll()[-1]
        assert isinstance(ended, e.NvccEnded)
        assert (ended.began, ended.elapsed_s, ended.at) == (10.0, 1.5, at)


def test_a_call_whose_front_was_killed_ends_after_a_while() -> None:
    book = book_with(started(), started("8-1"))
    assert book.lost(110.0, lambda pid: pid == 8) == []
    (lost,) = book.lost(110.0 + LOST_AFTER_S, lambda pid: pid == 8)
    assert isinstance(lost, e.NvccEnded)
    assert (lost.call, lost.at, lost.elapsed_s, lost.code, lost.verdict, lost.why) == (
        "7-1", 110.0, 10.0, None, "", CUT_SHORT,
    )  # fmt: skip
    assert book.take([lost, lost]) == [lost]
    assert ("7-1" in book, "8-1" in book) == (False, True)


def test_what_is_under_way_at_the_end_of_a_run_ends_with_it() -> None:
    book = book_with(started(), replace(LINK, link="9-1"))
    assert {type(event) for event in book.left(120.0)} == {e.NvccEnded, e.LinkEnded}
    assert book.has_fronts
    book.take(book.left(120.0))
    assert not book.has_fronts


def test_phases_of_calls_that_are_not_under_way_are_not_told() -> None:
    phase = e.NvccPhaseBegan(101.0, "7-1", "cicc", "compute_90")
    assert CallBook().take([phase]) == []
    assert book_with(started()).take([phase]) == [phase]


def test_a_call_for_several_sources_names_what_it_makes_of_each() -> None:
    assert outputs_of("ptx", ("/w/a.cu", "/w/k.b.cu"), "/w/out/a.ptx") == ("/w/out/a.ptx", "/w/out/k.b.ptx")
    assert outputs_of("device-object", ("/w/a.cu", "/v/b.cu"), "/w/a.o") == ("/w/a.o", "/w/b.o")
    for kind, sources, first in (
        ("ptx", ("/w/a.cu",), "/w/a.ptx"), ("program", ("/w/a.cu", "/w/b.cu"), "/w/a.out"),
        ("ptx", ("/w/a.cu", "/w/b.cu"), ""), ("ptx", ("/w/a.cu", "/w/b.cu"), "/w/other.ptx"), ("ptx", (), "/w/a.ptx"),
    ):  # fmt: skip
        assert outputs_of(kind, sources, first) == ()


def test_outputs_of_a_call_are_in_its_start_and_in_what_there_is_to_measure(tmp_path: Path) -> None:
    two = begun(sources=["a.cu", "b.cu"], output="out/a.ptx", kind="ptx")
    notes = NvccNotes(str(notes_of(tmp_path, two, over())))
    started, _ = notes.poll()
    assert isinstance(started, e.NvccStarted)
    assert started.outputs == ("/w/out/a.ptx", "/w/out/b.ptx")
    (kept,) = notes.take_kept()
    assert kept.outputs == started.outputs
