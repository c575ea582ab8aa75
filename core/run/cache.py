"""Which compiler cache a build gets: what the person set, what stands in its way, and the server that it talks to.

On the way to every build: a file of settings is parsed (12 ms) only where it speaks of a cache, and what starts servers
is imported only where one is wanted.
"""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.errors import DeckError
from core.paths import Paths
from core.run.config import CargoConfig

KIND, STORE = "DECK_CACHE", "DECK_STORE"
"""Variables that say for one build what `cache` and `store` of the settings say for all."""
SERVER = "DECK_CACHE_SERVER"
"""Socket of the server that we started, for the front before the cache: where it is gone, rustc runs without one."""
PROGRAM = "DECK_CACHE_PROGRAM"
"""What speaks with that server, for the front too: in PATH, another one may come first."""
KINDS = ("none", "sccache")
READABLE = ("sccache", "zccache", "kache", "mbx")
"""Caches of a user's own whose figures are read."""
STORE_LIMIT_BYTES = 50_000_000_000
"""Of our own store, where nobody set it."""
_MAX_SETTINGS_BYTES = 1 << 20
_OURS_ALONE = (("SCCACHE_WEBDAV_ENDPOINT", "none"), ("SCCACHE_CONF", "/dev/null"))
"""A client whose server died would start one of its own, as a part of the run: with this it fails, and rustc runs. A
user's settings are for the user's servers: a client fails where it cannot read them."""


class Wish(NamedTuple):
    """What the person wants."""

    kind: str = "none"
    """`none` or `sccache`."""
    store: str = "own"
    """`own`, or the URL of a backend: `redis://…`, `s3://…`, `memcached://…`, `gha`, `http://…` (WebDAV)."""
    limit_bytes: int = STORE_LIMIT_BYTES
    """Of our own store."""
    source: str = "default"
    """`default`, `config.toml`, or the name of the variable."""
    mistake: str = ""
    """What in it cannot be used; then there is no cache."""
    namespace: str = ""
    """What objects depend on beside their command line: builds of another one share none. Empty: nothing."""


class Chosen(NamedTuple):
    """The cache of one build."""

    flags: tuple[str, ...] = ()
    """For cargo."""
    env: tuple[tuple[str, str], ...] = ()
    folders: tuple[str, ...] = ()
    """To go into PATH behind the fronts: where the real cache is found by its name."""
    server: str = ""
    """What the engine reads: the agent's folder; empty: no server of ours."""
    value: str = "none"
    reason: str = ""
    is_trouble: bool = False
    """One was asked for, and cannot be had: `reason` is to be said to the caller."""

    @property
    def notices(self) -> tuple[str, ...]:
        """To be said to the caller."""
        return (f"no compiler cache for this build: {self.reason}",) if self.is_trouble else ()


NONE = Chosen(reason="no cache is asked for: one in front makes the first edit of a member about three times slower")


def read_wish(env: Mapping[str, str], asked: tuple[str, str] | None = None) -> Wish:
    """The person's settings; a variable counts more than the mode, and that more than the file.

    `asked`: kind that the mode asks for, and where it says so.
    """
    wish = _from_file(settings_path(env))
    if asked is not None:
        wish = wish._replace(kind=asked[0], source=asked[1], mistake="")
    if KIND in env:
        wish = wish._replace(kind=env[KIND], source=KIND, mistake="")
    if STORE in env:
        wish = wish._replace(store=env[STORE])
    if not wish.mistake and wish.kind not in KINDS:
        wish = wish._replace(mistake=f"{wish.source} says cache = {wish.kind[:40]!r}: it is one of {', '.join(KINDS)}")
    return wish


def settings_path(env: Mapping[str, str]) -> str:
    """Where `config.toml` is, by the XDG base directory specification."""
    base = env.get("XDG_CONFIG_HOME", "")
    home = env.get("HOME") or os.path.expanduser("~")
    return (base if base.startswith("/") else home + "/.config") + "/cargo-deck/config.toml"


def _from_file(path: str) -> Wish:
    if not os.path.isfile(path):
        return Wish()  # to open a pipe would wait for its writer
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_SETTINGS_BYTES)
    except OSError:
        return Wish()
    lines = [line.split(b"=")[0].strip() for line in content.split(b"\n")]
    if not {b"cache", b"store", b"store-size"} & set(lines):
        return Wish()
    import tomllib

    try:
        table = tomllib.loads(content.decode())
    except ValueError as error:
        return Wish(source="config.toml", mistake=f"{path} is no TOML ({error}): no cache is used")
    wish = Wish(kind=str(table.get("cache", "none")), store=str(table.get("store", "own")), source="config.toml")
    if "store-size" not in table:
        return wish
    size = parse_size(str(table["store-size"]))
    if size is None:
        return wish._replace(mistake=f'{path}: store-size is a number with its unit, such as "50G"')
    return wish._replace(limit_bytes=size)


def parse_size(text: str) -> int | None:
    """Bytes of `50G`, `800 MB`, `123`; powers of 1,000. None: it is no size."""
    text = text.strip().upper().removesuffix("B").strip()
    factor = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}.get(text[-1:], 1)
    number = text if factor == 1 else text[:-1].strip()
    try:
        size = float(number) * factor
    except ValueError:
        return None
    return int(size) if 0 < size < 1e18 else None


