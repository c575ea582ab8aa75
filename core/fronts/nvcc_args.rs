//! What a call of nvcc asks for. Source: what nvcc 13.0 makes of it under `--dryrun`.

use crate::nvcc_options::{env_words, file_words, read_options, read_word, Value};
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Files that nvcc compiles; others are linked.
const SOURCE_ENDS: [&str; 9] = [".cu", ".c", ".cc", ".cpp", ".cxx", ".i", ".ii", ".gpu", ".ptx"];
const MAX_OPTIONS_DEPTH: u32 = 8;

/// What a call makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Object,
    /// With relocatable device code: it has to be linked.
    DeviceObject,
    Ptx,
    Cubin,
    Fatbin,
    /// Device code of objects, linked.
    Link,
    Library,
    Program,
    Preprocess,
    Depend,
    /// C++ with the kernels taken out, OptiX IR, LTO IR.
    Other,
    /// Nothing is made: it tells something.
    Query,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Object => "object",
            Kind::DeviceObject => "device-object",
            Kind::Ptx => "ptx",
            Kind::Cubin => "cubin",
            Kind::Fatbin => "fatbin",
            Kind::Link => "link",
            Kind::Library => "library",
            Kind::Program => "program",
            Kind::Preprocess => "preprocess",
            Kind::Depend => "depend",
            Kind::Other => "other",
            Kind::Query => "query",
        }
    }

    /// One output for all inputs.
    fn is_joint(self) -> bool {
        matches!(self, Kind::Link | Kind::Library | Kind::Program)
    }
}

/// One call of nvcc.
pub struct Call {
    /// The real nvcc, as it was found.
    pub tool: PathBuf,
    pub cwd: PathBuf,
    /// As typed, without the program.
    pub argv: Vec<OsString>,
    /// All words that nvcc reads: those of `NVCC_PREPEND_FLAGS`, of the command line and of `NVCC_APPEND_FLAGS`.
    pub words: Vec<OsString>,
    /// Options under their long names, in order, with those of options files in their place. A list keeps its commas; a
    /// flag has an empty value.
    pub options: Vec<(&'static str, OsString)>,
    /// That were read for it.
    pub options_files: Vec<PathBuf>,
    /// Files to compile or to link, as given.
    pub inputs: Vec<OsString>,
    /// Words that nvcc does not know: it hands them on, or fails.
    pub unknown: Vec<OsString>,
    pub kind: Kind,
    /// What code is made for: `sm_80`, `compute_80`, `lto_80`, or `native`, `all`, `all-major`. None: nvcc's default.
    pub archs: Vec<String>,
}

impl Call {
    /// The call that these words make, in this folder and environment.
    pub fn read(tool: &Path, argv: &[OsString]) -> Call {
        let variable = |name| env_words(&env::var_os(name).unwrap_or_default());
        let words = [variable("NVCC_PREPEND_FLAGS"), argv.to_vec(), variable("NVCC_APPEND_FLAGS")].concat();
        let mut call = Call {
            tool: tool.to_owned(),
            cwd: env::current_dir().unwrap_or_default(),
            argv: argv.to_vec(),
            words: Vec::new(),
            options: Vec::new(),
            options_files: Vec::new(),
            inputs: Vec::new(),
            unknown: Vec::new(),
            kind: Kind::Query,
            archs: Vec::new(),
        };
        call.add(&words, 0);
        call.words = words;
        call.kind = call.find_kind();
        call.archs = call.find_archs();
        call
    }

    pub fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    /// What an option was given last.
    pub fn value(&self, long: &str) -> Option<&OsStr> {
        self.options.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_os_str())
    }

    /// All that a list was given, in order.
    pub fn values(&self, long: &str) -> Vec<OsString> {
        let given = self.options.iter().filter(|(name, _)| *name == long);
        given.flat_map(|(_, value)| value.as_bytes().split(|byte| *byte == b',')).map(os_string).collect()
    }

