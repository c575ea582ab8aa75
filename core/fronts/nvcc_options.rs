//! Options of nvcc. Source: `nvcc --help` of release 13.0, and those that it knows and does not tell.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Options with a value, by long and short name: `--long V`, `--long=V`, `-short V`, `-short=V`.
const VALUED: [(&str, &str); 62] = [
    ("output-file", "o"), ("output-directory", "odir"), ("compiler-bindir", "ccbin"), ("archiver-binary", "arbin"),
    ("cudart", "cudart"), ("cudadevrt", "cudadevrt"), ("libdevice-directory", "ldir"), ("target-directory", "target-dir"),
    ("optimize", "O"), ("Ofast-compile", "Ofc"), ("dopt", "dopt"), ("x", "x"), ("std", "std"), ("machine", "m"),
    ("ftemplate-backtrace-limit", "ftemplate-backtrace-limit"), ("ftemplate-depth", "ftemplate-depth"),
    ("static-global-template-stub", "static-global-template-stub"), ("threads", "t"), ("split-compile", "split-compile"),
    ("device-entity-has-hidden-visibility", "device-entity-has-hidden-visibility"), ("keep-dir", "keep-dir"),
    ("split-compile-extended", "split-compile-extended"), ("fdevice-time-trace", "fdevice-time-trace"), ("time", "time"),
    ("input-drive-prefix", "idp"), ("dependency-drive-prefix", "ddp"), ("drive-prefix", "dp"), ("dependency-output", "MF"),
    ("dependency-target-name", "MT"), ("gpu-architecture", "arch"), ("relocatable-device-code", "rdc"), ("ftz", "ftz"),
    ("maxrregcount", "maxrregcount"), ("prec-div", "prec-div"), ("prec-sqrt", "prec-sqrt"), ("fmad", "fmad"),
    ("default-stream", "default-stream"), ("host-linker-script", "hls"), ("brief-diagnostics", "brief-diag"),
    ("jump-table-density", "jtd"), ("device-stack-protector", "device-stack-protector"), ("sanitize", "sanitize"),
    ("compress-mode", "compress-mode"), ("frandom-seed", "frandom-seed"), ("qpp-config", "qpp-config"),
    ("pre-include", "include"), ("library", "l"), ("define-macro", "D"), ("undefine-macro", "U"), ("include-path", "I"),
    ("system-include", "isystem"), ("library-path", "L"), ("optimization-info", "opt-info"),
    ("compiler-options", "Xcompiler"), ("linker-options", "Xlinker"), ("archive-options", "Xarchive"),
    ("ptxas-options", "Xptxas"), ("nvlink-options", "Xnvlink"), ("run-args", "run-args"), ("gpu-code", "code"),
    ("generate-code", "gencode"), ("entries", "e"),
];
const MORE_VALUED: [(&str, &str); 17] = [
    ("Werror", "Werror"), ("diag-error", "diag-error"), ("diag-suppress", "diag-suppress"), ("diag-warn", "diag-warn"),
    ("options-file", "optf"), ("cicc-options", "Xcicc"), ("cudafe-options", "Xcudafe"), ("fatbin-options", "Xfatbin"),
    ("nvasm-options", "Xnvasm"), ("nvdisasm-options", "Xnvdisasm"), ("all-prefix", "all-prefix"), ("tool-name", "tool-name"),
    ("cpp-prefix", "cpp-prefix"), ("cudafe-prefix", "cudafe-prefix"), ("cicc-prefix", "cicc-prefix"),
    ("ptxas-prefix", "ptxas-prefix"), ("nvlink-prefix", "nvlink-prefix"),
];
/// Options without a value.
const FLAGS: [(&str, &str); 77] = [
    ("cuda", "cuda"), ("cubin", "cubin"), ("fatbin", "fatbin"), ("ptx", "ptx"), ("optix-ir", "optix-ir"),
    ("ltoir", "ltoir"), ("preprocess", "E"), ("generate-dependencies", "M"), ("generate-nonsystem-dependencies", "MM"),
    ("generate-dependencies-with-compile", "MD"), ("generate-nonsystem-dependencies-with-compile", "MMD"),
    ("generate-dependency-targets", "MP"), ("compile", "c"), ("device-c", "dc"), ("device-w", "dw"),
    ("device-link", "dlink"), ("link", "link"), ("lib", "lib"), ("run", "run"), ("objdir-as-tempdir", "objtemp"),
    ("allow-unsupported-compiler", "allow-unsupported-compiler"), ("use-local-env", "use-local-env"),
    ("force-cl-env-setup", "force-cl-env-setup"), ("profile", "pg"), ("debug", "g"), ("device-debug", "G"),
    ("generate-line-info", "lineinfo"), ("dlink-time-opt", "dlto"), ("lto", "lto"), ("gen-opt-lto", "gen-opt-lto"),
    ("no-exceptions", "noeh"), ("shared", "shared"), ("no-host-device-initializer-list", "nohdinitlist"),
    ("no-host-device-move-forward", "nohdmoveforward"), ("expt-relaxed-constexpr", "expt-relaxed-constexpr"),
    ("extended-lambda", "extended-lambda"), ("expt-extended-lambda", "expt-extended-lambda"), ("m64", "m64"),
    ("forward-unknown-to-host-compiler", "forward-unknown-to-host-compiler"), ("dont-use-profile", "noprof"),
    ("forward-unknown-to-host-linker", "forward-unknown-to-host-linker"), ("dryrun", "dryrun"), ("verbose", "v"),
    ("forward-unknown-opts", "forward-unknown-opts"), ("fdevice-syntax-only", "fdevice-syntax-only"), ("keep", "keep"),
    ("save-temps", "save-temps"), ("clean-targets", "clean"), ("no-device-link", "nodlink"), ("restrict", "restrict"),
    ("use_fast_math", "use_fast_math"), ("extra-device-vectorization", "extra-device-vectorization"),
    ("disable-warnings", "w"), ("keep-device-functions", "keep-device-functions"), ("source-in-ptx", "src-in-ptx"),
    ("Wreorder", "Wreorder"), ("Wdefault-stream-launch", "Wdefault-stream-launch"), ("resource-usage", "res-usage"),
    ("Wmissing-launch-bounds", "Wmissing-launch-bounds"), ("Wext-lambda-captures-this", "Wext-lambda-captures-this"),
    ("Wno-deprecated-declarations", "Wno-deprecated-declarations"), ("extensible-whole-program", "ewp"),
    ("Wno-deprecated-gpu-targets", "Wno-deprecated-gpu-targets"), ("no-compress", "no-compress"),
    ("compile-as-tools-patch", "astoolspatch"), ("list-gpu-code", "code-ls"), ("list-gpu-arch", "arch-ls"),
    ("display-error-number", "err-no"), ("no-display-error-number", "no-err-no"), ("relocatable-link", "r"),
    ("augment-host-linker-script", "aug-hls"), ("relocatable-ptx", "reloc-ptx"), ("jobserver", "jobserver"),
    ("help", "h"), ("version", "V"), ("no-align-double", "-no-align-double"), ("tdump", "tdump"),
];
/// Short options whose value may follow without a gap.
const JOINED: [&str; 7] = ["I", "L", "l", "D", "U", "O", "t"];
const MAX_OPTIONS_BYTES: u64 = 1 << 20;

