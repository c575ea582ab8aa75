"""Makes the recordings beside it anew, with the cargo, nextest, cmake, ninja and make of this machine.

    python tests/data/record.py SCRATCH_FOLDER [NAME…]

Each recording is a folder: `out.log` and `err.log` (one file of them where the command had one stream) as the run
gave them, with machine paths replaced, and, where a plain twin was run, `plain_out.txt` and `plain_err.txt`.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OURS = ["--message-format=json-render-diagnostics"]
BAR = ["--config", 'term.progress.when="always"', "--config", "term.progress.width=120"]

SOURCES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["util", "mac", "script", "app"]\n',
    "util/Cargo.toml": '[package]\nname = "util"\nversion = "0.1.0"\nedition = "2021"\n'
    '[features]\nnoisy = []\nbroken = []\nred = []\nnightly = []\n[dependencies]\nleaf = "1"\n',
    "util/src/lib.rs": """#![cfg_attr(feature = "nightly", feature(test))]
//! Adds.

/// Adds one.
///
/// ```
/// assert_eq!(util::plus(1), 2);
/// ```
pub fn plus(x: u64) -> u64 {
    #[cfg(feature = "noisy")]
    let unused = 1;
    #[cfg(feature = "noisy")]
    let mut ünder = 2;
    #[cfg(feature = "noisy")]
    return x.clone() + 1;
    #[cfg(feature = "broken")]
    let y: u64 = "one";
    #[cfg(feature = "broken")]
    missing(y);
    leaf::leaf(x)
}

/// Fails as a doc test where asked.
#[cfg(feature = "red")]
/// ```
/// assert_eq!(util::plus(1), 3);
/// ```
pub fn red() {}

#[cfg(test)]
mod tests {
    #[test]
    fn adds() {
        assert_eq!(super::plus(1), 2);
    }
    #[test]
    #[ignore = "slow"]
    fn waits() {}
    #[test]
    #[should_panic]
    fn panics() {
        panic!("as it should");
    }
    #[test]
    #[cfg(feature = "red")]
    fn is_wrong() {
        println!("seen by nobody");
        assert_eq!(super::plus(1), 3, "plus is wrong");
    }
    #[test]
    #[cfg(feature = "red")]
    fn says_so() -> Result<(), String> {
        Err("no".to_string())
    }
}

