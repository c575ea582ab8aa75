//! A call that is made ahead: nvcc compiles what was saved while cargo and the build script still come to it. What it
//! makes goes into the depfile cache; the call itself, once it is asked for, waits for that and takes it up.
//!
//! `$DECK_FRONTS/ahead/NAME` is the folder of one:
//!
//!     busy    locked until it is known that what nvcc made is good, or is not; whoever takes it up renames it to `taken`,
//!             and to `refused` where it is of no use
//!     kept    locked until it is in the cache, or is not
//!     good    what nvcc printed, where what it made is good, and the moment from which on all was looked at
//!     failed  what nvcc printed where it failed, with all that was read for it
//!
//! Who asked before that moment takes the files; who comes later asks the cache. Who takes it up removes the folder; where
//! nobody does, or it is of no use, whoever made it.

use crate::child::{end_as, while_idle, ASKED_TO_END};
use crate::digest::{hex, Hasher};
use crate::inotify::rest;
use crate::nvcc_args::Call;
use crate::nvcc_cache::{Hit, Pending, Said};
use crate::nvcc_codec::{Reader, Writer};
use crate::nvcc_files::{read_small, steady_now_ns};
use crate::nvcc_key::{plan, Plan};
use crate::nvcc_manifest::{Entry, Manifest};
use crate::nvcc_options::{read_word, Value};
use crate::nvcc_output::write_output;
use crate::nvcc_store::Store;
use crate::nvcc_words::has_device_debug;
use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// Is added to why it was no hit.
pub const BEGUN_EARLY: &str = "; begun with the save";
const MAX_NOTE_BYTES: u64 = 64 << 20;
/// Between two looks at whether it was taken up.
const PERIOD: Duration = Duration::from_millis(20);

/// One that is made by us.
pub struct Ahead {
    folder: PathBuf,
    kept: File,
    /// What nvcc is called with: other outputs, and else the same.
    pub argv: Vec<OsString>,
    pub output: PathBuf,
}

/// Where nvcc writes instead of where it was asked to.
pub struct Made {
    pub output: PathBuf,
    /// None: no depfile is asked for.
    pub depfile: Option<PathBuf>,
    pub folder: PathBuf,
    busy: Option<File>,
}

impl Made {
    /// What was made is what nvcc would make now: whoever waits for it may have it.
    ///
    /// `looked_ns`: when the look at all that was read began.
    pub fn release(&mut self, said: &Said, looked_ns: u64) {
        let mut writer = Writer::default();
        writer.number(looked_ns);
        [&said.stdout, &said.stderr].into_iter().for_each(|text| writer.bytes(text));
        let _ = fs::write(self.folder.join("good"), writer.text);
        self.busy = None;
    }
}

/// This process is to make its call ahead.
pub fn is_asked() -> bool {
    env::var_os("DECK_NVCC_AHEAD").is_some_and(|value| value == "1")
}

/// Calls that share it have the same words, folder and environment, and name the same outputs.
fn folder_of(notes: &Path, plan: &Plan) -> PathBuf {
    let mut hasher = Hasher::default();
    let path = env::var_os("PATH").unwrap_or_default();
    for part in [&plan.key[..], &plan.bound, &plan.target, plan.output.as_os_str().as_bytes(), path.as_bytes()] {
        hasher.add_part(part);
    }
    notes.join("ahead").join(hex(&hasher.end()))
}

impl Ahead {
    /// None: it cannot be made ahead, or somebody else makes it.
    pub fn begin(notes: &Path, call: &Call, plan: &Plan) -> Option<(Ahead, Made)> {
        let folder = folder_of(notes, plan);
        let output = folder.join(plan.output.file_name()?);
        let depfile = plan.depfile.is_some().then(|| folder.join("depfile"));
        let argv = elsewhere(call, &output, depfile.as_deref())?;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
        let kept = File::create_new(folder.join("kept")).ok()?;
        lock(&kept, ALONE);
        let busy = File::create_new(folder.join("busy")).ok()?;
        lock(&busy, ALONE);
        let made = Made { output: output.clone(), depfile, folder: folder.clone(), busy: Some(busy) };
        Some((Ahead { folder, kept, argv, output }, made))
    }

    /// There is nothing to be made.
    pub fn give_up(self) -> ! {
        let _ = fs::remove_dir_all(&self.folder);
        exit(0);
    }

    /// Wait until somebody has taken it up: what is told of outputs is true then. False: nobody will.
    pub fn is_taken(self) -> bool {
        drop(self.kept);
        let has = |name: &str| self.folder.join(name).exists();
        let parent = parent_id();
        while self.folder.exists() && !has("refused") && ASKED_TO_END.load(SeqCst) == 0 && parent_id() == parent {
            rest(PERIOD);
        }
        if !self.folder.exists() || has("taken") {
            return true;
        }
        let _ = fs::remove_dir_all(&self.folder);
        false
    }
}

