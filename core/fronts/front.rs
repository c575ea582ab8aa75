//! Stands first in PATH under the name of a tool (`cc`, `sccache`), runs the real one with its arguments untouched,
//! and notes what sampling cannot see: a link lives for 40 ms.
//!
//! * `cc` that links: two lines in `$DECK_FRONTS/links.jsonl`, one when it starts, one when it has ended.
//!   Its peak is that of a child of this small process: a large parent would pass its own size on.
//! * `cc` that does not link, or nowhere to note it: the real tool takes this process over.
//! * A compiler cache: takes this process over. For anything but rustc our folder is taken out of PATH first,
//!   because a cache hashes the compiler that it finds there. What rustc is asked to compile is noted as a line in
//!   `$DECK_FRONTS/cache.jsonl`: with it a server's log can be told apart by runs, and misses be explained.
//!   Where the server that cargo-deck started (`$DECK_CACHE_SERVER`) is gone or dies meanwhile, rustc runs without it.
//!
//! Whatever fails here, the real tool runs.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{exit, Command, Output, Stdio};
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const CACHES: [&str; 6] = ["sccache", "ccache", "zccache", "kache", "cachepot", "buildcache"];
/// With one of these the driver does not link. `-v` is none of them: it links whatever it is given, and talks about it.
const NO_LINK: [&str; 19] = [
    "-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", "--version", "-###", "--help", "--target-help", "-dumpversion",
    "-dumpfullversion", "-dumpmachine", "-dumpspecs", "--compile", "--assemble", "--preprocess", "-cc1", "-cc1as",
];
const NO_LINK_STARTS: [&str; 3] = ["-print-", "--print-", "--help="];
/// Options whose next word is no input.
const TAKES_WORD: [&str; 34] = [
    "-z", "-m", "-L", "-l", "-rpath", "-soname", "-plugin", "-dynamic-linker", "-T", "-e", "-u", "-Xlinker", "-Xassembler",
    "-Xpreprocessor", "-Xclang", "-I", "-D", "-U", "-A", "-include", "-imacros", "-isystem", "-isysroot", "-iquote",
    "-idirafter", "-MF", "-MT", "-MQ", "--param", "-target", "-arch", "-framework", "-dumpbase", "-dumpdir",
];
/// What the driver calls its output unless it is told.
const DEFAULT_OUTPUT: &str = "a.out";
const INPUT_ENDS: [&str; 20] = [
    ".o", ".a", ".rlib", ".so", ".c", ".cc", ".cpp", ".cxx", ".c++", ".cp", ".C", ".i", ".ii", ".m", ".mm", ".s", ".S",
    ".lo", ".bc", ".ll",
];
const MAX_RESPONSE_DEPTH: u32 = 8;
/// So far above us rustc is looked for.
const MAX_HEIGHT: u32 = 8;
/// What the name of a variable with a credential has in it.
const SECRETS: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];
/// Exit codes of sccache where it, or its server, failed: rustc ends with 0, 1 or 101, gcc with 1 or 4. Where nvcc fails it
/// ends with 254 too.
const SCCACHE_FAILED: i32 = 2;
const ITS_SERVER_FAILED: i32 = 254;
const SIGNALS: [i32; 4] = [1, 2, 3, 15]; // HUP INT QUIT TERM
const IGNORED: usize = 1;
/// The process that does the work for us; 0: none.
static CHILD: AtomicI32 = AtomicI32::new(0);
/// The last signal that was meant for us alone; 0: none came.
static ASKED_TO_END: AtomicI32 = AtomicI32::new(0);
const P_PID: i32 = 1;
const HAS_ENDED: i32 = 4;
const LEAVE_IT: i32 = if cfg!(target_os = "linux") { 0x0100_0000 } else { 0x20 };
/// What the tool left behind is waited for so long.
const REST_LIMIT: Duration = Duration::from_secs(5);

