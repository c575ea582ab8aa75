"""Makes the recordings in `sccache/` anew, with the sccache, cargo, cc and nvcc of this machine.

    python tests/data/record_sccache.py SCRATCH_FOLDER SCCACHE [NAME…]

Each recording is what one server wrote (`NAME.log`) and what it then said of itself (`NAME.json`), machine paths
replaced. `parallel` needs two cargos at once; `redis` needs Debian's redis-server, `cuda` an nvcc first in PATH.
"""

import contextlib
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from core.cache.sccache_env import LOG_ENV  # noqa: E402

SOURCES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["low", "mid", "mac", "script", "app"]\n',
    "low/Cargo.toml": '[package]\nname = "low"\nversion = "0.1.0"\nedition = "2021"\n',
    "low/src/lib.rs": "mod part;\npub fn low() -> u64 { part::seven() }\n",
    "low/src/part.rs": "pub fn seven() -> u64 { 7 }\n",
    "mid/Cargo.toml": '[package]\nname = "mid"\nversion = "0.1.0"\nedition = "2021"\n'
    '[dependencies]\nlow = { path = "../low" }\n',
    "mid/src/lib.rs": "pub fn mid() -> u64 { low::low() + 1 }\n",
    "mac/Cargo.toml": '[package]\nname = "mac"\nversion = "0.1.0"\nedition = "2021"\n[lib]\nproc-macro = true\n',
    "mac/src/lib.rs": "use proc_macro::TokenStream;\n#[proc_macro]\n"
    'pub fn make(_: TokenStream) -> TokenStream { "pub fn made() -> u64 { 42 }".parse().unwrap() }\n',
    "script/Cargo.toml": '[package]\nname = "script"\nversion = "0.1.0"\nedition = "2021"\n'
    '[dependencies]\nmac = { path = "../mac" }\n',
    "script/build.rs": 'fn main() {\n    let out = std::env::var("OUT_DIR").unwrap();\n'
    '    std::fs::write(format!("{out}/g.rs"), "pub const G: u64 = 5;").unwrap();\n'
    '    println!("cargo:rerun-if-changed=build.rs");\n}\n',
    "script/src/lib.rs": 'include!(concat!(env!("OUT_DIR"), "/g.rs"));\nmac::make! {}\n',
    "app/Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n'
    'mid = { path = "../mid" }\nscript = { path = "../script" }\n',
    "app/src/main.rs": 'fn main() { println!("{}", mid::mid() + script::G + script::made()); }\n',
}
KERNEL = """#include <cstdio>
__global__ void add(int* x) { x[threadIdx.x] += %d; }
int main() { add<<<1, 1>>>(nullptr); return 0; }
"""


class Server:
    """A server of its own: socket, log, cache."""

    def __init__(self, folder: Path, sccache: str, **env: str) -> None:
        self.folder = folder
        self.sccache = sccache
        self.log = folder / "server.log"
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith(("SCCACHE", "CARGO_", "RUST_"))
        }
        self.env |= {"SCCACHE_SERVER_UDS": str(folder / "s"), "SCCACHE_IDLE_TIMEOUT": "0", "CARGO_HOME": _cargo_home()}
        self.start_env = self.env | LOG_ENV | {"SCCACHE_ERROR_LOG": str(self.log), **env}

    def start(self) -> None:
        subprocess.run([self.sccache, "--start-server"], env=self.start_env, check=True, capture_output=True)

    def stats(self) -> bytes:
        command = [self.sccache, "--show-stats", "--stats-format=json"]
        return subprocess.run(command, env=self.env, check=True, capture_output=True).stdout

    def stop(self) -> None:
        subprocess.run([self.sccache, "--stop-server"], env=self.env, check=False, capture_output=True)

    def cargo(self, where: Path, *args: str, **env: str) -> "subprocess.Popen[bytes]":
        """A cargo of its own target dir `NAME`, begun."""
        command = ["cargo", *args, "--offline"]
        env = self.env | {"RUSTC_WRAPPER": self.sccache, **env}
        return subprocess.Popen(command, cwd=where, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cc(self, where: Path, *args: str, tool: str = "cc", **env: str) -> int:
        command = [self.sccache, tool, *args]
        return subprocess.run(command, cwd=where, env=self.env | env, check=False, capture_output=True).returncode


def _cargo_home() -> str:
    return os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))


