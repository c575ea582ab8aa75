"""Small cargo packages whose build scripts call nvcc, in each way that is seen in the wild; and an nvcc that compiles
nothing, but reads includes and writes depfiles as the real one does."""

import os
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from core.native.staleness.doctor import Examined, Place, examine
from core.paths import Paths

FAKE_NVCC = """#!/bin/sh
# nvcc as far as these packages need it: -ptx, -c or --lib; -o FILE; -MD -MF FILE; -I DIR; one source
echo "$*" >> "${FAKE_NVCC_LOG:-/dev/null}"
output= depfile= source= lib= objects= folders=
while [ $# -gt 0 ]; do
  case $1 in
    -o) output=$2; shift ;;
    -MF) depfile=$2; shift ;;
    -I) folders="$folders $2"; shift ;;
    --lib) lib=yes ;;
    --version) echo "release 13.0, V13.0.88"; exit 0 ;;
    -*) ;;
    *.o) objects="$objects $1" ;;
    *) source=$1 ;;
  esac
  shift
done
if [ -n "$lib" ]; then rm -f "$output"; exec ar crs "$output" $objects; fi
inputs= ahead=$source
while [ -n "$ahead" ]; do
  set -- $ahead
  file=$1; shift; ahead=$*
  case " $inputs " in *" $file "*) continue ;; esac
  inputs="$inputs $file"
  for name in $(sed -n 's/^ *#include "\\(.*\\)".*/\\1/p' "$file"); do
    for folder in "$(dirname "$file")" $folders; do
      if [ -f "$folder/$name" ]; then ahead="$ahead $folder/$name"; break; fi
    done
  done
done
cat $inputs > "$output"
if [ -n "$depfile" ]; then echo "$output : $inputs" > "$depfile"; fi
"""
REAL_KERNEL = '{includes}\nextern "C" __global__ void {name}(float *out) {{ out[threadIdx.x] = VALUE; }}\n'
MANIFEST = '[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n{more}\n[workspace]\n'
_HEAD = """use std::process::Command;
fn nvcc(words: &[&str]) {
    let done = Command::new("nvcc").args(words).status().expect("nvcc");
    assert!(done.success());
}
"""
_ONE = """fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
DECLARED    let (ptx, depfile) = (format!("{out}/k.ptx"), format!("{out}/k.d"));
    nvcc(&["-ptx", "-arch=sm_80", "kernels/k.cu", "-o", &ptx, "-MD", "-MF", &depfile]);
AFTER}
"""
_FROM_DEPFILE = """    let said = std::fs::read_to_string(format!("{out}/k.d")).unwrap().replace("\\\\\\n", " ");
    for path in said.split_once(" :").or(said.split_once(":")).unwrap().1.split_whitespace() {
        if !path.starts_with("/usr/") && !path.contains("/nvidia/") { println!("cargo:rerun-if-changed={path}"); }
    }
"""
# Compares the mtime of the source with that of what was made; declares sources and headers.
_BUILD_PTX = """fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    for path in ["kernels/k.cu", "kernels/inc/deep.cuh", "OUTSIDE"] { println!("cargo:rerun-if-changed={path}"); }
    let ptx = format!("{out}/k.ptx");
    let is_old = match std::fs::metadata(&ptx) {
        Err(_) => true,
        Ok(made) => std::fs::metadata("kernels/k.cu").unwrap().modified().unwrap() > made.modified().unwrap(),
    };
    if is_old { nvcc(&["-ptx", "-arch=sm_80", "kernels/k.cu", "-o", &ptx, "-MD", "-MF", &format!("{out}/k.d")]); }
}
"""
# Declares a folder and compares its own mtime with that of the library.
_BUILD_LIB = """fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    println!("cargo:rerun-if-changed=kernels");
    println!("cargo:rerun-if-changed=OUTSIDE");
    let (object, library) = (format!("{out}/k-0a1b2c3d4e5f6071.o"), format!("{out}/libk.a"));
    let is_old = match std::fs::metadata(&library) {
        Err(_) => true,
        Ok(made) => std::fs::metadata("kernels").unwrap().modified().unwrap() > made.modified().unwrap(),
    };
    if is_old {
        nvcc(&["-c", "-arch=sm_80", "kernels/k.cu", "-o", &object]);
        nvcc(&["--lib", "-o", &library, &object]);
    }
}
"""
# Compares a hash of the source alone; declares the folder.
_CONTENT_HASH = """use std::hash::{Hash, Hasher};
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    println!("cargo:rerun-if-changed=kernels");
    println!("cargo:rerun-if-changed=OUTSIDE");
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    std::fs::read("kernels/k.cu").unwrap().hash(&mut hasher);
    let (hash, state) = (hasher.finish().to_string(), format!("{out}/k.hash"));
    if std::fs::read_to_string(&state).ok() != Some(hash.clone()) {
        nvcc(&["-ptx", "-arch=sm_80", "kernels/k.cu", "-o", &format!("{out}/k.ptx")]);
        std::fs::write(state, hash).unwrap();
    }
}
"""
_LOOPING = """    std::fs::copy(format!("{out}/k.ptx"), "kernels/k.ptx").unwrap();
"""
_OUTSIDE = "../shared/outside.cuh"


class Style(NamedTuple):
    """How a package declares what its build script reads."""

    name: str
    script: str
    wrong: frozenset[str]
    """Ids of what is to be found after a build; empty: it is right."""
    has_outside: bool = True
    """A header lies outside the package."""
    after_edit: frozenset[str] = frozenset()
    """Ids of what is to be found once a header was edited and built again."""


