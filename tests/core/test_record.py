import json
import zipfile
from pathlib import Path

import pytest

from core import events as e
from core.journal import read_journal
from core.paths import Paths
from core.record import RecordingError, record, unpack
from core.replay import Replay
from core.state import RunState
from tests.core.runs import paths_in

RUN = "20260101-000000-000-abcd"
T0 = 1_767_225_600.0


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """One finished run whose log names its folder and a password."""
    paths = paths_in(tmp_path)
    folder = Path(paths.run(RUN))
    folder.mkdir(parents=True)
    checkout = str(tmp_path / "some" / "project")
    first, second = f"Compiling x ({checkout})\n", "done hunter2hunter2\n"
    (folder / "out.log").write_text(first + second)
    (folder / "run.json").write_text(json.dumps({"checkout": checkout, "cwd": checkout, "env": {"A": "b"}}))
    events = [
        e.RunStarted(T0, RUN, "a", "build", "cargo", "build", checkout, checkout, None, False, False, False),
        e.OutputGrew(T0 + 1, "out", 1, len(first)),
        e.OutputGrew(T0 + 2, "out", 2, len(first) + len(second)),
        e.RunEnded(T0 + 3, 0, None, 3.0, 1.0, 0.1, 1 << 20, None),
    ]
    lines = [{"schema": 1, "run": RUN}, *map(e.to_record, events)]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return paths


def test_a_recording_names_no_folder_no_environment_and_no_credential(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "x.deckrec"
    record(paths, [RUN], str(file), {"DB_PASSWORD": "hunter2hunter2"})
    with zipfile.ZipFile(file) as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert str(tmp_path).encode() not in whole
    assert b"hunter2" not in whole
    assert b'"env"' not in whole


def test_a_recording_names_no_folder_that_json_writes_otherwise(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    folder, checkout = Path(paths.run(RUN)), str(tmp_path / "jörg" / 'the "project"')
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"checkout": checkout, "cwd": checkout}))
    event = e.RunStarted(T0, RUN, "a", "build", "cargo", "build", checkout, checkout, None, False, False, False)
    lines = [{"schema": 1, "run": RUN}, e.to_record(event)]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record(paths, [RUN], str(tmp_path / "x.deckrec"), {"DB_PASSWORD": 'a"hunter'})
    with zipfile.ZipFile(tmp_path / "x.deckrec") as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert not any(name in whole for name in (b"j\\u00f6rg", "jörg".encode(), str(tmp_path).encode()))
    there, _ = unpack(str(tmp_path / "x.deckrec"), str(tmp_path / "out"))
    (found,) = read_journal(there.run(RUN) + "/events.jsonl").events
    assert isinstance(found, e.RunStarted)
    assert found.checkout == '/home/dev/the "project"'


def test_a_replay_grows_the_log_as_it_grew_and_ends_as_it_ended(paths: Paths, tmp_path: Path) -> None:
    record(paths, [RUN], str(tmp_path / "x.deckrec"), {"DB_PASSWORD": "hunter2hunter2"})
    there, runs = unpack(str(tmp_path / "x.deckrec"), str(tmp_path / "out"))
    clock = [100.0]
    replay = Replay(there, runs, lambda: clock[0], speed=2.0)
    log = Path(there.run(RUN), "out.log")
    assert replay.poll().runs == {}
    clock[0] += 0.8  # half a second of lead, at twice the speed: 1.1 s into the run
    assert replay.poll().runs[RUN].state is RunState.BUILDING
    assert log.read_text() == "Compiling x (/home/dev/project)\n"
    clock[0] += 10
    board = replay.poll()
    assert board.runs[RUN].state is RunState.DONE
    assert log.read_text().endswith("done ***\n")
    assert replay.is_over
    assert replay.poll() is board


def test_a_file_that_is_no_recording_is_said(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(RecordingError, match="no recording"):
        unpack(str(file), str(tmp_path / "out"))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot read .*nothing: No such file"):
        unpack(str(tmp_path / "nothing"), str(tmp_path / "out"))


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_damaged_recording_is_said(paths: Paths, tmp_path: Path, place: float) -> None:
    file = tmp_path / "x"
    record(paths, [RUN], str(file), {})
    content = bytearray(file.read_bytes())
    at = int(len(content) * place)
    content[at : at + 40] = b"\xff" * 40
    file.write_bytes(content)
    with pytest.raises(RecordingError, match="no recording"):
        unpack(str(file), str(tmp_path / "out"))


def test_a_newer_recording_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("recording.json", '{"schema": 99, "runs": []}')
    with pytest.raises(RecordingError, match="newer"):
        unpack(str(file), str(tmp_path / "out"))


def test_a_run_id_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("recording.json", '{"schema": 1, "runs": ["../../evil"]}')
    with pytest.raises(RecordingError, match="bad run id"):
        unpack(str(file), str(tmp_path / "out"))


def test_a_run_without_a_journal_cannot_be_recorded(paths: Paths, tmp_path: Path) -> None:
    Path(paths.run(RUN), "events.jsonl").unlink()
    with pytest.raises(RecordingError, match="no journal yet"):
        record(paths, [RUN], str(tmp_path / "x.deckrec"), {})
    assert not list(tmp_path.glob("x.deckrec*"))


def test_a_recording_has_no_diffs_and_no_credentials_that_earlier_versions_kept(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    folder = Path(paths.run(RUN))
    folder.mkdir(parents=True)
    diff = '--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n token = "planted"\n-incremental = true\n'
    says = "-C link-arg=SECRET_KEY=planted"
    finding = {"id": "x", "severity": "error", "title": "t", "evidence": [{"place": "/x", "line": 1, "value": says}],
               "cost": "", "mend": diff}  # fmt: skip
    plan = [{"setting": "rustflags", "value": says, "by": "user", "reason": "r"}]
    (folder / "run.json").write_text(json.dumps({"checkout": "/w/x", "findings": [finding], "plan": plan}))
    events = [
        e.RunStarted(T0, RUN, "a", "build", "cargo", "build", "/w", "/w", None, False, False, False),
        e.ContradictionsSeen(T0, (("x", "error", "t", (("/x", 1, says),), "", diff),)),
    ]
    lines = [{"schema": 1, "run": RUN}, *map(e.to_record, events)]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record(paths, [RUN], str(tmp_path / "x.deckrec"), {})
    there, _ = unpack(str(tmp_path / "x.deckrec"), str(tmp_path / "out"))
    for name in ("run.json", "events.jsonl"):
        written = Path(there.run(RUN), name).read_text()
        assert "planted" not in written
        assert "SECRET_KEY=***" in written
