//! Has CMake and ninja build the native library; where they or nvcc are not there, a grid of none is taken.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=native");
    println!("cargo:rustc-check-cfg=cfg(has_grid)");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let build = out.join("build");
    // What ninja builds configures by itself where CMakeLists.txt changed: once is enough, and saves each edit 0.2 s.
    if !build.join("build.ninja").exists() {
        if ["nvcc", "cmake", "ninja"].iter().any(|tool| Command::new(tool).arg("--version").output().is_err()) {
            return;
        }
        let configure = ["-S", "native", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-B"];
        run(Command::new("cmake").args(configure).arg(&build));
    }
    run(Command::new("cmake").arg("--build").arg(&build));
    println!("cargo:rustc-cfg=has_grid");
    println!("cargo:rustc-link-search=native={}", build.display());
    println!("cargo:rustc-link-lib=static=orchard_grid");
    println!("cargo:rustc-link-lib=dylib=stdc++");
    link_runtime(&build);
}

fn run(command: &mut Command) {
    let status = command.status().expect("cmake starts");
    assert!(status.success(), "{command:?} failed: {status}");
}

/// Link the CUDA runtime, which lies in one of the folders that CMake found.
fn link_runtime(build: &Path) {
    let folders = fs::read_to_string(build.join("runtime.txt")).expect("CMakeLists.txt writes runtime.txt");
    for folder in folders.lines() {
        println!("cargo:rustc-link-search=native={folder}");
    }
    println!("cargo:rustc-link-lib=static=cudart_static");
    for name in ["dl", "rt", "pthread"] {
        println!("cargo:rustc-link-lib=dylib={name}");
    }
}
