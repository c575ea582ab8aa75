import pytest

from core.run.mask import is_flags, safe_environment, safe_record, safe_text, safe_words


def test_values_of_credentials_are_only_said_to_be_set() -> None:
    env = {
        "API_TOKEN": "abc123xyz",
        "PATH": "/bin",
        "DATABASE_URL": "postgres://u:pw@h/db",
        "COPY": "x-abc123xyz",
    }
    assert safe_environment(env) == {"API_TOKEN": None, "PATH": "/bin", "DATABASE_URL": None, "COPY": None}


@pytest.mark.parametrize(
    "name",
    (
        "CARGO_REGISTRIES_MINE_TOKEN CARGO_REGISTRY_TOKEN AWS_SECRET_ACCESS_KEY GITHUB_PAT NPM_AUTH SSHPASS "
        "GPG_PASSPHRASE MYSQL_PWD"
    ).split(),
)
def test_a_variable_named_like_a_credential_is_only_said_to_be_set(name: str) -> None:
    assert safe_environment({name: "v"}) == {name: None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUSTFLAGS", '-C debuginfo=0 --cfg token="abc"'),
        ("CARGO_ENCODED_RUSTFLAGS", '--cfg\x1fapi_key="abc"'),
        ("CARGO_BUILD_RUSTFLAGS", "-Clink-arg=MY_SECRET=abc"),
        ("CFLAGS", "-O2 -DAPI_KEY=abc"),
        ("CURL_OPTIONS", "--retry 3 --oauth2-token abc"),
        ("COMPOSE", "MODE=x DB_PASSWORD=abc"),
        ("SIGN", "gpg --batch --passphrase hunter22"),
        ("HDR", "Authorization: Bearer abc.def"),
        ("HEADERS", "accept: text/html\nx-api-key: abc"),
        ("SETTINGS", '{"token": "abc"}'),
        ("CFLAGS", "-O2 -DKEY=abc"),
        ("CFLAGS", "-Wp,-DAPI_KEY=abc"),
        ("CFLAGS", "-DGITHUBTOKEN=abc"),
        ("DB", "-DPASSWORD=1234"),
    ],
)
def test_a_credential_inside_a_variable_of_another_name_hides_it(name: str, value: str) -> None:
    assert safe_environment({name: value}) == {name: None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUSTFLAGS", "--cfg tokio_unstable -Ctarget-feature=+keylocker,+aes --keep-going"),
        ("CARGO_PKG_AUTHORS", "A. Author"), ("GIT_AUTHOR_NAME", "me"), ("SSH_AUTH_SOCK", "/run/agent"),
        ("PWD", "/w"), ("OLDPWD", "/w/tokenizer"), ("PATH", "/opt/keys/bin:/bin"), ("XAUTHORITY", "/run/x"),
        ("CARGO_TARGET_DIR", "/w/tokens/target"), ("LDFLAGS", "-lkeyutils -lm"), ("LDFLAGS", "-l key -lmy-key -lm"),
        ("CFLAGS", "-Wno-keyword-macro -O2"), ("CFLAGS", "-Wno-key-macro -O2"), ("CFLAGS", "-DKEYMAP=1"),
        ("CFLAGS", "-DMAX_KEY_LEN=32 -DHAS_KEY=true -Dmax_tokens=4096"),
        ("RUSTFLAGS", "--remap-path-prefix=/home/me/tokenizers=."),
        ("RUSTFLAGS", "--remap-path-prefix=/home/me/token=. --remap-path-prefix=/monkey=."),
        ("RUSTFLAGS", "--remap-path-prefix /home/me/key=. --remap-path-prefix=key=."),
        ("CFLAGS", "-ffile-prefix-map=token=. -fdebug-prefix-map=/w/token=."),
        ("RUSTFLAGS", '--cfg tokenizer="fast"'), ("MAKEFLAGS", "w -- MONKEY=1"),
        ("BINDGEN_EXTRA_CLANG_ARGS", "-DMAX_KEY_LEN=32 -I/usr/include"), ("ORIGINAL_PWD", "/home/me/proj"),
        ("NOTE", "the key: what counts; token::Kind; see token://x"),
    ],
)  # fmt: skip
def test_ordinary_variables_are_kept(name: str, value: str) -> None:
    assert safe_environment({name: value}) == {name: value}


