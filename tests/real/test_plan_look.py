"""What is looked up for a plan, against what the programs of this machine say themselves."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from core.paths import Paths
from core.plan.answers import Answer, Answers, open_answers
from core.plan.look import look, native_features
from core.plan.machine import filesystem_of
from core.plan.make import prepare
from core.plan.toolchain import find_toolchain
from core.plan.tools import PROGRAMS, find_tools
from core.run.begin import command_of

HOST = "x86_64-unknown-linux-gnu"
TOOLCHAINS = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup") / "toolchains"


class World(NamedTuple):
    """A RUSTUP_HOME of links to this machine's toolchains, and a folder to be in."""

    home: Path
    folder: Path
    env: dict[str, str]

    @property
    def answers(self) -> Answers:
        return open_answers(Paths(str(self.home / "state"), str(self.home / "cache")))

    def settings(self, text: str) -> None:
        (self.home / "settings.toml").write_text('version = "12"\n' + text)


@pytest.fixture
def world(tmp_path: Path) -> World:
    home, folder = tmp_path.resolve() / "rustup", tmp_path.resolve() / "tree/inner"
    (home / "toolchains").mkdir(parents=True)
    folder.mkdir(parents=True)
    for toolchain in TOOLCHAINS.iterdir():
        (home / "toolchains" / toolchain.name).symlink_to(toolchain.resolve())
    env = {
        "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "RUSTUP_HOME": str(home), "RUSTUP_AUTO_INSTALL": "0",
        "CARGO_HOME": os.environ.get("CARGO_HOME", os.environ["HOME"] + "/.cargo"),
    }  # fmt: skip
    made = World(home, folder, env)
    made.settings(f'default_toolchain = "stable-{HOST}"\nprofile = "default"\n\n[overrides]\n')
    return made


