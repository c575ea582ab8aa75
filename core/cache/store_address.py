"""Where the store listens and what it wants to hear: `address` in its folder, one JSON object, 0600.

Port and token outlive the store: cache servers that were started with them go on with the next one.
"""

import os
from typing import NamedTuple

_BYTES = 256
"""The file is filled up with spaces, so that it can be written anew in its place on a full disk."""


class StoreAddress(NamedTuple):
    """A store on this machine."""

    port: int
    """On 127.0.0.1."""
    token: str
    """For `Authorization: Bearer`."""
    pid: int


def read_address(folder: str) -> StoreAddress | None:
    """The last store's; None: there was none."""
    import json

    try:
        with open(folder + "/address", encoding="ascii") as file:
            told = json.load(file)
        address = StoreAddress(int(told["port"]), str(told["token"]), int(told["pid"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    is_good = 0 < address.port < 1 << 16 and len(address.token) >= 32 and address.token.isalnum() and address.pid > 0
    return address if is_good else None


def write_address(folder: str, address: StoreAddress) -> None:
    """Raises OSError: not even in the place of the last one."""
    import json

    content = json.dumps(address._asdict()).encode().ljust(_BYTES - 1) + b"\n"
    path, new = folder + "/address", folder + "/address.new"
    try:
        _write(new, content, os.O_TRUNC)
        os.replace(new, path)
    except OSError:
        _write(path, content, 0)


def _write(path: str, content: bytes, flags: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    try:
        if os.pwrite(fd, content, 0) != len(content):
            raise OSError("it was not written whole")
    finally:
        os.close(fd)
