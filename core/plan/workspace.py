"""What cargo and git say of a workspace: asked only where a mode needs it, never on the way of a plain build."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import StateError
from core.git import ask_git
from core.plan.changed import Changed, find_changed, members_of

_LIMIT_S = 20.0


def read_metadata(cargo: str, manifest: str | None, cwd: str, env: Mapping[str, str]) -> dict[str, Any]:
    """What `cargo metadata` says of the members.

    Raises:
        StateError: it says nothing.
    """
    words = [cargo, "metadata", "--no-deps", "--format-version=1", *(["--manifest-path", manifest] if manifest else [])]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_LIMIT_S
        )
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise StateError(f"cargo metadata did not answer in {_LIMIT_S:g} s") from None
    except (OSError, ValueError) as error:
        said = done.stderr.decode("utf-8", "replace")[:300] if isinstance(error, ValueError) else str(error)
        raise StateError(f"cargo metadata says nothing: {said}") from None
    return found if isinstance(found, dict) else {}


def changed_packages(cargo: str, root: str, env: Mapping[str, str], *, with_dependants: bool) -> Changed:
    """Packages of a workspace that differ from the branch point."""

    def run(words: Sequence[str], folder: str) -> bytes | None:
        return ask_git(words[1:], folder, env)

    try:
        members = members_of(read_metadata(cargo, os.path.join(root, "Cargo.toml"), root, env))
    except StateError as error:
        return Changed(None, f"{error}: all packages are taken")
    return find_changed(root, members, run, with_dependants=with_dependants)
