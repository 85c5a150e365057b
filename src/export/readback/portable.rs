//! Whether a value in a file stands for the mirror's where values were made readable (`export.exact = false`): judged by a
//! reading of both of its own, so that a mistake in the rewriting shows.

use crate::export::formats::{DEEPEST, fits};

/// How a value of a file stands to the mirror's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It is the same.
    Same,
    /// It is what has to stand there for it.
    Rewritten,
    /// It is neither.
    Other,
}

impl Likeness {
    fn of(is_good: bool, rewritten: bool) -> Likeness {
        match (is_good, rewritten) {
            (false, _) => Likeness::Other,
            (true, false) => Likeness::Same,
            (true, true) => Likeness::Rewritten,
        }
    }
}

/// Compares text: NUL must have been left out.
pub(super) fn text(given: &str, found: &str) -> Likeness {
    let is_good = given.chars().filter(|c| *c != '\0').eq(found.chars());
    Likeness::of(is_good, given.contains('\0'))
}

/// Compares JSON, but for white space between tokens.
pub(super) fn json(given: &str, found: &str) -> Likeness {
    let (mut given, mut found) = (Tokens(given), Tokens(found));
    let (mut depth, mut rewritten) = (0, false);
    loop {
        let before = given.0;
        let likeness = match (given.next(), found.next()) {
            (None, None) => return Likeness::of(true, rewritten),
            (Some(Token::Mark('{' | '[')), Some(Token::String(text))) if depth == DEEPEST => {
                given.leave();
                let whole = before.trim_start();
                let nested = &whole[..whole.len() - given.0.len()];
                Likeness::of(units(text).0.into_iter().eq(nested.encode_utf16()), true)
            }
            (Some(Token::Mark(a)), Some(Token::Mark(b))) if a == b => {
                match a {
                    '{' | '[' => depth += 1,
                    '}' | ']' => depth -= 1,
                    _ => {}
                }
                Likeness::of(depth <= DEEPEST, false)
            }
            (Some(Token::String(a)), Some(Token::String(b))) => string(a, b),
            (Some(Token::Word(a)), Some(Token::Word(b))) => Likeness::of(a == b && !is_odd(a), false),
            (Some(Token::Word(a)), Some(Token::String(b))) => Likeness::of(a == b && is_odd(a), true),
            _ => Likeness::Other,
        };
        if likeness == Likeness::Other {
            return likeness;
        }
        rewritten |= likeness == Likeness::Rewritten;
    }
}

fn is_odd(word: &str) -> bool {
    word.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && !fits(word)
}

/// Compares what stands between the quotes of two strings.
fn string(given: &str, found: &str) -> Likeness {
    let (cleaned, rewritten) = units(given);
    match rewritten {
        false => Likeness::of(given == found, false),
        true => Likeness::of(units(found) == (cleaned, false), true),
    }
}

/// The UTF-16 code units of a JSON string, with U+FFFD for halves of surrogate pairs and without NUL; and whether it had any
/// of these.
fn units(content: &str) -> (Vec<u16>, bool) {
    let mut found = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find('\\') {
        found.extend(rest[..at].encode_utf16());
        let escape = &rest[at..];
        let length = if escape.starts_with("\\u") { 6 } else { 2 };
        let Some((escape, after)) = escape.split_at_checked(length) else { break };
        found.push(match escape.strip_prefix("\\u") {
            Some(digits) => u16::from_str_radix(digits, 16).unwrap_or(0xfffd),
            None => match escape.as_bytes().last() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => 10,
                Some(b'r') => 13,
                Some(b't') => 9,
                Some(other) => u16::from(*other),
                None => 0xfffd,
            },
        });
        rest = after;
    }
    found.extend(rest.encode_utf16());
    let mut odd = false;
    let mut clean = Vec::with_capacity(found.len());
    for character in char::decode_utf16(found) {
        match character {
            Ok('\0') => odd = true,
            Ok(character) => clean.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            Err(_) => {
                odd = true;
                clean.push(0xfffd);
            }
        }
    }
    (clean, odd)
}

