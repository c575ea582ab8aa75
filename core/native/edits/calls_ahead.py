"""Which calls of nvcc a save asks for: those that read what was saved the last time.

They are begun with the save, while cargo and the build script still come to them.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping

from core.native.traces.nvcc_calls import NvccCall, calls_of_run, latest_by_output
from core.paths import Paths
from core.plan.machine import core_count
from core.plan.small_file import read_object

_KINDS = ("object", "device-object", "ptx", "cubin", "fatbin")
"""What the depfile cache keeps: what is made ahead comes out of it."""
_HIDDEN = "***"
"""A credential stood there: the words are not all known."""
_SEEN = ("NVCC_APPEND_FLAGS", "NVCC_PREPEND_FLAGS", "PATH", "PWD", "TMPDIR")
"""Variables that tell one call from another."""


class CallsAhead:
    """Learns calls of runs, one after the other."""

    def __init__(self) -> None:
        self._calls: dict[str, NvccCall] = {}
        """The latest of each output."""
        self.most = max(1, core_count() // 2)
        """So many are begun at once: the build itself needs processors too."""

    def learn(self, calls: Iterable[NvccCall]) -> None:
        """Calls of one run that is over."""
        found = {output: call for output, call in latest_by_output(calls).items() if _is_known(call)}
        for output in found:
            self._calls.pop(output, None)  # the order is that of the last run
        self._calls.update(found)

    def asked_by(self, changed: Collection[str]) -> tuple[NvccCall, ...]:
        """Those that read one of these files, at most `most`. `changed`: absolute paths."""
        wanted = frozenset(changed)
        found = (call for call in self._calls.values() if not wanted.isdisjoint((*call.inputs, *call.sources)))
        return tuple(call for call, _ in zip(found, range(self.most), strict=False))


def calls_as_now(paths: Paths, runs: Iterable[str], env: Mapping[str, str]) -> Iterator[NvccCall]:
    """The calls of those runs that began with what nvcc would see of this environment: of others, a call that is begun
    ahead is none that the build comes to ask for, and is compiled beside it in vain."""
    for run in runs:
        then = read_object(paths.run(run) + "/run.json").get("env")
        if isinstance(then, dict) and all(then.get(name) == env.get(name) for name in _SEEN):
            yield from calls_of_run(paths, run)


def _is_known(call: NvccCall) -> bool:
    """All is told that is needed to make it again, and the cache had to do with it. A source that the build script
    writes is another file by the time of the call."""
    is_whole = call.env is not None and os.path.basename(call.tool) == "nvcc" and bool(call.cwd)
    is_kept = call.kind in _KINDS and call.verdict in ("hit", "miss") and call.code == 0
    is_written = bool(call.out_dir) and any(path.startswith(call.out_dir + "/") for path in call.sources)
    return is_whole and is_kept and not is_written and not any(_HIDDEN in word for word in call.argv)