#[cfg(all(test, feature = "nightly"))]
mod benches {
    extern crate test;
    #[bench]
    fn speed(b: &mut test::Bencher) {
        b.iter(|| super::plus(test::black_box(1)));
    }
}
""",
    "mac/Cargo.toml": '[package]\nname = "mac"\nversion = "0.2.0"\nedition = "2021"\n'
    "[lib]\nproc-macro = true\ndoctest = false\n",
    "mac/src/lib.rs": "use proc_macro::TokenStream;\n/// Makes 42.\n#[proc_macro]\n"
    'pub fn mk(_: TokenStream) -> TokenStream { "pub fn made() -> u64 { 42 }".parse().unwrap() }\n',
    "script/Cargo.toml": '[package]\nname = "script"\nversion = "0.3.0"\nedition = "2021"\n'
    '[dependencies]\nmac = { path = "../mac" }\n',
    "script/build.rs": 'fn main() { println!("cargo::rerun-if-changed=build.rs"); println!("cargo::rustc-env=G=5"); '
    'println!("cargo::warning=built by hand"); }\n',
    "script/src/lib.rs": "//! Has a build script.\nmac::mk!();\n",
    "app/Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
    '[features]\nnoisy = ["util/noisy"]\nbroken = ["util/broken"]\nred = ["util/red"]\n'
    '[dependencies]\nutil = { path = "../util" }\nscript = { path = "../script" }\n',
    "app/src/main.rs": 'fn main() { println!("{}", util::plus(script::made())); eprintln!("to stderr"); '
    'println!("{{\\"reason\\":\\"compiler-artifact\\"}}"); eprint!("    Building [==> ] 1/2: x\\r"); }\n',
    "app/tests/cli.rs": '#[test]\nfn runs() { println!("hello"); }\n'
    '#[test]\n#[cfg(feature = "red")]\nfn dies() { std::process::abort() }\n',
    "app/benches/speed.rs": "#[test]\nfn quick() {}\n",
}
LEAF = {
    "Cargo.toml": '[package]\nname = "leaf"\nversion = "1.2.3"\nedition = "2021"\n',
    "src/lib.rs": "pub fn leaf(x: u64) -> u64 { x + 1 }\n",
}
BROKEN_MANIFEST = '[package]\nname = "bad"\nversion = "0.1"\nedition = "2021"\n'
CMAKE = {
    "CMakeLists.txt": "cmake_minimum_required(VERSION 3.10)\nproject(demo C)\nadd_library(one one.c)\n"
    "add_executable(two two.c three.c)\ntarget_link_libraries(two one)\n",
    "one.c": "int one(void) { int unused; return 1; }\n",
    "two.c": "int one(void); int three(void);\nint main(void) { return one() + three() - 4; }\n",
    "three.c": "int three(void) { return 3; }\n",
}


class Bench:
    """A scratch folder with the sample workspace in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ws = root / "ws"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("CARGO_TERM")}
        self.env |= {"TERM": "xterm-256color", "RUST_BACKTRACE": "0"}
        for name in ("CLICOLOR", "NO_COLOR", "CI", "RUSTFLAGS", "CFLAGS"):
            self.env.pop(name, None)

    def make(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        write(self.ws, SOURCES)
        leaf = self.root / "vendor" / "leaf"
        write(leaf, LEAF)
        sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in LEAF.items()}
        write(leaf, {".cargo-checksum.json": json.dumps({"files": sums, "package": "0" * 64})})
        config = f'[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "{self.root}/vendor"\n'
        write(self.ws, {".cargo/config.toml": config})
        subprocess.run(["cargo", "generate-lockfile", "--offline"], cwd=self.ws, env=self.env, check=True)
        write(self.root / "c", CMAKE)
        write(self.root / "bad", {"Cargo.toml": BROKEN_MANIFEST, "src/lib.rs": ""})

    def scrub(self, text: bytes) -> bytes:
        home = os.path.expanduser("~").encode()
        text = text.replace(str(self.root).encode(), b"/home/user/code").replace(home + b"/", b"/home/user/")
        return text.replace(os.path.realpath(self.root).encode(), b"/home/user/code")

    def run(self, name: str, argv: list[str], *, streams: int, stem: str = "", cwd: Path | None = None) -> None:
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        out_name, err_name = ("plain_out.txt", "plain_err.txt") if stem else ("out.log", "err.log")
        paths = [self.root / out_name, self.root / err_name]
        for path in paths:
            path.unlink(missing_ok=True)
        with paths[0].open("ab") as out, paths[1].open("ab") as err:
            second = out if streams == 1 else err
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=second, cwd=cwd or self.ws, env=self.env)
        for path in paths[:streams]:
            (folder / path.name).write_bytes(self.scrub(path.read_bytes()))

    def clean(self) -> None:
        shutil.rmtree(self.ws / "target", ignore_errors=True)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def cargo(*words: str, color: str = "never", ours: bool = True, bar: bool = True) -> list[str]:
    """A cargo command line with our flags after the subcommand, before `--`."""
    words_before, dashes, after = " ".join(words).partition(" -- ")
    toolchain, rest = ([], words_before.split())
    if rest[0].startswith("+"):
        toolchain, rest = [rest[0]], rest[1:]
    flags = [*(OURS if ours else []), *(BAR if bar else [])]
    tail = ["--", *after.split()] if dashes else []
    return ["cargo", *toolchain, rest[0], "-j1", "--color", color, *flags, *rest[1:], *tail]


TWINS = {
    # name: (words, streams, colour); each is run on a clean target folder, with our flags and without
    "build-one": ("build", 1, "always"),
    "build-two": ("build", 2, "always"),
    "build-plain": ("build", 1, "never"),
    "build-verbose": ("build -v", 1, "always"),
    "build-quiet": ("build -q", 1, "never"),
    "build-noisy": ("build --features app/noisy", 1, "always"),
    "build-broken": ("build --features app/broken", 1, "never"),
    "build-broken-two": ("build --features app/broken", 2, "always"),
    "check": ("check --all-targets", 1, "always"),
    "clippy": ("clippy --features app/noisy", 1, "always"),
    "doc": ("doc", 1, "always"),
    "test": ("test", 1, "never"),
    "test-red": ("test --no-fail-fast --features app/red", 1, "always"),
    "test-red-two": ("test -p util --features util/red", 2, "never"),
    "test-verbose": ("test -v -p util", 1, "never"),
    "bench": ("bench", 1, "never"),
    "run": ("run", 1, "always"),
    "run-two": ("run", 2, "never"),
}


def record_twins(bench: Bench, wanted: set[str]) -> None:
    for name, (words, streams, color) in TWINS.items():
        if wanted and name not in wanted:
            continue
        bench.clean()
        bench.run(name, cargo(words, color=color), streams=streams)
        bench.clean()
        bench.run(name, cargo(words, color=color, ours=False, bar=False), streams=streams, stem="plain")


