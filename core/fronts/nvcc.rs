//! Before nvcc: every call is noted, with what `--time` tells of its phases, and what can be seen of it from beside.
//!
//! Two lines in `$DECK_FRONTS/nvcc.jsonl`, one when it starts, one when it has ended, and one for each phase that was
//! seen to begin. Its arguments stay as they are: `NVCC_APPEND_FLAGS` brings in what is added. PTX and cubins that it
//! made on the way are kept in `$DECK_FRONTS/nvcc-<call>/`.

use crate::cache::CACHES;
use crate::child::{end_as, end_figures, pass_signals_on, pass_them_to, wait_for, Usage};
use crate::note::{masked, open_notes, or_null, quoted, since_epoch};
use crate::nvcc_args::{Call, Kind};
use crate::nvcc_cache::{look_up, Answer, Hit, Pending, Said};
use crate::nvcc_keep::{store, Ended};
use crate::nvcc_times::{knows_time, read_times, Row};
use crate::nvcc_watch::{Seen, Temporary, Watch, Watching};
use crate::tee::Tee;
use crate::tool::{find_real, is_me, is_program, take_over};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{self, exit, Command, Stdio};
use std::time::{Duration, Instant};

/// The nvcc that our caller runs: where it looks for another one by itself, and finds us, that one is not run again.
pub const PASSED: &str = "DECK_NVCC_PASSED";
/// Link to the real one, beside us in a folder that mirrors a toolkit.
const REAL: &str = ".nvcc";
/// Of all that one call made on the way, together.
const MAX_KEPT_BYTES: u64 = 64 << 20;
const MAX_INPUTS: usize = 5000;

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
    if passed.is_some() {
        take_over(command);
    }
    let folder = env::var_os("DECK_FRONTS").map(PathBuf::from);
    let Some((folder, notes)) = folder.and_then(|folder| Some((folder.clone(), open_notes(&folder, "nvcc.jsonl")?)))
    else {
        take_over(command);
    };
    pass_signals_on(); // before anything is noted: what begins there ends there
    let at = since_epoch();
    let mut noted = Noted {
        call: Call::read(tool, argv),
        id: format!("{}-{}", process::id(), at.as_nanos()),
        started: Instant::now(),
        folder,
        notes,
    };
    let line = noted.start_line(at, is_launched);
    let _ = noted.notes.write_all(line.as_bytes());
    noted.run(command)
}

/// What stands in our place: the one that our folder mirrors, else the first on PATH.
fn find_nvcc() -> Option<PathBuf> {
    let mirrored = env::current_exe().ok().and_then(|me| fs::read_link(me.with_file_name(REAL)).ok());
    let path = env::var_os("PATH").unwrap_or_default();
    mirrored.filter(|tool| is_program(tool) && !is_me(tool)).or_else(|| find_real(OsStr::new("nvcc"), &path).0)
}

/// The first on PATH that was not passed yet: a script of that name looks there for what it stands before.
fn next_nvcc(passed: &OsStr) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let is_new = |file: &PathBuf| !env::split_paths(passed).any(|known| known == *file);
    env::split_paths(&path).map(|folder| folder.join("nvcc")).find(|file| is_program(file) && !is_me(file) && is_new(file))
}

fn with(passed: OsString, tool: &Path) -> OsString {
    let mut list = passed;
    if !list.is_empty() {
        list.push(":");
    }
    list.push(tool);
    list
}

