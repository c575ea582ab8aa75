"""What `cargo deck clean` says before it cleans where nobody watches, and what it refuses."""

import pytest

from core.native.cleans.clean import Choice, LastLog
from core.native.cleans.loss import Loss
from core.native.cleans.rebuild import Rebuild
from core.plan.plan import Finding
from tui.cli.clean import main
from tui.cli.clean_shown import brief

NOW = 1_800_000_000.0
WHOLE = Choice((), Loss((("deps", 3_100_000_000),), 8312), Rebuild(250.0, 180, 214))
LESS = Choice(("--cmake", "/w/build"), Loss((("other", 12_000_000),), 40), Rebuild(), mends="kern: its cache is stale")
CMAKE = Finding("cmake-cache-stale", "error", "kern: its cache is stale", (), "", "cargo deck clean --cmake /w/build")
SYMBOL = Finding("undefined-symbol", "error", "kern: no launch_two", (), "", "")


def log(*findings: Finding) -> LastLog:
    return LastLog("1", "claude-1", "build", NOW - 60, findings)


def test_what_goes_is_said_with_what_the_last_log_asks_for_and_the_smaller_clean() -> None:
    goes, asked, less = brief((LESS, WHOLE), log(CMAKE), NOW)
    assert goes == "takes away 3.1 G on the disk; to compile it again: 4:10 (180 of 214 units known)"
    assert asked.startswith("The last log here (claude-1: build, ")
    assert asked.endswith(") asks for one: kern: its cache is stale")
    assert less == "cargo deck clean --cmake /w/build takes 12 M and mends that"


def test_a_log_that_asks_for_nothing_and_one_that_is_not_kept_are_told_apart() -> None:
    _, asked = brief((WHOLE,), log(SYMBOL), NOW)
    assert (asked.startswith("Nothing in the last log here ("), asked.endswith(") asks for a clean.")) == (True, True)
    assert "No log of a build here is kept" in brief((WHOLE,), None, NOW)[1]


def test_where_nothing_goes_nothing_is_said() -> None:
    nothing = Choice((), Loss(), Rebuild())
    assert brief((nothing,), log(CMAKE), NOW) == ()


def test_json_alone_removes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 2
    assert "with --yes it does what was typed, with --dry-run it only says it" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--cmake", "--agent"])
def test_an_option_without_its_value_is_said_to_need_one(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main(["--dry-run", option]) == 2
    assert f"{option} needs a value: see `cargo deck clean --help`" in capsys.readouterr().err
