//! Which parts of text from outside may be repeated: text of answers, of proxies, and of libraries about either.
//!
//! A server may echo what it was sent or what it holds, such as the key, a person's address or telephone number. A name can't
//! be told from other words, so the vendor's message is left out of logs altogether ([`ApiError::log_form`]).
//!
//! [`ApiError::log_form`]: super::ApiError::log_form

use super::encodings::{decoded, encoded};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use uuid::Uuid;

/// Replaces what was cut out. No key contains these characters, so the text around them can't form the key.
const MASK: &str = "•••";
/// Longest text repeated, in characters.
pub(in crate::api) const SHOWN: usize = 300;
/// Longest text looked at, in characters.
const READ: usize = 4096;
/// The fewest digits of a telephone number. Shorter numbers are statuses, ports and counts.
const PHONE_DIGITS: usize = 7;
/// The most characters between two digits of a telephone number, as in "+1 (555) - 555".
const PHONE_GAP: usize = 3;

/// Text that may be repeated anywhere: on a terminal, in logs, in the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct SafeText(String);

impl SafeText {
    /// The program's own words. They must contain nothing from an answer.
    pub(in crate::api) fn own(text: impl fmt::Display) -> SafeText {
        SafeText(text.to_string())
    }

    pub(in crate::api) fn as_str(&self) -> &str {
        &self.0
    }

    /// `None` for an empty text.
    pub(in crate::api) fn if_any(self) -> Option<SafeText> {
        (!self.0.is_empty()).then_some(self)
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text with identifiers of the API, which are opaque and may be anything, as it may be shown: on one line, without e-mail
/// addresses and whatever begins like a key of the vendor, and with control characters escaped.
pub fn shown(text: &str) -> String {
    escaped(&without_addresses(&without_credentials(text)))
}

/// An error's text and that of its causes.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(in crate::api) struct RedactedCause {
    text: SafeText,
    source: Option<Box<RedactedCause>>,
}

/// Knows the key, so that it can be cut out of text.
#[derive(Clone)]
pub(in crate::api) struct Redactor {
    /// The key, and its forms in base64 and in hexadecimal digits, in lower case.
    forms: Arc<Vec<SecretString>>,
}

impl Redactor {
    /// For the key, and for other secrets that requests carry.
    pub(in crate::api) fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Redactor {
        let forms = |secret: &'a SecretString| {
            let secret = secret.expose_secret();
            std::iter::once(secret.to_owned()).chain(encoded(secret)).collect::<Vec<_>>()
        };
        let forms = secrets.into_iter().flat_map(forms);
        let forms = forms.filter(|form| !form.is_empty()).map(|form| form.to_ascii_lowercase().into());
        Redactor { forms: Arc::new(forms.collect()) }
    }

    /// The text as it may be repeated: on one line, without the key and other credentials, e-mail addresses and telephone
    /// numbers, even if these are percent-encoded or escaped as in JSON and HTML. Control characters and characters that
    /// change the direction of writing are escaped. At most [`SHOWN`] characters.
    pub(in crate::api) fn redact(&self, text: &str) -> SafeText {
        self.cleaned(text, true)
    }

    /// The same for a path, in which long numbers are identifiers.
    pub(in crate::api) fn redact_path(&self, path: &str) -> SafeText {
        self.cleaned(path, false)
    }

