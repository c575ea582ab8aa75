"""config.toml: what is right applies, what is wrong is said with its line, nothing stops the dashboard."""

import json
import os
import re
from pathlib import Path

import pytest

from core.paths import Paths
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui import bindings
from tui.cli.main import main
from tui.config import Settings, config_path, default_text, load, parse
from tui.key_names import label_of, normal_keys
from tui.preferences import Preferences
from tui.screens.base import DeckScreen
from tui.widgets.look import ASCII


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('theme = "light"', "theme", "light"),
        ('ascii = "yes"', "ascii", "yes"),
        ('[notify]\nbell = "failure"', "bell", "failure"),
        ('notify.osc9 = "end"', "osc9", "end"),
        ('[board]\nsort = "name"\nlayout = "2"', "layout", "2"),
        ("[log]\nwrap = true", "wrap", True),
        ('[log]\ncopy = "file"', "copy", "file"),
        ("editor = \"code --wait 'a b'\"", "editor", "code --wait 'a b'"),
    ],
)
def test_a_setting_applies_and_nothing_else_changes(text: str, name: str, value: object) -> None:
    settings, complaints = parse(text)
    assert complaints == ()
    assert getattr(settings, name) == value


@pytest.mark.parametrize(
    "text", ['[keys]\nrun.stop = "ctrl+k"', '[keys]\n"run.stop" = "ctrl+k"', '[keys.run]\nstop = "ctrl+k"']
)
def test_a_key_can_be_written_in_every_way_of_toml(text: str) -> None:
    settings, complaints = parse(text)
    assert complaints == ()
    assert dict(settings.keys) == {"run.stop": "ctrl+k"}


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ('theme = "dark"\nthem = "dark"', 2, "there is no setting them: did you mean theme?"),
        ('# a comment\n\ntheme = "drak"', 3, 'theme is one of "auto", "dark", "light", "terminal"'),
        ("[log]\nwrap = 1", 2, "log.wrap is one of false, true"),
        ('[log]\n  "copy"  =  3', 2, "log.copy is one of"),
        ('\nnotify = "x"', 2, "notify is a table: write [notify] on a line of its own"),
        ("pager = 3", 1, 'pager is a command: write it as "…"'),
        ('pager = "less \'x"', 1, "pager cannot be read as a command: no closing quotation"),
        ("[log]\nwrap = true\nwrap = false", 3, "this is not TOML: cannot overwrite a value"),
        ('theme = "dark', 1, "this is not TOML: "),
        ("theme =", 1, "this is not TOML: "),
        ("[keys]\n\nrun.stpo = 'a'", 3, "there is no action run.stpo: did you mean run.stop?"),
        ("[keys]\nrun.stop = 'crtl+k'", 2, "there is no key 'crtl+k'"),
        ("[keys]\nrun.stop = 'a,,b'", 2, "there is no key ''"),
        ("[keys]\nrun.stop = ''", 2, "run.stop needs keys"),
        ("[keys]\nrun.stop = 3", 2, "run.stop needs keys"),
        ("[keys.run]\nkill = 'ctrl+k'\nstop = 's'", 3, "s is already run.start on the board screen"),
        ("keys = 3", 1, "keys is a table"),
        ("\nmode = 3", 2, 'mode is the name of a mode: write it as "…"'),
        ("mode = 'relaese'", 1, 'there is no mode "relaese": did you mean release?'),
        ("mode = ''", 1, 'there is no mode "": there are dev, test, '),
        ("[mode]\nname = 'dev'", 2, "there is no setting mode.name: did you mean mode?"),
        ("modes = 3", 1, "modes is a table of modes: write [modes.NAME] on a line of its own"),
        ("[modes]\nfast = 'dev'", 2, "modes.fast is a table"),
        ("[modes.fast]\n\ndebug = 7", 3, 'debug is one of "none", '),
        ("[modes.fast]\ninherits = 'release'\ncodegen-unit = 1", 3, "did you mean codegen-units?"),
        ("[modes.fast]\ninherits = 'fats'", 2, "there is no mode fats to inherit: did you mean fast?"),
        ("[modes.'a b']\ndebug = 1\njobs = 1", 2, '"a b" cannot be a mode\'s name'),
        ("[modes.a]\ninherits = 'b'\n[modes.b]\ninherits = 'a'", 4, "modes inherit in a circle: a → b → a"),
        (
            "[modes.a]\ninherits = 'release-fast'\ncache = 'sccache'",
            3,
            'cache = "sccache", but mode release-fast says incremental = true',
        ),
        (
            "[modes.a]\ncache = 'sccache'\n[modes.b]\ninherits = 'a'\nincremental = true",
            5,
            'incremental = true, but line 2 says cache = "sccache"',
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_keeps_its_default(text: str, line: int, why: str) -> None:
    settings, complaints = parse(text)
    (complaint,) = complaints
    assert complaint.line == line
    assert why in complaint.why
    assert "run.stop" not in settings.keys
    assert complaint.sentence("/c/config.toml").startswith(f"/c/config.toml, line {line}: ")


def test_a_mode_of_ones_own_can_be_the_one_of_all_builds() -> None:
    settings, complaints = parse(
        'mode = "fast"\n[modes.fast]\ninherits = "release"\ndebug = 1\n[modes]\ntwo.lto = false'
    )
    assert (settings.mode, complaints) == ("fast", ())
    assert parse('mode = "none"') == (Settings(), ())
    assert parse('mode = "low-memory"')[0].mode == "low-memory"
    assert parse('mode = "fats"')[0].mode == "none"


def test_the_example_for_people_can_be_used() -> None:
    page = (Path(__file__).parents[2] / "docs/config.md").read_text()
    settings, complaints = parse(page.partition("```toml\n")[2].partition("```")[0])
    assert complaints == ()
    assert settings.keys["run.stop"] == "ctrl+k"


def test_every_mistake_in_modes_is_said_in_the_order_of_the_lines_and_only_once() -> None:
    _, complaints = parse("[modes.a]\nlto = 3\n[modes.b]\ninherits = 'a'\nstrip = 1\n[log]\nwrap = 1\n")
    assert [one.line for one in complaints] == [2, 5, 7]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"x = " + b"[" * 100_000, "nested too deeply"),
        (b"a" + b".a" * 100_000 + b" = 1", "nested too deeply"),
        (b"#" * 2_000_000, "it is longer than 1048576 bytes"),
        (b"jobs = " + b"9" * 10_000, "this is not TOML: "),
    ],
    ids=["array", "key", "size", "number"],
)
def test_a_file_that_nobody_writes_is_one_complaint(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    settings, (complaint,) = load(f"{tmp_path}/config.toml")
    assert settings == Settings()
    assert why in complaint.why


def test_a_byte_order_mark_and_the_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b'\xef\xbb\xbftheme = "light"\r\n[log]\r\nwrap = 1\r\n')
    settings, (complaint,) = load(f"{tmp_path}/config.toml")
    assert (settings.theme, complaint.line) == ("light", 3)


