//! The folder of the depfile cache: outputs under their digest, and notes with their own digest at the end.
//!
//! Everything is written under another name and renamed. What does not fit its digest is as good as not there.

use crate::digest::{hex, of_bytes, Digest, Hasher};
use crate::nvcc_codec::{Reader, Writer};
use crate::nvcc_files::{read_small, Signature};
use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// Of what the folder holds; others are left alone.
const VERSION: &str = "v1";
const DEFAULT_LIMIT_BYTES: u64 = 5_000_000_000;
/// An output above this is not kept.
pub const MAX_OBJECT_BYTES: u64 = 1 << 30;
const MAX_NOTE_BYTES: u64 = 64 << 20;
/// Once so much of the limit has been added, what lies in the folder is counted: the part of it.
const COUNT_AFTER: u64 = 20;
/// A temporary file of somebody who died.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);
/// An object that was used is marked as used at most so often.
const MARK_AFTER: Duration = Duration::from_secs(60);

/// One folder.
pub struct Store {
    folder: PathBuf,
    limit_bytes: u64,
}

/// Notes of a kind have a folder of their own.
#[derive(Clone, Copy)]
pub enum Note {
    /// What a key was made of, each time.
    Manifest,
    /// Signatures of a key's files in one checkout.
    Signatures,
    /// Tools that a kind of call starts.
    Tools,
    /// The content of one large file.
    Content,
}

impl Note {
    fn folder(self) -> &'static str {
        match self {
            Note::Manifest => "manifests",
            Note::Signatures => "signatures",
            Note::Tools => "tools",
            Note::Content => "contents",
        }
    }
}

impl Store {
    /// `$DECK_NVCC_CACHE`; None: there is none.
    pub fn open() -> Option<Store> {
        let folder = env::var_os("DECK_NVCC_CACHE").filter(|folder| Path::new(folder).is_absolute())?;
        let limit = env::var("DECK_NVCC_CACHE_BYTES").ok().and_then(|text| text.parse().ok());
        Some(Store { folder: Path::new(&folder).join(VERSION), limit_bytes: limit.unwrap_or(DEFAULT_LIMIT_BYTES) })
    }

    /// Where files are before they are whole; None: it cannot be made.
    pub fn fresh_folder(&self) -> Option<PathBuf> {
        Some(self.folder.join("fresh")).filter(|folder| make_folder(folder))
    }

    fn note_path(&self, kind: Note, name: &Digest) -> PathBuf {
        let name = hex(name);
        self.folder.join(kind.folder()).join(&name[..2]).join(&name[2..])
    }

    fn object_path(&self, digest: &Digest) -> PathBuf {
        let name = hex(digest);
        self.folder.join("objects").join(&name[..2]).join(&name[2..])
    }

    /// What a note says; None: nothing, or it is damaged.
    pub fn note(&self, kind: Note, name: &Digest) -> Option<Vec<u8>> {
        let path = self.note_path(kind, name);
        let mut text = read_small(&path, MAX_NOTE_BYTES).ok()?;
        let at = text.len().checked_sub(32)?;
        (sealed(kind, name, &text[..at])[..] == text[at..]).then(|| text.truncate(at))?;
        mark_used(&path);
        Some(text)
    }

    pub fn put_note(&self, kind: Note, name: &Digest, text: &[u8]) -> bool {
        let seal = sealed(kind, name, text);
        self.put(&self.note_path(kind, name), &[text, &seal])
    }

    /// An output, or what was printed; None: it is not there, or is not what it was.
    pub fn object(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.object_path(digest);
        let found = read_small(&path, MAX_OBJECT_BYTES).ok()?;
        if of_bytes(&found) != *digest {
            let _ = fs::remove_file(&path);
            return None;
        }
        mark_used(&path);
        Some(found)
    }

    /// Its digest; None: it could not be kept.
    pub fn put_object(&self, content: &[u8]) -> Option<Digest> {
        let digest = of_bytes(content);
        let path = self.object_path(&digest);
        if self.object(&digest).is_none() && !self.put(&path, &[content]) {
            return None;
        }
        Some(digest)
    }

