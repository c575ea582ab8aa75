//! What names the outputs of a call in the depfile cache: all that is told to nvcc but the names of what it writes.
//!
//! The content of files, tools among them, is no part of it: a manifest says with which contents a key gave what.

use crate::digest::{Digest, Hasher};
use crate::nvcc_args::{Call, Kind};
use crate::nvcc_files::{read_small, Content};
use crate::nvcc_output::{write_object, write_output};
use crate::nvcc_place::Place;
use crate::nvcc_words::{
    has_debug_information, has_device_debug, has_host_debug, has_lines, include_folders, is_for_this_processor, why_not,
};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Of what is hashed, and of what manifests hold.
const VERSION: &[u8] = b"cargo-deck nvcc cache 3";
/// Their values name files that are written.
const NAMES_OUTPUT: [&str; 4] = ["output-file", "output-directory", "dependency-output", "dependency-target-name"];
/// Their values are paths.
const NAMES_PATH: [&str; 5] = ["include-path", "system-include", "pre-include", "compiler-bindir", "library-path"];
/// Variables that nvcc 13.0 and gcc 12 ask for, and those of clang; what only says where temporary files go is none.
const READ: [&str; 41] = [
    "NVCC_CCBIN", "compiler-bindir", "TOP", "_HERE_", "_THERE_", "_SPACE_", "_TARGET_DIR_", "_TARGET_SIZE_", "_CUDART_",
    "_NVVM_BRANCH_", "INCLUDES", "SYSTEM_INCLUDES", "LIBRARIES", "CUDAFE_FLAGS", "PTXAS_FLAGS", "LLVMC_FLAGS",
    "LLVMDIS_FLAGS", "OCG_FLAGS", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "COMPILER_PATH", "LIBRARY_PATH", "LPATH",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "LANG", "LANGUAGE", "USR_INCLUDE", "NOCOLOR", "NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR",
    "SOURCE_DATE_EPOCH", "BINUTILS_ROOT", "G++_ROOT", "TERM_URLS", "SDKROOT", "bar", "POSIXLY_CORRECT", "ASAN_OPTIONS",
];
const READ_STARTS: [&str; 18] = [
    "NVCC", "NV_", "NVVM", "NVIDIA_", "NVLINK", "NVASM", "NVDISASM", "CICC", "LIBNVVM", "LLVM_", "EDG_", "GCC", "CCC_",
    "LC_", "DUMP_", "AS_SECURE", "LD_BIND", "CLANG_",
];
/// Of it, what says nothing of how code is made.
const NOT_READ: [&str; 2] = ["NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"];
const MAX_SAID_BYTES: u64 = 1 << 20;

/// A call that the cache can answer, or keep.
pub struct Plan {
    pub key: Digest,
    pub place: Place,
    /// Of this checkout alone: for what holds its path.
    pub bound: Digest,
    pub kind: Kind,
    /// As given.
    pub source: OsString,
    pub output: PathBuf,
    /// That nvcc was asked for.
    pub depfile: Option<PathBuf>,
    /// What the rule in it is for, as nvcc writes it.
    pub target: Vec<u8>,
    /// Folders that headers are searched in, as the call spells them.
    pub folders: Vec<PathBuf>,
    /// Whatever else is known: outputs hold paths.
    pub is_bound: bool,
    /// Two outputs of the same differ by names of temporary files alone, and those can be seen.
    pub is_comparable: bool,
    /// Outputs hold the times of files: ptxas writes them into the table of lines. Source: nvcc 13.0.
    pub is_timed: bool,
}

impl Plan {
    /// Write what is made.
    pub fn write(&self, content: &[u8]) -> io::Result<()> {
        match self.kind {
            Kind::Object | Kind::DeviceObject => write_object(&self.output, content),
            _ => write_output(&self.output, content),
        }
    }

    /// What a file is told apart by.
    pub fn digest(&self, content: &Content) -> Digest {
        if !self.is_timed {
            return content.digest;
        }
        let mut hasher = Hasher::default();
        hasher.add(&content.digest);
        hasher.add(&(content.signature[3] / 1_000_000_000).to_le_bytes());
        hasher.end()
    }
}