    /// An error and its causes, as they may be repeated.
    pub(in crate::api) fn cause(&self, error: &(dyn Error + 'static)) -> RedactedCause {
        let source = error.source().map(|source| Box::new(self.cause(source)));
        RedactedCause { text: self.redact(&error.to_string()), source }
    }

    fn cleaned(&self, text: &str, with_phones: bool) -> SafeText {
        let read: String = text.trim().chars().take(READ).collect();
        let read = self.without_key(&read);
        let decoded = decoded(&read);
        let masked = self.masked(&decoded, with_phones);
        // If decoding reveals nothing to mask, the text is kept as it was written.
        let clean = if masked == decoded { self.masked(&read, with_phones) } else { masked };
        SafeText(bounded(&escaped(&clean)))
    }

    fn masked(&self, text: &str, with_phones: bool) -> String {
        let text = without_addresses(&without_credentials(&self.without_key(text)));
        if with_phones { without_phones(&text) } else { text }
    }

    fn without_key(&self, text: &str) -> String {
        self.forms.iter().fold(text.to_owned(), |text, form| without(&text, form.expose_secret()))
    }
}

/// Masks `secret`, which is lower-case ASCII. Case, blanks and invisible characters in the text make no difference.
fn without(text: &str, secret: &str) -> String {
    let shown =
        text.char_indices().filter(|(_, c)| !(c.is_whitespace() || c.is_control() || is_invisible(*c)));
    let mut places = Vec::with_capacity(text.len());
    let mut lower = String::with_capacity(text.len());
    for (at, c) in shown {
        lower.push(c.to_ascii_lowercase());
        places.resize(lower.len(), at);
    }
    let (mut clean, mut from) = (String::with_capacity(text.len()), 0);
    for (at, found) in lower.match_indices(secret) {
        clean.push_str(&text[from..places[at]]);
        clean.push_str(MASK);
        from = places[at + found.len() - 1] + 1;
    }
    clean.push_str(&text[from..]);
    clean
}

/// Masks what follows `Bearer` or `Basic`, and whatever begins like a key of the vendor: an answer may repeat another key, or
/// this one in another form.
fn without_credentials(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let (mut clean, mut from) = (String::with_capacity(text.len()), 0);
    for (at, _) in lower.match_indices(['b', 's', 'p']) {
        if at < from || text[..at].ends_with(char::is_alphanumeric) {
            continue;
        }
        let scheme = ["bearer ", "basic "].into_iter().find(|scheme| lower[at..].starts_with(scheme));
        let begin = at + scheme.map_or(0, str::len);
        let rest = &text[begin..];
        let end = begin + rest.find(|c| !is_in_credential(c)).unwrap_or(rest.len());
        let is_key =
            ["sk_", "pk_"].iter().any(|prefix| lower[at..end].len() > 6 && lower[at..].starts_with(prefix));
        if is_key || (scheme.is_some() && !is_plain_word(&text[begin..end])) {
            clean.push_str(&text[from..begin]);
            clean.push_str(MASK);
            from = end;
        }
    }
    clean.push_str(&text[from..]);
    clean
}

/// Whether it is an ordinary word in letters of one case, as in "bearer token" or "Basic authentication".
fn is_plain_word(text: &str) -> bool {
    let word = text.trim_end_matches('.');
    word.chars().all(char::is_alphabetic) && !word.chars().skip(1).any(char::is_uppercase)
}

/// RFC 6750 section 2.1 and RFC 4648.
fn is_in_credential(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=')
}

/// Masks every word that contains an @. This includes every address of RFC 5321 and more.
fn without_addresses(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = (from..chars.len()).find(|at| matches!(chars[*at], '@' | '\u{ff20}' | '\u{fe6b}')) {
        let mut begin = at;
        // "Ann Smith"@example.com
        if begin > from && chars[begin - 1] == '"' {
            begin = (from..begin - 1).rev().find(|n| chars[*n] == '"').unwrap_or(from);
        }
        while begin > from && is_in_address(chars[begin - 1]) {
            begin -= 1;
        }
        let end = (at + 1..chars.len()).find(|n| !is_in_address(chars[*n])).unwrap_or(chars.len());
        let spaced = spaced_address(&chars[from..], at - from);
        if let Some((begin, end)) = spaced {
            clean.extend(&chars[from..from + begin]);
            clean.push_str(MASK);
            from += end;
        } else if begin == at {
            // An @ that stands alone is no address.
            clean.extend(&chars[from..=at]);
            from = at + 1;
        } else {
            clean.extend(&chars[from..begin]);
            clean.push_str(MASK);
            from = end;
        }
    }
    clean.extend(&chars[from..]);
    clean
}

/// The place of an address that has a blank beside its @. A dot in the host's name distinguishes it from other words.
fn spaced_address(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let before = &chars[..at - chars[..at].iter().rev().take_while(|c| **c == ' ').count()];
    let begin = before.iter().rposition(|c| !is_in_address(*c)).map_or(0, |n| n + 1);
    let after = at + 1 + chars[at + 1..].iter().take_while(|c| **c == ' ').count();
    let host = chars[after..].iter().take_while(|c| is_in_address(**c)).count();
    let is_spaced = before.len() < at || after > at + 1;
    let has_dot = chars[after..after + host].iter().rev().skip(1).any(|c| *c == '.');
    (is_spaced && has_dot && begin < before.len()).then_some((begin, after + host))
}

fn is_in_address(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || "<>()[],;:\"\\".contains(c))
}