    fn put(&self, path: &Path, pieces: &[&[u8]]) -> bool {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Some(folder) = self.fresh_folder() else { return false };
        let fresh = folder.join(format!("{}-{}", process::id(), COUNT.fetch_add(1, Relaxed)));
        let is_made = path.parent().is_some_and(make_folder);
        let is_put = is_made && write_fresh(&fresh, pieces).is_ok() && fs::rename(&fresh, path).is_ok();
        if !is_put {
            let _ = fs::remove_file(&fresh);
        }
        is_put
    }

    /// The content of a large file under this signature, whoever has read it.
    pub fn noted_content(&self, path: &Path, signature: &Signature) -> Option<Digest> {
        let text = self.note(Note::Content, &of_bytes(path.as_os_str().as_bytes()))?;
        let mut reader = Reader::new(&text);
        let digest = reader.digest()?;
        (reader.signature()? == *signature && reader.bytes()? == path.as_os_str().as_bytes()).then_some(digest)
    }

    pub fn note_content(&self, path: &Path, signature: &Signature, digest: &Digest) {
        let mut writer = Writer::default();
        writer.digest(digest);
        writer.signature(signature);
        writer.bytes(path.as_os_str().as_bytes());
        self.put_note(Note::Content, &of_bytes(path.as_os_str().as_bytes()), &writer.text);
    }

    /// So many bytes were added. Where that is much, what was not used for longest goes, until the limit is kept.
    pub fn make_room(&self, added_bytes: u64) {
        let Ok(mut added) = OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(self.folder.join("added"))
        else {
            return;
        };
        // A byte for each 4 KiB, so that its size is the sum, whoever adds at the same time.
        let _ = added.write_all(&vec![b'.'; (added_bytes / 4096 + 1).min(1 << 18) as usize]);
        let sum = added.metadata().map(|found| found.len() * 4096).unwrap_or(0);
        if sum < self.limit_bytes / COUNT_AFTER || !lock(&added) {
            return;
        }
        let _ = added.set_len(0);
        self.evict();
    }

    fn evict(&self) {
        let mut found = Vec::new();
        for name in ["objects", "manifests", "signatures", "tools", "contents"] {
            list_files(&self.folder.join(name), 2, &mut found);
        }
        let mut sum: u64 = found.iter().map(|(_, bytes, _)| bytes).sum();
        found.sort();
        for (_, bytes, path) in &found {
            if sum <= self.limit_bytes / 10 * 9 {
                break;
            }
            if fs::remove_file(path).is_ok() {
                sum -= bytes;
            }
        }
        let mut fresh = Vec::new();
        list_files(&self.folder.join("fresh"), 0, &mut fresh);
        let is_left = |used: &SystemTime| used.elapsed().is_ok_and(|age| age > LEFT_BEHIND);
        fresh.iter().filter(|(used, ..)| is_left(used)).for_each(|(.., path)| drop(fs::remove_file(path)));
    }
}

/// A note's own digest: it is of that kind, and of that name.
fn sealed(kind: Note, name: &Digest, text: &[u8]) -> Digest {
    let mut hasher = Hasher::default();
    hasher.add_part(kind.folder().as_bytes());
    hasher.add_part(name);
    hasher.add_part(text);
    hasher.end()
}

fn make_folder(path: &Path) -> bool {
    path.is_dir() || DirBuilder::new().recursive(true).mode(0o700).create(path).is_ok()
}

fn write_fresh(path: &Path, pieces: &[&[u8]]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    pieces.iter().try_for_each(|piece| file.write_all(piece))
}

fn mark_used(path: &Path) {
    let used = path.metadata().and_then(|found| found.modified());
    let is_fresh = used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age < MARK_AFTER));
    if !is_fresh {
        let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    }
}

/// Nobody else counts at the moment; until the file is closed.
fn lock(file: &File) -> bool {
    extern "C" {
        fn flock(file: i32, what: i32) -> i32;
    }
    const ALONE_AT_ONCE: i32 = 2 | 4;
    unsafe { flock(file.as_raw_fd(), ALONE_AT_ONCE) == 0 }
}

/// When each was used, its size on the disk, its path; folders are followed so far down.
fn list_files(folder: &Path, depth: u32, found: &mut Vec<(SystemTime, u64, PathBuf)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(data) = entry.metadata() else { continue };
        if data.is_dir() && depth > 0 {
            list_files(&entry.path(), depth - 1, found);
        } else if data.is_file() {
            found.push((data.modified().unwrap_or(SystemTime::UNIX_EPOCH), data.blocks() * 512, entry.path()));
        }
    }
}
