import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core import sample


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    sample.write_shared(str(folder / "shared"))
    sample.write_checkout(str(folder / "a"), str(folder / "shared"))
    return folder / "a"


def cargo(folder: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CARGO_T", "CARGO_B", "RUSTC", "RUSTFLAGS"))}
    return subprocess.run(
        ["cargo", *words], cwd=folder, env={**env, **more}, capture_output=True, text=True, check=False
    )


def test_cargo_takes_the_workspace_and_its_shared_crates_offline(checkout: Path) -> None:
    assert shutil.which("cargo"), "cargo is needed for these tests"
    done = cargo(checkout, "metadata", "--offline", "--locked", "--format-version", "1")
    assert done.returncode == 0, done.stderr
    packages = json.loads(done.stdout)["packages"]
    ours = [p["name"] for p in packages if p["source"] is None]
    shared = [p["name"] for p in packages if p["source"] is not None]
    assert len(ours) == 8
    assert len(shared) == 8
    kinds = {kind for p in packages for t in p["targets"] for kind in t["kind"]}
    assert {"lib", "bin", "proc-macro", "custom-build", "test"} <= kinds


def test_the_broken_feature_gives_two_errors_with_places(checkout: Path) -> None:
    done = cargo(checkout, *sample.BROKEN, "--offline", "--message-format=short")
    assert done.returncode == 101
    errors = [line for line in done.stderr.splitlines() if ": error[" in line]
    assert [line.split("error[")[1][:5] for line in errors] == ["E0308", "E0425"]


def test_a_late_frost_fails_one_test_on_request(checkout: Path) -> None:
    words = ("test", "--offline", "--locked", "-p", "orchard-rules", "--lib")
    asked, plain = cargo(checkout, *words, ORCHARD_FROST="1"), cargo(checkout, *words)
    assert (asked.returncode, plain.returncode) == (101, 0), plain.stderr
    assert "1 passed; 1 failed" in asked.stdout
    assert "2 passed; 0 failed" in plain.stdout


def test_two_checkouts_share_one_directory_source(checkout: Path) -> None:
    other = checkout.parent / "b"
    sample.write_checkout(str(other), str(checkout.parent / "shared"))
    config = (other / ".cargo" / "config.toml").read_text()
    assert config == (checkout / ".cargo" / "config.toml").read_text()


def test_a_checkout_with_cuda_has_two_more_members_which_are_empty_without_nvcc(checkout: Path) -> None:
    other = checkout.parent / "cuda"
    sample.write_checkout(str(other), str(checkout.parent / "shared"), has_cuda=True)
    done = cargo(other, "metadata", "--offline", "--locked", "--format-version", "1")
    assert done.returncode == 0, done.stderr
    packages = json.loads(done.stdout)["packages"]
    assert {p["name"] for p in packages if p["source"] is None} >= {*sample.CUDA}
    assert sum(p["source"] is None for p in packages) == 10
    tools = [folder for folder in os.environ["PATH"].split(":") if not os.path.exists(f"{folder}/nvcc")]
    words = [word for name in sample.CUDA for word in ("-p", name)]
    done = cargo(other, "test", "--offline", "--locked", "--lib", *words, PATH=":".join(tools))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("0 failed") == 2
    assert (other / sample.KERNEL_HEADER).is_file()
