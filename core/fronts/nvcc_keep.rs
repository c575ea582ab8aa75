//! Keeps what nvcc has made, where nothing changed meanwhile and all that it was made of is known.

use crate::digest::Digest;
use crate::nvcc_ahead::Failed;
use crate::nvcc_args::Call;
use crate::nvcc_bind::{source_name, texts_of, Made, Scan, Tie};
use crate::nvcc_cache::{write_said, write_signatures, Found, Pending, Said};
use crate::nvcc_closure::Probe;
use crate::nvcc_files::{read_small, steady_now_ns};
use crate::nvcc_manifest::{Entry, Manifest};
use crate::nvcc_place::{find, find_all, normal};
use crate::nvcc_read::{Closure, Included};
use crate::nvcc_store::{Note, MAX_OBJECT_BYTES};
use crate::nvcc_tools::{find_tools, Tools};
use crate::nvcc_watch::Temporary;
use std::collections::{HashMap, HashSet};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the compilers' front ends say in the end where it is the text that is wrong, and not the disk or the memory.
const OF_TEXT: &[u8] = b" detected in the compilation of ";
/// What a manifest and signatures take, about.
const NOTES_BYTES: u64 = 128 << 10;

/// What was read for a call, found out before it had ended.
pub struct Early {
    included: Included,
    closure: Closure,
    scan: Scan,
}

/// How a call ended that was pending.
pub struct Ended {
    /// As `wait` gives it.
    pub status: i32,
    /// None: it was not read.
    pub said: Option<Said>,
    pub temporaries: Vec<Temporary>,
    /// So many texts were preprocessed, as nvcc tells.
    pub texts: usize,
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

/// Keep the outcome of a call, and compare it in verify mode.
pub fn store(mut pending: Pending, call: &Call, ended: &Ended) -> Outcome {
    let mut outcome = Outcome::default();
    let kept = match pending.made.is_some() && ended.status != 0 {
        true => pending.keep_failure(call, ended),
        false => pending.keep(call, ended, &mut outcome),
    };
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
        let output = self.made.as_ref().map_or(&self.plan.output, |made| &made.output);
        let output = self.read_made(output, MAX_OBJECT_BYTES)?;
        let tools = self.tools(call)?;
        let looked_ns = steady_now_ns();
        let (closure, scan) = self.closure(call, ended, &tools)?;
        outcome.inputs = Some(closure.own.clone());
        if let Some(what) = scan.why_not_kept {
            return Err(format!("what was preprocessed has {what}"));
        }
        if !self.before.is_clock_good() {
            return Err("the clock was set".to_owned());
        }
        let known: HashSet<PathBuf> = closure.contents.iter().map(|(path, _)| normal(path)).collect();
        let is_known = |file: &&Vec<u8>| known.contains(&normal(&call.at(OsStr::from_bytes(file))));
        if let Some(file) = scan.entered.iter().find(|file| !is_known(file)) {
            return Err(format!("the depfile has no {}", String::from_utf8_lossy(file)));
        }
        let is_good = !self.is_output_read();
        if let Some(made) = self.made.as_mut().filter(|_| is_good) {
            made.release(said, looked_ns);
        }
        let tie = self.tie(&output, &ended.temporaries, (&closure, &scan), &tools);
        let texts = [&said.stdout[..], &said.stderr, &closure.rest];
        let is_ambiguous = texts.iter().any(|text| self.plan.place.is_ambiguous(text));
        let tie = if is_ambiguous { Tie::Bound("its text names a folder that is called alike") } else { tie };
        self.put(&output, said, &closure, &tools, &tie)
    }

    /// What was read, and what is in the texts; found out before, or now.
    fn closure(&mut self, call: &Call, ended: &Ended, tools: &Tools) -> Result<(Closure, Scan), String> {
        let early = self.early.take().filter(|early| early.scan.texts == texts_of(&ended.temporaries));
        let (early, scan) = match early {
            Some(Early { included, closure, scan }) => (Some((included, closure)), scan),
            None => (None, Scan::of(&ended.temporaries, &self.plan.place)),
        };
        let included = self.included(&scan, tools)?;
        let early = early.filter(|(known, closure)| *known == included && self.holds(closure, tools));
        let closure = match early {
            Some((_, closure)) => closure,
            None => self.read_closure(call, &included, tools)?,
        };
        Ok((closure, scan))
    }

    /// Keep what a call printed that was made ahead and failed, for whoever takes it up. What was read is known by what
    /// was preprocessed: of each step that nvcc had come to, as its own table has them.
    fn keep_failure(&mut self, call: &Call, ended: &Ended) -> Result<(), String> {
        let unknown = || "it failed".to_owned();
        let said = ended.said.as_ref().ok_or_else(unknown)?;
        let texts = ended.temporaries.iter().filter(|file| file.name.ends_with(".ii")).count();
        let is_of_text = find(&said.stderr, OF_TEXT).is_some() && ended.status & 0x7f == 0;
        if texts == 0 || texts != ended.texts || !is_of_text || !self.before.is_clock_good() {
            return Err(unknown());
        }
        let tools = self.tools(call)?;
        let included = self.preprocessed(&Scan::of(&ended.temporaries, &self.plan.place));
        let closure = self.read_closure(call, &included, &tools)?;
        let mut manifest = Manifest::default();
        let entry = self.entry(&mut manifest, &closure, &tools, &Tie::Bound("it failed"), Default::default());
        let made = self.made.as_ref().ok_or_else(unknown)?;
        Failed::new(ended.status, said, manifest, entry).write(made);
        Err(unknown())
    }

