//! Notes: one JSON object a line.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the name of a variable with a credential has in it.
const SECRETS: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];
const HIDDEN: &str = "***";

pub fn open_notes(folder: &Path, name: &str) -> Option<File> {
    OpenOptions::new().append(true).create(true).open(folder.join(name)).ok()
}

/// Now.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A variable holds a credential, by its name or as part of a URL.
pub fn is_secret(name: &str, value: &str) -> bool {
    let text = name.to_uppercase();
    SECRETS.iter().any(|word| text.contains(word)) || has_user_info(value)
}

/// Words without what looks like a credential: the value of `NAME=value` where the name does, a word with a URL that has one.
pub fn masked(words: &[OsString]) -> Vec<OsString> {
    words.iter().map(|word| mask(&word.to_string_lossy()).map_or(word.clone(), OsString::from)).collect()
}

fn mask(word: &str) -> Option<String> {
    if has_user_info(word) {
        return Some(HIDDEN.to_owned());
    }
    let is_name = |sign: char| sign.is_alphanumeric() || sign == '_';
    let is_hidden = |at: &usize| is_secret(word[..*at].rsplit(|sign| !is_name(sign)).next().unwrap_or_default(), "");
    let at = word.match_indices('=').map(|(at, _)| at).find(is_hidden)?;
    Some(format!("{}={HIDDEN}", &word[..at]))
}

/// A JSON string, or `null`.
pub fn or_null(text: Option<impl AsRef<OsStr>>) -> String {
    text.map_or("null".to_owned(), |text| quoted(text.as_ref()))
}

/// A URL in it says who asks, and perhaps with which password: `http://me:secret@proxy:8080`.
fn has_user_info(text: &str) -> bool {
    let ends = |sign: char| sign == '/' || sign.is_whitespace();
    text.split("://").skip(1).any(|rest| rest.split(ends).next().is_some_and(|place| place.contains('@')))
}

/// A JSON string; bytes that are no UTF-8 become U+FFFD.
pub fn quoted(text: &OsStr) -> String {
    let mut out = String::from("\"");
    for sign in String::from_utf8_lossy(text.as_bytes()).chars() {
        match sign {
            '"' | '\\' => {
                out.push('\\');
                out.push(sign);
            }
            _ if (sign as u32) < 0x20 || sign as u32 == 0x7f => out.push_str(&format!("\\u{:04x}", sign as u32)),
            _ => out.push(sign),
        }
    }
    out.push('"');
    out
}
