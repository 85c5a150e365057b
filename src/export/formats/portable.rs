//! Values that common readers refuse, made readable (`export.exact = false`). The mirror keeps what the API gave.
//!
//! One such value costs a reader the whole file, so it gives way:
//! - NUL is left out of text, also where it stands escaped in JSON: PostgreSQL's `text` and `jsonb` have no NUL.
//! - Half of a surrogate pair in JSON (`"\ud83d"`) becomes U+FFFD: it is no character, and `jq`, DuckDB, polars, PostgreSQL
//!   and others refuse it.
//! - A JSON number that a reader can't hold (see [`fits`]) becomes a string of its digits.
//! - What is nested deeper than [`DEEPEST`] levels in JSON becomes a string of its JSON text: `jq` stops at 256 levels and
//!   counts an object twice, others stop at 1,000.

use super::byte_scan::contains_byte;
use crate::record::ColumnKind;
use std::borrow::Cow;

/// So many levels of arrays and objects in one value stay as they are.
pub(in crate::export) const DEEPEST: usize = 120;

/// The longest number that stays one: Jackson, and so Spark, takes no more characters.
const LONGEST_NUMBER: usize = 1_000;

/// No 64-bit integer has fewer digits than this and doesn't fit; no number without an exponent is beyond a double either.
const MANY_DIGITS: usize = 19;

/// A text of that kind as readers take it; borrowed where it is what it was.
#[inline]
pub(in crate::export) fn portable(kind: ColumnKind, value: &str) -> Cow<'_, str> {
    if kind == ColumnKind::Json { json(value) } else { text(value) }
}

/// Text without NUL.
#[inline]
fn text(text: &str) -> Cow<'_, str> {
    match contains_byte(text, |byte| byte == 0) {
        true => text.replace('\0', "").into(),
        false => text.into(),
    }
}

/// JSON that every reader takes. What is no JSON comes back in one way or another, but never shorter for it.
#[inline]
fn json(json: &str) -> Cow<'_, str> {
    match may_need_it(json.as_bytes()) {
        true => Rewriting::of(json),
        false => json.into(),
    }
}

/// Whether readers hold this JSON number: one whose digits before the point are an integer of 64 bits, signed or not (pandas
/// takes no longer ones, whatever follows), and that a double holds without becoming infinite or, by underflow, zero (polars
/// and orjson refuse the former, PostgreSQL the extremes of the latter).
pub(in crate::export) fn fits(number: &str) -> bool {
    if number.len() > LONGEST_NUMBER {
        return false;
    }
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, ""));
    let whole = mantissa.split('.').next().unwrap_or(mantissa);
    if whole.parse::<i64>().is_err() && whole.parse::<u64>().is_err() {
        return false;
    }
    let is_zero = !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    match number.parse::<f64>() {
        // 0e999 is nothing but zero, and refused by some all the same.
        Ok(_) if is_zero => {
            exponent.is_empty() || exponent.parse::<i16>().is_ok_and(|power| power.unsigned_abs() < 308)
        }
        Ok(double) => double.is_finite() && double != 0.0,
        Err(_) => false,
    }
}

/// Whether there can be anything to rewrite: looks for a backslash, many digits or a long exponent, and enough brackets.
/// Almost every text has none of these and is through with it.
fn may_need_it(json: &[u8]) -> bool {
    json.iter().fold(false, |found, byte| found | (*byte == b'\\'))
        || has_exponent(json)
        || has_many_digits(json)
        || (json.len() > 2 * DEEPEST && brackets(json) > DEEPEST)
}

/// Whether an `e` stands behind a digit, as in `1e400` (and in some identifiers).
fn has_exponent(json: &[u8]) -> bool {
    let behind = json.get(1..).unwrap_or_default();
    let pairs = json.iter().zip(behind);
    pairs.fold(false, |found, (before, e)| found | (before.is_ascii_digit() & (e | 0x20 == b'e')))
}

/// Whether so many digits stand in a row. They can't be missed by looking at every 16th byte.
fn has_many_digits(json: &[u8]) -> bool {
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    (0..json.len()).step_by(16).any(|at| {
        json[at].is_ascii_digit() && {
            let (before, from) = json.split_at(at);
            let count =
                before.iter().rev().take_while(is_digit).count() + from.iter().take_while(is_digit).count();
            count >= MANY_DIGITS
        }
    })
}

