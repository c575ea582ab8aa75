//! Which outputs hold the path of their source: those are good in that folder alone.
//!
//! What the preprocessor wrote tells: a path in it, beside its line markers, is in what is made of it, whatever a compiler
//! makes of it later. Besides, nvcc makes names of the CRC-32 of the source's path where something of a source is its own.

use crate::nvcc_args::Kind;
use crate::nvcc_place::{find, find_all, Place};
use crate::nvcc_read::Closure;
use crate::nvcc_text::why_preprocessed_not_kept;
use crate::nvcc_watch::Temporary;
use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What only a compiler makes a path of.
const ASKS_FOR_PATH: [&[u8]; 3] = [b"__builtin_FILE", b"__builtin_source_location", b"__BASE_FILE__"];

/// How an output goes with the path of its source.
#[derive(PartialEq, Eq, Debug)]
pub enum Tie {
    /// It has nothing of it.
    Free,
    /// It has the path's CRC-32 in names, in plain text, which can be changed to that of another path.
    Named,
    /// It is good in this folder alone; why.
    Bound(&'static str),
}

/// What is known of a call that ended well.
pub struct Made<'a> {
    pub place: &'a Place,
    pub kind: Kind,
    pub output: &'a [u8],
    /// What nvcc made on its way, as far as it was seen.
    pub temporaries: &'a [Temporary],
    pub scan: &'a Scan,
    pub closure: &'a Closure,
    /// So many texts and codes nvcc made.
    pub wanted: (usize, usize),
}

/// What is in the texts that were preprocessed.
#[derive(Default)]
pub struct Scan {
    /// Name and size of each.
    pub texts: Vec<(String, u64)>,
    /// Files that the preprocessor entered.
    pub entered: BTreeSet<Vec<u8>>,
    why_bound: Option<&'static str>,
    asks_for_name: bool,
    /// Why what is made of them is not to be kept.
    pub why_not_kept: Option<&'static str>,
}

impl Scan {
    pub fn of(temporaries: &[Temporary], place: &Place) -> Scan {
        let mut scan = Scan { texts: texts_of(temporaries), ..Scan::default() };
        for file in temporaries.iter().filter(is_text) {
            match read_whole(&file.file) {
                Ok(text) => scan.add(&text, place),
                Err(_) => scan.why_not_kept = Some("a part that could not be read"),
            }
        }
        scan
    }

    fn add(&mut self, text: &[u8], place: &Place) {
        self.entered.extend(entered(text));
        self.why_not_kept = self.why_not_kept.or_else(|| why_preprocessed_not_kept(text));
        if find_all(text, place.base.as_os_str().as_bytes()).any(|at| !is_in_marker(text, at)) {
            self.why_bound = Some("its text holds a path");
        }
        self.asks_for_name |= ASKS_FOR_PATH.iter().any(|name| find(text, name).is_some());
    }

    fn why_bound(&self, closure: &Closure) -> Option<&'static str> {
        let asks = self.asks_for_name && closure.has_absolute_names;
        self.why_bound.or(asks.then_some("it asks for the name of its source"))
    }
}

fn is_text(file: &&Temporary) -> bool {
    file.name.ends_with(".ii")
}

pub fn texts_of(temporaries: &[Temporary]) -> Vec<(String, u64)> {
    let size = |file: &Temporary| file.file.metadata().map_or(u64::MAX, |about| about.len());
    temporaries.iter().filter(is_text).map(|file| (file.name.clone(), size(file))).collect()
}

