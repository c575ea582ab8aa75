//! What is known of a call before nvcc runs, so that afterwards it can be told whether something changed meanwhile.

use crate::nvcc_args::Call;
use crate::nvcc_files::{clock_offset_ns, coarse_now_ns, Content, Files};
use crate::nvcc_key::Plan;
use crate::nvcc_store::Store;
use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Clocks were set by more than this: times of files say nothing.
const CLOCK_SLACK_NS: i64 = 50_000_000;

/// The moment before.
pub struct Before {
    began_ns: u64,
    offset_ns: i64,
    /// Folders and links on the way to what the call names: device and inode.
    ways: HashMap<PathBuf, (u64, u64)>,
}

impl Before {
    pub fn now(call: &Call, plan: &Plan) -> Before {
        let mut named = vec![call.at(&plan.source), plan.place.source.clone(), call.tool.clone()];
        named.extend(call.tool.canonicalize());
        named.extend(plan.folders.iter().map(|folder| call.cwd.join(folder).join("x")));
        named.push(call.cwd.join("x"));
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
        path.symlink_metadata().is_ok_and(|found| changed_ns(&found) >= self.began_ns)
    }

    /// The first folder or link, on the way to these files, that may have become another one.
    pub fn changed_way(&self, files: &[PathBuf]) -> Option<PathBuf> {
        let ways: BTreeSet<&Path> = files.iter().flat_map(|path| path.ancestors().skip(1)).collect();
        let is_same = |way: &Path| match self.ways.get(way) {
            Some(old) => identity(way).as_ref() == Some(old),
            None => !self.is_new(way),
        };
        ways.into_iter().filter(|way| !way.as_os_str().is_empty()).find(|way| !is_same(way)).map(Path::to_owned)
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()))
}

fn changed_ns(found: &std::fs::Metadata) -> u64 {
    (found.ctime() as u64).wrapping_mul(1_000_000_000).wrapping_add(found.ctime_nsec() as u64)
}
