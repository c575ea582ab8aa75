//! Depfiles: which files a compilation read, as it spells them.

/// A depfile: its files as they are spelled, and the text behind the target. None: it is none of nvcc's for that target.
///
/// `TARGET : k.cu \` and a file a line; a blank in a name has a `\` before it, nothing else has. Source: nvcc 13.0.
pub fn read_depfile<'a>(text: &'a [u8], target: &[u8]) -> Option<(Vec<Vec<u8>>, &'a [u8])> {
    let rest = text.strip_prefix(target).filter(|rest| rest.starts_with(b" : "))?;
    let mut files = Vec::new();
    let mut lines = rest[3..].split(|byte| *byte == b'\n');
    loop {
        let line = lines.next()?;
        let (name, goes_on) = match line.strip_suffix(b" \\") {
            Some(name) => (name, true),
            None => (line, false),
        };
        let name = name.trim_ascii_start();
        if !name.is_empty() {
            files.push(unescaped(name));
        }
        if !goes_on {
            return (!files.is_empty()).then_some((files, rest));
        }
    }
}

fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(name.len());
    for (at, byte) in name.iter().enumerate() {
        if *byte != b'\\' || name.get(at + 1) != Some(&b' ') {
            found.push(*byte);
        }
    }
    found
}

/// That of gcc or clang: `TARGET: k.cpp /usr/include/stdc-predef.h \` and more lines of several files. None: it is none
/// for that target.
///
/// A blank and a `#` in a name have a `\` before them, and `$` stands twice. Source: gcc 12.
pub fn read_host_depfile(text: &[u8], target: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = text.strip_prefix(target)?.strip_prefix(b":")?.iter().peekable();
    let mut files = Vec::new();
    let mut name = Vec::new();
    while let Some(byte) = rest.next() {
        match (byte, rest.peek()) {
            (b'\\', Some(b' ' | b'#')) | (b'$', Some(b'$')) => name.extend(rest.next()),
            (b'\\', Some(b'\n')) => drop(rest.next()),
            (b'\n', _) => break,
            (b' ', _) => files.push(std::mem::take(&mut name)),
            _ => name.push(*byte),
        }
    }
    files.push(name);
    files.retain(|name| !name.is_empty());
    (!files.is_empty()).then_some(files)
}