    /// Find out while nvcc runs what does not depend on what it makes: all of it is looked at once more in the end.
    pub fn look_meanwhile(&mut self, call: &Call) {
        let Ok(tools) = self.tools(call) else { return };
        self.hidden = Some(self.hidden_headers(call, &tools));
        for file in &tools.files {
            self.files.content_now(file, &self.store); // the large ones are noted
        }
        self.tools = Some(tools);
    }

    /// So many texts are preprocessed for it; 0: that is not known.
    pub fn texts(&self) -> usize {
        self.tools.as_ref().map_or(0, |tools| tools.wanted.0)
    }

    /// All has been preprocessed, and nvcc goes on: read what that was made of.
    pub fn read_early(&mut self, call: &Call, temporaries: &[Temporary]) {
        let Some(tools) = self.tools.take() else { return };
        let scan = Scan::of(temporaries, &self.plan.place);
        if let Ok(included) = self.included(&scan, &tools) {
            self.early = self.read_closure(call, &included, &tools).ok().map(|closure| Early { included, closure, scan });
        }
        self.tools = Some(tools);
    }

    fn tools(&mut self, call: &Call) -> Result<Tools, String> {
        if let Some(tools) = self.tools.take() {
            return Ok(tools);
        }
        let flags = env::var_os("NVCC_APPEND_FLAGS").unwrap_or_default();
        find_tools(call, &flags, &self.store)
    }

    fn tie(&self, output: &[u8], temporaries: &[Temporary], (closure, scan): (&Closure, &Scan), tools: &Tools) -> Tie {
        if self.plan.is_bound {
            return Tie::Bound("it has debug information");
        }
        Made { place: &self.plan.place, kind: self.plan.kind, output, temporaries, scan, closure, wanted: tools.wanted }.tie()
    }

    /// A file that nvcc wrote just now.
    pub fn read_made(&self, path: &Path, most: u64) -> Result<Vec<u8>, String> {
        let is_new = path.canonicalize().is_ok_and(|path| self.before.is_new(&path));
        let found = read_small(path, most).map_err(|error| format!("{}: {error}", path.display()))?;
        is_new.then_some(found).ok_or_else(|| format!("{} was not written", path.display()))
    }

    fn put(&mut self, output: &[u8], said: &Said, closure: &Closure, tools: &Tools, tie: &Tie) -> Result<(), String> {
        let place = &self.plan.place;
        let shorten = |text: &[u8]| place.shorten_text(text).ok_or("its text has a zero byte in it");
        let said = Said { stdout: shorten(&said.stdout)?, stderr: shorten(&said.stderr)? };
        let rest = if self.plan.depfile.is_some() { shorten(&closure.rest)? } else { Vec::new() };
        let kept = || Some((self.store.put_object(output)?, self.put_said(&said, &rest)?));
        let mut manifest = self.manifest();
        let is_put = kept().is_some_and(|digests| {
            let entry = self.entry(&mut manifest, closure, tools, tie, digests);
            manifest.add(entry);
            self.store.put_note(Note::Manifest, &self.plan.key, &manifest.write())
        });
        if !is_put {
            return Err("it cannot be written to the store".to_owned());
        }
        self.files.remember_seen();
        write_signatures(&self.store, &self.plan, &self.files);
        self.store.make_room(output.len() as u64 + NOTES_BYTES);
        Ok(())
    }

    fn entry(
        &self, manifest: &mut Manifest, closure: &Closure, tools: &Tools, tie: &Tie, (output, said): (Digest, Option<Digest>),
    ) -> Entry {
        let place = &self.plan.place;
        let bytes = |path: &Path| place.shorten(path.as_os_str().as_bytes());
        let (mut known_files, mut known_probes) = (HashMap::new(), HashMap::new());
        let mut add = |(path, digest): &(PathBuf, Digest)| manifest.add_file(bytes(path), *digest, &mut known_files);
        let files: Vec<u32> = closure.contents.iter().map(&mut add).collect();
        let own = closure.contents.iter().filter(|(path, _)| closure.own.contains(path)).map(&mut add).collect();
        let mut add = |probe: &Probe| manifest.add_probe(shortened(probe, &bytes), &mut known_probes);
        Entry {
            made_ns: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64),
            files,
            own,
            probes: closure.probes.iter().map(&mut add).collect(),
            tool_folders: tools.first.iter().map(|folder| bytes(folder)).collect(),
            tools: tools.found.iter().map(|(name, path)| (name.as_bytes().to_vec(), bytes(path))).collect(),
            bound: matches!(tie, Tie::Bound(_)).then_some(self.plan.bound),
            named: (*tie == Tie::Named).then(|| source_name(&place.source).into_bytes()),
            output,
            said,
        }
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
