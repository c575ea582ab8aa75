//! Which nvcc is the one that stands in our place.

use crate::cache::CACHES;
use crate::tool::{find_real, is_me, is_program};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// Link to the real one, beside us in a folder that mirrors a toolkit.
const REAL: &str = ".nvcc";

/// The one that our folder mirrors, else the first on PATH.
pub fn find_nvcc() -> Option<PathBuf> {
    let mirrored = env::current_exe().ok().and_then(|me| fs::read_link(me.with_file_name(REAL)).ok());
    let path = env::var_os("PATH").unwrap_or_default();
    mirrored.filter(|tool| is_program(tool) && !is_me(tool)).or_else(|| find_real(OsStr::new("nvcc"), &path).0)
}

/// The first on PATH that was not passed yet: a script of that name looks there for what it stands before.
pub fn next_nvcc(passed: &OsStr) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let is_new = |file: &PathBuf| !env::split_paths(passed).any(|known| known == *file);
    env::split_paths(&path).map(|folder| folder.join("nvcc")).find(|file| is_program(file) && !is_me(file) && is_new(file))
}

/// A list of what was passed, with another one.
pub fn with(passed: OsString, tool: &Path) -> OsString {
    let mut list = passed;
    if !list.is_empty() {
        list.push(":");
    }
    list.push(tool);
    list
}

/// It is a compiler cache under the name of nvcc, which looks for the real one on PATH.
pub fn is_cache(tool: &Path) -> bool {
    let real = fs::canonicalize(tool).unwrap_or_default();
    CACHES.iter().any(|cache| real.file_name() == Some(OsStr::new(cache)))
}