impl Made<'_> {
    pub fn tie(&self) -> Tie {
        let base = self.place.base.as_os_str().as_bytes();
        if find(self.output, base).is_some() || find(self.output, &temporary_start()).is_some() {
            return Tie::Bound("its output holds a path");
        }
        if self.wanted.0 == 0 || self.scan.texts.len() < self.wanted.0 {
            return Tie::Bound("what was preprocessed was not seen");
        }
        if let Some(why) = self.scan.why_bound(self.closure) {
            return Tie::Bound(why);
        }
        self.tie_of_names()
    }

    /// All files of these ends. None: there should be more.
    fn seen(&self, ends: &[&str], wanted: usize) -> Option<Vec<&File>> {
        let is_it = |file: &&Temporary| ends.iter().any(|end| file.name.ends_with(end));
        let found: Vec<&File> = self.temporaries.iter().filter(is_it).map(|file| &file.file).collect();
        (wanted > 0 && found.len() >= wanted).then_some(found)
    }

    fn tie_of_names(&self) -> Tie {
        let name = source_name(&self.place.source);
        let is_named = |code: &[u8]| find(code, name.as_bytes()).is_some();
        if self.kind == Kind::Ptx && !is_named(self.output) {
            return Tie::Free;
        }
        if self.kind == Kind::Ptx && find_all(self.output, name.as_bytes()).all(|at| is_name(&self.output[at + name.len()..])) {
            return Tie::Named;
        }
        if is_named(self.output) {
            return Tie::Bound("it has names of its own");
        }
        if self.kind == Kind::Cubin {
            return Tie::Free;
        }
        let Some(codes) = self.seen(&[".ptx", ".cubin"], self.wanted.1) else { return Tie::Bound("its code was not seen") };
        let is_free = |file: &&File| read_whole(file).is_ok_and(|code| !is_named(&code));
        if codes.iter().all(is_free) { Tie::Free } else { Tie::Bound("it has names of its own") }
    }
}

/// Files that the preprocessor entered for a text.
fn entered(text: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    // Of the markers, which are many, those say `1` behind the name.
    let lines = find_all(text, b"\" 1").map(|at| {
        let start = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        &text[start..at + find(&text[at..], b"\n").unwrap_or(text.len() - at)]
    });
    lines.filter_map(entered_file)
}

/// `# 1 "/usr/include/stdio.h" 1 3 4`: its name. None: the line says something else, or of no file.
fn entered_file(line: &[u8]) -> Option<Vec<u8>> {
    let rest = line.strip_prefix(b"# ")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest[digits..].strip_prefix(b" \"")?;
    let end = rest.iter().rposition(|byte| *byte == b'"')?;
    let is_entered = rest[end + 1..].split(|byte| *byte == b' ').any(|flag| flag == b"1");
    (is_entered && !rest.starts_with(b"<")).then(|| unescaped(&rest[..end]))
}

/// A name in a marker has a `\` before each quote and each other `\`.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        found.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    found
}

fn read_whole(mut file: &File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    Ok(text)
}

fn temporary_start() -> Vec<u8> {
    let folder = env::var_os("TMPDIR").filter(|folder| !folder.is_empty()).unwrap_or("/tmp".into());
    [folder.as_bytes(), b"/tmpxft_"].concat()
}

/// A place in a line that begins with `# 12 "`: there a path says where the next lines are from.
fn is_in_marker(text: &[u8], at: usize) -> bool {
    let start = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let rest = text[start..].strip_prefix(b"#").unwrap_or_default();
    let rest = rest.strip_prefix(b"line").unwrap_or(rest).trim_ascii_start();
    text[start] == b'#' && rest.first().is_some_and(u8::is_ascii_digit)
}

/// What nvcc 13.0 makes of a source's path in names: `_GLOBAL__N__0416b26a_4_k_cu_…`.
pub fn source_name(source: &Path) -> String {
    format!("{:08x}", crc32(source.as_os_str().as_bytes()))
}

/// Behind it stand `_`, the length of the file's name, and that.
fn is_name(rest: &[u8]) -> bool {
    matches!(rest, [b'_', digit, ..] if digit.is_ascii_digit())
}

/// That of another source in place of this one's. Both are as long.
pub fn rename(code: &[u8], old: &str, new: &str) -> Vec<u8> {
    let mut found = code.to_vec();
    let places: Vec<usize> = find_all(code, old.as_bytes()).collect();
    for at in places {
        found[at..at + old.len()].copy_from_slice(new.as_bytes());
    }
    found
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let start = (sum ^ u32::from(*byte)) & 0xff;
        let end = (0..8).fold(start, |part, _| if part & 1 == 1 { part >> 1 ^ 0xedb8_8320 } else { part >> 1 });
        sum >> 8 ^ end
    };
    !bytes.iter().fold(!0, step)
}