/// Masks long numbers, including those with the characters that are common between the digits of telephone numbers.
fn without_phones(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(begin) = (from..chars.len()).find(|n| chars[*n].is_numeric()) {
        let (mut end, mut digits) = (begin, 0);
        let mut at = begin;
        let is_in_word = begin > 0 && is_in_word(chars[begin - 1]);
        while at < chars.len() && at <= end + PHONE_GAP {
            if chars[at].is_numeric() {
                (end, digits) = (at + 1, digits + 1);
            } else if is_in_word || !(is_between_digits(chars[at]) || is_lone_mark(&chars, at)) {
                break;
            }
            at += 1;
        }
        clean.extend(&chars[from..begin]);
        if digits >= PHONE_DIGITS && !is_known_number(&chars, begin, end) {
            clean.push_str(MASK);
        } else {
            clean.extend(&chars[begin..end]);
        }
        from = end;
    }
    clean.extend(&chars[from..]);
    clean
}

fn is_between_digits(c: char) -> bool {
    c.is_whitespace()
        || is_invisible(c)
        || matches!(c, '+' | '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Whether it is a single mark between two digits, as in 555_010_9999 and 555*010*9999.
fn is_lone_mark(chars: &[char], at: usize) -> bool {
    let is_digit = |n: usize| chars.get(n).is_some_and(|c| c.is_numeric());
    !chars[at].is_alphanumeric() && at > 0 && is_digit(at - 1) && is_digit(at + 1)
}

fn is_in_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Whether it is a date, an IP address, or part of an identifier, such as that of a request.
fn is_known_number(chars: &[char], begin: usize, end: usize) -> bool {
    let run: String = chars[begin..end].iter().collect();
    let is_plain = run.chars().all(char::is_numeric);
    let beside = [begin.checked_sub(1), Some(end)].into_iter().flatten().filter_map(|n| chars.get(n));
    (is_plain && beside.copied().any(is_in_word))
        || run.parse::<Ipv4Addr>().is_ok()
        || run.parse::<SocketAddrV4>().is_ok()
        || run.parse::<jiff::civil::Date>().is_ok_and(|_| run.len() == 10)
        || is_in_uuid(chars, begin, end)
}

fn is_in_uuid(chars: &[char], begin: usize, end: usize) -> bool {
    let is_in_it = |c: &char| c.is_ascii_hexdigit() || *c == '-';
    let before = chars[..begin].iter().rev().take_while(|c| is_in_it(c)).count();
    let after = chars[end..].iter().take_while(|c| is_in_it(c)).count();
    let word: String = chars[begin - before..end + after].iter().collect();
    word.len() == 36 && Uuid::try_parse(&word).is_ok()
}

/// Whether the character is invisible: of zero width, a mark of direction, a variation selector or a tag.
fn is_invisible(c: char) -> bool {
    !c.is_whitespace() && !c.is_alphanumeric() && c.escape_debug().len() > 1 && !c.is_ascii()
}

/// The text on one line, without anything that a terminal would obey or that would reverse the text.
fn escaped(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => clean.push(c),
            '\u{2028}' | '\u{2029}' => clean.extend(c.escape_unicode()),
            _ if c.is_whitespace() && !c.is_control() => clean.push(' '),
            // A combining mark needs no escape if it follows another character.
            _ => clean.extend(['a', c].iter().collect::<String>().escape_debug().skip(1)),
        }
    }
    clean
}

fn bounded(text: &str) -> String {
    let mut bounded: String = text.chars().take(SHOWN).collect();
    if bounded.len() < text.len() {
        bounded.push('…');
    }
    bounded
}

#[cfg(test)]
mod tests;
