//! Spans of time as people write them: `30s`, `250ms`, `1h30m`, `7d`, `3y`.

use jiff::fmt::friendly::SpanParser;
use jiff::{SignedDuration, SpanRelativeTo};

/// The longest span that is accepted: ten years of 365 days, far from any overflow in sums of instants.
const LONGEST: SignedDuration = SignedDuration::from_hours(3650 * 24);

const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Reads a span in jiff's "friendly" format; a day has 24 hours, and a year 365 days. Refuses months, whose length is not
/// fixed, and negative spans.
pub(super) fn parse(text: &str) -> Option<SignedDuration> {
    let span = SpanParser::new().parse_span(text.trim()).ok()?;
    let years = YEAR.checked_mul(span.get_years().into())?;
    let rest = span.try_years(0).ok()?.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let duration = years.checked_add(rest)?;
    (SignedDuration::ZERO..=LONGEST).contains(&duration).then_some(duration)
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
            ("1.5h", 5_400_000),
            ("5 s", 5_000),
            ("7d", 7 * 86_400_000),
            ("0s", 0),
            ("1s500ms", 1_500),
            ("3650d", 3650 * 86_400_000),
            ("3y", 3 * 365 * 86_400_000),
            ("10y", 3650 * 86_400_000),
            ("1y6d", 371 * 86_400_000),
        ] {
            assert_eq!(parse(text), Some(SignedDuration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn spans_that_are_not() {
        for text in [
            "",
            "30",
            "s",
            "-5s",
            "1mo",
            "1y1mo",
            "-1y",
            "1y ago",
            "11y",
            "1.5y",
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
