//! The depfile cache of nvcc: an output that was made of the same, without running nvcc.
//!
//! A *key* is what was asked for (`nvcc_key`), a *manifest* what that gave, each time with everything that was read for it
//! (`nvcc_manifest`). Where in doubt there is no answer, and nothing is kept.

use crate::digest::{Digest, Hasher};
use crate::nvcc_ahead::Made;
use crate::nvcc::flags_variable;
use crate::nvcc_args::Call;
use crate::nvcc_bind::{rename, source_name};
use crate::nvcc_codec::{Reader, Writer};
use crate::nvcc_files::Files;
use crate::nvcc_keep::Early;
use crate::nvcc_key::{plan, Plan};
use crate::nvcc_manifest::{Entry, Manifest};
use crate::nvcc_output::write_output;
use crate::nvcc_pending::Before;
use crate::nvcc_read::OWN_TARGET;
use crate::nvcc_program::{resolve, why_no_depfile};
use crate::nvcc_store::{Note, Store};
use crate::nvcc_text::Questions;
use crate::nvcc_tools::Tools;
use crate::nvcc_words::is_host_only;
use crate::tee::{another, write_whole};
use std::collections::HashMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process;
use std::rc::Rc;

/// What the cache says to a call.
pub enum Answer {
    /// There is none.
    Off,
    /// Why it has nothing to do with this call.
    Bypass(String),
    /// Output and depfile are written.
    Hit(Hit),
    /// nvcc has to run.
    Miss(Box<Pending>),
}

/// What remains to be told of it.
pub struct Hit {
    pub said: Said,
    /// What it was made of, without what is the toolkit's or the system's: absolute paths.
    pub inputs: Vec<PathBuf>,
}

/// What nvcc printed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Said {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Said {
    /// Print it as nvcc did.
    pub fn print(&self) {
        for (file, text) in [(another(&io::stdout()), &self.stdout), (another(&io::stderr()), &self.stderr)] {
            let _ = file.map(|mut file| write_whole(&mut file, text));
        }
    }
}

/// A call that runs now, and may be kept.
pub struct Pending {
    /// Why it was no hit.
    pub why: String,
    pub plan: Plan,
    pub store: Store,
    pub files: Files,
    pub before: Before,
    /// Where the host compiler's depfile goes, of a source that is its alone: nvcc preprocesses none then.
    pub own_depfile: Option<PathBuf>,
    /// Verify mode: what a hit would have given.
    pub expected: Option<Found>,
    /// Where it is made ahead.
    pub made: Option<Made>,
    /// What was found out while nvcc ran.
    pub tools: Option<Tools>,
    pub hidden: Option<Vec<(Vec<u8>, PathBuf)>>,
    pub early: Option<Early>,
}

/// An entry whose inputs are as they were, and what it gave.
pub struct Found {
    pub entry: Entry,
    pub output: Vec<u8>,
    pub depfile: Vec<u8>,
    pub said: Said,
    pub inputs: Vec<PathBuf>,
}

impl Pending {
    /// What nvcc has to be told besides, at the end of `NVCC_APPEND_FLAGS`.
    pub fn flags(&self) -> OsString {
        let words = |path: &PathBuf| format!(" -Xcompiler -MD,-MF,{},-MT,{OWN_TARGET}", path.display());
        OsString::from(self.own_depfile.as_ref().map(words).unwrap_or_default())
    }

    /// What it prints has to be read on its way: else it is not kept.
    pub fn wants_text() -> bool {
        !io::stdout().is_terminal() && !io::stderr().is_terminal()
    }
}

/// Ask for the outputs of a call.
pub fn look_up(call: &Call) -> Answer {
    pending_of(call).map_or_else(|answer| answer, Pending::ask)
}

/// What is to be asked. Err: the answer, as far as that is known without.
pub fn pending_of(call: &Call) -> Result<Box<Pending>, Answer> {
    let store = Store::open().ok_or(Answer::Off)?;
    let plan = plan(call).map_err(Answer::Bypass)?;
    if let Some(why) = why_no_depfile(&call.tool, &store) {
        return Err(Answer::Bypass(why));
    }
    let unsaid = || Answer::Bypass("nvcc cannot be told where its depfile goes".to_owned());
    Pending::new(call, plan, store).map(Box::new).ok_or_else(unsaid)
}

/// What is kept is compared with what nvcc makes, and not used.
pub fn verifies() -> bool {
    env::var_os("DECK_NVCC_VERIFY").is_some_and(|value| value == "1")
}

