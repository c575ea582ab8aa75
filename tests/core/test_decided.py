"""What is decided before a build starts: what must be planned first, and that a fault of planning holds no build up."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.actions import Actions
from core.errors import ModeRefused, SpawnError, UsageError
from core.late_plan import plan_late
from core.plan import choose, make
from core.plan.decide import decide
from core.plan.found import Found
from core.plan.given import Origin, Trouble
from core.plan.wish import Wish
from core.run import begin, compose, identity, spawn
from core.run.command import is_planned_first, project_file
from core.run.decided import MAX_NOTICE
from tests.core.runs import exit_of, paths_in


class Place:
    """A workspace of one crate, a cargo that does nothing, and folders of a person's own."""

    def __init__(self, folder: Path) -> None:
        self.paths = paths_in(folder)
        self.root = folder / "ws"
        (self.root / "src").mkdir(parents=True)
        (self.root / "Cargo.toml").write_text('[package]\nname = "a"\nversion = "1.0.0"\nedition = "2021"\n')
        (self.root / "src" / "lib.rs").touch()
        (folder / "bin").mkdir()
        (folder / "bin" / "cargo").write_text("#!/bin/sh\necho built\n")
        (folder / "bin" / "cargo").chmod(0o755)
        self.settings = folder / "config" / "cargo-deck" / "config.toml"
        self.settings.parent.mkdir(parents=True)
        self.env = {
            "PATH": f"{folder}/bin:/usr/bin:/bin", "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state"),
        }  # fmt: skip

    def start(self, *words: str, mode: str | None = None) -> str:
        return begin.start_detached(
            self.paths, agent="a", cwd=str(self.root), words=words or ("build",), tool="cargo", env=self.env, mode=mode
        )

    def begin(self, mode: str | None = None) -> begin.Begun:
        agent = identity.Agent("a", "flag")
        request = begin.Request(
            "cargo", ("build",), agent, str(self.root), self.env, compose.NOBODY, is_owned=False, mode=mode
        )
        return begin.begin(self.paths, request)

    def record(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(self.paths.run(run), "run.json").read_text())
        return found

    def is_planned_first(self, *words: str, **env: str) -> bool:
        command = begin.command_of(self.paths, words or ("build",), str(self.root), {**self.env, **env})
        return is_planned_first(command, None)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _fail(*args: object, **more: object) -> Any:
    raise TypeError("of all things")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rust-toolchain", "1.61.0\n"),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.61.0" # old\n'),
        ("../rust-toolchain.toml", "toolchain.channel = '1.61.0'\n"),
    ],
)
def test_a_toolchain_of_a_file_that_is_not_installed_is_told_before_the_build(
    name: str, text: str, place: Place
) -> None:
    toolchains = place.root.parent / ".rustup" / "toolchains"
    toolchains.mkdir(parents=True)
    (place.root / name).write_text(text)
    assert place.is_planned_first()
    (toolchains / "1.61.0-x86_64-unknown-linux-gnu").mkdir()
    assert not place.is_planned_first()


@pytest.mark.parametrize(("variable", "severity"), [("0", "error"), ("1", "hint")])
def test_a_toolchain_that_rustup_installs_by_itself_is_no_notice(variable: str, severity: str, place: Place) -> None:
    folder = place.root.parent
    (folder / ".rustup" / "toolchains").mkdir(parents=True)
    os.link(folder / "bin" / "cargo", folder / "bin" / "rustup")
    (place.root / "rust-toolchain").write_text("1.61.0\n")
    place.env["RUSTUP_AUTO_INSTALL"] = variable
    begun = place.begin()
    assert exit_of(place.paths, begun.started.run)["code"] == 0
    (finding,) = place.record(begun.started.run)["findings"]
    assert (finding["id"], finding["severity"]) == ("toolchain-missing", severity)
    assert [one for one in begun.notices if "1.61.0" in one] == [one for one in begun.notices if severity == "error"]
    assert bool(begun.notices) == (severity == "error")


