//! What a text says that decides whether what is made of it can be kept: that it means something else each time, or that it
//! asks for files which no list of what was read names.

use crate::nvcc_place::{find, find_all};
use std::borrow::Cow;

/// What a text asks of the file system while it is preprocessed.
#[derive(PartialEq, Eq, Debug)]
pub struct Questions {
    /// That it asks for by `__has_include("x")`, or a macro that has such a name.
    pub names: Vec<Vec<u8>>,
    /// It also asks for what only a macro says, or in a way that is not understood.
    pub is_hidden: bool,
    /// Macros can make words of it, or what is told to an assembler: those are seen in what is preprocessed alone.
    pub is_veiled: bool,
}

impl Questions {
    /// Err: why what was made of the text is not to be kept.
    pub fn read(text: &[u8]) -> Result<Questions, &'static str> {
        let text = spliced(text);
        why_not_kept(&text).or_else(|| reads_of_assembler(&text)).map_or(Ok(()), Err)?;
        let names = questions(&text).filter_map(|(_, rest)| literal(rest).map(<[u8]>::to_vec)).collect();
        let is_hidden = questions(&text).any(|(at, rest)| is_hidden(&text, at, rest));
        let is_veiled = find(&text, b"##").is_some() || find(&text, b"%:%:").is_some() || has_asm_of_macros(&text);
        Ok(Questions { names, is_hidden, is_veiled })
    }
}

/// Why what was made of a preprocessed text is not to be kept, whatever the macros were that it came of.
pub fn why_preprocessed_not_kept(text: &[u8]) -> Option<&'static str> {
    if is_of_dependency(text) {
        return Some("#pragma GCC dependency");
    }
    let is_moment = |at: usize| {
        let text = &text[at + 1..text.len().min(at + 1 + MOMENTS[2].len())];
        MOMENTS.iter().any(|moment| looks_like(text, moment))
    };
    find_all(text, b"\"").any(is_moment).then_some("a date or a time").or_else(|| reads_of_assembler(text))
}

/// What `__TIME__`, `__DATE__` and `__TIMESTAMP__` become: `0` is a digit, `_` a digit or a blank, `A` a letter.
const MOMENTS: [&[u8]; 3] = [b"00:00:00\"", b"AAA _0 0000\"", b"AAA AAA _0 00:00:00 0000\""];

fn looks_like(text: &[u8], moment: &[u8]) -> bool {
    let is_like = |(byte, like): (&u8, &u8)| match like {
        b'0' => byte.is_ascii_digit(),
        b'_' => byte.is_ascii_digit() || *byte == b' ',
        b'A' => byte.is_ascii_alphabetic(),
        _ => byte == like,
    };
    text.len() >= moment.len() && text.iter().zip(moment).all(is_like)
}

/// Lines that end with `\` are one with the next; blanks may stand between. Source: gcc 12.
fn spliced(text: &[u8]) -> Cow<'_, [u8]> {
    let mut found = Vec::new();
    let mut from = 0;
    for at in find_all(text, b"\\") {
        let rest = &text[at + 1..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | 11 | 12)).count();
        if rest.get(blanks) == Some(&b'\n') {
            found.extend_from_slice(&text[from..at]);
            from = at + 1 + blanks + 1;
        }
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    found.extend_from_slice(&text[from..]);
    Cow::Owned(found)
}

fn why_not_kept(text: &[u8]) -> Option<&'static str> {
    const WORDS: [(&[u8], &str); 6] = [
        (b"__DATE__", "__DATE__"), (b"__TIME__", "__TIME__"), (b"__TIMESTAMP__", "__TIMESTAMP__"),
        (b"__has_embed", "__has_embed"), (b"incbin", ".incbin"), (b"??/", "a trigraph"),
    ];
    let is_there = |word: &[u8]| find(text, word).is_some();
    if let Some((_, name)) = WORDS.iter().find(|(word, _)| is_there(word)) {
        return Some(name);
    }
    if is_of_dependency(text) {
        return Some("#pragma GCC dependency");
    }
    let is_embedding = |at: usize| text[..at].trim_ascii_end().ends_with(b"#") || text[..at].trim_ascii_end().ends_with(b"%:");
    if find_all(text, b"embed").any(is_embedding) {
        return Some("#embed");
    }
    let is_of_assembler = |at: usize| matches!(text[at + b".include".len()..].trim_ascii_start(), [b'"', ..] | [b'\\', b'"', ..]);
    find_all(text, b".include").any(is_of_assembler).then_some(".include")
}