extern "C" {
    fn wait4(pid: i32, status: *mut i32, options: i32, usage: *mut Usage) -> i32;
    fn waitid(which: i32, id: u32, found: *mut [u64; 16], options: i32) -> i32;
    fn signal(number: i32, handler: usize) -> usize;
    fn kill(pid: i32, number: i32) -> i32;
    fn getpid() -> i32;
    fn getppid() -> i32;
    fn setrlimit(resource: i32, limit: *const [u64; 2]) -> i32;
    fn fork() -> i32;
    fn dup2(old: i32, new: i32) -> i32;
    #[cfg(target_os = "linux")]
    fn prctl(option: i32, value: usize, more: usize, than: usize, needed: usize) -> i32;
}

/// `struct rusage` on 64-bit systems.
#[repr(C)]
#[derive(Default)]
struct Usage {
    user: [i64; 2],
    system: [i64; 2],
    max_rss: i64,
    rest: [i64; 13],
}

impl Usage {
    /// With what another process took: the largest counts.
    fn add(&mut self, other: &Usage) {
        self.max_rss = self.max_rss.max(other.max_rss);
        for at in 0..2 {
            self.user[at] += other.user[at];
            self.system[at] += other.system[at];
        }
    }
}

fn main() {
    let mut args = env::args_os();
    let me = args.next().unwrap_or_default();
    let name = Path::new(&me).file_name().unwrap_or(OsStr::new("cc")).to_owned();
    let args: Vec<OsString> = args.collect();
    let path = env::var_os("PATH").unwrap_or_default();
    let (real, rest) = find_real(&name, &path);
    let is_cache = CACHES.iter().any(|cache| name == *cache);
    let Some(real) = our_program(&name).or(real) else {
        if is_cache && is_compilation(&args) {
            let mut compiler = Command::new(&args[0]);
            compiler.args(&args[1..]);
            take_over(compiler); // somebody wrote our path down, and the cache has gone since
        }
        eprintln!("{}: not found on PATH", name.to_string_lossy());
        exit(127);
    };
    let mut command = Command::new(&real); // its own path as argv[0]: gcc finds its parts from there
    if is_cache {
        take_over_cache(command, &name, args, rest);
    }
    command.args(&args);
    let Some(notes) = env::var_os("DECK_FRONTS").and_then(|folder| open_notes(Path::new(&folder), "links.jsonl"))
    else {
        take_over(command);
    };
    match read_link(&args) {
        Some(link) => run(command, &name, link, notes),
        None => take_over(command),
    }
}

/// A cache sees the real compiler, whether it looks for it or was given our path.
fn take_over_cache(mut command: Command, name: &OsStr, mut args: Vec<OsString>, path: OsString) -> ! {
    let is_for_rustc = is_for_rustc(&args);
    if !is_for_rustc {
        command.env("PATH", &path);
    }
    let compiler = args.first().map(PathBuf::from).filter(|first| is_me(first));
    if let Some(real) = compiler.and_then(|first| find_real(first.file_name()?, &path).0) {
        args[0] = real.into();
    }
    match env::var_os("DECK_CACHE_SERVER") {
        Some(socket) if is_compilation(&args) && name == "sccache" => cache_or_compile(command, &args, &socket),
        _ if is_for_rustc => note_call(&args, false),
        _ => {}
    }
    command.args(&args);
    take_over(command);
}

/// Through the server that cargo-deck started, or without it: where it is gone, or goes before it has answered, sccache
/// ends with a code that no compiler gives through it.
///
/// Of a crate that it keeps, sccache lists the sources first, and where that fails its words are all that is printed:
/// other ones than the compiler's. So what it prints of such a crate is held back until it has gone well.
fn cache_or_compile(command: Command, args: &[OsString], socket: &OsStr) -> ! {
    let mut compiler = Command::new(&args[0]);
    compiler.args(&args[1..]);
    if UnixStream::connect(socket).is_err() {
        note_call(args, true);
        take_over(compiler);
    }
    note_call(args, false);
    let is_held_back = is_for_rustc(args) && is_kept(args);
    let Some(said) = ask(command, args, is_held_back) else { take_over(compiler) };
    let status = said.status.into_raw();
    let errors = without_its_own(&said.stderr);
    let has_failed = is_its_own_failure(status, args);
    if has_failed || errors.len() < said.stderr.len() {
        note_call(args, true);
    }
    let is_wanted = ASKED_TO_END.load(SeqCst) == 0;
    if is_wanted && (has_failed || (is_held_back && status & 0x7f == 0 && status != 0)) {
        take_over(compiler);
    }
    let _ = std::io::stdout().write_all(&said.stdout);
    let _ = std::io::stderr().write_all(&errors);
    end_as(status)
}

