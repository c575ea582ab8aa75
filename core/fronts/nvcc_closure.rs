//! What a compilation read, and what would have been read instead had it been there.

use crate::digest::{Digest, Hasher};
use crate::nvcc_place::{find, find_all, normal};
use crate::nvcc_text::literal;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

const MAX_NAMES: usize = 1 << 20;
const MAX_FOLDERS: usize = 1 << 14;

/// What only the last step includes, for what cudafe++ and fatbinary write; the depfile does not name it. Source: nvcc 13.0.
pub const HIDDEN: [&str; 2] = ["crt/host_runtime.h", "fatbinary_section.h"];
/// gcc looks for it before its own first header, wherever it looks for headers.
pub const COMPILED_HEADER: &[u8] = b"stdc-predef.h.gch";

/// Those headers, and what they include: how each is named, and where it is.
pub fn hidden_headers(folders: &[PathBuf]) -> Vec<(Vec<u8>, PathBuf)> {
    let mut found: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    let mut open = Vec::from(HIDDEN.map(|name| (name.as_bytes().to_vec(), PathBuf::new())));
    while let Some((name, from)) = open.pop() {
        let places = folders.iter().chain((!from.as_os_str().is_empty()).then_some(&from));
        for path in places.map(|folder| folder.join(OsStr::from_bytes(&name))).filter(|path| path.is_file()) {
            if found.contains_key(&path) || found.len() > MAX_FOLDERS {
                continue;
            }
            let text = fs::read(&path).unwrap_or_default();
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            open.extend(included(&text).into_iter().map(|name| (name, folder.clone())));
            found.insert(path, name.clone());
        }
    }
    found.into_iter().map(|(path, name)| (name, path)).collect()
}

fn included(text: &[u8]) -> Vec<Vec<u8>> {
    let name = |at: usize| {
        let start = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let is_directive = text[start..at].trim_ascii_start().strip_prefix(b"#").is_some_and(|gap| gap.trim_ascii().is_empty());
        let end = at + find(&text[at..], b"\n").unwrap_or(text.len() - at);
        let rest = text[at..end].strip_prefix(b"include").filter(|_| is_directive)?;
        literal(&[b"(", rest.trim_ascii_start()].concat()).map(<[u8]>::to_vec)
    };
    find_all(text, b"include").filter_map(name).collect()
}

/// Names below a folder that an include could mean: what they are there decides which file is read.
#[derive(Default)]
struct Tree {
    below: BTreeMap<Vec<u8>, Tree>,
}

impl Tree {
    fn add(&mut self, name: &[u8]) {
        let parts = Path::new(OsStr::from_bytes(name)).components().filter(|part| *part != Component::CurDir);
        let mut at = self;
        for part in parts {
            at = at.below.entry(part.as_os_str().as_bytes().to_vec()).or_default();
        }
    }
}

/// A folder in which includes were looked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Probe {
    pub folder: Vec<u8>,
    /// Those that matter, sorted; none where the folder is not there.
    pub names: Rc<Vec<Vec<u8>>>,
    /// What each is. Empty: the folder is not there.
    pub found: Vec<u8>,
}

/// What a name in a folder is: nothing, a file, a folder, and a link to each of those.
const NOTHING: u8 = 0;
const FILE: u8 = 1;
const FOLDER: u8 = 2;
const LINK: u8 = 4;

impl Probe {
    /// The names in the folder are those that they were, as far as they matter.
    pub fn holds(&self, folder: &Path) -> bool {
        match (states(folder, &self.names), self.names.is_empty()) {
            (Ok(_), true) => false,
            (Ok(now), false) => now == self.found,
            (Err(error), is_absent) => is_absent && is_absence(&error),
        }
    }

    /// The folder's own signature tells of each change: no link is among its names, which could lead elsewhere meanwhile.
    pub fn is_told_by_folder(&self) -> bool {
        !self.found.iter().any(|state| state & LINK != 0)
    }

    /// Names that are there.
    pub fn present(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let folder = Path::new(OsStr::from_bytes(&self.folder));
        let there = self.names.iter().zip(&self.found).filter(|(name, state)| **state != NOTHING && *name != b"..");
        there.map(move |(name, _)| folder.join(OsStr::from_bytes(name)))
    }

    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::default();
        self.names.iter().for_each(|name| hasher.add_part(name));
        hasher.add_part(&self.found);
        hasher.end()
    }

    /// The first name that came or went.
    pub fn changed_name(&self, folder: &Path) -> Option<Vec<u8>> {
        let now = states(folder, &self.names).ok()?;
        self.names.iter().zip(now.iter().zip(&self.found)).find(|(_, (now, old))| now != old).map(|(name, _)| name.clone())
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What each of these names is in a folder.
fn states(folder: &Path, names: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let mut found = vec![NOTHING; names.len()];
    for entry in fs::read_dir(folder)?.take(MAX_NAMES) {
        let entry = entry?;
        let Ok(at) = names.binary_search_by(|name| name[..].cmp(entry.file_name().as_bytes())) else { continue };
        let kind = entry.file_type()?;
        found[at] = match kind.is_symlink() {
            true => LINK | entry.path().metadata().map_or(NOTHING, |target| if target.is_dir() { FOLDER } else { FILE }),
            false => if kind.is_dir() { FOLDER } else { FILE },
        };
    }
    if let Ok(at) = names.binary_search_by(|name| name[..].cmp(b"..")) {
        found[at] = FOLDER;
    }
    Ok(found)
}

/// Folders that decide which files are included.
pub struct Search<'a> {
    pub cwd: &'a Path,
    /// Where any header is looked for, as spelled.
    pub folders: &'a [PathBuf],
    /// Folders of the files that include others.
    pub own_folders: &'a [PathBuf],
    /// What was read, as spelled.
    pub files: &'a [Vec<u8>],
    /// What was asked for, or is included by what has no depfile.
    pub names: &'a [Vec<u8>],
}

