"""The wheel that is built of this tree."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_the_wheel_has_one_top_level_name_and_works_beside_a_decoy(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(dist), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = dist.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"cargo_deck"}
    assert {"cargo_deck/core/run/handoff.sh", "cargo_deck/core/run/color.sh"} <= set(names)
    data = [path for kind in ("json", "sh") for path in (ROOT / "core").rglob(f"*.{kind}")]
    assert {f"cargo_deck/{path.relative_to(ROOT)}" for path in data} <= set(names)
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, system_site_packages=False)
    site = next((home / "lib").glob("python3*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    decoy = tmp_path / "decoy"
    (decoy / "core").mkdir(parents=True)
    (decoy / "core" / "__init__.py").write_text("raise SystemExit('the decoy was imported')\n")
    run = [str(home / "bin" / "python"), "-c", "import sys, cargo_deck; sys.exit(cargo_deck.main())"]
    env = {**os.environ, "PYTHONPATH": str(decoy), "XDG_STATE_HOME": str(tmp_path / "s")}
    shown = subprocess.run([*run, "--version"], cwd=decoy, env=env, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stdout[:10], shown.stderr) == (0, "cargo-deck", "")
    built = subprocess.run(
        [*run, "exec", "--", "/bin/echo", "hi"], cwd=decoy, env=env, capture_output=True, check=False
    )
    assert (built.returncode, built.stdout, built.stderr) == (0, b"hi\n", b"")