def said(words: list[str], env: Mapping[str, str], cwd: Path) -> str:
    done = subprocess.run(words, env=dict(env), cwd=cwd, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout if done.returncode == 0 else ""


class Case(NamedTuple):
    files: Mapping[str, str] = {}
    """In the tree, by path."""
    overrides: Mapping[str, str] = {}
    """By folder of the tree."""
    env: Mapping[str, str] = {}
    default: str = f"stable-{HOST}"


CASES = {
    "default": Case(),
    "default is a channel": Case(default="nightly"),
    "no default": Case(default=""),
    "variable": Case(env={"RUSTUP_TOOLCHAIN": "nightly"}),
    "empty variable": Case(env={"RUSTUP_TOOLCHAIN": ""}),
    "variable with a path": Case(env={"RUSTUP_TOOLCHAIN": str(TOOLCHAINS / f"nightly-{HOST}")}),
    "variable counts more": Case({"rust-toolchain": "nightly"}, {".": "nightly"}, {"RUSTUP_TOOLCHAIN": "stable"}),
    "override above": Case(overrides={".": f"nightly-{HOST}"}),
    "override is a channel": Case(overrides={".": "1.95.0"}),
    "file of one line": Case({"rust-toolchain": "nightly\n"}),
    "file of one line with blanks": Case({"rust-toolchain": "  nightly  "}),
    "TOML under the old name": Case({"rust-toolchain": '[toolchain]\nchannel = "nightly"\n'}),
    "file of TOML": Case({"rust-toolchain.toml": '[toolchain]\nchannel = "1.95.0"\ncomponents = ["clippy"]\n'}),
    "file in the folder": Case(
        {"rust-toolchain": "1.95.0", "inner/rust-toolchain.toml": "[toolchain]\nchannel='nightly'"}
    ),
    "override and file in one folder": Case({"rust-toolchain": "nightly"}, {".": "1.95.0"}),
    "file nearer than an override": Case({"inner/rust-toolchain": "nightly"}, {".": "1.95.0"}),
    "override nearer than a file": Case({"rust-toolchain": "nightly"}, {"inner": "1.95.0"}),
    "both names": Case({"rust-toolchain": "nightly", "rust-toolchain.toml": '[toolchain]\nchannel = "1.95.0"\n'}),
    "only components": Case({"rust-toolchain.toml": '[toolchain]\ncomponents = ["clippy"]\n'}, default="nightly"),
    "not installed": Case({"rust-toolchain": "nightly-2020-01-02"}),
    "unknown name": Case(env={"RUSTUP_TOOLCHAIN": "mine"}),
    "old release": Case({"rust-toolchain": "1.70.0"}),
    "empty file": Case({"rust-toolchain": ""}),
    "empty TOML": Case({"rust-toolchain.toml": ""}),
    "broken TOML": Case({"rust-toolchain.toml": "[toolchain\nchannel = 1"}),
    "channel is a number": Case({"rust-toolchain.toml": "[toolchain]\nchannel = 1\n"}),
    "one line under the new name": Case({"rust-toolchain.toml": "nightly"}),
    "not UTF-8": Case({"rust-toolchain": "\udcff\udcfe"}),
    "channel and path": Case({"rust-toolchain.toml": '[toolchain]\nchannel = "nightly"\npath = "/x"\n'}),
    "folder of that name": Case({"rust-toolchain/x": "nightly"}),
    "path of a toolchain": Case({"rust-toolchain.toml": f'[toolchain]\npath = "{TOOLCHAINS}/nightly-{HOST}"\n'}),
    "path of none": Case({"rust-toolchain.toml": '[toolchain]\npath = "/nowhere"\n'}),
    "full name": Case({"rust-toolchain": f"nightly-{HOST}"}),
    "part of the triple": Case({"rust-toolchain": "nightly-x86_64"}),
    "other host": Case({"rust-toolchain": "nightly-aarch64-apple-darwin"}),
    "two parts of a release": Case({"rust-toolchain": "1.95"}),
    "custom": Case(env={"RUSTUP_TOOLCHAIN": "linked"}),
    "custom in a file": Case({"rust-toolchain": "linked"}),
}


def test_the_toolchain_is_that_of_where_cargo_is_started_and_not_of_where_it_is_sent(world: World) -> None:
    there = world.folder.parent / "there"
    for folder, channel in ((world.folder, "nightly"), (there, "stable")):
        (folder / "src").mkdir(parents=True)
        (folder / "src/lib.rs").touch()
        (folder / "rust-toolchain").write_text(channel)
        (folder / "Cargo.toml").write_text('[package]\nname = "x"\n')
    words = ("-Z", "unstable-options", "-C", "../there", "rustc", "--", "--version")
    version = said(["cargo", *words], world.env, world.folder)
    paths = Paths(str(world.home / "state"), str(world.home / "cache"))
    asked = command_of(paths, words, str(world.folder), world.env)
    found = prepare(paths, asked, may_ask=True).found
    assert (found.root, found.toolchain.channel) == (str(there), "nightly")
    assert f"rustc {'.'.join(map(str, found.toolchain.rustc))}-nightly" in version


@pytest.mark.parametrize("name", CASES)
def test_the_toolchain_is_the_one_that_rustup_takes(world: World, name: str) -> None:
    case = CASES[name]
    tree = world.folder.parent
    (world.home / "toolchains/linked").symlink_to((TOOLCHAINS / f"nightly-{HOST}").resolve())
    for path, text in case.files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text, errors="surrogateescape")
    overrides = "".join(f'"{(tree / folder).resolve()}" = "{value}"\n' for folder, value in case.overrides.items())
    default = f'default_toolchain = "{case.default}"\n' if case.default else ""
    world.settings(f"{default}\n[overrides]\n{overrides}")
    env = {**world.env, **case.env}

    found, _ = find_toolchain("", str(world.folder), env, world.answers, may_ask=True)
    active = said(["rustup", "show", "active-toolchain"], env, world.folder).split()
    if not active:
        assert not found.is_installed or found.trouble, found
        return
    assert (found.name, found.trouble) == (active[0], "")
    version = said(["rustc", "-vV"], env, world.folder)
    assert f"release: {'.'.join(map(str, found.rustc))}" in version
    assert f"host: {found.host}\n" in version
    assert f"LLVM version: {'.'.join(map(str, found.llvm))}\n" in version
    assert said(["rustc", "--print", "sysroot"], env, world.folder).strip() == found.sysroot
    assert said(["cargo", "-V"], env, world.folder).startswith(f"cargo {'.'.join(map(str, found.cargo))}")