/// How sccache ended, and what it printed where that is held back. None: it could not be started.
fn ask(mut command: Command, args: &[OsString], is_held_back: bool) -> Option<Output> {
    command.args(args);
    if is_held_back {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    pass_signals_on();
    let child = command.spawn().ok()?;
    pass_them_to(child.id() as i32);
    let said = child.wait_with_output().unwrap_or_else(|_| exit(125));
    CHILD.store(0, SeqCst);
    Some(said)
}

/// Not the compiler failed, but sccache or its server did.
fn is_its_own_failure(status: i32, args: &[OsString]) -> bool {
    let is_nvcc = Path::new(&args[0]).file_name() == Some(OsStr::new("nvcc"));
    status == SCCACHE_FAILED << 8 || (status == ITS_SERVER_FAILED << 8 && !is_nvcc)
}

/// What the compiler printed, without what sccache says where its server died and it has compiled itself: cargo would
/// print that again whenever the crate is fresh.
fn without_its_own(said: &[u8]) -> Vec<u8> {
    said.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"sccache: ")).flatten().copied().collect()
}

/// A crate that sccache keeps; what it does not, the compiler prints as it goes.
fn is_kept(args: &[OsString]) -> bool {
    let mut words = args.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        let value = match word.as_ref() {
            "-C" | "--codegen" | "--crate-type" => words.next().unwrap_or_default(),
            _ => continue,
        };
        if value.starts_with("incremental=") || ["bin", "dylib", "cdylib", "proc-macro"].contains(&value.as_ref()) {
            return false;
        }
    }
    true
}

fn take_over(mut command: Command) -> ! {
    let error = command.exec();
    eprintln!("{}: {error}", command.get_program().to_string_lossy());
    exit(126);
}

/// This very file, under whatever name.
fn is_me(file: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    static ME: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    let me = *ME.get_or_init(|| identity(&env::current_exe().ok()?));
    me.is_some() && identity(file) == me
}

