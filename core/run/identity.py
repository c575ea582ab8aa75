"""Who builds, and where: agent names and the checkout a build belongs to."""

import os
import re
from collections.abc import Callable
from typing import NamedTuple

from core.errors import UsageError

AGENT_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,64}\Z")
"""What can be the name of a folder too."""
_CI = (  # marker, build number, node
    ("GITHUB_ACTIONS", "GITHUB_RUN_ID", "RUNNER_NAME"),
    ("GITLAB_CI", "CI_PIPELINE_ID", "CI_JOB_ID"),
    ("BUILDKITE", "BUILDKITE_BUILD_NUMBER", "BUILDKITE_AGENT_NAME"),
    ("JENKINS_URL", "BUILD_NUMBER", "NODE_NAME"),
    ("CIRCLECI", "CIRCLE_BUILD_NUM", "CIRCLE_NODE_INDEX"),
    ("TF_BUILD", "BUILD_BUILDID", "AGENT_NAME"),
    ("TRAVIS", "TRAVIS_BUILD_NUMBER", "TRAVIS_JOB_NUMBER"),
    ("DRONE", "DRONE_BUILD_NUMBER", "DRONE_STAGE_NUMBER"),
    ("CI", "BUILD_ID", "NODE_ID"),
)


class Agent(NamedTuple):
    """Who runs a build."""

    name: str
    source: str
    """`flag`, `env`, `ci`, `worktree`, `directory`."""
    warning: str | None = None


def find_agent(flag: str | None, env: dict[str, str], cwd: str) -> Agent:
    """The agent's name: the flag, else `$AGENT_ID`, else `ci-<build>-<node>` from the CI's own variables, else the
    name of the git worktree, else of the folder.

    Raises:
        UsageError: the flag's value is not a name.
    """
    if flag is not None:
        if AGENT_NAME.match(flag):
            return Agent(flag, "flag")
        raise UsageError(
            f"--agent {flag!r} is not a name: use 1 to 64 of A-Z a-z 0-9 . _ -, for example --agent claude-1"
        )
    given = env.get("AGENT_ID")
    warning = None
    if given:
        if AGENT_NAME.match(given):
            return Agent(given, "env")
        warning = f"AGENT_ID {given[:80]!r} is not a name (1 to 64 of A-Z a-z 0-9 . _ -): using the worktree's name"
    for marker, build, node in _CI:
        if env.get(marker) and env.get(build):
            return Agent(_as_name(f"ci-{env[build]}-{env.get(node) or '0'}"), "ci", warning)
    root = git_root(cwd)
    return Agent(_as_name(os.path.basename(root or cwd)), "worktree" if root else "directory", warning)


def _as_name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:64].strip("-")
    return name if AGENT_NAME.match(name) else "agent"


def git_root(cwd: str) -> str | None:
    """The top folder of the git worktree around `cwd`; None outside of one."""
    return _upwards(cwd, lambda folder: os.path.exists(folder + "/.git"))


def workspace_root(cwd: str, manifest: str | None) -> str | None:
    """The workspace root that cargo would use; None where no Cargo.toml is found.

    The nearest package's own folder, unless a `[workspace]` table stands there or above it (cheap: text, no TOML;
    an `exclude` is not looked at: the answer names a checkout, cargo itself decides what it builds).
    """
    start = os.path.dirname(os.path.join(cwd, manifest)) if manifest else cwd
    package = _upwards(os.path.normpath(start), lambda folder: os.path.isfile(folder + "/Cargo.toml"))
    if package is None:
        return None
    return _upwards(package, _has_workspace) or package


def _has_workspace(folder: str) -> bool:
    path = folder + "/Cargo.toml"
    if not os.path.isfile(path):
        return False  # to open a pipe would wait for its writer
    try:
        with open(path, "rb") as file:
            content = file.read(1 << 20)
    except OSError:
        return False
    return b"[workspace" in content and any(
        line.strip().startswith((b"[workspace]", b"[workspace.")) for line in content.splitlines()
    )


def _upwards(folder: str, is_it: Callable[[str], bool]) -> str | None:
    while True:
        if is_it(folder):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
