"""Cargo's settings as we read them, against what real cargo says of the same files, variables and flags."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.real.cargo_settings import Files, build_world, config_get, environment, flat, let_rest, read, write_crate

pytestmark = pytest.mark.long

WORLDS: dict[str, tuple[Files, dict[str, str], tuple[str, ...]]] = {
    "nearer files win and arrays are joined": (
        {
            "home/config.toml": '[build]\njobs = 1\nrustflags = ["far"]\n[alias]\nx = ["a"]',
            ".cargo/config.toml": '[build]\njobs = 2\nrustflags = ["mid"]\n[alias]\nx = ["b"]\ny = "c d"',
            "in/.cargo/config.toml": '[build]\nrustflags = ["near", "er"]',
        },
        {},
        (),
    ),
    "a program is the nearest one": (
        {
            ".cargo/config.toml": '[target.t]\nrunner = ["far", "a"]',
            "in/.cargo/config.toml": '[target.t]\nrunner = ["near"]',
        },
        {},
        (),
    ),
    "a string over a string is the nearer one": (
        {".cargo/config.toml": 'build.rustflags = "a b"', "in/.cargo/config.toml": 'build.rustflags = "c"'}, {}, (),
    ),
    "variables are behind files and before --config": (
        {".cargo/config.toml": '[build]\nrustflags = ["a"]\ntarget = ["x"]\njobs = 3'},
        {"CARGO_BUILD_RUSTFLAGS": "-C b", "CARGO_BUILD_JOBS": "5", "CARGO_BUILD_TARGET": "y"},
        ('build.rustflags=["c"]', "build.rustflags=['d']"),
    ),
    "--config wins over variables": (
        {".cargo/config.toml": "[build]\njobs = 3"},
        {"CARGO_BUILD_JOBS": "5", "CARGO_TERM_COLOR": "never", "CARGO_NET_OFFLINE": "true"},
        ("build.jobs=7", 'term.color="always"', "term.quiet=false"),
    ),
    "a later --config wins, and a file is one": (
        {"extra.toml": '[build]\njobs = 9\nrustflags = ["e"]\n[profile.dev]\ndebug = 1'},
        {},
        ("build.jobs=7", "../extra.toml", "profile.dev.debug=0"),
    ),
    "an including file counts more, later includes more than earlier ones": (
        {
            ".cargo/config.toml": 'include = ["one.toml", {path = "sub/two.toml"}, '
            '{path = "no.toml", optional = true}]\n'
            '[build]\njobs = 1\nrustflags = ["own"]',
            ".cargo/one.toml": '[build]\njobs = 2\nrustflags = ["one"]\n[term]\ncolor = "always"\nquiet = false',
            ".cargo/sub/two.toml": 'include = ["three.toml"]\n[build]\nrustflags = ["two"]\n[term]\ncolor = "never"',
            ".cargo/sub/three.toml": '[build]\nrustflags = ["three"]\n[term]\ncolor = "auto"\nverbose = true',
        },
        {},
        (),
    ),
    "--config can include": ({"in/more.toml": "[build]\njobs = 4"}, {}, ('include=["more.toml"]',)),
    "a config without a suffix counts": (
        {".cargo/config": "[build]\njobs = 8", ".cargo/config.toml": "[build]\njobs = 9"}, {}, (),
    ),
    "what TOML 1.1 brought": (
        {".cargo/config.toml": '\ufeff[profile]\r\ndev = {\n debug = 1, # one\n opt-level = "\\x73",\n}\n'}, {}, (),
    ),
    "keys in quotes, dots and arrays of tables": (
        {
            ".cargo/config.toml": '[target.\'cfg(all(unix, target_os = "linux"))\']\nlinker = "cc"\n'
            '[profile.dev.package."*"]\ndebug = 0\n[profile.dev]\npackage."a@1.0".opt-level = 3\n'
            '[env]\nA = {value = "b", force = true}\n',
        },
        {},
        (),
    ),
    "numbers and truths in variables": (
        {}, {"CARGO_PROFILE_DEV_DEBUG": "1", "CARGO_PROFILE_RELEASE_LTO": "thin", "CARGO_PROFILE_DEV_STRIP": "true",
             "CARGO_HTTP_MULTIPLEXING": "false", "CARGO_TERM_PROGRESS_WIDTH": "90"}, (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
def test_values_are_those_that_cargo_says(name: str, tmp_path: Path) -> None:
    files, more, given = WORLDS[name]
    build_world(tmp_path, files)
    env = environment(tmp_path, more)
    ours = read(tmp_path, env, given)
    assert ours.troubles == ()
    whole = flat(config_get(tmp_path / "in", env, given))
    assert set(whole) <= set(ours.values)
    for key, said in ours.values.items():
        # a variable is in what cargo says of one key alone, and it takes no key with quotes
        is_plain = all(re.fullmatch(r"[\w-]+", part) for part in key)
        theirs = config_get(tmp_path / "in", env, given, ".".join(key)) if is_plain else whole[key]
        assert said.value == theirs, key


def test_kept_settings_are_those_that_were_parsed(tmp_path: Path) -> None:
    for name, (files, more, given) in WORLDS.items():
        root = tmp_path / name
        build_world(root, files)
        let_rest(root)
        env = environment(root, more)
        plain = read(root, env, given)
        assert read(root, env, given, str(tmp_path / "kept")) == plain
    kept = {path: path.read_bytes() for path in (tmp_path / "kept/toml").iterdir()}
    assert len(kept) == sum(len(files) for files, _, _ in WORLDS.values()) - 1  # `config` stands in front of one
    for name, (_, more, given) in WORLDS.items():
        env = environment(tmp_path / name, more)
        assert read(tmp_path / name, env, given, str(tmp_path / "kept")) == read(tmp_path / name, env, given)
    assert {path: path.read_bytes() for path in (tmp_path / "kept/toml").iterdir()} == kept


REFUSED: dict[str, tuple[Files, tuple[str, ...], str]] = {
    "includes itself": ({".cargo/config.toml": 'x = 1\ninclude = ["config.toml"]'}, (), "line 2: this includes itself"),
    "in a circle": (
        {".cargo/config.toml": 'include = ["a.toml"]', ".cargo/a.toml": '\n\ninclude = [\n"b.toml"]',
         ".cargo/b.toml": 'include = ["a.toml"]'}, (), "b.toml, line 1: this includes itself",
    ),
    "twice": (
        {".cargo/config.toml": 'include = ["a.toml", "b.toml"]', ".cargo/a.toml": 'include = ["b.toml"]',
         ".cargo/b.toml": ""}, (), "included a second time",
    ),
    "not there": ({".cargo/config.toml": 'include = ["a.toml"]'}, (), "line 1: it includes"),
    "no .toml": ({".cargo/config.toml": 'include = ["a.conf"]', ".cargo/a.conf": ""}, (), "end in .toml"),
    "globs": ({".cargo/config.toml": 'include = ["*.toml"]'}, (), "as they are"),
    "a text as include": ({".cargo/config.toml": 'include = "a.toml"', ".cargo/a.toml": ""}, (), "an array of paths"),
    "an array over a text": (
        {".cargo/config.toml": '[build]\nrustflags = "a"', "in/.cargo/config.toml": '[build]\nrustflags = ["a"]'}, (),
        "cargo refuses both together",
    ),
    "a table over a value": (
        {".cargo/config.toml": "[term]\nprogress = 1", "in/.cargo/config.toml": "[term.progress]\nwhen = 'auto'"}, (),
        "cargo refuses both together",
    ),
    "no TOML": ({".cargo/config.toml": "[build]\njobs = \n"}, (), "line 2: this is not TOML"),
    "not UTF-8": ({}, (), "line 2: this is not UTF-8"),
    "a table in --config": ({}, ("build={jobs=1}",), "--config: it sets a table"),
    "two values in --config": ({}, ("build.jobs=1\nterm.quiet=true",), "is neither the path of a file nor KEY=VALUE"),
    "no value in --config": ({}, ("build.jobs",), "is neither the path of a file nor KEY=VALUE"),
    "a header in --config": ({}, ("[build]\njobs=1",), "is neither the path of a file nor KEY=VALUE"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cargo_refuses_is_a_trouble_with_its_place(name: str, tmp_path: Path) -> None:
    files, given, words = REFUSED[name]
    build_world(tmp_path, files)
    if name == "not UTF-8":
        (tmp_path / ".cargo").mkdir()
        (tmp_path / ".cargo/config.toml").write_bytes(b"[build]\njobs = \xff\n")
    env = environment(tmp_path, {})
    said = [one.sentence for one in read(tmp_path, env, given).troubles]
    assert any(words in one for one in said), said
    with pytest.raises(AssertionError):
        config_get(tmp_path / "in", env, given)


TYPES = {
    "build.jobs": ("3", "0", "-1", '"default"', '"x"', "true", "1.5"),
    "build.incremental": ("true", "1", '"true"'),
    "build.target": ('"x86_64-unknown-linux-gnu"', "3", "true"),
    "build.rustflags": ('"-C debuginfo=0"', '["-Cdebuginfo=0"]', "[1]", "1"),
    "build.rustc-wrapper": ('""', "true"),
    "profile.dev.debug": ("true", "0", "2", "3", '"limited"', '"line-tables-only"', '"some"'),
    "profile.dev.opt-level": ("0", '"s"', '"z"', '"3"', "4", '"x"', "true"),
    "profile.dev.lto": ("true", '"off"', '"thin"', "1"),
    "profile.dev.codegen-units": ("4", '"4"', "-1"),
    "profile.dev.incremental": ("false", "0"),
    "profile.dev.strip": ("true", '"none"', '"symbols"', "1"),
    "profile.dev.panic": ('"abort"', '"unwind"', '"x"', "true"),
    "profile.dev.overflow-checks": ("true", '"true"'),
    "profile.dev.split-debuginfo": ('"off"', "1"),
}


@pytest.mark.parametrize("key", TYPES)
def test_wrong_types_are_those_at_which_cargo_stops(key: str, tmp_path: Path) -> None:
    write_crate(tmp_path)
    env = environment(tmp_path, {})
    for value in TYPES[key]:
        given = (f"{key}={value}",)
        done = subprocess.run(["cargo", "build", "--config", *given], cwd=tmp_path / "in", env=env,
                              capture_output=True, text=True, check=False)  # fmt: skip
        troubles = read(tmp_path, env, given).troubles
        assert bool(troubles) == bool(done.returncode), (given, troubles, done.stderr)