/// The plan for a call, or why the cache has nothing to do with it.
pub fn plan(call: &Call) -> Result<Plan, String> {
    why_not(call).map_or(Ok(()), Err)?;
    let source = call.inputs[0].clone();
    let place = Place::of(Path::new(&source), &call.cwd).ok_or("there is no such source")?;
    let [output] = &call.outputs()[..] else { return Err("what is made has no name".to_owned()) };
    let key = key(call, &place)?;
    Ok(Plan {
        key,
        bound: bound(&key, &place),
        kind: call.kind,
        output: output.clone(),
        depfile: call.depfile(),
        target: target(call),
        folders: include_folders(call),
        is_bound: has_debug_information(call),
        is_comparable: is_comparable(call),
        is_timed: call.kind != Kind::Ptx && has_lines(call),
        source,
        place,
    })
}

fn key(call: &Call, place: &Place) -> Result<Digest, String> {
    let mut hasher = Hasher::default();
    hasher.add_part(VERSION);
    hasher.add_part(call.kind.name().as_bytes());
    for path in [&call.inputs[0], place.source.as_os_str(), call.cwd.as_os_str(), call.tool.as_os_str(), &real(&call.tool)] {
        hasher.add_part(&place.shorten(path.as_bytes()));
    }
    // What names the output says in a depfile what it is for, each in its own way.
    let counts = |name: &str| !NAMES_OUTPUT.contains(&name) || call.has("generate-dependencies-with-compile");
    for (name, value) in call.options.iter().filter(|(name, _)| counts(name)) {
        hasher.add_part(name.as_bytes());
        hasher.add_part(&option_value(name, value, place));
    }
    for word in &call.unknown {
        hasher.add_part(b"unknown");
        hasher.add_part(word.as_bytes());
    }
    for (name, value) in variables() {
        hasher.add_part(name.as_bytes());
        hasher.add_part(&place.shorten_list(value.as_bytes()));
    }
    if has_device_debug(call) {
        // ptxas notes its command line, and so the name of a cubin, in it. Source: nvcc 13.0.
        let names = call.outputs().iter().filter_map(|path| path.file_name().map(OsStr::to_owned)).collect::<Vec<_>>();
        names.iter().for_each(|name| hasher.add_part(name.as_bytes()));
    }
    add_machine(call, &mut hasher)?;
    Ok(hasher.end())
}

fn real(tool: &Path) -> OsString {
    tool.canonicalize().map_or(OsString::new(), OsString::from)
}

fn option_value(name: &str, value: &OsStr, place: &Place) -> Vec<u8> {
    let shorten_each = |value: &[u8]| {
        let parts = value.split(|byte| *byte == b',').map(|part| shorten_word(part, place));
        parts.collect::<Vec<_>>().join(&b',')
    };
    match name {
        _ if NAMES_OUTPUT.contains(&name) => Vec::new(),
        _ if NAMES_PATH.contains(&name) || name == "compiler-options" => shorten_each(value.as_bytes()),
        _ => value.as_bytes().to_vec(),
    }
}

/// A path, or the host compiler's option with one.
fn shorten_word(word: &[u8], place: &Place) -> Vec<u8> {
    let starts: [&[u8]; 3] = [b"-I", b"-iquote", b"-isystem"];
    match starts.iter().find_map(|start| Some((start, word.strip_prefix(*start)?))) {
        Some((start, path)) => [*start, &place.shorten(path)].concat(),
        None => place.shorten(word),
    }
}

/// Variables that tools of nvcc read, sorted.
pub fn variables() -> Vec<(OsString, OsString)> {
    let is_read = |name: &OsStr| {
        let text = name.to_string_lossy();
        (READ.contains(&text.as_ref()) || READ_STARTS.iter().any(|start| text.starts_with(start)))
            && !NOT_READ.contains(&text.as_ref())
    };
    let is_flags = |name: &OsStr| name == "NVCC_PREPEND_FLAGS" || name == "NVCC_APPEND_FLAGS"; // they are among the options
    let mut found: Vec<(OsString, OsString)> = env::vars_os().filter(|(name, _)| is_read(name) && !is_flags(name)).collect();
    found.sort();
    found
}

