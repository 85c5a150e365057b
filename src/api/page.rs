//! The body of a list answer: records, and perhaps an envelope with the next page's token (`api-contract` point 1).

use super::token::Next;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A list answer's body, borrowed from its bytes.
#[derive(Debug)]
pub struct PageBody<'a> {
    /// The records, each as it was written.
    pub records: Vec<&'a RawValue>,
    /// What the envelope says of the next page; `None` where it says nothing, or where there is no envelope.
    pub next: Option<Next>,
    /// The envelope says that there are further pages.
    pub says_more: bool,
}

/// The body is no list answer. Says what was found instead, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPage {
    /// Not JSON, or cut short.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// Of the first fault.
        line: usize,
        /// Of the first fault.
        column: usize,
    },
    /// JSON, but neither an array nor an object.
    #[error("the body is neither an array nor an object")]
    WrongShape,
    /// An object without an array of records.
    #[error("the body is an object that holds no array of records")]
    NoRecords,
    /// An error's object with a status of success.
    #[error("the body is an error's object")]
    ErrorObject,
    /// An object with several arrays, none of them under a name that tells.
    #[error("the body is an object that holds several arrays: which one holds the records can't be told")]
    SeveralArrays,
}

/// Reads the body of a list answer: a bare array, or an object that holds one array of records (itself or in one of
/// its members) beside a token.
///
/// # Errors
/// When it is anything else.
pub fn read_page(body: &[u8]) -> Result<PageBody<'_>, NotAPage> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => {
            let records = serde_json::from_slice(body).map_err(not_json)?;
            Ok(PageBody { records, next: None, says_more: false })
        }
        Some(b'{') => {
            let members = members(body).map_err(not_json)?;
            if is_error(&members) {
                return Err(NotAPage::ErrorObject);
            }
            let records = find_records(&members)?;
            let says_more = says_more(&members, 2);
            let next = find_next(&members).or_else(|| find_cursor(&members, 2).filter(|_| says_more));
            Ok(PageBody { records, next, says_more })
        }
        _ => serde_json::from_slice::<&RawValue>(body).map_err(not_json).and(Err(NotAPage::WrongShape)),
    }
}

/// By the value's error alone: its text could quote the body.
fn not_json(error: serde_json::Error) -> NotAPage {
    NotAPage::NotJson { line: error.line(), column: error.column() }
}

type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// The documented error object, or an envelope that tells of errors: an array in it is no list, and where it is empty
/// it would be taken for the list's end.
fn is_error(members: &Members<'_>) -> bool {
    let member = |name: &str| members.iter().find(|(found, _)| found == name).map(|(_, value)| value.get());
    let tells = |name: &str| member(name).is_some_and(|value| !matches!(value, "null" | "false" | "\"\""));
    let is_documented = member("code").is_some() && member("message").is_some();
    let has_list = RECORD_NAMES.iter().any(|name| member(name).is_some());
    let lists_errors = member("errors").is_some_and(|value| {
        let is_empty = value.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(*b"[]");
        value != "null" && !(has_list && is_empty)
    });
    is_documented || tells("error") || lists_errors
}

/// Names under which lists commonly stand, the likeliest first.
const RECORD_NAMES: [&str; 8] =
    ["data", "customers", "events", "results", "items", "records", "entries", "list"];

fn find_records<'a>(members: &Members<'a>) -> Result<Vec<&'a RawValue>, NotAPage> {
    let arrays = || members.iter().filter(|(_, value)| value.get().starts_with('['));
    let chosen = match arrays().count() {
        0 => {
            // One level down: {"data": {"customers": […]}}.
            let inner = members
                .iter()
                .filter_map(|(_, value)| members_of(value))
                .filter_map(|members| find_array(&members))
                .next();
            return inner.ok_or(NotAPage::NoRecords);
        }
        1 => arrays().next(),
        _ => RECORD_NAMES.iter().find_map(|name| arrays().find(|(found, _)| found == name)),
    };
    let (_, value) = chosen.ok_or(NotAPage::SeveralArrays)?;
    serde_json::from_str(value.get()).map_err(not_json)
}

fn find_array<'a>(members: &Members<'a>) -> Option<Vec<&'a RawValue>> {
    RECORD_NAMES.iter().find_map(|name| {
        let (_, value) =
            members.iter().find(|(found, value)| found == name && value.get().starts_with('['))?;
        serde_json::from_str(value.get()).ok()
    })
}

/// Members that hold paging members, by their plain names.
const CONTAINERS: [&str; 12] = [
    "cursor",
    "cursors",
    "paging",
    "pagination",
    "page",
    "links",
    "meta",
    "metadata",
    "pageinfo",
    "responsemetadata",
    "data",
    "result",
];

/// Members that hold the next page's token or URL, by their plain names.
const NEXT_NAMES: [&str; 12] = [
    "next",
    "nextcursor",
    "nexttoken",
    "nextpage",
    "nextpagetoken",
    "nextpagecursor",
    "nexturl",
    "nextlink",
    "nextpageurl",
    "nextpagelink",
    "nexthref",
    "odatanextlink",
];

