//! What can be seen of a running nvcc from beside: its phases and their memory, and files that it removes in the end.

use crate::inotify::{wait_unless_ended, Inotify};
use crate::note::{quoted, since_epoch};
use crate::note_more::or_null;
use crate::nvcc_args::Call;
use crate::nvcc_phase::{hwm_of, Tree};
use crate::nvcc_times::Row;
use std::env;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two looks at its processes; one takes 0.2 ms.
const PERIOD: Duration = Duration::from_millis(20);
/// Files that are held open at a time.
const MAX_HELD: usize = 400;
const START: &str = "tmpxft_";
const CODE_ENDS: [&str; 2] = [".cubin", ".ptx"];
const TEXT_END: &str = ".ii";
/// O_NOFOLLOW, of which processors have different ideas, and O_NONBLOCK.
const NO_LINK_NO_WAIT: i32 = match (cfg!(target_os = "linux"), cfg!(target_arch = "x86_64")) {
    (true, true) => 0o400_000 | 0o4000,
    (true, false) => 0o100_000 | 0o4000,
    (false, _) => 0x100 | 0x4,
};

/// A file that nvcc made for itself. It stays readable when its name has gone.
pub struct Temporary {
    pub name: String,
    pub file: File,
}

/// Largest memory of a phase's processes, as far as it was looked at.
pub struct Phase {
    pub tool: String,
    pub arch: Option<String>,
    pub bytes: u64,
}

#[derive(Default)]
pub struct Seen {
    /// To be let go of when nobody waits any more: see `leave`.
    pub events: Option<Inotify>,
    /// In order; the last one of a name counts.
    pub temporaries: Vec<Temporary>,
    pub phases: Vec<Phase>,
}

impl Seen {
    /// A row each phase and arch. Where a process does not say for which arch it works, nvcc's own rows may.
    pub fn memory(&self, rows: &[Row]) -> Vec<(String, Option<String>, u64)> {
        let mut found: Vec<(String, Option<String>, u64)> = Vec::new();
        for phase in self.phases.iter().filter(|phase| phase.bytes > 0) {
            let tool = as_told(rows, &phase.tool);
            let arch = phase.arch.clone().or_else(|| only_arch(rows, tool));
            match found.iter_mut().find(|(name, of, _)| *name == tool && *of == arch) {
                Some((_, _, bytes)) => *bytes = phase.bytes.max(*bytes),
                None => found.push((tool.to_owned(), arch, phase.bytes)),
            }
        }
        found
    }
}

/// nvcc has `g++` link, and calls that `gcc (linking)`.
fn as_told<'a>(rows: &'a [Row], tool: &'a str) -> &'a str {
    let Some(stage) = tool.split_once(" (").map(|(_, stage)| stage) else { return tool };
    let has_stage = |name: &&str| name.split_once(" (").is_some_and(|(_, other)| other == stage);
    let mut names = rows.iter().map(|row| row.phase.as_str()).filter(has_stage);
    let first = names.next().unwrap_or(tool);
    if names.all(|name| name == first) { first } else { tool }
}

fn only_arch(rows: &[Row], tool: &str) -> Option<String> {
    let mut archs = rows.iter().filter(|row| row.phase == tool).map(|row| &row.arch);
    let first = archs.next()?;
    archs.all(|arch| arch == first).then(|| first.clone()).flatten()
}

/// Ready to look, before there is anything to be seen.
pub struct Watch {
    events: Option<Inotify>,
    notes: Option<File>,
    id: String,
    takes_text: bool,
}

/// It looks, until it is told to end.
pub struct Watching {
    texts: Receiver<Vec<Temporary>>,
    bell: UnixStream,
    wanted: Arc<AtomicUsize>,
    stop: UnixStream,
    thread: JoinHandle<Seen>,
}

impl Watch {
    /// `notes`: where phases are noted. `takes_text`: what was preprocessed is held too.
    pub fn prepare(call: &Call, notes: Option<File>, id: &str, takes_text: bool) -> Watch {
        let temporary = env::var_os("TMPDIR").map(PathBuf::from).filter(|folder| folder.is_dir());
        let mut folders = vec![temporary.unwrap_or_else(|| "/tmp".into())];
        if call.has("objdir-as-tempdir") {
            folders.extend(call.outputs().iter().filter_map(|output| output.parent()).map(Path::to_owned));
        }
        Watch { events: Inotify::on(folders), notes, id: id.to_owned(), takes_text }
    }

