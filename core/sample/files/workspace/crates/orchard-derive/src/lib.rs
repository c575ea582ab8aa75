//! `#[derive(Reading)]`: a sensor reading knows its name and its fields.

use proc_macro::{Delimiter, TokenStream, TokenTree};

#[proc_macro_derive(Reading)]
pub fn derive_reading(input: TokenStream) -> TokenStream {
    let (name, fields) = describe(input);
    let listed = fields.iter().map(|field| format!("{field:?}")).collect::<Vec<_>>().join(", ");
    format!(
        "impl Reading for {name} {{
            const NAME: &'static str = {name:?};
            const FIELDS: &'static [&'static str] = &[{listed}];
        }}"
    )
    .parse()
    .expect("the generated impl parses")
}

/// Name of the struct and of its fields.
fn describe(input: TokenStream) -> (String, Vec<String>) {
    let mut name = String::new();
    let mut fields = Vec::new();
    let mut is_named = false;
    for token in input {
        match token {
            TokenTree::Ident(word) if word.to_string() == "struct" => is_named = true,
            TokenTree::Ident(word) if is_named && name.is_empty() => name = word.to_string(),
            TokenTree::Group(group) if is_named && group.delimiter() == Delimiter::Brace => {
                let mut last = String::new();
                for inner in group.stream() {
                    match inner {
                        TokenTree::Punct(mark) if mark.as_char() == ':' && !last.is_empty() => {
                            fields.push(std::mem::take(&mut last));
                        }
                        TokenTree::Ident(word) => last = word.to_string(),
                        _ => last.clear(),
                    }
                }
            }
            _ => {}
        }
    }
    (name, fields)
}