/// The cache whose server cargo-deck started: rustup puts a folder of its own first in PATH, which may hold another one.
fn our_program(name: &OsStr) -> Option<PathBuf> {
    let program = env::var_os("DECK_CACHE_PROGRAM").map(PathBuf::from)?;
    (program.file_name() == Some(name) && is_program(&program)).then_some(program)
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The first executable of this name on PATH that is not this program, and PATH without our folders.
/// Each of them is named as the one tool that it holds.
fn find_real(name: &OsStr, path: &OsStr) -> (Option<PathBuf>, OsString) {
    let is_ours = |folder: &PathBuf| folder.file_name().is_some_and(|tool| is_me(&folder.join(tool)));
    let rest: Vec<PathBuf> = env::split_paths(path).filter(|folder| !is_ours(folder)).collect();
    let real = rest.iter().map(|folder| folder.join(name)).find(|file| is_program(file) && !is_me(file));
    (real, env::join_paths(rest).unwrap_or_else(|_| path.to_owned()))
}

/// It is asked to run a compiler, not for something about itself.
fn is_compilation(args: &[OsString]) -> bool {
    args.first().is_some_and(|first| !first.as_bytes().starts_with(b"-"))
}

fn is_for_rustc(args: &[OsString]) -> bool {
    let names = |word: &OsString| Path::new(word).file_name().map(|name| name.to_string_lossy().into_owned());
    args.first().and_then(names).is_some_and(|name| name == "rustc" || name.starts_with("clippy-driver"))
}

fn open_notes(folder: &Path, name: &str) -> Option<File> {
    OpenOptions::new().append(true).create(true).open(folder.join(name)).ok()
}

/// One line for what rustc is asked to compile; cargo's questions to it are none. Values of variables that are named
/// like a credential, or hold a URL with one, stay out of it.
fn note_call(args: &[OsString], is_direct: bool) {
    let at_name = args.iter().position(|word| word.as_bytes().starts_with(b"--crate-name"));
    let is_named = at_name.is_some_and(|at| args[at].as_bytes().contains(&b'=') || args.get(at + 1).is_some_and(|name| name != "___"));
    if !is_named || args.iter().any(|word| word == "-") {
        return;
    }
    // A build script tries what the compiler can do: what cargo itself compiles has this variable.
    let is_probe = env::var_os("CARGO_CRATE_NAME").is_none();
    let Some(mut notes) = env::var_os("DECK_FRONTS").and_then(|folder| open_notes(Path::new(&folder), "cache.jsonl"))
    else {
        return;
    };
    let words: Vec<String> = args.iter().map(|word| quoted(word)).collect();
    let variables: Vec<String> = env::vars_os()
        .filter(|(name, _)| name.as_bytes().starts_with(b"CARGO"))
        .map(|(name, value)| {
            let text = name.to_string_lossy().to_uppercase();
            let is_secret = SECRETS.iter().any(|word| text.contains(word)) || has_user_info(&value.to_string_lossy());
            format!("{}:{}", quoted(&name), if is_secret { "null".to_owned() } else { quoted(&value) })
        })
        .collect();
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let line = format!(
        "{{\"call\":\"{}-{}\",\"at\":{:.6},\"cwd\":{},\"direct\":{is_direct},\"probe\":{is_probe},\"argv\":[{}],\"env\":{{{}}}}}\n",
        unsafe { getpid() },
        at.as_nanos(),
        at.as_secs_f64(),
        quoted(env::current_dir().unwrap_or_default().as_os_str()),
        words.join(","),
        variables.join(","),
    );
    let _ = notes.write_all(line.as_bytes());
}

/// A URL in it says who asks, and perhaps with which password: `http://me:secret@proxy:8080`.
fn has_user_info(text: &str) -> bool {
    let ends = |sign: char| sign == '/' || sign.is_whitespace();
    text.split("://").skip(1).any(|rest| rest.split(ends).next().is_some_and(|place| place.contains('@')))
}

#[derive(Default)]
struct Link {
    output: OsString,
    inputs: u64,
    input_bytes: u64,
    /// What follows `-fuse-ld=` or `--ld-path=`.
    linker: Option<String>,
    /// rustc's own lld: it gives gcc a folder of that name to look in.
    is_rust_lld: bool,
    is_shared: bool,
    /// All files from here on are in a language that was named, whatever they are called.
    is_language_named: bool,
    /// mold links in a child of its own, and says that it is done before that one has ended.
    is_mold: bool,
}

impl Link {
    fn add(&mut self, word: &OsStr) {
        self.inputs += 1;
        self.input_bytes += fs::metadata(word).map(|found| found.len()).unwrap_or(0);
    }

    /// A folder in which the driver looks for its linker first.
    fn look_in(&mut self, folder: &str) {
        self.is_rust_lld |= folder.trim_end_matches('/').ends_with("gcc-ld");
        self.is_mold |= folder.contains("mold");
    }
}

/// What the command links; None where it does not.
fn read_link(args: &[OsString]) -> Option<Link> {
    let mut link = Link { output: DEFAULT_OUTPUT.into(), ..Link::default() };
    (read_words(args, &mut link, 0) && link.inputs > 0).then_some(link)
}

/// False: this is no link.
fn read_words(args: &[OsString], link: &mut Link, depth: u32) -> bool {
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if NO_LINK.contains(&text.as_ref()) || NO_LINK_STARTS.iter().any(|start| text.starts_with(start)) {
            return false;
        }
        if let Some(file) = text.strip_prefix('@') {
            let inner = read_response(Path::new(file));
            if depth < MAX_RESPONSE_DEPTH && !read_words(&inner, link, depth + 1) {
                return false;
            }
        } else if let Some(output) = value_of(word, &mut words, "-o", "--output") {
            link.output = output;
        } else if let Some(language) = value_of(word, &mut words, "-x", "--language") {
            if language.as_bytes().ends_with(b"-header") {
                return false;
            }
            link.is_language_named = language != "none";
        } else if let Some(folder) = value_of(word, &mut words, "-B", "--prefix") {
            link.look_in(&folder.to_string_lossy());
        } else if TAKES_WORD.contains(&text.as_ref()) {
            words.next();
        } else if let Some(name) = text.strip_prefix("-fuse-ld=").or(text.strip_prefix("--ld-path=")) {
            link.linker = Some(name.to_owned());
            link.is_mold |= name.contains("mold");
        } else if text == "-shared" {
            link.is_shared = true;
        } else if text == "-" || (!text.starts_with('-') && (link.is_language_named || is_input(&text))) {
            link.add(word);
        }
    }
    true
}