def test_a_folder_or_a_loop_in_place_of_the_file_is_one_complaint(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    for path in (f"{tmp_path}", f"{tmp_path}/loop.toml"):
        settings, (complaint,) = load(path)
        assert settings == Settings()
        assert complaint.why.startswith("it cannot be read: ")


def test_one_mistake_leaves_the_other_settings_alone() -> None:
    settings, complaints = parse('theme = "light"\n[log]\nwrap = "yes"\n[keys]\nrun.stop = "ctrl+k"\nrun.kill = "?"\n')
    assert (settings.theme, settings.wrap, dict(settings.keys)) == ("light", False, {"run.stop": "ctrl+k"})
    assert [one.line for one in complaints] == [3, 6]


def test_two_actions_may_change_places_where_no_screen_takes_the_key_twice() -> None:
    settings, complaints = parse("[keys]\nrun.start = 'x'\nrun.stop = 's'")
    assert complaints == ()
    assert dict(settings.keys) == {"run.start": "x", "run.stop": "s"}


def test_a_file_that_is_missing_is_no_mistake_and_one_that_is_no_text_is(tmp_path: Path) -> None:
    assert load(f"{tmp_path}/config.toml") == (Settings(), ())
    (tmp_path / "config.toml").write_bytes(b"theme = \xff")
    settings, (complaint,) = load(f"{tmp_path}/config.toml")
    assert settings == Settings()
    assert complaint.sentence("/c") == "/c: it cannot be read: it is not UTF-8 text"


def test_the_printed_file_changes_nothing_with_or_without_its_signs() -> None:
    assert parse(default_text()) == (Settings(), ())
    plain = re.sub(r"(?m)^# (?=\[|\S+ = )", "", default_text())
    settings, complaints = parse(plain)
    assert complaints == ()
    assert "\n[modes.mine]\n" in plain
    assert len(settings.keys) == len(bindings.every_id())


def test_every_screen_of_the_dashboard_is_among_those_whose_keys_are_compared() -> None:
    known = [set(keys) for keys in bindings.SCREENS.values()]
    import tui.screens.history
    import tui.screens.logs
    import tui.screens.run  # noqa: F401

    for screen in DeckScreen.__subclasses__():
        assert any(set(screen.KEYS) <= keys for keys in known), screen.__name__


def test_the_file_is_where_xdg_says() -> None:
    assert config_path({"HOME": "/h"}) == "/h/.config/cargo-deck/config.toml"
    assert config_path({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}) == "/x/cargo-deck/config.toml"
    assert config_path({"HOME": "/h", "XDG_CONFIG_HOME": "x"}) == "/h/.config/cargo-deck/config.toml"


@pytest.mark.parametrize(
    ("typed", "names", "label"),
    [
        ("?", "question_mark", "?"), ("X", "X,shift+x", "X"), ("ctrl+k", "ctrl+k", "^k"), ("f12", "f12", "F12"),
        ("shift+tab", "shift+tab", "⇧tab"), ("+", "plus", "+"), ("comma", "comma", ","), ("/", "slash", "/"),
        ("a, b ,c", "a,b,c", "a b"), ("down,j", "down,j", "↓ j"), ("é", "é", "é"),
    ],
)  # fmt: skip
def test_keys_are_read_and_printed_as_a_person_writes_them(typed: str, names: str, label: str) -> None:
    assert normal_keys(typed) == names
    assert label_of(names) == label


@pytest.mark.parametrize("typed", ["", "fooo", "cmd+x", "ctrl+", "shift", "a b"])
def test_what_is_no_key_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(typed)}$"):
        normal_keys(typed)