impl Search<'_> {
    /// Each folder that could have had a file instead of one that was read. Err: there is one that cannot be listed, or
    /// there are too many.
    pub fn probes(&self) -> Result<Vec<Probe>, String> {
        let mut tree = Tree::default();
        self.spellings().iter().for_each(|name| tree.add(name));
        let mut found = HashMap::new();
        for folder in self.all_folders() {
            add_probes(&folder, &tree, &mut found)?;
        }
        let mut probes: Vec<Probe> = found.into_values().collect();
        probes.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(probes)
    }

    fn all_folders(&self) -> BTreeSet<PathBuf> {
        let cwd = [PathBuf::new()];
        self.folders.iter().chain(self.own_folders).chain(&cwd).map(|folder| self.cwd.join(folder)).collect()
    }

    /// How each file may be named in an include: its path below each folder that is searched.
    fn spellings(&self) -> BTreeSet<Vec<u8>> {
        let mut folders: BTreeSet<Vec<u8>> = BTreeSet::new();
        let paths = self.files.iter().map(|file| self.cwd.join(OsStr::from_bytes(file)));
        let read_from = paths.filter_map(|path| path.parent().map(Path::to_owned));
        for folder in self.all_folders().into_iter().chain(read_from) {
            folders.insert(without_slash(folder.as_os_str().as_bytes()));
            folders.insert(without_slash(normal(&folder).as_os_str().as_bytes()));
        }
        let mut found: BTreeSet<Vec<u8>> = self.names.iter().cloned().collect();
        for file in self.files {
            let path = self.cwd.join(OsStr::from_bytes(file));
            for spelled in [path.as_os_str().as_bytes(), normal(&path).as_os_str().as_bytes()] {
                found.extend(below_each(spelled, &folders));
            }
        }
        found.retain(|name| !name.starts_with(b"/"));
        found
    }
}

fn without_slash(folder: &[u8]) -> Vec<u8> {
    let end = folder.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    folder[..end].to_vec()
}

/// `/a/b/c.h` below `/a` and `/a/b`: `b/c.h` and `c.h`.
fn below_each<'a>(path: &'a [u8], folders: &'a BTreeSet<Vec<u8>>) -> impl Iterator<Item = Vec<u8>> + 'a {
    let slashes = (0..path.len()).filter(|at| path[*at] == b'/' && (*at == 0 || path[*at - 1] != b'/'));
    slashes.filter(|at| folders.contains(&path[..*at])).map(|at| {
        let rest = &path[at..];
        rest[rest.iter().position(|byte| *byte != b'/').unwrap_or(rest.len())..].to_vec()
    })
}

fn add_probes(folder: &Path, tree: &Tree, found: &mut HashMap<Vec<u8>, Probe>) -> Result<(), String> {
    let key = folder.as_os_str().as_bytes().to_vec();
    let names: BTreeSet<Vec<u8>> = tree.below.keys().cloned().collect();
    let names = match found.get(&key) {
        Some(old) => names.union(&old.names.iter().cloned().collect()).cloned().collect(),
        None => names,
    };
    if found.len() > MAX_FOLDERS {
        return Err("headers are looked for in too many folders".to_owned());
    }
    let names: Vec<Vec<u8>> = names.into_iter().collect();
    match states(folder, &names) {
        Ok(now) => {
            let pairs = names.iter().cloned().zip(&now);
            let there: BTreeSet<Vec<u8>> = pairs.filter(|(_, state)| **state != NOTHING).map(|(name, _)| name).collect();
            found.insert(key.clone(), Probe { folder: key, names: Rc::new(names), found: now });
            for (name, below) in tree.below.iter().filter(|(name, below)| there.contains(*name) && !below.below.is_empty()) {
                let inner = folder.join(OsStr::from_bytes(name));
                add_probes(&inner, below, found)?;
            }
            Ok(())
        }
        Err(error) if is_absence(&error) => {
            found.insert(key.clone(), Probe { folder: key, names: Rc::default(), found: Vec::new() });
            Ok(())
        }
        Err(error) => Err(format!("{}: {error}", folder.display())),
    }
}
