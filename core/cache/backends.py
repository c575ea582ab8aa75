"""Where a cache server stores: one setting, in the words of sccache 0.16's environment (its docs, "Configuration")."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from core.errors import UsageError

PASSED_ON = ("AWS_", "ACTIONS_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")
"""Beginnings of variables that a backend needs from the caller's environment."""
_PREFIXES = {
    "SCCACHE_WEBDAV_ENDPOINT": "SCCACHE_WEBDAV_KEY_PREFIX",
    "SCCACHE_REDIS_ENDPOINT": "SCCACHE_REDIS_KEY_PREFIX",
    "SCCACHE_MEMCACHED_ENDPOINT": "SCCACHE_MEMCACHED_KEY_PREFIX",
    "SCCACHE_BUCKET": "SCCACHE_S3_KEY_PREFIX",
    "SCCACHE_GHA_ENABLED": "SCCACHE_GHA_VERSION",
}
"""What says where in a backend objects go, by a variable that tells which backend it is."""
_EXAMPLES = "own, redis://127.0.0.1:6379, memcached://127.0.0.1:11211, s3://bucket/prefix?region=…, gha, https://…"


class Backend(NamedTuple):
    """A place to store."""

    name: str
    """For people, without credentials: `redis://127.0.0.1:6379`."""
    env: dict[str, str]
    """Of the server."""
    address: tuple[str, int] | None = None
    """Where it listens, to find out in a moment whether it does: sccache tries for ten seconds. None: not tried."""


def backend_of(store: str, given: Mapping[str, str]) -> Backend:
    """The backend that a setting names; `given`: the caller's environment.

    Raises:
        UsageError: it names none.
    """
    if store == "gha":
        return Backend("GitHub Actions", {"SCCACHE_GHA_ENABLED": "on", **_passed(given)})
    parts = urlsplit(store)
    place = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise UsageError(f"store = {_masked(store)!r} has no usable port: write one of {_EXAMPLES}") from None
    shown = f"{parts.scheme}://{place}{port}{parts.path}"
    match parts.scheme:
        case "redis" | "rediss" if place:
            env = _redis(parts, place + port)
            return Backend(shown, env, (place.strip("[]"), parts.port or 6379))
        case "memcached" if place:
            env = {"SCCACHE_MEMCACHED_ENDPOINT": f"tcp://{place}{port or ':11211'}"}
            return Backend(shown, env, (place.strip("[]"), parts.port or 11211))
        case "s3" if place:
            return Backend(shown, {**_s3(place, parts.path, parse_qs(parts.query)), **_passed(given)})
        case "http" | "https" if place:
            return Backend(shown, {**_webdav(store, parts.username, parts.password), **_passed(given)})
        case _:
            raise UsageError(f"store = {_masked(store)!r} is no place to store: write one of {_EXAMPLES}")


def with_namespace(variables: Mapping[str, str], namespace: str) -> dict[str, str]:
    """The variables of a server whose objects are told apart from those of other namespaces; empty: as they are."""
    found = dict(variables)
    if not namespace:
        return found
    for marker, name in _PREFIXES.items():
        if marker in variables:
            before = variables.get(name, "")
            found[name] = f"{before}/n-{namespace}" if before else f"n-{namespace}"
    return found


def _redis(parts: SplitResult, place: str) -> dict[str, str]:
    found = {"SCCACHE_REDIS_ENDPOINT": f"{parts.scheme}://{place}", "SCCACHE_REDIS_KEY_PREFIX": "cargo-deck"}
    if parts.path.strip("/"):
        found["SCCACHE_REDIS_DB"] = parts.path.strip("/")
    if parts.username:
        found["SCCACHE_REDIS_USERNAME"] = unquote(parts.username)
    if parts.password:
        found["SCCACHE_REDIS_PASSWORD"] = unquote(parts.password)
    return found


def _s3(bucket: str, path: str, options: Mapping[str, list[str]]) -> dict[str, str]:
    found = {"SCCACHE_BUCKET": bucket}
    if path.strip("/"):
        found["SCCACHE_S3_KEY_PREFIX"] = path.strip("/")
    names = {"region": "SCCACHE_REGION", "endpoint": "SCCACHE_ENDPOINT", "ssl": "SCCACHE_S3_USE_SSL",
             "anonymous": "SCCACHE_S3_NO_CREDENTIALS"}  # fmt: skip
    return found | {names[name]: values[0] for name, values in options.items() if name in names}


def _webdav(store: str, user: str | None, password: str | None) -> dict[str, str]:
    parts = urlsplit(store)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    found = {"SCCACHE_WEBDAV_ENDPOINT": plain}
    if user:
        found["SCCACHE_WEBDAV_USERNAME"] = unquote(user)
    if password:
        found["SCCACHE_WEBDAV_PASSWORD"] = unquote(password)
    return found


def _passed(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(PASSED_ON)}


def _masked(store: str) -> str:
    head, at, tail = store.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else store[:200]