@pytest.mark.parametrize("text", ["", "[toolchain]\nprofile = 'minimal'\n", "\n\n", "a b c"])
def test_a_toolchain_file_that_names_none_at_a_glance_delays_nothing(text: str, place: Place) -> None:
    (place.root.parent / ".rustup" / "toolchains").mkdir(parents=True)
    (place.root / "rust-toolchain").write_text(text)
    assert not place.is_planned_first()


def test_what_ends_a_build_is_told_with_where_its_mend_is_shown(place: Place) -> None:
    (place.root / ".cargo").mkdir()
    (place.root / ".cargo/config.toml").write_text('[build]\nrustc-wrapper = "/nowhere/wrap"\n')
    (notice,) = place.begin().notices
    assert "/nowhere/wrap" in notice
    assert notice.endswith("config.toml:2); `cargo deck plan --why` shows what mends it")


@pytest.mark.parametrize("name", ["RUSTFLAGS", "CFLAGS_x86_64-unknown-linux-gnu", "BINDGEN_EXTRA_CLANG_ARGS"])
def test_flags_that_hold_a_credential_are_not_kept_and_such_a_build_is_not_repeated(name: str, place: Place) -> None:
    place.env |= {name: "-g -DMY_TOKEN=planted", "DECK_MODE": "dev", "MY_NOTE": "x MY_TOKEN=planted"}
    run = place.start()
    exit_of(place.paths, run)
    record = place.record(run)
    assert (record["env"][name], record["env"]["MY_NOTE"], record["is_masked"]) == (None, None, True)
    files = [file for file in Path(place.paths.run(run)).rglob("*") if file.is_file()]
    assert [file.name for file in files if b"planted" in file.read_bytes()] == []
    with pytest.raises(UsageError, match="held a credential"):
        Actions(place.paths, status=dict, shut_down=lambda: None).handle({"do": "restart", "run": run})


def test_a_note_that_holds_a_credential_keeps_no_build_from_being_repeated(place: Place) -> None:
    place.env["MY_NOTE"] = "x MY_TOKEN=planted"
    record = place.record(place.start())
    assert (record["env"]["MY_NOTE"], record["is_masked"]) == (None, False)


# A fault of ours


def test_a_build_whose_planning_fails_goes_plain_and_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "prepare", _fail)
    begun = place.begin("dev")
    assert begun.notices == ("this build could not be planned, and goes plain: TypeError: of all things",)
    assert exit_of(place.paths, begun.started.run)["code"] == 0
    record = place.record(begun.started.run)
    assert (record["is_planned"], record["mode"], record["mode_asked"]) == (False, None, "dev")
    assert [(one["severity"], one["title"]) for one in record["findings"]] == [("warning", begun.notices[0])]


