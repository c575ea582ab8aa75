from pathlib import Path

from core.run.config import given_in, read_config


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nearer_files_win_and_lists_and_strings_are_aliases(tmp_path: Path) -> None:
    write(tmp_path / "home/config.toml", '[alias]\na = "build"\nz = ["test", "--doc"]\n[term]\ncolor = "never"\n')
    write(tmp_path / "ws/.cargo/config.toml", '[alias]\na = "check --locked"\n[build]\ntarget-dir = "out"\n')
    env = {"CARGO_HOME": str(tmp_path / "home")}
    config = read_config(str(tmp_path / "ws" / "sub"), env, "/nowhere")
    assert config.aliases == {"a": ("check", "--locked"), "z": ("test", "--doc")}
    assert config.target_dir == str(tmp_path / "ws" / "out")
    assert config.color == "never"


def test_variables_win_over_files(tmp_path: Path) -> None:
    write(tmp_path / ".cargo/config.toml", '[build]\ntarget-dir = "out"\n[term]\nquiet = false\n')
    env = {
        "CARGO_TARGET_DIR": "rel",
        "CARGO_TERM_QUIET": "true",
        "CARGO_ALIAS_QQ": "build -q",
        "CARGO_HOME": "/nowhere",
    }
    config = read_config(str(tmp_path), env, "/nowhere")
    assert config.target_dir == str(tmp_path / "rel")
    assert config.quiet
    assert config.aliases["qq"] == ("build", "-q")


def test_a_broken_file_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / ".cargo/config.toml", "[alias\nx = ")
    config = read_config(str(tmp_path), {"CARGO_HOME": "/nowhere"}, "/nowhere")
    assert (config.aliases, config.target_dir, config.has_runner) == ({}, None, False)


def test_a_runner_is_noticed_in_files_and_variables(tmp_path: Path) -> None:
    write(tmp_path / ".cargo/config.toml", "[target.'cfg(unix)']\nrunner = 'qemu'\n")
    assert read_config(str(tmp_path), {"CARGO_HOME": "/nowhere"}, "/nowhere").has_runner
    env = {"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER": "qemu", "CARGO_HOME": "/nowhere"}
    assert read_config("/", env, "/nowhere").has_runner


def test_a_build_dir_is_known_unless_cargo_fills_it_in(tmp_path: Path) -> None:
    write(tmp_path / ".cargo/config.toml", '[build]\nbuild-dir = "out"\n')
    assert read_config(str(tmp_path), {"CARGO_HOME": "/nowhere"}, "/nowhere").build_dir == str(tmp_path / "out")
    env = {"CARGO_HOME": "/nowhere", "CARGO_BUILD_BUILD_DIR": "/builds/{workspace-path-hash}"}
    assert read_config(str(tmp_path), env, "/nowhere").build_dir is None


def test_the_command_lines_config_and_included_files_count(tmp_path: Path) -> None:
    write(tmp_path / ".cargo/config.toml", 'include = ["more.toml"]\n[build]\ntarget-dir = "out"\n')
    write(tmp_path / ".cargo/more.toml", '[alias]\na = "test --doc"\n[build]\nrustc-wrapper = "sccache"\n')
    env = {"CARGO_HOME": "/nowhere"}
    config = read_config(str(tmp_path / "sub"), env, "/nowhere", given=("build.target-dir='near'", "term.quiet=true"))
    assert config.target_dir == str(tmp_path / "sub" / "near")
    assert (config.quiet, config.rustc_wrapper, config.aliases) == (True, "sccache", {"a": ("test", "--doc")})


def test_values_of_any_type_raise_nothing(tmp_path: Path) -> None:
    write(tmp_path / ".cargo/config.toml", "alias = 1\nterm = 2\nbuild = [3]\ntarget = true\n")
    env = {"CARGO_HOME": "/nowhere"}
    assert read_config(str(tmp_path), env, "/nowhere")[:6] == ({}, False, None, None, None, False)
    text = "[alias]\na = 1\nb = [1, 'x']\n[term]\nquiet = 'yes'\ncolor = 1\nprogress = 3\n[build]\ntarget-dir = [1]\n"
    write(tmp_path / ".cargo/config.toml", text + "rustc-wrapper = 4\nincremental = 5\nbuild-dir = 6\n")
    config = read_config(str(tmp_path), env, "/nowhere")
    assert config[:-1] == ({"a": (), "b": ("x",)}, False, None, None, None, False, None, None, False, None)
    assert len(config.settings.troubles) == 7


def test_a_variable_forces_incremental_and_a_file_does_not(tmp_path: Path) -> None:
    write(tmp_path / ".cargo/config.toml", "[build]\nincremental = true\n")
    found = [
        read_config(str(tmp_path), {"CARGO_HOME": "/nowhere", **more}, "/nowhere")[7:9]
        for more in ({}, {"CARGO_INCREMENTAL": "0"}, {"CARGO_INCREMENTAL": "1"}, {"CARGO_BUILD_INCREMENTAL": "false"})
    ]
    assert found == [(True, False), (False, True), (True, True), (False, True)]


def test_config_on_a_command_line_is_found_before_the_dashes() -> None:
    words = ("--config", "a=1", "build", "--config=b=2", "--config", "c.toml", "--", "--config", "d=4")
    assert given_in(words) == ("a=1", "b=2", "c.toml")
    assert given_in(("build", "--config")) == ()
