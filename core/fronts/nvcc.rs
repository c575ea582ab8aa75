//! Before nvcc: every call is noted, with what `--time` tells of its phases, and what can be seen of it from beside.
//!
//! Its arguments stay as they are: `NVCC_APPEND_FLAGS` brings in what is added. Where there is a depfile cache, that is
//! asked first.

use crate::child::{end_as, pass_signals_on, pass_them_to, wait_for};
use crate::inotify::leave;
use crate::note::{open_notes, since_epoch};
use crate::nvcc_ahead::{is_asked, take_up, Ahead, BEGUN_EARLY};
use crate::nvcc_args::{Call, Kind};
use crate::nvcc_cache::{look_up, pending_of, verifies, Answer, Hit, Pending, Said};
use crate::nvcc_find::{find_nvcc, is_cache, next_nvcc, with};
use crate::nvcc_keep::{store, Ended};
use crate::nvcc_kept::keep;
use crate::nvcc_note::{end_line, start_line, Asked, End};
use crate::nvcc_times::{knows_time, read_times};
use crate::nvcc_watch::{Watch, Watching};
use crate::tee::Tee;
use crate::tool::{find_real, is_me, take_over};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{self, exit, Command, Stdio};
use std::time::Instant;

/// The nvcc that our caller runs: where it looks for another one by itself, and finds us, that one is not run again.
pub const PASSED: &str = "DECK_NVCC_PASSED";

/// Run the nvcc that this program stands before.
pub fn find_and_run(argv: &[OsString]) -> ! {
    match find_nvcc() {
        Some(tool) => run(&tool, argv, false),
        None => {
            eprintln!("nvcc: not found on PATH");
            exit(127);
        }
    }
}

/// Run the compiler that the first word names.
pub fn launch(words: &[OsString]) -> ! {
    let Some((compiler, argv)) = words.split_first() else { exit(127) };
    let path = Path::new(compiler);
    if path.file_name() != Some(OsStr::new("nvcc")) {
        let mut command = Command::new(compiler);
        command.args(argv);
        take_over(command);
    }
    match if is_me(path) || path == Path::new("nvcc") { find_nvcc() } else { None } {
        Some(tool) => run(&tool, argv, true),
        None => run(path, argv, true),
    }
}

/// Run nvcc in place of this process, and note it.
fn run(tool: &Path, argv: &[OsString], is_launched: bool) -> ! {
    let passed = env::var_os(PASSED);
    let next = passed.as_ref().map(|passed| next_nvcc(passed).unwrap_or_else(|| tool.to_owned()));
    let tool = next.as_deref().unwrap_or(tool);
    let mut command = Command::new(tool);
    command.args(argv);
    command.env(PASSED, with(passed.clone().unwrap_or_default(), tool));
    if is_cache(tool) {
        command.env("PATH", find_real(OsStr::new("nvcc"), &env::var_os("PATH").unwrap_or_default()).1);
    }
    let folder = env::var_os("DECK_FRONTS").filter(|_| passed.is_none()).map(PathBuf::from);
    let Some((folder, notes)) = folder.and_then(|folder| Some((folder.clone(), open_notes(&folder, "nvcc.jsonl")?)))
    else {
        take_over(command);
    };
    pass_signals_on(); // before anything is noted: what begins there ends there
    let mut noted = Noted::new(Call::read(tool, argv), folder, notes);
    if is_asked() {
        noted.make_ahead();
    }
    take_up(&noted.call, &noted.folder);
    noted.begin(is_launched, false);
    match look_up(&noted.call) {
        Answer::Hit(hit) => noted.answer(hit),
        Answer::Off => noted.compile(command, Asked::off(), None, None),
        Answer::Bypass(why) => noted.compile(command, Asked::bypass(why), None, None),
        Answer::Miss(pending) => noted.compile(command, Asked::miss(pending.why.clone()), Some(pending), None),
    }
}

/// A call of nvcc that is noted.
struct Noted {
    call: Call,
    id: String,
    started: Instant,
    folder: PathBuf,
    notes: File,
}

impl Noted {
    fn new(call: Call, folder: PathBuf, notes: File) -> Noted {
        Noted { call, id: String::new(), started: Instant::now(), folder, notes }
    }

    /// It begins now.
    fn begin(&mut self, is_launched: bool, is_ahead: bool) {
        let at = since_epoch();
        self.started = Instant::now();
        self.id = format!("{}-{}", process::id(), at.as_nanos());
        let _ = self.notes.write_all(start_line(&self.call, &self.id, at, is_launched, is_ahead).as_bytes());
    }

    /// As nvcc would have, when it made the same before.
    fn answer(mut self, hit: Hit) -> ! {
        hit.said.print();
        let end = End { elapsed: self.started.elapsed(), output_bytes: size_of(&self.call.outputs()), ..End::default() };
        let _ = self.notes.write_all(end_line(&self.call, &self.id, &end, &Asked::hit(hit.inputs)).as_bytes());
        exit(0);
    }

    /// Have the outputs ready for the call that will ask for them; nothing is noted where there is nothing to be done.
    fn make_ahead(mut self) -> ! {
        let Some(mut pending) = pending_of(&self.call).ok().filter(|_| self.may_add() && !verifies()) else { exit(0) };
        let Some((ahead, made)) = Ahead::begin(&self.folder, &self.call, &pending.plan) else { exit(0) };
        pending.why = match pending.find() {
            Ok(_) => ahead.give_up(),
            Err(why) => why + BEGUN_EARLY,
        };
        pending.made = Some(made);
        let mut command = Command::new(&self.call.tool);
        command.args(&ahead.argv).env(PASSED, &self.call.tool);
        self.begin(false, true);
        let asked = Asked::miss(pending.why.clone());
        self.compile(command, asked, Some(pending), Some(ahead));
    }