def sources(where: Path) -> Path:
    """The workspace in a folder."""
    for name, text in SOURCES.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(text)
    return where


PLAIN = ("--config", "build.incremental=false")


def rust(server: Server) -> None:
    """Missed, hit from another target dir, incremental, a wrong program, a wrong letter, a check, tests."""
    where = sources(server.folder / "ws")
    server.cargo(where, "build", "--target-dir", "../one", *PLAIN).wait()
    server.cargo(where, "build", "--target-dir", "../two", *PLAIN).wait()
    server.cargo(where, "build", "--target-dir", "../three", "--config", "build.incremental=true").wait()
    server.cargo(where, "test", "--no-run", "--target-dir", "../two", *PLAIN).wait()
    server.cargo(where, "check", "--target-dir", "../two", *PLAIN).wait()
    server.cargo(where, "clippy", "--target-dir", "../two", *PLAIN).wait()
    (where / "mid/src/lib.rs").write_text("pub fn mid() -> u64 { low::missing() }\n")
    server.cargo(where, "build", "--target-dir", "../two", *PLAIN).wait()
    (where / "mid/src/lib.rs").write_text('pub fn mid() -> u64 { "\n')
    server.cargo(where, "build", "--target-dir", "../two", *PLAIN).wait()


def parallel(server: Server) -> None:
    """Four cargos at once on one workspace, of which two want the same; then each of their wishes by itself."""
    where = sources(server.folder / "ws")
    wishes = [("build",), ("build", "--release"), ("build",), ("check",)]
    builds = [server.cargo(where, *wish, "--target-dir", f"../t{n}", *PLAIN) for n, wish in enumerate(wishes)]
    for build in builds:
        build.wait()
    for wish in wishes[1:]:
        server.cargo(where, *wish, "--target-dir", "../alone", *PLAIN).wait()


def c(server: Server) -> None:
    """C, C++, an assembler, a link, a wrong program, a lost header, input from a pipe, a tool that is no compiler."""
    where = server.folder
    (where / "a.c").write_text("int a(void) { return 1; }\n")
    (where / "b.cpp").write_text("#include <vector>\nint b() { return std::vector<int>{1}[0]; }\n")
    (where / "s.S").write_text(".globl s\ns:\n ret\n")
    (where / "wrong.c").write_text("int a(void) { return x; }\n")
    (where / "lost.c").write_text('#include "lost.h"\n')
    (where / "sub dir").mkdir()
    for _ in range(2):
        server.cc(where, "-c", "a.c", "-o", "a.o")
        server.cc(where, "-O2", "-c", "a.c", "-o", "sub dir/a.o", "-MD", "-MF", "a.d")
        server.cc(where, "-c", "b.cpp", "-o", "b.o", tool="c++")
        server.cc(where, "-c", "s.S", "-o", "s.o")
        server.cc(where, "-c", "wrong.c", "-o", "wrong.o")
        server.cc(where, "-c", "lost.c", "-o", "lost.o")
        server.cc(where, "-c", "a.c", "b.cpp")
        server.cc(where, "a.o", "b.o", "-o", "ab")
        server.cc(where, "-c", "-x", "c", "-", "-o", "pipe.o")
        server.cc(where, "-E", "a.c")
        server.cc(where, "-MM", "a.c")
        server.cc(where, "-c", "a.c", tool="/bin/ls")
    server.cc(where, "-c", "a.c", "-o", "a.o", SCCACHE_RECACHE="1")
    server.cc(where, "-c", "a.c", "-o", "a.o", SCCACHE_NO_CACHE="1")
    server.cc(where, "-c", "a.c", "-o", "not/there/a.o")
    server.cc(where, "-c", "a.c", "-o", "other.o")


