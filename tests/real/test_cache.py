"""sccache for each agent, for real: whose hits, what is counted once, and what happens where server or store die."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.cache.server_record import Server
from tests.real.product import Deck, end, process, read_json, temporary_deck, until

FILES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["one", "two"]\n',
    "one/Cargo.toml": '[package]\nname = "one"\nversion = "1.0.0"\nedition = "2021"\n',
    "one/src/lib.rs": "pub fn one() -> u32 { 1 }\n",
    "two/Cargo.toml": '[package]\nname = "two"\nversion = "1.0.0"\nedition = "2021"\n'
    '[dependencies]\none = { path = "../one" }\n',
    "two/src/lib.rs": "pub fn two() -> u32 { one::one() + 1 }\n",
    "two/src/main.rs": 'fn main() { println!("{}", two::two()) }\n',
}


@pytest.fixture
def deck() -> Iterator[Deck]:
    with temporary_deck() as one:
        one.env["DECK_CACHE"] = "sccache"
        yield one


def checkout(deck: Deck, name: str = "work") -> Path:
    folder = Path(deck.folder, name)
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def build(deck: Deck, agent: str, folder: Path, *words: str) -> list[dict[str, Any]]:
    """What the journal of a build says of its look-ups; the build went well."""
    before = set(deck.runs())
    done = deck.run(*(words or ("build",)), "--agent", agent, cwd=str(folder))
    assert done.returncode == 0, done.stderr
    (run,) = set(deck.runs()) - before
    deck.run("ps")  # starts an engine: a build of a moment does not
    return lookups(run)


def lookups(run: str) -> list[dict[str, Any]]:
    until(lambda: any("RunEnded" in line for line in lines(run)), 15, f"the end of {run} in its journal")
    return [found for line in lines(run) if (found := json.loads(line)).get("event") == "CacheLookedUp"]


def lines(run: str) -> list[str]:
    path = Path(run, "events.jsonl")
    return path.read_text().splitlines() if path.exists() else []


def outcomes(found: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """What became of each unit, and why or whose it was; each is told of once."""
    assert len({one["unit"] for one in found}) == len(found)
    return {one["unit"]: (one["outcome"], one["source_agent"] or one["reason"]) for one in found}


def server(deck: Deck, agent: str) -> dict[str, Any]:
    return read_json(f"{deck.state}/caches/{agent}/server.json")


def kill(pid: int) -> None:
    one = process(pid)
    assert one is not None
    assert end(one, signal.SIGKILL)
    until(lambda: process(pid) is None, 5, "its end")


def test_a_second_agent_takes_what_the_first_compiled(deck: Deck) -> None:
    folder = checkout(deck)
    first = outcomes(build(deck, "ann", folder))
    assert first == {
        "one": ("missed", "first time"), "two": ("missed", "first time"), "two(bin)": ("not cacheable", "crate-type")
    }  # fmt: skip
    subprocess.run(["cargo", "clean", "-q"], cwd=folder, env=deck.env, check=True)
    second = build(deck, "bob", folder)
    assert outcomes(second) == {
        "one": ("hit", "ann"), "two": ("hit", "ann"), "two(bin)": ("not cacheable", "crate-type")
    }  # fmt: skip
    assert all(one["saved_s"] > 0 for one in second if one["outcome"] == "hit")
    (figures,) = [one for one in deck.json("cache", "stats", "--json")["agents"] if one["agent"] == "bob"]
    assert figures["units"] == {
        "hits_own": 0, "hits_other": 2, "hits_unknown": 0, "missed": 0, "not_cacheable": 1, "errors": 0
    }  # fmt: skip
    assert (figures["server"]["hits"], figures["server"]["misses"], figures["server"]["not_cacheable"]) == (2, 0, 1)
    assert subprocess.run([folder / "target/debug/two"], capture_output=True, check=True).stdout == b"2\n"


@pytest.mark.long
def test_a_miss_is_told_with_the_input_that_differs(deck: Deck) -> None:
    folder, other = checkout(deck), checkout(deck, "other")
    build(deck, "ann", folder)
    (folder / "one/src/lib.rs").write_text("pub fn one() -> u32 { 11 }\n")
    edited = build(deck, "ann", folder)
    assert {one["unit"]: (one["reason"], one["detail"]) for one in edited if one["outcome"] == "missed"} == {
        "one": ("source", "one/src/lib.rs"), "two": ("dependency", "one (its own inputs differ)"),
    }  # fmt: skip
    elsewhere = build(deck, "bob", other)
    (one,) = [one for one in elsewhere if one["unit"] == "one"]
    assert (one["outcome"], one["reason"]) == ("missed", "folder")
    assert one["detail"].startswith(f"{other}, was {folder}")
    flagged = build(deck, "bob", other, "build", "--config", "profile.dev.opt-level=1")
    (one,) = [one for one in flagged if one["unit"] == "one"]
    assert (one["reason"], one["detail"]) == ("flags", "-C opt-level=1 is new; -C debug-assertions=on is new")


@pytest.mark.long
def test_a_build_goes_on_where_its_server_was_killed(deck: Deck) -> None:
    folder = checkout(deck)
    build(deck, "ann", folder)
    known = server(deck, "ann")
    kill(known["pid"])
    subprocess.run(["cargo", "clean", "-q"], cwd=folder, env=deck.env, check=True)
    again = outcomes(build(deck, "ann", folder))
    assert again["one"] == ("hit", "ann"), "a new server was started for the next build"
    assert server(deck, "ann")["pid"] != known["pid"]


NO_RECORDS = (
    '{"port":1234,"token":"' + "a" * 40 + '","pid":1' + "0" * 30 + "}", "[" * 100_000, '{"socket": 4}', "",
    json.dumps({name: 4 for name in Server._fields}),
)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    "content",
    NO_RECORDS,
    ids=range(len(NO_RECORDS)),
)
def test_damaged_records_of_server_and_store_are_made_anew_and_leave_no_server_behind(deck: Deck, content: str) -> None:
    folder = checkout(deck)
    build(deck, "ann", folder)
    first = server(deck, "ann")["pid"]
    for name in ("caches/ann/server.json", "store/address"):
        Path(deck.state, name).write_text(content)
    for words in (("cache", "stats"), ("cache", "log"), ("cache", "zero")):
        done = deck.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), words
    (folder / "one/src/lib.rs").write_text("pub fn one() -> u32 { 2 }\n")
    assert outcomes(build(deck, "ann", folder))["one"] == ("missed", "source")
    assert server(deck, "ann")["pid"] != first
    assert process(first) is None
    Path(deck.state, "caches/ann/server.json").write_text(content)
    last = [one for one in deck.processes() if os.path.basename(one.argv[0]) == "sccache"]
    assert len(last) == 1
    assert "ann  stopped" in deck.run("cache", "stop", "--agent", "ann").stdout
    assert process(last[0].pid) is None
    log = Path(deck.state, "engine/log")
    assert not log.exists() or "Traceback" not in log.read_text()


@pytest.mark.long
def test_what_is_compiled_while_the_server_is_dead_is_told_as_that(deck: Deck) -> None:
    folder = checkout(deck)
    (folder / "one/build.rs").write_text(
        f'fn main() {{ let text = std::fs::read_to_string("{deck.state}/caches/ann/server.json").unwrap();\n'
        'let pid = text.split("\\"pid\\": ").nth(1).unwrap().split(",").next().unwrap();\n'
        'assert!(std::process::Command::new("kill").args(["-9", pid]).status().unwrap().success()); }\n'
    )
    found = outcomes(build(deck, "ann", folder))
    assert found == {
        "one(build.rs)": ("not cacheable", "crate-type"), "one": ("error", "server"), "two": ("error", "server"),
        "two(bin)": ("error", "server"),
    }  # fmt: skip
    assert subprocess.run([folder / "target/debug/two"], capture_output=True, check=True).stdout == b"2\n"


@pytest.mark.long
def test_a_build_goes_on_where_the_store_was_killed(deck: Deck) -> None:
    folder = checkout(deck)
    build(deck, "ann", folder)
    kill(read_json(f"{deck.state}/store/address")["pid"])
    subprocess.run(["cargo", "clean", "-q"], cwd=folder, env=deck.env, check=True)
    found = outcomes(build(deck, "ann", folder))
    assert {outcome for outcome, _ in found.values()} <= {"hit", "error", "missed", "not cacheable"}
    assert len(found) == 3
    assert subprocess.run([folder / "target/debug/two"], capture_output=True, check=True).stdout == b"2\n"


@pytest.mark.long
def test_a_server_that_hangs_is_ended_and_the_build_goes_on(deck: Deck, tmp_path: Path) -> None:
    folder = checkout(deck)
    deck.run("cache", "start", "--agent", "ann", cwd=str(folder))
    pid = server(deck, "ann")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        deck.run("build", "--detach", "--agent", "ann", cwd=str(folder))
        (run,) = deck.runs()
        found = outcomes(until(lambda: _ended(run), 60, "the end of a build whose server hung"))
    finally:
        if process(pid) is not None:
            os.kill(pid, signal.SIGCONT)
    assert process(pid) is None
    assert {unit: outcome for unit, (outcome, _) in found.items()} == dict.fromkeys(("one", "two", "two(bin)"), "error")
    assert read_json(run + "/exit.json")["code"] == 0


def _ended(run: str) -> list[dict[str, Any]] | None:
    return lookups(run) if os.path.exists(run + "/exit.json") else None


def test_a_killed_engine_tells_nothing_twice(deck: Deck) -> None:
    folder = checkout(deck)
    (folder / "two/build.rs").write_text(
        "use std::{fs, os::unix::fs::MetadataExt, process::Command};\n"
        "fn engine() -> Option<String> {\n"
        f'let inode = format!(":{{}} ", fs::metadata("{deck.state}/engine/lock").ok()?.ino());\n'
        'let locks = fs::read_to_string("/proc/locks").ok()?;\n'
        "let line = locks.lines().find(|line| line.contains(&inode))?;\n"
        "line.split_whitespace().nth(4).map(str::to_owned) }\n"
        "fn main() { let pid = loop { if let Some(pid) = engine() { break pid } };\n"
        'assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success()); }\n'
    )
    deck.run("build", "--agent", "ann", cwd=str(folder))
    (run,) = deck.runs()
    deck.run("ps")  # starts another engine
    assert {unit: outcome for unit, (outcome, _) in outcomes(lookups(run)).items()} == {
        "one": "missed", "two(build.rs)": "not cacheable", "two": "missed", "two(bin)": "not cacheable",
    }  # fmt: skip


def test_a_new_engine_does_not_take_what_a_server_did_earlier_for_what_it_does_now(deck: Deck) -> None:
    folder = checkout(deck)
    build(deck, "ann", folder)
    engine = deck.engine()
    assert engine is not None
    kill(engine.pid)
    subprocess.run(["cargo", "clean", "-q"], cwd=folder, env=deck.env, check=True)
    (before,) = deck.runs()
    deck.run("build", "--agent", "ann", cwd=str(folder))
    deck.run("ps")
    (run,) = set(deck.runs()) - {before}
    assert outcomes(lookups(run)) == {
        "one": ("hit", "ann"), "two": ("hit", "ann"), "two(bin)": ("not cacheable", "crate-type"),
    }  # fmt: skip


def test_servers_are_no_part_of_a_run_and_end_when_asked(deck: Deck) -> None:
    folder = checkout(deck)
    build(deck, "ann", folder)
    known = server(deck, "ann")
    assert process(known["pid"]) is not None
    (run,) = deck.runs()
    assert read_json(run + "/exit.json")["left_running"] == []
    with open(f"/proc/{known['pid']}/environ", "rb") as file:
        assert b"DECK_RUN" not in file.read()
    stopped = deck.json("cache", "stop", "--json")
    assert stopped["agents"] == ["ann", "the store"]
    assert process(known["pid"]) is None
    assert not os.path.exists(known["socket"])


def test_a_cache_that_cannot_be_had_is_said_and_the_build_goes_on(deck: Deck) -> None:
    folder = checkout(deck)
    for env, said in (
        ({"DECK_STORE": "redis://127.0.0.1:1"}, "redis://127.0.0.1:1 does not answer (Connection refused)"),
        ({"DECK_CACHE": "zork"}, "DECK_CACHE says cache = 'zork': it is one of none, sccache"),
        ({"CARGO_INCREMENTAL": "1"}, "CARGO_INCREMENTAL is on, which sccache refuses"),
    ):
        done = deck.run("build", "--agent", "ann", cwd=str(folder), env=env)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("cargo-deck: no compiler cache for this build: ")
        assert said in done.stderr.split("\n")[0]
    done = deck.run("build", "--agent", "ann", cwd=str(folder), env={"DECK_CACHE": "none"})
    assert "cargo-deck" not in done.stderr


def test_errors_are_those_of_plain_cargo(deck: Deck) -> None:
    folder = checkout(deck)
    (folder / "one/src/lib.rs").write_text("pub fn one() -> u32 { nothing }\npub fn other() -> String { 1 + }\n")
    (folder / "two/src/lib.rs").write_text("pub fn two() -> String { 7 }\npub fn three() -> u8 { lost() }\n")
    (folder / "two/Cargo.toml").write_text('[package]\nname = "two"\nversion = "1.0.0"\nedition = "2021"\n')
    for package in ("one", "two"):
        words = ("build", "-p", package)
        plain = subprocess.run(
            ["cargo", *words, "--target-dir", "plain"], cwd=folder, env=deck.env, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        ours = deck.run(*words, "--agent", "ann", cwd=str(folder))
        assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)
        assert ours.returncode == 101
        assert "error" in ours.stderr


def test_what_a_build_script_tries_of_the_compiler_is_no_unit_and_still_counted(deck: Deck) -> None:
    folder = checkout(deck)
    (folder / "one/build.rs").write_text(
        "use std::{env, process::Command};\n"
        'fn main() { let out = env::var("OUT_DIR").unwrap(); std::fs::write(format!("{out}/p.rs"), "").unwrap();\n'
        'let mut probe = Command::new(env::var("RUSTC_WRAPPER").unwrap()); probe.arg(env::var("RUSTC").unwrap());\n'
        'probe.args(["--crate-name=probe", "--crate-type=lib", "--emit=metadata", "--out-dir"]).arg(&out);\n'
        'assert!(probe.arg(format!("{out}/p.rs")).status().unwrap().success()); }\n'
    )
    found = build(deck, "ann", folder)
    assert [(one["unit"], one["outcome"]) for one in found if one["language"] == "Probe"] == [("one(probe)", "missed")]
    units = [one for one in found if one["language"] == "Rust"]
    assert len(units) == 4
    (figures,) = deck.json("cache", "stats", "--json")["agents"]
    assert figures["server"]["misses"] == 1 + sum(one["outcome"] == "missed" for one in units)
    assert sum(figures["units"].values()) == 4


def test_c_that_a_command_compiles_through_sccache_is_counted_for_its_agent(deck: Deck) -> None:
    folder = Path(deck.folder, "c")
    folder.mkdir()
    (folder / "a.c").write_text("int f(void) { return 1; }\n")
    for agent in ("ann", "bob"):
        done = deck.run("exec", "--agent", agent, "--", "sccache", "cc", "-c", "a.c", "-o", "a.o", cwd=str(folder))
        assert done.returncode == 0, done.stderr
    deck.run("ps")
    first, second = ([(one["unit"], one["language"], one["outcome"], one["source_agent"]) for one in lookups(run)]
                     for run in deck.runs())  # fmt: skip
    assert first == [("a.o", "C/C++", "missed", "")]
    assert second == [("a.o", "C/C++", "hit", "ann")]
    known = server(deck, "bob")
    assert (known["backend"], process(known["pid"]) is not None) == ("own", True)


def test_another_sccache_that_comes_first_in_path_is_not_asked(deck: Deck) -> None:
    """The proxy of rustup puts `$CARGO_HOME/bin` before what PATH was."""
    folder = checkout(deck)
    real = subprocess.run(["rustup", "which", "cargo"], capture_output=True, text=True, env=deck.env, check=True)
    script(deck, "proxy/cargo", f'PATH={deck.folder}/foreign:$PATH exec {real.stdout.strip()} "$@"')
    script(deck, "foreign/sccache", f'echo asked >> {deck.folder}/asked\nexec "$@"')
    deck.env["PATH"] = f"{deck.folder}/proxy:{deck.env['PATH']}"
    assert outcomes(build(deck, "ann", folder))["one"] == ("missed", "first time")
    assert not os.path.exists(f"{deck.folder}/asked")


def test_where_no_front_can_be_built_there_is_no_cache(deck: Deck) -> None:
    """It is what goes on without a server."""
    folder = checkout(deck)
    fronts = Path(deck.folder, "cache", "cargo-deck", "fronts")
    fronts.unlink()
    fronts.write_text("no folder")
    assert deck.run("build", "--agent", "ann", cwd=str(folder)).returncode == 0
    (run,) = deck.runs()
    (said,) = [one["reason"] for one in read_json(run + "/run.json")["plan"] if one["setting"] == "cache"]
    assert f"what stands before sccache cannot be written to {fronts}" in said
    assert not os.path.exists(f"{deck.state}/caches")


@pytest.fixture
def small_disk(deck: Deck) -> Iterator[str]:
    """Where a cache folder is to be: a file system of 64 KB."""
    folder = deck.folder + "/small"
    os.mkdir(folder)
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def _why_no_cache(deck: Deck) -> str:
    started = time.monotonic()
    done = deck.run("build", "--agent", "ann", cwd=str(checkout(deck)))
    assert done.returncode == 0
    assert time.monotonic() - started < 30
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("cargo-deck: no compiler cache")]
    return said


def test_a_full_or_a_read_only_cache_folder_is_named(deck: Deck, small_disk: str) -> None:
    deck.env["XDG_CACHE_HOME"] = small_disk
    assert f"{small_disk}/cargo-deck/fronts" in (said := _why_no_cache(deck))
    assert said.endswith(": No space left on device")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert f"{small_disk}/cargo-deck" in (said := _why_no_cache(deck))
    assert said.endswith(": Read-only file system")


def test_a_read_only_folder_of_the_store_is_named_at_once(deck: Deck, small_disk: str) -> None:
    os.symlink(small_disk, deck.folder + "/cache/cargo-deck/store")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    started = time.monotonic()
    done = deck.run("cache", "start", "--agent", "ann")
    assert time.monotonic() - started < 1.9
    assert done.stderr.strip().endswith(f"cannot write to {deck.folder}/cache/cargo-deck/store: Read-only file system")
    assert not os.path.exists(deck.state + "/store/errors")


def test_a_server_outlives_the_temporary_folder_and_the_checkout_that_it_was_started_in(deck: Deck) -> None:
    gone, folder = checkout(deck, "gone"), checkout(deck)
    temporary = Path(deck.folder, "temporary")
    temporary.mkdir()
    deck.run("build", "--agent", "ann", cwd=str(gone), env={"TMPDIR": str(temporary)})
    known = server(deck, "ann")
    assert os.readlink(f"/proc/{known['pid']}/cwd") == "/"
    shutil.rmtree(gone)
    temporary.rmdir()
    assert outcomes(build(deck, "ann", folder))["one"][0] == "missed"
    assert server(deck, "ann")["pid"] == known["pid"]


@pytest.mark.long
def test_files_from_the_cache_can_be_read_whoever_compiled_them_with_whatever_umask(deck: Deck) -> None:
    folder = checkout(deck)
    for agent, mask in (("ann", 0o077), ("bob", 0o022)):
        shutil.rmtree(folder / "target", ignore_errors=True)
        before = os.umask(mask)
        try:
            build(deck, agent, folder)
        finally:
            os.umask(before)
        modes = {path.stat().st_mode & 0o777 for path in (folder / "target/debug/deps").glob("*.rlib")}
        assert modes == {0o644}
        assert (folder / "target").stat().st_mode & 0o777 == 0o777 & ~mask


def test_what_a_client_started_in_the_place_of_a_dead_server_is_not_used(deck: Deck) -> None:
    folder = checkout(deck)
    (folder / "a.c").write_text("int f(void) { return 1; }\n")
    deck.run("cache", "start", "--agent", "ann", cwd=str(folder))
    known = server(deck, "ann")
    kill(known["pid"])
    words, env = ["sccache", "cc", "-c", "a.c", "-o", "a.o"], {**deck.env, "SCCACHE_SERVER_UDS": known["socket"]}
    # A client that comes while the old one's socket is closed is turned away.
    until(lambda: subprocess.run(words, cwd=folder, env=env, check=False).returncode == 0, 20, "a client's own server")
    assert outcomes(build(deck, "ann", folder))["one"] == ("missed", "first time")
    assert server(deck, "ann")["pid"] != known["pid"]


def test_a_server_that_dies_while_it_compiles_leaves_no_words_in_what_cargo_prints(deck: Deck) -> None:
    folder = checkout(deck)
    real = subprocess.run(["rustup", "which", "rustc"], capture_output=True, text=True, env=deck.env, check=True)
    script(deck, "killer/rustc", f'''
case " $* " in *" --crate-name one "*"--emit"*" --out-dir {folder}/target/"*)
    pid=$(sed 's/.*"pid": //; s/,.*//' {deck.state}/caches/ann/server.json); kill -9 $pid ;;
esac
exec {real.stdout.strip()} "$@"''')  # fmt: skip
    deck.env["RUSTC"] = f"{deck.folder}/killer/rustc"
    done = deck.run("build", "--agent", "ann", cwd=str(folder))
    assert (done.returncode, "sccache" in done.stderr) == (0, False)
    again = deck.run("build", "--agent", "ann", cwd=str(folder))
    assert (again.returncode, "sccache" in again.stderr) == (0, False)
    deck.run("ps")
    first, _ = deck.runs()
    assert outcomes(lookups(first))["one"] == ("error", "server")


def test_settings_of_the_users_own_sccache_that_cannot_be_read_are_not_read(deck: Deck) -> None:
    folder = checkout(deck)
    settings = Path(deck.env["HOME"], ".config", "sccache", "config")
    settings.parent.mkdir(parents=True)
    settings.write_text("no settings")
    assert outcomes(build(deck, "ann", folder))["one"] == ("missed", "first time")


def test_no_credential_of_a_url_is_in_the_notes_of_a_front(deck: Deck) -> None:
    folder = checkout(deck)
    deck.env["CARGO_HTTP_PROXY"] = "http://me:hunter22@127.0.0.1:1"
    build(deck, "ann", folder)
    (run,) = deck.runs()
    notes = [json.loads(line) for line in Path(run, "fronts", "cache.jsonl").read_text().splitlines()]
    assert [note["env"]["CARGO_HTTP_PROXY"] for note in notes] == [None] * 3
    found = subprocess.run(["grep", "-rl", "hunter22", deck.state], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_folders_that_a_command_makes_are_the_users_alone(deck: Deck) -> None:
    shutil.rmtree(deck.state, ignore_errors=True)
    deck.env["DECK_STORE"] = "https://127.0.0.1:1/x"
    deck.run("cache", "start", "--agent", "ann")
    modes = {path: os.stat(path).st_mode & 0o777 for path in (deck.state, f"{deck.state}/caches/ann")}
    assert set(modes.values()) == {0o700}


def script(deck: Deck, name: str, text: str) -> None:
    path = Path(deck.folder, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
