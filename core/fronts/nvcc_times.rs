//! What `nvcc --time` tells.

use crate::nvcc::PASSED;
use crate::nvcc_place::find;
use crate::tool::is_program;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MAX_BYTES: u64 = 16 << 20;
/// Of nvcc's own description of the option.
const DESCRIPTION: &[u8] = b"separated value table with the time taken by each compilation phase";
const PIECE: usize = 1 << 16;
const FIELDS: usize = 8;

/// One phase: `k.cu , ptxas , /tmp/tmpxft_P-6_k.ptx , /tmp/tmpxft_P-8_k.sm_80.cubin , sm_80 , nvcc , 99.6 , ms`.
/// Source: nvcc 13.0.
#[derive(Debug)]
pub struct Row {
    /// As nvcc names it; empty: of all.
    pub source: String,
    pub phase: String,
    pub arch: Option<String>,
    pub ms: f64,
    pub inputs: Vec<PathBuf>,
    pub output: PathBuf,
}

impl Row {
    /// A cubin comes of it.
    pub fn makes_code(&self) -> bool {
        self.phase == "ptxas" || self.phase == "nvlink"
    }

    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.inputs.iter().chain([&self.output])
    }
}

/// Rows of the table that a call wrote.
pub fn read_times(file: &mut File) -> Vec<Row> {
    let mut text = Vec::new();
    let _ = file.rewind().and_then(|()| file.take(MAX_BYTES).read_to_end(&mut text));
    String::from_utf8_lossy(&text).lines().filter_map(read_row).collect()
}

fn read_row(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split(" , ").map(str::trim).collect();
    let [source, phase, inputs, output, arch, _, ms, unit] = fields[..].try_into().ok().filter(|_| fields.len() == FIELDS)?;
    let arch = (!arch.is_empty()).then(|| arch.to_owned());
    // nvcc 13.0 gives no name to the ptxas that only checks PTX.
    let phase = if phase.is_empty() { "ptxas" } else { phase }.to_owned();
    let ms = ms.parse::<f64>().ok().filter(|ms| unit == "ms" && ms.is_finite())?;
    // Blanks part inputs and stand in names: a tool but these has one input.
    let inputs = match phase.as_str() {
        "fatbinary" | "nvlink" => inputs.split_whitespace().map(PathBuf::from).collect(),
        _ => vec![PathBuf::from(inputs)],
    };
    Some(Row { source: source.to_owned(), phase, arch, ms, inputs, output: output.into() })
}

/// This nvcc has the option. It is looked for once, as long as the file is the same.
pub fn knows_time(tool: &Path) -> bool {
    let Some(note) = note_of(tool) else { return has_time(tool) };
    match fs::read(&note).as_deref() {
        Ok(b"yes") => true,
        Ok(b"no") => false,
        _ => {
            let is_known = has_time(tool);
            let fresh = note.with_extension(std::process::id().to_string());
            let _ = fs::write(&fresh, if is_known { "yes" } else { "no" }).and_then(|()| fs::rename(&fresh, &note));
            is_known
        }
    }
}

/// Beside our own program.
fn note_of(tool: &Path) -> Option<PathBuf> {
    let about = fs::metadata(tool).ok()?;
    let folder = fs::canonicalize(env::current_exe().ok()?).ok()?.parent()?.to_owned();
    let key = format!(".nvcc-{:x}-{:x}-{:x}-{:x}", about.dev(), about.ino(), about.size(), about.mtime_nsec() ^ about.mtime());
    Some(folder.join(key))
}

/// Its file says so, or where that is a script or another program before it, what it prints.
fn has_time(tool: &Path) -> bool {
    if File::open(tool).and_then(|file| contains(file, DESCRIPTION)).unwrap_or(false) {
        return true;
    }
    let mut command = Command::new(tool);
    command.arg("--help").stdin(Stdio::null()).stderr(Stdio::null()).env_remove("DECK_FRONTS").env(PASSED, tool);
    let asked = command.output();
    is_program(tool) && asked.is_ok_and(|said| said.stdout.windows(6).any(|word| word == b"--time"))
}

/// In pieces: a large process would pass its size on to its children.
fn contains(mut file: File, text: &[u8]) -> io::Result<bool> {
    let mut piece = Vec::with_capacity(2 * PIECE);
    loop {
        let kept = piece.len().min(text.len() - 1);
        piece.drain(..piece.len() - kept);
        if file.by_ref().take(PIECE as u64).read_to_end(&mut piece)? == 0 {
            return Ok(false);
        }
        if find(&piece, text).is_some() {
            return Ok(true);
        }
    }
}