/// The words of a call with other outputs. None: those are not named once, and in the command line.
fn elsewhere(call: &Call, output: &Path, depfile: Option<&Path>) -> Option<Vec<OsString>> {
    let count = |name: &str| call.options.iter().filter(|(known, _)| *known == name).count();
    let (mut outputs, mut depfiles) = (0, 0);
    let mut argv = Vec::new();
    let mut words = call.argv.iter();
    while let Some(word) = words.next() {
        let (name, is_next) = match read_word(word) {
            Some((name, value)) => (name, matches!(value, Value::Next)),
            None => ("", false),
        };
        outputs += usize::from(name == "output-file");
        depfiles += usize::from(name == "dependency-output");
        let value = if is_next { words.next() } else { None };
        if !matches!(name, "output-file" | "dependency-output") {
            argv.extend([Some(word), value].into_iter().flatten().cloned());
        }
    }
    let is_said_here = outputs == 1 && count("output-file") == 1 && depfiles == count("dependency-output") && depfiles < 2;
    if !is_said_here || has_device_debug(call) {
        return None; // with device debug information, the name of the output is in it
    }
    argv.extend(["-o".into(), output.as_os_str().to_owned()]);
    if let Some(depfile) = depfile {
        argv.extend(["-MF".into(), depfile.as_os_str().to_owned()]);
        if !call.has("dependency-target-name") {
            argv.extend(["-MT".into(), call.value("output-file")?.to_owned()]);
        }
    }
    Some(argv)
}

/// Where this call is made ahead, wait for it and end as it did. Returns where it has to be made now.
pub fn take_up(call: &Call, notes: &Path) {
    if !notes.join("ahead").is_dir() {
        return;
    }
    let (Some(store), Ok(plan)) = (Store::open(), plan(call)) else { return };
    let folder = folder_of(notes, &plan);
    let Ok(busy) = File::open(folder.join("busy")) else { return };
    let asked_ns = steady_now_ns();
    wait_for(&busy);
    if fs::rename(folder.join("busy"), folder.join("taken")).is_err() {
        return; // somebody else has taken it up
    }
    let mut taken = take_files(&folder, &plan, asked_ns);
    if taken.is_none() {
        if let Ok(kept) = File::open(folder.join("kept")) {
            wait_for(&kept);
        }
        let failed = read_small(&folder.join("failed"), MAX_NOTE_BYTES).ok().and_then(|text| Failed::read(&text));
        taken = Pending::new(call, plan, store).and_then(|pending| pending.take(failed));
    }
    match taken {
        Some((said, status)) => {
            let _ = fs::remove_dir_all(&folder);
            said.print();
            end_as(status);
        }
        None => drop(fs::rename(folder.join("taken"), folder.join("refused"))),
    }
}

/// Write what nvcc has made to where it was asked for. None: it is not good, was looked at before it was asked for, or
/// cannot be written.
fn take_files(folder: &Path, plan: &Plan, asked_ns: u64) -> Option<(Said, i32)> {
    let good = read_small(&folder.join("good"), MAX_NOTE_BYTES).ok().filter(|_| Pending::wants_text())?;
    let mut reader = Reader::new(&good);
    if reader.number()? < asked_ns {
        return None;
    }
    let said = Said { stdout: reader.owned()?, stderr: reader.owned()? };
    if let Some(path) = &plan.depfile {
        write_output(path, &fs::read(folder.join("depfile")).ok()?).ok()?;
    }
    let output = fs::read(folder.join(plan.output.file_name()?)).ok()?;
    plan.write(&output).ok()?;
    Some((said, 0))
}

impl Pending {
    /// What was made ahead, with what was printed and how it ended, where all is as it was.
    fn take(mut self, failed: Option<Failed>) -> Option<(Said, i32)> {
        match (self.find(), failed) {
            (Ok(found), _) => self.deliver(found).ok().map(|Hit { said, .. }| (said, 0)),
            (Err(_), Some(failed)) if Pending::wants_text() => {
                let entry = failed.manifest.entries.first()?.clone();
                self.why_not(&entry, &failed.manifest).is_none().then_some((failed.said, failed.status))
            }
            _ => None,
        }
    }
}

/// A call that failed, and all that was read for it.
pub struct Failed {
    status: i32,
    said: Said,
    manifest: Manifest,
}

impl Failed {
    pub fn new(status: i32, said: &Said, mut manifest: Manifest, entry: Entry) -> Failed {
        manifest.add(entry);
        Failed { status, said: said.clone(), manifest }
    }

    pub fn write(&self, made: &Made) {
        let mut writer = Writer::default();
        writer.number(self.status as u64);
        [&self.said.stdout, &self.said.stderr, &self.manifest.write()].into_iter().for_each(|text| writer.bytes(text));
        let _ = fs::write(made.folder.join("failed"), writer.text);
    }

    fn read(text: &[u8]) -> Option<Failed> {
        let mut reader = Reader::new(text);
        let status = reader.number()? as i32;
        let said = Said { stdout: reader.owned()?, stderr: reader.owned()? };
        Some(Failed { status, said, manifest: Manifest::read(&reader.owned()?)? })
    }
}

const SHARED: i32 = 1;
const ALONE: i32 = 2;
const AT_ONCE: i32 = 4;

extern "C" {
    fn flock(file: i32, how: i32) -> i32;
}

/// Until the file is closed. False: somebody else has it.
fn lock(file: &File, how: i32) -> bool {
    unsafe { flock(file.as_raw_fd(), how | AT_ONCE) == 0 }
}

/// Wait until nobody has locked a file.
fn wait_for(file: &File) {
    while_idle(|| while unsafe { flock(file.as_raw_fd(), SHARED) } != 0 {});
}
