//! The request for a page of a list, and what can be read from it (`api-contract` points 2 and 6). Pure.

use super::token_style::Parameter;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// The request for a page. Its JSON form is stored in checkpoints and among the remembered page tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cursor {
    /// The list's beginning.
    Start,
    /// A URL reference that the server gave.
    Url(String),
    /// A bare token under one of the two parameters.
    Bare {
        /// The parameter.
        parameter: Parameter,
        /// The token.
        token: String,
    },
}

/// A shorter id may be part of a token by chance: if ids are 1, 2, 3 and so on, a page's last id is also the number of records
/// before the next page.
const LONG_ENOUGH: usize = 8;

impl Cursor {
    /// The request for a URL of the API, independent of the answer that named it.
    pub(super) fn of_url(url: &Url) -> Cursor {
        let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
        // A reference that begins with two slashes would name a host (RFC 3986, 4.2).
        let dot = if url.path().starts_with("//") { "/." } else { "" };
        Cursor::Url(format!("{dot}{}{query}", url.path()))
    }

    /// Whether both requests have the same form, for whatever page: a URL with the same path and parameter names, or a token
    /// under the same parameter. They differ if the server has changed its way of paging in between.
    pub fn asks_like(&self, other: &Cursor) -> bool {
        match (self, other) {
            (Cursor::Url(one), Cursor::Url(two)) => form(one) == form(two),
            (Cursor::Bare { parameter: one, .. }, Cursor::Bare { parameter: two, .. }) => one == two,
            _ => false,
        }
    }

    /// Whether the token contains this record's id, as it is or in base64: then it names the position after that record, not
    /// a number of records.
    pub fn names_record(&self, id: &str) -> bool {
        match self {
            Cursor::Start => false,
            Cursor::Bare { token, .. } => holds(token, id),
            Cursor::Url(reference) => query(reference).iter().any(|(_, value)| holds(value, id)),
        }
    }
}

fn holds(token: &str, id: &str) -> bool {
    let found_in = |bytes: &[u8]| bytes.windows(id.len()).any(|part| part == id.as_bytes());
    id.len() >= LONG_ENOUGH
        && (found_in(token.as_bytes()) || from_base64(token).is_some_and(|bytes| found_in(&bytes)))
}

/// A reference's path and the names of its parameters.
fn form(reference: &str) -> (&str, Vec<String>) {
    let path = reference.split_once('?').map_or(reference, |(path, _)| path);
    (path, query(reference).into_iter().map(|(name, _)| name).collect())
}

/// A reference's parameters, decoded.
fn query(reference: &str) -> Vec<(String, String)> {
    let Some((_, query)) = reference.split_once('?') else { return Vec::new() };
    let parsed = Url::parse(&format!("http://localhost/?{query}"));
    parsed.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}

/// Which of the two parameters a URL reference carries.
pub(super) fn parameter_of(reference: &str) -> Option<Parameter> {
    let (_, query) = reference.split_once('?')?;
    let names = || query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
    names().find_map(Parameter::from_name)
}

/// Decodes base64 in either alphabet (RFC 4648 sections 4 and 5), with or without padding. A space counts as the `+` that it
/// was before URL decoding.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let standard = text.trim_end_matches('=').replace(['-', ' '], "+").replace('_', "/");
    BASE64_STANDARD_NO_PAD.decode(standard).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "a0a877c6-4164-4e8a-8179-48f8d4752b4e";

    fn url(text: &str) -> Cursor {
        Cursor::Url(text.to_owned())
    }

    fn bare(parameter: Parameter, token: &str) -> Cursor {
        Cursor::Bare { parameter, token: token.to_owned() }
    }

    #[test]
    fn requests_of_one_form() {
        let next = |token| bare(Parameter::Next, token);
        for (one, two, expected) in [
            (url("/customers?next=a"), url("/customers?next=b%3D"), true),
            (url("/customers?next=a&limit=5"), url("/customers?next=b&limit=9"), true),
            (url("/customers?next=a"), url("/customers?prev=a"), false),
            (url("/customers?next=a"), url("/v2/customers?next=a"), false),
            (next("a"), next("b"), true),
            (next("a"), bare(Parameter::Prev, "a"), false),
            (next("a"), url("/customers?next=a"), false),
            (Cursor::Start, Cursor::Start, false),
        ] {
            assert_eq!(one.asks_like(&two), expected, "{one:?} {two:?}");
        }
    }

    #[test]
    fn tokens_that_hold_an_id() {
        let in_base64 = "eyJpZCI6ImEwYTg3N2M2LTQxNjQtNGU4YS04MTc5LTQ4ZjhkNDc1MmI0ZSJ9";
        for (cursor, id, expected) in [
            (bare(Parameter::Next, ID), ID, true),
            (bare(Parameter::Next, "50"), "50", false),
            (bare(Parameter::Next, in_base64), ID, true),
            (url(&format!("/customers?next={in_base64}")), ID, true),
            (url(&format!("/customers?next=created%3A1%3A{ID}")), ID, true),
            (url("/customers?next=offset%3D1750"), "175", false),
            (url("/customers?page=12345678"), "12345678", true),
            (bare(Parameter::Next, "1750"), ID, false),
            (Cursor::Start, ID, false),
        ] {
            assert_eq!(cursor.names_record(id), expected, "{cursor:?} {id}");
        }
    }

    /// Whatever its path, it leads to the same page again.
    #[test]
    fn a_url_comes_out_of_its_cursor_again() {
        for target in
            ["/customers?next=a", "//customers?next=a", "///customers", "//evil.example/x?next=//y", "/"]
        {
            let target = format!("https://api.example.com{target}");
            let target = Url::parse(&target).unwrap();
            let Cursor::Url(reference) = Cursor::of_url(&target) else { panic!("{target}") };
            let asked = Url::parse("https://api.example.com/customers/1/events").unwrap();
            assert_eq!(asked.join(&reference).unwrap(), target, "{reference}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*", id in ".*") {
            let _ = url(&text).names_record(&id);
            let _ = url(&text).asks_like(&url(&id));
        }
    }

    #[test]
    fn base64_in_each_of_its_forms() {
        for text in ["+/8=", "+/8", "-_8=", "-_8", " /8="] {
            assert_eq!(from_base64(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(from_base64("a:b"), None);
    }
}
