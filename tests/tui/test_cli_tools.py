"""`cargo deck tools`: what is shown of tools, and that nothing is run that nobody said yes to."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.plan.found import Found, Tool, Toolchain
from core.plan.given import Origin
from core.plan.refused import refuse_linker
from core.plan.tool_advice import tell
from tests.tui.commands import user_folders
from tests.tui.test_cli_json import documented
from tui.cli import common
from tui.cli import tools as command

STABLE = Toolchain("stable-x", Origin("rustup default"), channel="stable", rustc=(1, 95, 0), cargo=(1, 95, 0))
THERE = Found(
    toolchain=STABLE,
    tools={
        "cc": Tool("cc", "/usr/bin/cc", (12, 2, 0), kind="gcc"),
        "ninja": Tool("ninja", "/usr/bin/ninja", (1, 11, 1)),
        "wild": Tool("wild", "/opt/wild", (), "/opt/wild ends with code 1; install it again"),
        "ccache": Tool("ccache", "/usr/bin/ccache", (4, 7, 5)),
        "nvcc": Tool("nvcc", "/usr/local/cuda/bin/nvcc", (13, 0, 88)),
        "mold": Tool("mold"),
    },
)

Run = Callable[..., int]


class Scene:
    """A world in which what is run is only noted."""

    def __init__(self, folder: Path, *programs: str) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.asked: list[str] = []
        self.codes = [0]
        self.folder = folder
        folder.mkdir()
        for name in programs:
            (folder / name).write_text("#!/bin/sh\nexit 99\n")
            (folder / name).chmod(0o755)

    def world(self, answer: bool | None = None, found: Found = THERE, *, is_root: bool = True) -> command.World:
        def ask(question: str) -> bool:
            self.asked.append(question)
            return bool(answer)

        def run(words: Sequence[str]) -> int:
            self.ran.append(tuple(words))
            return self.codes.pop(0)

        return command.World(
            lambda paths, env: found, run, None if answer is None else ask, {"PATH": str(self.folder)},
            'ID=debian\nNAME="Debian"\n', is_root,
        )  # fmt: skip


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    user_folders(tmp_path / "user", monkeypatch)
    return Scene(tmp_path / "bin", "apt-get", "rustup", "sudo")


def run(world: command.World, *argv: str) -> int:
    return common.guarded(lambda given: command.run(given, world), list(argv))


def shown(found: Found, width: int = 80) -> list[str]:
    return list(command.lines(tell(found, {}), found, width))


def test_a_tool_is_shown_with_its_version_its_place_its_use_and_what_it_gets_wrong() -> None:
    lines = shown(THERE)
    assert lines[0] == "rustc 1.95.0 (stable-x, chosen by rustup default)"
    at = next(i for i, line in enumerate(lines) if line.split()[:2] == ["ccache", "4.7.5"])
    assert lines[at].split() == ["ccache", "4.7.5", "/usr/bin/ccache"]
    told = " ".join(" ".join(lines[at : at + 8]).split())
    assert "keeps compiled C, C++ and CUDA ! it takes a changed .cu file for the old one" in told
    assert "· it keeps nothing of what nvcc makes with -ptx" in told


def test_what_does_not_run_stands_apart_with_the_reason() -> None:
    lines = shown(THERE)
    there, broken, missing = (lines.index(title) for title in ("There", "There, but not usable", "Not there"))
    at = next(i for i, line in enumerate(lines) if line.split()[:1] == ["wild"])
    assert there < broken < at < missing
    assert any("✗ /opt/wild ends with code 1" in line for line in lines[at:missing])


def test_what_is_missing_says_what_it_would_give_and_the_rest_is_one_line() -> None:
    lines = shown(THERE)
    assert "  mold       links: not measured" in lines
    assert "Nor:" in "\n".join(lines)
    assert "nextest" in " ".join(lines[lines.index("Not there") :])


def test_a_toolchain_that_is_not_installed_is_said_first() -> None:
    gone = THERE._replace(toolchain=STABLE._replace(is_installed=False))
    assert " ".join(shown(gone)[:2]).startswith("The toolchain stable-x, chosen by rustup default is not installed")


def test_no_rust_at_all_says_where_it_comes_from() -> None:
    gone = THERE._replace(toolchain=Toolchain(chosen_by=Origin("PATH"), is_installed=False))
    assert " ".join(shown(gone)[:2]).startswith("No rustc is on PATH: install Rust (https://rustup.rs)")


def test_foreign_text_reaches_the_terminal_without_what_it_would_obey() -> None:
    evil = "x\x1b]0;t\x07\x1b[31m\u202ey\r"
    tools = {evil: Tool(evil, evil, (1,)), "wild": Tool("wild", evil, (), evil), "cc": Tool("cc", evil, (1,))}
    found = Found(toolchain=STABLE._replace(name=evil, chosen_by=Origin(evil)), tools=tools)
    assert not set("".join(shown(found))) & set("\x1b\x07\r\u202e")


def test_tools_for_programs_have_the_fields_that_are_documented(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scene.world(), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["version"]) == ("cargo-deck/tools", 1)
    assert set(found) - {"schema", "version"} == documented("## `cargo-deck/tools` (version 1)")
    rows: dict[str, dict[str, Any]] = {one["tool"]: one for one in found["tools"]}
    assert set(rows["cc"]) == documented("### A tool")
    assert [rows[name]["state"] for name in ("cc", "wild", "mold")] == ["there", "unusable", "missing"]
    gain = next(one.gain for one in tell(THERE) if one.tool.name == "mold")
    assert (rows["mold"]["path"], rows["mold"]["gain"], bool(gain)) == (None, gain, True)


# Getting one


def test_without_a_person_the_command_is_only_printed(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(scene.world(None), "install", "mold") == 0
    assert capsys.readouterr().out == "apt-get install mold\n"
    assert scene.ran == []


@pytest.mark.parametrize(("answer", "ran"), [(True, [("apt-get", "install", "mold")]), (False, [])])
def test_a_person_is_asked_before_anything_is_run(scene: Scene, answer: bool, ran: list[tuple[str, ...]]) -> None:
    assert run(scene.world(answer), "install", "mold") == 0
    assert (len(scene.asked), scene.ran) == (1, ran)


def test_yes_runs_it_without_a_question_and_gives_its_exit_code(scene: Scene) -> None:
    scene.codes = [100]
    assert run(scene.world(False), "install", "mold", "--yes") == 100
    assert (scene.asked, scene.ran) == ([], [("apt-get", "install", "-y", "mold")])


def test_a_command_that_is_killed_ends_as_a_shell_would_say(scene: Scene) -> None:
    scene.codes = [-9]
    assert run(scene.world(True), "install", "mold") == 137


def test_sudo_stands_in_front_only_where_it_is_needed(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    run(scene.world(None, is_root=False), "install", "mold")
    run(scene.world(None, is_root=False), "install", "nightly")
    assert capsys.readouterr().out == "sudo apt-get install mold\nrustup toolchain install nightly --profile minimal\n"


def test_what_nothing_can_get_ends_with_1_and_says_what_could(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(scene.world(True, Found(toolchain=STABLE)), "install", "nvcc") == 1
    assert (scene.ran, "it takes one of pip" in capsys.readouterr().err) == ([], True)


def test_a_way_for_programs_has_the_fields_that_are_documented(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scene.world(True), "update", "ninja", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    heading = "## `cargo-deck/tools-install` (version 1), of `tools install` and `tools update`"
    assert set(found) - {"schema", "version"} == documented(heading)
    assert found["commands"] == [["apt-get", "install", "--only-upgrade", "ninja-build"]]
    assert scene.ran == []


def test_what_is_there_already_is_not_offered_and_what_does_not_run_is(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    there = THERE._replace(tools={**THERE.tools, "mold": Tool("mold", "/usr/bin/mold", (2, 4, 0))})
    for words in ([], ["--yes"]):
        assert run(scene.world(True, there), "install", "mold", *words) == 0
        said = capsys.readouterr()
        assert "mold is there already (/usr/bin/mold, 2.4.0): `cargo deck tools update mold`" in said.err
        assert (said.out, scene.asked, scene.ran) == ("", [], [])
    assert run(scene.world(None, there), "install", "ninja-build", "--json") == 0
    assert json.loads(capsys.readouterr().out)["commands"] == []
    broken = THERE._replace(tools={"mold": Tool("mold", "/usr/bin/mold", (), "it ends with code 1")})
    assert run(scene.world(None, broken), "install", "mold") == 0
    assert capsys.readouterr().out == "apt-get install mold\n"


def test_who_names_no_tool_is_told_of_those_that_would_be_of_use_here(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    there = THERE._replace(tools={**THERE.tools, "mold": Tool("mold", "/usr/bin/mold", (2, 4, 0))})
    assert run(scene.world(None, there), "install") == 2
    said = capsys.readouterr().err
    assert "here for example " in said
    assert "lld" in said
    assert "mold" not in said
    assert run(scene.world(None, there), "update") == 2
    assert "mold" in capsys.readouterr().err


REFUSED = [
    (["install"], "needs a name"),
    (["instal", "mold"], "invalid choice"),
    (["install", "moldd"], "did you mean mold?"),
    (["install", "mold", "--yes", "--json"], "one of both"),
    (["--yes"], "goes with install"),
]


@pytest.mark.parametrize(("argv", "said"), REFUSED)
def test_a_command_line_that_means_nothing_is_refused_and_nothing_is_run(
    scene: Scene, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scene.world(True), *argv) == 2
    assert (said in capsys.readouterr().err, scene.ran) == (True, [])


RELEASES = [
    ("ID=debian\n", ("debian",)),
    ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', ("rocky", "rhel", "centos", "fedora")),
    ("# nothing\n\x00=\n", ()),
    ("", ()),
]


@pytest.mark.parametrize(("text", "systems"), RELEASES)
def test_the_system_is_read_from_its_release_file(text: str, systems: tuple[str, ...]) -> None:
    assert command.systems_of(text) == systems


def test_a_linker_that_failed_here_says_so_and_is_tried_again_on_request(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    mold = Tool("mold", "/usr/bin/mold", (2, 40, 0))
    found = Found(tools={"mold": mold}, refused_linkers=("mold",))
    assert any("cargo deck tools retry mold" in line for line in " ".join(shown(found)).split("!"))
    paths = common.user_paths()
    for root in ("/w", "/x"):
        assert refuse_linker(paths, root, "mold", str(scene.folder / "apt-get"))
    assert run(scene.world(), "retry", "mold") == 0
    assert capsys.readouterr().out == "mold is tried again: it was refused for 2 workspaces\n"
    assert run(scene.world(), "retry", "mold") == 1
    assert scene.ran == []
