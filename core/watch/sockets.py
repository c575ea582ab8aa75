"""Whom a process is connected to, or tries to be: its open sockets against the kernel's tables."""

import os

from core.watch.proc_files import read_all

_TABLES = ("tcp", "tcp6", "udp", "udp6")
_ESTABLISHED, _SYN_SENT = b"01", b"02"
_MAX_FILES = 256
_MAX_KNOWN = 10_000


class Sockets:
    """Looks for connections. Those of a process to itself or to the machine's own services are remembered: cargo has
    a pair from its start, and the tables of all others cost 2 ms."""

    def __init__(self) -> None:
        self._local: set[bytes] = set()
        """Inodes of unix sockets."""

    def connections(self, folder: str) -> list[str]:
        """Addresses that a process talks to (`1.2.3.4:443`), what has not answered yet first; none where that is not
        to be seen.

        Args:
            folder: Of the process, in /proc.
        """
        inodes = _inodes(folder) - self._local
        if not inodes:
            return []
        if len(self._local) > _MAX_KNOWN:
            self._local.clear()
        local = {line.split()[6] for line in _read(folder + "/net/unix").splitlines()[1:] if line.count(b" ") > 5}
        self._local |= inodes & local
        inodes -= local
        found = [one for table in _TABLES for one in _rows(_read(f"{folder}/net/{table}"), inodes)] if inodes else []
        return [text for _, text in sorted(found)]


def _inodes(folder: str) -> set[bytes]:
    found = set()
    try:
        for name in os.listdir(folder + "/fd")[:_MAX_FILES]:
            link = os.readlink(f"{folder}/fd/{name}")
            if link.startswith("socket:["):
                found.add(link[8:-1].encode())
    except OSError:
        pass  # it ended, or is another user's
    return found


def _rows(table: bytes, inodes: set[bytes]) -> list[tuple[int, str]]:
    """Order and text of those of a process.

    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
     0: 0100007F:1F90 0100007F:A3C2 01 …                                   0        0 12345   (proc_net(5))
    """
    found = []
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 10 or words[9] not in inodes or words[3] not in (_ESTABLISHED, _SYN_SENT):
            continue
        is_open = words[3] == _ESTABLISHED
        found.append((int(is_open), _address(words[2]) + ("" if is_open else " (no answer yet)")))
    return found


def _address(field: bytes) -> str:
    """`0100007F:1F90` is 127.0.0.1:8080: each four bytes in the order of this machine."""
    host, _, port = field.partition(b":")
    raw = bytes.fromhex(host.decode())
    groups = [raw[at : at + 4][::-1] for at in range(0, len(raw), 4)]
    shown = _shown(b"".join(groups))
    return f"{shown}:{int(port, 16)}"


def _shown(address: bytes) -> str:
    if len(address) == 4:
        return ".".join(str(byte) for byte in address)
    if address.startswith(bytes(10) + b"\xff\xff"):
        return _shown(address[12:])
    words = [f"{int.from_bytes(address[at : at + 2], 'big'):x}" for at in range(0, 16, 2)]
    return "[" + ":".join(words) + "]"


def _read(path: str) -> bytes:
    try:
        return read_all(path)
    except OSError:
        return b""
