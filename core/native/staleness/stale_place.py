"""Where somebody builds who stands in a folder: workspace, build dir, cargo."""

import os
from collections.abc import Mapping

from core.errors import UsageError
from core.native.staleness.doctor import Place
from core.paths import Paths
from core.run.begin import command_of, find_cargo
from core.run.decided import own_target
from core.run.identity import find_agent
from core.run.target import Subject, foresee_target


def find_place(paths: Paths, cwd: str, env: Mapping[str, str], target_dir: str | None = None) -> Place:
    """As cargo would find it.

    Args:
        paths: Ours.
        cwd: Where somebody stands.
        env: Theirs.
        target_dir: Another dir; None: cargo's own.

    Raises:
        UsageError: No Cargo.toml is there or above, or nothing was built.
    """
    words = ("build", *(("--target-dir", target_dir) if target_dir else ()))
    command = command_of(paths, words, cwd, dict(env))
    if not command.root:
        raise UsageError(f"no Cargo.toml is in {cwd} or above: go to a package's folder")
    own = own_target(command).path or f"{command.root}/target"
    private = "" if target_dir else _private(paths, cwd, env, command.root, own)
    own = private or own
    found = own if private else command.config.build_dir or own
    if not os.path.isdir(found):
        raise UsageError(f"{found} is not there: build first, what is judged is what a build left")
    cargo = find_cargo(dict(env)) or "cargo"
    return Place(
        os.path.realpath(command.root),
        os.path.realpath(found),
        env,
        cargo,
        os.path.realpath(own),
        bool(target_dir or private),
    )


def _private(paths: Paths, cwd: str, env: Mapping[str, str], root: str, own: str) -> str:
    """The target dir that an agent has for itself in this checkout; empty: it has none."""
    agent = find_agent(None, dict(env), cwd).name
    found = foresee_target(paths, Subject(agent, root, own))
    return found.path if found.source == "private" and found.path and os.path.isdir(found.path) else ""
