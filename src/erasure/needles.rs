//! Texts to look for, in every form in which they may stand somewhere.

use aho_corasick::{AhoCorasick, BuildError};
use std::collections::BTreeSet;
use std::io::{self, Read};

/// A text that is shorter is found everywhere, and says nothing.
const SHORTEST: usize = 4;

/// Finds any of many texts in one pass, whatever its capitals (of ASCII): as it stands, with the escapes of JSON, and
/// with those of URLs.
pub struct Needles {
    automaton: AhoCorasick,
}

impl Needles {
    /// Those of these texts that are long enough to mean something.
    ///
    /// # Errors
    /// When there are so many that no automaton can hold them.
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Needles, BuildError> {
        let forms: BTreeSet<String> =
            texts.into_iter().filter(|text| Needles::is_long_enough(text)).flat_map(forms).collect();
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(forms)?;
        Ok(Needles { automaton })
    }

    /// Whether a text is long enough to be looked for.
    pub fn is_long_enough(text: &str) -> bool {
        text.trim().chars().count() >= SHORTEST
    }

    /// Whether some bytes have one of them.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.automaton.is_match(bytes)
    }

    /// How often they stand in what is read, and how many bytes that were.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn count_in(&self, source: impl Read) -> io::Result<(u64, u64)> {
        let mut counted = Counted { source, bytes: 0 };
        let mut found = 0;
        if self.automaton.patterns_len() == 0 {
            io::copy(&mut counted, &mut io::sink())?;
        } else {
            for one in self.automaton.stream_find_iter(&mut counted) {
                one?;
                found += 1;
            }
        }
        Ok((found, counted.bytes))
    }
}

struct Counted<R> {
    source: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// A text as it stands, as JSON may have it, and as a URL may.
fn forms(text: &str) -> impl Iterator<Item = String> {
    let text = text.trim();
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            ' '..='~' => escaped.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escaped += &format!("\\u{unit:04x}")),
        }
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let url = |keep_at: bool| -> String {
        let one = |byte: u8| match byte {
            b'@' if keep_at => "@".to_owned(),
            byte if is_plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02x}"),
        };
        text.bytes().map(one).collect()
    };
    let slashes = text.replace('/', "\\/");
    [text.to_owned(), escaped, url(false), url(true), slashes].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_each_of_its_forms() {
        let needles = Needles::of(["Zoë+1@Example.com", "555 0107", "ab"]).unwrap();
        for (text, expected) in [
            ("x zoë+1@example.COM y", true),
            (r#"{"a":"Zo\u00eb+1@example.com"}"#, true),
            (r#"{"a":"Zo\u00EB+1@example.com"}"#, true),
            ("https://x.test/?e=Zo%C3%AB%2B1%40example.com", true),
            ("https://x.test/?e=zo%c3%ab%2b1@example.com", true),
            ("555 0107", true),
            ("zoe+1@example.com", false),
            ("ab", false),
        ] {
            assert_eq!(needles.is_in(text.as_bytes()), expected, "{text}");
            let (found, bytes) = needles.count_in(text.as_bytes()).unwrap();
            assert_eq!((found > 0, bytes), (expected, text.len() as u64), "{text}");
        }
        let nothing = Needles::of([]).unwrap();
        assert_eq!((nothing.is_in(b"a"), nothing.count_in(&b"abc"[..]).unwrap()), (false, (0, 3)));
    }
}
