//! Stands first in PATH under the name of a tool (`cc`, `sccache`), runs the real one with its arguments untouched,
//! and notes what sampling cannot see: a link lives for 40 ms.
//!
//! * `cc` that links: two lines in `$DECK_FRONTS/links.jsonl`, one when it starts, one when it has ended.
//!   Its peak is that of a child of this small process: a large parent would pass its own size on.
//! * `cc` that does not link, or nowhere to note it: the real tool takes this process over.
//! * `nvcc`: every call is noted, see there. `launch` before an nvcc that is named: the same.
//! * A compiler cache: takes this process over. For anything but rustc our folder is taken out of PATH first,
//!   because a cache hashes the compiler that it finds there. What rustc is asked to compile is noted as a line in
//!   `$DECK_FRONTS/cache.jsonl`: with it a server's log can be told apart by runs, and misses be explained.
//!   Where the server that cargo-deck started (`$DECK_CACHE_SERVER`) is gone or dies meanwhile, rustc runs without it.
//!
//! Whatever fails here, the real tool runs.

mod cache;
mod child;
mod digest;
mod inotify;
mod link;
mod note;
mod nvcc;
mod nvcc_args;
mod nvcc_bind;
mod nvcc_cache;
mod nvcc_closure;
mod nvcc_codec;
mod nvcc_files;
mod nvcc_keep;
mod nvcc_key;
mod nvcc_manifest;
mod nvcc_options;
mod nvcc_output;
mod nvcc_pending;
mod nvcc_phase;
mod nvcc_place;
mod nvcc_program;
mod nvcc_store;
mod nvcc_times;
mod nvcc_tools;
mod nvcc_watch;
mod nvcc_words;
mod rustc;
mod tee;
mod tool;

use crate::cache::{is_compilation, take_over_cache, CACHES};
use crate::link::{read_link, run};
use crate::note::open_notes;
use crate::tool::{find_real, our_program, take_over};
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{exit, Command};

/// Name of this program where CMake puts it before a compiler.
const LAUNCHER: &[u8] = b"launch";

fn main() {
    let mut args = env::args_os();
    let me = args.next().unwrap_or_default();
    let name = Path::new(&me).file_name().unwrap_or(OsStr::new("cc")).to_owned();
    let args: Vec<OsString> = args.collect();
    match name.as_bytes() {
        b"nvcc" => nvcc::find_and_run(&args),
        LAUNCHER => nvcc::launch(&args),
        _ => {}
    }
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
