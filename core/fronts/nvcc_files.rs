//! What files are made of, by content; a file whose *signature* is the one that its content was read under is not read again.

use crate::digest::{of_bytes, of_file, ByName, Digest};
use crate::nvcc_closure::Probe;
use crate::nvcc_store::Store;
use crate::nvcc_text::Questions;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;

/// Larger files have a note of their own content in the store: every call of a compiler needs that.
const LARGE_BYTES: u64 = 1 << 18;
const NO_WAITING: i32 = if cfg!(target_os = "linux") { 0x800 } else { 4 };

/// Device, inode, size, times of change of the content and of the inode (nanoseconds). The last one cannot be set.
pub type Signature = [u64; 5];

/// A content, and the signature that it was read under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    pub signature: Signature,
    pub digest: Digest,
    /// Whatever is written to the file from now on gives it another signature.
    pub is_settled: bool,
}

pub fn signature(found: &Metadata) -> Signature {
    let nanoseconds = |seconds: i64, rest: i64| (seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(rest as u64);
    [
        found.dev(),
        found.ino(),
        found.len(),
        nanoseconds(found.mtime(), found.mtime_nsec()),
        nanoseconds(found.ctime(), found.ctime_nsec()),
    ]
}

/// When the inode changed last.
fn changed_ns(signature: &Signature) -> u64 {
    signature[4]
}

/// Contents that were asked for in this call, and those that are remembered.
#[derive(Default)]
pub struct Files {
    /// From earlier calls: signatures that can be trusted.
    pub remembered: ByName<(Signature, Digest)>,
    /// What is asked in a text of this content.
    pub questions: ByName<(Digest, Rc<Questions>)>,
    seen: ByName<Option<Content>>,
    /// File systems by device: their times can be compared with our clock.
    local: HashMap<u64, bool>,
    /// Something was read that was not remembered.
    pub has_news: bool,
}

impl Files {
    /// What the text of a file asks, whose content is known. Err: why nothing that was made of it can be kept.
    pub fn questions(&mut self, path: &Path, most: u64) -> Result<Rc<Questions>, String> {
        let known = self.before(path).map(|content| content.digest);
        if let Some((_, questions)) = self.questions.get(path.as_os_str()).filter(|(of, _)| Some(*of) == known) {
            return Ok(questions.clone());
        }
        let text = read_small(path, most).map_err(|error| format!("{}: {error}", path.display()))?;
        let digest = of_bytes(&text);
        if Some(digest) != known {
            return Err(format!("{} has changed", path.display()));
        }
        let found = Rc::new(Questions::read(&text).map_err(|word| format!("{} has {word}", path.display()))?);
        self.questions.insert(path.into(), (digest, found.clone()));
        Ok(found)
    }

    /// None: it is no regular file, or cannot be read. The first answer stays the answer.
    pub fn content(&mut self, path: &Path, store: &Store) -> Option<Content> {
        if let Some(content) = self.seen.get(path.as_os_str()) {
            return *content;
        }
        let content = self.look(path, store);
        self.seen.insert(path.into(), content);
        content
    }

    /// As it is now, whatever it was; signatures that were trusted are.
    pub fn content_now(&mut self, path: &Path, store: &Store) -> Option<Content> {
        self.look(path, store)
    }

    /// What was seen of it before; None: nothing was.
    pub fn before(&self, path: &Path) -> Option<Content> {
        self.seen.get(path.as_os_str()).copied().flatten()
    }

    fn look(&mut self, path: &Path, store: &Store) -> Option<Content> {
        let found = path.metadata().ok()?;
        if !found.is_file() {
            return None;
        }
        let now = signature(&found);
        if let Some((signature, digest)) = self.remembered.get(path.as_os_str()) {
            if *signature == now {
                return Some(Content { signature: now, digest: *digest, is_settled: true });
            }
        }
        self.has_news = true;
        let is_large = found.len() > LARGE_BYTES;
        if let Some(digest) = is_large.then(|| store.noted_content(path, &now)).flatten() {
            return Some(Content { signature: now, digest, is_settled: true });
        }
        let content = self.read(path)?;
        if is_large && content.is_settled {
            store.note_content(path, &content.signature, &content.digest);
        }
        Some(content)
    }

    fn read(&mut self, path: &Path) -> Option<Content> {
        let now_ns = coarse_now_ns();
        let mut file = OpenOptions::new().read(true).custom_flags(NO_WAITING).open(path).ok()?;
        let before = file.metadata().ok().filter(Metadata::is_file).map(|found| signature(&found))?;
        let digest = of_file(&mut file).ok()?;
        let after = file.metadata().ok().map(|found| signature(&found))?;
        let is_settled = changed_ns(&before) < now_ns && self.is_local(&file, before[0]);
        (before == after).then_some(Content { signature: after, digest, is_settled })
    }

    /// Nothing has been written to a file since this moment, as far as its signature can tell.
    pub fn is_older(&mut self, path: &Path, content: &Content, began_ns: u64) -> bool {
        self.is_timed(path, content.signature[0]) && changed_ns(&content.signature) < began_ns
    }

    /// A file or folder gets its times from our clock. `device`: it lies on.
    pub fn is_timed(&mut self, path: &Path, device: u64) -> bool {
        match self.local.get(&device) {
            Some(is_local) => *is_local,
            None => File::open(path).is_ok_and(|file| self.is_local(&file, device)),
        }
    }

    fn is_local(&mut self, file: &File, device: u64) -> bool {
        *self.local.entry(device).or_insert_with(|| is_timed_by_us(file))
    }

    /// The names in a folder are those of a probe.
    pub fn holds(&mut self, folder: &Path, probe: &Probe) -> bool {
        let now_ns = coarse_now_ns();
        let Some(found) = folder.metadata().ok().filter(Metadata::is_dir) else { return probe.holds(folder) };
        let (name, digest) = (folder.join("\0"), probe.digest()); // no file has such a name
        let now = signature(&found);
        let old = self.remembered.get(name.as_os_str()).is_some_and(|(signature, old)| *signature == now && *old == digest);
        let is_same = old || probe.holds(folder);
        let is_settled = File::open(folder).is_ok_and(|file| self.is_local(&file, now[0])) && changed_ns(&now) < now_ns;
        let content = Content { signature: now, digest, is_settled };
        self.has_news |= !old && is_settled && probe.is_told_by_folder();
        if is_same && is_settled && probe.is_told_by_folder() && folder.metadata().is_ok_and(|after| signature(&after) == now) {
            self.seen.insert(name.into(), Some(content));
        }
        is_same
    }

    /// Those that later calls can trust.
    fn remember(&mut self, name: &OsStr, content: &Content) {
        if content.is_settled {
            self.remembered.insert(name.to_owned(), (content.signature, content.digest));
        }
    }

    /// All that was seen in this call, and nothing else.
    pub fn remember_seen(&mut self) {
        self.remembered.clear();
        let seen = std::mem::take(&mut self.seen);
        for (name, content) in &seen {
            content.iter().for_each(|content| self.remember(name, content));
        }
        self.seen = seen;
    }

    /// What is known of it from now on.
    pub fn note(&mut self, path: &Path, content: Content) {
        self.seen.insert(path.into(), Some(content));
    }
}

/// The time that the kernel writes into inodes: a few milliseconds coarse.
pub fn coarse_now_ns() -> u64 {
    clock_ns(if cfg!(target_os = "linux") { 5 } else { 0 })
}

/// How far the clock of files is ahead of one that nobody can set.
pub fn clock_offset_ns() -> i64 {
    clock_ns(0).wrapping_sub(steady_now_ns()) as i64
}

/// On a clock that nobody can set, the same for all processes.
pub fn steady_now_ns() -> u64 {
    clock_ns(if cfg!(target_os = "linux") { 1 } else { 6 })
}

fn clock_ns(which: i32) -> u64 {
    extern "C" {
        fn clock_gettime(which: i32, time: *mut [i64; 2]) -> i32;
    }
    let mut time = [0i64; 2];
    // `struct timespec` of 64-bit systems.
    unsafe { clock_gettime(which, &mut time) };
    (time[0] as u64).wrapping_mul(1_000_000_000).wrapping_add(time[1] as u64)
}

/// A file system of this machine: files get their times from our clock. Others are read each time.
#[cfg(target_os = "linux")]
fn is_timed_by_us(file: &File) -> bool {
    /// ext, xfs, btrfs, tmpfs, ramfs, overlay, zfs, f2fs, bcachefs, squashfs, erofs, iso9660, jfs, reiserfs.
    const LOCAL: [u32; 14] = [
        0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x8584_58f6, 0x794c_7630, 0x2fc1_2fc1, 0xf2f5_2010, 0xca45_1a4e,
        0x7371_7368, 0xe0f5_e1e2, 0x9660, 0x3153_464a, 0x5265_4973,
    ];
    extern "C" {
        fn fstatfs(file: i32, found: *mut [u64; 32]) -> i32;
    }
    let mut found = [0u64; 32]; // `struct statfs` begins with the type; it has 120 bytes
    unsafe { fstatfs(file.as_raw_fd(), &mut found) == 0 && LOCAL.contains(&(found[0] as u32)) }
}

#[cfg(not(target_os = "linux"))]
fn is_timed_by_us(file: &File) -> bool {
    let _ = file.as_raw_fd();
    true
}

/// Read a small file; none where it is larger, or no file.
pub fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let file = OpenOptions::new().read(true).custom_flags(NO_WAITING).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut found = Vec::with_capacity(about.len().min(most) as usize + 1); // else it is read in many small pieces
    file.take(most + 1).read_to_end(&mut found)?;
    if found.len() as u64 > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(found)
}
