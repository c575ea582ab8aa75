//! What a program is made of beside its own file: libraries, and parts that a host compiler starts.

use crate::cache::CACHES;
use crate::digest::{Digest, Hasher};
use crate::nvcc_codec::{Reader, Writer};
use crate::nvcc_files::{read_small, signature};
use crate::nvcc_place::find;
use crate::nvcc_store::{Note, Store};
use crate::tool::{is_me, is_program};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const MAX_SCRIPT_BYTES: u64 = 1 << 16;
const MAX_PROGRAM_BYTES: u64 = 1 << 30;
const HEAD_BYTES: u64 = 1 << 16;
/// Beside caches, what stands under the name of a compiler and looks for the real one in PATH.
const STAND_BEFORE: [&str; 4] = ["distcc", "icecc", "colorgcc", "gomacc"];

/// Of one program.
#[derive(Default, Debug)]
pub struct Parts {
    pub files: Vec<PathBuf>,
    pub absent: Vec<PathBuf>,
    /// Programs that it looks for in PATH.
    pub names: Vec<String>,
    /// Where it looks for headers by itself.
    pub folders: Vec<PathBuf>,
}

/// The first program of this name in these folders, then in PATH; ours are none.
pub fn resolve(name: &OsStr, first: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().cloned().chain(env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|file| is_program(file) && !is_me(file))
}

/// Run it to be told something. None: it cannot be started, or says that it failed.
pub fn ask(program: &Path, words: &[impl AsRef<OsStr>], variables: &[(&str, &OsStr)]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(words).envs(variables.iter().copied()).stdin(Stdio::null());
    command.output().ok().filter(|said| said.status.success())
}

/// Why this nvcc, or what stands in its place, cannot be told to write a depfile; None: it can.
pub fn why_no_depfile(tool: &Path, store: &Store) -> Option<String> {
    let real = tool.canonicalize().unwrap_or_default();
    if CACHES.iter().any(|cache| real.file_name() == Some(OsStr::new(cache))) {
        return Some("nvcc is a compiler cache itself".to_owned());
    }
    let mut hasher = Hasher::default();
    hasher.add_part(b"depfile 1");
    hasher.add_part(real.as_os_str().as_bytes());
    signature(&real.metadata().ok()?).iter().for_each(|number| hasher.add_part(&number.to_le_bytes()));
    let name = hasher.end();
    let why = match store.note(Note::Tools, &name) {
        Some(why) => why,
        None => {
            let why = look_for_option(&real).err().unwrap_or_default();
            store.put_note(Note::Tools, &name, why.as_bytes());
            why.into_bytes()
        }
    };
    (!why.is_empty()).then(|| String::from_utf8_lossy(&why).into_owned())
}

fn look_for_option(tool: &Path) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", tool.display());
    let mut text = read_small(tool, MAX_PROGRAM_BYTES).map_err(failed)?;
    if text.starts_with(b"#!") {
        let real = handed_on_to(&text).ok_or_else(|| format!("{} is a script: what it starts is not known", tool.display()))?;
        text = read_small(&real, MAX_PROGRAM_BYTES).map_err(failed)?;
    }
    let is_there = find(&text, b"generate-dependencies-with-compile").is_some();
    is_there.then_some(()).ok_or_else(|| "this nvcc writes no depfile beside its output".to_owned())
}

/// Err: what it starts is not known.
pub fn parts_of(program: &Path, is_host: bool, libraries: &str, store: &Store) -> Result<Parts, String> {
    let name = note_name(program, is_host, libraries).ok_or_else(|| format!("{} cannot be read", program.display()))?;
    if let Some(parts) = store.note(Note::Tools, &name).and_then(|text| read_note(&text)) {
        return Ok(parts);
    }
    let parts = look(program, is_host, libraries)?;
    store.put_note(Note::Tools, &name, &write_note(&parts));
    Ok(parts)
}