def declaring(*lines: str, after: str = "") -> str:
    """A build script that runs these statements, then nvcc, then `after`."""
    declared = "".join(f"    {line}\n" for line in lines)
    return _HEAD + _ONE.replace("DECLARED", declared).replace("AFTER", after)


def prints(path: str) -> str:
    """A statement that declares a path."""
    return f'println!("cargo:rerun-if-changed={path}");'


_UNDECLARED = frozenset({"input-undeclared"})
DECLARATIONS = (
    Style("none", declaring(), _UNDECLARED),
    Style("file", declaring(prints("kernels/k.cu")), _UNDECLARED),
    Style("folder", declaring(prints("kernels")), _UNDECLARED),
    Style("pattern", declaring(prints("kernels/*.cu")), frozenset({"declared-missing"})),
    Style("depfile", declaring(after=_FROM_DEPFILE), frozenset()),
    Style("ignored", declaring(), _UNDECLARED, has_outside=False),
)
"""The six ways of declaring."""
RIGHT = (
    Style("none-inside", declaring(), frozenset(), has_outside=False),
    Style("folder-inside", declaring(prints("kernels")), frozenset(), has_outside=False),
    Style("folder-and-outside", declaring(prints("kernels"), prints("../shared")), frozenset()),
    Style("files-all", declaring(*map(prints, ("kernels/k.cu", "kernels/inc/deep.cuh", _OUTSIDE))), frozenset()),
)
"""Those that are right."""
_SKIPPED = frozenset({"nvcc-skipped"})
SKIPPING = (
    Style("source-mtime", _HEAD + _BUILD_PTX.replace("OUTSIDE", _OUTSIDE), frozenset(), True, _SKIPPED),
    Style("folder-mtime", _HEAD + _BUILD_LIB.replace("OUTSIDE", _OUTSIDE), frozenset(), True, _SKIPPED),
    Style("source-hash", _HEAD + _CONTENT_HASH.replace("OUTSIDE", _OUTSIDE), frozenset(), True, _SKIPPED),
)
"""Build tools that run and then skip nvcc."""
LOOPING = Style("loop", declaring(prints("kernels"), after=_LOOPING), frozenset({"watched-output"}), has_outside=False)


class Package:
    """One of them, in a git repository of its own."""

    def __init__(self, folder: Path, style: Style) -> None:
        self.style = style
        self.top = folder
        self.root = folder / "app"
        self.header = self.root / "kernels/inc/deep.cuh"
        self.outside = folder / "shared/outside.cuh"
        self.build_dir = self.root / "target"
        files = {
            "app/Cargo.toml": MANIFEST.format(name="app", more=""),
            "app/build.rs": style.script,
            "app/src/main.rs": "fn main() {}\n",
            "app/kernels/inc/deep.cuh": "#pragma once\n#define VALUE 1\n",
            "shared/outside.cuh": "#pragma once\n#define OUTSIDE 1\n",
            ".gitignore": "target\n" + ("app/kernels/\n" if style.name == "ignored" else ""),
        }
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        includes = ["inc/deep.cuh", *(["../../shared/outside.cuh"] if style.has_outside else [])]
        text = REAL_KERNEL.format(includes="\n".join(f'#include "{one}"' for one in includes), name="k")
        (self.root / "kernels/k.cu").write_text(text)
        for words in (
            ("init", "-q"),
            ("add", "-A"),
            ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"),
        ):
            subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)

    def build(self, env: Mapping[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
        """Build it; a test fails where that does."""
        done = subprocess.run(
            ["cargo", "build", "-v", "--offline", *words], cwd=self.root, env=dict(env), text=True, capture_output=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    @property
    def out_dir(self) -> Path:
        """The build script's."""
        (found,) = self.build_dir.glob("debug/build/app-*/out")
        return found


class World:
    """A package that was built, and what the doctor says of it."""

    def __init__(self, folder: Path, style: Style, nvcc: str = "") -> None:
        """`nvcc`: the folder of the one to call; without it one that compiles nothing."""
        self.package = Package(folder / "world", style)
        self.env = build_env(folder, nvcc or str(fake_nvcc(folder / "bin")))
        self.paths = Paths(str(folder / "state"), str(folder / "cache"))
        self.place = Place(str(self.package.root), str(self.package.build_dir), self.env)
        self.package.build(self.env)

    def examined(self) -> Examined:
        return examine(self.paths, self.place)


def fake_nvcc(folder: Path) -> Path:
    """A folder for PATH, with an nvcc that compiles nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nvcc"
    path.write_text(FAKE_NVCC)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def build_env(folder: Path, nvcc: str) -> dict[str, str]:
    """The machine's cargo, this nvcc, and nobody's settings."""
    home = os.path.expanduser("~")
    kept = {name: os.environ[name] for name in ("RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        "PATH": f"{nvcc}:{os.environ['PATH']}",
        "HOME": str(folder),
        "CARGO_HOME": os.environ.get("CARGO_HOME", f"{home}/.cargo"),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", f"{home}/.rustup"),
        "FAKE_NVCC_LOG": f"{folder}/nvcc.log",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "CARGO_INCREMENTAL": "0",  # these three halve the time of a build
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "RUSTFLAGS": "-Ccodegen-units=1",
        **kept,
    }


_CERTAIN_NS = 25_000_000
"""A file that was written so long before somebody read it is what was read (`staleness.seen`)."""


def edit(path: Path, text: str) -> None:
    """As an editor does that writes in place. What begins next begins so much later that what it reads is certain."""
    path.write_text(text)
    while time.time_ns() - path.stat().st_ctime_ns < _CERTAIN_NS:
        pass
