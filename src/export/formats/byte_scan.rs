//! Looking through text, which is where the time of an export's formats goes.

/// Whether any byte of a text is one of these. Looks at all of them, without a branch for each: compilers then compare
/// many at once, and the texts of records are short or hold none.
#[inline]
pub(super) fn contains_byte(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | is_one(byte))
}