/// It is a compiler cache under the name of nvcc, which looks for the real one on PATH.
fn is_cache(tool: &Path) -> bool {
    let real = fs::canonicalize(tool).unwrap_or_default();
    CACHES.iter().any(|cache| real.file_name() == Some(OsStr::new(cache)))
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
    /// Answer from the cache, or compile.
    fn run(self, command: Command) -> ! {
        match look_up(&self.call) {
            Answer::Hit(hit) => self.end_with(hit),
            Answer::Miss(pending) => self.compile(command, Some(*pending), Verdict::of("miss", String::new())),
            Answer::Bypass(why) => self.compile(command, None, Verdict::of("bypass", why)),
            Answer::Off => self.compile(command, None, Verdict::of("off", String::new())),
        }
    }

    fn end_with(mut self, hit: Hit) -> ! {
        let _ = io::stdout().write_all(&hit.said.stdout).and_then(|()| io::stdout().flush());
        let _ = io::stderr().write_all(&hit.said.stderr);
        let verdict = Verdict { inputs: Some(hit.inputs), ..Verdict::of("hit", String::new()) };
        let end = End { elapsed: self.started.elapsed(), verdict, ..End::default() };
        let line = self.end_line(&end);
        let _ = self.notes.write_all(line.as_bytes());
        end_as(0);
    }

    fn compile(mut self, mut command: Command, pending: Option<Pending>, mut verdict: Verdict) -> ! {
        let kept = self.folder.join(format!("nvcc-{}", self.id));
        let wanted = pending.as_ref().map(Pending::flags).unwrap_or_default();
        let times = self.add_flags(&mut command, &kept, &wanted);
        let mut tee = if pending.is_some() && Pending::wants_text() { Tee::on(&mut command) } else { None };
        let watch = Watch::prepare(&self.call, self.notes.try_clone().ok(), &self.id);
        let child = match command.spawn() {
            Ok(child) => child.id() as i32,
            Err(_) => {
                command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
                take_over(command);
            }
        };
        pass_them_to(child);
        let watching = watch.begin(child);
        tee.iter_mut().for_each(|tee| tee.let_go(&mut command));
        let (status, usage) = wait_for(child);
        let said = tee.and_then(Tee::end).map(|(stdout, stderr)| Said { stdout, stderr });
        let elapsed = self.started.elapsed();
        let mut seen = watching.map(Watching::end).unwrap_or_default();
        let rows = times.map(|mut file| read_times(&mut file)).unwrap_or_default();
        let _ = fs::remove_file(kept.join("times"));
        let files = if status == 0 { keep(&self.call, &kept, &rows, &seen.temporaries) } else { Vec::new() };
        let _ = fs::remove_dir(&kept); // where nothing is in it
        if let Some(pending) = pending {
            let ended = Ended { status, said, temporaries: std::mem::take(&mut seen.temporaries) };
            verdict = verdict_of(pending, &self.call, &ended);
        }
        let line = self.end_line(&End { elapsed, status, usage, rows, seen, files, kept, verdict });
        let _ = self.notes.write_all(line.as_bytes());
        end_as(status);
    }

    /// Tell nvcc what the cache wants, and to write how long its phases took; what it writes. None: it does not.
    fn add_flags(&self, command: &mut Command, folder: &Path, wanted: &OsStr) -> Option<File> {
        let times = self.make_times(folder);
        let mut flags = env::var_os("NVCC_APPEND_FLAGS").unwrap_or_default();
        flags.push(wanted);
        if let Some((_, name)) = &times {
            flags.push(if flags.is_empty() { "--time=" } else { " --time=" });
            flags.push(name);
        }
        if times.is_some() || !wanted.is_empty() {
            command.env("NVCC_APPEND_FLAGS", flags);
        }
        times.map(|(file, _)| file)
    }

    /// A file that nvcc can write its phases to, and how it is told. None: it cannot.
    fn make_times(&self, folder: &Path) -> Option<(File, OsString)> {
        let call = &self.call;
        let is_silent = matches!(call.kind, Kind::Query | Kind::Preprocess | Kind::Depend) || call.has("verbose");
        let given = env::var_os("NVCC_APPEND_FLAGS").unwrap_or_default();
        let is_odd = given.as_bytes().contains(&b'"') || given.as_bytes().contains(&b'\\');
        if is_silent || is_odd || call.has("time") || !knows_time(&call.tool) {
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

    fn start_line(&self, at: Duration, is_launched: bool) -> String {
        let call = &self.call;
        let list = |words: Vec<String>| words.join(",");
        let variable = |name: &str| or_null(env::var_os(name));
        format!(
            "{{\"nvcc\":\"{}\",\"at\":{:.6},\"pid\":{},\"parent\":{},\"cwd\":{},\"argv\":[{}],\"tool\":{},\
             \"launcher\":{is_launched},\"sources\":[{}],\"output\":{},\"kind\":\"{}\",\"archs\":[{}],\"package\":{},\
             \"manifest_dir\":{},\"out_dir\":{}}}\n",
            self.id,
            at.as_secs_f64(),
            process::id(),
            parent_id(),
            quoted(call.cwd.as_os_str()),
            list(masked(&call.argv).iter().map(|word| quoted(word)).collect()),
            quoted(call.tool.as_os_str()),
            list(call.sources().iter().map(|source| quoted(call.at(source).as_os_str())).collect()),
            or_null(call.outputs().into_iter().next()),
            call.kind.name(),
            list(call.archs.iter().map(|arch| quoted(OsStr::new(arch))).collect()),
            variable("CARGO_PKG_NAME"),
            variable("CARGO_MANIFEST_DIR"),
            variable("OUT_DIR"),
        )
    }

    fn end_line(&self, end: &End) -> String {
        let arch = |arch: &Option<String>| or_null(arch.as_ref());
        let times = end.rows.iter().map(|row| format!("[{},{},{}]", quoted(OsStr::new(&row.phase)), arch(&row.arch), row.ms));
        let memory = end.seen.memory(&end.rows);
        let memory = memory.iter().map(|(tool, of, bytes)| format!("[{},{},{bytes}]", quoted(OsStr::new(tool)), arch(of)));
        let file = |file: &Kept| format!("[{},\"{}\",{}]", arch(&file.arch), file.kind, quoted(OsStr::new(&file.name)));
        let output = self.call.outputs().first().and_then(|path| fs::metadata(path).ok()).map(|found| found.len());
        format!(
            "{{\"end\":\"{}\",{},\"output_bytes\":{},{},\"times\":[{}],\
             \"memory\":[{}],\"kept\":{},\"files\":[{}]}}\n",
            self.id,
            end_figures(end.elapsed, end.status, &end.usage),
            output.map_or("null".to_owned(), |size| size.to_string()),
            end.verdict.fields(),
            times.collect::<Vec<_>>().join(","),
            memory.collect::<Vec<_>>().join(","),
            or_null((!end.files.is_empty()).then_some(&end.kept)),
            end.files.iter().map(file).collect::<Vec<_>>().join(","),
        )
    }
}

/// What the cache said.
#[derive(Default)]
struct Verdict {
    name: &'static str,
    why: String,
    is_stale: Option<bool>,
    inputs: Option<Vec<PathBuf>>,
}

impl Verdict {
    fn of(name: &'static str, why: String) -> Verdict {
        Verdict { name, why, ..Verdict::default() }
    }

    fn fields(&self) -> String {
        let paths = |paths: &Vec<PathBuf>| paths.iter().take(MAX_INPUTS).map(|path| quoted(path.as_os_str())).collect::<Vec<_>>().join(",");
        format!(
            "\"verdict\":\"{}\",\"why\":{},\"stale\":{},\"inputs\":{}",
            self.name,
            quoted(OsStr::new(&self.why)),
            self.is_stale.map_or("null".to_owned(), |is_stale| is_stale.to_string()),
            self.inputs.as_ref().map_or("null".to_owned(), |inputs| format!("[{}]", paths(inputs))),
        )
    }
}

/// Keep what was made.
fn verdict_of(pending: Pending, call: &Call, ended: &Ended) -> Verdict {
    let mut why = pending.why.clone();
    let outcome = store(pending, call, ended);
    if !outcome.why_not_kept.is_empty() {
        why = format!("{why}; not kept: {}", outcome.why_not_kept);
    }
    Verdict { is_stale: outcome.is_stale, inputs: outcome.inputs, ..Verdict::of("miss", why) }
}

/// What is known when it has ended.
#[derive(Default)]
struct End {
    elapsed: Duration,
    status: i32,
    usage: Usage,
    rows: Vec<Row>,
    seen: Seen,
    files: Vec<Kept>,
    kept: PathBuf,
    verdict: Verdict,
}

/// Code that nvcc made on the way.
struct Kept {
    arch: Option<String>,
    kind: &'static str,
    name: String,
}

/// Copy PTX and cubins into a folder, as long as they are few enough.
fn keep(call: &Call, folder: &Path, rows: &[Row], temporaries: &[Temporary]) -> Vec<Kept> {
    let mut left = MAX_KEPT_BYTES;
    let mut found: Vec<Kept> = Vec::new();
    for path in rows.iter().filter(|row| row.makes_code()).flat_map(Row::files) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = if name.ends_with(".ptx") { "ptx" } else { "cubin" };
        let is_known = found.iter().any(|file| file.name == name) || call.outputs().contains(&call.cwd.join(path));
        if is_known || !(name.ends_with(".ptx") || name.ends_with(".cubin")) {
            continue;
        }
        let held = temporaries.iter().rev().find(|file| file.name == name).map(|file| &file.file);
        let opened = if held.is_none() { File::open(call.cwd.join(path)).ok() } else { None };
        let Some(file) = held.or(opened.as_ref()) else { continue };
        let size = file.metadata().map(|about| about.len()).unwrap_or(u64::MAX);
        if size > left || copy(file, folder, &name).is_err() {
            continue;
        }
        left -= size;
        let arch = rows.iter().find(|row| row.output == *path).and_then(|row| row.arch.clone());
        found.push(Kept { arch, kind, name });
    }
    found
}

fn copy(mut file: &File, folder: &Path, name: &str) -> io::Result<u64> {
    io::Seek::rewind(&mut file)?;
    io::copy(&mut file, &mut File::create_new(folder.join(name))?)
}
