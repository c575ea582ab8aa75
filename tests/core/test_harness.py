from pathlib import Path

import pytest

from core.run.grammar import parse
from core.run.harness import has_own_harness


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    files = {
        "Cargo.toml": '[workspace]\nmembers = ["a", "b"]\n',
        "a/Cargo.toml": '[package]\nname = "a"\n[[bench]]\nname = "speed"\nharness = false\n',
        "b/Cargo.toml": '[package]\nname = "b"\n[[test]]\nname = "own"\nharness = false\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("test",), True),
        (("test", "-p", "a"), False),
        (("test", "-p", "a", "--benches"), True),
        (("test", "-p", "a", "--all-targets"), True),
        (("test", "--lib"), False),
        (("test", "--doc"), False),
        (("test", "--test", "other"), False),
        (("test", "--test", "o*"), True),
        (("bench",), True),
        (("bench", "-p", "b"), False),
        (("bench", "--bench", "speed"), True),
    ],
)
def test_only_what_the_line_selects_counts(workspace: Path, words: tuple[str, ...], expected: bool) -> None:
    assert has_own_harness(parse(words), str(workspace), str(workspace)) is expected


def test_within_a_member_only_it_counts(workspace: Path) -> None:
    assert not has_own_harness(parse(("test",)), str(workspace), str(workspace / "a"))


def test_harnesses_that_know_color_do_not_count(workspace: Path) -> None:
    manifest = workspace / "a" / "Cargo.toml"
    manifest.write_text(manifest.read_text() + '[dev-dependencies]\ncriterion = "0.5"\n')
    assert not has_own_harness(parse(("bench",)), str(workspace), str(workspace))
