from core.run.compose import NOBODY, Caller, Composed, compose
from core.run.config import CargoConfig
from core.run.grammar import parse

CONFIG = CargoConfig({}, False, None, None, None, False, None)
TERMINAL = Caller(out_tty=True, err_tty=True, is_one_stream=True, columns=100)
PIPES = Caller(out_tty=False, err_tty=False, is_one_stream=False, columns=0)
ENV = {"TERM": "xterm-256color"}


def composed(*words: str, caller: Caller = PIPES, config: CargoConfig = CONFIG, target_dir: str | None = None,
             env: dict[str, str] = ENV) -> Composed:  # fmt: skip
    return compose(parse(words), config, caller, env, target_dir=target_dir, can_hand_over=True)


def test_pipes_get_messages_and_hidden_progress_and_no_colour() -> None:
    c = composed("build", "-p", "x")
    assert c.words == (
        "build", "--message-format=json-render-diagnostics", "--config", 'term.progress.when="always"',
        "--config", "term.progress.width=240", "-p", "x",
    )  # fmt: skip
    assert (c.json, c.cut_progress, c.has_progress) == ("ours", True, True)


def test_a_terminal_gets_its_own_width_and_colour() -> None:
    c = composed("build", caller=TERMINAL)
    assert "term.progress.width=100" in c.words
    assert c.words[-2:] == ("--color", "always")
    assert not c.cut_progress


def test_a_user_s_json_is_left_alone() -> None:
    c = composed("build", "--message-format=json")
    assert c.json == "user"
    assert "--message-format=json" in c.words
    assert not any("render" in word for word in c.words)


def test_short_becomes_short_json() -> None:
    c = composed("check", "--message-format", "short", "-v")
    assert c.words[1] == "--message-format=json-render-diagnostics,json-diagnostic-short"
    assert "short" not in c.words
    assert c.words[-1] == "-v"


def test_an_unknown_flag_gets_nothing_of_ours() -> None:
    c = composed("build", "--nosuch")
    assert c.words == ("build", "--nosuch")
    assert c.json == "none"


def test_quiet_asks_for_no_progress() -> None:
    assert not composed("build", "-q").has_progress
    assert not composed("build", config=CONFIG._replace(quiet=True)).has_progress


def test_in_ci_a_terminal_has_no_progress_bar() -> None:
    c = composed("build", caller=TERMINAL, env={**ENV, "CI": "1"})
    assert c.cut_progress
    assert c.has_progress


def test_a_user_s_progress_setting_wins() -> None:
    assert composed("build", caller=TERMINAL, config=CONFIG._replace(progress="never")).cut_progress
    always = composed("build", config=CONFIG._replace(progress="always"))
    assert not always.cut_progress
    assert not any("term.progress" in word for word in always.words)


def test_no_color_and_a_user_s_colour_win() -> None:
    assert "--color" not in composed("build", caller=TERMINAL, env={**ENV, "NO_COLOR": "1"}).words
    given = composed("build", "--color", "never", caller=TERMINAL)
    assert given.words.count("--color") == 1
    assert "--color" not in composed("build", caller=TERMINAL, config=CONFIG._replace(color="never")).words


def test_tests_on_a_terminal_are_told_to_colour() -> None:
    assert composed("test", caller=TERMINAL).words[-3:] == ("--", "--color", "always")
    c = composed("test", "--", "name", caller=TERMINAL)
    assert c.words[-4:] == ("--", "name", "--color", "always")
    assert c.cut_own_args


def test_tests_with_nocapture_stay_as_plain_as_libtest_leaves_them() -> None:
    for extra in ("--nocapture", "--color=never", "--list"):
        assert composed("test", "--", extra, caller=TERMINAL).words[-2:] == ("--", extra)


def test_run_on_a_terminal_hands_over_unless_a_runner_is_configured() -> None:
    c = composed("run", "--", "a", caller=TERMINAL)
    assert c.is_handoff
    assert c.words[-2:] == ("--", "a")
    assert not composed("run", caller=TERMINAL, config=CONFIG._replace(has_runner=True)).is_handoff
    assert not composed("run", caller=PIPES).is_handoff


def test_a_private_target_dir_is_a_flag() -> None:
    c = composed("build", target_dir="/t", caller=NOBODY)
    assert c.words[c.words.index("--target-dir") + 1] == "/t"


def test_nextest_gets_settings_after_run_and_no_messages() -> None:
    c = composed("nextest", "run", "x")
    assert c.words[:3] == ("nextest", "run", "--config")
    assert c.json == "none"
    assert c.parser == "nextest"


def test_a_user_s_own_term_settings_keep_ours_out() -> None:
    c = composed("build", "--config", "term.progress.when='never'")
    assert not c.has_progress