    /// `child`: nvcc. None: it is not looked at.
    pub fn begin(self, child: i32) -> Option<Watching> {
        let (stop, ours) = UnixStream::pair().ok()?;
        let (bell, rope) = UnixStream::pair().ok()?;
        let (sender, texts) = channel();
        let wanted = Arc::new(AtomicUsize::new(0));
        let ready = Some((sender, rope, wanted.clone()));
        let looker = Looker { watch: self, tree: Tree::new(child), seen: Seen::default(), ready, since_text: 0 };
        let thread = thread::Builder::new().spawn(move || looker.look_until(&ours)).ok()?;
        Some(Watching { texts, bell, wanted, stop, thread })
    }
}

impl Watching {
    /// Wait until so many texts are preprocessed and are being compiled. None: nvcc has ended before, or it was not seen.
    pub fn wait_for_texts(&self, child: i32, count: usize) -> Option<Vec<Temporary>> {
        self.wanted.store(count, SeqCst);
        (count > 0 && wait_unless_ended(child, &self.bell)).then(|| self.texts.try_recv().ok()).flatten()
    }

    pub fn end(self) -> Seen {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

struct Looker {
    watch: Watch,
    tree: Tree,
    seen: Seen,
    /// Until the texts are handed over: to whom, what to pull then, and how many there have to be.
    ready: Option<(Sender<Vec<Temporary>>, UnixStream, Arc<AtomicUsize>)>,
    /// So many phases had begun when the last text appeared.
    since_text: usize,
}

impl Looker {
    fn look_until(mut self, stop: &UnixStream) -> Seen {
        let mut next = Instant::now();
        loop {
            let is_over = crate::inotify::wait(self.watch.events.as_ref(), stop, next - Instant::now().min(next));
            self.take_files();
            if is_over {
                self.seen.events = self.watch.events.take();
                return self.seen;
            }
            if Instant::now() >= next {
                self.look();
                self.hand_over();
                next = Instant::now() + PERIOD;
            }
        }
    }

    fn look(&mut self) {
        for begun in self.tree.look() {
            let line = format!(
                "{{\"phase\":\"{}\",\"at\":{:.6},\"tool\":{},\"arch\":{},\"pid\":{}}}\n",
                self.watch.id,
                since_epoch().as_secs_f64(),
                quoted(OsStr::new(&begun.tool)),
                or_null(begun.arch.as_ref()),
                begun.pid,
            );
            if let Some(notes) = &mut self.watch.notes {
                let _ = notes.write_all(line.as_bytes());
            }
            self.seen.phases.push(Phase { tool: begun.tool, arch: begun.arch, bytes: 0 });
        }
        for (pid, phase) in self.tree.workers() {
            let bytes = &mut self.seen.phases[phase].bytes;
            *bytes = hwm_of(pid).max(*bytes);
        }
    }

    /// Give the texts away, once a compiler has begun after the last of them had appeared.
    fn hand_over(&mut self) {
        let Some((sender, rope, wanted)) = &self.ready else { return };
        let is_compiled = self.seen.phases[self.since_text..].iter().any(|phase| phase.tool == "cicc");
        let texts: Vec<&Temporary> = self.seen.temporaries.iter().filter(|file| file.name.ends_with(TEXT_END)).collect();
        let wanted = wanted.load(SeqCst);
        if wanted == 0 || texts.len() < wanted || !is_compiled {
            return;
        }
        let copy = |text: &&Temporary| Some(Temporary { name: text.name.clone(), file: text.file.try_clone().ok()? });
        let _ = sender.send(texts.iter().filter_map(copy).collect());
        let _ = (&mut &*rope).write_all(b"!");
        self.ready = None;
    }

    /// Open what nvcc has made since.
    fn take_files(&mut self) {
        let Some(events) = &self.watch.events else { return };
        for (folder, name) in events.read() {
            let is_text = self.watch.takes_text && name.ends_with(TEXT_END);
            if !(is_text || CODE_ENDS.iter().any(|end| name.ends_with(end))) || !self.tree.is_below(pid_in(&name).unwrap_or(0)) {
                continue;
            }
            self.seen.temporaries.retain(|file| file.name != name); // it is made anew
            let opened = OpenOptions::new().read(true).custom_flags(NO_LINK_NO_WAIT).open(folder.join(&name));
            if is_text {
                self.since_text = self.seen.phases.len();
            }
            let Ok(file) = opened else { continue };
            if self.seen.temporaries.len() < MAX_HELD && file.metadata().is_ok_and(|about| about.is_file()) {
                self.seen.temporaries.push(Temporary { name, file });
            }
        }
    }
}

/// `tmpxft_00001e70_00000000-6_k.ptx`: 0x1e70.
fn pid_in(name: &str) -> Option<i32> {
    i32::from_str_radix(name.strip_prefix(START)?.split('_').next()?, 16).ok()
}
