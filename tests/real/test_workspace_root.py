"""The workspace that a package is in, as cargo itself says it."""

import subprocess
from pathlib import Path

import pytest

from core.run.identity import workspace_root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def package(folder: Path, more: str = "") -> None:
    write(folder / "Cargo.toml", f'[package]\nname = "{folder.name}"\nversion = "1.0.0"\nedition = "2021"\n{more}')
    write(folder / "src/lib.rs", "")


def cargos_root(folder: Path) -> str:
    """As `cargo locate-project` says it, or the one that it complains about."""
    words = ["cargo", "locate-project", "--workspace", "--message-format=plain"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout or next(line for line in done.stderr.splitlines() if line.startswith("workspace:"))
    return said.removeprefix("workspace:").strip().removesuffix("/Cargo.toml")


@pytest.mark.parametrize(
    "table",
    [
        'members = ["in/left"]', 'exclude = ["in"]', 'exclude = ["in/left/"]', 'exclude = ["./in/left"]',
        'exclude = ["in/le*"]', 'exclude = ["in/lef"]', 'exclude = ["other/../in"]', 'exclude = ["ROOT/in"]',
        'members = ["in/left"]\nexclude = ["in"]', 'members = ["in/*"]\nexclude = ["in/left"]',
        'members = ["ROOT/in/left"]\nexclude = ["in"]', "exclude = [\n  'x', # it's \"in\"\n  'in', # yes\n]",
        '[workspace.metadata.x]\nexclude = ["in"]', 'exclude = []\n[workspace.dependencies]\nexclude = { path = "in" }',
    ],
)  # fmt: skip
def test_the_root_of_a_package_is_that_of_cargo(table: str, tmp_path: Path) -> None:
    write(tmp_path / "Cargo.toml", f"[workspace]\nresolver = '2'\n{table}\n".replace("ROOT", str(tmp_path)))
    package(tmp_path / "in/left")
    assert workspace_root(str(tmp_path / "in/left/src"), None) == cargos_root(tmp_path / "in/left")


def test_the_root_that_a_package_names_is_that_of_cargo(tmp_path: Path) -> None:
    write(tmp_path / "Cargo.toml", "[workspace]\n")
    write(tmp_path / "ws/Cargo.toml", '[workspace]\nresolver = "2"\nmembers = ["../far/x"]\n')
    package(tmp_path / "far/x", 'workspace = "../../ws"\n')
    assert workspace_root(str(tmp_path / "far/x"), None) == cargos_root(tmp_path / "far/x") == f"{tmp_path}/ws"
