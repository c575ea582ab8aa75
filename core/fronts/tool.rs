//! Which program is the real one.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};
use std::sync::OnceLock;

/// It runs in place of this process.
pub fn take_over(mut command: Command) -> ! {
    let error = command.exec();
    eprintln!("{}: {error}", command.get_program().to_string_lossy());
    exit(126);
}

/// This very file, under whatever name.
pub fn is_me(file: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    static ME: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    let me = *ME.get_or_init(|| identity(&env::current_exe().ok()?));
    me.is_some() && identity(file) == me
}

/// The cache whose server cargo-deck started: rustup puts a folder of its own first in PATH, which may hold another one.
pub fn our_program(name: &OsStr) -> Option<PathBuf> {
    let program = env::var_os("DECK_CACHE_PROGRAM").map(PathBuf::from)?;
    (program.file_name() == Some(name) && is_program(&program)).then_some(program)
}

pub fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The first executable of this name on PATH that is not this program, and PATH without our folders.
/// Each of them is named as the one tool that it holds, but for the one of nvcc.
pub fn find_real(name: &OsStr, path: &OsStr) -> (Option<PathBuf>, OsString) {
    let is_front = |folder: &PathBuf, tool: &OsStr| is_me(&folder.join(tool));
    let is_ours = |folder: &PathBuf| {
        folder.file_name().is_some_and(|tool| is_front(folder, tool)) || is_front(folder, OsStr::new("nvcc"))
    };
    let rest: Vec<PathBuf> = env::split_paths(path).filter(|folder| !is_ours(folder)).collect();
    let real = rest.iter().map(|folder| folder.join(name)).find(|file| is_program(file) && !is_me(file));
    (real, env::join_paths(rest).unwrap_or_else(|_| path.to_owned()))
}
