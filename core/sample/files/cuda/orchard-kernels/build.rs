//! Has nvcc compile each kernel for two archs, and tells cargo which files it read; without nvcc there are no kernels.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const ARCHS: &str = "80 90";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=kernels"); // a new kernel
    println!("cargo:rerun-if-env-changed=ORCHARD_ARCHS");
    let mut sources: Vec<PathBuf> = fs::read_dir("kernels")
        .expect("kernels can be read")
        .map(|entry| entry.expect("kernels can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "cu"))
        .collect();
    sources.sort();
    let has_nvcc = Command::new("nvcc").arg("--version").output().is_ok();
    let mut table = String::from("/// Name and fat binary of each kernel file; none where it was built without nvcc.\n");
    table.push_str("pub const FILES: &[(&str, &[u8])] = &[\n");
    for source in if has_nvcc { sources } else { Vec::new() } {
        let name = source.file_stem().and_then(|name| name.to_str()).expect("a kernel's name is text").to_owned();
        compile(&source, &out, &name);
        table.push_str(&format!("    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.fatbin\"))),\n"));
    }
    table.push_str("];\n");
    fs::write(out.join("files.rs"), table).expect("OUT_DIR can be written");
}

/// Compile one file, unless nothing that it was made of has changed since.
fn compile(source: &Path, out: &Path, name: &str) {
    let (fat, depfile) = (out.join(format!("{name}.fatbin")), out.join(format!("{name}.d")));
    let archs = env::var("ORCHARD_ARCHS").unwrap_or_else(|_| ARCHS.into());
    let flags: Vec<String> =
        archs.split_whitespace().map(|arch| format!("-gencode=arch=compute_{arch},code=sm_{arch}")).collect();
    let told = flags.join(" ");
    let noted = out.join(format!("{name}.flags"));
    if fs::read_to_string(&noted).ok().as_ref() != Some(&told) || is_stale(&fat, &depfile) {
        let _ = fs::remove_file(&noted);
        let status = Command::new("nvcc")
            .args(&flags)
            .args(["-fatbin", "-Ikernels", "-MD", "-MF"])
            .args([&depfile, source, Path::new("-o"), &fat])
            .status()
            .expect("nvcc starts");
        assert!(status.success(), "nvcc {} failed: {status}", source.display());
        fs::write(&noted, &told).expect("OUT_DIR can be written");
    }
    for input in inputs(&depfile).iter().filter(|input| input.is_relative()) {
        println!("cargo:rerun-if-changed={}", input.display()); // the toolkit's own headers are absolute
    }
}

/// A file that it was made of is newer, or gone.
fn is_stale(fat: &Path, depfile: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let Some(made) = modified(fat) else { return true };
    let found = inputs(depfile);
    found.is_empty() || found.iter().any(|input| modified(input).map_or(true, |at| at >= made))
}

/// What nvcc read, by its depfile: `frost.fatbin : kernels/frost.cu \`.
fn inputs(depfile: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(depfile).unwrap_or_default();
    let Some((_, files)) = text.split_once(" : ") else { return Vec::new() };
    let joined = files.replace("\\\n", " ").replace("\\ ", "\u{0}");
    joined.split_whitespace().map(|word| PathBuf::from(word.replace('\u{0}', " "))).collect()
}
