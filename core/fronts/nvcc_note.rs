//! Notes of nvcc: in `$DECK_FRONTS/nvcc.jsonl` a line when a call starts, and one when it has ended.

use crate::child::{end_figures, Usage};
use crate::note::{is_secret, quoted};
use crate::note_more::{masked, or_null};
use crate::nvcc_args::Call;
use crate::nvcc_keep::Outcome;
use crate::nvcc_kept::Kept;
use crate::nvcc_key::variables;
use crate::nvcc_times::Row;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

/// Of one call that are noted.
const MAX_INPUTS: usize = 5000;
/// Of the errors of one call, from the first on.
const MAX_ERROR_BYTES: usize = 32 << 10;

/// What is known when a call has ended.
#[derive(Default)]
pub struct End {
    pub elapsed: Duration,
    /// As `wait` gives it.
    pub status: i32,
    /// None: nvcc did not run.
    pub usage: Option<Usage>,
    pub rows: Vec<Row>,
    /// Tool, arch and bytes.
    pub memory: Vec<(String, Option<String>, u64)>,
    pub files: Vec<Kept>,
    /// The folder that has them.
    pub kept: PathBuf,
    /// Size of the first output; None: there is none.
    pub output_bytes: Option<u64>,
    /// Of a call that was made ahead: when it was taken up, since its start.
    pub taken: Option<Duration>,
    /// What a call printed that failed. None: it did not, or that went to a terminal.
    pub errors: Option<Vec<u8>>,
}

/// What the depfile cache said.
pub struct Asked {
    verdict: &'static str,
    why: String,
    outcome: Outcome,
}

impl Asked {
    fn new(verdict: &'static str, why: String) -> Asked {
        Asked { verdict, why, outcome: Outcome::default() }
    }

    pub fn off() -> Asked {
        Asked::new("off", String::new())
    }

    pub fn hit(inputs: Vec<PathBuf>) -> Asked {
        let outcome = Outcome { inputs: Some(inputs), ..Outcome::default() };
        Asked { outcome, ..Asked::new("hit", String::new()) }
    }

    pub fn bypass(why: String) -> Asked {
        Asked::new("bypass", why)
    }

    pub fn miss(why: String) -> Asked {
        Asked::new("miss", why)
    }

    /// What became of a miss.
    pub fn learn(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

/// `is_ahead`: it only counts once it has an end.
pub fn start_line(call: &Call, id: &str, at: Duration, is_launched: bool, is_ahead: bool) -> String {
    let variable = |name: &str| or_null(env::var_os(name));
    let sources = call.sources();
    format!(
        "{{\"nvcc\":\"{id}\",\"at\":{:.6},\"pid\":{},\"parent\":{},\"cwd\":{},\"argv\":{},\"tool\":{},\
         \"launcher\":{is_launched},\"ahead\":{is_ahead},\"sources\":{},\"output\":{},\"kind\":\"{}\",\"archs\":{},\"package\":{},\
         \"manifest_dir\":{},\"out_dir\":{},\"env\":{}}}\n",
        at.as_secs_f64(),
        process::id(),
        parent_id(),
        quoted(call.cwd.as_os_str()),
        list(masked(&call.argv).iter().map(|word| quoted(word))),
        quoted(call.tool.as_os_str()),
        list(sources.iter().map(|source| quoted(call.at(source).as_os_str()))),
        or_null(call.outputs().into_iter().next()),
        call.kind.name(),
        list(call.archs.iter().map(|arch| quoted(OsStr::new(arch)))),
        variable("CARGO_PKG_NAME"),
        variable("CARGO_MANIFEST_DIR"),
        variable("OUT_DIR"),
        bare(environment()),
    )
}

pub fn end_line(call: &Call, id: &str, end: &End, asked: &Asked) -> String {
    let text = |text: &str| quoted(OsStr::new(text));
    let arch = |arch: &Option<String>| or_null(arch.as_ref());
    let outcome = &asked.outcome;
    let several = call.sources().len() > 1;
    let source = |row: &Row| if several { format!(",{}", text(&row.source)) } else { String::new() };
    let inputs = outcome.inputs.as_ref().map(|inputs| list(inputs.iter().take(MAX_INPUTS).map(|path| quoted(path.as_os_str()))));
    format!(
        "{{\"end\":\"{id}\",{},\"output_bytes\":{},\"verdict\":\"{}\",\"why\":{},\"not_kept\":{},\"stale\":{},\
         \"inputs\":{},\"times\":{},\"memory\":{},\"kept\":{},\"files\":{},\"taken_s\":{},\"errors\":{}}}\n",
        end_figures(end.elapsed, end.status, end.usage.as_ref()),
        bare(end.output_bytes),
        asked.verdict,
        text(&asked.why),
        or_null((!outcome.why_not_kept.is_empty()).then_some(&outcome.why_not_kept)),
        bare(outcome.is_stale),
        bare(inputs),
        list(end.rows.iter().map(|row| format!("[{},{},{}{}]", text(&row.phase), arch(&row.arch), row.ms, source(row)))),
        list(end.memory.iter().map(|(tool, of, bytes)| format!("[{},{},{bytes}]", text(tool), arch(of)))),
        or_null((!end.files.is_empty()).then_some(&end.kept)),
        list(end.files.iter().map(|file| format!("[{},\"{}\",{}]", arch(&file.arch), file.kind, text(&file.name)))),
        bare(end.taken.map(|taken| format!("{:.6}", taken.as_secs_f64()))),
        or_null(end.errors.as_ref().map(|text| OsStr::from_bytes(&text[..text.len().min(MAX_ERROR_BYTES)]))),
    )
}

/// Variables that decide what is made, for whoever makes it ahead the next time. None: one holds a credential.
fn environment() -> Option<String> {
    const MORE: [&str; 5] = ["NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS", "PATH", "PWD", "TMPDIR"];
    let more = MORE.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
    let found: Vec<(OsString, OsString)> = variables().into_iter().chain(more).collect();
    let has_secret = found.iter().any(|(name, value)| is_secret(&name.to_string_lossy(), &value.to_string_lossy()));
    let pair = |(name, value): &(OsString, OsString)| format!("{}:{}", quoted(name), quoted(value));
    (!has_secret).then(|| format!("{{{}}}", found.iter().map(pair).collect::<Vec<_>>().join(",")))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// What is JSON as it is, or `null`.
fn bare(value: Option<impl ToString>) -> String {
    value.map_or("null".to_owned(), |value| value.to_string())
}
