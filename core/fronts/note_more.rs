//! What notes of nvcc need besides.

use crate::note::{has_user_info, is_secret, quoted};
use std::ffi::{OsStr, OsString};

/// In place of a credential.
const HIDDEN: &str = "***";

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