def write(folder: Path, text: str) -> Preferences:
    (folder / "config.toml").write_text(text)
    return Preferences(config_file=f"{folder}/config.toml", memory_file=f"{folder}/dashboard.json")


async def test_a_rebound_key_works_and_is_named_in_footer_help_and_palette(stage: Stage, tmp_path: Path) -> None:
    app = stage.app(preferences=write(tmp_path, "[keys]\nrun.start = 'ctrl+k'\napp.leave = 'Q'\n"))
    async with app.run_test(size=(120, 40)) as pilot:
        footer = text_of(pilot).splitlines()[-1]
        assert "^k start" in footer
        assert "Q leave" in footer
        await pilot.press("s")
        assert "Start a build" not in text_of(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "^k  Start a build" in text_of(pilot)
        await pilot.press("escape", "ctrl+p", *"start a")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "(^k)" in text_of(pilot)
        await pilot.press("escape", "ctrl+k")
        await pilot.pause()
        assert "folder" in text_of(pilot)


async def test_a_broken_file_is_said_once_and_the_board_is_there(stage: Stage, tmp_path: Path) -> None:
    app = stage.app(preferences=write(tmp_path, "theme = 'light'\n[keys]\nrun.stop = '?'\n[log\n"))
    async with app.run_test(size=(200, 40), notifications=True) as pilot:
        await pilot.pause()
        shown = text_of(pilot)
        assert "config.toml, line 4: this is not TOML" in shown
        assert "claude-1" in shown
        assert app.theme == "deck-dark"
        app.clear_notifications()
        app.look_at_settings()
        await pilot.pause()
        assert "not TOML" not in text_of(pilot)


async def test_a_change_of_the_file_is_taken_while_the_board_is_open(stage: Stage, tmp_path: Path) -> None:
    preferences = write(tmp_path, "")
    app = stage.app(preferences=preferences)
    async with app.run_test(size=(120, 40)) as pilot:
        (tmp_path / "config.toml").write_text("theme = 'light'\nboard.layout = 'list'\n[keys]\nrun.start = 'ctrl+k'\n")
        app.look_at_settings()
        app.pull()
        await pilot.pause()
        assert app.theme == "deck-light"
        assert app.layout_of_panes == "list"
        assert "^k start" in text_of(pilot).splitlines()[-1]
        (tmp_path / "config.toml").write_text("theme = 'light'\n[keys")
        app.look_at_settings()
        assert app.theme == "deck-light"
        assert app.settings.keys == {"run.start": "ctrl+k"}
        os.unlink(tmp_path / "config.toml")
        app.look_at_settings()
        app.pull()
        await pilot.pause()
        assert "s start" in text_of(pilot).splitlines()[-1]


def test_ascii_can_be_wished_for(stage: Stage, tmp_path: Path) -> None:
    assert stage.app(preferences=write(tmp_path, 'ascii = "yes"')).glyphs is ASCII
    assert stage.app(preferences=write(tmp_path, 'ascii = "no"'), is_ascii=True).glyphs is not ASCII


@pytest.fixture
def config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "cargo-deck").mkdir()
    return tmp_path / "cargo-deck"


def test_the_command_checks_the_file(config_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config_folder / "config.toml"
    assert main(["config"]) == 0
    assert "defaults apply" in capsys.readouterr().out
    path.write_text("theme = 'dark'\nasci = 'yes'\n")
    assert main(["config", "check"]) == 2
    assert f"{path}, line 2: there is no setting asci: did you mean ascii?" in capsys.readouterr().out
    assert main(["config", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["mistakes"] == [{"line": 2, "why": "there is no setting asci: did you mean ascii?"}]
    assert (found["path"], found["exists"]) == (str(path), True)


def test_the_command_prints_path_and_a_file_to_begin_with(
    config_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{config_folder}/config.toml\n"
    assert main(["config", "default"]) == 0
    (config_folder / "config.toml").write_text(capsys.readouterr().out)
    assert main(["config"]) == 0
    assert "all of it can be used" in capsys.readouterr().out


def test_what_this_person_wants_is_read_from_their_folders(config_folder: Path) -> None:
    (config_folder / "config.toml").write_text("theme = 'light'")
    paths = Paths(f"{config_folder}/state", f"{config_folder}/cache")
    preferences = Preferences.of_user(os.environ, paths)
    assert preferences.theme("deck-dark") == "deck-light"
    assert preferences.folder == paths.state