@pytest.mark.parametrize("how", ["links", "hard links", "copies", "programs of the toolchain"])
def test_however_the_proxies_were_made_the_compiler_is_the_one_that_runs(
    world: World, how: str, tmp_path: Path
) -> None:
    folder, proxy = tmp_path / "bin", Path(said(["sh", "-c", "command -v rustup"], world.env, tmp_path).strip())
    folder.mkdir()
    for name in ("rustup", "cargo", "rustc"):
        match how:
            case "links":
                (folder / name).symlink_to(proxy if name == "rustup" else "rustup")
            case "programs of the toolchain":
                if name != "rustup":
                    (folder / name).symlink_to((TOOLCHAINS / f"nightly-{HOST}/bin" / name).resolve())
            case "hard links" if name != "rustup":
                (folder / name).hardlink_to(folder / "rustup")
            case _:
                (folder / name).write_bytes(proxy.read_bytes())
                (folder / name).chmod(0o755)
    env = {**world.env, "PATH": f"{folder}:/usr/bin:/bin"}
    found, _ = find_toolchain("", str(world.folder), env, world.answers, may_ask=True)
    version = said(["rustc", "-vV"], env, world.folder)
    assert f"release: {'.'.join(map(str, found.rustc))}" in version
    assert (found.chosen_by.place == "PATH") == (how == "programs of the toolchain")
    assert found.sysroot == said(["rustc", "--print", "sysroot"], env, world.folder).strip()


def test_targets_are_those_that_rustup_lists(world: World) -> None:
    for name in ("stable", "nightly"):
        found, _ = find_toolchain(f"+{name}", str(world.folder), world.env, world.answers, may_ask=True)
        listed = said(["rustup", "target", "list", "--installed", "--toolchain", name], world.env, world.folder).split()
        assert sorted(found.targets) == sorted(listed) != []


def test_the_toolchain_that_has_its_own_lld_links_with_it(world: World) -> None:
    """What rustc tells the compiler to link with says so."""
    (world.folder / "a.rs").write_text("fn main() {}\n")
    for name in ("stable", "nightly"):
        found, _ = find_toolchain(f"+{name}", str(world.folder), world.env, world.answers, may_ask=True)
        printed = said(["rustc", f"+{name}", "--print", "link-args", "a.rs"], world.env, world.folder)
        assert printed
        assert found.links_with_lld == ("-fuse-ld=lld" in printed)


def test_versions_are_those_that_programs_say() -> None:
    env = dict(os.environ)
    tools = find_tools(PROGRAMS, env, Answers("/nowhere/answers.json"), may_ask=True)
    there = [tool for tool in tools.values() if tool.path]
    assert {"cc", "gcc", "clang", "mold", "lld", "cmake", "ninja", "make", "rustup"} <= {tool.name for tool in there}
    for tool in there:
        first = said([tool.path, *PROGRAMS[tool.name].words], env, Path("/"))
        assert (tool.trouble, bool(tool.version)) == ("", True)
        assert tool.shown in first


def test_native_features_are_those_of_this_processor(world: World) -> None:
    """The digest of a target that the processor is not is another one."""
    _, programs = find_toolchain("", str(world.folder), world.env, world.answers, may_ask=True)
    answers = world.answers
    digest = native_features(programs, world.env, answers, may_ask=True)
    again = native_features(programs, world.env, answers, may_ask=False)
    cfg = said([programs.rustc, "-C", "target-cpu=native", "--print", "cfg"], world.env, world.folder)
    assert len(digest) == 16
    assert (again, 'target_feature="sse2"' in cfg) == (digest, True)
    assert native_features(programs, world.env, Answers("", ask=answers_of_baseline), may_ask=True) != digest


def answers_of_baseline(path: str, words: tuple[str, ...], env: Mapping[str, str]) -> Answer:
    return Answer(said([path, "--print", "cfg"], env, Path("/")))


def test_the_file_system_is_the_one_that_stat_names(tmp_path: Path) -> None:
    for folder in ("/", "/proc", "/dev/shm", str(tmp_path), "/sys"):
        name = said(["stat", "-f", "-c", "%T", folder], os.environ, Path("/")).strip()
        assert filesystem_of(folder) in {"ext2/ext3": ("ext3", "ext4")}.get(name, (name,)), folder


def test_a_cross_target_is_told_from_one_that_links(world: World) -> None:
    paths = Paths(str(world.home / "state"), str(world.home / "cache"))
    found = look(paths, cwd=str(world.folder), env=world.env, root="", target="x86_64-unknown-linux-musl", may_ask=True)
    assert found.target is not None
    assert found.target == found.target._replace(has_std=True, linker="cc", is_linker_there=True)
    (world.folder / "a.rs").write_text("fn main() {}\n")
    words = ["rustc", "--target", found.target.triple, "--print", "file-names", "-o", "a", "a.rs"]
    assert said(words, world.env, world.folder) == "a\n"
    other = look(
        paths, cwd=str(world.folder), env=world.env, root="", target="aarch64-unknown-linux-gnu", may_ask=False
    )
    assert other.target is not None
    assert (other.target.has_std, other.unasked) == (False, ("target aarch64-unknown-linux-gnu",))
