//! What a call of nvcc has read, where all of it is still as it was when nvcc began.

use crate::digest::Digest;
use crate::nvcc_args::{Call, Kind};
use crate::nvcc_bind::Scan;
use crate::nvcc_cache::Pending;
use crate::nvcc_closure::{hidden_headers, Probe, Search, COMPILED_HEADER};
use crate::nvcc_depfile::{read_depfile, read_host_depfile};
use crate::nvcc_files::read_small;
use crate::nvcc_place::normal;
use crate::nvcc_tools::Tools;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const MAX_SOURCE_BYTES: u64 = 1 << 30;
const MAX_DEPFILE_BYTES: u64 = 64 << 20;
/// Ends of compiled headers.
const COMPILED: [&[u8]; 2] = [b".gch", b".pch"];
/// What the rule is for in the depfile that we ask the host compiler for.
pub const OWN_TARGET: &str = "deck";

/// Files that were included, as they are spelled, the source first.
#[derive(Clone, PartialEq, Eq)]
pub struct Included {
    files: Vec<Vec<u8>>,
    /// The depfile behind its target; empty: nvcc was asked for none.
    rest: Vec<u8>,
}

/// All that an outcome depends on beside the words.
pub struct Closure {
    /// Files of the user's.
    pub own: Vec<PathBuf>,
    /// The depfile behind its target.
    pub rest: Vec<u8>,
    pub probes: Vec<Probe>,
    /// Files that were read and tools, with their content; the source first.
    pub contents: Vec<(PathBuf, Digest)>,
    /// A file below the base is spelled by its whole path.
    pub has_absolute_names: bool,
}

impl Pending {
    /// What a depfile says where one was written; else what was preprocessed, as far as that was seen.
    pub fn included(&self, scan: &Scan, tools: &Tools) -> Result<Included, String> {
        const UNEXPECTED: &str = "the depfile is not as expected";
        if self.own_depfile.is_none() && (tools.wanted.0 == 0 || scan.texts.len() < tools.wanted.0) {
            return Err("what was preprocessed was not seen".to_owned());
        }
        let asked = self.made.as_ref().map_or(&self.plan.depfile, |made| &made.depfile);
        let included = match (&self.own_depfile, asked) {
            (Some(path), _) => {
                let text = read_small(path, MAX_DEPFILE_BYTES).map_err(|error| format!("{}: {error}", path.display()))?;
                let files = read_host_depfile(&text, OWN_TARGET.as_bytes()).ok_or(UNEXPECTED)?;
                Included { files, rest: Vec::new() }
            }
            (None, Some(path)) => {
                let text = self.read_made(path, MAX_DEPFILE_BYTES)?;
                let (files, rest) = read_depfile(&text, &self.plan.target).ok_or(UNEXPECTED)?;
                Included { files, rest: rest.to_vec() }
            }
            (None, None) => self.preprocessed(scan),
        };
        match included.files[0] == self.plan.source.as_bytes() {
            true => Ok(included),
            false => Err("the depfile is of another source".to_owned()),
        }
    }

    /// The source, and what was entered for it.
    pub fn preprocessed(&self, scan: &Scan) -> Included {
        let source = self.plan.source.as_bytes().to_vec();
        let others = scan.entered.iter().filter(|file| **file != source).cloned(); // one may include itself
        Included { files: std::iter::once(source.clone()).chain(others).collect(), rest: Vec::new() }
    }

    /// Err: something is not known, has changed, or means something else each time.
    pub fn read_closure(&mut self, call: &Call, included: &Included, tools: &Tools) -> Result<Closure, String> {
        let Included { mut files, rest } = included.clone();
        let is_own = |path: &Path| !tools.roots.iter().any(|root| normal(path).starts_with(normal(root)));
        let own: Vec<Vec<u8>> = files.iter().filter(|file| is_own(&self.plan.place.at(file))).cloned().collect();
        let folders: Vec<PathBuf> = self.plan.folders.iter().chain(&tools.folders).cloned().collect();
        let mut names: Vec<Vec<u8>> = call.values("pre-include").into_iter().map(OsString::into_vec).collect();
        if matches!(self.plan.kind, Kind::Object | Kind::DeviceObject) {
            let hidden = self.hidden.clone().unwrap_or_else(|| self.hidden_headers(call, tools));
            for (name, path) in hidden {
                files.push(path.into_os_string().into_vec());
                names.push(name);
            }
            names.push(COMPILED_HEADER.to_vec());
        }
        let paths: Vec<PathBuf> = files.iter().map(|file| self.plan.place.at(file)).collect();
        let contents = self.contents(paths.clone(), tools)?;
        names.extend(self.names_asked_in(&paths, is_own)?);
        let parent = |file: &Vec<u8>| Path::new(OsStr::from_bytes(file)).parent().unwrap_or(Path::new("")).to_owned();
        let own_folders: Vec<PathBuf> = own.iter().map(parent).collect::<BTreeSet<_>>().into_iter().collect();
        let compiled = self.compiled_headers(call, &files);
        names.extend(compiled.iter().filter(|name| !name.starts_with(b"/")).cloned());
        let files: Vec<Vec<u8>> = files.into_iter().chain(compiled).collect();
        let search = Search { cwd: &call.cwd, folders: &folders, own_folders: &own_folders, files: &files, names: &names };
        let mut probes = search.probes()?;
        probes.extend(tools.absent.iter().filter_map(|path| absent(path)));
        self.check_probes(&probes, &contents)?;
        let is_compiled = |path: &PathBuf| COMPILED.iter().any(|end| path.as_os_str().as_bytes().ends_with(end));
        if let Some(path) = probes.iter().flat_map(Probe::present).find(is_compiled) {
            return Err(format!("{} may be taken in place of the header", path.display()));
        }
        let has_absolute_names = files.iter().any(|file| self.plan.place.shorten(file) != *file);
        let own = own.iter().map(|file| self.plan.place.at(file)).collect();
        Ok(Closure { own, rest, probes, contents, has_absolute_names })
    }

