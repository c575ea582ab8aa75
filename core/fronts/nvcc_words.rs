//! Which words of a call the depfile cache understands: with any other, nvcc runs as if there was no cache.

use crate::nvcc_args::{Call, Kind};
use crate::nvcc_closure::HIDDEN;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Options that change what is made, or nothing, and neither read nor write files that the depfile does not name.
const KNOWN: [&str; 83] = [
    "output-file", "output-directory", "dependency-output", "dependency-target-name", "generate-dependency-targets",
    "generate-dependencies-with-compile", "compile", "device-c", "device-w", "ptx", "cubin", "fatbin", "compiler-bindir",
    "allow-unsupported-compiler", "cudart", "cudadevrt", "optimize", "Ofast-compile", "dopt", "x", "std", "machine", "m64",
    "ftemplate-backtrace-limit", "ftemplate-depth", "static-global-template-stub", "threads", "split-compile",
    "split-compile-extended", "device-entity-has-hidden-visibility", "gpu-architecture", "gpu-code", "generate-code",
    "relocatable-device-code", "ftz", "maxrregcount", "prec-div", "prec-sqrt", "fmad", "default-stream",
    "brief-diagnostics", "jump-table-density", "device-stack-protector", "compress-mode", "frandom-seed", "pre-include",
    "library", "library-path", "define-macro", "undefine-macro", "include-path", "system-include", "compiler-options",
    "ptxas-options", "nvlink-options", "cicc-options", "cudafe-options", "fatbin-options", "Werror", "diag-error",
    "diag-suppress", "diag-warn", "debug", "device-debug", "generate-line-info", "no-exceptions",
    "no-host-device-initializer-list", "no-host-device-move-forward", "expt-relaxed-constexpr", "extended-lambda",
    "expt-extended-lambda", "forward-unknown-to-host-compiler", "restrict", "use_fast_math",
    "extra-device-vectorization", "disable-warnings", "keep-device-functions", "resource-usage",
    "extensible-whole-program", "no-compress", "display-error-number", "no-display-error-number", "optimization-info",
];
/// Options that only say what is warned of.
const WARNINGS: [&str; 6] = [
    "Wreorder", "Wdefault-stream-launch", "Wmissing-launch-bounds", "Wext-lambda-captures-this", "Wno-deprecated-declarations",
    "Wno-deprecated-gpu-targets",
];
/// Options of the host compiler that are understood by how they begin.
const HOST: [&[u8]; 17] = [
    b"-O", b"-f", b"-m", b"-W", b"-D", b"-U", b"-I", b"-g", b"-std=", b"-stdlib=", b"-pedantic", b"-w", b"-pthread", b"-pipe",
    b"-ansi", b"-iquote", b"-isystem",
];
/// Of those, what reads or writes other files, or takes a path.
const NOT_HOST: [&[u8]; 34] = [
    b"-fplugin", b"-fprofile", b"-ftest-coverage", b"-fdump", b"-fcallgraph-info", b"-fstack-usage", b"-fauto-profile",
    b"-fsanitize-", b"-fmodule", b"-fpch", b"-fpreprocessed", b"-fdirectives-only", b"-frecord-gcc", b"-fopt-info", b"-fsave-",
    b"-ftime-", b"-fdiagnostics-", b"-gsplit", b"-Wp,", b"-Wa,", b"-Wl,", b"-fuse-", b"-fbranch-prob", b"-mllvm", b"-fdeps",
    b"-fcondition-cov", b"-fpath-cov", b"-fcoverage", b"-fcs-", b"-fpass-plugin", b"-fproc-stat", b"-fthinlto",
    b"-fbasic-block", b"-fprebuilt",
];
/// In an option of nvcc's own tools, they stand for files.
const OF_FILES: [&[u8]; 8] = [b"/", b"@", b"file", b"dump", b"output", b"keep", b"-optf", b"time"];
const SOURCES: [&str; 5] = [".cu", ".c", ".cc", ".cpp", ".cxx"];
/// What a macro of the command line may not name: it is another one each time, or reads a file.
const NOT_IN_MACROS: [&[u8]; 6] = [b"__DATE__", b"__TIME__", b"__TIMESTAMP__", b"__has_include", b"incbin", b"__has_embed"];

