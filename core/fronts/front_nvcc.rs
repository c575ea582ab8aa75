//! What `front.rs` is, and stands before nvcc too: every call of it is noted, and its depfile cache is asked.

/// The one module that computes is a crate of its own, which is optimized: all else is not, so that it is soon compiled.
extern crate digest;

mod cache;
mod child;
mod inotify;
mod link;
mod note;
mod note_more;
mod nvcc;
mod nvcc_ahead;
mod nvcc_args;
mod nvcc_bind;
mod nvcc_cache;
mod nvcc_closure;
mod nvcc_codec;
mod nvcc_depfile;
mod nvcc_files;
mod nvcc_find;
mod nvcc_keep;
mod nvcc_kept;
mod nvcc_key;
mod nvcc_manifest;
mod nvcc_note;
mod nvcc_options;
mod nvcc_output;
mod nvcc_pending;
mod nvcc_phase;
mod nvcc_place;
mod nvcc_program;
mod nvcc_read;
mod nvcc_store;
mod nvcc_text;
mod nvcc_times;
mod nvcc_tools;
mod nvcc_watch;
mod nvcc_words;
mod plain;
mod rustc;
mod tee;
mod tool;

use std::os::unix::ffi::OsStrExt;

/// Name of this program where CMake puts it before a compiler.
const LAUNCHER: &[u8] = b"launch";

fn main() {
    let (name, args) = plain::called();
    match name.as_bytes() {
        b"nvcc" => nvcc::find_and_run(&args),
        LAUNCHER => nvcc::launch(&args),
        _ => plain::stand_before(&name, args),
    }
}