    /// Inputs that are compiled, as given.
    pub fn sources(&self) -> Vec<&OsString> {
        let is_named = self.has("x");
        let is_source = |name: &str| SOURCE_ENDS.iter().any(|end| name.ends_with(end));
        self.inputs.iter().filter(|file| is_named || is_source(&file.to_string_lossy())).collect()
    }

    /// Absolute paths of what is made, one a source or one for all; none where nvcc prints, or makes nothing.
    pub fn outputs(&self) -> Vec<PathBuf> {
        let end = match self.kind {
            Kind::Object | Kind::DeviceObject => ".o",
            Kind::Ptx => ".ptx",
            Kind::Cubin => ".cubin",
            Kind::Fatbin => ".fatbin",
            Kind::Other if self.has("optix-ir") => ".optixir",
            Kind::Other if self.has("ltoir") => ".ltoir",
            Kind::Other => ".cu.cpp.ii",
            Kind::Link | Kind::Library | Kind::Program => "",
            Kind::Preprocess | Kind::Depend => return self.value("output-file").map(|file| self.at(file)).into_iter().collect(),
            Kind::Query => return Vec::new(),
        };
        if let Some(file) = self.value("output-file") {
            return if file == "-" { Vec::new() } else { vec![self.at(file)] };
        }
        if self.kind.is_joint() {
            return vec![self.in_directory(OsStr::new(self.joint_name()))];
        }
        self.sources().iter().map(|source| self.in_directory(&with_end(source, end))).collect()
    }

    /// Absolute path of the depfile that is asked for beside the output; None: none is, or several are.
    pub fn depfile(&self) -> Option<PathBuf> {
        let is_asked = self.has("generate-dependencies-with-compile") || self.has("generate-nonsystem-dependencies-with-compile");
        if !is_asked || matches!(self.kind, Kind::Depend | Kind::Query) {
            return None;
        }
        if let Some(file) = self.value("dependency-output") {
            return Some(self.at(file));
        }
        if let Some(output) = self.value("output-file") {
            return Some(self.at(output).with_extension("d"));
        }
        match self.sources()[..] {
            [source] => Some(self.in_directory(&with_end(source, ".d"))),
            _ => None,
        }
    }

    /// Absolute path of a file that was named in this call.
    pub fn at(&self, file: &OsStr) -> PathBuf {
        self.cwd.join(file)
    }

    fn in_directory(&self, name: &OsStr) -> PathBuf {
        self.at(self.value("output-directory").unwrap_or_default()).join(name)
    }

