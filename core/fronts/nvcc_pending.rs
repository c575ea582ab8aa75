//! What is known of a call before nvcc runs, so that afterwards it can be told whether something changed meanwhile.

use crate::nvcc_args::Call;
use crate::nvcc_files::{clock_offset_ns, coarse_now_ns, Content, Files};
use crate::nvcc_key::Plan;
use crate::nvcc_store::Store;
use std::collections::{BTreeSet, HashMap};
use std::env;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Clocks were set by more than this: times of files say nothing.
const CLOCK_SLACK_NS: i64 = 50_000_000;

/// Device and inode; of a link also when it was made: another one may get its inode.
type Identity = (u64, u64, u64);

/// The moment before.
pub struct Before {
    began_ns: u64,
    offset_ns: i64,
    /// Folders and links on the way to what the call names.
    ways: HashMap<PathBuf, Identity>,
}

impl Before {
    pub fn now(call: &Call, plan: &Plan) -> Before {
        let mut named = vec![call.at(&plan.source), plan.place.source.clone(), call.tool.clone()];
        named.extend(call.tool.canonicalize());
        named.extend(plan.folders.iter().map(|folder| call.cwd.join(folder).join("x")));
        named.extend(plan.folders.iter().filter_map(|folder| Some(call.cwd.join(folder).canonicalize().ok()?.join("x"))));
        named.extend([call.cwd.join("x"), env::temp_dir().join("x")]);
        let mut ways = HashMap::new();
        for folder in named.iter().flat_map(|path| path.ancestors().skip(1)) {
            if let Some(identity) = identity(folder).filter(|_| !ways.contains_key(folder)) {
                ways.insert(folder.to_owned(), identity);
            }
        }
        Before { began_ns: coarse_now_ns(), offset_ns: clock_offset_ns(), ways }
    }

    /// The clock went on as it should.
    pub fn is_clock_good(&self) -> bool {
        (clock_offset_ns() - self.offset_ns).abs() < CLOCK_SLACK_NS
    }

    /// The file has been like this ever since. None: it has not, or that cannot be told.
    pub fn unchanged(&self, path: &Path, files: &mut Files, store: &Store) -> Option<Content> {
        let now = files.content_now(path, store)?;
        let is_seen = files.before(path).is_some_and(|old| old.signature == now.signature && old.digest == now.digest);
        (is_seen || files.is_older(path, &now, self.began_ns)).then_some(now)
    }

    /// It was written since.
    pub fn is_new(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|found| self.is_later(&found))
    }

    /// It has changed since.
    pub fn is_later(&self, found: &Metadata) -> bool {
        changed_ns(found) >= self.began_ns
    }

    /// The first folder or link, on the way to these files, that may have become another one.
    pub fn changed_way(&self, files: &[PathBuf]) -> Option<PathBuf> {
        let is_same = |way: &PathBuf| match self.ways.get(way) {
            Some(old) => identity(way).as_ref() == Some(old),
            None => is_file(way) || !self.is_new(way),
        };
        ways_to(files).into_iter().find(|way| !is_same(way))
    }
}

/// What the way to files leads through, wherever links lead to; the files among them.
fn ways_to(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = files.to_vec();
    while let Some(path) = open.pop() {
        for way in path.ancestors().filter(|way| !way.as_os_str().is_empty()) {
            if !found.insert(way.to_owned()) {
                break; // and so are those above it
            }
            if let Ok(target) = fs::read_link(way) {
                open.push(way.parent().unwrap_or(way).join(target));
            }
        }
    }
    found
}

/// Its content tells whether it is the same.
fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_file())
}

fn identity(path: &Path) -> Option<Identity> {
    let found = path.symlink_metadata().ok()?;
    Some((found.dev(), found.ino(), if found.is_symlink() { changed_ns(&found) } else { 0 }))
}

fn changed_ns(found: &Metadata) -> u64 {
    (found.ctime() as u64).wrapping_mul(1_000_000_000).wrapping_add(found.ctime_nsec() as u64)
}