def record_cargo(bench: Bench, wanted: set[str]) -> None:
    """Recordings without a plain twin: warm target folders, a user's own message format, other toolchains."""
    rest: dict[str, tuple[list[str], int]] = {
        "json-full": (["cargo", "build", "-j1", "--message-format=json", *BAR, "--features", "app/noisy"], 2),
        "json-broken": (["cargo", "build", "-j1", "--message-format=json", *BAR, "--features", "app/broken"], 1),
        "short": (["cargo", "build", "-j1", f"{OURS[0]},json-diagnostic-short", *BAR, "--features", "app/noisy"], 1),
        "short-text": (["cargo", "build", "-j1", "--message-format=short", "--features", "app/broken"], 1),
        "text-noisy": (["cargo", "build", "-j1", "--features", "app/noisy", *BAR], 1),
        "nightly-bench": (cargo("+nightly bench -p util --features util/nightly", color="always"), 1),
        "nightly-times": (
            cargo("+nightly test -p util --features util/red -- --report-time -Zunstable-options"), 1),
        "test-color": (
            cargo("test -v --no-fail-fast -p util --features util/red -- --color always", color="always"), 1),
        "test-abort": (cargo("test -v -p app --features app/red -- --color always", color="always"), 1),
        "test-loud": (cargo("test -p util -- --nocapture --test-threads=1"), 1),
        "test-doc": (cargo("test -p util --doc"), 2),
        "nextest": (["cargo", "nextest", "run", "--offline", "--no-fail-fast", "--features", "app/red"], 2),
        "nextest-color": (["cargo", "nextest", "run", "--offline", "--color=always"], 1),
    }  # fmt: skip
    for name, (argv, streams) in rest.items():
        if wanted and name not in wanted:
            continue
        bench.clean()
        bench.run(name, argv, streams=streams)
    if not wanted or "fresh-verbose" in wanted:
        bench.clean()
        subprocess.run(cargo("build", ours=False), cwd=bench.ws, env=bench.env, capture_output=True, check=True)
        bench.run("fresh-verbose", cargo("build -v"), streams=1)
        os.utime(bench.ws / "util/src/lib.rs")
        bench.run("dirty-verbose", cargo("build -v", color="always"), streams=1)
    if not wanted or "no-package" in wanted:
        bench.run("no-package", cargo("build -p nothere"), streams=2)
        bench.run("bad-manifest", ["cargo", "build", *OURS], streams=2, cwd=bench.root / "bad")
        bench.run("wrong-flag", ["cargo", "build", "--wrong"], streams=2)
        bench.run("terse", cargo("test -p util --features util/red -- -q"), streams=1)


def record_blocked(bench: Bench) -> None:
    """A build that waits for the lock on the target folder while we hold it."""
    bench.clean()
    lock = bench.ws / "target/debug/.cargo-lock"
    lock.parent.mkdir(parents=True)
    folder = HERE / "blocked"
    folder.mkdir(exist_ok=True)
    log = bench.root / "out.log"
    log.unlink(missing_ok=True)
    with lock.open("ab") as held, log.open("ab") as out:
        fcntl.flock(held, fcntl.LOCK_EX)
        child = subprocess.Popen(cargo("build", color="always"), cwd=bench.ws, env=bench.env, stdout=out, stderr=out)
        while b"Blocking" not in log.read_bytes():
            pass
        fcntl.flock(held, fcntl.LOCK_UN)
        child.wait()
    (folder / "out.log").write_bytes(bench.scrub(log.read_bytes()))


def record_others(bench: Bench) -> None:
    source = bench.root / "c"
    bench.run("cmake-configure", ["cmake", "-B", "make", "."], streams=2, cwd=source)
    bench.run("cmake-make", ["cmake", "--build", "make"], streams=1, cwd=source)
    bench.run("cmake-ninja-configure", ["cmake", "-G", "Ninja", "-B", "ninja", "."], streams=1, cwd=source)
    bench.run("ninja", ["ninja", "-C", "ninja"], streams=1, cwd=source)
    (source / "three.c").write_text("int three(void) { return missing; }\n")
    bench.run("ninja-broken", ["ninja", "-C", "ninja"], streams=1, cwd=source)
    bench.run("make-broken", ["make", "-C", "make"], streams=2, cwd=source)


def main() -> None:
    missing = [tool for tool in ("cargo", "cargo-nextest", "cmake", "ninja", "make") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"not in PATH: {', '.join(missing)}")
    bench = Bench(Path(sys.argv[1]).resolve() / "code")
    wanted = set(sys.argv[2:])
    bench.make()
    record_twins(bench, wanted)
    record_cargo(bench, wanted)
    if not wanted or "blocked" in wanted:
        record_blocked(bench)
    if not wanted or "cmake" in wanted:
        record_others(bench)
    machine = re.compile(rb"/(?:root|work|tmp)/")
    leaks = [p for p in HERE.rglob("*") if p.is_file() and machine.search(p.read_bytes())]
    sys.exit(f"machine paths in {leaks}" if leaks else 0)


if __name__ == "__main__":
    main()
