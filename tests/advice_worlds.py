"""A small cargo package with C in it, whose build script calls the C compiler in one of several ways."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_MANIFEST = """[package]
name = "app"
version = "0.1.0"
edition = "2021"

[features]
loud = []
{more}
"""
_CC_CRATE = """fn main() {
DECLARED    let mut build = cc::Build::new();
    if std::env::var_os("CARGO_FEATURE_LOUD").is_some() { build.define("LOUD", None); }
    build.file("c/a.c").file("c/b.c").compile("nat");
}
"""
_PLAIN = """use std::process::Command;
fn run(program: &str, words: &[&str]) {
    assert!(Command::new(program).args(words).status().unwrap().success());
}
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
DECLARED    let (a, b, library) = (format!("{out}/a.o"), format!("{out}/b.o"), format!("{out}/libnat.a"));
    for (source, object) in [("c/a.c", &a), ("c/b.c", &b)] {
        run("cc", &["-c", "-O2", "-MD", "-MF", &format!("{object}.d"), source, "-o", object]);
    }
    run("ar", &["crs", &library, &a, &b]);
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static=nat");
}
"""
_DECLARED = '    println!("cargo:rerun-if-changed=c");\n'
_FILES = {
    "c/a.c": '#include "n.h"\nint nat_a(void) { return N; }\n',
    "c/b.c": '#include "n.h"\nint nat_b(void) { return N + 1; }\n',
    "c/n.h": "#define N 40\n",
    "src/lib.rs": 'extern "C" {\n    fn nat_a() -> i32;\n    fn nat_b() -> i32;\n}\n'
                  "pub fn sum() -> i32 {\n    unsafe { nat_a() + nat_b() }\n}\n",
    "src/main.rs": 'fn main() {\n    println!("{}", app::sum());\n}\n',
    ".gitignore": "target\n",
}  # fmt: skip


def write_package(root: Path, *, uses_cc_crate: bool = False, declares: bool = True) -> None:
    """A package in a git repository, all committed.

    Args:
        root: Its folder.
        uses_cc_crate: The build script has the `cc` crate do it; else it calls `cc` itself.
        declares: It tells cargo what it reads; else cargo looks at all files of the package.
    """
    script = (_CC_CRATE if uses_cc_crate else _PLAIN).replace("DECLARED", _DECLARED if declares else "")
    more = '[build-dependencies]\ncc = "1"' if uses_cc_crate else ""
    for name, text in {**_FILES, "Cargo.toml": _MANIFEST.format(more=more), "build.rs": script}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for words in (("init", "-q"), ("add", "-A"), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a")):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)


_KERNELS = """use std::process::Command;
fn run(program: &str, words: &[&str]) {
    assert!(Command::new(program).args(words).status().unwrap().success());
}
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    println!("cargo:rerun-if-changed=kernels");
    let mut words = vec!["crs".to_owned(), format!("{out}/libkern.a")];
    for name in ["a", "b"] {
        let (source, object) = (format!("kernels/{name}.cu"), format!("{out}/{name}.o"));
        let is_old = std::fs::read_to_string(format!("{object}.d")).map_or(true, |text| {
            let made = std::fs::metadata(&object).unwrap().modified().unwrap();
            text.replace("\\\\\\n", " ").split_whitespace().skip(2).any(|path| {
                std::fs::metadata(path).map_or(true, |data| data.modified().unwrap() > made)
            })
        });
        if is_old {
            run("nvcc", &["-c", "-arch=sm_80", "-MD", "-MF", &format!("{object}.d"), &source, "-o", &object]);
        }
        words.push(object);
    }
    run("ar", &words.iter().map(String::as_str).collect::<Vec<_>>());
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static=kern");
}
"""
_KERNEL = '#include "n.cuh"\n__global__ void {}(float *x) {{ x[threadIdx.x] *= FACTOR; }}\n'
_CUDA_FILES = {
    "Cargo.toml": '[package]\nname = "kern"\nversion = "0.1.0"\nedition = "2021"\nlinks = "kern"\n\n[workspace]\n',
    "build.rs": _KERNELS, "kernels/a.cu": _KERNEL.format("a"), "kernels/b.cu": _KERNEL.format("b"),
    "kernels/n.cuh": "#pragma once\n#define FACTOR 2\n", "src/lib.rs": "pub fn kernels() -> u32 {\n    2\n}\n",
}  # fmt: skip


def write_kernels(root: Path) -> None:
    """A library package whose build script has nvcc compile two kernels, only what changed."""
    for name, text in _CUDA_FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def content_of(root: Path) -> Mapping[str, tuple[str, int]]:
    """Digest and mtime of each file, by name."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, root)] = digest, os.stat(path).st_mtime_ns
    return found