/// Where variables part words at each blank.
fn depfile_place(store: &Store) -> Option<PathBuf> {
    flags_variable()?;
    let temporary = env::var_os("TMPDIR").filter(|folder| !folder.is_empty()).unwrap_or("/tmp".into());
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._+-".contains(byte);
    let is_good = |folder: &PathBuf| folder.as_os_str().as_bytes().iter().all(is_plain) && folder.is_absolute();
    let folder = store.fresh_folder().filter(is_good).or(Some(PathBuf::from(temporary)).filter(is_good))?;
    let moment = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Some(folder.join(format!("deck-nvcc-{}-{moment}.d", process::id()))) // processes of two containers may have one number
}

impl Pending {
    pub fn new(call: &Call, plan: Plan, store: Store) -> Option<Pending> {
        let is_unseen = plan.depfile.is_none() && is_host_only(call);
        let own_depfile = if is_unseen { depfile_place(&store) } else { None };
        (!is_unseen || own_depfile.is_some()).then(|| Pending {
            why: String::new(),
            before: Before::now(call, &plan),
            files: read_files(&store, &plan),
            own_depfile,
            expected: None,
            made: None,
            tools: None,
            hidden: None,
            early: None,
            plan,
            store,
        })
    }

    fn ask(mut self: Box<Self>) -> Answer {
        match self.find() {
            Ok(found) if verifies() => {
                self.why = "it is verified".to_owned();
                self.expected = Some(found);
            }
            Ok(found) => match self.deliver(found) {
                Ok(hit) => return Answer::Hit(hit),
                Err(why) => self.why = why,
            },
            Err(why) => self.why = why,
        }
        Answer::Miss(self)
    }

    /// What was made of the same, or why nothing was.
    pub fn find(&mut self) -> Result<Found, String> {
        let Some(text) = self.store.note(Note::Manifest, &self.plan.key) else {
            return Err("nothing was compiled with these words yet".to_owned());
        };
        let manifest = Manifest::read(&text).ok_or("what is known is damaged")?;
        let mut judge = Judge { pending: self, manifest: &manifest, files: HashMap::new(), probes: HashMap::new() };
        let mut whys = Vec::new();
        for entry in manifest.entries.iter().rev() {
            match judge.why_not(entry) {
                None => match judge.pending.fetch(entry, &manifest) {
                    Some(found) => return Ok(found),
                    None => whys.push("what was kept is gone".to_owned()),
                },
                Some(why) => whys.push(why),
            }
        }
        Err(whys.into_iter().next().unwrap_or_else(|| "nothing was kept".to_owned()))
    }

    /// Why an entry is of no use now; None: all is as it was.
    pub fn why_not(&mut self, entry: &Entry, manifest: &Manifest) -> Option<String> {
        Judge { pending: self, manifest, files: HashMap::new(), probes: HashMap::new() }.why_not(entry)
    }

    fn fetch(&self, entry: &Entry, manifest: &Manifest) -> Option<Found> {
        let mut output = self.store.object(&entry.output)?;
        if let Some(old) = &entry.named {
            output = rename(&output, &String::from_utf8_lossy(old), &source_name(&self.plan.place.source));
        }
        let (said, depfile) = match &entry.said {
            Some(digest) => read_said(&self.store.object(digest)?)?,
            None => Default::default(),
        };
        let text = |text: &[u8]| self.plan.place.expand_text(text);
        let said = Said { stdout: text(&said.stdout), stderr: text(&said.stderr) };
        let is_plain = said == Said::default() || Pending::wants_text(); // on a terminal it would have had colours
        let own = entry.own.iter().map(|at| self.plan.place.expand(&manifest.files[*at as usize].0)).collect();
        is_plain.then(|| Found { entry: entry.clone(), output, depfile: text(&depfile), said, inputs: own })
    }

    /// The output is among the files that were read.
    pub fn is_output_read(&self) -> bool {
        let output = &self.plan.output;
        let is_read = |path: &Path| self.files.before(path).is_some();
        is_read(output) || output.canonicalize().is_ok_and(|path| is_read(&path))
    }