def test_the_folder_that_a_variable_names_hides_no_other_one() -> None:
    env = {"ORIGINAL_PWD": "/home/me/proj", "PATH": "/home/me/proj/bin:/bin", "MYSQL_PWD": "hunter22", "X": "hunter22"}
    assert safe_environment(env) == {**env, "MYSQL_PWD": None, "X": None}


def test_variables_that_change_what_is_made_are_known_by_their_names() -> None:
    flags = (
        "RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS CFLAGS CXXFLAGS LDFLAGS "
        "CFLAGS_x86_64-unknown-linux-gnu CXXFLAGS_x86_64_unknown_linux_gnu TARGET_CFLAGS BINDGEN_EXTRA_CLANG_ARGS "
        "BINDGEN_EXTRA_CLANG_ARGS_x86_64_unknown_linux_gnu NVCC_APPEND_FLAGS CMAKE_CUDA_FLAGS_RELEASE CC HOST_CXX "
        "CC_aarch64-unknown-linux-gnu"
    )
    others = "MAKEFLAGS PATH MY_NOTE CARGO_REGISTRY_TOKEN CCACHE_DIR FLAGSHIP CARGO_HOME CC_API_KEY"
    assert [name for name in (*flags.split(), *others.split()) if is_flags(name)] == flags.split()


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
        "--passphrase",
        "1234",
        "-H",
        "Authorization: Basic abc",
    )
    assert safe_words(words, env) == (
        "test", "--token", "***", "--api-key=***", "DB_PASSWORD=***", "https://***@h/p", "has-***-in", "***",
        "--passphrase", "***", "-H", "Authorization: ***",
    )  # fmt: skip


def test_ordinary_words_are_untouched() -> None:
    words = ("build", "-p", "tokenizer", "--features", "a=b", "--keep-going", "MONKEY=1", "--max-tokens", "4096")
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


@pytest.mark.parametrize(("text", "safe"), [
    ("-C link-arg=SECRET_KEY=vvv -g", "-C link-arg=SECRET_KEY=*** -g"),
    ('rustflags = ["-Clink-arg=MY_TOKEN=vvv", "-g"]', 'rustflags = ["-Clink-arg=MY_TOKEN=***", "-g"]'),
    ('--cfg api_key=\\"vvv vvv\\" -g', "--cfg api_key=*** -g"),
    ('[env] MY_TOKEN = { value = "vvv" } # x', "[env] MY_TOKEN = *** # x"),
    ('MY_TOKEN.value = "vvv"', "MY_TOKEN.value = ***"),
    ('"MY_TOKEN" = 123456', '"MY_TOKEN" = ***'),
    ('"MAX_TOKENS" = 4096', '"MAX_TOKENS" = 4096'),
    ("curl -H 'Authorization: Bearer v.v' x", "curl -H 'Authorization: ***' x"),
    ("Private-Token:vvv", "Private-Token:***"),
    ('{"api_key": "v v", "a": 1}', '{"api_key": ***, "a": 1}'),
    ("token = '''v\nv''' x", "token = *** x"),
    ("sh -c 'DB_PASSWORD=\"v v\" run'", "sh -c 'DB_PASSWORD=*** run'"),
    ("sparse+https://user:p@ss@host/x", "sparse+https://***@host/x"),
    ("-DAPI_KEY=vvv", "-DAPI_KEY=***"),
    ("profile.dev.package.keyring.debug = 0", "profile.dev.package.keyring.debug = 0"),
    ("-C target-cpu=native --cfg a=b", "-C target-cpu=native --cfg a=b"),
    ("the key of sccache = the whole command line", "the key of sccache = the whole command line"),
])  # fmt: skip
def test_what_is_set_to_a_credential_is_hidden_inside_longer_text(text: str, safe: str) -> None:
    assert safe_text(text) == safe
    assert safe_text(safe) == safe
    assert safe_record({"evidence": [{"value": text}]}, {}) == {"evidence": [{"value": safe}]}


def test_the_beginning_of_a_credential_that_was_cut_is_hidden() -> None:
    assert safe_text("drops -l hunter222…", ["hunter22222"]) == "drops -l ***…"


def test_a_long_text_is_searched_quickly() -> None:
    for text in (
        "a" * 200_000,
        "a=" * 100_000,
        "a-" * 100_000,
        "token " * 50_000,
        "\\" * 100_000,
        "a = " + " " * 100_000,
    ):
        assert safe_text(text) == text
