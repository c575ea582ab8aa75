"""Who is measured beside the dashboard: mprocs and turbo from npm, each with the same eight programs in a list.

They are installed once into `$XDG_CACHE_HOME/cargo-deck-bench`, with `cargo install` where npm's mprocs does not run.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from tests.real.product import COMMAND, plain_env

MPROCS, TURBO = "0.9.6", "2.11.11"
QUIET = {"TURBO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1", "TURBO_NO_UPDATE_NOTIFIER": "1"}
_LIST_COLUMNS = 22
"""In both rivals the names stand at the left."""


class Contestant(NamedTuple):
    """A program that shows several others, and its keys."""

    name: str
    argv: tuple[str, ...]
    version: str
    next_key: str
    """Highlights the next program."""
    previous_key: str
    name_columns: int
    """Names of programs are looked for in so many columns from the left."""


class Job(NamedTuple):
    """One program that is shown."""

    name: str
    argv: list[str]


def dashboard(columns: int) -> Contestant:
    """Ours: Tab and Shift-Tab on the board."""
    return Contestant("cargo-deck", (COMMAND,), "this tree", "\t", "\x1b[Z", columns)


def find() -> tuple[list[Contestant], list[str]]:
    """The rivals that run here; and for each of the others why not."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(cache, "cargo-deck-bench")
    os.makedirs(folder, exist_ok=True)
    found, missing = [], []
    for name, version in (("mprocs", MPROCS), ("turbo", TURBO)):
        path, why = _install(name, version, folder)
        if not path:
            missing.append(f"{name} {version} does not run here: {why}")
        elif name == "mprocs":
            found.append(Contestant(name, (path, "--config", "mprocs.yaml"), version, "j", "k", _LIST_COLUMNS))
        else:
            argv = (path, "run", "dev", "--concurrency", "32")
            found.append(Contestant(name, argv, version, "j", "k", _LIST_COLUMNS))
    return found, missing


def _install(name: str, version: str, folder: str) -> tuple[str, str]:
    """Path of the program, or why there is none."""
    path = os.path.join(folder, "node_modules", ".bin", name)
    why = _why_not(path, version)
    if why and shutil.which("npm"):
        command = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--prefix",
            folder,
            f"mprocs@{MPROCS}",
            f"turbo@{TURBO}",
        ]
        why = _run(command) or _why_not(path, version)
    elif why:
        why = "there is no npm to install it with"
    if why and name == "mprocs":
        path = os.path.join(folder, "bin", name)
        if _why_not(path, version):
            _run(["cargo", "install", "--locked", "--root", folder, f"{name}@{version}"])
        why = _why_not(path, version) and f"npm: {why}; cargo install: {_why_not(path, version)}"
    return ("", why) if why else (path, "")


def _why_not(path: str, version: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    is_right = done.returncode == 0 and version in done.stdout
    return "" if is_right else f"{path} --version: exit {done.returncode}, {(done.stdout + done.stderr).strip()[-200:]}"


def _run(command: Sequence[str]) -> str:
    """What went wrong."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else f"{command[0]}: exit {done.returncode}, {done.stderr.strip()[-300:]}"


def write_workspace(folder: str, jobs: Sequence[Job]) -> None:
    """Files of both rivals that make the same programs run: `mprocs.yaml`, and a package of npm for each."""
    procs = {job.name: {"cmd": job.argv} for job in jobs}
    _write(os.path.join(folder, "mprocs.yaml"), {"procs": procs})
    root = {"name": "shown", "private": True, "packageManager": "npm@11.0.0", "workspaces": ["packages/*"]}
    _write(os.path.join(folder, "package.json"), root)
    _write(os.path.join(folder, "package-lock.json"), {"name": "shown", "lockfileVersion": 3, "packages": {}})
    dev = {"persistent": True, "cache": False}
    _write(os.path.join(folder, "turbo.json"), {"ui": "tui", "tasks": {"dev": dev}})
    for job in jobs:
        package = {"name": job.name, "version": "1.0.0", "scripts": {"dev": " ".join(job.argv)}}
        _write(os.path.join(folder, "packages", job.name, "package.json"), package)
    subprocess.run(["git", "init", "--quiet", folder], check=True, env=plain_env(folder))


def _write(path: str, content: object) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)
