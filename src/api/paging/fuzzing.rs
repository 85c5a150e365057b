//! What holds for every answer of a server.

use super::cursor::Cursor;
use super::headers::read_headers;
use super::link_header::next_target;
use super::list_hints::ListHints;
use super::next_page::{Next, Offer};
use super::page_body::read_page;
use super::token_style::TokenStyle;
use crate::api::transport::resolve_link;
use crate::record::{ColumnKind, Record, Stream, Value};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;
use std::fmt;

const HOME: &str = "https://api.example.com/v2/";

/// Tries the body of a list answer, and each record in it as one of each stream.
pub fn page(data: &[u8]) {
    let Ok(page) = read_page(data, &asked()) else { return };
    if let Some(next) = &page.next {
        check_next(next);
    }
    for record in page.records {
        let record = record.get();
        assert!(stands_in(record, data));
        for stream in Stream::ALL {
            if let Ok(decoded) = Record::decode(stream, Some("c"), record) {
                check_record(record, &decoded.record);
            }
        }
    }
}

fn stands_in(record: &str, body: &[u8]) -> bool {
    record.len() <= body.len() && body.as_ptr_range().contains(&record.as_ptr())
}

/// A record comes apart without loss: each documented member with its value, each other one in `extra`, to the byte.
fn check_record(text: &str, record: &Record) {
    assert!(!record.id().is_empty());
    let mut undocumented = Vec::new();
    let columns = record.stream().columns();
    let documented = |name: &str| {
        let place = columns.iter().position(|column| column.name == name)?;
        let is_documented = place >= record.stream().keys().len() && name != "extra";
        is_documented.then(|| (columns[place].kind, record.values().nth(place)))
    };
    for (written, value) in members(text) {
        let (name, raw) = (string(written.get()).unwrap_or_default(), value.get());
        if name == "id" {
            assert_eq!(string(raw).as_deref().unwrap_or(raw), record.id());
        } else if let Some((kind, found)) = documented(&name) {
            let text = string(raw);
            let expected = match kind {
                _ if raw == "null" => Value::Null,
                ColumnKind::Json => Value::Text(raw),
                ColumnKind::Integer => raw.parse().map_or(Value::Null, Value::Integer),
                ColumnKind::Text => text.as_deref().map_or(Value::Null, Value::Text),
                ColumnKind::Time => Value::Text(text.as_deref().unwrap_or(raw)),
            };
            // Other ways to write an integer are no loss.
            let is_other_integer = kind == ColumnKind::Integer && expected == Value::Null;
            assert!(found == Some(expected) || is_other_integer, "{name}");
        } else {
            undocumented.push((written, value));
        }
    }
    let kept = record.text("extra").map(members).unwrap_or_default();
    let plain = |members: &[(&RawValue, &RawValue)]| {
        members.iter().map(|(name, value)| format!("{}:{}", name.get(), value.get())).collect::<Vec<_>>()
    };
    assert_eq!(plain(&kept), plain(&undocumented));
}

/// A JSON string's text, by another way than the decoder's: serde_json gives halves of surrogate pairs as three bytes each
/// that are not UTF-8.
fn string(json: &str) -> Option<String> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_owned())
        }
    }
    let bytes = serde_json::Deserializer::from_str(json).deserialize_bytes(Bytes).ok()?;
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // The first of the three tells of all.
        text.extend(
            chunk.invalid().first().filter(|byte| **byte == 0xed).map(|_| char::REPLACEMENT_CHARACTER),
        );
    }
    Some(text)
}

fn members(object: &str) -> Vec<(&RawValue, &RawValue)> {
    crate::record::members(serde_json::Deserializer::from_str(object), |name, value| (name, value))
        .unwrap_or_else(|error| panic!("{error}: {object}"))
}

/// Tries a `Link` header, and where its target would lead.
pub fn link(data: &[u8]) {
    let Ok(header) = std::str::from_utf8(data) else { return };
    let target = next_target(header);
    if let Some(target) = target {
        assert!(header.contains(target), "{target}");
        check_stays_home(target);
    }
    // Links before it change nothing, whatever stands in them.
    for before in [r#"</a>; rel="prev""#, r#"</a,b>; title="c, <d>; rel=next"; rel=last"#] {
        assert_eq!(next_target(&format!("{before}, {header}")), target);
    }
}

/// A reference either leads to the API or is refused; what it leads to leads there again.
fn check_stays_home(reference: &str) {
    let home = home();
    if let Ok((url, _)) = resolve_link(&home, &asked(), reference) {
        assert!(url.as_str().starts_with("https://api.example.com/"), "{url}");
        assert_eq!((url.fragment(), url.username(), url.password()), (None, "", None), "{url}");
        let Cursor::Url(stored) = Cursor::of_url(&url) else { panic!("{url}") };
        assert_eq!(resolve_link(&home, &asked(), &stored), Ok((url, false)));
    }
}

fn home() -> Url {
    Url::parse(HOME).unwrap_or_else(|error| panic!("{error}"))
}

fn asked() -> Url {
    home().join("customers/1/events?next=a").unwrap_or_else(|error| panic!("{error}"))
}

/// Tries what a whole answer says of the next page: lines `NAME: VALUE`, an empty one, and the body.
pub fn token(data: &[u8]) {
    let head = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (head, body) = data.split_at(head);
    let headers = headers(head);
    let (envelope, hints) = match read_page(body, &asked()) {
        Ok(page) => (page.next, page.hints),
        Err(_) => (None, ListHints::default()),
    };
    envelope.iter().for_each(check_next);
    let offer = |only| read_headers(&headers, &asked()).offer(envelope.clone(), hints.clone(), only).0;
    let pinned = TokenStyle::ALL.map(|style| offer(Some(style)));
    for (style, offered) in TokenStyle::ALL.into_iter().zip(&pinned) {
        assert_eq!(
            offered.as_ref().map(|offer| offer.style),
            Some(style).filter(|s| *s != TokenStyle::LastId)
        );
    }
    check_choice(offer(None), pinned.into_iter().flatten().collect());
}

/// Unless a style is pinned, the first that names a next page counts; what may name one, or "no more", only where none
/// does.
fn check_choice(chosen: Option<Offer>, pinned: Vec<Offer>) {
    let names_page = |offer: &&Offer| matches!(offer.next, Next::Url(_) | Next::Token(_));
    let best = pinned.iter().find(names_page);
    match &chosen {
        Some(offer) if names_page(&offer) => assert_eq!(Some(offer), best),
        _ => assert_eq!(best, None),
    }
}

fn headers(head: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    headers
}

/// A token is never empty and means the same when it is read again; a URL stays at home or is refused.
fn check_next(next: &Next) {
    match next {
        Next::Url(url) => check_stays_home(url),
        Next::Token(token) | Next::Ambiguous(token) => assert!(!token.trim().is_empty()),
        Next::Ended => {}
    }
}
