"""The value of a variable named like a credential is in no file of ours and in nothing that we print."""

import os
import re
import subprocess
import zipfile

from tests.real.product import Deck, until
from tests.real.samples import write_workspace

_PLANTED = {
    "MY_TOKEN": "planted-aaaa-1111",
    "AWS_SECRET_ACCESS_KEY": "planted-bbbb-2222",
    "CARGO_REGISTRIES_MINE_TOKEN": "planted-cccc-3333",
    "DB_PASSWORD": "planted-dddd-4444",
    "DATABASE_URL": "postgres://user:planted-eeee-5555@db.example/app",
    "HTTPS_PROXY": "http://user:planted-ffff-6666@proxy.example:3128",
    "my_api_key": "planted-gggg-7777",
}
_IN_ARGV = "https://user:planted-hhhh-8888@git.example/repo"


def _files_with(root: str, text: bytes, skipped: tuple[str, ...]) -> list[str]:
    found = []
    for at, _, names in os.walk(root):
        for name in names:
            path = os.path.join(at, name)
            if name in skipped or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                found += [path] if text in file.read() else []
    return found


def test_a_planted_secret_is_in_no_file_of_ours_and_on_no_screen(deck: Deck) -> None:
    folder = os.path.join(deck.folder, "ws")
    write_workspace(folder)
    printed = []
    commands = (
        ("build",),
        ("build", "-p", "broken"),
        ("run", "--", "echo", _IN_ARGV),
        ("exec", "--", "true", _IN_ARGV, f"--token={_PLANTED['MY_TOKEN']}"),
        ("exec", "--", "sh", "-c", "exit 3"),
        ("ps", "--json", "--all"),
        ("ps", "--all"),
        ("top", "--once"),
    )
    for command in commands:
        done = deck.run(*command, cwd=folder, env=_PLANTED)
        # What a build prints is the caller's, byte for byte.
        printed += [done.stdout + done.stderr] if command[0] in ("ps", "top") else []
    until(lambda: len(deck.runs()) == 5 and not os.listdir(os.path.join(deck.state, "open")), 10, "all runs closed")
    printed.append(str(deck.json("ps", "--json", "--all")))

    leaks = []
    for secret in (*_PLANTED.values(), _IN_ARGV):
        value = next(word for word in secret.replace("@", ":").split(":") if "planted-" in word)
        # What a build writes itself is in its logs: those are the program's.
        leaks += _files_with(deck.folder, value.encode(), ("out.log", "err.log"))
        leaks += [text[:60] for text in printed if value in text]
    assert all(printed)
    assert leaks == []


_CONFIG = """\
[registry]
token = "planted-above"
[build]
incremental = true
rustflags = ["-Clink-arg=-Wl,--defsym,SECRET_KEY=planted-flag"]
[env]
MY_TOKEN = { value = "planted-env", force = true }
CARGO_INCREMENTAL = "0"
OTHER_PASSWORD.value = "planted-dotted"
CARGO_REGISTRIES_MINE_TOKEN = "planted-gone"
# planted-comment
[target.x86_64-unknown-linux-gnu]
rustflags = ["--cfg", "api_key=\\"planted-cfg\\""]
[unstable]
index = "sparse+https://user:planted-url@host.example/"
[registries.mine]
token = "planted-below"
"""


def test_no_line_of_a_config_that_holds_a_credential_is_kept_or_shown(deck: Deck) -> None:
    folder = os.path.join(deck.folder, "ws")
    write_workspace(folder)
    os.makedirs(os.path.join(folder, ".cargo"), exist_ok=True)
    path = os.path.join(folder, ".cargo", "config.toml")
    with open(path, "w") as file:
        file.write(_CONFIG)
    given = {"RUSTFLAGS": "-Cdebuginfo=1"}
    deck.run("build", "--offline", cwd=folder)
    deck.run("build", "--mode", "dev", cwd=folder)
    deck.run("build", "--mode", "dev", cwd=folder, env=given)
    until(lambda: len(deck.runs()) == 3 and not os.listdir(os.path.join(deck.state, "open")), 10, "all runs closed")

    shown = [deck.run(*words, cwd=folder, env=env).stdout for env in ({}, given) for words in (
        ("plan", "--json"), ("plan", "--why"), ("ps", "--all", "--json"), ("ps", "--all"),
    )]  # fmt: skip
    assert os.path.exists(os.path.join(deck.runs()[0], "plan.json"))
    assert "\\n-incremental = true" in shown[0]
    assert "becomes" in shown[1]
    assert all(
        name in shown[6] for name in ("rustflags-shadowed", "SECRET_KEY=***", "rustflags-dropped", "api_key=***")
    )
    recording = os.path.join(deck.folder, "all.deckrec")
    deck.run("record", *map(os.path.basename, deck.runs()), "--output", recording)
    with zipfile.ZipFile(recording) as archive:
        names = [name for name in archive.namelist() if not name.endswith(".log")]
        shown += [archive.read(name).decode() for name in names]
    kept = _files_with(deck.folder, b"planted-", ("out.log", "err.log"))
    assert [one for one in kept if one != path and "/target/" not in one] == []
    assert [re.findall("planted-[a-z]+", text) for text in shown if "planted-" in text] == []


def test_the_search_for_secrets_finds_one_that_is_written(deck: Deck) -> None:
    subprocess.run(["sh", "-c", "echo planted-aaaa-1111 > leak"], cwd=deck.folder, check=True)

    assert _files_with(deck.folder, b"planted-aaaa-1111", ())