/// How many arrays and objects begin there, or in strings seem to.
fn brackets(json: &[u8]) -> usize {
    // So few that their number fits into a byte, of which compilers add up many at once.
    let in_few = |few: &[u8]| few.iter().map(|byte| u8::from(matches!(byte, b'{' | b'['))).sum::<u8>();
    json.chunks(128).map(in_few).map(usize::from).sum()
}

/// A JSON text on its way to what readers take.
struct Rewriting<'j> {
    json: &'j str,
    /// What stands before this was taken over.
    taken: usize,
    out: String,
}

impl<'j> Rewriting<'j> {
    fn of(json: &'j str) -> Cow<'j, str> {
        let mut rewriting = Rewriting { json, taken: 0, out: String::new() };
        rewriting.walk();
        if rewriting.taken == 0 {
            return json.into();
        }
        rewriting.replace(json.len(), json.len(), "");
        rewriting.out.into()
    }

    /// Puts something else in the place of the bytes from `from` to `to`.
    fn replace(&mut self, from: usize, to: usize, by: &str) {
        self.out.push_str(&self.json[self.taken..from]);
        self.out.push_str(by);
        self.taken = to;
    }

    fn walk(&mut self) {
        let bytes = self.json.as_bytes();
        let (mut at, mut depth) = (0, 0usize);
        while let Some(byte) = bytes.get(at) {
            at = match byte {
                b'"' => self.string(at),
                b'-' | b'0'..=b'9' => self.number(at),
                b'{' | b'[' if depth == DEEPEST => self.too_deep(at),
                b'{' | b'[' => {
                    depth += 1;
                    at + 1
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    at + 1
                }
                _ => at + 1,
            };
        }
    }

    /// Goes through the string that begins there; returns where it has ended.
    fn string(&mut self, from: usize) -> usize {
        let bytes = self.json.as_bytes();
        let mut at = from + 1;
        while let Some(byte) = bytes.get(at) {
            at = match byte {
                b'"' => return at + 1,
                b'\\' => self.escape(at),
                _ => at + 1,
            };
        }
        bytes.len()
    }

    /// Goes through the escape that begins there, or the two halves of a surrogate pair; returns where it has ended.
    fn escape(&mut self, at: usize) -> usize {
        let bytes = self.json.as_bytes();
        match unit(bytes, at) {
            Some(0) => self.replaced(at, ""),
            Some(0xd800..=0xdbff) if matches!(unit(bytes, at + ESCAPE), Some(0xdc00..=0xdfff)) => {
                at + 2 * ESCAPE
            }
            Some(0xd800..=0xdfff) => self.replaced(at, "\\ufffd"),
            _ => at + 2,
        }
    }

    /// Replaces the escape that begins there; returns where it has ended.
    fn replaced(&mut self, at: usize, by: &str) -> usize {
        self.replace(at, at + ESCAPE, by);
        at + ESCAPE
    }

    /// Goes through the number that begins there; returns where it has ended.
    fn number(&mut self, from: usize) -> usize {
        let is_of_it = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.json.as_bytes()[from..].iter().take_while(|byte| is_of_it(byte)).count();
        let number = &self.json[from..from + length];
        if !fits(number) {
            self.replace(from, from + length, &format!("\"{number}\""));
        }
        from + length
    }

    /// Makes a string of the array or object that begins there; returns where it has ended.
    fn too_deep(&mut self, from: usize) -> usize {
        let to = end_of(self.json.as_bytes(), from);
        let text = serde_json::Value::from(&self.json[from..to]).to_string();
        self.replace(from, to, &text);
        to
    }
}

/// The bytes of `\u0000`.
const ESCAPE: usize = 6;

/// The UTF-16 code unit that an escape at this place stands for; `None` where none does.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// Where the array or object ends that begins there.
fn end_of(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth, mut in_string) = (from, 0usize, false);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_that_readers_hold_stay_numbers() {
        let long = |digits: usize| format!("1.{}", "3".repeat(digits));
        for (number, expected) in [
            ("0", true),
            ("-0", true),
            ("12.30", true),
            ("12345678901234567890", true),
            ("18446744073709551615", true),
            ("18446744073709551616", false),
            ("-9223372036854775808", true),
            ("-9223372036854775809", false),
            ("18446744073709551615.5", true),
            ("18446744073709551616.5", false),
            ("-9223372036854775808.5", true),
            ("-9223372036854775809e-5", false),
            ("0.123456789012345678901234567890", true),
            ("1e308", true),
            ("1.7976931348623157e308", true),
            ("1.8E+308", false),
            ("1e400", false),
            ("-1E400", false),
            ("5e-324", true),
            ("1e-400", false),
            ("0.0", true),
            ("0e5", true),
            ("0e400", false),
            ("0e-99999999999", false),
            (&long(998), true),
            (&long(999), false),
        ] {
            assert_eq!(fits(number), expected, "{number}");
        }
    }

