//! Keeps what nvcc has made, where nothing changed meanwhile and all that it was made of is known.

use crate::digest::Digest;
use crate::nvcc_args::{Call, Kind};
use crate::nvcc_bind::{source_name, Made, Tie};
use crate::nvcc_cache::{write_said, write_signatures, Found, Pending, Said};
use crate::nvcc_closure::{asked_names, hidden_headers, read_depfile, why_not_kept, Probe, Search};
use crate::nvcc_files::read_small;
use crate::nvcc_manifest::{Entry, Manifest};
use crate::nvcc_place::{find_all, normal};
use crate::nvcc_store::{Note, MAX_OBJECT_BYTES};
use crate::nvcc_tools::{find_tools, Tools};
use crate::nvcc_watch::Temporary;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

const MAX_DEPFILE_BYTES: u64 = 64 << 20;

/// How a call ended that was pending.
pub struct Ended {
    /// As `wait` gives it.
    pub status: i32,
    /// None: it was not read.
    pub said: Option<Said>,
    pub temporaries: Vec<Temporary>,
}

/// What became of it.
#[derive(Default)]
pub struct Outcome {
    /// Why nothing was kept; empty: it was.
    pub why_not_kept: String,
    /// Verify mode: what was kept before was not what nvcc made. None: there was nothing to compare.
    pub is_stale: Option<bool>,
    /// What was read, as absolute paths, without what is the toolkit's or the system's. None: not known.
    pub inputs: Option<Vec<PathBuf>>,
}

/// All that a file of the closure is needed for.
struct Closure {
    /// Files of the user's.
    own: Vec<PathBuf>,
    /// The depfile behind its target.
    rest: Vec<u8>,
    probes: Vec<Probe>,
    contents: Vec<(PathBuf, Digest)>,
    /// A file below the base is spelled by its whole path.
    has_absolute_names: bool,
}

/// Keep the outcome of a call, and compare it in verify mode.
pub fn store(mut pending: Pending, call: &Call, ended: &Ended) -> Outcome {
    let mut outcome = Outcome::default();
    let kept = pending.keep(call, ended, &mut outcome);
    if let Some(path) = &pending.own_depfile {
        let _ = fs::remove_file(path);
    }
    if let Some(expected) = pending.expected.take() {
        let may_compare = ended.status == 0 && pending.plan.is_comparable;
        outcome.is_stale = may_compare.then(|| pending.differs(&expected));
        if outcome.is_stale == Some(true) || ended.status != 0 {
            pending.forget(&expected.entry);
        }
    }
    outcome.why_not_kept = kept.err().unwrap_or_default();
    outcome
}

impl Pending {
    fn keep(&mut self, call: &Call, ended: &Ended, outcome: &mut Outcome) -> Result<(), String> {
        if ended.status != 0 {
            return Err("it failed".to_owned());
        }
        let said = ended.said.as_ref().ok_or("what it prints goes to a terminal, or is too much")?;
        let output = self.read_made(&self.plan.output, MAX_OBJECT_BYTES)?;
        let mut flags = env::var_os("NVCC_APPEND_FLAGS").unwrap_or_default();
        if self.own_depfile.is_some() {
            flags.push(" -MD -MF deck.d"); // the same for all calls, and nothing is written
        }
        let depfile = self.own_depfile.clone().or(self.plan.depfile.clone()).unwrap_or_default();
        let depfile = self.read_made(&depfile, MAX_DEPFILE_BYTES)?;
        let tools = find_tools(call, &flags, &self.store)?;
        let closure = self.read_closure(call, &depfile, &tools)?;
        outcome.inputs = Some(closure.own.clone());
        if !self.before.is_clock_good() {
            return Err("the clock was set".to_owned());
        }
        let made = Made {
            place: &self.plan.place,
            kind: self.plan.kind,
            output: &output,
            temporaries: &ended.temporaries,
            wanted: tools.wanted,
            has_absolute_names: closure.has_absolute_names,
        };
        let known: HashSet<PathBuf> = closure.contents.iter().map(|(path, _)| normal(path)).collect();
        let is_known = |file: &&Vec<u8>| known.contains(&normal(&call.at(OsStr::from_bytes(file))));
        if let Some(file) = made.entered().iter().find(|file| !is_known(file)) {
            return Err(format!("the depfile has no {}", String::from_utf8_lossy(file)));
        }
        let tie = if self.plan.is_bound { Tie::Bound("it has debug information") } else { made.tie() };
        self.put(&output, said, &closure, &tools, &tie)
    }

