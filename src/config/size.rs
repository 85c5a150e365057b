//! Amounts of bytes as people write them: `64MiB`, `512KiB`, `1048576`.

/// Reads a whole number of `B` (also without a unit), `KiB`, `MiB` or `GiB`, in bytes.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let bytes: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("64MiB", Some(64 << 20)),
            ("1 KiB", Some(1024)),
            ("2GiB", Some(2 << 30)),
            ("17", Some(17)),
            ("17B", Some(17)),
            ("64MB", None),
            ("64mib", None),
            ("-1", None),
            ("1.5MiB", None),
            ("MiB", None),
            ("", None),
            ("17179869184GiB", None),
        ] {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }
}
