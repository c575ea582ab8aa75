"""What a watched run works with."""

from dataclasses import dataclass

from core import facts
from core.digest import Digest
from core.journal import JournalWriter
from core.paths import Paths
from core.tail import LogTail
from core.watch.links import LinkNotes
from core.watch.nvcc_notes import NvccNotes


@dataclass(slots=True)
class Parts:
    """Files and readers of one run."""

    paths: Paths
    record: facts.Record
    lock: facts.Lock
    journal: JournalWriter
    digest: Digest
    out: LogTail
    err: LogTail | None
    asks: facts.Asks
    links: LinkNotes
    nvcc: NvccNotes
    code: str
    """See `checkpoint.code_identity`."""
