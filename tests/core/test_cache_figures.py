"""Whom an engine asks for figures, and whom it leaves in peace so that they can end when they are idle."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import events as e
from core.cache.figures import PERIOD_S, REST_PERIOD_S, Figures
from core.cache.server_record import Server
from core.paths import Paths
from tests.real.product import until


class World:
    """Servers that take connections, and a program that notes whom it was asked about."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.passed_s = 0.0
        self.paths = Paths(str(folder / "state"), str(folder / "cache"))
        self.links: list[socket.socket] = []
        program = folder / "sccache"
        program.write_text(f'#!/bin/sh\necho "$SCCACHE_SERVER_UDS" >> {folder}/asked\n')
        program.chmod(0o755)
        self.figures = Figures(self.paths, lambda: 1000.0 + self.passed_s, lambda: self.passed_s)

    def server(self, agent: str, backend: str = "redis://x") -> Server:
        folder = self.folder / agent
        folder.mkdir()
        link = socket.socket(socket.AF_UNIX)
        link.bind(str(folder / "socket"))
        link.listen(50)
        self.links.append(link)
        program = str(self.folder / "sccache")
        return Server(
            agent, str(folder), str(folder / "socket"), str(folder / "log"), os.getpid(), 0, program, "", "0.16.0",
            backend, "", 0.0,
        )  # fmt: skip

    def look(self, *servers: Server) -> list[e.Event]:
        """What is told once all who were asked have answered."""
        self.passed_s += PERIOD_S
        told = self.figures.look(servers, {})
        until(lambda: len(self.asked()) >= len(servers), 5, "an answer")
        return told

    def rest(self) -> None:
        """Once all who are asked have answered: else they would be taken for hung."""
        self.passed_s += REST_PERIOD_S
        self.figures.rest()

        def is_answered() -> bool:
            self.figures.rest()
            return all(known.question is None for known in self.figures._known.values())

        until(is_answered, 5, "all answers")

    def asked(self) -> list[str]:
        try:
            return (self.folder / "asked").read_text().split()
        except OSError:
            return []


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("f"))
    yield world
    for link in world.links:
        link.close()


def test_only_servers_of_agents_that_build_are_asked(world: World) -> None:
    ann, bob = world.server("ann"), world.server("bob")
    world.look(ann, bob)
    (world.folder / "asked").unlink()
    for _ in range(3):
        world.look(ann)
    assert set(world.asked()) == {ann.socket}


def test_what_the_last_build_did_is_asked_for_after_it(world: World) -> None:
    ann = world.server("ann")
    world.look(ann)
    (world.folder / "asked").unlink()
    for _ in range(3):
        world.rest()
    assert world.asked() == [ann.socket]


def test_a_store_that_no_build_needs_is_not_kept_awake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    found = {"trades": [], "entries": 3, "bytes": 30, "limit": 300, "oldest": 1.0, "evicted": 0}

    def store_stats(*_: object, **__: object) -> dict[str, object]:
        asked.append(world.passed_s)
        return found

    monkeypatch.setattr("core.cache.figures.store_stats", store_stats)
    Path(world.paths.store).mkdir(parents=True)
    address = f'{{"port": 1, "token": "{"a" * 32}", "pid": {os.getpid()}}}'
    Path(world.paths.store, "address").write_text(address)
    ann = world.server("ann", "own")
    (seen,) = world.look(ann)
    assert isinstance(seen, e.CachesSeen)
    assert (seen.store_state, seen.store_entries) == ("running", 3)
    world.rest()
    before = len(asked)
    for _ in range(3):
        world.passed_s += REST_PERIOD_S
        assert world.figures.rest() == []
    assert len(asked) == before
    Path(world.paths.store, "address").write_text(address.replace(str(os.getpid()), "999999999"))
    world.passed_s += REST_PERIOD_S
    (seen,) = world.figures.rest()
    assert isinstance(seen, e.CachesSeen)
    assert seen.store_state == "stopped"


def test_a_server_that_is_gone_while_its_agent_builds_is_an_alarm(world: World) -> None:
    server = world.server("a")
    world.look(server)
    world.links.pop().close()
    world.passed_s += PERIOD_S
    (told,) = world.figures.look([server], {})
    assert isinstance(told, e.CachesSeen)
    ((agent, _, pid, *_, alarm),) = told.servers
    assert (agent, pid) == ("a", None)
    assert alarm.startswith("its server is gone: its build goes on without it")