/// What an option was given: `-o FILE`, `-oFILE`, `--output FILE`, `--output=FILE`. None: it is not that option.
fn value_of<'a>(
    word: &OsStr, rest: &mut impl Iterator<Item = &'a OsString>, short: &str, long: &str,
) -> Option<OsString> {
    if word == short || word == long {
        return Some(rest.next().cloned().unwrap_or_default());
    }
    let bytes = word.as_bytes();
    let of_long = bytes.strip_prefix(long.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
    of_long.or(bytes.strip_prefix(short.as_bytes())).map(|value| OsStr::from_bytes(value).to_owned())
}

fn is_input(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    INPUT_ENDS.iter().any(|end| name.ends_with(end)) || name.contains(".so.")
}

/// Words of an `@file`: separated by white space, `\` and quotes as gcc reads them.
fn read_response(file: &Path) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = 0;
    let mut bytes = fs::read(file).unwrap_or_default().into_iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => word.get_or_insert_default().extend(bytes.next()),
            b'"' | b'\'' if quote == 0 => {
                quote = byte;
                word.get_or_insert_default();
            }
            _ if byte == quote => quote = 0,
            _ if quote == 0 && byte.is_ascii_whitespace() => words.extend(word.take().map(OsString::from_vec)),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word.map(OsString::from_vec));
    words
}

fn run(mut command: Command, name: &OsStr, link: Link, mut notes: File) -> ! {
    pass_signals_on(); // before anything is noted: what begins there ends there
    let started = Instant::now();
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = format!("{}-{}", unsafe { getpid() }, at.as_nanos());
    let _ = notes.write_all(start_line(&id, at, name, &link).as_bytes());
    let stand_in = if link.is_mold { leave_a_stand_in() } else { None };
    let child = match command.spawn() {
        Ok(child) => child.id() as i32,
        Err(_) if stand_in.is_none() => take_over(command),
        Err(_) => exit(126),
    };
    pass_them_to(child);
    let (status, mut usage) = wait_for(child);
    let elapsed = started.elapsed();
    if let Some(mut stand_in) = stand_in {
        let _ = stand_in.write_all(&status.to_ne_bytes());
        drop(stand_in);
        collect_the_rest(&mut usage);
    }
    let _ = notes.write_all(end_line(&id, elapsed, status, &usage, &link).as_bytes());
    end_as(status);
}

/// Status and figures of a child, once it has ended.
fn wait_for(child: i32) -> (i32, Usage) {
    let (mut status, mut usage) = (0, Usage::default());
    // Not taken yet: as long as nobody else can have its number, signals are passed on to it.
    while unsafe { waitid(P_PID, child as u32, &mut [0; 16], HAS_ENDED | LEAVE_IT) } < 0 && was_interrupted() {}
    CHILD.store(0, SeqCst);
    while unsafe { wait4(child, &mut status, 0, &mut usage) } < 0 {
        if !was_interrupted() {
            exit(125);
        }
    }
    (status, usage)
}

fn was_interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

/// From now on, a signal that ends a tool is the tool's: it goes to the child, and that one's end is ours. A child does
/// not inherit this; what our caller ignores, both of us ignore.
fn pass_signals_on() {
    for number in SIGNALS {
        if unsafe { listen(number) } == IGNORED {
            unsafe { signal(number, IGNORED) };
        }
    }
}

/// Pass them on to this child, with the one that came before there was any.
fn pass_them_to(child: i32) {
    CHILD.store(child, SeqCst);
    pass_on(ASKED_TO_END.load(SeqCst));
}

fn pass_on(number: i32) {
    let child = CHILD.load(SeqCst);
    if child > 0 && number > 0 {
        unsafe { kill(child, number) };
    }
}

extern "C" fn take_signal(number: i32) {
    ASKED_TO_END.store(number, SeqCst);
    pass_on(number);
}

