//! Writes a file as nvcc and its tools would have written it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process;

/// As an assembler writes an object: a file that has something in it goes first, and what is made has one name and is as
/// any new file. Source: binutils 2.40. Err: also for a link or what is read-only, where assemblers differ.
pub fn write_object(path: &Path, content: &[u8]) -> io::Result<()> {
    let old = path.symlink_metadata().ok();
    if old.as_ref().is_some_and(|old| old.is_symlink() || old.mode() & 0o222 == 0) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    if old.is_some_and(|old| old.is_file() && old.len() > 0) && replace(path, content, None).is_ok() {
        return Ok(());
    }
    write_output(path, content)
}

/// Whole or not at all, where it is a file of its own or none yet; else in its place, as nvcc does it: through symbolic
/// links, into pipes and devices, for all names of a file that has several.
pub fn write_output(path: &Path, content: &[u8]) -> io::Result<()> {
    let old = path.symlink_metadata().ok();
    let is_own = old.as_ref().is_none_or(|old| old.is_file() && old.nlink() == 1 && old.uid() == my_user());
    if is_own && is_writable(path, old.as_ref()) && replace(path, content, old.as_ref()).is_ok() {
        return Ok(());
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(content)
}

/// nvcc would fail where a file is read-only.
fn is_writable(path: &Path, old: Option<&Metadata>) -> bool {
    old.is_none() || OpenOptions::new().write(true).open(path).is_ok()
}

fn replace(path: &Path, content: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default();
    let mut fresh = OsString::from(".");
    fresh.push(name);
    fresh.push(format!(".deck-{}", process::id()));
    let fresh = path.with_file_name(fresh);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o666).open(&fresh)?;
    let done = fill(file, content, old).and_then(|()| fs::rename(&fresh, path));
    if done.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    done
}

fn fill(mut file: File, content: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    if let Some(old) = old {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(content)
}

fn my_user() -> u32 {
    extern "C" {
        fn geteuid() -> u32;
    }
    unsafe { geteuid() }
}