def cuda(server: Server) -> None:
    """Each step of nvcc, missed and hit; one that does not compile; PTX alone."""
    where = server.folder
    (where / "k.cu").write_text(KERNEL % 1)
    (where / "wrong.cu").write_text("int main() { return x; }\n")
    arch = ("-gencode", "arch=compute_80,code=sm_80", "-gencode", "arch=compute_90,code=sm_90")
    for _ in range(2):
        server.cc(where, "-c", "k.cu", "-o", "k.cu.o", *arch, tool="nvcc")
    server.cc(where, "-ptx", "k.cu", "-o", "k.ptx", "-arch=sm_80", tool="nvcc")
    server.cc(where, "-c", "wrong.cu", "-o", "wrong.cu.o", "-arch=sm_80", tool="nvcc")
    (where / "k.cu").write_text(KERNEL % 2)
    server.cc(where, "-c", "k.cu", "-o", "k.cu.o", *arch, tool="nvcc")


def killed(server: Server) -> None:
    """A compiler that dies of a signal, and a cargo that is killed while its compilers work."""
    where = sources(server.folder / "ws")
    (where / "low/src/lib.rs").write_text("pub fn low() -> u64 { 7 }\n" + _slow(1500))
    build = server.cargo(where, "build", "--target-dir", "../one", *PLAIN, "--release")
    _await(lambda: b"[low]: Compiling locally" in server.log.read_bytes())
    build.send_signal(signal.SIGKILL)
    build.wait()
    _await(lambda: b"[low]: compile result" in server.log.read_bytes())
    (where / "low/src/lib.rs").write_text("pub fn low() -> u64 { 8 }\n" + _slow(1500))
    build = server.cargo(where, "build", "--target-dir", "../two", *PLAIN, "--release")
    _await(lambda: server.log.read_bytes().count(b"[low]: Compiling locally") == 2)
    os.kill(_compiler_of(server.folder, "low"), signal.SIGKILL)
    build.wait()


def _slow(functions: int) -> str:
    return "".join(
        f"pub fn f{i}(v: &mut Vec<String>) {{ v.sort(); v.dedup(); v.retain(|x| x.len() > {i}); }}\n"
        for i in range(functions)
    )


def _compiler_of(folder: Path, crate: str) -> int:
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if (
                crate.encode() in words
                and f"{folder}/ws/../two/".encode() in b" ".join(words)
                and b"sccache" not in words[0]
            ):
                return int(entry.name)
        except OSError:
            continue
    raise LookupError(crate)