/// Why the cache has nothing to do with a call; None: it may have.
pub fn why_not(call: &Call) -> Option<String> {
    let kinds = [Kind::Object, Kind::DeviceObject, Kind::Ptx, Kind::Cubin, Kind::Fatbin];
    if !kinds.contains(&call.kind) {
        return Some(format!("{} is not kept", call.kind.name()));
    }
    let [source] = &call.inputs[..] else { return Some(format!("{} inputs, and one is kept", call.inputs.len())) };
    let name = source.to_string_lossy();
    if !SOURCES.iter().any(|end| name.ends_with(end)) && call.value("x").is_none() {
        return Some("the source is none of CUDA or C++".to_owned());
    }
    if call.has("dependency-output") && !call.has("generate-dependencies-with-compile") {
        return Some("-MF without -MD".to_owned());
    }
    let is_known = |name: &str| KNOWN.contains(&name) || WARNINGS.contains(&name);
    if let Some((name, _)) = call.options.iter().find(|(name, _)| !is_known(name)) {
        return Some(format!("--{name}"));
    }
    why_not_words(call).or_else(|| why_not_environment(call))
}

fn why_not_words(call: &Call) -> Option<String> {
    let is_expanded = |text: &OsStr| text.as_bytes().iter().any(|byte| matches!(byte, b'$' | b'`' | 0..=31));
    let given = call.options.iter().map(|(_, value)| value).chain(&call.inputs).chain(&call.unknown);
    if let Some(word) = given.clone().find(|word| is_expanded(word)) {
        return Some(format!("the shell that nvcc starts makes something else of {}", word.to_string_lossy()));
    }
    let is_moving = |word: &&std::ffi::OsString| NOT_IN_MACROS.iter().any(|name| has(word.as_bytes(), name));
    if let Some(word) = given.clone().find(is_moving) {
        return Some(format!("{} is not the same each time", word.to_string_lossy()));
    }
    if !call.unknown.is_empty() && !call.has("forward-unknown-to-host-compiler") {
        return Some(format!("{} is not known", call.unknown[0].to_string_lossy()));
    }
    let host = host_words(call);
    if let Some(word) = host.iter().find(|word| !is_host_word(word)) {
        return Some(format!("{} of the host compiler is not known", String::from_utf8_lossy(word)));
    }
    let tools = ["ptxas-options", "nvlink-options", "cicc-options", "cudafe-options", "fatbin-options"];
    let own: Vec<Vec<u8>> = tools.iter().flat_map(|name| words_of(call, name)).collect();
    let is_file = |word: &&Vec<u8>| OF_FILES.iter().any(|part| has(word, part)) || word.starts_with(b"-o");
    own.iter().find(is_file).map(|word| format!("{} names a file", String::from_utf8_lossy(word)))
}

/// gcc writes files that nobody asks the command line for, or reads what no folder of headers has.
fn why_not_environment(call: &Call) -> Option<String> {
    const WRITES: [&str; 3] = ["DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", "GCC_COMPARE_DEBUG"];
    if let Some(name) = WRITES.iter().find(|name| std::env::var_os(name).is_some()) {
        return Some(format!("{name} is set"));
    }
    let temporary = std::env::temp_dir();
    if let Some(name) = HIDDEN.iter().find(|name| temporary.join(name).exists()) {
        return Some(format!("{} has {name}, which is read from there", temporary.display()));
    }
    let is_changed = !call.options_files.is_empty() && Call::read(&call.tool, &call.argv).options != call.options;
    is_changed.then(|| "an options file is being written".to_owned())
}

/// Words that the host compiler is given by name, taken apart.
pub fn host_words(call: &Call) -> Vec<Vec<u8>> {
    let mut words = words_of(call, "compiler-options");
    words.extend(call.unknown.iter().map(|word| word.as_bytes().to_vec()));
    let mut found: Vec<Vec<u8>> = Vec::new();
    for word in words {
        match found.last_mut() {
            Some(last) if TAKES_FOLDER.contains(&&last[..]) => last.extend_from_slice(&word),
            _ => found.push(word),
        }
    }
    found
}

