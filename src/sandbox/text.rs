//! Pieces of JSON text. Records are put together from them without a tree of values, so that their members stand in the
//! vendor's order and numbers stay as they are written.

use jiff::Timestamp;
use jiff::tz::Offset;

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object with these members, each of them JSON text.
pub(super) fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

/// An instant, in milliseconds since 1970, as ISO 8601: with `Z`, or on the clock of a zone `offset_minutes` away.
/// A fraction is written only where there is one.
pub(super) fn time(milliseconds: i64, offset_minutes: i64) -> String {
    let instant = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    match Offset::from_seconds(60 * offset_minutes as i32) {
        Ok(offset) if offset_minutes != 0 => instant.display_with_offset(offset).to_string(),
        _ => instant.to_string(),
    }
}

/// The two members that say when a record was created and last changed.
pub(super) fn times(created: i64, updated: i64, offset_minutes: i64) -> String {
    let (created, updated) = (time(created, offset_minutes), time(updated, offset_minutes));
    format!(r#""created_at":"{created}","updated_at":"{updated}""#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn times_read_back(milliseconds in 0..4_102_444_800_000_i64, offset in -720..840_i64) {
            let read: jiff::Timestamp = time(milliseconds, offset).parse().unwrap();
            prop_assert_eq!(read.as_millisecond(), milliseconds);
        }
    }

    #[test]
    fn control_characters_and_plain_times() {
        assert_eq!(quoted("a\u{0}b\""), r#""a\u0000b\"""#);
        assert_eq!(time(1_548_855_000_000, 0), "2019-01-30T13:30:00Z");
    }
}