/// Where the kernel says who sent a signal: those of a terminal go to the whole group, the child has them already.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn listen(number: i32) -> usize {
    /// `struct sigaction` of glibc and musl.
    #[repr(C)]
    struct Action {
        handler: usize,
        mask: [u64; 16],
        flags: i32,
        restorer: usize,
    }
    const WITH_SENDER_AND_RESTART: i32 = 0x1000_0004; // SA_RESTART | SA_SIGINFO
    extern "C" {
        fn sigaction(number: i32, new: *const Action, old: *mut Action) -> i32;
    }
    /// `sent`: a `siginfo_t`, its third number is `si_code`, and above 0 where the kernel sent it by itself.
    extern "C" fn take(number: i32, sent: *const [i32; 3], _: *const u8) {
        if unsafe { (*sent)[2] } <= 0 {
            take_signal(number);
        }
    }
    let handler = take as extern "C" fn(i32, *const [i32; 3], *const u8) as usize;
    let new = Action { handler, mask: [0; 16], flags: WITH_SENDER_AND_RESTART, restorer: 0 };
    let mut old = Action { handler: 0, mask: [0; 16], flags: 0, restorer: 0 };
    sigaction(number, &new, &mut old);
    old.handler
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
unsafe fn listen(number: i32) -> usize {
    signal(number, take_signal as extern "C" fn(i32) as usize)
}

/// End as the tool did.
fn end_as(status: i32) -> ! {
    let dead_of = status & 0x7f;
    if dead_of == 0 {
        exit(status >> 8 & 0xff);
    }
    unsafe {
        setrlimit(4, &[0, 0]); // no second core file
        signal(dead_of, 0);
        kill(getpid(), dead_of);
    }
    exit(128 + dead_of);
}

