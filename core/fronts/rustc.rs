//! The rustc that a tool works for.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::parent_id;
use std::path::Path;

/// So far above us rustc is looked for.
const MAX_HEIGHT: u32 = 8;

pub fn is_for_rustc(args: &[OsString]) -> bool {
    let names = |word: &OsString| Path::new(word).file_name().map(|name| name.to_string_lossy().into_owned());
    args.first().and_then(names).is_some_and(|name| name == "rustc" || name.starts_with("clippy-driver"))
}
/// Of the rustc that links: the words that say which crate, and as what. Options and values are told apart.
pub fn crate_words() -> Vec<OsString> {
    let mut found = Vec::new();
    let mut words = compiler_words().into_iter();
    while let Some(word) = words.next() {
        if word == "--test" || word.as_bytes().ends_with(b".rs") {
            found.push(word);
            continue;
        }
        for option in ["--crate-name", "--crate-type", "--out-dir", "--cfg"] {
            let joined = word.as_bytes().strip_prefix(option.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            let value = match joined {
                Some(value) => OsString::from_vec(value.to_vec()),
                None if word == option => words.next().unwrap_or_default(),
                None => continue,
            };
            if option != "--cfg" || value == "test" {
                found.extend([option.into(), value]);
            }
            break;
        }
    }
    found
}

/// The command line of the nearest rustc above us, with what its `@file`s say; a linker that a person wrote may stand
/// between. Empty: none is seen.
fn compiler_words() -> Vec<OsString> {
    let mut pid = parent_id() as i32;
    for _ in 0..MAX_HEIGHT {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<OsString> = line.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
        if is_for_rustc(&words) || words.iter().any(|word| word == "--crate-name") {
            return with_argument_files(words, Path::new(&format!("/proc/{pid}/cwd")));
        }
        match parent_of(pid) {
            Some(above) if above > 1 && Path::new(&words[0]).file_name() != Some(OsStr::new("cargo")) => pid = above,
            _ => break,
        }
    }
    Vec::new()
}

pub fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// rustc reads a word a line in them.
fn with_argument_files(words: Vec<OsString>, cwd: &Path) -> Vec<OsString> {
    let read = |word: OsString| match word.as_bytes().strip_prefix(b"@") {
        Some(file) => {
            let path = cwd.join(OsStr::from_bytes(file));
            let content = if path.is_file() { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
            content.lines().map(OsString::from).collect()
        }
        None => vec![word],
    };
    words.into_iter().flat_map(read).collect()
}
