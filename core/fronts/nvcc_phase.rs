//! Which phases of nvcc run now, told by the processes below it.

use crate::rustc::parent_of;
use std::collections::HashMap;
use std::fs;

/// So far above a process nvcc is looked for.
const MAX_HEIGHT: u32 = 8;
const MAX_DEPTH: u32 = 12;
/// A process between its fork and its exec still has the words of its parent.
const NO_PHASE: [&str; 5] = ["nvcc", "sh", "bash", "dash", "env"];
const TOOLS: [&str; 6] = ["cudafe++", "cicc", "ptxas", "fatbinary", "nvlink", "ar"];

/// A phase that was seen for the first time.
pub struct Begun {
    pub tool: String,
    pub arch: Option<String>,
    pub pid: i32,
}

/// The processes below one nvcc.
pub struct Tree {
    root: i32,
    /// Phase of each process, by its place in the order in which phases began. None: it may still become one.
    phases: HashMap<i32, Option<usize>>,
    count: usize,
}

impl Tree {
    pub fn new(root: i32) -> Tree {
        Tree { root, phases: HashMap::new(), count: 0 }
    }

    /// Look at all of them; which phases are new, in order.
    pub fn look(&mut self) -> Vec<Begun> {
        let before = std::mem::take(&mut self.phases);
        let mut begun = Vec::new();
        self.visit(self.root, None, &before, &mut begun, 0);
        begun
    }

    fn visit(
        &mut self, pid: i32, above: Option<usize>, before: &HashMap<i32, Option<usize>>, begun: &mut Vec<Begun>, depth: u32,
    ) {
        let mut phase = above.or(before.get(&pid).copied().flatten());
        if phase.is_none() && pid != self.root {
            if let Some((tool, arch)) = read_phase(&words_of(pid)) {
                begun.push(Begun { tool, arch, pid });
                phase = Some(self.count);
                self.count += 1;
            }
        }
        self.phases.insert(pid, phase);
        for child in if phase.is_none() { children_of_all(pid) } else { children(pid, pid) } {
            if depth < MAX_DEPTH && !self.phases.contains_key(&child) {
                self.visit(child, phase, before, begun, depth + 1);
            }
        }
    }

    /// Processes that work for a phase.
    pub fn workers(&self) -> impl Iterator<Item = (i32, usize)> + '_ {
        self.phases.iter().filter_map(|(pid, phase)| Some((*pid, (*phase)?)))
    }

    /// A process is nvcc, or one that it started; a script may stand before the real one.
    pub fn is_below(&self, pid: i32) -> bool {
        let mut at = pid;
        for _ in 0..MAX_HEIGHT {
            if at == self.root || self.phases.contains_key(&at) {
                return true;
            }
            match parent_of(at) {
                Some(above) if above > 1 => at = above,
                _ => return false,
            }
        }
        false
    }
}

/// Of all its threads: nvcc may have several, of which each starts tools.
fn children_of_all(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let numbers = threads.filter_map(|thread| thread.file_name().to_str()?.parse().ok());
    numbers.flat_map(|thread: i32| children(pid, thread)).collect()
}

fn children(pid: i32, thread: i32) -> Vec<i32> {
    let list = fs::read(format!("/proc/{pid}/task/{thread}/children")).unwrap_or_default();
    String::from_utf8_lossy(&list).split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The most memory that a process has had, bytes; 0: not to be known.
pub fn hwm_of(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |size| size * 1024)
}

fn words_of(pid: i32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Phase and arch of a command, as `nvcc --time` names them. None: it is none, as the shell between.
fn read_phase(words: &[String]) -> Option<(String, Option<String>)> {
    let tool = words.first()?.rsplit('/').next()?;
    let after = |option: &str| words.iter().position(|word| word == option).and_then(|at| words.get(at + 1));
    if TOOLS.contains(&tool) {
        let joined = words.iter().find_map(|word| word.strip_prefix("-arch=").or(word.strip_prefix("--arch=")));
        let arch = joined.or(after("-arch").or(after("--arch")).map(String::as_str));
        return Some((tool.to_owned(), arch.map(str::to_owned).or_else(|| arch_in(after("--gen_c_file_name")?))));
    }
    if NO_PHASE.contains(&tool) {
        return None;
    }
    let is_given = |option: &str| words.iter().any(|word| word == option);
    let output = after("-o")?; // rm has none
    let stage = match () {
        () if is_given("-E") && output.ends_with(".cpp4.ii") => "preprocessing 4",
        () if is_given("-E") => "preprocessing 1",
        () if is_given("-c") => "compiling",
        () => "linking",
    };
    Some((format!("{tool} ({stage})"), if is_given("-E") || is_given("-c") { host_arch(words) } else { None }))
}

/// `-D__CUDA_ARCH__=900`: `compute_90`; of the kinds that run on one processor or family only, `compute_90a`, `compute_100f`.
fn host_arch(words: &[String]) -> Option<String> {
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix("-D")?.strip_prefix(name)?.strip_prefix('='));
    let number = value("__CUDA_ARCH__")?.parse::<u32>().ok()? / 10;
    let end = match (value("__CUDA_ARCH_SPECIFIC__"), value("__CUDA_ARCH_FAMILY_SPECIFIC__")) {
        (Some(_), _) => "a",
        (None, Some(_)) => "f",
        (None, None) => "",
    };
    Some(format!("compute_{number}{end}"))
}

/// `/tmp/tmpxft_P-6_k.compute_90.cudafe1.cpp`: `compute_90`.
fn arch_in(file: &str) -> Option<String> {
    file.rsplit('/').next()?.split('.').find(|part| part.starts_with("compute_")).map(str::to_owned)
}
