//! Code that nvcc makes on the way and removes in the end, kept for whoever counts registers.

use crate::nvcc_times::Row;
use crate::nvcc_watch::Temporary;
use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

/// Of all that one call made on the way, together.
const MAX_KEPT_BYTES: u64 = 64 << 20;

/// A file in the folder of a call.
pub struct Kept {
    /// `compute_80` of PTX, `sm_80` of a cubin; None: not told.
    pub arch: Option<String>,
    /// `ptx` or `cubin`.
    pub kind: &'static str,
    pub name: String,
}

/// Copy PTX and cubins into a folder, as long as there is room; the outputs themselves stay where they are. Rows name
/// files from `cwd`.
pub fn keep(cwd: &Path, outputs: &[PathBuf], folder: &Path, rows: &[Row], temporaries: &[Temporary]) -> Vec<Kept> {
    let mut left = MAX_KEPT_BYTES;
    let mut found: Vec<Kept> = Vec::new();
    for path in rows.iter().filter(|row| row.makes_code()).flat_map(Row::files) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = if name.ends_with(".ptx") { "ptx" } else { "cubin" };
        let is_known = found.iter().any(|file| file.name == name) || outputs.contains(&cwd.join(path));
        if is_known || !(name.ends_with(".ptx") || name.ends_with(".cubin")) {
            continue;
        }
        let held = temporaries.iter().rev().find(|file| file.name == name).map(|file| &file.file);
        let opened = if held.is_none() { File::open(cwd.join(path)).ok() } else { None };
        let Some(file) = held.or(opened.as_ref()) else { continue };
        let size = file.metadata().map(|about| about.len()).unwrap_or(u64::MAX);
        if size > left || copy(file, folder, &name).is_err() {
            continue;
        }
        left -= size;
        let arch = rows.iter().find(|row| row.output == *path).and_then(|row| row.arch.clone());
        found.push(Kept { arch, kind, name });
    }
    found
}

fn copy(mut file: &File, folder: &Path, name: &str) -> io::Result<u64> {
    file.rewind()?;
    io::copy(&mut file, &mut File::create_new(folder.join(name))?)
}