fn note_name(program: &Path, is_host: bool, libraries: &str) -> Option<Digest> {
    let mut hasher = Hasher::default();
    hasher.add_part(b"program 2");
    hasher.add_part(program.as_os_str().as_bytes());
    hasher.add_part(&[u8::from(is_host)]);
    hasher.add_part(libraries.as_bytes());
    signature(&program.metadata().ok()?).iter().for_each(|number| hasher.add_part(&number.to_le_bytes()));
    let path = ("PATH".into(), env::var_os("PATH").unwrap_or_default());
    for (name, value) in crate::nvcc_key::variables().into_iter().chain([path]) {
        hasher.add_part(name.as_bytes());
        hasher.add_part(value.as_bytes());
    }
    Some(hasher.end())
}

fn look(program: &Path, is_host: bool, libraries: &str) -> Result<Parts, String> {
    let real = program.canonicalize().unwrap_or_default();
    if CACHES.iter().chain(&STAND_BEFORE).any(|name| real.file_name() == Some(OsStr::new(name))) {
        return Err(format!("{} stands before a compiler that is not known", program.display()));
    }
    let mut head = Vec::new();
    let file = File::open(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let _ = file.take(HEAD_BYTES).read_to_end(&mut head);
    let mut parts = Parts::default();
    if head.starts_with(b"#!") {
        let why = || format!("{} is a script: what it starts is not known", program.display());
        let real = read_small(program, MAX_SCRIPT_BYTES).ok().and_then(|text| handed_on_to(&text)).ok_or_else(why)?;
        let mut start = [0; 2];
        let is_read = File::open(&real).and_then(|mut file| file.read_exact(&mut start)).is_ok();
        if is_read && start == *b"#!" {
            return Err(why());
        }
        parts.files.push(real.clone());
        parts.files.extend(libraries_of(&real, libraries));
    } else if head.starts_with(b"\x7fELF") {
        parts.files.extend(libraries_of(program, libraries));
    }
    if is_host {
        add_host_parts(program, libraries, &mut parts)?;
    }
    Ok(parts)
}

/// A script that does nothing but start a program with its own arguments: `exec /usr/lib/…/nvcc "$@"`.
fn handed_on_to(text: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let program = lines.next()?.strip_prefix("exec ")?.trim().strip_suffix("\"$@\"")?.trim_end().trim_matches('"');
    let is_plain = program.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte));
    (lines.next().is_none() && is_plain && program.starts_with('/')).then(|| program.into())
}

/// Shared libraries that a program is loaded with, as its own loader says.
fn libraries_of(program: &Path, libraries: &str) -> Vec<PathBuf> {
    let Some(loader) = loader_of(program) else { return Vec::new() };
    let words = [OsStr::new("--list"), program.as_os_str()];
    let Some(said) = ask(&loader, &words, &[("LD_LIBRARY_PATH", OsStr::new(libraries))]) else { return vec![loader] };
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let path = |line: &str| {
        let path = line.trim().rsplit_once("=> ").map_or(line.trim(), |(_, path)| path);
        let path = PathBuf::from(path.rsplit_once(" (").map_or(path, |(path, _)| path));
        path.is_absolute().then_some(path)
    };
    text.lines().filter_map(path).chain([loader]).collect()
}

/// The interpreter that a 64-bit ELF file names; None: it is static, or none of those.
fn loader_of(program: &Path) -> Option<PathBuf> {
    const INTERPRETER: u64 = 3;
    let mut head = Vec::new();
    File::open(program).ok()?.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    let order = if cfg!(target_endian = "big") { 2 } else { 1 };
    (head.starts_with(b"\x7fELF\x02") && head.get(5) == Some(&order)).then_some(())?;
    let number = |at: usize, size: usize| {
        let bytes = head.get(at..at.checked_add(size)?)?;
        let mut whole = [0; 8];
        whole[..size].copy_from_slice(bytes);
        Some(if cfg!(target_endian = "big") { u64::from_be_bytes(whole) >> (64 - 8 * size) } else { u64::from_le_bytes(whole) })
    };
    let (start, size, count) = (number(32, 8)? as usize, number(54, 2)? as usize, number(56, 2)? as usize);
    let headers = (0..count).map(|at| start.saturating_add(at * size));
    let header = headers.into_iter().find(|at| number(*at, 4) == Some(INTERPRETER))?;
    let (from, length) = (number(header + 8, 8)? as usize, number(header + 32, 8)? as usize);
    let name = head.get(from..from.checked_add(length)?)?.split(|byte| *byte == 0).next()?;
    Some(OsStr::from_bytes(name).into())
}

