//! Before `cc` and before compiler caches.

use crate::cache::{is_compilation, take_over_cache, CACHES};
use crate::link::{read_link, run};
use crate::note::open_notes;
use crate::tool::{find_real, our_program, take_over};
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{exit, Command};

/// Name under which this program was called, and its arguments.
pub fn called() -> (OsString, Vec<OsString>) {
    let mut args = env::args_os();
    let me = args.next().unwrap_or_default();
    (Path::new(&me).file_name().unwrap_or(OsStr::new("cc")).to_owned(), args.collect())
}

/// Run the tool of this name in place of this process.
pub fn stand_before(name: &OsStr, args: Vec<OsString>) -> ! {
    let path = env::var_os("PATH").unwrap_or_default();
    let (real, rest) = find_real(name, &path);
    let is_cache = CACHES.iter().any(|cache| name == *cache);
    let Some(real) = our_program(name).or(real) else {
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
        take_over_cache(command, name, args, rest);
    }
    command.args(&args);
    let Some(notes) = env::var_os("DECK_FRONTS").and_then(|folder| open_notes(Path::new(&folder), "links.jsonl"))
    else {
        take_over(command);
    };
    match read_link(&args) {
        Some(link) => run(command, name, link, notes),
        None => take_over(command),
    }
}