/// Members that say whether there are further pages, by their plain names.
const MORE_NAMES: [&str; 5] = ["hasmore", "hasnext", "hasnextpage", "more", "morepages"];

/// Members that hold a cursor whose meaning only "there is more" beside it makes clear, by their plain names.
const CURSOR_NAMES: [&str; 6] =
    ["cursor", "endcursor", "after", "continuation", "continuationtoken", "pagetoken"];

fn says_more(members: &Members<'_>, depth: u8) -> bool {
    members.iter().any(|(name, value)| {
        let name = plain(name);
        (MORE_NAMES.contains(&name.as_str()) && value.get() == "true")
            || (depth > 0
                && CONTAINERS.contains(&name.as_str())
                && members_of(value).is_some_and(|inner| says_more(&inner, depth - 1)))
    })
}

fn find_cursor(members: &Members<'_>, depth: u8) -> Option<Next> {
    members.iter().find_map(|(name, value)| {
        let name = plain(name);
        if CURSOR_NAMES.contains(&name.as_str()) && value.get().starts_with('"') {
            return read_next(value).filter(|next| *next != Next::Ended);
        }
        let inner = members_of(value).filter(|_| depth > 0 && CONTAINERS.contains(&name.as_str()))?;
        find_cursor(&inner, depth - 1)
    })
}

/// Looks for the next token among the envelope's members, containers up to three deep. Where several stand, a URL
/// counts before a token, and a token before "no more".
fn find_next(members: &Members<'_>) -> Option<Next> {
    let mut found = Vec::new();
    collect_next(members, 3, &mut found);
    let rank = |next: &Next| match next {
        Next::Url(_) => 0,
        Next::Token(_) => 1,
        Next::Ended => 2,
    };
    found.into_iter().min_by_key(rank)
}

fn collect_next(members: &Members<'_>, depth: u8, found: &mut Vec<Next>) {
    for (name, value) in members {
        let name = plain(name);
        if NEXT_NAMES.contains(&name.as_str()) {
            found.extend(read_next(value));
        } else if depth > 0
            && CONTAINERS.contains(&name.as_str())
            && let Some(inner) = members_of(value)
        {
            if name == "cursors" {
                // Beside `before`, `after` can only be the next page's.
                let after = inner.iter().find(|(name, _)| plain(name) == "after");
                found.extend(after.and_then(|(_, value)| read_next(value)));
            }
            collect_next(&inner, depth - 1, found);
        }
    }
}

/// `next_cursor`, `nextCursor` and `next-cursor` are one name.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The member of a link object (`{"next": {"href": "…"}}`) that holds the link.
const LINK_NAMES: [&str; 5] = ["href", "url", "link", "cursor", "token"];

fn read_next(value: &RawValue) -> Option<Next> {
    match value.get().as_bytes().first()? {
        b'n' | b'f' => Some(Next::Ended),
        b'"' => serde_json::from_str::<String>(value.get()).ok().map(|text| Next::from_text(&text)),
        b'0'..=b'9' | b'-' => Some(Next::Token(value.get().to_owned())),
        b'{' => {
            let inner = members_of(value)?;
            LINK_NAMES.iter().find_map(|name| {
                inner.iter().find(|(found, _)| plain(found) == *name).and_then(|(_, value)| read_next(value))
            })
        }
        _ => None,
    }
}

fn members_of(value: &RawValue) -> Option<Members<'_>> {
    if !value.get().starts_with('{') {
        return None;
    }
    members(value.get().as_bytes()).ok()
}

