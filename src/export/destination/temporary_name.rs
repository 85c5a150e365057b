//! The names that files have until they are complete: `.NAME-RANDOM.tmp` beside their place.

/// The random part of a temporary name.
pub(super) const RANDOM_CHARACTERS: usize = 8;

/// How the temporary name of a file begins; the random part and [`TEMPORARY_SUFFIX`] follow.
pub(super) fn temporary_prefix(name: &str) -> String {
    format!(".{name}-")
}

/// How temporary names end.
pub(super) const TEMPORARY_SUFFIX: &str = ".tmp";

/// The name of the file that a temporary file was to become; `None` where the name is not one of ours.
pub(in crate::export) fn temporary_of(name: &str) -> Option<&str> {
    let (target, random) = name.strip_prefix('.')?.strip_suffix(TEMPORARY_SUFFIX)?.rsplit_once('-')?;
    let ours = random.len() == RANDOM_CHARACTERS && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    ours.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names() {
        for (text, expected) in [
            (".customers-000000000001.csv-a1B2c3D4.tmp", Some("customers-000000000001.csv")),
            (".manifest.ndjson-a1B2c3D4.tmp", Some("manifest.ndjson")),
            ("customers-000000000001.csv-a1B2c3D4.tmp", None),
            (".customers-000000000001.csv-a1B2c3D.tmp", None),
            (".customers-000000000001.csv-a1B2.3D4.tmp", None),
            (".customers-000000000001.csv-a1B2c3D4", None),
            (".a1B2c3D4.tmp", None),
        ] {
            assert_eq!(temporary_of(text), expected, "{text}");
        }
    }
}
