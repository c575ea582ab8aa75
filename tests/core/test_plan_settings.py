"""Cargo's settings with the places that say them. That they are cargo's: `tests/real/test_plan_settings.py`."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.plan.given import Given, Key, Origin, Settings, Trouble
from core.plan.given_value import parse_given
from core.plan.rustflags import effective_rustflags
from core.plan.settings import read_settings
from core.plan.variables import find_variables
from tests.real.cargo_settings import build_world

HOST = "x86_64-unknown-linux-gnu"


def read(root: Path, env: dict[str, str] | None = None, given: tuple[str, ...] = (), manifest: str = "") -> Settings:
    env = {"CARGO_HOME": str(root / "home"), **(env or {})}
    return read_settings("", cwd=str(root / "in"), env=env, home=str(root), given=given, root=manifest)


def places(settings: Settings, root: Path) -> dict[str, str]:
    """`key=value` to its place, without the folder."""
    return {
        f"{'.'.join(key)}={given.value}": given.origin.shown.replace(str(root) + "/", "")
        for key, given in settings.values.items()
    }


def test_each_value_has_the_nearest_place_that_says_it(tmp_path: Path) -> None:
    build_world(tmp_path, {
        "home/config.toml": "[build]\njobs = 1\n\n[term]\nquiet = false\n",
        ".cargo/config.toml": 'build.jobs = 2\nbuild.rustflags = [\n"a"]\n',
        "in/.cargo/config.toml": 'include = ["more.toml"]\nbuild.rustflags = ["b"]',
        "in/.cargo/more.toml": "\n[net]\noffline = true\n",
    })  # fmt: skip
    env = {"CARGO_TERM_COLOR": "never", "CARGO_TARGET_DIR": "out"}
    settings = read(tmp_path, env, ("term.verbose=true", "build.target-dir='no'"))
    assert places(settings, tmp_path) == {
        "build.jobs=2": ".cargo/config.toml:1",
        "build.rustflags=['a', 'b']": "in/.cargo/config.toml:2",
        "net.offline=True": "in/.cargo/more.toml:3",
        "term.quiet=False": "home/config.toml:5",
        "term.color=never": "CARGO_TERM_COLOR",
        "term.verbose=True": "--config",
        "build.target-dir=out": "CARGO_TARGET_DIR",
    }
    assert [path.replace(str(tmp_path) + "/", "") for path in settings.files] == [
        "in/.cargo/config.toml", "in/.cargo/more.toml", ".cargo/config.toml", "home/config.toml",
    ]  # fmt: skip
    every = [(".".join(key), given.value) for key, given in settings.every]
    assert every == [
        ("build.target-dir", "out"), ("build.target-dir", "no"), ("term.verbose", True), ("term.color", "never"),
        ("build.rustflags", ["b"]), ("net.offline", True), ("build.rustflags", ["a"]), ("build.jobs", 2),
        ("term.quiet", False), ("build.jobs", 1),
    ]  # fmt: skip


def test_nothing_is_read_where_nothing_is(tmp_path: Path) -> None:
    build_world(tmp_path, {})
    assert read(tmp_path, {"PATH": "/bin", "RUST_LOG": "x", "CARGO_MANIFEST_DIR": "x"}) == Settings()


def test_variables_set_the_keys_that_cargo_asks_them_for() -> None:
    names: dict[str, Key] = {
        "CARGO_BUILD_RUSTC_WRAPPER": ("build", "rustc-wrapper"),
        "CARGO_PROFILE_DEV_DEBUG": ("profile", "dev", "debug"),
        "CARGO_PROFILE_DEV_SPLIT_DEBUGINFO": ("profile", "dev", "split-debuginfo"),
        "CARGO_PROFILE_DEV_BUILD_OVERRIDE_OPT_LEVEL": ("profile", "dev", "build-override", "opt-level"),
        "CARGO_PROFILE_RELEASE_LTO": ("profile", "release", "lto"),
        "CARGO_PROFILE_MY_FAST_INHERITS": ("profile", "my_fast", "inherits"),
        "CARGO_PROFILE_THE_OTHER_DEBUG": ("profile", "the-other", "debug"),
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER": ("target", HOST, "linker"),
        "CARGO_TARGET_THUMBV8M.MAIN_NONE_EABI_RUSTFLAGS": ("target", "thumbv8m.main-none-eabi", "rustflags"),
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER": ("target", "aarch64-unknown-linux-musl", "runner"),
        "CARGO_TERM_PROGRESS_WHEN": ("term", "progress", "when"),
        "CARGO_NET_GIT_FETCH_WITH_CLI": ("net", "git-fetch-with-cli"),
        "CARGO_ALIAS_XT_A": ("alias", "xt-a"),
        "RUSTC_WORKSPACE_WRAPPER": ("build", "rustc-workspace-wrapper"),
        "RUSTFLAGS": ("RUSTFLAGS",),
    }
    known = [("profile", "my_fast", "debug")]
    found = {name: key for key, name, _, _ in find_variables(dict.fromkeys(names, "x"), known)}
    assert found == names
    others = ("CARGO_HOME", "CARGO_PROFILE_DEV_PACKAGE_A_DEBUG", "CARGO_PROFILE_DEBUG", "CARGO_TARGET_", "CARGO_ALIAS_",
              "CARGO_TARGET_LINKER", "CARGO_BUILD_NOTHING", "CARGO_REGISTRY_TOKEN", "CARGO", "RUSTFLAG")  # fmt: skip
    assert list(find_variables(dict.fromkeys(others, "x"))) == []
    assert list(find_variables({"RUSTFLAGS": "\udcff", "CARGO_BUILD_JOBS": "\udcff"})) == []


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [("CARGO_BUILD_JOBS", "3", 3), ("CARGO_BUILD_JOBS", "-1", -1), ("CARGO_BUILD_JOBS", "default", "default"),
     ("CARGO_INCREMENTAL", "1", True), ("CARGO_INCREMENTAL", "true", False), ("CARGO_BUILD_INCREMENTAL", "true", True),
     ("CARGO_BUILD_TARGET_DIR", "3", "3"), ("CARGO_TARGET_DIR", "true", "true"), ("CARGO_PROFILE_DEV_DEBUG", "0", 0),
     ("CARGO_ENCODED_RUSTFLAGS", "a\x1fb c", ["a", "b c"]), ("CARGO_ENCODED_RUSTFLAGS", "", []),
     ("RUSTC_WRAPPER", "", ""), ("CARGO_BUILD_JOBS", "٣", "٣"), ("CARGO_BUILD_JOBS", "9" * 30, "9" * 30)],
)  # fmt: skip
def test_a_variable_has_the_type_that_cargo_gives_it(name: str, value: str, typed: object) -> None:
    ((_, _, found, _),) = find_variables({name: value})
    assert (found, type(found)) == (typed, type(typed))


def test_a_manifest_gives_its_profiles_alone(tmp_path: Path) -> None:
    build_world(tmp_path, {"Cargo.toml": "[package]\nname = 'a'\n[profile.dev]\ndebug = 'some'\nopt-level = 1\n"})
    settings = read(tmp_path, manifest=str(tmp_path))
    place = str(tmp_path / "Cargo.toml")
    assert settings.manifest == {
        ("profile", "dev", "debug"): Given("some", Origin(place, 4)),
        ("profile", "dev", "opt-level"): Given(1, Origin(place, 5)),
    }
    assert settings.values == {}
    (trouble,) = settings.troubles
    assert trouble.origin == Origin(place, 4)
    assert trouble.why.startswith('profile.dev.debug is "some": it takes true, false, 0, 1, 2')


def test_files_that_cannot_be_read_are_troubles_and_the_others_count(tmp_path: Path) -> None:
    build_world(tmp_path, {"home/config.toml": "build.jobs = 2", ".cargo/config.toml": "build.jobs = "})
    (tmp_path / "in/.cargo/config.toml").mkdir(parents=True)
    settings = read(tmp_path)
    assert settings.values == {("build", "jobs"): Given(2, Origin(str(tmp_path / "home/config.toml"), 1))}
    assert [(one.origin, one.why.split(":")[0]) for one in settings.troubles] == [
        (Origin(str(tmp_path / ".cargo/config.toml"), 1), "this is not TOML"),
        (Origin(str(tmp_path / "in/.cargo/config.toml")), "it cannot be read (it is no file)"),
    ]


def test_many_files_that_include_one_another_end(tmp_path: Path) -> None:
    names = [f"c{at}.toml" for at in range(300)]
    files = {f".cargo/{name}": f'include = ["{after}"]' for name, after in pairwise(names)}
    build_world(tmp_path, {".cargo/config.toml": f"include = {names!r}", **files, ".cargo/c299.toml": ""})
    assert any("more than" in one.why for one in read(tmp_path).troubles)


def test_the_home_by_another_way_is_read_once(tmp_path: Path) -> None:
    build_world(tmp_path, {".cargo/config.toml": 'build.rustflags = ["a"]'})
    (tmp_path / "link").symlink_to(tmp_path / ".cargo")
    settings = read(tmp_path, {"CARGO_HOME": str(tmp_path / "link")})
    assert [given.value for given in settings.values.values()] == [["a"]]


def test_wild_values_of_config_raise_nothing(tmp_path: Path) -> None:
    build_world(tmp_path, {})
    wild = ("", "=", "a", "a=", "\0", "a.b.c={}", "a=\x1b", "[", "[[a]]", "a=[[[[", "\udcff", "x" * 5000, ".", "/",
            "a" + ".a" * 9000 + "=1", "registry.token='x'", "include=['a']", "include=3")  # fmt: skip
    for value in wild:
        (trouble, *_) = read(tmp_path, given=(value,)).troubles
        assert trouble.origin.place in ("--config", str(tmp_path / "in"), "/"), value
        assert trouble.sentence.isprintable()


def test_wrong_types_say_what_is_expected_and_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    text = '[build]\njobs = "\\u001b[2J"\nrustflags = 3\n[target.x]\nlinker = [1]\n[term]\ncolor = 1\n'
    text += f'quiet = "{"y" * 999}"'
    build_world(tmp_path, {".cargo/config.toml": text})
    place = str(tmp_path / ".cargo/config.toml")
    troubles = read(tmp_path).troubles
    assert troubles[:4] == (
        Trouble(Origin(place, 2), 'build.jobs is "\\u001b[2J": it takes a number other than 0, or "default"'),
        Trouble(Origin(place, 3), "build.rustflags is 3: it takes an array of texts, or a text"),
        Trouble(Origin(place, 5), "target.x.linker is [1]: it takes text that is not empty"),
        Trouble(Origin(place, 7), 'term.color is 1: it takes "auto", "always" or "never"'),
    )
    assert len(troubles[4].why) < 120


def test_flags_are_words_of_a_text_or_an_array() -> None:
    def words(value: object) -> tuple[str, ...]:
        return Given(value, Origin("x")).words

    assert [words(" a  b "), words(["a b", "c"]), words(3), words([1, "a"])] == [
        ("a", "b"), ("a b", "c"), (), ("a",),
    ]  # fmt: skip


def settings_with(flags: dict[str, Any]) -> Settings:
    keys = {"build": ("build", "rustflags"), "triple": ("target", HOST, "rustflags")}
    named = {keys.get(name) or ("target", name, "rustflags"): value for name, value in flags.items()}
    return Settings(values={key: Given(value, Origin("f", 1)) for key, value in named.items()})


def test_one_source_of_rustflags_counts_and_its_key_is_said() -> None:
    build: dict[str, Any] = {"build": ["b"]}
    triple = {"triple": "t"}
    unix, other = {"cfg(unix)": ["u"]}, {"cfg(windows)": ["w"]}
    unclear = {'cfg(feature = "x")': ["f"]}
    cases: list[tuple[dict[str, Any], dict[str, str], tuple[Key, tuple[str, ...] | None]]] = [
        ({}, {}, ((), ())),
        (build, {}, (("build", "rustflags"), ("b",))),
        ({**build, **triple}, {}, (("target", HOST, "rustflags"), ("t",))),
        ({**build, **triple, **unix, **other}, {}, (("target", HOST, "rustflags"), ("t", "u"))),
        ({**build, **unix}, {}, (("target", "cfg(unix)", "rustflags"), ("u",))),
        ({**build, **other}, {}, (("build", "rustflags"), ("b",))),
        ({**build, **unclear}, {}, (("target", 'cfg(feature = "x")', "rustflags"), None)),
        ({**triple, **unclear}, {}, (("target", HOST, "rustflags"), None)),
        ({**build, "triple": []}, {}, (("build", "rustflags"), ("b",))),
        ({**build, **triple}, {"RUSTFLAGS": " r "}, (("RUSTFLAGS",), ("r",))),
        ({**build, **triple}, {"RUSTFLAGS": ""}, (("RUSTFLAGS",), ())),
        (build, {"CARGO_ENCODED_RUSTFLAGS": "e\x1ff g"}, (("CARGO_ENCODED_RUSTFLAGS",), ("e", "f g"))),
    ]  # fmt: skip
    for flags, env, expected in cases:
        assert effective_rustflags(settings_with(flags), env, "", HOST) == expected, (flags, env)
    windows = effective_rustflags(settings_with({**build, **unix, **other}), {}, "x86_64-pc-windows-msvc", HOST)
    assert windows == (("target", "cfg(windows)", "rustflags"), ("w",))
    odd = effective_rustflags(settings_with({**build, **unix}), {}, "/x/own.json", HOST)
    assert odd == (("target", "cfg(unix)", "rustflags"), None)


def test_a_config_that_may_not_be_read_says_what_to_do(tmp_path: Path) -> None:
    build_world(tmp_path, {".cargo/config.toml": "build.jobs = 1"})
    path = tmp_path / ".cargo/config.toml"
    path.unlink()
    os.symlink("/proc/self/mem", path)  # there, and refused to everybody, root too
    (trouble,) = read(tmp_path).troubles
    assert trouble.origin == Origin(str(path))
    assert trouble.why.startswith("it cannot be read (")
    assert trouble.why.endswith("mend its permissions, or move it away")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("foo", "foo"), ("", "an empty text"), ("x y token=abcdef", "x y token=***"), ("\x1b[2J", "\\x1b[2J")],
)
def test_an_option_that_sets_nothing_is_told_by_what_was_typed(text: str, shown: str) -> None:
    pair, why = parse_given(text)
    assert pair is None
    assert why.startswith(f"{shown} is neither the path of a file nor KEY=VALUE")
