"""Who builds, and where: agent names and the checkout a build belongs to."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
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
    """What is left of a text in the letters of names: `epreuve` of `épreuve`."""
    if not text.isascii():
        from unicodedata import normalize  # seldom needed, and the caller waits

        text = "".join(letter for letter in normalize("NFKD", text) if not "\u0300" <= letter <= "\u036f")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:64].strip("-")
    return name if AGENT_NAME.match(name) else "agent"


def git_root(cwd: str) -> str | None:
    """The top folder of the git worktree around `cwd`; None outside of one."""
    return _upwards(cwd, lambda folder: os.path.exists(folder + "/.git"))


def checkout_of(cwd: str) -> str:
    """What a run that is started there belongs to: the workspace, else the git worktree, else the folder."""
    return workspace_root(cwd, None) or git_root(cwd) or cwd


def workspace_root(cwd: str, manifest: str | None) -> str | None:
    """The workspace root that cargo would use: the package's own folder where it is in none; None where no Cargo.toml
    is found."""
    start = os.path.dirname(os.path.join(cwd, manifest)) if manifest else cwd
    package = _upwards(os.path.normpath(start), lambda folder: os.path.isfile(folder + "/Cargo.toml"))
    return None if package is None else find_workspace(package)[1] or package


def find_workspace(package: str) -> tuple[list[str], str]:
    """Folders whose Cargo.toml cargo reads to find the workspace of a package, and that workspace's; empty: there is
    none. By the text, without reading TOML: that is cheap. Source: cargo 1.95, `find_workspace_root`.
    """
    read: list[str] = []
    folder = package
    while True:
        content = _manifest(folder)
        if content is not None:
            read.append(folder)
            if has_workspace(content):
                if folder == package or not _excludes(content, folder, package):
                    return read, folder
            elif pointed := _pointed(content, folder):
                return [*read, pointed], pointed
        parent = os.path.dirname(folder)
        if parent == folder:
            return read, ""
        folder = parent


def _manifest(folder: str) -> bytes | None:
    """None: there is none; empty: it is no file, or not to be read."""
    path = folder + "/Cargo.toml"
    if not os.path.isfile(path):
        return b"" if os.path.exists(path) else None  # to open a pipe would wait for its writer
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""


def has_workspace(content: bytes) -> bool:
    """A manifest has a table `[workspace]`, an empty one too."""
    return b"[workspace" in content and any(map(_opens_workspace, content.splitlines()))


def _opens_workspace(line: bytes) -> bool:
    return line.strip().startswith((b"[workspace]", b"[workspace."))


def _excludes(content: bytes, root: str, package: str) -> bool:
    if b"exclude" not in content:
        return False
    lines = list(_lines_of_workspace(content))
    return is_left_out(root, _array(lines, b"exclude"), _array(lines, b"members"), package)


def _lines_of_workspace(content: bytes) -> Iterator[bytes]:
    """Of `[workspace]` itself, without comments."""
    is_inside = False
    for line in content.splitlines():
        text = line.partition(b"#")[0].strip()
        if text.startswith(b"[") and text.endswith(b"]") and b'"' not in text:
            is_inside = text == b"[workspace]"
        elif is_inside:
            yield text


def _array(lines: Sequence[bytes], name: bytes) -> list[str]:
    """`exclude = ["a", "b"]`, on one line or on several. Patterns (`re`) would take 0.4 ms to compile."""
    at = next((i for i, line in enumerate(lines) if line.partition(b"=")[0].rstrip() == name), None)
    if at is None:
        return []
    whole = b" ".join(lines[at:]).partition(b"=")[2].lstrip()
    words = whole[1:].partition(b"]")[0].replace(b"'", b'"').split(b'"')[1::2] if whole.startswith(b"[") else []
    return list(map(os.fsdecode, words))


def is_left_out(root: str, exclude: Sequence[str], members: Sequence[str], folder: str) -> bool:
    """A workspace excludes a folder, and no member is named above it. Source: cargo 1.95, `is_excluded`: paths are
    compared as they stand there, patterns mean nothing."""
    return any(_is_below(folder, root, one) for one in exclude) and not any(
        _is_below(folder, root, one) for one in members
    )


def _is_below(folder: str, root: str, path: str) -> bool:
    parts = [part for part in os.path.join(root, path).split("/") if part not in ("", ".")]
    return folder.strip("/").split("/")[: len(parts)] == parts


def _pointed(content: bytes, folder: str) -> str:
    """The workspace that `package.workspace = "../.."` names; empty: nothing is named, or there is none."""
    for line in content.splitlines() if b"workspace" in content else ():
        key, _, value = line.partition(b"=")
        quoted = value.strip()
        if key.strip() in (b"workspace", b"package.workspace") and quoted[:1] in (b'"', b"'") and b"\0" not in quoted:
            named = os.path.normpath(os.path.join(folder, os.fsdecode(quoted[1:].partition(quoted[:1])[0])))
            return named if has_workspace(_manifest(named) or b"") else ""
    return ""


def _upwards(folder: str, is_it: Callable[[str], bool]) -> str | None:
    while True:
        if is_it(folder):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