/// `#pragma GCC dependency` compares times.
fn is_of_dependency(text: &[u8]) -> bool {
    find_all(text, b"dependency").any(|at| text[..at].trim_ascii_end().ends_with(b"GCC"))
}

/// What an assembler would read, or make words of that do: in the strings of `asm`, as they are when joined.
fn reads_of_assembler(text: &[u8]) -> Option<&'static str> {
    const DIRECTIVES: [(&[u8], &str); 5] = [
        (b"incbin", ".incbin"), (b".include", ".include"), (b".macro", ".macro"), (b".irp", ".irp"), (b".altmacro", ".altmacro"),
    ];
    find_all(text, b"asm").find_map(|at| {
        let code = joined(&text[at..])?.0.to_ascii_lowercase();
        DIRECTIVES.iter().find(|(word, _)| find(&code, word).is_some()).map(|(_, name)| *name)
    })
}

/// An `asm` has something else than strings.
fn has_asm_of_macros(text: &[u8]) -> bool {
    find_all(text, b"asm").any(|at| !matches!(joined(&text[at..]), Some((_, [b')' | b':', ..]))))
}

/// The strings behind `asm volatile (`, one after another, and what stands behind them. None: there are none.
fn joined(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut found = Vec::new();
    let is_before = |byte: &u8| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || matches!(byte, b'_' | b'(');
    let mut rest = &text[text.iter().take_while(|byte| is_before(byte)).count()..];
    rest.starts_with(b"\"").then_some(())?;
    while let Some(inner) = rest.strip_prefix(b"\"") {
        let mut bytes = inner.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => break,
                b'\\' => found.extend(escaped(&mut bytes)),
                _ => found.push(*byte),
            }
        }
        rest = bytes.as_slice().trim_ascii_start();
    }
    Some((found, rest))
}

/// The byte that an escape in a string stands for.
fn escaped(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u8> {
    let number = |bytes: &mut std::slice::Iter<'_, u8>, base: u32, most: usize| {
        let is_digit = |byte: &&u8| (**byte as char).is_digit(base);
        let digits: Vec<u8> = bytes.as_slice().iter().take(most).take_while(is_digit).copied().collect();
        bytes.by_ref().take(digits.len()).for_each(drop);
        digits.iter().fold(0u32, |sum, digit| sum.wrapping_mul(base) + (*digit as char).to_digit(base).unwrap_or(0)) as u8
    };
    match bytes.as_slice().first()? {
        b'0'..=b'7' => Some(number(bytes, 8, 3)),
        b'x' => {
            bytes.next();
            Some(number(bytes, 16, 8))
        }
        _ => bytes.next().copied(),
    }
}

/// Each word that ends with `has_include` or `HAS_INCLUDE`, or goes on from there: where it is, and what stands behind it.
fn questions(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let ends = |at: usize| {
        let rest = &text[at..];
        rest.iter().position(|byte| !is_in_word(byte)).map(|end| (at, &rest[end..]))
    };
    find_all(text, b"has_include").chain(find_all(text, b"HAS_INCLUDE")).filter_map(ends)
}

fn is_in_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// `("x/y.h")`, `(<x/y.h>)`: `x/y.h`.
pub fn literal(rest: &[u8]) -> Option<&[u8]> {
    let inner = rest.trim_ascii_start().strip_prefix(b"(")?.trim_ascii_start();
    let end = match inner.first()? {
        b'"' => b'"',
        b'<' => b'>',
        _ => return None,
    };
    let length = inner[1..].iter().position(|byte| *byte == end || *byte == b'\n')?;
    Some(&inner[1..1 + length])
}

/// It is asked for what only a macro says, or under a name that does not tell so. `at`: where the word is; `rest`: what
/// stands behind it.
fn is_hidden(text: &[u8], at: usize, rest: &[u8]) -> bool {
    let start = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let directive = text[start..at].trim_ascii_start().strip_prefix(b"#").unwrap_or_default();
    let defined = directive.trim_ascii_start().strip_prefix(b"define").map(<[u8]>::trim_ascii_start);
    let is_asked = |rest: &[u8]| matches!(rest.trim_ascii_start(), [b'(', ..] | [b'/', b'*', ..]);
    match defined {
        // The word is the name that is defined.
        Some(before) if before.iter().all(is_in_word) => false,
        // A macro that hands its own argument on under a name that tells so.
        Some(before) if find(&before.to_ascii_lowercase(), b"has_include").is_some() => false,
        Some(_) => literal(rest).is_none(),
        None => is_asked(rest) && literal(rest).is_none(),
    }
}