/// Of an option.
pub enum Value {
    None,
    Here(OsString),
    /// It is the next word.
    Next,
}

/// The option that a word names; None: it names none.
pub fn read_word(word: &OsStr) -> Option<(&'static str, Value)> {
    let bytes = word.as_bytes();
    let (is_long, rest) = match bytes.strip_prefix(b"--") {
        Some(rest) => (true, rest),
        None => (false, bytes.strip_prefix(b"-")?),
    };
    let at = rest.iter().position(|byte| *byte == b'=');
    let (name, value) = at.map_or((rest, None), |at| (&rest[..at], Some(OsStr::from_bytes(&rest[at + 1..]).to_owned())));
    let is_it = |(long, short): &&(&str, &str)| name == if is_long { long.as_bytes() } else { short.as_bytes() };
    let is_flag = |pair: &&(&str, &str)| value.is_none() && (is_it(pair) || pair.1.as_bytes() == bytes);
    if let Some((long, _)) = FLAGS.iter().find(is_flag) {
        return Some((long, Value::None));
    }
    if let Some((long, _)) = VALUED.iter().chain(&MORE_VALUED).find(is_it) {
        return Some((long, value.map_or(Value::Next, Value::Here)));
    }
    let joined = JOINED.iter().find(|short| !is_long && rest.starts_with(short.as_bytes()))?;
    let (long, short) = VALUED.iter().find(|(_, short)| short == joined)?;
    Some((long, Value::Here(OsStr::from_bytes(&rest[short.len()..]).to_owned())))
}

/// Words of a variable: only a blank parts them, none within `"`, which stay. Source: nvcc 13.0.
pub fn env_words(text: &OsStr) -> Vec<OsString> {
    let mut is_quoted = false;
    let is_end = |byte: &u8| {
        is_quoted ^= *byte == b'"';
        *byte == b' ' && !is_quoted
    };
    text.as_bytes().split(is_end).filter(|word| !word.is_empty()).map(|word| OsStr::from_bytes(word).to_owned()).collect()
}

/// Words of an options file: white space parts them, none within `"` or after `\`, which both go. Source: nvcc 13.0.
pub fn file_words(text: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut is_quoted = false;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => word.get_or_insert_default().extend(bytes.next()),
            b'"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            _ if !is_quoted && byte.is_ascii_whitespace() => words.extend(word.take().map(OsString::from_vec)),
            _ => word.get_or_insert_default().push(*byte),
        }
    }
    words.extend(word.map(OsString::from_vec));
    words
}

/// Empty where it cannot be read, or is no file.
pub fn read_options(path: &Path) -> Vec<u8> {
    let mut found = Vec::new();
    if path.is_file() {
        if let Ok(file) = File::open(path) {
            let _ = file.take(MAX_OPTIONS_BYTES).read_to_end(&mut found);
        }
    }
    found
}
