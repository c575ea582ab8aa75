from pathlib import Path

import pytest

from core.run.grammar import parse
from core.run.harness import own_harnesses


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    files = {
        "Cargo.toml": '[workspace]\nmembers = ["a", "b"]\n',
        "a/Cargo.toml": '[package]\nname = "a"\n[[bench]]\nname = "speed-up"\nharness = false\n',
        "b/Cargo.toml": '[package]\nname = "b"\n[[test]]\nname = "own"\nharness = false\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("test",), {"own"}),
        (("test", "-p", "a"), set()),
        (("test", "-p", "a", "--benches"), {"speed_up"}),
        (("test", "--all-targets"), {"speed_up", "own"}),
        (("test", "--lib"), set()),
        (("test", "--doc"), set()),
        (("test", "--test", "other"), set()),
        (("test", "--test", "o*"), {"own"}),
        (("bench",), {"speed_up"}),
        (("bench", "-p", "b"), set()),
        (("bench", "--bench", "speed-up"), {"speed_up"}),
    ],
)
def test_only_what_the_line_selects_counts(workspace: Path, words: tuple[str, ...], expected: set[str]) -> None:
    assert own_harnesses(parse(words), str(workspace), str(workspace)) == expected


def test_within_a_member_only_it_counts(workspace: Path) -> None:
    assert not own_harnesses(parse(("test",)), str(workspace), str(workspace / "a"))


def test_harnesses_that_know_color_do_not_count(workspace: Path) -> None:
    manifest = workspace / "a" / "Cargo.toml"
    manifest.write_text(manifest.read_text() + '[dev-dependencies]\ncriterion = "0.5"\n')
    assert not own_harnesses(parse(("bench",)), str(workspace), str(workspace))