def test_what_could_not_be_planned_at_first_still_says_so_when_it_is_planned_late(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(make, "prepare", _fail)
        run = place.start(mode="dev")
    exit_of(place.paths, run)
    planned = plan_late(place.paths, run)
    assert planned is not None
    assert planned.plan.findings[0].id == "not-planned"
    assert planned.plan.mode == ""


def test_an_unknown_mode_is_refused_and_leaves_nothing(place: Place) -> None:
    with pytest.raises(UsageError, match="there is no mode"):
        place.start(mode="devv")
    assert (os.listdir(place.paths.runs), os.listdir(place.paths.open)) == ([], [])


NO_PROFILE = "no manifest or config file defines the profile release-lto: did you mean relase-lto?"


def with_a_profile_that_there_is_not(place: Place) -> str:
    (place.root / "deck.toml").write_text('mode = "lto"\n[modes.lto]\nprofile = "release-lto"\n')
    with (place.root / "Cargo.toml").open("a") as manifest:
        manifest.write('[profile.relase-lto]\ninherits = "release"\n')
    return f"{place.root}/deck.toml, line 3: {NO_PROFILE}"


def test_a_profile_of_a_mode_that_nobody_defines_is_told_before_the_build_with_the_nearest_name(place: Place) -> None:
    why = with_a_profile_that_there_is_not(place)
    begun = place.begin()
    assert begun.notices == (why,)
    assert exit_of(place.paths, begun.started.run)["code"] == 0
    (finding,) = place.record(begun.started.run)["findings"]
    assert (finding["severity"], finding["evidence"][0]["line"]) == ("error", 3)


def test_a_mode_on_the_command_line_whose_profile_nobody_defines_is_refused(place: Place) -> None:
    why = with_a_profile_that_there_is_not(place)
    with pytest.raises(ModeRefused) as refused:
        place.start(mode="lto")
    assert str(refused.value) == why


@pytest.mark.parametrize(
    "words", [("build", "--release"), ("build", "--profile", "relase-lto"), ("bench",), ("clean",)]
)
def test_a_profile_that_would_not_be_built_anyway_is_no_trouble(words: tuple[str, ...], place: Place) -> None:
    with_a_profile_that_there_is_not(place)
    assert place.record(place.start(*words))["findings"] == []


@pytest.mark.parametrize(
    ("root", "package"),
    [
        ('[workspace]\nexclude = ["crates/left"]\n', "[profile.dist]\ninherits = 'release'\n"),
        ("[workspace]\n", "workspace = '../../other'\n"),
        ('workspace = { members = ["crates/left"] }\nprofile.dist.inherits = "release"\n', ""),
    ],
)
def test_a_profile_of_the_manifest_that_cargo_takes_it_from_is_defined(root: str, package: str, place: Place) -> None:
    (place.root / ".git").mkdir()
    (place.root / "deck.toml").write_text('[modes.d]\nprofile = "dist"\n')
    (place.root / "Cargo.toml").write_text(root)
    left, other = place.root / "crates" / "left", place.root / "other"
    for folder, text in (
        (left, f'[package]\nname = "left"\n{package}'),
        (other, "[workspace]\n[profile.dist]\ndebug = 0"),
    ):
        folder.mkdir(parents=True)
        (folder / "Cargo.toml").write_text(text)
    run = begin.start_detached(
        place.paths, agent="a", cwd=str(left), words=("build",), tool="cargo", env=place.env, mode="d"
    )
    assert exit_of(place.paths, run)["code"] == 0
    planned = make.preview(place.paths, words=("build",), cwd=str(left), env=place.env, mode="d")
    assert [one.title for one in planned.plan.findings if one.id == "settings-unusable"] == []
    if package:
        assert planned.plan.flags[:2] == ("--profile", "dist")
        assert planned.found.root == str(left if "dist" in package else other)


def test_a_profile_is_not_missed_where_the_manifest_cannot_be_read(place: Place) -> None:
    with_a_profile_that_there_is_not(place)
    (place.root / "Cargo.toml").write_text("[profile\n")
    assert [why for why in place.begin().notices if NO_PROFILE[:30] in why] == []


@pytest.mark.parametrize("fault", [TypeError("x"), KeyboardInterrupt()])
def test_a_start_that_fails_by_whatever_leaves_nothing(
    place: Place, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **more: object) -> Any:
        raise fault

    monkeypatch.setattr(compose, "compose", fail)
    with pytest.raises(type(fault)):
        place.start()
    assert (os.listdir(place.paths.runs), os.listdir(place.paths.open)) == ([], [])


@pytest.mark.parametrize(("fault", "seen"), [(TypeError("x"), TypeError), (OSError(28, "full"), SpawnError)])
def test_a_record_that_cannot_be_written_leaves_nothing(
    place: Place, fault: Exception, seen: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **more: object) -> Any:
        raise fault

    monkeypatch.setattr(spawn, "write_record", fail)
    with pytest.raises(seen):
        place.start()
    assert (os.listdir(place.paths.runs), os.listdir(place.paths.open)) == ([], [])


# What a record says


def test_what_cannot_be_used_is_on_record_with_its_place(place: Place) -> None:
    (place.root / "deck.toml").write_text('mode = "devv"\n')
    begun = place.begin()
    exit_of(place.paths, begun.started.run)
    (found,) = place.record(begun.started.run)["findings"]
    assert (found["id"], found["severity"]) == ("settings-unusable", "error")
    (said,) = found["evidence"]
    assert (said["place"], said["line"]) == (f"{place.root}/deck.toml", 1)
    assert said["value"].startswith('there is no mode "devv"')
    assert found["title"].startswith('deck.toml, line 1: there is no mode "devv"')
    assert len(begun.notices) == 1


def test_a_restart_has_the_mode_that_was_asked_for_as_it_was_asked_for(place: Place) -> None:
    first = place.start(mode="dev")
    exit_of(place.paths, first)
    assert "DECK_MODE" not in place.record(first)["env"]
    actions = Actions(place.paths, status=dict, shut_down=lambda: None)
    second = actions.handle({"do": "restart", "run": first})["run"]
    exit_of(place.paths, second)
    record = place.record(second)
    assert (record["mode"], record["mode_origin"], record["mode_asked"]) == ("dev", "--mode", "dev")
    assert "DECK_MODE" not in record["env"]


def test_a_variable_that_somebody_exported_is_left_to_the_build(place: Place) -> None:
    place.env["DECK_MODE"] = "dev"
    run = place.start(mode="release")
    exit_of(place.paths, run)
    record = place.record(run)
    assert (record["mode"], record["env"]["DECK_MODE"]) == ("release", "dev")


def test_no_sentence_before_a_build_has_no_end() -> None:
    long = Trouble(Origin("/w/deck.toml", 1), "x" * 15_000)
    planned = make.Planned(decide(Found(), Wish()), Found(), Wish(), troubles=(long,))
    assert [len(one) for one in planned.notices] == [MAX_NOTICE]
    assert len(planned.record["findings"][0]["title"]) <= MAX_NOTICE


def test_what_a_request_says_of_its_environment_counts_but_what_an_enclosing_run_put_there(place: Place) -> None:
    actions = Actions(place.paths, status=dict, shut_down=lambda: None)
    env = {**place.env, "DECK_MODE": "dev", "DECK_RUN": "20260101-000000-000-0001", "DEPLOY_TOKEN": "hunter2hunter2"}
    message = {"do": "start", "agent": "a", "cwd": str(place.root), "argv": ["build"], "env": env}
    run = actions.handle(message)["run"]
    exit_of(place.paths, run)
    record = place.record(run)
    assert (record["mode"], record["mode_origin"], record["mode_asked"]) == ("dev", "DECK_MODE", None)
    assert record["env"]["DEPLOY_TOKEN"] is None
    assert "DECK_RUN" not in record["env"]


# Planned while it runs


def test_a_plan_made_late_knows_no_mode_whatever_files_and_variables_say_by_then(place: Place) -> None:
    run = place.start()
    exit_of(place.paths, run)
    assert place.record(run)["is_planned"] is False
    (place.root / "deck.toml").write_text(
        'mode = "check-fast"\nbare-names = true\n[modes.check-fast]\npackages = "changed"\ntarget-cpu = "native"\n'
    )
    record = place.record(run)
    record["env"] |= {"DECK_FEATURES": "x", "DECK_MODE": "dev", "VERBOSE": "1"}
    Path(place.paths.run(run), "run.json").write_text(json.dumps(record))
    planned = plan_late(place.paths, run)
    assert planned is not None
    assert (planned.plan.mode, list(planned.plan.ours), planned.troubles) == ("", [], ())
    assert planned.found.unasked


# What is planned first


@pytest.mark.parametrize(
    "text",
    ['mode = "dev"\n', '\ufeffmode = "dev"\n', '"mode" = "dev"\n', "'mode' = \"dev\"\n", '"mo\\u0064e" = "dev"\n',
     "[modes.mine]\ndebug = 0\n", "[ modes.mine ]\ndebug = 0\n", '\t mode="dev"\n',
     pytest.param("#" * (1 << 20) + "\nmode = 4", id="of a megabyte")],
)  # fmt: skip
def test_settings_that_speak_of_modes_are_seen_as_the_plan_sees_them(place: Place, text: str) -> None:
    place.settings.write_text(text)
    own = choose.read_own("", str(place.root), place.env)
    assert own.asked or own.troubles or own.layers[1]
    assert place.is_planned_first()


def test_settings_that_do_not_are_left_to_others(place: Place) -> None:
    assert not place.is_planned_first()
    place.settings.write_text('[board]\ntheme = "dark"\n')
    assert not place.is_planned_first()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _round(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make_it", [_pipe, _folder, _round])
def test_what_is_no_file_is_told_by_the_plan(place: Place, make_it: Any) -> None:
    make_it(place.settings)
    assert choose.read_own("", str(place.root), place.env).troubles
    assert place.is_planned_first()
    os.rmdir(place.settings) if make_it is _folder else os.unlink(place.settings)
    assert not place.is_planned_first()
    make_it(place.root / "deck.toml")
    assert choose.read_own("", str(place.root), place.env).troubles
    assert place.is_planned_first()


def test_a_project_file_counts_in_the_root_and_beside_git_alone(place: Place) -> None:
    (place.root.parent / "deck.toml").write_text('mode = "dev"\n')
    assert not place.is_planned_first()
    assert not project_file(str(place.root))
    (place.root.parent / ".git").mkdir()
    assert place.is_planned_first()
    assert project_file(str(place.root))


@pytest.mark.parametrize(
    ("table", "words", "is_first"),
    [
        ("target.riscv64gc-unknown-none-elf", (), False),
        ("target.riscv64gc-unknown-none-elf", ("build", "--target", "riscv64gc-unknown-none-elf"), True),
        ("target.odd", ("build", "--target", "specs/odd.json"), True),
        ("target.'cfg(unix)'", (), True),
        (f"target.{os.uname().machine}-unknown-linux-gnu", (), True),
        (f"target.{os.uname().machine}-unknown-linux-gnu", ("build", "--target", "x"), True),
    ],
)
def test_a_linker_that_is_not_there_matters_where_it_would_link(
    place: Place, table: str, words: tuple[str, ...], is_first: bool
) -> None:
    (place.root / ".cargo").mkdir()
    (place.root / ".cargo" / "config.toml").write_text(f'[{table}]\nlinker = "nosuchlinker"\n')
    assert place.is_planned_first(*words) is is_first
    (place.root / ".cargo" / "config.toml").write_text(
        f'[{table}]\nlinker = "nosuchlinker"\n[build]\ntarget = ["riscv64gc-unknown-none-elf", "odd"]\n'
    )
    assert place.is_planned_first()


# Where cargo works


@pytest.mark.parametrize(
    "words", [("-C", "ws", "build"), ("-Cws", "build"), ("-C=ws", "build"), ("-v", "-C", "ws", "b")]
)
def test_settings_are_those_of_the_folder_that_cargo_goes_to(place: Place, words: tuple[str, ...]) -> None:
    (place.root / ".cargo").mkdir()
    (place.root / ".cargo" / "config.toml").write_text('[build]\ntarget-dir = "there"\n[alias]\nx = "check"\n')
    (place.root.parent / ".cargo").mkdir()
    (place.root.parent / ".cargo" / "config.toml").write_text('[build]\nrustc-wrapper = "kept"\n')
    command = begin.command_of(place.paths, words, str(place.root.parent), place.env)
    assert (command.cwd, command.root) == (str(place.root), str(place.root))
    assert command.config.target_dir == f"{place.root}/there"
    assert command.config.rustc_wrapper == "kept"
    assert "x" in command.config.aliases


def test_c_after_the_subcommand_is_none_of_cargos(place: Place) -> None:
    parsed, settings = begin.parse_cargo(("test", "--", "-C", "ws"), str(place.root.parent), place.env)
    assert (parsed.value("C"), settings.aliases) == (None, {})