    #[test]
    fn what_readers_refuse_is_rewritten_at_any_depth_and_all_else_stays_to_the_byte() {
        for (given, expected) in [
            (r#"{"n":12345678901234567890,"x":12.30, "e" : 1e100,"z":-0}"#, None),
            (
                r#"{"a":1e400,"b":[-1e400,{"c":1E+400}]}"#,
                Some(r#"{"a":"1e400","b":["-1e400",{"c":"1E+400"}]}"#),
            ),
            (r#"{"a":"1e400","b1e400":"x 1e400, 2"}"#, None),
            (r#"{"id":"123456789012345678901234567890"}"#, None),
            (r#"[123456789012345678901234567890 ]"#, Some(r#"["123456789012345678901234567890" ]"#)),
            (r#"{"a":"x\u0000y","b\u0000":"\u0000"}"#, Some(r#"{"a":"xy","b":""}"#)),
            (r#"{"a":"x\\u0000y\"\\"}"#, None),
            (r#"{"a":"\ud83d\ude00","b":"\u00e9\n\/"}"#, None),
            (
                r#"["\ud83d","\uDE00x","\ud83d\ud83d\ude00"]"#,
                Some(r#"["\ufffd","\ufffdx","\ufffd\ud83d\ude00"]"#),
            ),
            (r#"["\ud83d\u0000\ude00","\ud83d\n"]"#, Some(r#"["\ufffd\ufffd","\ufffd\n"]"#)),
            (r#"{"\ud83d":{"\ud83d":1}}"#, Some(r#"{"\ufffd":{"\ufffd":1}}"#)),
            ("1e400", Some("\"1e400\"")),
            ("null", None),
            ("", None),
        ] {
            let made = json(given);
            assert_eq!(made, expected.unwrap_or(given));
            assert_eq!(matches!(made, Cow::Owned(_)), expected.is_some(), "{given}");
        }
        assert_eq!((text("a\0b\0"), text("ab")), ("ab".into(), "ab".into()));
    }

    #[test]
    fn what_is_nested_deeper_than_readers_go_becomes_a_text_of_its_own() {
        let nest = |inner: &str, depth: usize| {
            format!("{}{inner}{}", r#"{"a":["#.repeat(depth / 2), "]}".repeat(depth / 2))
        };
        assert_eq!(json(&nest("1", DEEPEST)), nest("1", DEEPEST));
        let inner = r#"{"b":[1e400, "}\"\u0000"]}"#;
        let expected = r#""{\"b\":[1e400, \"}\\\"\\u0000\"]}""#;
        assert_eq!(
            json(&nest(&format!("1,{inner},[]"), DEEPEST)),
            nest(&format!("1,{expected},\"[]\""), DEEPEST)
        );
        assert!(serde_json::from_str::<serde_json::Value>(&json(&nest("", 20_000))).is_ok());
    }

    proptest! {
        /// The full walk finds nothing where the quick look did not.
        #[test]
        fn the_quick_look_misses_nothing(
            before in ".{0,40}",
            number in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?",
            text in "(a|\\\\u0000|\\\\ud83d|\\\\n| e5){0,4}",
            depth in 0..250usize,
        ) {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            let given = format!("{open}[{},{number},\"{text}\"]{close}", serde_json::json!(before));
            prop_assert_eq!(json(&given), Rewriting::of(&given));
        }

        /// Whatever it is given, it comes to an end; and what it gives has nothing left to be rewritten.
        #[test]
        fn it_takes_anything_and_is_done_at_once(given in "[\\[\\]{}\"\\\\u0de831,.:é-]{0,30}|.{0,30}") {
            let made = json(&given).into_owned();
            if serde_json::from_str::<&serde_json::value::RawValue>(&given).is_ok() {
                prop_assert_eq!(json(&made), made.as_str());
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&made).is_ok());
            }
        }
    }
}