def choose_cache(
    paths: Paths, agent: str, config: CargoConfig, env: dict[str, str], *, root: str | None, given: Sequence[str] = (),
    asked: tuple[str, str] | None = None, namespace: str = "",
) -> Chosen:  # fmt: skip
    """The cache of a build; its server runs when this returns. Whatever fails, the build goes without one.

    Args:
        paths: Ours.
        agent: Who builds.
        config: Cargo's settings.
        env: The caller's environment.
        root: Of the workspace.
        given: Values of cargo's `--config`.
        asked: See `read_wish`.
        namespace: See `Wish.namespace`.
    """
    wish = read_wish(env, asked)._replace(namespace=namespace)
    if (stands := what_stands_in_the_way(config, wish, given)) is not None:
        return stands
    try:
        from core.cache.server import ensure_server
        from core.run import fronts

        front = fronts.need_front(paths, "sccache", env)
        server = ensure_server(paths, agent, wish, env)
    except (DeckError, OSError, ValueError) as error:
        return Chosen(reason=f"sccache could not be used: {error}", is_trouble=True)
    flags, told = _flags(front, config, root)
    place = "our store, shared by all agents" if server.backend == "own" else server.backend
    program = f"{server.program_folder}/{os.path.basename(server.program)}"
    return Chosen(
        flags=flags,
        env=((SERVER, server.socket), (PROGRAM, program), ("SCCACHE_SERVER_UDS", server.socket), *_OURS_ALONE),
        folders=(server.program_folder,),
        server=server.folder,
        value=f"sccache {server.version}",
        reason=f'cache = "sccache" ({wish.source}); a server of {agent}\'s own, on {place}{told}',
    )


def preview_cache(
    paths: Paths, config: CargoConfig, env: dict[str, str], *, root: str | None, given: Sequence[str] = (),
    asked: tuple[str, str] | None = None,
) -> Chosen:  # fmt: skip
    """The cache that a build would get, if its server can be started; nothing is. Arguments as `choose_cache`."""
    wish = read_wish(env, asked)
    if (stands := what_stands_in_the_way(config, wish, given)) is not None:
        return stands
    from core.cache.program import find_programs

    try:
        version = find_programs(paths, env)[0].shown
    except (DeckError, OSError) as error:
        return Chosen(reason=f"sccache could not be used: {error}", is_trouble=True)
    told = _flags("", config, root)[1]
    place = "our store, shared by all agents" if wish.store == "own" else "the store that is set"
    reason = f'cache = "{wish.kind}" ({wish.source}); a server of its own, on {place}{told}'
    return Chosen(value=f"{wish.kind} {version}", reason=reason)


def what_stands_in_the_way(config: CargoConfig, wish: Wish, given: Sequence[str]) -> Chosen | None:
    """Why there is no cache of ours; None: nothing."""
    if config.rustc_wrapper == "":
        return Chosen(reason="RUSTC_WRAPPER or build.rustc-wrapper is set to nothing: that means no cache")
    if config.rustc_wrapper is not None:
        name = os.path.basename(config.rustc_wrapper)
        figures = "its own figures are read" if name in READABLE else "nothing is known of what it does"
        return Chosen(value=name, reason=f"the rustc-wrapper that is set stays in charge; {figures}")
    if any("rustc-wrapper" in one for one in given):
        return Chosen(reason="--config names a rustc-wrapper: it stays in charge")
    if wish.mistake:
        return Chosen(reason=wish.mistake, is_trouble=True)
    if wish.kind == "none":
        return NONE
    if config.incremental is True and config.is_incremental_forced:
        reason = "CARGO_INCREMENTAL is on, which sccache refuses: unset it to have a cache"
        return Chosen(reason=reason, is_trouble=True)
    return None


def choose_for_exec(paths: Paths, agent: str, env: dict[str, str]) -> Chosen:
    """The cache of a command that is not cargo: where it calls sccache itself, it is given its agent's own server.

    Nothing of ours goes into its PATH: CMake writes down where it found a program.
    """
    wish = read_wish(env)
    if wish.mistake:
        return Chosen(reason=wish.mistake, is_trouble=True)
    if wish.kind == "none" or "SCCACHE_SERVER_UDS" in env:
        return Chosen()
    try:
        from core.cache.program import first_on_path
        from core.cache.server import ensure_server

        found = first_on_path(paths, env)
        if found is None:
            return Chosen()
        server = ensure_server(paths, agent, wish, env)
    except (DeckError, OSError, ValueError) as error:
        return Chosen(reason=f"sccache could not be used: {error}", is_trouble=True)
    if server.version != found.shown:
        return Chosen(reason=f"sccache {found.shown} on PATH does not speak with the server of {server.version}")
    return Chosen(
        env=(("SCCACHE_SERVER_UDS", server.socket), ("SCCACHE_IGNORE_SERVER_IO_ERROR", "1")),
        server=server.folder,
        value=f"sccache {server.version}",
        reason=f"where it calls sccache, a server of {agent}'s own answers; it calls it where its own settings say so",
    )


def _flags(front: str, config: CargoConfig, root: str | None) -> tuple[tuple[str, ...], str]:
    """What cargo is told, and what that costs. The front by its path: rustup puts a folder of its own before ours."""
    flags = ("--config", "build.rustc-wrapper=" + _quoted(front))
    if config.incremental is not None or _sets_incremental(root):
        return flags, "; incremental stays as it is set, and what is incremental is not cached"
    return (*flags, "--config", "build.incremental=false"), "; incremental is off, because it could not be cached"


def _quoted(path: str) -> str:
    """A string of TOML."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _sets_incremental(root: str | None) -> bool:
    """The workspace's manifest speaks of it."""
    if root is None:
        return False
    try:
        with open(root + "/Cargo.toml", "rb") as file:
            return b"incremental" in file.read(_MAX_SETTINGS_BYTES)
    except OSError:
        return False
