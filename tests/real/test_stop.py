"""Stop and dead owners, with real processes: nothing of a run lives on, nothing else is touched."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.real import owners, trees
from tests.real.product import COMMAND, Deck, Process, end, process, read_json, temporary_deck, until, with_argument


@pytest.fixture(scope="module")
def hanging() -> Iterator[tuple[Deck, str]]:
    with temporary_deck() as deck:
        folder = os.path.join(deck.folder, "hang")
        owners.write_hanging(folder)
        subprocess.run(["cargo", "-q", "test", "--no-run"], cwd=folder, env=deck.env, check=True)
        deck.run("ps", "--json")
        yield deck, folder


@pytest.mark.parametrize("kinds", [("plain", "setsid"), ("double", "env"), ("daemon", "hidden"), ("worst", "ignores")])
def test_stop_leaves_nothing_of_a_tree_of(deck: Deck, kinds: tuple[str, ...]) -> None:
    stopped = trees.stop_trees(deck, trees.write_tree(deck.folder), [kinds])

    assert (stopped.survivors, stopped.problem) == ([], "")


def test_stop_leaves_a_namesake_outside_the_run_alone(deck: Deck) -> None:
    outside = subprocess.Popen(["bash", "-c", "exec -a deckstop-leaf sleep 600"], start_new_session=True)
    try:
        until(lambda: trees.leaves("deckstop"), 5, "the bystander")
        trees.stop_trees(deck, trees.write_tree(deck.folder), [("setsid", "env")])

        assert outside.poll() is None
    finally:
        outside.kill()
        outside.wait()


def test_a_cache_server_outlives_a_stop_and_its_namesake_does_not(deck: Deck) -> None:
    folder = os.path.join(deck.folder, "tools")
    tool = trees.build_cache_tool(folder)
    fake = os.path.join(deck.folder, "sccache")
    with open("/bin/sleep", "rb") as source, open(fake, "wb") as copy:
        copy.write(source.read())
    os.chmod(fake, 0o700)
    env = {"PATH": f"{folder}:{deck.env['PATH']}", "RUSTC_WRAPPER": "sccache", "MARK": "deckcacheserver"}
    line = f"sccache; exec {fake} 600"
    run = trees.start_run(deck, "cached", ["bash", "-c", line], env)
    server = until(lambda: _server(tool), 10, "the server")
    namesake = until(lambda: with_argument(fake), 10, "the namesake")[0]
    try:
        done = deck.run("stop", run)

        assert done.returncode == 0, done.stderr
        assert process(server.pid) == server
        assert process(namesake.pid) != namesake
        assert read_json(f"{deck.state}/runs/{run}/exit.json")["left_running"] == [f"sccache {server.pid}"]
    finally:
        end(server, 9)


@pytest.mark.parametrize(("name", "state"), [("INT", "done"), ("QUIT", "done"), ("TERM", "stopped")])
def test_a_signal_that_a_shell_lets_its_background_ignore_stops_nothing(deck: Deck, name: str, state: str) -> None:
    mark = deck.folder + "/began"
    line = f'"$0" exec -- sh -c "touch {mark}; sleep 1" & p=$!; until [ -e {mark} ]; do sleep 0.01; done; '
    done = subprocess.run(
        ["sh", "-c", line + f"kill -{name} $p; wait $p", COMMAND], cwd=deck.folder, env=deck.env, capture_output=True,
        check=False,
    )  # fmt: skip
    (run,) = deck.runs()
    until(lambda: os.path.exists(run + "/exit.json"), 10, "the end")
    ended = read_json(run + "/exit.json")
    assert (done.returncode == 0, ended["code"] == 0) == (state == "done", state == "done")
    assert ended["stopped_by"] == (None if state == "done" else "interrupt")


def _server(tool: str) -> Process | None:
    """The one that listens: it has dropped `setsid` from its command line."""
    return next((one for one in with_argument("--serve") if one.argv[0] == tool), None)


@pytest.mark.parametrize("kind", ["test", "exec"])
@pytest.mark.parametrize("way", list(owners.WAYS))
def test_a_run_ends_with_its_caller_when(hanging: tuple[Deck, str], way: str, kind: str) -> None:
    deck, folder = hanging

    trial = owners.run_trial(deck, folder, way, kind, is_early=False)

    assert (trial.survivors, trial.problem) == ([], "")
