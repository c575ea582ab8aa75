from core.run.mask import safe_environment, safe_words


def test_values_of_credentials_are_only_said_to_be_set() -> None:
    env = {
        "API_TOKEN": "abc123xyz",
        "PATH": "/bin",
        "DATABASE_URL": "postgres://u:pw@h/db",
        "COPY": "x-abc123xyz",
    }
    assert safe_environment(env) == {"API_TOKEN": None, "PATH": "/bin", "DATABASE_URL": None, "COPY": None}


def test_command_lines_lose_credentials_in_every_form() -> None:
    env = {"MY_SECRET": "hunter22222", "URL": "https://bob:s3cretpw@host"}
    words = (
        "test",
        "--token",
        "t0k",
        "--api-key=k",
        "DB_PASSWORD=pw",
        "https://bob:x@h/p",
        "has-hunter22222-in",
        "s3cretpw",
    )
    assert safe_words(words, env) == (
        "test", "--token", "***", "--api-key=***", "DB_PASSWORD=***", "https://***@h/p", "has-***-in", "***",
    )  # fmt: skip


def test_ordinary_words_are_untouched() -> None:
    words = ("build", "-p", "tokenizer", "--features", "a=b", "--keep-going")
    assert safe_words(words, {"KEY": "short"}) == words


def test_a_token_in_a_setting_of_cargo_is_hidden() -> None:
    words = (
        "build",
        "--config",
        "registry.token=geheim",
        "--config=registries.mine.token='x'",
        "--config",
        "net.retry=3",
    )
    assert safe_words(words, {}) == (
        "build", "--config", "registry.token=***", "--config=registries.mine.token=***", "--config", "net.retry=3",
    )  # fmt: skip