    /// What the host compiler would take in place of a header: where it compiles by itself, of any; of those that the
    /// command line has it include first, always (clang).
    fn compiled_headers(&self, call: &Call, files: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let first = call.values("pre-include").into_iter().map(OsString::into_vec);
        let others = files.iter().filter(|_| self.own_depfile.is_some()).cloned();
        let headers: Vec<Vec<u8>> = first.chain(others).collect();
        COMPILED.iter().flat_map(|end| headers.iter().map(move |name| [&name[..], end].concat())).collect()
    }

    /// What was read is still as it was when nvcc began.
    pub fn holds(&mut self, closure: &Closure, tools: &Tools) -> bool {
        let paths = closure.contents.iter().map(|(path, _)| path.clone()).collect();
        let is_same = self.contents(paths, tools).is_ok_and(|now| now == closure.contents);
        is_same && closure.probes.iter().all(|probe| self.is_unmoved(probe))
            && self.check_probes(&closure.probes, &closure.contents).is_ok()
    }

    /// Its folder is as it was when nvcc began, or has the same names.
    fn is_unmoved(&mut self, probe: &Probe) -> bool {
        let folder = Path::new(OsStr::from_bytes(&probe.folder));
        let is_told = probe.is_told_by_folder() && !probe.names.is_empty();
        let about = folder.metadata().ok().filter(|about| is_told && !self.before.is_later(about));
        let is_timed = about.is_some_and(|about| self.files.is_timed(folder, about.dev()));
        (is_timed && self.before.changed_way(&[folder.to_owned()]).is_none()) || probe.holds(folder)
    }

    /// Headers that no depfile names.
    pub fn hidden_headers(&self, call: &Call, tools: &Tools) -> Vec<(Vec<u8>, PathBuf)> {
        if !matches!(self.plan.kind, Kind::Object | Kind::DeviceObject) {
            return Vec::new();
        }
        let folders = self.plan.folders.iter().chain(&tools.folders);
        hidden_headers(&folders.map(|folder| call.cwd.join(folder)).collect::<Vec<_>>())
    }

    /// What files ask for by `__has_include`. Err: one means something else each time, or, of the user's, asks in a way
    /// that is not understood.
    fn names_asked_in(&mut self, paths: &[PathBuf], is_own: impl Fn(&Path) -> bool) -> Result<Vec<Vec<u8>>, String> {
        let mut names = Vec::new();
        for path in paths {
            let questions = self.files.questions(path, MAX_SOURCE_BYTES)?;
            if questions.is_hidden && is_own(path) {
                return Err(format!("{} has __has_include of a macro", path.display()));
            }
            if questions.is_veiled && self.own_depfile.is_some() && is_own(path) {
                return Err(format!("what macros make of {} is not seen", path.display()));
            }
            names.extend(questions.names.iter().cloned());
        }
        Ok(names)
    }

    /// Contents of these files and of tools, where none of them is from after nvcc began.
    fn contents(&mut self, mut paths: Vec<PathBuf>, tools: &Tools) -> Result<Vec<(PathBuf, Digest)>, String> {
        let mut seen = BTreeSet::new();
        paths.extend(tools.files.iter().cloned());
        paths.retain(|path| seen.insert(path.clone()));
        if let Some(way) = self.before.changed_way(&paths) {
            return Err(late(&way));
        }
        let mut contents = Vec::new();
        for path in paths {
            let content = self.before.unchanged(&path, &mut self.files, &self.store).ok_or_else(|| late(&path))?;
            self.files.note(&path, content);
            contents.push((path, self.plan.digest(&content)));
        }
        Ok(contents)
    }

    /// Err: a name came into a folder since nvcc began, and that may have seen it or not.
    fn check_probes(&mut self, probes: &[Probe], contents: &[(PathBuf, Digest)]) -> Result<(), String> {
        let ways: BTreeSet<&Path> = contents.iter().flat_map(|(path, _)| path.ancestors()).collect();
        for probe in probes {
            let folder = Path::new(OsStr::from_bytes(&probe.folder));
            if folder.metadata().is_ok_and(|found| !self.files.is_timed(folder, found.dev())) {
                return Err(format!("{} lies on a file system with a clock of its own", folder.display()));
            }
            if let Some(path) = probe.present().find(|path| !ways.contains(&**path) && self.before.is_new(path)) {
                return Err(late(&path));
            }
        }
        Ok(())
    }
}

fn late(path: &Path) -> String {
    format!("{} may have changed while it was compiled", path.display())
}

/// It would be read if it were there.
fn absent(path: &Path) -> Option<Probe> {
    let (folder, name) = (path.parent()?, path.file_name()?);
    let is_there = folder.is_dir();
    let names = if is_there { vec![name.as_bytes().to_vec()] } else { Vec::new() };
    let found = vec![0; names.len()];
    Some(Probe { folder: folder.as_os_str().as_bytes().to_vec(), names: Rc::new(names), found })
}
