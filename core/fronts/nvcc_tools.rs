//! Programs that a call of nvcc starts, and what decides which: nvcc itself says so under `--dryrun`, and the host compiler
//! when it is asked.

use crate::digest::{Digest, Hasher};
use crate::nvcc_args::Call;
use crate::nvcc_codec::{Reader, Writer};
use crate::nvcc_files::{signature, Signature};
use crate::nvcc_place::normal;
use crate::nvcc_program::{ask, parts_of, resolve};
use crate::nvcc_store::{Note, Store};
use crate::nvcc_words::folders_of_environment;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Options that change nothing of which tools are started.
const OF_SOURCE: [&str; 10] = [
    "define-macro", "undefine-macro", "include-path", "system-include", "pre-include", "output-file", "output-directory",
    "dependency-output", "dependency-target-name", "diag-suppress",
];

/// Of one call.
#[derive(Default, Debug)]
pub struct Tools {
    /// Programs, their libraries and settings: their content makes what is made.
    pub files: Vec<PathBuf>,
    /// Settings that would be read if they were there.
    pub absent: Vec<PathBuf>,
    /// Names that are looked for in `first`, then in PATH, and what was found.
    pub found: Vec<(OsString, PathBuf)>,
    pub first: Vec<PathBuf>,
    /// Where headers of the toolkit and the system are searched, as they are spelled.
    pub folders: Vec<PathBuf>,
    /// What lies below is the toolkit's or the system's.
    pub roots: Vec<PathBuf>,
    /// So many preprocessed texts, and so many files of PTX and machine code.
    pub wanted: (usize, usize),
}

/// Err: what is started is not known, and why.
pub fn find_tools(call: &Call, flags: &OsStr, store: &Store) -> Result<Tools, String> {
    let name = note_name(call, flags);
    if let Some(tools) = store.note(Note::Tools, &name).and_then(|text| read_note(&text)) {
        return Ok(tools);
    }
    let tools = look(call, flags, store)?;
    if let Some(text) = write_note(&tools) {
        store.put_note(Note::Tools, &name, &text);
    }
    Ok(tools)
}

fn note_name(call: &Call, flags: &OsStr) -> Digest {
    let mut hasher = Hasher::default();
    hasher.add_part(b"tools 3");
    for text in [call.tool.as_os_str(), call.cwd.as_os_str(), flags, OsStr::new(call.kind.name())] {
        hasher.add_part(text.as_bytes());
    }
    let end = Path::new(&call.inputs[0]).extension().unwrap_or_default();
    hasher.add_part(end.as_bytes());
    for (name, value) in call.options.iter().filter(|(name, _)| !OF_SOURCE.contains(name)) {
        hasher.add_part(name.as_bytes());
        hasher.add_part(value.as_bytes());
    }
    call.unknown.iter().for_each(|word| hasher.add_part(word.as_bytes()));
    for (name, value) in crate::nvcc_key::variables().into_iter().chain([("PATH".into(), path())]) {
        hasher.add_part(name.as_bytes());
        hasher.add_part(value.as_bytes());
    }
    hasher.end()
}

fn path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

/// What `--dryrun` says: `#$ NAME=VALUE`, then `#$ COMMAND`. Source: nvcc 13.0.
#[derive(Default)]
struct Rehearsal {
    variables: BTreeMap<String, String>,
    commands: Vec<Vec<String>>,
}

impl Rehearsal {
    fn read(text: &str) -> Rehearsal {
        let mut found = Rehearsal::default();
        for line in text.lines().filter_map(|line| line.strip_prefix("#$ ")) {
            match line.split_once('=').filter(|(name, _)| is_name(name)) {
                Some((name, value)) => drop(found.variables.insert(name.to_owned(), value.to_owned())),
                None => found.commands.push(shell_words(line, &found.variables)),
            }
        }
        found
    }

    fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    fn folders(&self, name: &str) -> Vec<PathBuf> {
        let words = shell_words(self.variable(name), &self.variables);
        let is_option = |word: &&String| word.as_str() != "-isystem" && word.as_str() != "-I";
        words.iter().filter(is_option).map(|word| PathBuf::from(word.strip_prefix("-I").unwrap_or(word))).collect()
    }

