//! Writing JSON straight into a buffer: a page is answered without building a tree of values.
//! Writing to a `String` can't fail.

use jiff::Timestamp;
use jiff::tz::Offset;
use std::fmt::Write;

/// Appends `text` as a JSON string.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Appends a number in decimal.
pub(super) fn push_number(out: &mut String, number: i64) {
    let _ = write!(out, "{number}");
}

/// Appends a number in decimal with at least `width` digits.
pub(super) fn push_padded(out: &mut String, number: u64, width: usize) {
    let _ = write!(out, "{number:0width$}");
}

/// Appends 128 bits in the form of a UUID of version 4 (RFC 9562).
pub(super) fn push_uuid(out: &mut String, high: u64, low: u64) {
    let bits = u128::from(high) << 64 | u128::from(low);
    let uuid = uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
    out.push_str(uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
}

/// Appends an instant, in milliseconds since 1970, as ISO 8601: with `Z`, or on the clock of a zone
/// `offset_minutes` away. A fraction is written only where there is one.
pub(super) fn push_time(out: &mut String, milliseconds: i64, offset_minutes: i64) {
    let instant = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    let _ = match Offset::from_seconds(60 * offset_minutes as i32) {
        Ok(offset) if offset_minutes != 0 => write!(out, "{}", instant.display_with_offset(offset)),
        _ => write!(out, "{instant}"),
    };
}

/// Appends the two members that say when a record was created and last changed.
pub(super) fn push_times(out: &mut String, created: i64, updated: i64, offset_minutes: i64) {
    out.push_str(",\"created_at\":\"");
    push_time(out, created, offset_minutes);
    out.push_str("\",\"updated_at\":\"");
    push_time(out, updated, offset_minutes);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_read_back(text in any::<String>()) {
            let mut out = String::new();
            push_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }

        #[test]
        fn times_read_back(milliseconds in 0..4_102_444_800_000_i64, offset in -720..840_i64) {
            let mut out = String::new();
            push_time(&mut out, milliseconds, offset);
            let read: jiff::Timestamp = out.parse().unwrap();
            prop_assert_eq!(read.as_millisecond(), milliseconds);
        }

        #[test]
        fn numbers_read_back(number in any::<i64>()) {
            let mut out = String::new();
            push_number(&mut out, number);
            prop_assert_eq!(out, number.to_string());
        }
    }

    #[test]
    fn control_characters_and_plain_times() {
        let mut out = String::new();
        push_string(&mut out, "a\u{0}b\"");
        push_time(&mut out, 1_548_855_000_000, 0);
        assert_eq!(out, r#""a\u0000b\""2019-01-30T13:30:00Z"#);
    }

    #[test]
    fn uuids_have_version_and_variant() {
        let mut out = String::new();
        push_uuid(&mut out, u64::MAX, u64::MAX);
        assert_eq!(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert!(uuid::Uuid::parse_str(&out).is_ok());
    }
}
