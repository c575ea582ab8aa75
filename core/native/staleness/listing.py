"""Which files cargo looks at in a package whose build script declares nothing: those that `cargo package --list` names.

In a repository git's ignored files are none of them, nor are those that `exclude` of Cargo.toml names, packages below,
and the target dir. Tried with cargo 1.95: what `--list` leaves out makes no script run again.
"""

import os
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

LIMIT_S = 30.0


class Answer(NamedTuple):
    """What a program printed."""

    code: int
    output: bytes


def list_package(root: str, cargo: str, env: Mapping[str, str]) -> frozenset[str] | None:
    """Real paths of the files; None: cargo does not say.

    Args:
        root: Folder of the package.
        cargo: Program.
        env: The caller's.
    """
    try:
        done = subprocess.run(
            [cargo, "package", "--list", "--allow-dirty", "--offline", "--quiet"], cwd=root, env=dict(env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if done.returncode or not done.stdout:
        return None
    names = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    return frozenset(os.path.realpath(os.path.join(root, name)) for name in names if name)
