"""A cache store of its own for a test or a bench, and a client that knows nothing of ours."""

import contextlib
import http.client
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from typing import Any

from core.cache import store_client
from core.cache.store_client import StoreAddress
from core.paths import Paths
from tests.real.product import process

DEADLINE_S = 20.0
_links: list[http.client.HTTPConnection] = []


class Asker:
    """One keep-alive connection of an agent to a store."""

    def __init__(self, address: StoreAddress, agent: str = "agent-1", *, token: str | None = None) -> None:
        self.agent = agent
        self._fields = {"Authorization": f"Bearer {address.token if token is None else token}"}
        self._link = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
        _links.append(self._link)

    def ask(self, verb: str, path: str, body: bytes | None = None, **fields: str) -> tuple[int, bytes]:
        """Status and body. Raises OSError or HTTPException where the connection breaks."""
        headers = self._fields | {name.replace("_", "-"): value for name, value in fields.items()}
        self._link.request(verb, path, body=body, headers=headers)
        answer = self._link.getresponse()
        return answer.status, answer.read()

    def path(self, key: str) -> str:
        """Of an object, as sccache 0.16 asks for it: two slashes, then the first three letters."""
        return f"/{self.agent}//{key[0]}/{key[1]}/{key[2]}/{key}"

    def get(self, key: str) -> bytes | None:
        """The object; None: there is none."""
        status, body = self.ask("GET", self.path(key))
        assert status in (200, 404), status
        return body if status == 200 else None

    def put(self, key: str, content: bytes) -> int:
        """The status."""
        return self.ask("PUT", self.path(key), content)[0]

    def close(self) -> None:
        """Let the connection go."""
        self._link.close()


def paths_below(folder: str) -> Paths:
    """A user's folders of ours."""
    return Paths(folder + "/state", folder + "/cache")


@contextlib.contextmanager
def ended(paths: Paths) -> Iterator[Paths]:
    """Whatever store was started in these folders is gone afterwards."""
    try:
        yield paths
    finally:
        while _links:
            _links.pop().close()
        store_client.end_hung_store(paths)
        address = store_client.find_store(paths)
        if address is not None:
            kill(address)


def kill(address: StoreAddress) -> None:
    """`kill -9`, and wait until all its threads are dead."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(address.pid, signal.SIGKILL)
    end = time.monotonic() + DEADLINE_S
    while store_client._is_alive(address.pid) and _has_threads(address.pid):
        assert time.monotonic() < end, f"{address.pid} lives on"
        time.sleep(0.001)


def _has_threads(pid: int) -> bool:
    """False of a zombie whose other threads are gone too: its files are closed."""
    try:
        return process(pid) is not None or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def key_of(number: int) -> str:
    """A key as sccache makes them: 64 hexadecimal digits."""
    return f"{random.Random(number).getrandbits(256):064x}"


def content_of(number: int, size_bytes: int, version: int = 0) -> bytes:
    """Bytes that nobody else would have put under that number."""
    return random.Random(f"{number}-{version}").randbytes(size_bytes)


def log_of(paths: Paths, *, torn: list[str] | None = None) -> list[dict[str, Any]]:
    """All lines of the store's log; one that is torn fails, or goes into that list."""
    lines: list[dict[str, Any]] = []
    for name in ("log.1.jsonl", "log.jsonl"):
        with contextlib.suppress(FileNotFoundError), open(f"{paths.store}/{name}", encoding="utf-8") as file:
            for line in file:
                try:
                    lines.append(json.loads(line))
                except ValueError:
                    assert torn is not None, f"torn: {line!r}"
                    torn.append(line)
    return lines


def object_files(paths: Paths) -> list[str]:
    """Paths of all objects on disk."""
    folder = store_client.data_folder(paths) + "/objects"
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
