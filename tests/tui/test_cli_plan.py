"""`cargo deck plan`: what a person and a program are shown of a plan that was made by hand."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import ModeRefused, StateError, UsageError
from core.plan.found import Found, Machine, Target, Tool, Toolchain
from core.plan.given import Given, Origin, Settings, Trouble
from core.plan.make import Planned, with_mends
from core.plan.plan import Change, Evidence, Finding, Plan, Setting
from core.plan.wish import Mode, Wish
from tests.tui.commands import user_folders
from tests.tui.test_cli_json import documented
from tui.cli import common
from tui.cli import plan as command
from tui.cli import plan_words as words_of

DEBUG = Setting(
    "debug", "line-tables-only", "mode", "backtraces have lines", "measured on x: clean build 20 s → 18 s (-10%)",
    Origin("mode dev"), ("--config", 'profile.dev.debug="line-tables-only"'),
)  # fmt: skip
DEPS = Setting(
    "deps-debug", "none", "mode", "nobody steps into them", flags=("--config", 'profile.dev.package."*".debug=false')
)
LAUNCHER = Setting("cmake-generator", "ninja", "mode", "faster", env=(("CMAKE_GENERATOR", "Ninja it's"),))
LINKER = Setting("linker", "mold", "user", "rustflags say so", origin=Origin("/w/.cargo/config.toml", 4))
LTO = Setting("lto", "thin-local", "cargo", "the profile says nothing")
BACKEND = Setting("backend", "llvm", "cargo", "cranelift needs nightly, and this is stable")
BROKEN = Finding(
    "sccache-incremental", "error", "sccache ends every compilation",
    (Evidence(Origin("CARGO_INCREMENTAL"), "1"), Evidence(Origin("/w/.cargo/config.toml", 3), '"sccache"')),
    "nothing is built", "unset CARGO_INCREMENTAL",
)  # fmt: skip
HINT = Finding("threads", "hint", "RUSTC_THREADS is read by nobody")

Run = Callable[..., int]


def made(*settings: Setting, mode: str = "dev", findings: tuple[Finding, ...] = (), **more: Any) -> Planned:
    plan = Plan(mode, Origin("DECK_MODE") if mode else Origin(""), settings, findings)
    options = {"backend": Given("cranelift", Origin("mode dev"))}
    wish = more.pop("wish", Wish(mode=Mode(mode, options=options if mode else {})))
    return Planned(plan, more.pop("found", Found(root="/w", cwd="/w/a")), wish, **more)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in folders of its own, with a plan that was made by hand; what it was asked for is in `run.asked`."""
    user_folders(tmp_path / "user", monkeypatch)
    monkeypatch.chdir(tmp_path)

    def call(planned: Planned | dict[str | None, Planned], *argv: str) -> int:
        def make(paths: object, **asked: Any) -> Planned:
            call.asked.append(asked)  # type: ignore[attr-defined]
            return planned[asked["mode"]] if isinstance(planned, dict) else planned

        return common.guarded(lambda given: command.run(given, make, dict(os.environ)), list(argv))

    call.asked = []  # type: ignore[attr-defined]
    return call


