//! What a record may look like although no example in the documentation does (`api-contract` points 8
//! and 10).
//!
//! Every third record is odd, the kinds by turns, so that a world of a hundred customers holds them all.

use super::fields::CustomerField;
use super::text::object;

/// Something odd about a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CustomerOddity {
    /// The first name, as JSON text.
    FirstName(&'static str),
    /// A last name of many thousand characters.
    LongLastName,
    /// The field is null.
    Null(CustomerField),
    /// The field isn't there.
    Missing(CustomerField),
    /// Neither names nor times nor anything but the id.
    OnlyId,
    /// More members than documented, as JSON text.
    Extra(&'static str),
    /// An id that is no UUID: what stands before and after a unique part.
    Id(&'static str, &'static str),
    /// Times with a fraction, on the clock of a zone so many minutes away from UTC.
    Times(i64),
}

/// Something odd about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventOddity {
    /// The label, as JSON text.
    Label(&'static str),
    /// The properties, as JSON text.
    Properties(&'static str),
    /// Properties a hundred levels deep.
    DeepProperties,
    /// Properties with five hundred members.
    WideProperties,
    /// Nothing but the id.
    OnlyId,
    /// The timestamp, as JSON text.
    Timestamp(&'static str),
    /// More members than documented, as JSON text.
    Extra(&'static str),
    /// An id that is no UUID: what stands before and after a unique part.
    Id(&'static str, &'static str),
    /// Times with a fraction, on the clock of a zone so many minutes away from UTC.
    Times(i64),
}

const CUSTOMERS: &[CustomerOddity] = &[
    CustomerOddity::FirstName(r#""Bob \"Bobby\" O'Brien, Jr.""#),
    CustomerOddity::Id("id with spaces ", ""),
    CustomerOddity::FirstName(r#""two\nlines, \r\nthen a third\r""#),
    CustomerOddity::Extra(r#""balance":12.30,"lifetime":12345678901234567890,"limit":1e400,"drift":-0"#),
    CustomerOddity::FirstName(r#""=HYPERLINK(\"https://example.com\",\"Ann\")""#),
    CustomerOddity::Times(120),
    CustomerOddity::FirstName(r#""+1+1""#),
    CustomerOddity::Id("shop/7/customer/", "/main"),
    CustomerOddity::FirstName(r#""-2+3""#),
    CustomerOddity::Null(CustomerField::Email),
    CustomerOddity::FirstName(r#""@SUM(1,2)""#),
    CustomerOddity::Missing(CustomerField::PhoneNumber),
    CustomerOddity::FirstName("\"\u{1f469}\u{200d}\u{1f680} Ann \\ud83d\\ude80\""),
    CustomerOddity::Extra(r#""loyalty":{"tier":"gold","steps":[1,2.50,{"at":[]}],"since":null},"tags":[]"#),
    CustomerOddity::FirstName("\"\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}abc\u{202c}\""),
    CustomerOddity::Id("100%", "%2F%"),
    CustomerOddity::FirstName("\"Zoe\u{308} e\u{301}\u{323} \\u0041\\u030a\""),
    CustomerOddity::Times(-210),
    CustomerOddity::FirstName(r#""nul\u0000 and bell\u0007""#),
    CustomerOddity::LongLastName,
    CustomerOddity::FirstName(r#""""#),
    CustomerOddity::Id("k\u{fc}nde-\u{5ba2}\u{6237}-\u{1f389}-", ""),
    CustomerOddity::Missing(CustomerField::FirstName),
    CustomerOddity::Null(CustomerField::LastName),
    CustomerOddity::Id("a?next=b&prev=", "#c+d"),
    CustomerOddity::OnlyId,
    CustomerOddity::Extra(
        r#""":0,"a \"quoted\" name":true,"note":"caf\u00e9 \/ caf\\u00e9", "spaced" : { "a" : 1 }"#,
    ),
    CustomerOddity::Times(0),
    CustomerOddity::FirstName(r#""\t tab first, \\ backslash, 'single'""#),
    CustomerOddity::Id("\"quoted\\", "\";,"),
];

const EVENTS: &[EventOddity] = &[
    EventOddity::Properties("null"),
    EventOddity::Label(r#""=cmd|' /C calc'!A0""#),
    EventOddity::DeepProperties,
    EventOddity::Times(345),
    EventOddity::Properties("{}"),
    EventOddity::WideProperties,
    EventOddity::Label("null"),
    EventOddity::Properties(
        r#"{"price":12.30,"big":12345678901234567890,"huge":1e400,"zero":-0,"text":"a\u0000b\n","list":[[],[{}],null]}"#,
    ),
    EventOddity::Timestamp("0"),
    EventOddity::Id("event/", " %25 \u{1f4e6}"),
    EventOddity::Label("\"Paket \u{1f4e6}, \\\"heute\\\"\\r\\nzugestellt\""),
    EventOddity::OnlyId,
    EventOddity::Timestamp("-86400"),
    EventOddity::Extra(r#""weight":1.50,"carrier":{"code":"ups","legs":[1,2,3]},"source":null"#),
    EventOddity::Properties(r#"{ "shopify_order" : { "id" : "5555555555555" } , "spaced" : true }"#),
    EventOddity::Timestamp("null"),
];

/// What is odd about the customer of that number, if anything.
pub(super) fn customer_oddity(serial: u64) -> Option<CustomerOddity> {
    turn(serial, CUSTOMERS)
}

/// What is odd about an event, if anything.
pub(super) fn event_oddity(serial: u64, ordinal: u64) -> Option<EventOddity> {
    turn(serial * 5 + ordinal, EVENTS)
}

fn turn<T: Copy>(number: u64, kinds: &[T]) -> Option<T> {
    number.is_multiple_of(3).then(|| kinds[(number / 3) as usize % kinds.len()])
}

/// A JSON string of 20,000 characters.
pub(super) fn long_text() -> String {
    format!("\"{}\"", "Longname-\u{e9}".repeat(2000))
}

/// An object a hundred levels deep.
pub(super) fn deep() -> String {
    format!(r#"{}["bottom"]{}"#, r#"{"deeper":"#.repeat(100), "}".repeat(100))
}

/// An object with five hundred members.
pub(super) fn wide() -> String {
    let members: Vec<String> = (0..500).map(|n| format!("\"member_{n}\":{}", n * n)).collect();
    object(&members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_customers_hold_every_oddity() {
        let found: Vec<_> = (0..100).filter_map(customer_oddity).collect();
        for oddity in CUSTOMERS {
            assert!(found.contains(oddity), "{oddity:?}");
        }
        let found: Vec<_> = (0..100).flat_map(|c| (0..3).filter_map(move |e| event_oddity(c, e))).collect();
        for oddity in EVENTS {
            assert!(found.contains(oddity), "{oddity:?}");
        }
    }

    #[test]
    fn every_json_text_is_json() {
        let text = |json: &str| serde_json::from_str::<&serde_json::value::RawValue>(json).map(drop);
        for oddity in CUSTOMERS {
            match oddity {
                CustomerOddity::FirstName(json) => {
                    serde_json::from_str::<String>(json).unwrap();
                }
                CustomerOddity::Extra(json) => text(&format!("{{{json}}}")).unwrap(),
                _ => {}
            }
        }
        for oddity in EVENTS {
            match oddity {
                EventOddity::Label(json) | EventOddity::Properties(json) | EventOddity::Timestamp(json) => {
                    text(json).unwrap();
                }
                EventOddity::Extra(json) => text(&format!("{{{json}}}")).unwrap(),
                _ => {}
            }
        }
        for json in [long_text(), deep(), wide()] {
            text(&json).unwrap();
        }
    }
}
