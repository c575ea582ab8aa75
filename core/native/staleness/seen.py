"""What a build saw: digests of its native inputs, kept so that an edit shows whatever its mtime says.

`$STATE/native/seen/<hash of OUT_DIR>.json`, one object:

    {"out_dir", "began_ns", "inputs": {path: digest}, "outputs": {path: [mtime_ns, {path: digest}]}}

A digest is kept only of a file whose inode was not touched since the build read it (ctime): then what is there now is
what it read.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from core.folder import modified_ns
from core.native.staleness.closure import Made
from core.native.traces.fingerprint import ScriptRun
from core.plan.small_file import keep_json, read_json

MAX_FILES = 20_000
_MAX_BYTES = 1 << 25
_GRAIN_NS = 20_000_000
"""A file that was written so shortly before it was looked at may have been written twice under one time."""

Digest = Callable[[str], str]
"""Of a file's content; empty: it cannot be read."""


class Seen(NamedTuple):
    """What is known of what builds saw."""

    began_ns: int = 0
    """Of the run of the build script that `inputs` is of."""
    inputs: Mapping[str, str] = {}
    """Digest by path."""
    outputs: Mapping[str, tuple[int, Mapping[str, str]]] = {}
    """By output: its mtime, and what its inputs were."""

    def at_script(self, script: ScriptRun, path: str) -> str:
        """What a file was when a script ran; empty: not known."""
        return self.inputs.get(path, "") if self.began_ns == script.began_ns else ""

    def at_output(self, output: str, mtime_ns: int, path: str) -> str:
        """What a file was when an output was made; empty: not known."""
        made = self.outputs.get(output)
        return made[1].get(path, "") if made is not None and made[0] == mtime_ns else ""


def read_seen(state: str, script: ScriptRun) -> Seen:
    """What is kept of a build script; empty where nothing is, or it is damaged."""
    record = read_json(_place(state, script), _MAX_BYTES)
    if not isinstance(record, dict) or record.get("out_dir") != script.out_dir:
        return Seen()
    began, outputs = record.get("began_ns"), record.get("outputs")
    kept = {
        path: (made[0], _digests(made[1]))
        for path, made in (outputs.items() if isinstance(outputs, dict) else ())
        if isinstance(made, list) and len(made) == 2 and isinstance(made[0], int)
    }
    return Seen(began if isinstance(began, int) else 0, _digests(record.get("inputs")), kept)


def remember(state: str, script: ScriptRun, made: Iterable[Made], paths: Iterable[str], digest: Digest) -> Seen:
    """Keep what the last run of a script saw, as far as that is still certain; gives it.

    Args:
        state: Our state folder.
        script: Which.
        made: Its outputs.
        paths: Further files that it watches.
        digest: Of a file.
    """
    before, certain = read_seen(state, script), _Certain(digest)
    outputs = {one.output: _of_output(one, before, certain) for one in made}
    wanted = dict.fromkeys([*(path for one in made for path in one.inputs), *paths])
    inputs = dict(before.inputs) if before.began_ns == script.began_ns else {}
    for path in list(wanted)[:MAX_FILES]:
        if path not in inputs and (found := certain.digest(path, script.began_ns)):
            inputs[path] = found
    seen = Seen(script.began_ns, inputs, outputs)
    if seen != before:
        keep_json(_place(state, script), {
            "out_dir": script.out_dir, "began_ns": seen.began_ns, "inputs": inputs,
            "outputs": {path: [at, dict(digests)] for path, (at, digests) in outputs.items()},
        })  # fmt: skip
    return seen


class _Certain:
    """Digests of files that were not touched since a moment; each file is read once."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._known: dict[str, str] = {}

    def digest(self, path: str, since_ns: int) -> str:
        """Empty: it may have been another one then."""
        if not _is_untouched(path, since_ns):
            return ""
        if path not in self._known:
            self._known[path] = self._digest(path)
        return self._known[path]


def _of_output(made: Made, before: Seen, certain: _Certain) -> tuple[int, Mapping[str, str]]:
    """mtime of an output, and what its inputs were: as known before, else as they are."""
    mtime = modified_ns(made.output)
    old = before.outputs.get(made.output)
    kept = dict(old[1]) if old is not None and old[0] == mtime else {}
    fresh = {path: found for path in made.inputs if path not in kept and (found := certain.digest(path, mtime))}
    return mtime, {**kept, **fresh}


def _is_untouched(path: str, since_ns: int) -> bool:
    """Neither content nor inode of the file was changed after that moment."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    return max(status.st_ctime_ns, status.st_mtime_ns) + _GRAIN_NS <= since_ns


def _digests(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {path: digest for path, digest in value.items() if isinstance(digest, str)}


def _place(state: str, script: ScriptRun) -> str:
    name = blake2b(script.out_dir.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
    return f"{state}/native/seen/{name}.json"
