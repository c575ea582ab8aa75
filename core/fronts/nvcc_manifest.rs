//! What a key gave, each time with the contents that were read for it: the last sixteen.

use crate::digest::Digest;
use crate::nvcc_closure::Probe;
use crate::nvcc_codec::{Reader, Writer};
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

pub const MOST_ENTRIES: usize = 16;
/// What nvcc makes of a source's path in names: the digits of a CRC-32.
const NAME_BYTES: usize = 8;

/// One outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Nanoseconds since the epoch: which of two is newer.
    pub made_ns: u64,
    /// Paths with the mark, and their content: all of them have to be what they were. The source is the first.
    pub files: Vec<u32>,
    /// Of those, the user's own.
    pub own: Vec<u32>,
    pub probes: Vec<u32>,
    /// Folders that nvcc looks for its tools in before those of PATH.
    pub tool_folders: Vec<Vec<u8>>,
    /// Names that are looked for there, and what was found.
    pub tools: Vec<(Vec<u8>, Vec<u8>)>,
    /// The one checkout that it is good in.
    pub bound: Option<Digest>,
    /// The source's name in names, where it can be replaced.
    pub named: Option<Vec<u8>>,
    pub output: Digest,
    /// What was printed, and the depfile behind its target; None: nothing, and none.
    pub said: Option<Digest>,
}

/// All that is known of a key. Files and probes are there once, whoever of the entries has them.
#[derive(Default, Debug)]
pub struct Manifest {
    pub files: Vec<(Vec<u8>, Digest)>,
    pub probes: Vec<Probe>,
    /// The newest is the last.
    pub entries: Vec<Entry>,
}

impl Manifest {
    pub fn add_file(&mut self, path: Vec<u8>, digest: Digest, known: &mut HashMap<(Vec<u8>, Digest), u32>) -> u32 {
        if known.is_empty() {
            known.extend(self.files.iter().cloned().zip(0..));
        }
        intern(&mut self.files, known, (path, digest))
    }

    pub fn add_probe(&mut self, probe: Probe, known: &mut HashMap<Probe, u32>) -> u32 {
        if known.is_empty() {
            known.extend(self.probes.iter().cloned().zip(0..));
        }
        intern(&mut self.probes, known, probe)
    }

    /// Put it in, in place of those that were made of the same.
    pub fn add(&mut self, entry: Entry) {
        let made_of = |entry: &Entry| (entry.files.clone(), entry.probes.clone(), entry.tools.clone(), entry.bound);
        let is_same = |old: &Entry| made_of(old) == made_of(&entry);
        self.entries.retain(|old| !is_same(old));
        self.entries.push(entry);
        let surplus = self.entries.len().saturating_sub(MOST_ENTRIES);
        self.entries.drain(..surplus);
        self.drop_unused();
    }

    fn drop_unused(&mut self) {
        keep_used(&mut self.files, self.entries.iter_mut().flat_map(|entry| [&mut entry.files, &mut entry.own]));
        keep_used(&mut self.probes, self.entries.iter_mut().map(|entry| &mut entry.probes));
    }

    pub fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.list(&self.files, |writer, (path, digest)| {
            writer.bytes(path);
            writer.digest(digest);
        });
        let mut names: Vec<Rc<Vec<Vec<u8>>>> = Vec::new();
        let mut known = HashMap::new();
        let numbers: Vec<u32> = self.probes.iter().map(|probe| intern(&mut names, &mut known, probe.names.clone())).collect();
        writer.list(&names, |writer, names| writer.list(names, |writer, name| writer.bytes(name)));
        let numbered: Vec<(&Probe, u32)> = self.probes.iter().zip(numbers).collect();
        writer.list(&numbered, |writer, (probe, names)| {
            writer.bytes(&probe.folder);
            writer.small(*names);
            writer.bytes(&probe.found);
        });
        writer.list(&self.entries, write_entry);
        writer.text
    }

    /// None: it is damaged, or none.
    pub fn read(text: &[u8]) -> Option<Manifest> {
        let mut reader = Reader::new(text);
        let files = reader.list(|reader| Some((reader.owned()?, reader.digest()?)))?;
        let names: Vec<Rc<Vec<Vec<u8>>>> = reader.list(|reader| Some(Rc::new(reader.list(Reader::owned)?)))?;
        let probes = reader.list(|reader| {
            let folder = reader.owned()?;
            let names = names.get(reader.small()? as usize)?.clone();
            let found = reader.owned()?;
            (found.len() == names.len()).then_some(Probe { folder, names, found })
        })?;
        let entries = reader.list(read_entry)?;
        let is_whole = |entry: &Entry| {
            let is_below = |list: &[u32], length: usize| list.iter().all(|at| (*at as usize) < length);
            let is_name = entry.named.as_ref().is_none_or(|name| name.len() == NAME_BYTES);
            is_name && is_below(&entry.files, files.len()) && is_below(&entry.own, files.len())
                && is_below(&entry.probes, probes.len())
        };
        entries.iter().all(is_whole).then_some(())?;
        Some(Manifest { files, probes, entries })
    }
}

fn write_entry(writer: &mut Writer, entry: &Entry) {
    writer.number(entry.made_ns);
    writer.list(&entry.files, |writer, at| writer.small(*at));
    writer.list(&entry.own, |writer, at| writer.small(*at));
    writer.list(&entry.probes, |writer, at| writer.small(*at));
    writer.list(&entry.tool_folders, |writer, folder| writer.bytes(folder));
    writer.list(&entry.tools, |writer, (name, path)| {
        writer.bytes(name);
        writer.bytes(path);
    });
    writer.list(&Vec::from_iter(entry.bound), Writer::digest);
    writer.list(&Vec::from_iter(&entry.named), |writer, name| writer.bytes(name));
    writer.digest(&entry.output);
    writer.list(&Vec::from_iter(entry.said), Writer::digest);
}

fn read_entry(reader: &mut Reader) -> Option<Entry> {
    Some(Entry {
        made_ns: reader.number()?,
        files: reader.list(Reader::small)?,
        own: reader.list(Reader::small)?,
        probes: reader.list(Reader::small)?,
        tool_folders: reader.list(Reader::owned)?,
        tools: reader.list(|reader| Some((reader.owned()?, reader.owned()?)))?,
        bound: reader.list(Reader::digest)?.pop(),
        named: reader.list(Reader::owned)?.pop(),
        output: reader.digest()?,
        said: reader.list(Reader::digest)?.pop(),
    })
}

fn intern<T: Clone + Eq + Hash>(items: &mut Vec<T>, known: &mut HashMap<T, u32>, item: T) -> u32 {
    *known.entry(item).or_insert_with_key(|item| {
        items.push(item.clone());
        items.len() as u32 - 1
    })
}

/// Take out what no entry has, and number the rest anew.
fn keep_used<'a, T>(items: &mut Vec<T>, uses: impl Iterator<Item = &'a mut Vec<u32>>) {
    let mut lists: Vec<&mut Vec<u32>> = uses.collect();
    let mut is_used = vec![false; items.len()];
    lists.iter().flat_map(|list| list.iter()).for_each(|at| is_used[*at as usize] = true);
    let mut kept = 0;
    let number = |is_used: &bool| {
        kept += u32::from(*is_used);
        kept.wrapping_sub(1)
    };
    let numbers: Vec<u32> = is_used.iter().map(number).collect();
    let mut flags = is_used.iter();
    items.retain(|_| *flags.next().unwrap_or(&false));
    for list in &mut lists {
        list.iter_mut().for_each(|at| *at = numbers[*at as usize]);
    }
}
