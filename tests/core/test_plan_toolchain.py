"""Which toolchain a command gets and what it brings, and what links for another target. Rustup's own answers are
compared in `tests/real/test_plan_look.py`."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.paths import find_paths
from core.plan.answers import Answer, Answers
from core.plan.found import Target, Toolchain
from core.plan.given import Given, Origin, Settings
from core.plan.make import prepare
from core.plan.rustup import is_proxy
from core.plan.target import find_target, look_up, needed_linker
from core.plan.toolchain import Programs, find_toolchain
from core.plan.toolchain_names import channel_of, command_for, host_of, is_official
from core.run.begin import command_of

HOST = "x86_64-unknown-linux-gnu"
VV = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: {host}\nrelease: {release}\nLLVM version: 22.1.2\n"


class World:
    """A rustup of files, and programs that are never started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "rustup"
        (self.home / "toolchains").mkdir(parents=True)
        self.env = {"PATH": f"{folder}/bin", "HOME": str(folder), "RUSTUP_HOME": str(self.home)}
        self.said: dict[str, Answer] = {}
        self.settings(f'default_toolchain = "stable-{HOST}"\n')

    def program(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x7fELF")
        path.chmod(0o755)
        return path

    def proxies(self) -> None:
        self.program(self.folder / "bin/rustup")
        for name in ("cargo", "rustc"):
            (self.folder / "bin" / name).symlink_to("rustup")

    def settings(self, text: str) -> None:
        (self.home / "settings.toml").write_text(text)

    def toolchain(
        self, name: str, *, release: str = "1.95.0", targets: tuple[str, ...] = (HOST,), cargo: bool = True
    ) -> Path:
        folder = self.home / "toolchains" / name
        self.fill(folder, release=release, targets=targets)
        if cargo:
            self.say(self.program(folder / "bin/cargo"), f"cargo {release} (abc 2026-04-14)\n")
        return folder

    def fill(self, folder: Path, *, release: str = "1.95.0", targets: tuple[str, ...] = (HOST,)) -> None:
        self.say(self.program(folder / "bin/rustc"), VV.format(host=HOST, release=release))
        for target in targets:
            (folder / "lib/rustlib" / target / "lib").mkdir(parents=True)
            (folder / "lib/rustlib" / target / "lib/libcore-0123.rlib").touch()

    def say(self, path: Path, text: str, trouble: str = "") -> None:
        self.said[str(path.resolve())] = Answer(text, trouble)

    def ask(self, path: str, words: tuple[str, ...], env: Mapping[str, str]) -> Answer:
        assert not path.endswith("rustup")
        return self.said[os.path.realpath(path)]

    def find(self, word: str = "", *, cwd: str = "", may_ask: bool = True, rustc: str = "") -> Toolchain:
        answers = Answers("", ask=self.ask)
        return find_toolchain(word, cwd or str(self.folder), self.env, answers, may_ask=may_ask, rustc=rustc)[0]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path.resolve())


def test_what_a_toolchain_is_and_brings_is_read(world: World) -> None:
    world.proxies()
    folder = world.toolchain(f"nightly-{HOST}", release="1.97.0-nightly", targets=(HOST, "wasm32-wasip1"))
    (folder / f"lib/rustlib/{HOST}/codegen-backends").mkdir()
    (folder / f"lib/rustlib/{HOST}/codegen-backends/librustc_codegen_cranelift-1.97.0-nightly.so").touch()
    world.program(folder / f"lib/rustlib/{HOST}/bin/gcc-ld/ld.lld")
    (folder / "lib/rustlib/src/rust/library").mkdir(parents=True)
    (folder / "lib/rustlib/etc").mkdir()
    (folder / "lib/rustlib/aarch64-apple-darwin/lib").mkdir(parents=True)
    assert world.find("+nightly") == Toolchain(
        name=f"nightly-{HOST}", chosen_by=Origin("+nightly"), channel="nightly", rustc=(1, 97, 0), cargo=(1, 97, 0),
        host=HOST, llvm=(22, 1, 2), sysroot=str(folder), targets=("wasm32-wasip1", HOST), has_cranelift=True,
        has_own_lld=True, links_with_lld=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("release", "links_with_lld"),
    [("1.89.0", False), ("1.90.0", True), ("1.90.0-beta.3", True), ("1.80.0-nightly", True), ("1.79.0-nightly", False)],
)
def test_the_toolchains_own_lld_links_since_1_90_and_on_nightly_earlier(
    world: World, release: str, links_with_lld: bool
) -> None:
    world.proxies()
    folder = world.toolchain(f"stable-{HOST}", release=release)
    assert not world.find().links_with_lld
    world.program(folder / f"lib/rustlib/{HOST}/bin/gcc-ld/ld.lld")
    found = world.find()
    assert (found.has_own_lld, found.links_with_lld) == (True, links_with_lld)
    assert found.channel == (release.partition("-")[2].split(".")[0] or "stable")


