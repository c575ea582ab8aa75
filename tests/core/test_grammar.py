import pytest

from core.run.grammar import parse


def test_our_flags_go_straight_after_the_subcommand() -> None:
    parsed = parse(("+nightly", "--offline", "build", "-p", "engine", "--", "x"))
    assert (parsed.insert_at, parsed.dashes_at, parsed.toolchain) == (3, 5, "+nightly")
    assert parsed.value("package") == "engine"


def test_a_value_of_a_global_flag_is_not_the_subcommand() -> None:
    parsed = parse(("--config", "build.jobs=2", "-C", "sub", "test", "name"))
    assert parsed.subcommand == "test"
    assert parsed.command is not None
    assert parsed.is_known


@pytest.mark.parametrize(
    "words",
    [
        ("build", "--nosuch"),
        ("build", "extra"),
        ("build", "--release", "--release"),
        ("build", "--release", "--profile", "dev"),
        ("build", "--manifest-path"),
        ("build", "--release=yes"),
        ("test", "one", "two"),
        ("bench", "-r"),
        ("build", "-x"),
        ("build", "-p"),
        ("build", "--bin", "a", "stray"),
    ],
)
def test_a_line_that_clap_would_refuse_gets_no_flags_of_ours(words: tuple[str, ...]) -> None:
    assert not parse(words).is_known


@pytest.mark.parametrize(
    "words",
    [
        ("b", "-vv", "-p", "a", "-p", "b", "--features=x", "-Fy", "-j4", "-rq"),
        ("test", "name", "--", "--nocapture"),
        ("run", "--bin", "x", "arg", "--nosuch", "--release"),
        ("check", "--all-targets", "--bin", "a", "--bin", "b", "--timings"),
        ("clippy", "--no-deps", "--", "-D", "warnings"),
        ("nextest", "run", "-E", "test(x)", "-P", "ci", "--no-fail-fast", "filter"),
        ("doc", "--no-deps", "--open"),
        ("test", "--test", "cli", "--doc"),
    ],
)
def test_ordinary_lines_are_known(words: tuple[str, ...]) -> None:
    assert parse(words).is_known


def test_an_alias_is_resolved_through_others() -> None:
    aliases = {"bb": ("rr", "--locked"), "rr": ("build", "--release")}
    parsed = parse(("bb", "-v"), aliases)
    assert parsed.command is not None
    assert (parsed.command.name, parsed.subcommand, parsed.is_known) == ("build", "bb", True)
    assert set(parsed.options) == {"release", "locked", "verbose"}


def test_an_alias_with_program_arguments_is_left_alone() -> None:
    assert not parse(("xt",), {"xt": ("run", "-p", "xtask", "--")}).is_known


def test_an_alias_that_names_itself_ends() -> None:
    assert parse(("loop",), {"loop": ("loop",)}).command is None


def test_only_nextest_run_builds() -> None:
    assert parse(("nextest", "list")).command is None
    assert parse(("nextest", "run", "x")).insert_at == 2


def test_quiet_counts_before_and_after_the_subcommand() -> None:
    assert "quiet" in parse(("-q", "build")).options
    assert "quiet" in parse(("build", "-vq")).options


def test_no_words_are_no_subcommand() -> None:
    assert parse(()).subcommand == ""
    assert parse(("--version",)).command is None
