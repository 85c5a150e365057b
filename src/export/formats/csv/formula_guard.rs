//! Keeps spreadsheets from taking CSV text for formulas (`export.csv_formula_guard`; OWASP's page on CSV injection, CWE-1236).
//!
//! A text that begins with a character after which a spreadsheet computes gets a `'` in front, which spreadsheets take for
//! "this is text". So does a text that begins with `'` itself: then a leading `'` always is the guard's, and taking it away
//! gives the text back, whatever it was. Only text of the API is guarded, never the numbers and times that this program
//! writes.

use std::borrow::Cow;

/// OWASP's list, and the characters that some spreadsheets skip before they look.
const DANGEROUS: [char; 8] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0'];

/// The text as it stands in a guarded file.
pub(super) fn guard(text: &str) -> Cow<'_, str> {
    match text.starts_with(DANGEROUS) || text.starts_with('\'') {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_spreadsheet_would_compute_is_guarded() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+49 30 1", "'+49 30 1"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("'=1", "''=1"),
            ("'", "''"),
            ("", ""),
            ("a=1", "a=1"),
            (" =1", " =1"),
            ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z"),
        ] {
            assert_eq!(guard(text), expected);
        }
    }

    proptest! {
        /// Taking a leading `'` away, where there is one, gives back every text.
        #[test]
        fn no_guarded_text_is_dangerous_and_each_comes_back(text in "['=+@\t\r\n\0a-]{0,4}|.*") {
            let guarded = guard(&text);
            prop_assert!(!guarded.starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert_eq!(guarded.strip_prefix('\'').unwrap_or(&guarded), text.as_str());
        }
    }
}
