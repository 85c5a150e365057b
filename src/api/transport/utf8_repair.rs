//! Bodies with bytes in them that are no UTF-8: of a text cut in the middle of a character, or in another encoding. They spoil
//! one record, not its whole page.

/// The body as text, with an escape for each byte that is no UTF-8: half of a surrogate pair, `\udc80` to `\udcff`, as Python
/// does it (PEP 383). So the byte is kept, and told from what the API may have said, and the record that holds it is repaired
/// like one with an emoji cut in half. Outside of JSON's strings there are no escapes: the body is then no more JSON than
/// before. `None` for a body that is UTF-8, and for one that would become longer than `max`.
pub(super) fn repaired(body: &[u8], max: u64) -> Option<String> {
    if std::str::from_utf8(body).is_ok() {
        return None;
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            match takes_an_escape(&text) {
                true => text.push_str(&format!("\\udc{byte:02x}")),
                // Behind half of a pair it stands for that too; behind a lone backslash it is no escape, as the byte wasn't.
                false => text.push(char::REPLACEMENT_CHARACTER),
            }
        }
        if text.len() as u64 > max {
            return None;
        }
    }
    Some(text)
}

/// Whether an escape of the second half of a pair, put behind this text, stands for itself alone.
fn takes_an_escape(text: &str) -> bool {
    let is_escaping = |text: &str| text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    let is_first_half =
        text.len().checked_sub(6).and_then(|at| text.split_at_checked(at)).is_some_and(|(before, last)| {
            let digits = last.strip_prefix("\\u").and_then(|digits| u16::from_str_radix(digits, 16).ok());
            digits.is_some_and(|unit| (0xd800..0xdc00).contains(&unit)) && !is_escaping(before)
        });
    !is_escaping(text) && !is_first_half
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_and_what_stands_for_them() {
        for (body, text) in [
            (&b"[\"a\xff\"]"[..], Some(r#"["a\udcff"]"#)),
            (b"[\"\xc3\"]", Some(r#"["\udcc3"]"#)),
            (b"[\"\xf0\x9f\x98\"]", Some(r#"["\udcf0\udc9f\udc98"]"#)),
            (b"[\"\\\\\xff\"]", Some(r#"["\\\udcff"]"#)),
            // Neither a pair that nobody meant nor an escape of the backslash.
            (b"[\"\\ud83d\xff\"]", Some("[\"\\ud83d\u{fffd}\"]")),
            (b"[\"\\\\ud83d\xff\"]", Some(r#"["\\ud83d\udcff"]"#)),
            (b"[\"\\\xff\"]", Some("[\"\\\u{fffd}\"]")),
            ("[\"é\"]".as_bytes(), None),
            (b"", None),
            (b"\xff\xff\xff\xff\xff\xff", None),
        ] {
            assert_eq!(repaired(body, 30).as_deref(), text, "{}", String::from_utf8_lossy(body));
        }
    }

    proptest! {
        /// Whatever the bytes: a string with them is JSON, and its neighbours are as they were.
        #[test]
        fn they_spoil_their_string_alone(bytes in prop::collection::vec(0x80u8..=0xff, 0..20), half in "(\\\\ud83d)?") {
            let body = [b"[\"", half.as_bytes(), &bytes, b"\",\"whole\"]"].concat();
            let text = repaired(&body, 1000).unwrap_or_else(|| String::from_utf8(body).unwrap());
            let values: Vec<&serde_json::value::RawValue> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!((values.len(), values[1].get()), (2, "\"whole\""));
        }
    }
}
