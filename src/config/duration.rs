//! Spans of time as people write them: `30s`, `250ms`, `1h30m`, `7d`.

use std::time::Duration;

/// The longest span that is accepted: ten years of 365 days, far from any overflow in sums of instants.
pub(super) const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// Reads one or more of `NUMBER UNIT`, with whole numbers and the units `ms`, `s`, `m`, `h` and `d`
/// (24 hours), each at most once and the larger first. No months or years: their length is not fixed.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    let mut last_unit = u64::MAX;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, remaining) = after.split_at(end);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        if milliseconds >= last_unit {
            return None;
        }
        last_unit = milliseconds;
        let amount = number.parse::<u64>().ok()?.checked_mul(milliseconds)?;
        total = total.checked_add(Duration::from_millis(amount))?;
        rest = remaining.trim_start();
        if rest.is_empty() {
            return (total <= LONGEST).then_some(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_are_understood() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("250ms", 250),
            ("24h", 86_400_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("7d", 7 * 86_400_000),
            ("0s", 0),
            ("1s500ms", 1_500),
            ("3650d", 3650 * 86_400_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn spans_that_are_not() {
        for text in [
            "",
            "30",
            "s",
            "-5s",
            "1.5h",
            "5 s",
            "1mo",
            "1y",
            "30m1h",
            "1s1s",
            "3651d",
            "99999999999999999999s",
            "18446744073709551615d",
            "1h,30m",
            "١s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