def test_what_nobody_asked_is_told_by_the_name(world: World) -> None:
    world.proxies()
    world.toolchain(f"1.95.0-{HOST}")
    found = world.find("+1.95.0", may_ask=False)
    assert (found.channel, found.rustc, found.cargo, found.host) == ("stable", (1, 95, 0), (), HOST)
    assert found.targets == (HOST,)


def test_a_toolchain_that_is_not_there_or_half_there_is_not_installed(world: World) -> None:
    world.proxies()
    found = world.find("+nightly-2026-05-15")
    assert (found.name, found.is_installed, found.trouble) == (f"nightly-2026-05-15-{HOST}", False, "")
    (world.home / f"toolchains/stable-{HOST}/lib").mkdir(parents=True)
    assert not world.find().is_installed


@pytest.mark.parametrize(
    ("settings", "variable", "is_coming"),
    [
        ("", None, True), ("", "0", False), ("", "1", True), ("", "false", True), ("", "", True),
        ('auto_install = "enable"', "0", False), ('auto_install = "disable"', None, False),
        ('auto_install = "disable"', "1", True), ('auto_install = "disable"', "", False),
    ],
)  # fmt: skip
def test_what_rustup_will_install_by_itself_is_coming(
    world: World, settings: str, variable: str | None, is_coming: bool
) -> None:
    world.proxies()
    world.settings(settings)
    if variable is not None:
        world.env["RUSTUP_AUTO_INSTALL"] = variable
    (world.folder / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.61.0"\ntargets = ["wasm32-wasip1"]\n')
    found = world.find()
    assert (found.is_installed, found.is_coming) == (False, is_coming)
    assert not world.find("+mine").is_coming
    world.toolchain(f"1.61.0-{HOST}")
    found = world.find()
    assert (found.is_installed, found.is_coming) == (True, False)
    assert found.coming_targets == (("wasm32-wasip1",) if is_coming else ())
    (world.home / f"toolchains/1.62.0-{HOST}").mkdir()
    assert not world.find("+1.62.0").is_coming


def test_a_compiler_that_does_not_run_is_said(world: World) -> None:
    world.proxies()
    folder = world.toolchain(f"stable-{HOST}")
    world.say(folder / "bin/rustc", "", "ends with code 127: librustc_driver.so: cannot open")
    assert world.find().trouble == (
        f"{folder}/bin/rustc ends with code 127: librustc_driver.so: cannot open; install the toolchain again"
    )


def test_a_toolchain_of_ones_own_without_cargo_has_that_of_another(world: World) -> None:
    world.proxies()
    world.toolchain("mine", release="1.99.0-dev", cargo=False)
    world.toolchain(f"stable-{HOST}")
    found = world.find("+mine")
    assert (found.name, found.channel, found.is_nightly, found.rustc, found.cargo) == (
        "mine", "dev", True, (1, 99, 0), (1, 95, 0),
    )  # fmt: skip


@pytest.mark.parametrize("how", ["symlink", "hard link", "symlink elsewhere"])
def test_a_proxy_is_known_however_it_was_made(world: World, how: str) -> None:
    rustup = world.program(world.folder / "bin/rustup")
    cargo = world.folder / "bin/cargo"
    match how:
        case "symlink":
            cargo.symlink_to("rustup")
        case "hard link":
            cargo.hardlink_to(rustup)
        case _:
            cargo.symlink_to(world.program(world.folder / "lib/rustup-init"))
    assert is_proxy(str(cargo))
    assert not is_proxy(str(world.program(world.folder / "other/cargo")))


def test_programs_of_a_distribution_are_what_path_says(world: World) -> None:
    world.fill(world.folder, targets=(HOST,))
    world.say(world.program(world.folder / "bin/cargo"), "cargo 1.63.0\n")
    found = world.find()
    assert (found.name, found.chosen_by.place, found.sysroot) == ("", "PATH", str(world.folder))
    assert (found.rustc, found.cargo, found.targets, found.trouble) == ((1, 95, 0), (1, 63, 0), (HOST,), "")
    assert "is not rustup's and does not know +nightly" in world.find("+nightly").trouble


def test_a_compiler_that_settings_name_counts_more(world: World) -> None:
    world.proxies()
    world.toolchain(f"stable-{HOST}")
    world.fill(world.folder / "own", release="1.99.0-nightly", targets=())
    world.said[str(world.folder / "own/bin/rustc")] = Answer(VV.format(host=HOST, release="1.99.0-nightly"))
    found = world.find(rustc=str(world.folder / "own/bin/rustc"))
    assert (found.name, found.rustc, found.cargo) == (f"stable-{HOST}", (1, 99, 0), (1, 95, 0))


def test_without_rust_nothing_is_installed(world: World) -> None:
    assert world.find() == Toolchain(chosen_by=Origin("PATH"), is_installed=False)


def test_settings_of_rustup_that_cannot_be_read_are_said(world: World) -> None:
    world.proxies()
    world.settings("default_toolchain = [\n")
    found = world.find()
    assert (found.is_installed, found.chosen_by.place) == (False, str(world.home / "settings.toml"))
    assert found.trouble


@pytest.mark.parametrize("value", ["5", "[]", "{}", '""', '"none"', '"../../x"', '"a\\u0000b"', "true"])
def test_a_default_that_is_no_name_is_none(world: World, value: str) -> None:
    world.proxies()
    world.settings(f"default_toolchain = {value}\noverrides = 5\n")
    found = world.find()
    assert (found.is_installed, bool(found.trouble), found.chosen_by.place) == (False, True, "rustup default")


def test_a_loop_of_links_and_a_folder_that_is_gone_are_no_toolchain_files(world: World) -> None:
    world.proxies()
    world.toolchain(f"stable-{HOST}")
    (world.folder / "rust-toolchain").symlink_to("rust-toolchain")
    os.mkfifo(world.folder / "rust-toolchain.toml")
    assert world.find(cwd=str(world.folder / "not/there")).chosen_by.place == "rustup default"


def test_a_name_says_its_channel_and_host() -> None:
    names = (
        "stable",
        f"nightly-2026-05-15-{HOST}",
        "1.95.0",
        f"1.96.0-beta.2-{HOST}",
        "beta-aarch64-apple-darwin",
        "mine",
    )
    assert [channel_of(name) for name in names] == ["stable", "nightly", "stable", "beta", "beta", ""]
    assert [host_of(name) for name in names] == ["", HOST, "", HOST, "aarch64-apple-darwin", ""]
    assert [is_official(name) for name in ("1.95", "stable-x86_64", "stable2", "mine", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


# Targets.


@pytest.mark.parametrize(
    ("triple", "linker"),
    [
        (HOST, "cc"), ("x86_64-unknown-linux-musl", "cc"), ("i686-unknown-linux-gnu", "cc"),
        ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc"),
        ("riscv64gc-unknown-linux-gnu", "riscv64-linux-gnu-gcc"),
        ("armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc"),
        ("thumbv7neon-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc"),
        ("aarch64-unknown-linux-musl", "aarch64-linux-musl-gcc"),
        ("armv7-unknown-linux-musleabihf", "arm-linux-musleabihf-gcc"),
        ("wasm32-unknown-emscripten", "emcc"), ("wasm32-unknown-unknown", "rust-lld"),
        ("x86_64-pc-windows-gnu", "x86_64-w64-mingw32-gcc"),
        ("x86_64-pc-windows-msvc", "link.exe"), ("aarch64-apple-darwin", ""), ("wasm32-wasip1", "rust-lld"),
        ("thumbv7em-none-eabihf", "rust-lld"), ("aarch64-linux-android", "aarch64-linux-android-clang"),
        ("x86_64-unknown-none", "rust-lld"), ("made-up", ""), ("", ""),
    ],
)  # fmt: skip
def test_what_links_a_target_is_known(triple: str, linker: str) -> None:
    assert needed_linker(triple, HOST) == linker


def test_on_a_mac_cc_links_both_processors() -> None:
    assert needed_linker("x86_64-apple-darwin", "aarch64-apple-darwin") == "cc"


def test_the_target_of_the_command_line_counts_more_than_a_files(world: World) -> None:
    file = Origin("/ws/.cargo/config.toml", 2)
    settings = Settings({("build", "target"): Given(["wasm32-wasip1", "x"], file)})
    toolchain = Toolchain(host=HOST, targets=(HOST, "wasm32-wasip1"))
    assert find_target("", Settings(), toolchain, []) is None
    found = find_target("", settings, toolchain, [])
    assert found is not None
    assert (found.triple, found.origin, found.has_std, found.linker, found.is_linker_there) == (
        "wasm32-wasip1", file, True, "rust-lld", False,
    )  # fmt: skip
    world.program(world.folder / "bin/cc")
    found = find_target("host-tuple", settings, toolchain, [str(world.folder / "bin")])
    assert found is not None
    assert (found.triple, found.origin.place, found.linker, found.is_linker_there) == (HOST, "--target", "cc", True)


def test_a_cargo_that_is_sent_elsewhere_gets_the_toolchain_of_where_it_is_started(world: World) -> None:
    world.proxies()
    for name, channel in (("here", "nightly"), ("there", "stable")):
        world.toolchain(f"{channel}-{HOST}")
        folder = world.folder / name
        folder.mkdir()
        (folder / "rust-toolchain").write_text(f"{channel}\n")
        (folder / "Cargo.toml").write_text('[package]\nname = "x"\n')
    paths = find_paths(world.env)
    asked = command_of(paths, ("-C", "../there", "build"), str(world.folder / "here"), world.env)
    found = prepare(paths, asked).found
    assert (found.cwd, found.root) == (str(world.folder / "there"), str(world.folder / "there"))
    assert found.toolchain.chosen_by == Origin(f"{world.folder}/here/rust-toolchain", 1)


# Targets that there are not


def looked_up(world: World, triple: str, *, place: str = "--target", may_ask: bool = True, **env: str) -> Target:
    """After a compiler that knows four targets was asked."""
    sysroot = world.home / "toolchains/stable"
    rustc = world.program(sysroot / "bin/rustc")
    world.say(rustc, "aarch64-unknown-linux-gnu\nwasm32-wasip1\nx86_64-unknown-linux-gnu\nx86_64-unknown-linux-musl\n")
    programs = Programs(str(rustc), sysroot=str(sysroot))
    target = Target(triple, Origin(place), has_std=False)
    return look_up(target, programs, env, str(world.folder), Answers("", ask=world.ask), may_ask=may_ask)


@pytest.mark.parametrize(
    ("triple", "is_known", "nearest"),
    [
        ("wasm32-wasip1", True, ""),
        ("x86_64-unknown-linux-msl", False, "x86_64-unknown-linux-musl"),
        ("bogus", False, ""),
    ],
)
def test_a_target_that_rustc_does_not_list_is_not_known(
    triple: str, is_known: bool, nearest: str, world: World
) -> None:
    found = looked_up(world, triple)
    assert (found.is_known, found.nearest, found.is_own) == (is_known, nearest, False)
    assert looked_up(world, triple, may_ask=False).is_known


def test_a_target_of_ones_own_is_known_where_its_file_is(world: World) -> None:
    config = f"{world.folder}/.cargo/config.toml"
    for place, triple in (("--target", "own.json"), (config, "own.json"), ("--target", f"{world.folder}/own.json")):
        (world.folder / "own.json").unlink(missing_ok=True)
        assert looked_up(world, triple, place=place)[-3:] == (True, False, "")
        (world.folder / "own.json").write_text("{}")
        assert looked_up(world, triple, place=place)[-3:] == (True, True, "")
    assert not looked_up(world, "own").is_known
    assert looked_up(world, "own", RUST_TARGET_PATH=f"/nowhere:{world.folder}")[-3:] == (True, True, "")
    (world.folder / "specs").mkdir()
    (world.folder / "own.json").rename(world.folder / "specs/own.json")
    assert looked_up(world, "own", RUST_TARGET_PATH="nowhere:specs")[-3:] == (True, True, "")
    assert not looked_up(world, "own", RUST_TARGET_PATH="nowhere").is_known


def test_a_compiler_that_says_nothing_leaves_a_target_as_it_is(world: World) -> None:
    rustc = world.program(world.folder / "bin/rustc")
    world.say(rustc, "", "ends with code 1 and says nothing")
    target, programs = Target("bogus", Origin("--target"), has_std=False), Programs(str(rustc))
    assert look_up(target, programs, {}, "/", Answers("", ask=world.ask), may_ask=True) == target
    assert look_up(target, Programs(), {}, "/", Answers("", ask=world.ask), may_ask=True) == target


@pytest.mark.parametrize("value", [5, None, [], [5], {}, "", True])
def test_a_target_that_is_no_word_is_none(value: object) -> None:
    settings = Settings({("build", "target"): Given(value, Origin("x"))})
    assert find_target("", settings, Toolchain(host=HOST), []) is None


def test_a_linker_of_the_users_own_is_found_where_cargo_finds_it(world: World) -> None:
    triple, place = "aarch64-unknown-linux-gnu", Origin(f"{world.folder}/ws/.cargo/config.toml", 3)
    own = world.program(world.folder / "ws/tools/link")
    by_name = world.program(world.folder / "bin/my-gcc")
    for value, linker, is_there in (
        ("tools/link", str(own), True), ("my-gcc", "my-gcc", True), (str(by_name), str(by_name), True),
        ("/nowhere/ld", "/nowhere/ld", False), ("not-there", "not-there", False), ("", "aarch64-linux-gnu-gcc", False),
        (7, "aarch64-linux-gnu-gcc", False),
    ):  # fmt: skip
        settings = Settings({("target", triple, "linker"): Given(value, place)})
        found = find_target(triple, settings, Toolchain(host=HOST), [str(world.folder / "bin")])
        assert found is not None
        assert (found.linker, found.is_linker_there, found.has_std) == (linker, is_there, False)


@pytest.mark.parametrize("name", [
    "stable", "nightly-2019-01-01", "1.70", "1.70.0", "1.70.0-x86_64-unknown-linux-gnu", "1.95.0-beta.2", "stable-msvc",
    "nightly-2026-05-15-aarch64-apple-darwin",
])  # fmt: skip
def test_a_release_can_be_installed(name: str) -> None:
    assert command_for(name) == f"rustup toolchain install {name}"


@pytest.mark.parametrize("name", ["my-custom", "stage1", "stable-x", "esp", "1x", "1.2.3.4", "nightly2"])
def test_a_toolchain_of_ones_own_is_linked(name: str) -> None:
    assert command_for(name) == f"rustup toolchain link {name} PATH"


@pytest.mark.parametrize("name", ["", "/opt/rust", "a b", "-x", "x;y", "a\n", "stable\n", "x" * 300])
def test_no_command_gets_what_is_no_name(name: str) -> None:
    assert command_for(name) == ""