    /// Temporary files of these ends.
    fn count(&self, ends: &[&str]) -> usize {
        let is_file = |word: &str| word.contains("tmpxft_") && !word.starts_with('-');
        let is_it = |word: &&String| is_file(word) && ends.iter().any(|end| word.ends_with(end));
        self.commands.iter().flatten().filter(is_it).collect::<BTreeSet<_>>().len()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Words of a command line, with `"` and `$NAME` as a shell takes them.
fn shell_words(line: &str, variables: &BTreeMap<String, String>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut rest = line;
    while let Some(sign) = rest.chars().next() {
        rest = &rest[sign.len_utf8()..];
        match sign {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            '$' => {
                let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_').unwrap_or(rest.len());
                let value = variables.get(&rest[..end]).map_or("", String::as_str);
                word.get_or_insert_default().push_str(value);
                rest = &rest[end..];
            }
            _ => word.get_or_insert_default().push(sign),
        }
    }
    words.extend(word);
    words
}

fn look(call: &Call, flags: &OsStr, store: &Store) -> Result<Tools, String> {
    let argv = [&[OsString::from("--dryrun")], &call.argv[..]].concat();
    let said = ask(&call.tool, &argv, &[("NVCC_APPEND_FLAGS", flags)]).ok_or("nvcc does not say what it starts")?;
    let said = Rehearsal::read(&String::from_utf8_lossy(&said.stderr));
    if said.commands.is_empty() {
        return Err("nvcc does not say what it starts".to_owned());
    }
    // The depfile is made of all that was preprocessed then, for each architecture.
    let is_filtered = said.commands.iter().any(|words| words.iter().any(|word| word == "Filter"));
    if call.depfile().is_some() && !is_filtered {
        return Err("this nvcc is not known to name all headers".to_owned());
    }
    let first = said.variable("PATH").strip_suffix(&*path().to_string_lossy()).ok_or("nvcc changes PATH")?;
    let here = PathBuf::from(said.variable("_HERE_"));
    let mut tools = Tools {
        first: first.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from).collect(),
        wanted: (said.count(&[".ii"]), said.count(&[".ptx", ".cubin"])),
        roots: here.parent().map(Path::to_owned).into_iter().collect(),
        ..Tools::default()
    };
    tools.folders = ["INCLUDES", "SYSTEM_INCLUDES"].iter().flat_map(|name| said.folders(name)).collect();
    tools.add_settings(&here, said.variable("NVVMIR_LIBRARY_DIR"));
    tools.add_programs(call, &here, &said, store)?;
    for list in [&mut tools.files, &mut tools.absent, &mut tools.folders, &mut tools.roots] {
        let mut seen = BTreeSet::new();
        list.retain(|path| !path.as_os_str().is_empty() && seen.insert(path.clone()));
    }
    Ok(tools)
}

impl Tools {
    fn add_settings(&mut self, here: &Path, libraries: &str) {
        let profile = here.join("nvcc.profile");
        if profile.exists() { &mut self.files } else { &mut self.absent }.push(profile);
        let entries = std::fs::read_dir(libraries).into_iter().flatten().flatten().map(|entry| entry.path());
        self.files.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "bc")));
    }

    fn add_programs(&mut self, call: &Call, here: &Path, said: &Rehearsal, store: &Store) -> Result<(), String> {
        let libraries = said.variable("LD_LIBRARY_PATH");
        let named: Vec<PathBuf> = folders_of_environment().iter().map(|folder| normal(&call.at(folder.as_os_str()))).collect();
        let mut programs = BTreeMap::from([(call.tool.clone(), false), (here.join("nvcc"), false)]);
        for words in said.commands.iter().filter(|words| words.first().is_some_and(|name| name != "--")) {
            let is_host = words.iter().any(|word| word == "-E") && words.iter().any(|word| word == "-x");
            let program = if words[0].contains('/') { call.cwd.join(&words[0]) } else { self.look_up(&words[0])? };
            *programs.entry(program).or_default() |= is_host;
        }
        for (program, is_host) in programs {
            let parts = parts_of(&program, is_host, libraries, store)?;
            self.files.push(program);
            self.files.extend(parts.files);
            self.absent.extend(parts.absent);
            self.roots.extend(parts.folders.iter().filter(|folder| !named.contains(&normal(folder))).cloned());
            self.folders.extend(parts.folders);
            for name in parts.names {
                let found = self.look_up(&name)?;
                self.files.extend(parts_of(&found, false, libraries, store)?.files);
                self.files.push(found);
            }
        }
        Ok(())
    }

    fn look_up(&mut self, name: &str) -> Result<PathBuf, String> {
        let found = resolve(OsStr::new(name), &self.first).ok_or_else(|| format!("{name} is not there"))?;
        if !self.found.iter().any(|(known, _)| known == name) {
            self.found.push((name.into(), found.clone()));
        }
        Ok(found)
    }
}

/// With a signature of each file. None: one is not there.
fn write_note(tools: &Tools) -> Option<Vec<u8>> {
    let path = |writer: &mut Writer, path: &PathBuf| writer.bytes(path.as_os_str().as_bytes());
    let mut writer = Writer::default();
    let signed: Option<Vec<(&PathBuf, Signature)>> =
        tools.files.iter().map(|file| Some((file, signature(&file.metadata().ok()?)))).collect();
    writer.list(&signed?, |writer, (file, signature)| {
        writer.bytes(file.as_os_str().as_bytes());
        writer.signature(signature);
    });
    for list in [&tools.absent, &tools.first, &tools.folders, &tools.roots] {
        writer.list(list, path);
    }
    writer.list(&tools.found, |writer, (name, found)| {
        writer.bytes(name.as_bytes());
        path(writer, found);
    });
    writer.number(tools.wanted.0 as u64);
    writer.number(tools.wanted.1 as u64);
    Some(writer.text)
}

/// None: it is damaged, or something is not what it was.
fn read_note(text: &[u8]) -> Option<Tools> {
    let path = |reader: &mut Reader| Some(PathBuf::from(OsString::from_vec(reader.owned()?)));
    let mut reader = Reader::new(text);
    let signed = reader.list(|reader| Some((path(reader)?, reader.signature()?)))?;
    let mut lists = [const { Vec::new() }; 4];
    for list in &mut lists {
        *list = reader.list(path)?;
    }
    let [absent, first, folders, roots] = lists;
    let found = reader.list(|reader| Some((OsString::from_vec(reader.owned()?), path(reader)?)))?;
    let wanted = (reader.number()? as usize, reader.number()? as usize);
    let is_same = |(file, old): &(PathBuf, Signature)| file.metadata().is_ok_and(|found| signature(&found) == *old);
    let is_found = |(name, file): &(OsString, PathBuf)| resolve(name, &first).as_ref() == Some(file);
    let is_gone = |file: &PathBuf| !file.exists();
    let is_good = signed.iter().all(is_same) && found.iter().all(is_found) && absent.iter().all(is_gone);
    let files = signed.into_iter().map(|(file, _)| file).collect();
    is_good.then_some(Tools { files, absent, found, first, folders, roots, wanted })
}
