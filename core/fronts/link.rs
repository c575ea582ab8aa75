//! Before `cc` where it links: what goes into the link, and what it takes.

use crate::child::{collect_the_rest, end_as, end_figures, leave_a_stand_in, pass_signals_on, pass_them_to, wait_for, Usage};
use crate::note::{quoted, since_epoch};
use crate::rustc::crate_words;
use crate::tool::take_over;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::{self, exit, Command};
use std::time::{Duration, Instant};

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

#[derive(Default)]
pub struct Link {
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

    /// A word that stands for itself.
    fn take(&mut self, word: &OsStr) {
        let text = word.to_string_lossy();
        if let Some(name) = text.strip_prefix("-fuse-ld=").or(text.strip_prefix("--ld-path=")) {
            self.linker = Some(name.to_owned());
            self.is_mold |= name.contains("mold");
        } else if text == "-shared" {
            self.is_shared = true;
        } else if text == "-" || (!text.starts_with('-') && (self.is_language_named || is_input(&text))) {
            self.add(word);
        }
    }

    /// A folder in which the driver looks for its linker first.
    fn look_in(&mut self, folder: &str) {
        self.is_rust_lld |= folder.trim_end_matches('/').ends_with("gcc-ld");
        self.is_mold |= folder.contains("mold");
    }
}

/// What the command links; None where it does not.
pub fn read_link(args: &[OsString]) -> Option<Link> {
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
        } else {
            link.take(word);
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

/// Words of an `@file`: separated by white space, `\` and quotes as gcc reads them. None of what can be read once.
fn read_response(file: &Path) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = 0;
    let text = if file.is_file() { fs::read(file).unwrap_or_default() } else { Vec::new() };
    let mut bytes = text.into_iter();
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

pub fn run(mut command: Command, name: &OsStr, link: Link, mut notes: File) -> ! {
    pass_signals_on(); // before anything is noted: what begins there ends there
    let started = Instant::now();
    let at = since_epoch();
    let id = format!("{}-{}", process::id(), at.as_nanos());
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
fn start_line(id: &str, at: Duration, name: &OsStr, link: &Link) -> String {
    let cwd = env::current_dir().unwrap_or_default();
    let variable = |name: &str| env::var_os(name).map_or("null".to_owned(), |value| quoted(&value));
    let crate_words = crate_words().iter().map(|word| quoted(word)).collect::<Vec<_>>().join(",");
    format!(
        "{{\"link\":\"{id}\",\"at\":{:.6},\"pid\":{},\"parent\":{},\"tool\":{},\"cwd\":{},\"output\":{},\"inputs\":{},\
         \"input_bytes\":{},\"fuse\":{},\"rust_lld\":{},\"shared\":{},\"rustc\":[{crate_words}],\
         \"package\":{},\"version\":{},\"binary\":{},\"crate\":{},\"manifest_dir\":{}}}\n",
        at.as_secs_f64(),
        process::id(),
        parent_id(),
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
fn end_line(id: &str, elapsed: Duration, status: i32, usage: &Usage, link: &Link) -> String {
    let output = fs::metadata(&link.output).map_or("null".to_owned(), |found| found.len().to_string());
    let figures = end_figures(elapsed, status, Some(usage));
    format!("{{\"end\":\"{id}\",{figures},\"output_bytes\":{output}}}\n")
}
