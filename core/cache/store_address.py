"""Where the store listens and what it wants to hear: `address` in its folder, one JSON object, 0600.

Port and token outlive the store: cache servers that were started with them go on with the next one.
"""

import os
from typing import NamedTuple

_BYTES = 256
"""The file is filled up with spaces, so that it can be written anew in its place on a full disk."""
_MAX_BYTES = 4096
_LARGEST_PID = 1 << 22


class StoreAddress(NamedTuple):
    """A store on this machine."""

    port: int
    """On 127.0.0.1."""
    token: str
    """For `Authorization: Bearer`."""
    pid: int


def read_address(folder: str) -> StoreAddress | None:
    """The last store's; None: there was none, or what is there is no address."""
    import json

    try:
        with open(folder + "/address", "rb") as file:
            told = json.loads(file.read(_MAX_BYTES))
        address = StoreAddress(told["port"], told["token"], told["pid"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return address if _is_sound(address) else None


def _is_sound(address: StoreAddress) -> bool:
    port, token, pid = address
    if type(port) is not int or type(token) is not str or type(pid) is not int:
        return False
    is_token = 32 <= len(token) <= 128 and token.isascii() and token.isalnum()
    return 0 < port < 1 << 16 and 0 < pid <= _LARGEST_PID and is_token


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
