//! Before a compiler cache: it sees the real compiler, and what rustc is asked to compile is noted.

use crate::child::{end_as, pass_signals_on, pass_them_to, ASKED_TO_END, CHILD};
use crate::note::{is_secret, open_notes, quoted, since_epoch};
use crate::rustc::is_for_rustc;
use crate::tool::{find_real, is_me, take_over};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{exit, id, Command, Output, Stdio};
use std::sync::atomic::Ordering::SeqCst;

pub const CACHES: [&str; 6] = ["sccache", "ccache", "zccache", "kache", "cachepot", "buildcache"];
/// Exit codes of sccache where it, or its server, failed: rustc ends with 0, 1 or 101, gcc with 1 or 4. Where nvcc fails it
/// ends with 254 too.
const SCCACHE_FAILED: i32 = 2;
const ITS_SERVER_FAILED: i32 = 254;

/// A cache sees the real compiler, whether it looks for it or was given our path.
pub fn take_over_cache(mut command: Command, name: &OsStr, mut args: Vec<OsString>, path: OsString) -> ! {
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
/// It is asked to run a compiler, not for something about itself.
pub fn is_compilation(args: &[OsString]) -> bool {
    args.first().is_some_and(|first| !first.as_bytes().starts_with(b"-"))
}
/// One line for what rustc is asked to compile; cargo's questions to it are none. Values of variables that are named
/// like a credential, or hold a URL with one, stay out of it.
fn note_call(args: &[OsString], is_direct: bool) {
    let at_name = args.iter().position(|word| word.as_bytes().starts_with(b"--crate-name"));
    let is_crate = |at: usize| args[at].as_bytes().contains(&b'=') || args.get(at + 1).is_some_and(|name| name != "___");
    let is_named = at_name.is_some_and(is_crate);
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
    let at = since_epoch();
    let line = format!(
        "{{\"call\":\"{}-{}\",\"at\":{:.6},\"cwd\":{},\"direct\":{is_direct},\"probe\":{is_probe},\"argv\":[{}],\"env\":{{{}}}}}\n",
        id(),
        at.as_nanos(),
        at.as_secs_f64(),
        quoted(env::current_dir().unwrap_or_default().as_os_str()),
        words.join(","),
        cargo_variables().join(","),
    );
    let _ = notes.write_all(line.as_bytes());
}

/// Members of a JSON object; in place of a credential stands `null`.
fn cargo_variables() -> Vec<String> {
    let own = env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"CARGO"));
    let member = |(name, value): (OsString, OsString)| {
        let is_hidden = is_secret(&name.to_string_lossy(), &value.to_string_lossy());
        format!("{}:{}", quoted(&name), if is_hidden { "null".to_owned() } else { quoted(&value) })
    };
    own.map(member).collect()
}
