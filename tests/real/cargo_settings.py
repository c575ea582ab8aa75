"""Small worlds of config files and crates, and what real cargo says of them.

RUSTC_BOOTSTRAP lets the stable cargo say what only nightly says by itself.
"""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.plan.given import Settings
from core.plan.settings import read_settings
from tests.real.product import until

Files = dict[str, str]


def build_world(root: Path, files: Files) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")
    (root / "in").mkdir(parents=True, exist_ok=True)
    (root / "home").mkdir(parents=True, exist_ok=True)


def environment(root: Path, more: dict[str, str]) -> dict[str, str]:
    """Of the tests, without what may set something."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO", "RUSTFLAGS", "RUSTC"))}
    kept["RUSTUP_HOME"] = os.environ.get("RUSTUP_HOME") or os.path.expanduser("~/.rustup")
    return {**kept, "CARGO_HOME": str(root / "home"), **more}


def let_rest(root: Path) -> None:
    """Wait until what was written is old enough to be kept."""
    newest_ns = max(path.stat().st_ctime_ns for path in root.rglob("*"))
    probe = root / "probe"
    until(lambda: probe.write_text("") == 0 and probe.stat().st_mtime_ns > newest_ns + 100_000_000, 5, "a later time")


def config_get(cwd: Path, env: dict[str, str], given: Sequence[str], key: str = "") -> Any:
    """Cargo's own word; None where nothing is set."""
    command = ["cargo", "config", "get", "-Zunstable-options", "--format=json-value"]
    command += [word for one in given for word in ("--config", one)]
    done = subprocess.run([*command, *((key,) if key else ())], cwd=cwd, capture_output=True, text=True, check=False,
                          env={**env, "RUSTC_BOOTSTRAP": "1"})  # fmt: skip
    if done.returncode and key and "is not set" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def flat(value: Any, key: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(value, dict):
        return {key: value}
    return {one: leaf for name, inner in value.items() for one, leaf in flat(inner, (*key, name)).items()}


def read(root: Path, env: dict[str, str], given: Sequence[str], cache: str = "") -> Settings:
    return read_settings(cache, cwd=str(root / "in"), env=env, home=str(root), given=given)


def write_crate(root: Path, manifest: str = "") -> None:
    """A package with a library that it depends on, so small that all is in building it."""
    build_world(root, {
        "in/Cargo.toml": '[package]\nname = "top"\nversion = "0.1.0"\nedition = "2021"\nbuild = "build.rs"\n'
                         '[dependencies]\ndep = {path = "dep"}\n[workspace]\n' + manifest,
        "in/src/main.rs": "fn main() { dep::f() }\n",
        "in/build.rs": "fn main() {}\n",
        "in/dep/Cargo.toml": '[package]\nname = "dep"\nversion = "0.1.0"\nedition = "2021"\n',
        "in/dep/src/lib.rs": "pub fn f() {}\n",
    })  # fmt: skip


def rustc_lines(root: Path, env: dict[str, str], words: Sequence[str]) -> dict[str, str]:
    """The command line of rustc by crate, of what cargo would run."""
    done = subprocess.run(
        ["cargo", *words, "-v"], cwd=root / "in", env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"Running `[^`]*--crate-name (\w+) ([^`]*)`", done.stderr)
    return {name: line for name, line in lines}
