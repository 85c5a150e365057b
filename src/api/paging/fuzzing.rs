//! What holds for every answer of a server.

use super::cursor::Cursor;
use super::headers::read_headers;
use super::json_members::raw_members;
use super::link_header::next_target;
use super::list_hints::ListHints;
use super::next_page::{Next, Offer};
use super::page_body::read_page;
use super::token_style::TokenStyle;
use crate::api::transport::{Link, resolve_link};
use crate::record::{Customer, Event};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;
use std::fmt;

const HOME: &str = "https://api.example.com/v2/";

/// Tries the body of a list answer, and each record in it as a customer and as an event.
pub fn page(data: &[u8]) {
    let Ok(page) = read_page(data, &asked()) else { return };
    if let Some(next) = &page.next {
        check_next(next);
    }
    for record in page.records {
        let record = record.get();
        assert!(stands_in(record, data));
        if let Ok(customer) = Customer::decode(record) {
            let documented = [
                ("email", &customer.email),
                ("first_name", &customer.first_name),
                ("last_name", &customer.last_name),
                ("phone_number", &customer.phone_number),
                ("created_at", &customer.created_at),
                ("updated_at", &customer.updated_at),
            ];
            check_record(record, &customer.id, &documented, customer.extra.as_deref());
        }
        if let Ok(event) = Event::decode("c", record) {
            check_event(record, &event);
        }
    }
}

fn stands_in(record: &str, body: &[u8]) -> bool {
    record.len() <= body.len() && body.as_ptr_range().contains(&record.as_ptr())
}

fn check_event(record: &str, event: &Event) {
    let timestamp = event.timestamp.map(|number| number.to_string());
    let members = [
        ("type", &event.kind),
        ("label", &event.label),
        ("link_back_url", &event.link_back_url),
        ("created_at", &event.created_at),
        ("updated_at", &event.updated_at),
        ("timestamp", &timestamp),
        ("properties", &event.properties),
    ];
    check_record(record, &event.id, &members, event.extra.as_deref());
}

/// A record comes apart without loss: each documented member with its value, each other one in `extra`, to the byte.
fn check_record(record: &str, id: &str, documented: &[(&str, &Option<String>)], extra: Option<&str>) {
    assert!(!id.is_empty());
    let mut undocumented = Vec::new();
    for (written, value) in members(record) {
        let (name, raw) = (text(written.get()).unwrap_or_default(), value.get());
        let is_time = matches!(name.as_str(), "created_at" | "updated_at");
        let expected = match name.as_str() {
            _ if raw == "null" => None,
            "properties" => Some(raw.to_owned()),
            "timestamp" => raw.parse::<i64>().ok().map(|number| number.to_string()),
            _ => text(raw).or_else(|| Some(raw.to_owned()).filter(|_| is_time)),
        };
        if name == "id" {
            assert_eq!(expected.as_deref(), Some(id));
        } else if let Some((_, found)) = documented.iter().find(|(field, _)| *field == name) {
            // Other ways to write an integer are no loss.
            let is_other_integer = name == "timestamp" && expected.is_none() && found.is_some();
            assert!(**found == expected || is_other_integer, "{name}");
        } else {
            undocumented.push((written, value));
        }
    }
    let kept = extra.map(members).unwrap_or_default();
    let plain = |members: &[(&RawValue, &RawValue)]| {
        members.iter().map(|(name, value)| format!("{}:{}", name.get(), value.get())).collect::<Vec<_>>()
    };
    assert_eq!(plain(&kept), plain(&undocumented));
}

/// A JSON string's text, by another way than the decoder's: serde_json gives halves of surrogate pairs as three bytes each
/// that are not UTF-8.
fn text(json: &str) -> Option<String> {
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
    raw_members(object.as_bytes()).unwrap_or_else(|error| panic!("{error}: {object}"))
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
    if let Ok(Link { url, .. }) = resolve_link(&home, &asked(), reference) {
        assert!(url.as_str().starts_with("https://api.example.com/"), "{url}");
        assert_eq!((url.fragment(), url.username(), url.password()), (None, "", None), "{url}");
        let Cursor::Url(stored) = Cursor::of_url(&url) else { panic!("{url}") };
        assert_eq!(resolve_link(&home, &asked(), &stored), Ok(Link { url, is_by_https_instead: false }));
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
