"""How fast the store is, beside a plain file; and how soon it knows 100,000 objects."""

import hashlib
import os
import socket
import time
from collections.abc import Callable

from bench.figures import Figures
from core.cache.store_address import StoreAddress
from core.cache.store_client import data_folder, ensure_store, find_store, stop_store, store_stats
from core.cache.store_files import Objects
from core.cache.store_object import Writer
from core.clock import wall_clock
from core.paths import Paths
from tests.real.store_builds import wait_until
from tests.stores import Asker, key_of

CLIENTS, OBJECTS, MEGABYTE = 8, 64, 1_000_000
KNOWN_S, START_S = 2.0, 2.0
GET_SHARE, PUT_SHARE = 0.4, 0.15
"""Of reading a plain file and hashing it, which is the least that proving an object costs."""


def measure_speed(figures: Figures, paths: Paths) -> None:
    """Objects of 1 MB, eight clients at once, each a process of its own, on this machine's cores."""
    address = ensure_store(paths)
    folder = os.path.dirname(paths.cache) + "/plain"
    os.makedirs(folder)
    content = os.urandom(MEGABYTE)
    for number in range(OBJECTS):
        with open(f"{folder}/{number}", "wb") as file:
            file.write(content)
    put = _rate(lambda client: _puts(address, client, content))
    get = _rate(lambda client: _gets(address, client))
    plain = _rate(lambda client: _reads(folder))
    proven = _rate(lambda client: _reads(folder, is_hashed=True))
    cores = os.cpu_count()
    figures.note("1 MB objects, 8 clients", f"on {cores} cores, client and store together")
    figures.note("  plain file read", f"{plain:.0f} MB/s; with SHA-256 {proven:.0f} MB/s")
    figures.note("  GET", f"{get:.0f} MB/s, {get / plain:.2f} of a plain read")
    figures.note("  PUT", f"{put:.0f} MB/s")
    figures.at_least("  GET, of a read with SHA-256", get / proven, GET_SHARE, "{:.2f}")
    figures.at_least("  PUT, of a read with SHA-256", put / proven, PUT_SHARE, "{:.2f}")
    asker = Asker(address)
    asker.put(key_of(5000), bytes(3000))
    began = time.perf_counter()
    for _ in range(500):
        asker.get(key_of(5000))
    figures.note("  GET of 3 kB, one client", f"{(time.perf_counter() - began) * 2:.2f} ms")
    began = time.perf_counter()
    for _ in range(100):
        find_store(paths)
    figures.note("  finding the store", f"{(time.perf_counter() - began) * 10:.2f} ms")
    with open(f"/proc/{address.pid}/status", encoding="ascii") as status:
        (peak,) = (int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    figures.note("  memory at its most", f"{peak:.0f} MiB")


def _rate(work: Callable[[int], None]) -> float:
    """MB/s of eight processes that do it at once."""
    began = time.perf_counter()
    pids = []
    for client in range(CLIENTS):
        pid = os.fork()
        if pid == 0:
            try:
                work(client)
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    return CLIENTS * OBJECTS / (time.perf_counter() - began)


def _puts(address: StoreAddress, client: int, content: bytes) -> None:
    link = _connect(address)
    for number in range(OBJECTS):
        link.sendall(_head(address, "PUT", client * OBJECTS + number, len(content)))
        link.sendall(content)
        assert link.recv(4096).startswith(b"HTTP/1.1 201")


def _gets(address: StoreAddress, client: int) -> None:
    link = _connect(address)
    buffer = memoryview(bytearray(MEGABYTE + 4096))
    for number in range(OBJECTS):
        link.sendall(_head(address, "GET", client * OBJECTS + number, 0))
        got = 0
        while got < MEGABYTE or got < bytes(buffer[:500]).find(b"\r\n\r\n") + 4 + MEGABYTE:
            more = link.recv_into(buffer[got:])
            assert more
            got += more


def _reads(folder: str, *, is_hashed: bool = False) -> None:
    buffer = memoryview(bytearray(MEGABYTE))
    for number in range(OBJECTS):
        fd = os.open(f"{folder}/{number}", os.O_RDONLY)
        assert os.readv(fd, [buffer]) == MEGABYTE
        os.close(fd)
        if is_hashed:
            hashlib.sha256(buffer).digest()


def _connect(address: StoreAddress) -> socket.socket:
    link = socket.create_connection(("127.0.0.1", address.port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def _head(address: StoreAddress, verb: str, number: int, length: int) -> bytes:
    key = key_of(10_000 + number)
    return (
        f"{verb} /bench//{key[0]}/{key[1]}/{key[2]}/{key} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {address.token}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def measure_index(figures: Figures, paths: Paths, entries: int) -> None:
    """A store that starts over many small objects."""
    objects = Objects(data_folder(paths), 1 << 40, wall_clock)
    objects.prepare()
    for number in range(entries):
        name = f"{number:064x}"
        path = objects._path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        writer = Writer(fd)
        writer.add(b"small")
        writer.finish(name, "a", wall_clock())
        os.close(fd)
    began = time.perf_counter()
    ensure_store(paths)
    answers = time.perf_counter() - began
    wait_until(lambda: bool((store_stats(paths) or {}).get("is_looked_through")), "all objects are known", 60)
    known = time.perf_counter() - began
    found = (store_stats(paths) or {})["entries"]
    figures.holds(f"{entries} objects are all known", found == entries)
    figures.at_most("  it answers after, s", answers, START_S, "{:.2f}")
    figures.at_most("  all are known after, s", known, KNOWN_S, "{:.2f}")
    stop_store(paths)
