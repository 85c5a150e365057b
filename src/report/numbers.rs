//! Numbers and times as the page writes them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A number in at most five characters or so, for axes and cells: `950`, `1.2k`, `34M`, `0.25`.
pub(super) fn short(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 999_500_000.0 => (value / 1e9, "G"),
        v if v >= 999_500.0 => (value / 1e6, "M"),
        v if v >= 10_000.0 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let places = match scaled.abs() {
        v if v >= 100.0 || (scaled.fract() == 0.0) => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{scaled:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// A count with separators: 1234567 is `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string().into_bytes();
    let groups: Vec<_> = digits.rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// A stretch of time: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(super) fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A time on the clocks of `zone`: `2026-03-01 10:15`.
pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The same without the year, for a time as the mirror writes it; as it stands where it is no time.
pub(super) fn day_and_time(text: &str, zone: &TimeZone) -> String {
    let shown = |at: Timestamp| zone.to_datetime(at).strftime("%m-%d %H:%M").to_string();
    text.parse().map_or_else(|_| text.to_owned(), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (2.5, "2.5"),
            (12.34, "12.3"),
            (950.0, "950"),
            (1_234.0, "1234"),
            (12_340.0, "12.3k"),
            (1_000_000.0, "1M"),
            (34_560_000.0, "34.6M"),
            (2e9, "2G"),
        ] {
            assert_eq!(short(value), expected);
        }
        assert_eq!((count(999).as_str(), count(1_234_567).as_str()), ("999", "1,234,567"));
    }

    #[test]
    fn spans_are_for_people() {
        for (seconds, expected) in [
            (-1.0, "0 s"),
            (90.0, "90 s"),
            (150.0, "2 min"),
            (12_000.0, "3 h 20 min"),
            (187_200.0, "2 d 4 h"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }
}
