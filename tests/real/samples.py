"""A small workspace without dependencies that shows every face of cargo: warnings, errors, tests, programs."""

import os

_LIB = """//! Sums.
fn unused_in_base() {{}}
/// Adds.
///
/// ```
/// assert_eq!({name}::add(1, 2), 3);
/// ```
pub fn add(a: u64, b: u64) -> u64 {{
    a + b
}}
{body}
#[cfg(test)]
mod tests {{
    #[test]
    fn adds() {{
        println!("a passing test speaks");
        assert_eq!(super::add(2, 2), 4);
    }}
    #[test]
    #[ignore = "takes long"]
    fn adds_for_long() {{}}
}}
"""
_MID_TESTS = """//! Fails.
#[test]
fn sum_is_right() {
    assert_eq!(mid::add(1, 1), 2);
}
#[test]
fn sum_is_wrong() {
    println!("what the failing test printed");
    eprintln!("and on stderr");
    assert_eq!(mid::add(1, 1), 3, "one and one");
}
"""
_MAIN = r"""use std::io::{BufRead, IsTerminal, Write};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("exit") => std::process::exit(args[1].parse().unwrap()),
        Some("abort") => std::process::abort(),
        Some("echo") => {
            for line in std::io::stdin().lock().lines() {
                println!("read: {}", line.unwrap());
            }
        }
        Some("forge") => {
            println!("{{\"reason\":\"build-finished\",\"success\":true}}");
            println!("{{\"reason\":\"compiler-artifact\",\"package_id\":\"forged\"}}");
            print!("    Building [==>   ] 1/3: forged\r");
            println!("{{\"reason\":\"compiler-message\"}}");
        }
        Some("terminals") => eprintln!(
            "{} {} {}",
            std::io::stdin().is_terminal(),
            std::io::stdout().is_terminal(),
            std::io::stderr().is_terminal()
        ),
        Some("ask") => {
            print!("Name? ");
            std::io::stdout().flush().unwrap();
            let mut name = String::new();
            std::io::stdin().read_line(&mut name).unwrap();
            println!("hello {}", name.trim());
        }
        Some("bytes") => {
            std::io::stdout().write_all(b"\xff\xfe raw \x00 bytes\r\nno newline at the end").unwrap();
        }
        Some("both") => {
            for i in 0..20 {
                println!("out {i}");
                eprintln!("err {i}");
            }
        }
        _ => println!("{:?} sum {}", args, mid::add(1, 2)),
    }
}
"""
_TERMINAL_TEST = r"""use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
#[test]
fn asks_the_terminal() {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let Ok(mut terminal) = opened else {
        println!("no terminal");
        return;
    };
    write!(terminal, "Password? ").unwrap();
    let mut typed = String::new();
    BufReader::new(&terminal).read_line(&mut typed).unwrap();
    assert_eq!(typed.trim(), "swordfish");
}
"""
_STDIN_TEST = r"""#[test]
fn reads_standard_input() {
    let mut text = String::new();
    std::io::stdin().read_line(&mut text).unwrap();
    println!("got {:?}", text);
    assert_eq!(text, "from outside\n");
}
"""
_BENCH = (
    'fn main() {\n    println!("bench speed ... 12 rounds {:?}", std::env::args().skip(1).collect::<Vec<_>>());\n}\n'
)
_OWN_HARNESS = """[[test]]
name = "own"
harness = false
[[bench]]
name = "own"
harness = false
"""
_OWN_TEST = """fn main() {
    let strange: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if !strange.is_empty() {
        eprintln!("error: unexpected arguments {strange:?}");
        std::process::exit(2);
    }
    println!("a harness of its own");
}
"""
_WIDE = (
    "//! Wide.\npub fn f() -> u64 {\n    let _ = ("
    + ", ".join(f'"text {i}"' for i in range(40))
    + ", nothing());\n    1\n}\n"
)
_BUILD_SCRIPT = """fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:warning=the build script has a word");
}
"""
_CONFIG = """[alias]
b2 = "build --package app"
t2 = ["test", "--package", "base"]
"""


def _manifest(name: str, *, dependencies: str = "", more: str = "") -> str:
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{more}\n[dependencies]\n{dependencies}\n'


def _files() -> dict[str, str]:
    return {
        "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["base", "mid", "app", "broken", "odd", "wide"]\n'
        'default-members = ["base", "mid", "app"]\n[profile.dev]\ndebug = false\n',
        ".cargo/config.toml": _CONFIG,
        "base/Cargo.toml": _manifest("base", more='[[bench]]\nname = "speed"\nharness = false\n'),
        "base/build.rs": _BUILD_SCRIPT,
        "base/src/lib.rs": _LIB.format(name="base", body=""),
        "base/benches/speed.rs": _BENCH,
        "mid/Cargo.toml": _manifest("mid", dependencies='base = { path = "../base" }'),
        "mid/src/lib.rs": "//! Middle.\npub use base::add;\n",
        "mid/tests/sums.rs": _MID_TESTS,
        "app/Cargo.toml": _manifest("app", dependencies='mid = { path = "../mid" }'),
        "app/src/main.rs": _MAIN,
        "app/tests/terminal.rs": _TERMINAL_TEST,
        "app/tests/stdin.rs": _STDIN_TEST,
        "odd/Cargo.toml": _manifest("odd", more=_OWN_HARNESS),
        "odd/src/lib.rs": "//! Odd.\n",
        "odd/tests/own.rs": _OWN_TEST,
        "odd/benches/own.rs": _OWN_TEST,
        "wide/Cargo.toml": _manifest("wide"),
        "wide/src/lib.rs": _WIDE,
        "broken/Cargo.toml": _manifest("broken", dependencies='base = { path = "../base" }'),
        "broken/src/lib.rs": '//! Broken.\npub fn f() -> u64 {\n    let unused = 1;\n    "text" + base::nothing()\n}\n',
    }


def write_files(root: str, files: dict[str, str]) -> None:
    """Each text under its path below root."""
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def write_workspace(root: str) -> None:
    """The small workspace."""
    write_files(root, _files())


def write_chain(root: str, *, crates: int = 3, functions: int = 200) -> None:
    """A chain of library crates with some real compile work, the last one a program. Warnings: none."""
    body = "".join(
        f'pub fn f{i}(x: &mut Vec<String>) -> usize {{ x.push(format!("{{}}", {i}u64 * x.len() as u64)); x.len() }}\n'
        for i in range(functions)
    )
    names = [f"link{i}" for i in range(crates)]
    files = {"Cargo.toml": f'[workspace]\nresolver = "2"\nmembers = {names}\n'.replace("'", '"')}
    for i, name in enumerate(names):
        below = f'link{i - 1} = {{ path = "../link{i - 1}" }}' if i else ""
        files[f"{name}/Cargo.toml"] = _manifest(name, dependencies=below)
        use = f"pub use link{i - 1}::f0 as below;\n" if i else ""
        files[f"{name}/src/lib.rs"] = f"//! Link {i}.\n{use}{body}"
    files[f"{names[-1]}/src/main.rs"] = f'fn main() {{\n    println!("{{}}", {names[-1]}::f1(&mut Vec::new()));\n}}\n'
    write_files(root, files)