/// Go on in a child, which processes without a parent go to; this process ends as soon as it is told how the tool
/// ended. None where that is not possible.
#[cfg(target_os = "linux")]
fn leave_a_stand_in() -> Option<UnixStream> {
    let (mut ours, theirs) = UnixStream::pair().ok()?;
    match unsafe { fork() } {
        -1 => None,
        0 => {
            unsafe { prctl(36, 1, 0, 0, 0) }; // PR_SET_CHILD_SUBREAPER
            Some(theirs)
        }
        stand_in => {
            drop(theirs);
            pass_them_to(stand_in);
            let mut status = [0; 4];
            match ours.read_exact(&mut status) {
                Ok(()) => end_as(i32::from_ne_bytes(status)),
                Err(_) => exit(125),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn leave_a_stand_in() -> Option<UnixStream> {
    None
}

/// Wait for what the tool left behind, for a moment: the memory that was taken is in it. Nobody waits for us.
fn collect_the_rest(usage: &mut Usage) {
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        for fd in 0..3 {
            unsafe { dup2(null.as_raw_fd(), fd) }; // whoever reads what the tool prints is not kept waiting
        }
    }
    let until = Instant::now() + REST_LIMIT;
    while Instant::now() < until {
        let (mut status, mut more) = (0, Usage::default());
        match unsafe { wait4(-1, &mut status, 1, &mut more) } {
            0 => std::thread::sleep(Duration::from_millis(2)),
            -1 => return, // there is nobody left
            _ => usage.add(&more),
        }
    }
}

fn start_line(id: &str, at: Duration, name: &OsStr, link: &Link) -> String {
    let cwd = env::current_dir().unwrap_or_default();
    let variable = |name: &str| env::var_os(name).map_or("null".to_owned(), |value| quoted(&value));
    let crate_words = crate_words().iter().map(|word| quoted(word)).collect::<Vec<_>>().join(",");
    format!(
        "{{\"link\":\"{id}\",\"at\":{:.6},\"pid\":{},\"parent\":{},\"tool\":{},\"cwd\":{},\"output\":{},\"inputs\":{},\
         \"input_bytes\":{},\"fuse\":{},\"rust_lld\":{},\"shared\":{},\"rustc\":[{crate_words}],\
         \"package\":{},\"version\":{},\"binary\":{},\"crate\":{},\"manifest_dir\":{}}}\n",
        at.as_secs_f64(),
        unsafe { getpid() },
        unsafe { getppid() },
        quoted(name),
        quoted(cwd.as_os_str()),
        quoted(&link.output),
        link.inputs,
        link.input_bytes,
        link.linker.as_ref().map_or("null".to_owned(), |linker| quoted(OsStr::new(linker))),
        link.is_rust_lld,
        link.is_shared,
        variable("CARGO_PKG_NAME"),
        variable("CARGO_PKG_VERSION"),
        variable("CARGO_BIN_NAME"),
        variable("CARGO_CRATE_NAME"),
        variable("CARGO_MANIFEST_DIR"),
    )
}

/// Of the rustc that links: the words that say which crate, and as what. Options and values are told apart.
fn crate_words() -> Vec<OsString> {
    let mut found = Vec::new();
    let mut words = compiler_words().into_iter();
    while let Some(word) = words.next() {
        if word == "--test" || word.as_bytes().ends_with(b".rs") {
            found.push(word);
            continue;
        }
        for option in ["--crate-name", "--crate-type", "--out-dir", "--cfg"] {
            let joined = word.as_bytes().strip_prefix(option.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            let value = match joined {
                Some(value) => OsString::from_vec(value.to_vec()),
                None if word == option => words.next().unwrap_or_default(),
                None => continue,
            };
            if option != "--cfg" || value == "test" {
                found.extend([option.into(), value]);
            }
            break;
        }
    }
    found
}

/// The command line of the nearest rustc above us, with what its `@file`s say; a linker that a person wrote may stand
/// between. Empty: none is seen.
fn compiler_words() -> Vec<OsString> {
    let mut pid = unsafe { getppid() };
    for _ in 0..MAX_HEIGHT {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<OsString> = line.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
        if is_for_rustc(&words) || words.iter().any(|word| word == "--crate-name") {
            return with_argument_files(words, Path::new(&format!("/proc/{pid}/cwd")));
        }
        match parent_of(pid) {
            Some(above) if above > 1 && Path::new(&words[0]).file_name() != Some(OsStr::new("cargo")) => pid = above,
            _ => break,
        }
    }
    Vec::new()
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// rustc reads a word a line in them.
fn with_argument_files(words: Vec<OsString>, cwd: &Path) -> Vec<OsString> {
    let read = |word: OsString| match word.as_bytes().strip_prefix(b"@") {
        Some(file) => {
            let content = fs::read_to_string(cwd.join(OsStr::from_bytes(file))).unwrap_or_default();
            content.lines().map(OsString::from).collect()
        }
        None => vec![word],
    };
    words.into_iter().flat_map(read).collect()
}

fn end_line(id: &str, elapsed: Duration, status: i32, usage: &Usage, link: &Link) -> String {
    let seconds = |time: [i64; 2]| time[0] as f64 + time[1] as f64 / 1e6;
    let output = fs::metadata(&link.output).ok().map(|found| found.len());
    let signal = status & 0x7f;
    format!(
        "{{\"end\":\"{id}\",\"elapsed_s\":{:.6},\"user_s\":{:.6},\"sys_s\":{:.6},\"peak_bytes\":{},\"code\":{},\
         \"signal\":{},\"output_bytes\":{}}}\n",
        elapsed.as_secs_f64(),
        seconds(usage.user),
        seconds(usage.system),
        usage.max_rss * if cfg!(target_os = "macos") { 1 } else { 1024 },
        if signal == 0 { (status >> 8 & 0xff).to_string() } else { "null".to_owned() },
        if signal == 0 { "null".to_owned() } else { signal.to_string() },
        output.map_or("null".to_owned(), |size| size.to_string()),
    )
}

/// A JSON string; bytes that are no UTF-8 become U+FFFD.
fn quoted(text: &OsStr) -> String {
    let mut out = String::from("\"");
    for sign in String::from_utf8_lossy(text.as_bytes()).chars() {
        match sign {
            '"' | '\\' => {
                out.push('\\');
                out.push(sign);
            }
            _ if (sign as u32) < 0x20 || sign as u32 == 0x7f => out.push_str(&format!("\\u{:04x}", sign as u32)),
            _ => out.push(sign),
        }
    }
    out.push('"');
    out
}