    fn compile(
        mut self, mut command: Command, mut asked: Asked, pending: Option<Box<Pending>>, ahead: Option<Ahead>,
    ) -> ! {
        let kept = self.folder.join(format!("nvcc-{}", self.id));
        let may_add = self.may_add();
        let mut pending = pending.filter(|_| may_add);
        let times = if may_add { self.make_times(&kept) } else { None };
        add_flags(&mut command, pending.as_deref(), times.as_ref());
        let is_heard = may_add && Pending::wants_text() && !is_cache(&self.call.tool) && !self.call.has("run");
        let mut tee = if is_heard { Tee::on(&mut command, ahead.is_some()) } else { None };
        let watch = Watch::prepare(&self.call, self.notes.try_clone().ok(), &self.id, pending.is_some());
        let child = start(command, tee.as_mut());
        let watching = if self.call.kind == Kind::Query { None } else { watch.begin(child) };
        if let Some(pending) = &mut pending {
            pending.look_meanwhile(&self.call);
            if let Some(texts) = watching.as_ref().and_then(|watching| watching.wait_for_texts(child, pending.texts())) {
                pending.read_early(&self.call, &texts);
            }
        }
        let (status, usage) = wait_for(child);
        let said = tee.and_then(Tee::end).map(|(stdout, stderr)| Said { stdout, stderr });
        let errors = said.as_ref().filter(|_| status != 0).map(|said| [&said.stderr[..], &said.stdout].concat());
        let elapsed = self.started.elapsed();
        let mut seen = watching.map(Watching::end).unwrap_or_default();
        let rows = times.map(|(mut file, _)| read_times(&mut file)).unwrap_or_default();
        let _ = fs::remove_file(kept.join("times"));
        let outputs = ahead.as_ref().map_or_else(|| self.call.outputs(), |ahead| vec![ahead.output.clone()]);
        let files = match status {
            0 => keep(&self.call.cwd, &outputs, &kept, &rows, &seen.temporaries),
            _ => Vec::new(),
        };
        let _ = fs::remove_dir(&kept); // where nothing is in it
        let output_bytes = size_of(&outputs); // what was made ahead goes as soon as it is taken up
        if let Some(pending) = pending {
            let temporaries = std::mem::take(&mut seen.temporaries);
            let texts = rows.iter().filter(|row| row.output.extension() == Some(OsStr::new("ii"))).count();
            asked.learn(store(*pending, &self.call, &Ended { status, said, temporaries, texts }));
        }
        let memory = seen.memory(&rows);
        let is_ahead = ahead.is_some();
        if ahead.is_some_and(|ahead| !ahead.is_taken()) {
            exit(0);
        }
        let taken = is_ahead.then(|| self.started.elapsed());
        let usage = Some(usage);
        let end = End { elapsed, status, usage, rows, memory, files, kept, output_bytes, taken, errors };
        let _ = self.notes.write_all(end_line(&self.call, &self.id, &end, &asked).as_bytes());
        if let Some(events) = seen.events {
            leave(events);
        }
        end_as(status);
    }

    /// Flags can be added: nobody sees them, and they say what they should.
    fn may_add(&self) -> bool {
        let is_silent = matches!(self.call.kind, Kind::Query | Kind::Preprocess | Kind::Depend);
        !is_silent && !self.call.has("verbose") && flags_variable().is_some()
    }

    /// A file for how long the phases took, and its name for nvcc. None: it is not to be asked.
    fn make_times(&self, folder: &Path) -> Option<(File, OsString)> {
        if self.call.has("time") || !knows_time(&self.call.tool) {
            return None;
        }
        fs::create_dir(folder).ok()?;
        let path = folder.join("times");
        let file = File::options().read(true).write(true).create_new(true).open(&path).ok()?;
        // A blank would part it in two: then nvcc is given our descriptor.
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@~".contains(byte);
        let name = match path.as_os_str().as_bytes().iter().all(is_plain) {
            true => path.into_os_string(),
            false => format!("/proc/{}/fd/{}", process::id(), file.as_raw_fd()).into(),
        };
        Some((file, name))
    }
}

fn size_of(outputs: &[PathBuf]) -> Option<u64> {
    outputs.first().and_then(|path| fs::metadata(path).ok()).map(|found| found.len())
}

/// Its pid. Where it cannot be started, it says so itself.
fn start(mut command: Command, tee: Option<&mut Tee>) -> i32 {
    let Ok(child) = command.spawn() else {
        command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
        take_over(command);
    };
    pass_them_to(child.id() as i32);
    if let Some(tee) = tee {
        tee.let_go(command);
    }
    child.id() as i32
}

/// The variable that flags can be added to: nvcc takes words apart at blanks that no quote is before. None: there is none.
pub fn flags_variable() -> Option<&'static str> {
    let is_plain = |name: &&str| !env::var_os(name).unwrap_or_default().as_bytes().iter().any(|byte| b"\"\\".contains(byte));
    ["NVCC_APPEND_FLAGS", "NVCC_PREPEND_FLAGS"].into_iter().find(is_plain)
}

/// After the user's own.
fn add_flags(command: &mut Command, pending: Option<&Pending>, times: Option<&(File, OsString)>) {
    let Some(variable) = flags_variable() else { return };
    let mut flags = env::var_os(variable).unwrap_or_default();
    let before = flags.len();
    flags.push(pending.map(Pending::flags).unwrap_or_default());
    if let Some((_, name)) = times {
        flags.push(" --time=");
        flags.push(name);
    }
    if flags.len() > before {
        let from = if before == 0 { 1 } else { 0 }; // no blank before the first one
        command.env(variable, OsStr::from_bytes(&flags.as_bytes()[from..]));
    }
}