def _await(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError
        time.sleep(0.01)


class Dav(http.server.BaseHTTPRequestHandler):
    """A store that can be told to fail: `bad` holds `put`, `get`, `hang`, `torn`, `check`."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, bytes]
    bad: set[str]

    def log_message(self, *args: object) -> None: ...

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # who asked may not wait to the end
            super().handle()

    def answer(self, code: int, body: bytes = b"") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        found = self.kept.get(self.path)
        if "check" not in self.path:
            if "hang" in self.bad:
                time.sleep(63)
            if "get" in self.bad:
                return self.answer(500)
            if "torn" in self.bad and found:
                found = found[: len(found) // 2]
        return self.answer(404) if found is None else self.answer(200, found)

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_check = "check" in self.path
        if ("check" if is_check else "put") in self.bad:
            return self.answer(500)
        self.kept[self.path] = body
        return self.answer(201)

    def do_MKCOL(self) -> None:
        self.answer(201)

    def do_PROPFIND(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = self.kept.get(self.path)
        if found is None and not self.path.endswith("/"):
            return self.answer(404)
        kind = "<D:collection/>" if found is None else ""
        self.answer(
            207,
            f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>{self.path}</D:href><D:propstat>'
            f"<D:prop><D:getlastmodified>{formatdate(usegmt=True)}</D:getlastmodified><D:getcontentlength>"
            f"{len(found or b'')}</D:getcontentlength><D:resourcetype>{kind}</D:resourcetype></D:prop><D:status>"
            f"HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>".encode(),
        )
        return None


@contextmanager
def dav(*bad: str) -> Iterator[tuple[dict[str, str], set[str]]]:
    """The environment of a server that uses it, and what is bad about the store now."""
    faults = set(bad)
    handler = type("Handler", (Dav,), {"kept": {}, "bad": faults})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as store:
        store.daemon_threads = True
        threading.Thread(target=store.serve_forever, daemon=True).start()
        yield {"SCCACHE_WEBDAV_ENDPOINT": f"http://127.0.0.1:{store.server_port}/"}, faults
        store.shutdown()


def webdav(server: Server) -> None:
    """A store that works, refuses what is put, refuses what is asked for, gives half, gives nothing for a minute."""
    with dav() as (env, bad):
        server.start_env |= env
        server.start()
        where = sources(server.folder / "ws")
        for number, faults in enumerate([set(), set(), {"put"}, {"get"}, {"torn"}, {"get", "put"}, {"hang"}]):
            bad.clear()
            bad.update(faults)
            release = ("--release",) if "put" in faults else ()
            server.cargo(where, "build", "--target-dir", f"../t{number}", *PLAIN, *release).wait()


def readonly(server: Server) -> None:
    """A store that takes nothing when the server starts: it then asks no more."""
    with dav("check") as (env, bad):
        server.start_env |= env
        server.start()
        bad.clear()
        where = sources(server.folder / "ws")
        server.cargo(where, "build", "--target-dir", "../one", *PLAIN).wait()


def redis(server: Server) -> None:
    """Redis that goes away between two builds, and comes back."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(server.folder)]
    store = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _await(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    server.start_env |= {"SCCACHE_REDIS_ENDPOINT": f"redis://127.0.0.1:{port}"}
    server.start()
    where = sources(server.folder / "ws")
    server.cargo(where, "build", "--target-dir", "../one", *PLAIN).wait()
    store.terminate()
    store.wait()
    server.cargo(where, "build", "--target-dir", "../two", *PLAIN).wait()
    store = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _await(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    for name in ("three", "four"):
        server.cargo(where, "build", "--target-dir", f"../{name}", *PLAIN).wait()
    store.terminate()
    store.wait()


SCENES: dict[str, Callable[[Server], None]] = {
    scene.__name__: scene for scene in (rust, parallel, c, cuda, killed, webdav, readonly, redis)
}
STARTS_ITSELF = {"webdav", "readonly", "redis"}


def record(name: str, scratch: Path, sccache: str) -> tuple[bytes, bytes]:
    """What the server wrote, and what it said at the end."""
    folder = scratch / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    disk = {} if name in STARTS_ITSELF else {"SCCACHE_DIR": str(folder / "cache")}
    server = Server(folder, sccache, **disk)
    if name not in STARTS_ITSELF:
        server.start()
    try:
        SCENES[name](server)
        return server.log.read_bytes(), server.stats()
    finally:
        server.stop()


def scrub(text: bytes, folder: Path) -> bytes:
    """Without the paths of this machine."""
    text = text.replace(str(folder).encode(), b"/w").replace(str(Path.home()).encode(), b"/home/me")
    nvcc = shutil.which("nvcc")
    text = text.replace(str(Path(nvcc).parent.parent).encode(), b"/cuda") if nvcc else text
    return re.sub(rb"127\.0\.0\.1:\d+", b"127.0.0.1:1", text)


def main(scratch: str, sccache: str, *names: str) -> None:
    """Record the named scenes, or all."""
    for name in names or SCENES:
        log, stats = record(name, Path(scratch), str(Path(sccache).resolve()))
        folder = Path(scratch) / name
        (HERE / "sccache" / f"{name}.log").write_bytes(scrub(log, folder))
        (HERE / "sccache" / f"{name}.json").write_bytes(scrub(stats, folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
