"""The figures of a user's own compiler cache, per run: who reads them, chosen by the program behind the wrapper.

Their files are only read. A reader gives each compilation of its run once; where a line may be another run's, it is not
given and the reader's `note` says why there are no figures.
"""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from core import events as e
from core.cache import kache, mbx, user_sccache, zccache
from core.cache.journal_reader import JournalReader, Scope, Shared, Source
from core.cache.kache_why import KeyMemory
from core.cache.subject import Subject
from core.run.cache import READABLE

VARIABLES = frozenset((*zccache.VARIABLES, *kache.VARIABLES, *mbx.VARIABLES, *user_sccache.VARIABLES, "PATH"))
"""Of a run's environment, what readers look at."""
_SCRIPT_BYTES = 8192
_NAMES = re.compile(rf"\b({'|'.join(READABLE)})\b".encode())


class CacheReader(Protocol):
    """Follows what one run asks of its cache."""

    cache: str
    """Of READABLE."""
    note: str
    """Why there are no figures, or not all; empty: they are whole."""

    def poll(self, now: float) -> list[e.CacheLookedUp]:
        """Compilations that are new, oldest first. Costs a few `stat`s where there are none."""
        ...

    def saw_lock_wait(self, path: str) -> None:
        """The run waits for somebody's lock on that file."""
        ...

    def end(self, at: float, *, is_whole: bool) -> None:
        """The run ended then; not whole: it was stopped or killed."""
        ...

    def is_settled(self, now: float) -> bool:
        """The run ended, and nothing more is to come: at most two seconds later."""
        ...

    def close(self) -> None:
        """Let go of all files."""
        ...


def tool_of(wrapper: str, env: Mapping[str, str]) -> str:
    """The cache behind a wrapper, by its program's real name, or the one that a script names; empty: none is known."""
    path = shutil.which(wrapper, path=env.get("PATH")) if wrapper else None
    if path is None:
        return ""
    name = os.path.basename(os.path.realpath(path))
    if name in READABLE:
        return name
    try:
        with open(path, "rb") as file:
            content = file.read(_SCRIPT_BYTES)
    except OSError:
        return ""
    named = set(_NAMES.findall(content)) if content.startswith(b"#!") else set()
    return named.pop().decode() if len(named) == 1 else ""


@dataclass(slots=True)
class CacheReaders:
    """Makes readers, which have to know of each other."""

    _shared: dict[str, Shared] = field(default_factory=dict)
    _keys: KeyMemory = field(default_factory=KeyMemory)
    _claims: mbx.Claims = field(default_factory=mbx.Claims)
    _servers: user_sccache.Servers = field(default_factory=user_sccache.Servers)

    def make_reader(self, subject: Subject) -> CacheReader | None:
        """A reader for the run; None: it has no cache that is known, and mbx was never used here."""
        match tool_of(subject.wrapper, subject.env):
            case "zccache":
                find = partial(zccache.find_journals, subject.env)
                return self._journal(subject, Source("zccache", find, zccache.when, zccache.parse_line, zccache.fits))
            case "kache":
                find = partial(kache.find_journals, subject.env)
                parse = partial(kache.parse_line, memory=self._keys)
                source = Source("kache", find, kache.when, parse, kache.fits, self._keys.follow, is_keyed=True)
                return self._journal(subject, source)
            case "sccache":
                return user_sccache.SccacheReader(self._servers, subject)
            case _:
                return self._mbx(subject)

    def saw_foreign_build(self, at: float) -> None:
        """A build that nobody started through us was alive then."""
        self._servers.saw_foreign(at)

    def _journal(self, subject: Subject, source: Source) -> JournalReader:
        target = os.path.normpath(subject.target_dir) if subject.target_dir else ""
        real = os.path.realpath(target) if target else ""
        return JournalReader(
            source,
            Scope(subject.agent, target, subject.started, real),
            subject.folder + "/fronts/cache.jsonl",
            self._shared.setdefault(source.cache, Shared()),
            told=subject.told,
        )

    def _mbx(self, subject: Subject) -> mbx.MbxReader | None:
        """Mbx stands before cargo, in a shim or in mise's: no wrapper tells of it. Its folder does."""
        folder = mbx.sessions_folder(subject.env)
        if tool_of("mbx", subject.env) != "mbx" and not os.path.isdir(folder):
            return None
        return mbx.MbxReader(folder, subject, self._claims)
