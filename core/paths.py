"""Where things are on disk. Imported by the hot path: strings only, no pathlib."""

import os
from collections.abc import Mapping
from typing import NamedTuple


class Paths(NamedTuple):
    """The folders of one user. All are created 0700 by whoever writes first."""

    state: str
    """`$XDG_STATE_HOME/cargo-deck`."""
    cache: str
    """`$XDG_CACHE_HOME/cargo-deck`: private target dirs, built fronts."""

    @property
    def runs(self) -> str:
        """One folder a run, named by run id."""
        return self.state + "/runs"

    @property
    def open(self) -> str:
        """One file a run that is not yet closed in its journal; its supervisor holds a flock on it."""
        return self.state + "/open"

    @property
    def engine(self) -> str:
        """Lock, socket and token of the engine."""
        return self.state + "/engine"

    @property
    def machine(self) -> str:
        """Journal of the machine as a whole, and its predecessors."""
        return self.state + "/machine"

    @property
    def store(self) -> str:
        """Lock, address and log of our cache store."""
        return self.state + "/store"

    @property
    def caches(self) -> str:
        """A folder an agent: what its cache server writes."""
        return self.state + "/caches"

    @property
    def history(self) -> str:
        """The index over finished runs."""
        return self.state + "/history.sqlite"

    @property
    def targets(self) -> str:
        """Private target dirs."""
        return self.cache + "/targets"

    @property
    def kernels(self) -> str:
        """What kernels need, by what nvcc made."""
        return self.cache + "/kernels"

    def run(self, run: str) -> str:
        """The folder of one run."""
        return self.state + "/runs/" + run


def find_paths(env: Mapping[str, str]) -> Paths:
    """The user's folders, by the XDG base directory specification (a relative value is ignored)."""
    home = env.get("HOME") or os.path.expanduser("~")
    state = env.get("XDG_STATE_HOME", "")
    cache = env.get("XDG_CACHE_HOME", "")
    return Paths(
        state=(state if state.startswith("/") else home + "/.local/state") + "/cargo-deck",
        cache=(cache if cache.startswith("/") else home + "/.cache") + "/cargo-deck",
    )