/// What gcc and clang say of themselves. Err: a file that clang reads may have it read others.
fn add_host_parts(program: &Path, libraries: &str, parts: &mut Parts) -> Result<(), String> {
    let answer = |word: &str| {
        let said = ask(program, &[word], &[("LC_ALL", OsStr::new("C"))])?;
        Some(OsString::from_vec(said.stdout.trim_ascii().to_vec())).filter(|found| !found.is_empty())
    };
    for part in ["cc1plus", "cc1", "as"] {
        let Some(found) = answer(&format!("-print-prog-name={part}")).map(PathBuf::from) else { continue };
        if found.is_absolute() && found.is_file() {
            parts.files.extend(libraries_of(&found, libraries));
            parts.files.push(found);
        } else if part == "as" {
            parts.names.push(part.to_owned());
        }
    }
    let own = answer("-print-libgcc-file-name").map(PathBuf::from).filter(|file| file.is_absolute());
    for folder in own.iter().flat_map(|file| file.ancestors().skip(1).take(2)) {
        let specs = folder.join("specs");
        if specs.exists() { &mut parts.files } else { &mut parts.absent }.push(specs);
    }
    let words = ["-E", "-x", "c++", "-v", "/dev/null"];
    if let Some(said) = ask(program, &words, &[("LC_ALL", OsStr::new("C"))]) {
        let said = String::from_utf8_lossy(&said.stderr);
        parts.folders.extend(searched(&said));
        parts.absent.extend(settings_of_clang(&said)?);
    }
    Ok(())
}

/// Files that clang 16 and later would read if they were there, by what it says under `-v`; none of gcc. Err: it read one.
fn settings_of_clang(said: &str) -> Result<Vec<PathBuf>, String> {
    let told = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    if let Some(file) = told("Configuration file") {
        return Err(format!("clang reads {file}"));
    }
    let (Some(installed), Some(target)) = (told("InstalledDir"), told("Target")) else { return Ok(Vec::new()) };
    let others = ["System configuration file directory", "User configuration file directory"];
    let folders = others.iter().filter_map(|name| told(name)).chain([installed]);
    let drivers = ["clang", "clang++"].map(|name| [format!("{name}.cfg"), format!("{target}-{name}.cfg")]);
    let names: Vec<String> = drivers.into_iter().flatten().chain([format!("{target}.cfg")]).collect();
    Ok(folders.flat_map(|folder| names.iter().map(move |name| Path::new(folder).join(name))).collect())
}

/// The lines that begin with a blank between `#include "..." search starts here:` and `End of search list.`
fn searched(said: &str) -> Vec<PathBuf> {
    let lines = said.lines().skip_while(|line| !line.contains("search starts here"));
    let lines = lines.take_while(|line| *line != "End of search list.");
    lines.filter_map(|line| line.strip_prefix(' ')).map(PathBuf::from).collect()
}

fn write_note(parts: &Parts) -> Vec<u8> {
    let mut writer = Writer::default();
    for list in [&parts.files, &parts.absent, &parts.folders] {
        writer.list(list, |writer, path| writer.bytes(path.as_os_str().as_bytes()));
    }
    writer.list(&parts.names, |writer, name| writer.bytes(name.as_bytes()));
    writer.text
}

fn read_note(text: &[u8]) -> Option<Parts> {
    let mut reader = Reader::new(text);
    let mut paths = || reader.list(|reader| Some(PathBuf::from(OsString::from_vec(reader.owned()?))));
    let (files, absent, folders) = (paths()?, paths()?, paths()?);
    let names = reader.list(|reader| String::from_utf8(reader.owned()?).ok())?;
    Some(Parts { files, absent, names, folders })
}
