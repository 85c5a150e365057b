//! JSON strings with half of a surrogate pair in them, such as `"\ud83d"`. RFC 8259 (section 8.2) has them as valid
//! JSON that no Unicode text can hold; serde_json refuses them. Servers give them where they cut a text in the
//! middle of an emoji.

use std::char::{REPLACEMENT_CHARACTER, decode_utf16};

/// The text of a JSON string, as `json` writes it with its quotes, with U+FFFD for each half of a surrogate pair that
/// stands alone. `None` where it is no JSON string.
pub(super) fn replace_lone_surrogates(json: &str) -> Option<String> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(rest.len());
    // Escaped UTF-16 units in a row: only together do they tell which of them are halves.
    let mut units = Vec::new();
    while let Some(at) = rest.find('\\') {
        if at > 0 {
            flush(&mut units, &mut text);
        }
        text.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        if escape == b'u' {
            units.push(u16::from_str_radix(rest.get(..4)?, 16).ok()?);
            rest = rest.get(4..)?;
        } else {
            flush(&mut units, &mut text);
            text.push(escaped(escape)?);
        }
    }
    flush(&mut units, &mut text);
    text.push_str(rest);
    Some(text)
}

fn flush(units: &mut Vec<u16>, text: &mut String) {
    text.extend(decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(REPLACEMENT_CHARACTER)));
}

fn escaped(escape: u8) -> Option<char> {
    Some(match escape {
        b'"' | b'\\' | b'/' => char::from(escape),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves() {
        for (json, text) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\uDE00""#, "\u{fffd}"),
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ud83d\n\ude00""#, "\u{fffd}\n\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
            (r#""\ud83d\\ude00""#, "\u{fffd}\\ude00"),
            (r#""\"\/\b\f\r\té""#, "\"/\u{8}\u{c}\r\té"),
            ("\"\"", ""),
        ] {
            assert_eq!(replace_lone_surrogates(json).as_deref(), Some(text), "{json}");
        }
        for json in ["", "\"", "17", "null", "[\"a\"]", r#""\x""#, r#""\u12""#, r#""\""#, r#""\u00é""#] {
            assert_eq!(replace_lone_surrogates(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn escapes_are_utf_16(units in prop::collection::vec(prop_oneof![any::<u16>(), 0xd800u16..0xe000], 0..20)) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(replace_lone_surrogates(&format!("\"{escapes}\"")), Some(String::from_utf16_lossy(&units)));
        }

        /// What serde_json takes is read as serde_json reads it.
        #[test]
        fn whole_text_stays_as_it_is(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(replace_lone_surrogates(&json), Some(text.clone()));
            let escapes: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            prop_assert_eq!(replace_lone_surrogates(&format!("\"{escapes}\"")), Some(text));
        }

        #[test]
        fn any_text_is_read_or_refused(json in r#""?[\\ud8eé"0-9n]{0,30}"?"#) {
            let _ = replace_lone_surrogates(&json);
        }
    }
}