    /// A file that nvcc wrote just now.
    fn read_made(&self, path: &Path, most: u64) -> Result<Vec<u8>, String> {
        let is_new = path.canonicalize().is_ok_and(|path| self.before.is_new(&path));
        let found = read_small(path, most).map_err(|error| format!("{}: {error}", path.display()))?;
        is_new.then_some(found).ok_or_else(|| format!("{} was not written", path.display()))
    }

    fn read_closure(&mut self, call: &Call, depfile: &[u8], tools: &Tools) -> Result<Closure, String> {
        let (mut files, rest) = read_depfile(depfile, &self.plan.target).ok_or("the depfile is not as expected")?;
        let rest = rest.to_vec();
        if files[0] != self.plan.source.as_bytes() {
            return Err("the depfile is of another source".to_owned());
        }
        let cwd = self.plan.place.cwd.clone();
        let is_own = |path: &Path| !tools.roots.iter().any(|root| normal(path).starts_with(normal(root)));
        let at = |file: &Vec<u8>| cwd.join(OsStr::from_bytes(file));
        let own_spelled: Vec<Vec<u8>> = files.iter().filter(|file| is_own(&at(file))).cloned().collect();
        let own: Vec<PathBuf> = own_spelled.iter().map(at).collect();
        let mut folders = self.plan.folders.clone();
        folders.extend(tools.folders.iter().cloned());
        let mut names: Vec<Vec<u8>> = Vec::new();
        if matches!(self.plan.kind, Kind::Object | Kind::DeviceObject) {
            let hidden = hidden_headers(&folders.iter().map(|folder| cwd.join(folder)).collect::<Vec<_>>());
            files.extend(hidden.iter().map(|(_, path)| path.as_os_str().as_bytes().to_vec()));
            names.extend(hidden.into_iter().map(|(name, _)| name));
        }
        names.extend(self.plan_names(call));
        for path in files.iter().map(at) {
            let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            names.extend(asked_names(&text));
            if let Some(word) = if is_own(&path) { why_not_kept(&text) } else { None } {
                return Err(format!("{} has {word}", path.display()));
            }
        }
        let own_folders: BTreeSet<PathBuf> = own_spelled.iter().filter_map(|file| Path::new(OsStr::from_bytes(file)).parent()).map(Path::to_owned).collect();
        let own_folders: Vec<PathBuf> = own_folders.into_iter().collect();
        let search = Search { cwd: &cwd, folders: &folders, own_folders: &own_folders, files: &files, names: &names };
        let mut probes = search.probes()?;
        probes.extend(tools.absent.iter().filter_map(|path| absent(path)));
        let contents = self.contents(&files, &probes, tools)?;
        let has_absolute_names = files.iter().any(|file| self.plan.place.shorten(file) != *file);
        Ok(Closure { own, rest, probes, contents, has_absolute_names })
    }

    /// Files that the words of the call include.
    fn plan_names(&self, call: &Call) -> Vec<Vec<u8>> {
        call.values("pre-include").into_iter().map(OsString::into_vec).collect()
    }

    /// All contents, where none of them is from after nvcc began.
    fn contents(&mut self, files: &[Vec<u8>], probes: &[Probe], tools: &Tools) -> Result<Vec<(PathBuf, Digest)>, String> {
        let cwd = &self.plan.place.cwd;
        let mut paths: Vec<PathBuf> = files.iter().map(|file| cwd.join(OsStr::from_bytes(file))).chain(tools.files.iter().cloned()).collect();
        let mut seen = BTreeSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        let late = |path: &Path| Err(format!("{} may have changed while it was compiled", path.display()));
        if let Some(way) = self.before.changed_way(&paths) {
            return late(&way);
        }
        let mut contents = Vec::new();
        for path in &paths {
            let Some(content) = self.before.unchanged(path, &mut self.files, &self.store) else { return late(path) };
            self.files.note(path, content);
            contents.push((path.clone(), content.digest));
        }
        let ways: BTreeSet<&Path> = paths.iter().flat_map(|path| path.ancestors()).collect();
        for probe in probes {
            let folder = Path::new(OsStr::from_bytes(&probe.folder));
            if folder.metadata().is_ok_and(|found| !self.files.is_timed(folder, found.dev())) {
                return Err(format!("{} lies on a file system with a clock of its own", folder.display()));
            }
            if let Some(path) = probe.present().filter(|path| !ways.contains(&**path)).find(|path| self.before.is_new(path)) {
                return late(&path);
            }
        }
        contents.sort();
        contents.dedup();
        contents.sort_by_key(|(path, _)| path.as_os_str().as_bytes() != self.plan.place.at(self.plan.source.as_bytes()).as_os_str().as_bytes());
        Ok(contents)
    }

