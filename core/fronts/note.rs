//! Notes: one JSON object a line.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the name of a variable with a credential has in it.
const SECRETS: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];

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

/// A URL in it says who asks, and perhaps with which password: `http://me:secret@proxy:8080`.
pub fn has_user_info(text: &str) -> bool {
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