fn members(object: &[u8]) -> serde_json::Result<Members<'_>> {
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    let members = deserializer.deserialize_map(MemberVisitor)?;
    deserializer.end()?;
    Ok(members)
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<Name<'de>, &RawValue>()? {
            members.push((name.0, value));
        }
        Ok(members)
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(text: &str) -> Option<Next> {
        Some(Next::Token(text.to_owned()))
    }

    #[test]
    fn bodies() {
        let url = |text: &str| Some(Next::Url(text.to_owned()));
        for (body, records, next) in [
            ("[]", 0, None),
            (" \n[{\"id\":\"a\"}, {}]\n", 2, None),
            (r#"{"data":[1,2],"next":"t"}"#, 2, token("t")),
            (r#"{"customers":[1],"next_cursor":"t"}"#, 1, token("t")),
            (r#"{"whatever":[1],"nextCursor":"t"}"#, 1, token("t")),
            (r#"{"data":[],"next":null}"#, 0, Some(Next::Ended)),
            (r#"{"data":[1],"next":""}"#, 1, Some(Next::Ended)),
            (r#"{"data":[1],"next":false}"#, 1, Some(Next::Ended)),
            (r#"{"data":[1],"next":7}"#, 1, token("7")),
            (r#"{"data":[1],"cursor":{"next":"t","prev":"p"}}"#, 1, token("t")),
            (r#"{"data":[1],"paging":{"cursors":{"next":"t"}}}"#, 1, token("t")),
            (r#"{"data":[1],"meta":{"pagination":{"next_page_token":"t"}}}"#, 1, token("t")),
            (r#"{"data":[1],"links":{"next":"/customers?next=t"}}"#, 1, url("/customers?next=t")),
            (r#"{"data":[1],"_links":{"next":{"href":"https://a/b?next=t"}}}"#, 1, url("https://a/b?next=t")),
            (r#"{"data":[1],"next":null,"links":{"next":"?next=t"}}"#, 1, url("?next=t")),
            (r#"{"data":[1],"next":"t","next_url":"/c?next=t"}"#, 1, url("/c?next=t")),
            (r#"{"data":[1],"prev":"p"}"#, 1, None),
            (r#"{"data":[1],"paging":{"cursors":{"before":"b","after":"t"}}}"#, 1, token("t")),
            (r#"{"data":[1],"response_metadata":{"next_cursor":"t"}}"#, 1, token("t")),
            (r#"{"data":{"customers":[1],"next":"t"}}"#, 1, token("t")),
            (r#"{"data":[1],"cursor":"t"}"#, 1, None),
            (r#"{"data":[1],"has_more":true,"cursor":"t"}"#, 1, token("t")),
            (r#"{"data":[1],"has_more":false,"cursor":"t"}"#, 1, None),
            (r#"{"data":[1],"pageInfo":{"hasNextPage":true,"endCursor":"t"}}"#, 1, token("t")),
            (r#"{"events":[1,2,3],"errors":[]}"#, 3, None),
            (r#"{"data":{"customers":[1,2]},"meta":{"next":"t"}}"#, 2, token("t")),
        ] {
            let page = read_page(body.as_bytes()).unwrap();
            assert_eq!((page.records.len(), page.next), (records, next), "{body}");
        }
    }

    #[test]
    fn an_envelope_may_say_that_there_is_more() {
        for (body, more) in [
            (r#"{"data":[1],"has_more":true}"#, true),
            (r#"{"data":[1],"meta":{"hasMore":true}}"#, true),
            (r#"{"data":[1],"has_more":false}"#, false),
            (r#"{"data":[1],"has_more":"no"}"#, false),
            ("[1]", false),
        ] {
            assert_eq!(read_page(body.as_bytes()).unwrap().says_more, more, "{body}");
        }
    }

    #[test]
    fn other_bodies_are_no_pages() {
        for body in ["", "<html></html>", "[1,", "[1] x", "{\"data\":[1]", "[1,]", "{\"a\":1,}"] {
            assert!(matches!(read_page(body.as_bytes()), Err(NotAPage::NotJson { .. })), "{body}");
        }
        assert_eq!(read_page(b"17").unwrap_err(), NotAPage::WrongShape);
        assert_eq!(read_page(b"null").unwrap_err(), NotAPage::WrongShape);
        assert_eq!(read_page(br#"{"status":"x"}"#).unwrap_err(), NotAPage::NoRecords);
        assert_eq!(read_page(br#"{"a":[1],"b":[2]}"#).unwrap_err(), NotAPage::SeveralArrays);
        assert!(matches!(read_page(b"[\"\xff\"]"), Err(NotAPage::NotJson { .. })));
    }

    /// With a status of success, and an array that could pass for an empty list.
    #[test]
    fn error_objects_are_no_pages() {
        for body in [
            r#"{"code":"x","message":"y","request_id":"r","status":500}"#,
            r#"{"code":"x","message":"y","errors":[]}"#,
            r#"{"code":"x","message":"y","data":[]}"#,
            r#"{"errors":[]}"#,
            r#"{"errors":[{"message":"y"}]}"#,
            r#"{"data":[],"errors":[{"message":"y"}]}"#,
            r#"{"data":[],"error":"y"}"#,
            r#"{"error":{"details":[]}}"#,
        ] {
            assert_eq!(read_page(body.as_bytes()).unwrap_err(), NotAPage::ErrorObject, "{body}");
        }
        for body in
            [r#"{"data":[1],"error":null}"#, r#"{"data":[1],"errors":[ ]}"#, r#"{"data":[1],"code":200}"#]
        {
            assert_eq!(read_page(body.as_bytes()).unwrap().records.len(), 1, "{body}");
        }
    }

    #[test]
    fn records_keep_their_bytes() {
        let body = br#"[{"id":"a","n":12.30,"big":12345678901234567890,"e":1E+2}]"#;
        let page = read_page(body).unwrap();
        assert_eq!(page.records[0].get(), r#"{"id":"a","n":12.30,"big":12345678901234567890,"e":1E+2}"#);
    }

    proptest! {
        #[test]
        fn never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_page(&body);
        }

        #[test]
        fn never_panics_on_json_like_text(body in r#"[\[\]{}:,"0-9a-z ]{0,60}"#) {
            let _ = read_page(body.as_bytes());
        }
    }
}