    fn put(&mut self, output: &[u8], said: &Said, closure: &Closure, tools: &Tools, tie: &Tie) -> Result<(), String> {
        let place = &self.plan.place;
        let shorten = |text: &[u8]| place.shorten_text(text).ok_or("its text has a zero byte in it");
        let said = Said { stdout: shorten(&said.stdout)?, stderr: shorten(&said.stderr)? };
        let rest = if self.plan.depfile.is_some() { shorten(&closure.rest)? } else { Vec::new() };
        let kept = || Some((self.store.put_object(output)?, self.put_said(&said, &rest)?));
        let (output_digest, said_digest) = kept().ok_or("it cannot be written to the store")?;
        let mut manifest = self.manifest();
        let (mut known_files, mut known_probes) = (HashMap::new(), HashMap::new());
        let bytes = |path: &Path| place.shorten(path.as_os_str().as_bytes());
        let mut add = |(path, digest): &(PathBuf, Digest)| manifest.add_file(bytes(path), *digest, &mut known_files);
        let files: Vec<u32> = closure.contents.iter().map(&mut add).collect();
        let own = closure.contents.iter().filter(|(path, _)| closure.own.contains(path)).map(&mut add).collect();
        let entry = Entry {
            made_ns: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64),
            files,
            own,
            probes: closure.probes.iter().map(|probe| manifest.add_probe(shortened(probe, &bytes), &mut known_probes)).collect(),
            tool_folders: tools.first.iter().map(|folder| bytes(folder)).collect(),
            tools: tools.found.iter().map(|(name, path)| (name.as_bytes().to_vec(), bytes(path))).collect(),
            bound: matches!(tie, Tie::Bound(_)).then_some(self.plan.bound),
            named: (*tie == Tie::Named).then(|| source_name(&place.source).into_bytes()),
            output: output_digest,
            said: said_digest,
        };
        manifest.add(entry);
        let text = manifest.write();
        if !self.store.put_note(Note::Manifest, &self.plan.key, &text) {
            return Err("it cannot be written to the store".to_owned());
        }
        self.files.remember_seen();
        write_signatures(&self.store, &self.plan, &self.files);
        self.store.make_room((output.len() + text.len() * 2) as u64);
        Ok(())
    }

    /// Some(None): there is nothing to be kept.
    fn put_said(&self, said: &Said, rest: &[u8]) -> Option<Option<Digest>> {
        if *said == Said::default() && rest.is_empty() {
            return Some(None);
        }
        self.store.put_object(&write_said(said, rest)).map(Some)
    }

    fn manifest(&self) -> Manifest {
        self.store.note(Note::Manifest, &self.plan.key).and_then(|text| Manifest::read(&text)).unwrap_or_default()
    }

    fn forget(&self, entry: &Entry) {
        let mut manifest = self.manifest();
        manifest.entries.retain(|old| (old.made_ns, old.output) != (entry.made_ns, entry.output));
        self.store.put_note(Note::Manifest, &self.plan.key, &manifest.write());
    }

    /// What a hit would have given is not what nvcc made, but for the names of temporary files.
    fn differs(&self, expected: &Found) -> bool {
        let made = fs::read(&self.plan.output).unwrap_or_default();
        let depfile = self.plan.depfile.as_ref().map(|path| fs::read(path).unwrap_or_default());
        let expected_depfile = depfile.is_some().then(|| [&self.plan.target[..], &expected.depfile].concat());
        masked(&made) != masked(&expected.output) || depfile != expected_depfile
    }
}

/// It would be read if it were there.
fn absent(path: &Path) -> Option<Probe> {
    let (folder, name) = (path.parent()?, path.file_name()?);
    let folder_bytes = folder.as_os_str().as_bytes().to_vec();
    Some(match folder.is_dir() {
        true => Probe { folder: folder_bytes, names: Rc::new(vec![name.as_bytes().to_vec()]), found: vec![0] },
        false => Probe { folder: folder_bytes, names: Rc::default(), found: Vec::new() },
    })
}

fn shortened(probe: &Probe, bytes: &impl Fn(&Path) -> Vec<u8>) -> Probe {
    Probe { folder: bytes(Path::new(OsStr::from_bytes(&probe.folder))), ..probe.clone() }
}

/// `tmpxft_00001e70_00000000-6_` with other digits.
fn masked(code: &[u8]) -> Vec<u8> {
    let mut found = code.to_vec();
    for at in find_all(code, b"tmpxft_") {
        let digits = found[at + 7..].iter_mut().take_while(|byte| byte.is_ascii_hexdigit() || matches!(**byte, b'_' | b'-'));
        digits.for_each(|byte| *byte = b'0');
    }
    found
}