const TAKES_FOLDER: [&[u8]; 5] = [b"-I", b"-iquote", b"-isystem", b"-D", b"-U"];

/// What a list of options holds, whether commas or blanks part it.
fn words_of(call: &Call, name: &str) -> Vec<Vec<u8>> {
    let between = |byte: &u8| matches!(byte, b',' | b' ' | b'"' | b'\'');
    let given = call.options.iter().filter(|(found, _)| *found == name);
    let words = given.flat_map(|(_, value)| value.as_bytes().split(between)).filter(|word| !word.is_empty());
    words.map(<[u8]>::to_vec).collect()
}

fn is_host_word(word: &[u8]) -> bool {
    let begins = |starts: &[&[u8]]| starts.iter().any(|start| word.starts_with(start));
    let is_pattern = word.iter().any(|byte| b"*?[~;&|<>(".contains(byte));
    let is_colour = word.starts_with(b"-fdiagnostics-color");
    begins(&HOST) && (!begins(&NOT_HOST) || is_colour) && !is_pattern
}

/// The folders that the call itself says headers are searched in, as it spells them.
pub fn include_folders(call: &Call) -> Vec<PathBuf> {
    let own = ["include-path", "system-include"].iter().flat_map(|name| call.values(name));
    let mut found: Vec<PathBuf> = own.map(PathBuf::from).collect();
    for word in host_words(call) {
        let starts: [&[u8]; 3] = [b"-I", b"-iquote", b"-isystem"];
        let folder = starts.iter().find_map(|start| word.strip_prefix(*start));
        found.extend(folder.map(|folder| PathBuf::from(OsStr::from_bytes(folder))));
    }
    found.extend(folders_of_environment());
    found
}

/// Those that the environment has every call search.
pub fn folders_of_environment() -> Vec<PathBuf> {
    let lists = ["CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH"].map(std::env::var_os);
    lists.iter().flatten().flat_map(std::env::split_paths).collect()
}

/// Outputs hold lines, folders, or what a later step makes of them.
pub fn has_debug_information(call: &Call) -> bool {
    let is_debug = |word: &Vec<u8>| {
        let starts: [&[u8]; 5] = [b"-g", b"-G", b"-lineinfo", b"-flto", b"-pg"];
        starts.iter().any(|start| word.starts_with(start)) || has(word, b"debug") || has(word, b"line-info")
    };
    let tools = ["ptxas-options", "cicc-options", "cudafe-options"].iter().flat_map(|name| words_of(call, name));
    ["debug", "device-debug", "generate-line-info"].iter().any(|name| call.has(name))
        || host_words(call).iter().chain(&tools.collect::<Vec<_>>()).any(is_debug)
}

/// Code for the GPU is made with debug information.
pub fn has_device_debug(call: &Call) -> bool {
    let is_debug = |word: &Vec<u8>| word.starts_with(b"-g") || has(word, b"debug");
    call.has("device-debug") || words_of(call, "ptxas-options").iter().any(is_debug)
}

/// It is made with debug information, or with the lines that it comes from.
pub fn has_lines(call: &Call) -> bool {
    let is_lines = |word: &Vec<u8>| has(word, b"line-info") || has(word, b"lineinfo");
    has_device_debug(call) || call.has("generate-line-info") || words_of(call, "ptxas-options").iter().any(is_lines)
}

/// Code for the host is.
pub fn has_host_debug(call: &Call) -> bool {
    call.has("debug") || host_words(call).iter().any(|word| word.starts_with(b"-g"))
}

/// The source is C or C++ without code for the GPU.
pub fn is_host_only(call: &Call) -> bool {
    let is_named = call.inputs.iter().all(|source| source.as_bytes().ends_with(b".cu"));
    call.value("x").map_or(!is_named, |language| language != "cu")
}

/// What is made depends on the processor that compiles.
pub fn is_for_this_processor(call: &Call) -> bool {
    host_words(call).iter().any(|word| has(word, b"=native"))
}

fn has(text: &[u8], part: &[u8]) -> bool {
    crate::nvcc_place::find(text, part).is_some()
}
