//! The body of a list answer: a bare array of records (`api-contract` point 1 a, c, d), or an envelope that holds them and
//! says how the list goes on (points 1 b and 3).

use super::envelope::Envelope;
use super::field_names::holds_links;
use super::json_members::{Members, is_array, members, members_of};
use super::list_hints::ListHints;
use super::next_page::Next;
use crate::api::calls::NotDocumented;
use reqwest::Url;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A list answer's body, borrowed from its bytes.
#[derive(Debug, Default)]
pub struct PageBody<'a> {
    /// The records, each as it was written.
    pub records: Vec<&'a RawValue>,
    /// How the envelope says that the list goes on; `None` if it says nothing or there is no envelope.
    pub next: Option<Next>,
    /// What else the envelope says about the list.
    pub hints: ListHints,
}

/// Reads the body of a list answer: a bare array (or null if it is empty), or an object that holds one array of records,
/// itself or in one of its members. `asked` is the URL that was requested.
///
/// # Errors
/// When it is anything else.
pub(super) fn read_page<'a>(body: &'a [u8], asked: &Url) -> Result<PageBody<'a>, NotDocumented> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Ok(PageBody { records: serde_json::from_slice(body)?, ..PageBody::default() }),
        Some(b'{') => {
            let members = members(body)?;
            if is_error(&members) {
                return Err(not_documented("the body is an error's object"));
            }
            let records = find_records(&members)?;
            let (next, hints) = Envelope::read(&members, records.len(), asked).into_next();
            Ok(PageBody { records, next, hints })
        }
        _ => match serde_json::from_slice::<&RawValue>(body)?.get() {
            // Some servers write an empty list as null (point 3).
            "null" => Ok(PageBody::default()),
            _ => Err(not_documented("the body is neither an array nor an object")),
        },
    }
}

fn not_documented(what: &str) -> NotDocumented {
    NotDocumented(what.to_owned())
}

/// Whether it is the documented error object or an envelope that reports errors (`api-contract` point 7). An empty array in
/// one would otherwise be taken for the list's end.
fn is_error(members: &Members<'_>) -> bool {
    let member = |name: &str| members.iter().find(|(found, _)| found == name).map(|(_, value)| value.get());
    let keywords = |name: &str| member(name).is_some_and(|value| !matches!(value, "null" | "false" | "\"\""));
    let is_documented = member("code").is_some() && member("message").is_some();
    let has_list = RECORD_NAMES.iter().any(|name| member(name).is_some());
    let lists_errors = member("errors").is_some_and(|value| {
        let is_empty = value.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(*b"[]");
        value != "null" && !(has_list && is_empty)
    });
    is_documented || keywords("error") || lists_errors
}

/// Common names of the array of records, the likeliest first (point 1 b).
const RECORD_NAMES: [&str; 8] =
    ["data", "customers", "events", "results", "items", "records", "entries", "list"];

fn find_records<'a>(members: &Members<'a>) -> Result<Vec<&'a RawValue>, NotDocumented> {
    let arrays: Vec<_> =
        members.iter().filter(|(name, value)| is_array(value) && !holds_links(name)).collect();
    let inner = |(name, value): &(Cow<'a, str>, &'a RawValue)| {
        // One level down: {"data": {"customers": […]}}. Beside another array, only under a name of records.
        let may_hold_records = arrays.is_empty() || RECORD_NAMES.contains(&name.as_ref());
        members_of(value).filter(|_| may_hold_records).and_then(|members| named_records(&members))
    };
    if let Some(found) = named_records(members).or_else(|| members.iter().find_map(inner)) {
        return match found.get() {
            "null" => Ok(Vec::new()),
            array => Ok(serde_json::from_str(array)?),
        };
    }
    match arrays[..] {
        [(_, value)] => Ok(serde_json::from_str(value.get())?),
        [] => Err(not_documented("the body is an object that holds no array of records")),
        _ => Err(not_documented(
            "the body is an object that holds several arrays: which one holds the records can't be told",
        )),
    }
}

