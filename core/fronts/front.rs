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
//! Whatever fails here, the real tool runs. Where there is an nvcc, `front_nvcc.rs` is built instead: that takes longer.

mod cache;
mod child;
mod link;
mod note;
mod plain;
mod rustc;
mod tool;

fn main() {
    let (name, args) = plain::called();
    plain::stand_before(&name, args);
}