    /// Write what nvcc would have written.
    pub fn deliver(&mut self, found: Found) -> Result<Hit, String> {
        if self.is_output_read() {
            return Err("the output is an input".to_owned());
        }
        if let Some(path) = &self.plan.depfile {
            let text = [&self.plan.target[..], &found.depfile].concat();
            write_output(path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        self.plan.write(&found.output).map_err(|error| format!("{}: {error}", self.plan.output.display()))?;
        if self.files.has_news {
            self.files.remember_seen();
            write_signatures(&self.store, &self.plan, &self.files);
        }
        Ok(Hit { said: found.said, inputs: found.inputs })
    }
}

/// Looks at entries of one manifest.
struct Judge<'a> {
    pending: &'a mut Pending,
    manifest: &'a Manifest,
    files: HashMap<u32, bool>,
    probes: HashMap<u32, bool>,
}

impl Judge<'_> {
    /// None: all is as it was.
    fn why_not(&mut self, entry: &Entry) -> Option<String> {
        if entry.bound.is_some_and(|bound| bound != self.pending.plan.bound) {
            return Some("what was kept holds the path of another folder".to_owned());
        }
        let place = &self.pending.plan.place;
        let first: Vec<PathBuf> = entry.tool_folders.iter().map(|folder| place.expand(folder)).collect();
        let found = |name: &[u8]| resolve(OsStr::from_bytes(name), &first);
        let is_found = |(name, path): &&(Vec<u8>, Vec<u8>)| found(name) == Some(place.expand(path));
        if let Some((name, _)) = entry.tools.iter().find(|tool| !is_found(tool)) {
            return Some(format!("{} is another one", String::from_utf8_lossy(name)));
        }
        if let Some(at) = entry.files.iter().find(|at| !self.is_file_same(**at)) {
            let path = self.pending.plan.place.expand(&self.manifest.files[*at as usize].0);
            let has_gone = !path.exists();
            return Some(format!("{} {}", path.display(), if has_gone { "is gone" } else { "has changed" }));
        }
        let at = entry.probes.iter().find(|at| !self.is_probe_same(**at))?;
        let probe = &self.manifest.probes[*at as usize];
        let folder = self.pending.plan.place.expand(&probe.folder);
        let name = probe.changed_name(&folder).unwrap_or_default();
        Some(format!("{} came or went", folder.join(OsString::from_vec(name)).display()))
    }

    fn is_file_same(&mut self, at: u32) -> bool {
        if let Some(is_same) = self.files.get(&at) {
            return *is_same;
        }
        let (path, digest) = &self.manifest.files[at as usize];
        let path = self.pending.plan.place.expand(path);
        let content = self.pending.files.content(&path, &self.pending.store);
        let is_same = content.is_some_and(|content| self.pending.plan.digest(&content) == *digest);
        self.files.insert(at, is_same);
        is_same
    }

    fn is_probe_same(&mut self, at: u32) -> bool {
        if let Some(is_same) = self.probes.get(&at) {
            return *is_same;
        }
        let probe = &self.manifest.probes[at as usize];
        let folder = self.pending.plan.place.expand(&probe.folder);
        let is_same = self.pending.files.holds(&folder, probe);
        self.probes.insert(at, is_same);
        is_same
    }
}

/// What was printed, and the rest of the depfile.
pub fn write_said(said: &Said, depfile: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    [&said.stdout[..], &said.stderr, depfile].into_iter().for_each(|text| writer.bytes(text));
    writer.text
}

fn read_said(text: &[u8]) -> Option<(Said, Vec<u8>)> {
    let mut reader = Reader::new(text);
    Some((Said { stdout: reader.owned()?, stderr: reader.owned()? }, reader.owned()?))
}

/// What is asked for in this checkout.
fn here(plan: &Plan) -> Digest {
    let mut hasher = Hasher::default();
    hasher.add_part(b"files 3"); // another number where `Questions` finds other things in a text
    hasher.add_part(&plan.key);
    hasher.add_part(plan.place.base.as_os_str().as_bytes());
    hasher.end()
}

/// What is remembered of files of this key.
fn read_files(store: &Store, plan: &Plan) -> Files {
    let mut files = Files::default();
    let mut take = |text: Vec<u8>| {
        let mut reader = Reader::new(&text);
        let known = reader.list(|reader| {
            let name = OsString::from_vec(reader.owned()?);
            let (signature, digest) = (reader.signature()?, reader.digest()?);
            let asked = reader.list(|reader| Some((reader.list(Reader::owned)?, reader.small()?)))?;
            Some((name, signature, digest, asked.into_iter().next()))
        })?;
        for (name, signature, digest, asked) in known {
            if let Some((names, marks)) = asked {
                let questions = Questions { names, is_hidden: marks & 1 != 0, is_veiled: marks & 2 != 0 };
                files.questions.insert(name.clone(), (digest, Rc::new(questions)));
            }
            files.remembered.insert(name, (signature, digest));
        }
        Some(())
    };
    store.note(Note::Signatures, &here(plan)).and_then(&mut take);
    files
}

pub fn write_signatures(store: &Store, plan: &Plan, files: &Files) {
    let mut writer = Writer::default();
    let all: Vec<_> = files.remembered.iter().collect();
    writer.list(&all, |writer, (name, (signature, digest))| {
        writer.bytes(name.as_bytes());
        writer.signature(signature);
        writer.digest(digest);
        let asked = files.questions.get(*name).filter(|(of, _)| of == digest).map(|(_, questions)| questions);
        writer.list(&Vec::from_iter(asked), |writer, questions| {
            writer.list(&questions.names, |writer, name| writer.bytes(name));
            writer.small(u32::from(questions.is_hidden) | u32::from(questions.is_veiled) << 1);
        });
    });
    store.put_note(Note::Signatures, &here(plan), &writer.text);
}