/// The list under the likeliest name; null counts as an empty list.
fn named_records<'a>(members: &Members<'a>) -> Option<&'a RawValue> {
    let find = |fits: fn(&RawValue) -> bool| {
        let named = |name: &&str| members.iter().find(|(found, value)| found == name && fits(value));
        RECORD_NAMES.iter().find_map(named).map(|(_, value)| *value)
    };
    find(is_array).or_else(|| find(|value| value.get() == "null"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked() -> Url {
        Url::parse("https://api.example.com/customers").unwrap()
    }

    fn read_page(body: &[u8]) -> Result<PageBody<'_>, NotDocumented> {
        super::read_page(body, &asked())
    }

    fn fault(body: &[u8]) -> String {
        read_page(body).unwrap_err().0
    }

    fn token(text: &str) -> Option<Next> {
        Some(Next::Token(text.to_owned()))
    }

    #[test]
    fn bodies() {
        let url = |text: &str| Some(Next::Url(text.to_owned()));
        let ambiguous = |text: &str| Some(Next::Ambiguous(text.to_owned()));
        for (body, records, next) in [
            ("[]", 0, None),
            (" null\n", 0, None),
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
            (r#"{"data":[1],"paging":{"cursors":{"before":"b","after":"t"}}}"#, 1, ambiguous("t")),
            (r#"{"data":[1],"response_metadata":{"next_cursor":"t"}}"#, 1, token("t")),
            (r#"{"data":{"customers":[1],"next":"t"}}"#, 1, token("t")),
            (r#"{"data":[1],"cursor":"t"}"#, 1, ambiguous("t")),
            (r#"{"data":[1],"cursor":null}"#, 1, None),
            (r#"{"data":[1],"next":null,"cursor":"t"}"#, 1, Some(Next::Ended)),
            (r#"{"data":[1],"next":null,"cursor":"t","has_more":true}"#, 1, token("t")),
            (r#"{"data":[1],"page_info":{"end_cursor":"t"}}"#, 1, ambiguous("t")),
            (r#"{"data":[1],"has_more":true,"cursor":"t"}"#, 1, token("t")),
            (r#"{"data":[1],"has_more":false,"cursor":"t"}"#, 1, ambiguous("t")),
            (r#"{"data":[1],"pageInfo":{"hasNextPage":true,"endCursor":"t"}}"#, 1, token("t")),
            (r#"{"events":[1,2,3],"errors":[]}"#, 3, None),
            (r#"{"data":{"customers":[1,2]},"meta":{"next":"t"}}"#, 2, token("t")),
            (r#"{"data":{"customers":[1,2]},"warnings":[]}"#, 2, None),
            // An empty list may be written as null.
            (r#"{"data":null}"#, 0, None),
            (r#"{"data":null,"next":"t"}"#, 0, token("t")),
            (r#"{"data":{"customers":null},"links":[]}"#, 0, None),
            (r#"{"data":null,"warnings":["x"]}"#, 0, None),
            // Numbers that end a list.
            (r#"{"data":[1],"next":0}"#, 1, Some(Next::Ended)),
            (r#"{"data":[1],"next_cursor":-1}"#, 1, Some(Next::Ended)),
            (r#"{"data":[1],"next":[]}"#, 1, Some(Next::Ended)),
            // A name that no text can hold says nothing, and spoils nothing.
            (r#"{"data":[1],"\ud83d":2,"ne\u0078t":"t"}"#, 1, token("t")),
            // Tokens are opaque.
            (r#"{"data":[1],"next":" 5 "}"#, 1, token(" 5 ")),
            (r#"{"data":[1],"next":"gid://shop/Customer/5"}"#, 1, token("gid://shop/Customer/5")),
            (r#"{"data":[1],"next":"/customers5"}"#, 1, token("/customers5")),
            (r#"{"data":[1],"links":{"next":"/customers5"}}"#, 1, url("/customers5")),
            (r#"{"data":[1],"next_url":"/customers/page/2"}"#, 1, url("/customers/page/2")),
            // Further names, and further places.
            (r#"{"data":[1],"next_marker":"t"}"#, 1, token("t")),
            (r#"{"data":[1],"continuationToken":"t"}"#, 1, token("t")),
            (r#"{"data":[1],"paginator":{"next_offset":5}}"#, 1, token("5")),
            (r#"{"data":[1],"paging":{"next":{"after":"t"}}}"#, 1, token("t")),
            (r#"{"data":[1],"paging":{"next":{"after":"t","link":"?next=t"}}}"#, 1, url("?next=t")),
            (r#"{"data":[1],"links":[{"rel":"prev","href":"/p"},{"rel":"next","href":"/n"}]}"#, 1, url("/n")),
            (r#"{"list_of_all":[1,2],"links":[{"rel":["next"],"href":"?next=t"}]}"#, 2, url("?next=t")),
            (r#"{"data":[1],"_links":{"next":[{"href":"?next=t"}]}}"#, 1, url("?next=t")),
            (r#"{"data":[1],"links":{"self":"/a","first":{"href":"/b"},"prev":{"cursor":"p"}}}"#, 1, None),
        ] {
            let page = read_page(body.as_bytes()).unwrap();
            assert_eq!((page.records.len(), page.next), (records, next), "{body}");
        }
    }

    #[test]
    fn what_envelopes_say_beside_the_token() {
        let hints = |more, total, pages| ListHints { more, total, pages, unknown: None };
        for (body, expected) in [
            ("[1]", ListHints::default()),
            (r#"{"data":[1],"page":1,"per_page":5,"count":1,"limit":5,"offset":0}"#, ListHints::default()),
            (r#"{"data":[1],"has_more":true}"#, hints(Some(true), None, None)),
            (r#"{"data":[1],"meta":{"hasMore":true}}"#, hints(Some(true), None, None)),
            (
                r#"{"data":[1],"pageInfo":{"hasNextPage":true,"hasPreviousPage":false}}"#,
                hints(Some(true), None, None),
            ),
            (r#"{"data":[1],"has_more":false}"#, hints(Some(false), None, None)),
            (r#"{"data":[1],"has_more":"no"}"#, hints(Some(false), None, None)),
            (r#"{"data":[1],"more":1}"#, hints(Some(true), None, None)),
            (r#"{"data":[1],"last":false}"#, hints(Some(true), None, None)),
            (r#"{"data":[1],"isLastPage":true}"#, hints(Some(false), None, None)),
            (r#"{"data":[1],"has_more":false,"meta":{"has_next":true}}"#, hints(Some(true), None, None)),
            (r#"{"data":[1],"total_count":23}"#, hints(None, Some(23), None)),
            (
                r#"{"data":[1],"meta":{"pagination":{"total":"23","total_pages":5}}}"#,
                hints(None, Some(23), Some(5)),
            ),
            (r#"{"data":{"customers":[1],"total":23}}"#, hints(None, Some(23), None)),
            // More than the page's own.
            (r#"{"results":[1],"count":23}"#, hints(None, Some(23), None)),
            (r#"{"data":[1],"order":{"count":23},"job":{"done":false}}"#, ListHints::default()),
            // Of something else, or no number of records.
            (r#"{"data":[1],"order":{"total":23}}"#, ListHints::default()),
            (r#"{"data":[1],"total":12.50}"#, ListHints::default()),
        ] {
            assert_eq!(read_page(body.as_bytes()).unwrap().hints, expected, "{body}");
        }
    }

    #[test]
    fn what_looks_like_a_way_on() {
        for (body, place) in [
            (r#"{"data":[1],"next_thing":"t"}"#, Some("the member next_thing")),
            (r#"{"data":[1],"next":{"how":"t"}}"#, Some("the member next")),
            (r#"{"data":[1],"next":true}"#, Some("the member next")),
            (r#"{"data":[1],"more":"/customers/2"}"#, Some("the member more")),
            (r#"{"data":[1],"links":[{"rel":"next"}]}"#, Some("a link with the relation next")),
            (r#"{"data":[1],"\u0007next thing é":"t"}"#, Some("the member ?next?thing??")),
            (r#"{"data":[1],"next_thing":null}"#, None),
            (r#"{"data":[1],"prev":"p","previous_cursor":"p","url":"/customers","request_id":"next"}"#, None),
        ] {
            let page = read_page(body.as_bytes()).unwrap();
            assert_eq!((page.next, page.hints.unknown.as_deref()), (None, place), "{body}");
        }
    }

    #[test]
    fn other_bodies_are_no_pages() {
        for body in ["", "<html></html>", "[1,", "[1] x", "{\"data\":[1]", "[1,]", "{\"a\":1,}"] {
            let fault = fault(body.as_bytes());
            assert!(
                fault.starts_with("not JSON (") || fault.starts_with("it ends too early ("),
                "{body}: {fault}"
            );
        }
        assert_eq!(fault(b"17"), "the body is neither an array nor an object");
        assert_eq!(fault(b"\"null\""), "the body is neither an array nor an object");
        assert_eq!(fault(br#"{"status":"x"}"#), "the body is an object that holds no array of records");
        assert_eq!(fault(br#"{"links":[]}"#), "the body is an object that holds no array of records");
        assert!(fault(br#"{"a":[1],"b":[2]}"#).contains("several arrays"));
        assert!(fault(b"[\"\xff\"]").starts_with("not JSON ("));
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
            assert_eq!(fault(body.as_bytes()), "the body is an error's object", "{body}");
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