/// A token of JSON (RFC 8259 section 2).
enum Token<'j> {
    /// One of `{}[],:`.
    Mark(char),
    /// What stands between the quotes of a string.
    String(&'j str),
    /// A number or `true`, `false` or `null`.
    Word(&'j str),
}

/// What is still to be read of a JSON text.
struct Tokens<'j>(&'j str);

impl<'j> Tokens<'j> {
    /// Reads on to the end of the array or object that has begun.
    fn leave(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            match self.next() {
                Some(Token::Mark('{' | '[')) => depth += 1,
                Some(Token::Mark('}' | ']')) => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }
}

impl<'j> Iterator for Tokens<'j> {
    type Item = Token<'j>;

    fn next(&mut self) -> Option<Token<'j>> {
        let text = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
        let first = text.chars().next()?;
        let (token, length) = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => (Token::Mark(first), 1),
            '"' => {
                let end = end_of_string(&text[1..]);
                (Token::String(&text[1..1 + end]), (end + 2).min(text.len()))
            }
            _ => {
                let ends = |c: char| c.is_ascii_whitespace() || "{}[],:\"".contains(c);
                let end = text.find(ends).unwrap_or(text.len());
                (Token::Word(&text[..end]), end)
            }
        };
        self.0 = &text[length..];
        Some(token)
    }
}

/// Where the quote stands that ends a string; its length where none does.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let ends = |byte: u8| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => byte == b'"',
    };
    text.bytes().position(ends).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_to_stand_there_is_accepted_and_nothing_else() {
        use Likeness::{Other, Rewritten, Same};
        for (given, found, expected) in [
            (r#"{"a": 1.50}"#, r#"{"a":1.50}"#, Same),
            (r#"{"a":1.50}"#, r#"{"a":1.5}"#, Other),
            (r#"{"a":"\/"}"#, r#"{"a":"/"}"#, Other),
            (r#"{"a":"x"}"#, r#"{"a":"x","b":1}"#, Other),
            (r#"{"a":1e400}"#, r#"{"a":"1e400"}"#, Rewritten),
            (r#"{"a":1e400}"#, r#"{"a":1e400}"#, Other),
            (r#"{"a":1e4}"#, r#"{"a":"1e4"}"#, Other),
            (r#"{"a":true}"#, r#"{"a":"true"}"#, Other),
            (r#"{"a":"x\u0000y"}"#, r#"{"a":"xy"}"#, Rewritten),
            (r#"{"a":"x\u0000y"}"#, r#"{"a":"x\u0000y"}"#, Other),
            (r#"{"a":"x\u0000y"}"#, r#"{"a":"x"}"#, Other),
            (r#"{"a\ud83d":1}"#, r#"{"a\ufffd":1}"#, Rewritten),
            (r#"{"a\ud83d":1}"#, "{\"a\u{fffd}\":1}", Rewritten),
            (r#"{"a\ud83d\ude00":1}"#, r#"{"a\ufffd":1}"#, Other),
            (r#"{"a\ud83d\ude00":1}"#, r#"{"a\ud83d\ude00":1}"#, Same),
            (r#""\\u0000""#, r#""\\u0000""#, Same),
            ("", "", Same),
            ("\"a", "\"a", Same),
        ] {
            assert_eq!(json(given, found), expected, "{given} {found}");
        }
        for (given, found, expected) in
            [("a", "a", Same), ("a\0b", "ab", Rewritten), ("a\0b", "a\0b", Other), ("a", "b", Other)]
        {
            assert_eq!(text(given, found), expected, "{given:?} {found:?}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_the_text_of_itself() {
        let (open, close) = ("[".repeat(DEEPEST), "]".repeat(DEEPEST));
        let given = format!("{open}  {{\"a\" : [1]}}{close}");
        for (found, expected) in [
            (r#""{\"a\" : [1]}""#, Likeness::Rewritten),
            (r#""{\"a\":[1]}""#, Likeness::Other),
            (r#"{"a" : [1]}"#, Likeness::Other),
        ] {
            assert_eq!(json(&given, &format!("{open}{found}{close}")), expected, "{found}");
        }
        let shallow = format!("{open}1{close}");
        assert_eq!(json(&shallow, &shallow), Likeness::Same);
    }
}