    fn joint_name(&self) -> &'static str {
        match self.kind {
            Kind::Library => "a.a",
            Kind::Link if self.has("cubin") => "a_dlink.cubin",
            Kind::Link if self.has("fatbin") => "a_dlink.fatbin",
            Kind::Link => "a_dlink.o",
            _ => "a.out",
        }
    }

    fn add(&mut self, words: &[OsString], depth: u32) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some((name, value)) = read_word(word) else {
                let is_option = word.len() > 1 && word.as_bytes().starts_with(b"-");
                let kept = if is_option { &mut self.unknown } else { &mut self.inputs };
                kept.push(word.clone());
                continue;
            };
            let value = match value {
                Value::None => OsString::new(),
                Value::Here(value) => value,
                Value::Next => words.next().cloned().unwrap_or_default(),
            };
            if name == "options-file" && depth < MAX_OPTIONS_DEPTH {
                self.add_files(&value, depth);
            } else {
                self.options.push((name, value));
            }
        }
    }

    fn add_files(&mut self, names: &OsStr, depth: u32) {
        for name in names.as_bytes().split(|byte| *byte == b',') {
            let path = self.at(OsStr::from_bytes(name));
            let words = file_words(&read_options(&path));
            self.options_files.push(path);
            self.add(&words, depth + 1);
        }
    }

    fn find_kind(&self) -> Kind {
        const TELL: [&str; 6] = ["help", "version", "dryrun", "list-gpu-code", "list-gpu-arch", "clean-targets"];
        let is_any = |names: &[&str]| names.iter().any(|name| self.has(name));
        if is_any(&TELL) || (self.inputs.is_empty() && !is_any(&["host-linker-script"])) {
            return Kind::Query;
        }
        let is_relocatable = self.has("device-c") || self.value("relocatable-device-code") == Some(OsStr::new("true"));
        let kinds: [(&[&str], Kind); 10] = [
            (&["generate-dependencies", "generate-nonsystem-dependencies"], Kind::Depend),
            (&["preprocess"], Kind::Preprocess),
            (&["run"], Kind::Program),
            (&["ptx"], Kind::Ptx),
            (&["optix-ir", "ltoir"], Kind::Other),
            (if self.has("device-link") { &[] } else { &["cubin"] }, Kind::Cubin),
            (if self.has("device-link") { &[] } else { &["fatbin"] }, Kind::Fatbin),
            (&["compile", "device-c", "device-w"], if is_relocatable { Kind::DeviceObject } else { Kind::Object }),
            (&["device-link"], Kind::Link),
            (&["lib"], Kind::Library),
        ];
        let found = kinds.iter().find(|(names, _)| is_any(names)).map(|(_, kind)| *kind);
        found.unwrap_or(if self.has("cuda") { Kind::Other } else { Kind::Program })
    }

    fn find_archs(&self) -> Vec<String> {
        let text = |value: &OsStr| value.to_string_lossy().into_owned();
        let codes = self.values("gpu-code").iter().flat_map(|code| names_in(&code.to_string_lossy())).collect::<Vec<_>>();
        let mut found: Vec<String> = match self.value("gpu-architecture").map(text) {
            Some(arch) if codes.is_empty() => code_of(&arch),
            Some(arch) if self.kind == Kind::Ptx => vec![arch],
            _ => codes,
        };
        for (_, value) in self.options.iter().filter(|(name, _)| *name == "generate-code") {
            for name in spec_codes(&value.to_string_lossy(), self.kind == Kind::Ptx) {
                found.push(name);
            }
        }
        match self.kind {
            Kind::Ptx => found.retain(|name| !name.starts_with("sm_")),
            Kind::Cubin => found.retain(|name| !name.starts_with("compute_")),
            _ => {}
        }
        let mut once = Vec::new();
        found.into_iter().for_each(|name| if !once.contains(&name) { once.push(name) });
        once
    }
}

/// `arch=compute_80,code=[sm_80,compute_80]`: `sm_80` and `compute_80`; of a call that makes PTX, `compute_80`.
fn spec_codes(spec: &str, is_ptx: bool) -> Vec<String> {
    let (mut archs, mut codes) = (Vec::new(), Vec::new());
    let mut is_code = false;
    for part in spec.split(',') {
        let part = match (part.strip_prefix("arch="), part.strip_prefix("code=")) {
            (Some(arch), _) => {
                is_code = false;
                arch
            }
            (_, Some(code)) => {
                is_code = true;
                code
            }
            _ => part,
        };
        let names = names_in(part);
        if is_code { &mut codes } else { &mut archs }.extend(names);
    }
    match codes.is_empty() {
        true => archs.iter().flat_map(|arch| code_of(arch)).collect(),
        false if is_ptx => archs,
        false => codes,
    }
}

/// What is made where nothing but the class is named: `sm_80` stands for itself and its PTX.
fn code_of(arch: &str) -> Vec<String> {
    match arch.strip_prefix("sm_") {
        Some(number) => vec![arch.to_owned(), format!("compute_{number}")],
        None => vec![arch.to_owned()],
    }
}

fn names_in(text: &str) -> Vec<String> {
    let is_between = |sign: char| matches!(sign, '[' | ']' | '"' | '\'' | ',' | ' ');
    text.split(is_between).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// `dir/k.a.cu`: `k.a` with another end.
fn with_end(source: &OsStr, end: &str) -> OsString {
    let mut name = Path::new(source).file_stem().unwrap_or_default().to_owned();
    name.push(end);
    name
}

fn os_string(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}
