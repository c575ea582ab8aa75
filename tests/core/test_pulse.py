import os
from pathlib import Path

from core.paths import Paths
from core.pulse import Pulse


def test_it_beats_when_a_file_of_a_live_run_or_their_list_changes_and_only_then(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), str(tmp_path / "cache"))
    os.makedirs(paths.open)
    os.makedirs(paths.run("one"))
    pulse = Pulse(paths)
    assert pulse.has_moved()
    assert not pulse.has_moved()
    log = tmp_path / "runs" / "one" / "out.log"
    log.write_text("first")
    assert not pulse.has_moved()  # nobody says that it lives
    (tmp_path / "open" / "one").write_text("{}")
    assert [pulse.has_moved(), pulse.has_moved()] == [True, False]
    with log.open("a") as file:
        file.write("more")
    assert [pulse.has_moved(), pulse.has_moved()] == [True, False]
    (tmp_path / "runs" / "one" / "events.jsonl").write_text("{}\n")
    pulse.look_for_files()
    assert [pulse.has_moved(), pulse.has_moved()] == [True, False]
    (tmp_path / "open" / "one").unlink()
    assert [pulse.has_moved(), pulse.has_moved()] == [True, False]


def test_without_a_state_folder_nothing_moves(tmp_path: Path) -> None:
    pulse = Pulse(Paths(str(tmp_path / "none"), str(tmp_path)))
    assert not pulse.has_moved()
