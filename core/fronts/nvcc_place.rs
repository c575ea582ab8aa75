//! Where a source lies, and paths written so that they fit another checkout: what lies below the *base* is told from there.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// Stands for the base, in paths and texts: neither has it.
pub const MARK: u8 = 0;
const MAX_HEIGHT: usize = 64;

/// Of one call.
pub struct Place {
    /// The nearest folder above the source that has `.git`, else the source's own; without symbolic links.
    pub base: PathBuf,
    pub cwd: PathBuf,
    /// The source without symbolic links: nvcc makes names of it.
    pub source: PathBuf,
}

impl Place {
    /// None: there is no such source.
    pub fn of(source: &Path, cwd: &Path) -> Option<Place> {
        let source = cwd.join(source).canonicalize().ok()?;
        let folder = source.parent()?;
        let has_git = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
        let base = folder.ancestors().take(MAX_HEIGHT).find(has_git).unwrap_or(folder).to_owned();
        Some(Place { base, cwd: cwd.to_owned(), source })
    }

    pub fn at(&self, file: &[u8]) -> PathBuf {
        self.cwd.join(OsStr::from_bytes(file))
    }

    /// A path with the mark in place of the base; relative ones stay.
    pub fn shorten(&self, path: &[u8]) -> Vec<u8> {
        match path.strip_prefix(self.base.as_os_str().as_bytes()) {
            Some(rest) if rest.is_empty() || rest.starts_with(b"/") => [&[MARK], rest].concat(),
            _ => path.to_vec(),
        }
    }

    pub fn expand(&self, path: &[u8]) -> PathBuf {
        match path.strip_prefix(&[MARK]) {
            Some(rest) => PathBuf::from(std::ffi::OsString::from_vec([self.base.as_os_str().as_bytes(), rest].concat())),
            None => OsStr::from_bytes(path).into(),
        }
    }

    /// A text with the mark wherever it names the base. None: it has the mark already.
    pub fn shorten_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        if text.contains(&MARK) {
            return None;
        }
        let base = self.base.as_os_str().as_bytes();
        let mut found = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = find(rest, base) {
            let after = &rest[at + base.len()..];
            found.extend_from_slice(&rest[..at]);
            match after.first() {
                Some(byte) if is_in_name(*byte) => found.extend_from_slice(base),
                _ => found.push(MARK),
            }
            rest = after;
        }
        found.extend_from_slice(rest);
        Some(found)
    }

    /// It may name another folder, whose path only ends with that of the base: what stands for it cannot be told.
    pub fn is_ambiguous(&self, text: &[u8]) -> bool {
        find_all(text, self.base.as_os_str().as_bytes()).any(|at| at > 0 && is_in_name(text[at - 1]))
    }

    pub fn expand_text(&self, text: &[u8]) -> Vec<u8> {
        text.split(|byte| *byte == MARK).collect::<Vec<_>>().join(self.base.as_os_str().as_bytes())
    }

    /// The names of variables' folders, one after another with `:` between.
    pub fn shorten_list(&self, value: &[u8]) -> Vec<u8> {
        value.split(|byte| *byte == b':').map(|part| self.shorten(part)).collect::<Vec<_>>().join(&b':')
    }
}

/// The folder's name would go on with it.
fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
}

/// Without `.`, empty parts, and `..` after a name; the file system is not asked.
pub fn normal(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if found.file_name().is_some() => {
                found.pop();
            }
            Component::CurDir => {}
            _ => found.push(part),
        }
    }
    found
}

/// Where a needle first begins in a text.
pub fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    extern "C" {
        fn memmem(text: *const u8, length: usize, needle: *const u8, needle_length: usize) -> *const u8;
    }
    if needle.is_empty() || needle.len() > text.len() {
        return None;
    }
    // Both are slices that live; what is found lies in the first.
    let found = unsafe { memmem(text.as_ptr(), text.len(), needle.as_ptr(), needle.len()) };
    (!found.is_null()).then(|| found as usize - text.as_ptr() as usize)
}

/// Where it begins, each time.
pub fn find_all<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + find(&text[from..], needle)?;
        from = at + 1;
        Some(at)
    })
}
