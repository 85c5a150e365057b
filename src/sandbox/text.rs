//! Writing JSON straight into a buffer: a page is answered without building a tree of values.

/// Appends `text` as a JSON string.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[clean_from..at]);
        if escape.is_empty() {
            out.push_str("\\u00");
            push_hex(out, byte);
        } else {
            out.push_str(escape);
        }
        clean_from = at + 1;
    }
    out.push_str(&text[clean_from..]);
    out.push('"');
}

/// Appends a number in decimal.
pub(super) fn push_number(out: &mut String, number: i64) {
    if number < 0 {
        out.push('-');
    }
    push_padded(out, number.unsigned_abs(), 1);
}

/// Appends a number in decimal with at least `width` digits.
pub(super) fn push_padded(out: &mut String, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend(digits[at..].iter().copied().map(char::from));
}

/// Appends two lower-case hexadecimal digits.
pub(super) fn push_hex(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Appends 128 bits in the form of a UUID of version 4 (RFC 9562).
pub(super) fn push_uuid(out: &mut String, high: u64, low: u64) {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(3 << 62)) | (2 << 62);
    for (at, byte) in high.to_be_bytes().into_iter().chain(low.to_be_bytes()).enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        push_hex(out, byte);
    }
}

/// Appends an instant, in milliseconds since 1970, as ISO 8601: with `Z`, or on the clock of a zone
/// `offset_minutes` away. A fraction is written only where there is one.
pub(super) fn push_time(out: &mut String, milliseconds: i64, offset_minutes: i64) {
    let local = milliseconds + offset_minutes * 60_000;
    let (year, month, day) = civil(local.div_euclid(86_400_000));
    let in_day = local.rem_euclid(86_400_000) as u64;
    push_padded(out, year.unsigned_abs(), 4);
    for (mark, number) in [
        ('-', month),
        ('-', day),
        ('T', in_day / 3_600_000),
        (':', in_day / 60_000 % 60),
        (':', in_day / 1000 % 60),
    ] {
        out.push(mark);
        push_padded(out, number, 2);
    }
    if !in_day.is_multiple_of(1000) {
        out.push('.');
        push_padded(out, in_day % 1000, 3);
    }
    if offset_minutes == 0 {
        return out.push('Z');
    }
    out.push(if offset_minutes < 0 { '-' } else { '+' });
    push_padded(out, offset_minutes.unsigned_abs() / 60, 2);
    out.push(':');
    push_padded(out, offset_minutes.unsigned_abs() % 60, 2);
}

/// Appends the two members that say when a record was created and last changed.
pub(super) fn push_times(out: &mut String, created: i64, updated: i64, offset_minutes: i64) {
    out.push_str(",\"created_at\":\"");
    push_time(out, created, offset_minutes);
    out.push_str("\",\"updated_at\":\"");
    push_time(out, updated, offset_minutes);
    out.push('"');
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years are counted
/// from March, so that the leap day stands last.
fn civil(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u64, day as u64)
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
