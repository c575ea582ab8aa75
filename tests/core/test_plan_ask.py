"""Programs that are asked what they are, and who is ended meanwhile."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.plan.answers import Answer, Answers, Question
from core.plan.ask import LIMIT_S
from tests.real.product import REPO, until, with_argument


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    program = tmp_path / "nvcc"
    program.write_text(f"#!/bin/sh\nsleep 61.{os.getpid()} & wait\n")
    program.chmod(0o755)
    return program


def _sleepers() -> list[object]:
    return list(with_argument(f"61.{os.getpid()}"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_who_is_ended_while_asking_leaves_nothing_behind(hanging: Path, number: signal.Signals) -> None:
    code = f"import sys; sys.path.insert(0, {REPO!r}); from core.plan.ask import ask; ask({str(hanging)!r}, (), {{}})"
    asker = subprocess.Popen([sys.executable, "-I", "-c", code], stderr=subprocess.DEVNULL)
    until(_sleepers, 20, "the program")
    asker.send_signal(number)
    assert asker.wait() == -number
    until(lambda: not _sleepers(), 5, "the end of the program")


def test_who_does_not_answer_is_killed_and_keeps_nobody_waiting_again_that_day(hanging: Path, tmp_path: Path) -> None:
    now = 1000.0
    answers = Answers(str(tmp_path / "answers.json"), clock=lambda: now)
    question = Question("version", ())
    answer = answers.find(question, str(hanging), {}, may_ask=True)
    assert answer is not None
    assert answer.trouble == f"did not answer in {LIMIT_S:g} s"
    assert not _sleepers()
    answers.keep()
    now = 30_000.0
    asked: list[str] = []

    def asks(path: str, words: tuple[str, ...], env: Mapping[str, str]) -> Answer:
        asked.append(path)
        return Answer("")

    again = Answers(str(tmp_path / "answers.json"), ask=asks, clock=lambda: now)
    assert again.find(question, str(hanging), {}, may_ask=True) == answer
    assert asked == []
    os.utime(hanging, (1, 1))
    assert again.find(question, str(hanging), {}, may_ask=True) == Answer("")
    assert asked == [str(hanging)]