/// What nvcc asks this machine for.
fn add_machine(call: &Call, hasher: &mut Hasher) -> Result<(), String> {
    if call.archs.iter().any(|arch| arch == "native") {
        let gpus = gpus().ok_or("which GPUs are native is not known")?;
        hasher.add_part(&gpus);
        let is_asked = |name: &OsStr| name.as_bytes().starts_with(b"CUDA_") || name == "NVIDIA_VISIBLE_DEVICES";
        let mut asked: Vec<(OsString, OsString)> = env::vars_os().filter(|(name, _)| is_asked(name)).collect();
        asked.sort();
        for (name, value) in asked {
            hasher.add_part(name.as_bytes()); // an empty CUDA_VISIBLE_DEVICES hides all GPUs, none shows them
            hasher.add_part(value.as_bytes());
        }
    }
    if ["threads", "split-compile", "split-compile-extended"].iter().any(|name| call.value(name) == Some(OsStr::new("0"))) {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        hasher.add_part(&cores.to_le_bytes());
    }
    if is_for_this_processor(call) {
        hasher.add_part(&processor().ok_or("the processor is not known")?);
    }
    Ok(())
}

/// What the driver says of itself and of each GPU; None: nothing.
fn gpus() -> Option<Vec<u8>> {
    let mut found = read_small(Path::new("/proc/driver/nvidia/version"), MAX_SAID_BYTES).ok()?;
    let entries = fs::read_dir("/proc/driver/nvidia/gpus").ok()?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    for folder in &folders {
        found.extend(read_small(&folder.join("information"), MAX_SAID_BYTES).ok()?);
    }
    (!folders.is_empty()).then_some(found)
}

/// The first processor without what changes from moment to moment.
fn processor() -> Option<Vec<u8>> {
    let text = fs::read("/proc/cpuinfo").ok()?;
    let is_moving = |line: &[u8]| line.starts_with(b"cpu MHz") || line.starts_with(b"bogomips");
    let lines = text.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty()).filter(|line| !is_moving(line));
    Some(lines.collect::<Vec<_>>().join(&b'\n')).filter(|found| !found.is_empty())
}

/// This key in this very folder, with what debug information names too.
fn bound(key: &Digest, place: &Place) -> Digest {
    let mut hasher = Hasher::default();
    hasher.add_part(key);
    for path in [&place.base, &place.cwd] {
        hasher.add_part(path.as_os_str().as_bytes());
    }
    hasher.add_part(env::var_os("TMPDIR").unwrap_or_default().as_bytes());
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let named = env::var_os("PWD").filter(|named| identity(Path::new(named)) == identity(&place.cwd));
    // Another one is not taken for the folder's name.
    hasher.add_part(named.as_deref().unwrap_or(place.cwd.as_os_str()).as_bytes());
    hasher.end()
}

/// With device debug information, names of temporary files are in the cubins; where those are packed, nobody sees them.
/// With that of the host, texts of an object lie in another order each time.
fn is_comparable(call: &Call) -> bool {
    let is_packed = !call.has("no-compress") && call.value("compress-mode") != Some(OsStr::new("none"));
    let has_packed = matches!(call.kind, Kind::Object | Kind::DeviceObject | Kind::Fatbin);
    let is_host = call.kind != Kind::Fatbin && has_host_debug(call);
    !(has_packed && (is_host || (has_device_debug(call) && is_packed)))
}

/// As nvcc 13.0 writes it: what was given, without escapes, else the source's name with `.o`, whatever is made.
fn target(call: &Call) -> Vec<u8> {
    if let Some(given) = call.value("dependency-target-name").or(call.value("output-file")) {
        return given.as_bytes().to_vec();
    }
    let mut name = Path::new(&call.inputs[0]).file_stem().unwrap_or_default().to_owned();
    name.push(".o");
    Path::new(call.value("output-directory").unwrap_or_default()).join(name).into_os_string().as_bytes().to_vec()
}