def asked_for(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = run.asked[-1]  # type: ignore[attr-defined]
    return found


# Which words are whose


WORDS = [
    ([], {}, ("build",)),
    (["build", "--release", "-p", "x"], {}, ("build", "--release", "-p", "x")),
    (["--mode", "dev", "test"], {"mode": "dev"}, ("test",)),
    (["test", "--mode=dev"], {"mode": "dev"}, ("test",)),
    (["--agent", "me", "--", "check", "--mode"], {"agent": "me"}, ("check", "--mode")),
    (["test", "--", "--why"], {}, ("test", "--", "--why")),
    (["build", "--all", "-v"], {}, ("build", "--all", "-v")),
    (["--all", "-v", "build"], {}, ("build",)),
    (["cargo", "check"], {}, ("check",)),
    (["+nightly", "check"], {}, ("+nightly", "check")),
]


@pytest.mark.parametrize(("argv", "own", "words"), WORDS)
def test_ours_and_cargos_words_are_told_apart(
    run: Run, argv: list[str], own: dict[str, str], words: tuple[str, ...]
) -> None:
    assert run(made(), *argv) == 0
    asked = asked_for(run)
    assert (asked["words"], asked["mode"], asked["agent"]) == (words, own.get("mode"), own.get("agent", ""))


REFUSED = [
    (["--release"], "come after its subcommand"),
    (["exec", "--", "ninja"], "not for exec"),
    (["--mode"], "expected one argument"),
    (["--diff", "dev", "--shell"], "--diff goes with"),
    (["--diff", "dev", "--modes"], "--diff goes with"),
]


@pytest.mark.parametrize(("argv", "said"), REFUSED)
def test_a_command_line_that_means_nothing_is_refused_with_a_sentence(
    run: Run, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made(), *argv) == 2
    shown = capsys.readouterr()
    assert (shown.out, said in shown.err) == ("", True)


def test_a_mode_that_does_not_exist_ends_with_2_and_the_sentence(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(paths: object, **asked: Any) -> Planned:
        raise UsageError("--mode: there is no mode devv: did you mean dev?")

    assert common.guarded(lambda given: command.run(given, refuse, {}), ["--mode", "devv"]) == 2
    assert capsys.readouterr() == ("", "cargo-deck: --mode: there is no mode devv: did you mean dev?\n")


# For people


def test_the_plan_says_who_chose_the_mode_and_what_it_overruled(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made(DEBUG, overruled=((Origin("/w/deck.toml", 3), "release"),)), "build", "--release") == 0
    shown = capsys.readouterr().out.replace("\n", " ")
    assert shown.startswith("Mode dev (DECK_MODE) for `cargo build --release` in /w/a; /w/deck.toml:3 says release,")


def test_rows_stand_below_whose_decision_they_are(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(made(DEBUG, DEPS, LINKER, LTO, BACKEND))
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].startswith("  measured on ")
    assert shown[shown.index("") :] == [
        "",
        "Set",
        "  debug       line-tables-only  mode",
        f"      {DEBUG.reason}",
        "  deps-debug  none              mode",
        f"      {DEPS.reason}",
        "",
        "Yours",
        "  linker  mold  /w/.cargo/config.toml:4",
        "",
        "Asked for, but left",
        "  backend  llvm  cargo",
        "      cranelift needs nightly, and this is stable",
        "",
        "As cargo has it (--all): lto",
        "",
        "--why: the reason of each, what it gave and costs, and what would mend it",
    ]


def test_every_setting_can_be_asked_why_and_shows_what_it_tells_cargo(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(made(DEBUG, LAUNCHER, LINKER, LTO, findings=(BROKEN,)), "--why", "--all")
    shown = capsys.readouterr().out
    for one in (DEBUG, LAUNCHER, LINKER, LTO):
        assert one.reason in shown
    assert "--config 'profile.dev.debug=\"line-tables-only\"'" in shown
    assert "mend (sccache-incremental):\n      unset CARGO_INCREMENTAL" in shown


def test_a_finding_that_breaks_the_build_is_said_and_the_command_still_ends_with_0(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made(findings=(BROKEN, HINT))) == 0
    shown = capsys.readouterr().out
    assert shown.index("✗ error: sccache ends every compilation") < shown.index("· hint: RUSTC_THREADS")
    assert "the build will fail" in shown
    assert '/w/.cargo/config.toml:3 says "sccache"' in shown
    assert "unset CARGO_INCREMENTAL" not in shown


def test_a_finding_with_a_change_is_shown_as_the_diff_of_its_file(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[build]\njobs = 4\nincremental = true\n")
    change = Change(str(file), ("build", "incremental"))
    run(with_mends(made(findings=(HINT._replace(changes=(change,)),))), "--why")
    assert "-incremental = true" in capsys.readouterr().out
    run(with_mends(made(findings=(HINT._replace(changes=(change._replace(path="/nowhere/x.toml"),)),))), "--why")
    assert "      in /nowhere/x.toml: [build] incremental goes away\n" in capsys.readouterr().out
    run(with_mends(made(findings=(HINT._replace(changes=(change,)),))), "--json")
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert "-incremental = true" in found["mend"]


def test_what_cannot_be_used_is_said_by_place_and_the_plan_without_it_is_shown(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, cargos = Trouble(Origin("/w/deck.toml", 7), "debug is a word"), Trouble(Origin("/w/c.toml"), "is a folder")
    broken = made(DEBUG, troubles=(mine,), found=Found(root="/w", settings=Settings(troubles=(cargos, mine))))
    assert run(broken) == 2
    shown = capsys.readouterr()
    assert shown.err == "cargo-deck: /w/deck.toml, line 7: debug is a word\ncargo-deck: /w/c.toml: is a folder\n"
    assert "line-tables-only" in shown.out


def test_foreign_text_reaches_the_terminal_without_what_it_would_obey(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "x\x1b]0;title\x07\x1b[31m\u202ey\r"
    row = Setting(evil, evil, "user", evil, evil, Origin(evil, 2), ("--config", evil), (("A", evil),))
    finding = Finding(evil, "warning", evil, (Evidence(Origin(evil), evil),), evil, evil)
    planned = made(row, LTO._replace(name=evil), findings=(finding,), overruled=((Origin(evil), evil),),
                   troubles=(Trouble(Origin(evil), evil),), found=Found(cwd=evil))  # fmt: skip
    for argv in (["--why"], ["--why", "--all"], ["--modes"]):
        run(planned, *argv)
        shown = "".join(capsys.readouterr())
        assert not set(shown) & set("\x1b\x07\r\u202e"), argv


@pytest.mark.parametrize("width", [24, 40, 80])
def test_no_line_is_wider_than_the_terminal_unless_one_word_is(width: int) -> None:
    planned = made(DEBUG, DEPS, LINKER, LTO, BACKEND, findings=(BROKEN._replace(mend=""), HINT))
    look = words_of.Look(width, is_asked_why=True, shows_all=True)
    for line in words_of.lines(planned, ("build",), look):
        assert len(line) <= width or len(line.split()) == 1, line


def test_a_path_is_never_cut() -> None:
    path = "/a" * 60
    assert any(path in line for line in words_of.folded(f"see {path} for it", 40, 6))


def test_colours_come_only_where_they_are_wanted() -> None:
    planned = made(DEBUG, findings=(BROKEN,))
    plain = "".join(words_of.lines(planned, ("build",), words_of.Look()))
    lit = "".join(words_of.lines(planned, ("build",), words_of.Look(has_colour=True)))
    assert "\x1b" not in plain
    assert "\x1b[31m" in lit


@pytest.mark.parametrize("words", [("fmt",), ("build", "--no-such-flag"), ("no-such-command",)])
def test_a_command_that_gets_nothing_of_ours_is_said_to(
    run: Run, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made(LTO, mode="", findings=(HINT,)), *words) == 0
    shown = capsys.readouterr().out
    assert "cargo-deck sets nothing in it" in shown.replace("\n", " ")
    assert "RUSTC_THREADS" in shown
    assert "As cargo has it" not in shown


def test_a_mode_that_cannot_be_used_is_not_taken_for_none(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    trouble = Trouble(Origin("/w/deck.toml", 4), "strip is a word")
    nothing = Planned(Plan(mode_origin=Origin("/w/deck.toml", 1)), Found(root="/w"), Wish())
    assert run(nothing) == 0
    assert capsys.readouterr().out.startswith("No mode, as /w/deck.toml:1 says, for `cargo build`")
    assert run(nothing._replace(troubles=(trouble,))) == 2
    assert "what /w/deck.toml:1 says cannot be used" in capsys.readouterr().out.replace("\n", " ")


# The price of a second copy


def test_the_price_of_a_second_copy_is_told_where_hashes_change(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "target" / "debug" / "deps"
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(b"x" * 3_000_000)
    os.link(folder / "a", tmp_path / "target" / "debug" / "a")
    wish = Wish(target_dir=str(tmp_path / "target"))
    run(made(DEBUG, wish=wish))
    assert "takes 3.0 M now" in capsys.readouterr().out.replace("\n", " ")
    run(made(LAUNCHER, LINKER, wish=wish))
    assert "hashes" not in capsys.readouterr().out


def test_a_walk_that_takes_too_long_says_that_there_is_more(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).write_bytes(b"x" * 1000)
    ticks = iter(range(100))
    size = command.folder_size(str(tmp_path), lambda: float(next(ticks)), 2.5)
    assert (size.size_bytes, size.shown) == (2000, "≥ 2.0 K")
    assert command.folder_size(str(tmp_path), lambda: 0.0, 1.0).shown == "4.0 K"
    assert command.folder_size(str(tmp_path / "none"), lambda: 0.0, 1.0).size_bytes == 0
    assert command.folder_size("bad\0name", lambda: 0.0, 1.0).size_bytes == 0


FOLDERS = [
    (Wish(target_dir="/t"), None, "/t/debug"),
    (Wish("test", target_dir="/t"), None, "/t/debug"),
    (Wish("bench", target_dir="/t"), None, "/t/release"),
    (Wish(options={"release": [""]}, target_dir="/t"), None, "/t/release"),
    (Wish(options={"profile": ["fast"]}, target_dir="/t"), Target("riscv64", Origin("--target")), "/t/riscv64/fast"),
    (Wish(), None, ""),
]


@pytest.mark.parametrize(("wish", "target", "folder"), FOLDERS)
def test_the_folder_of_a_build_is_that_of_its_profile_and_target(
    wish: Wish, target: Target | None, folder: str
) -> None:
    assert words_of.profile_folder(made(wish=wish, found=Found(target=target))) == folder


HASHED = [
    ("profile.dev.debug=0", True), ("target.x86_64-unknown-linux-gnu.rustflags=['-Cx']", True),
    ("build.incremental=false", True), ("build.jobs=2", False), ("term.quiet=true", False),
    ('target.x.runner="y"', False),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "is_hashed"), HASHED)
def test_only_what_enters_a_hash_makes_a_second_copy(setting: str, is_hashed: bool) -> None:
    row = Setting("x", "y", "mode", "", flags=("--config", setting))
    assert words_of.changes_hashes(Plan(settings=(row,))) is is_hashed


# Two plans


def test_a_difference_shows_both_values_and_the_cost(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    full = Setting("debug", "full", "cargo", "as cargo has it")
    modes = {None: made(full, LTO, mode=""), "dev": made(DEBUG, DEPS, LTO)}
    assert run(modes, "--diff", "dev") == 0
    assert capsys.readouterr().out.splitlines()[:6] == [
        "`cargo build`: no mode → dev",
        "",
        "  debug       full → line-tables-only",
        "      measured on x: clean build 20 s → 18 s (-10%)",
        "  deps-debug  – → none",
    ]


def test_without_a_workspace_only_what_to_do_is_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made(DEBUG, mode="", found=Found(cwd="/x"))) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown == (
        "No workspace is found for `cargo build` in /x: no Cargo.toml is there or above. Nothing is planned: go to a "
        "package's folder, or make one with `cargo init`."
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("build", "--bogus"), "some word of it is none that cargo-deck knows"),
        (("frobnicate",), "frobnicate is no subcommand that builds"),
        (("clean",), "clean is no subcommand that builds"),
    ],
)
def test_a_command_line_that_gets_nothing_of_ours_says_why(
    words: tuple[str, ...], why: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(made(mode="", wish=Wish(subcommand=words[0])), *(("--", *words)))
    assert why in " ".join(capsys.readouterr().out.split())


def test_what_a_title_says_is_not_said_again_of_its_place(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = Finding(
        "settings-unusable", "error", "c.toml, line 3: no number", (Evidence(Origin("/c.toml", 3), "no number"),)
    )
    cut = found._replace(title="c.toml, line 3: no …")
    run(made(findings=(found, cut)))
    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert (shown.count("/c.toml:3"), shown.count("no number")) == (2, 1)


TROUBLE = Trouble(Origin("/w/deck.toml", 2), "modes is a table")


@pytest.mark.parametrize("words", [(), ("--json",), ("--shell",), ("--modes",), ("--diff", "dev")])
@pytest.mark.parametrize(
    ("planned", "code"),
    [
        (made(), 0),
        (made(findings=(BROKEN,)), 0),
        (made(troubles=(TROUBLE,)), 2),
        (made(found=Found(settings=Settings(troubles=(TROUBLE,)))), 2),
    ],
)
def test_the_exit_code_says_whether_all_settings_can_be_used(
    planned: Planned, code: int, words: tuple[str, ...], run: Run
) -> None:
    assert run(planned, *words) == code


@pytest.mark.parametrize(
    ("fault", "code"),
    [(UsageError("x"), 2), (ModeRefused("x"), 2), (StateError("x"), 125), (OSError(28, "full"), 125),
     (KeyboardInterrupt(), 130)],
)  # fmt: skip
def test_a_plan_that_cannot_be_made_has_an_exit_code_of_its_own(fault: BaseException, code: int, run: Run) -> None:
    def fail(paths: object, **asked: Any) -> Planned:
        raise fault

    assert common.guarded(lambda given: command.run(given, fail, {}), []) == code


def test_every_exit_code_is_in_the_help_and_on_the_page_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    page = (Path(__file__).parents[2] / "docs" / "modes.md").read_text().partition("## Exit codes")[2]
    for code in ("0", "2", "125", "130"):
        assert f" {code}, " in told
        assert f"\n| {code} | " in page


@pytest.mark.parametrize("option", ["--mode", "--diff"])
def test_a_mode_that_there_is_not_is_told_of_the_option_that_names_it(
    option: str, run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def make(paths: object, **asked: Any) -> Planned:
        if asked["mode"] == "x":
            raise ModeRefused("--mode: there is no mode")
        return made()

    assert common.guarded(lambda given: command.run(given, make, {}), [option, "x"]) == 2
    assert capsys.readouterr().err == f"cargo-deck: {option}: there is no mode\n"


def test_what_stays_as_it_is_is_no_difference_though_another_profile_is_told_so(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--config", "profile.release.incremental=true")
    told = Setting("incremental", "true", "mode", "members compile again what changed", flags=flags)
    own = Setting("incremental", "true", "cargo", "cargo's own for dev")
    modes = {None: made(own, LTO, mode=""), "release-fast": made(told, LTO, DEPS, mode="release-fast")}
    assert run(modes, "--diff", "release-fast") == 0
    shown = capsys.readouterr().out
    assert "incremental" not in shown
    assert "deps-debug" in shown


def test_two_plans_that_are_the_same_are_said_to_be(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run({None: made(LTO, mode=""), "release": made(LTO, mode="release")}, "--diff", "release", "check")
    assert capsys.readouterr().out == "`cargo check`: release changes nothing against no mode.\n"


# For a shell


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_the_lines_for_a_shell_give_back_every_word(
    run: Run, tmp_path: Path, shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made(DEBUG, DEPS, LAUNCHER, LTO), "--shell", "test", "-p", "a b", "--", "it's", "$(x)\n") == 0
    lines = capsys.readouterr().out
    fake = tmp_path / "bin" / "cargo"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nprintf "%s\\0" "$CMAKE_GENERATOR" "$@"\n')
    fake.chmod(0o755)
    env = {"PATH": f"{fake.parent}:{os.environ['PATH']}"}
    done = subprocess.run([shell, "-c", 'eval "$1"', shell, lines], env=env, capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [
        "Ninja it's", "test", *DEBUG.flags, *DEPS.flags, "-p", "a b", "--", "it's", "$(x)\n"
    ]  # fmt: skip


def test_a_private_target_dir_is_in_the_lines_for_a_shell(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(made(DEBUG, wish=Wish(target_dir="/p d", target_dir_source="private")), "--shell")
    assert shlex.split(capsys.readouterr().out)[:4] == ["cargo", "build", "--target-dir", "/p d"]


def test_a_command_line_that_takes_no_flags_of_ours_stays_as_it_is(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(made(DEBUG), "--shell", "build", "--no-such-flag")
    shown = capsys.readouterr()
    assert shown.out == "cargo build --no-such-flag\n"
    assert "sets nothing in it" in shown.err


# For programs


def full_plan(tmp_path: Path) -> Planned:
    tools = {"mold": Tool("mold", "/usr/bin/ld.mold", (2, 40)), "wild": Tool("wild")}
    found = Found(
        Machine(cores=2), Toolchain("stable", rustc=(1, 95, 0)), tools, root="/w", cwd="/w",
        target=Target("riscv64", Origin("--target")),
    )  # fmt: skip
    return made(
        DEBUG, LTO, findings=(BROKEN,), found=found, wish=Wish(target_dir=str(tmp_path)),
        overruled=((Origin("/w/deck.toml", 3), ""),), troubles=(Trouble(Origin("/w/deck.toml", 7), "why"),),
    )  # fmt: skip


def test_the_plan_for_programs_has_the_fields_that_are_documented(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(full_plan(tmp_path), "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["version"]) == ("cargo-deck/plan", 1)
    assert set(found) - {"schema", "version"} == documented("## `cargo-deck/plan` (version 1)")
    assert set(found["settings"][0]) == documented("### A setting")
    assert set(found["findings"][0]) == documented("### A finding")
    assert set(found["copy"]) == documented("### `copy`")
    assert set(found["found"]) == documented("### `found`")
    assert found["overruled"] == [{"origin": "/w/deck.toml:3", "mode": None}]
    assert found["troubles"] == [{"place": "/w/deck.toml", "line": 7, "why": "why"}]
    assert found["flags"] == list(DEBUG.flags)
    assert found["found"]["toolchain"]["rustc"] == "1.95.0"
    assert [one["version"] for one in found["found"]["tools"]] == ["2.40", None]


def test_a_difference_for_programs_has_the_fields_that_are_documented(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run({None: made(LTO, mode=""), "dev": made(DEBUG, LTO)}, "--diff", "dev", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "cargo-deck/plan-diff"
    assert set(found) - {"schema", "version"} == documented("## `cargo-deck/plan-diff` (version 1), of `plan --diff`")
    assert found["changes"] == [{"setting": "debug", "before": None, "after": DEBUG.record()}]


# Modes


def test_all_modes_are_listed_and_the_chosen_one_is_marked(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deck.toml").write_text('[modes.mine]\nabout = "for me"\ndebug = "full"\n')
    planned = made(mode="mine", found=Found(root=str(tmp_path)), overruled=((Origin("/w/deck.toml", 3), "release"),))
    assert run(planned, "--modes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=2) == ["*", "mine", "for me"]
    assert lines[1].strip().startswith(f"{tmp_path}/deck.toml:")
    assert any(line.startswith("  release-fast") for line in lines)
    assert lines[-1] == "mine is chosen by DECK_MODE; /w/deck.toml:3 says release, which counts less."


def test_a_mode_that_says_not_what_it_is_for_says_what_it_sets_beside_its_name(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deck.toml").write_text('[modes.mine]\ndebug = "full"\n')
    assert run(made(mode="", found=Found(root=str(tmp_path))), "--modes") == 0
    head, place, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["mine", "debug", "full"]
    assert "deck.toml:2" in place


def test_modes_for_programs_have_the_fields_that_are_documented(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(made(mode="", found=Found(root=str(tmp_path))), "--modes", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "cargo-deck/plan-modes"
    assert set(found) - {"schema", "version"} == documented("## `cargo-deck/plan-modes` (version 1), of `plan --modes`")
    dev = next(one for one in found["modes"] if one["mode"] == "dev")
    assert (dev["origin"], dev["options"]["deps-debug"]) == ("mode dev", "none")
