//! Times of the API as instants, however they are written (`api-contract` point 10).
//!
//! | form | such as |
//! |---|---|
//! | ISO 8601, with `T`, `t`, a space or `_` | `2024-05-01T12:00:00Z`, `2024-05-01 12:00`, `2024-05-01` |
//! | any number of fraction digits; the first nine count | `12:00:00.1234567891`, `12:00:00,5` |
//! | `Z`, `UTC`, `GMT` or an offset, after a space or not | `12:00:00 UTC`, `12:00:00 +0000`, `12:00:00+02`, `12:00:00 +0000 UTC` |
//! | no zone: UTC, as in all examples of the documentation | `2024-05-01T12:00:00` |
//! | the last day of the calendar, leap seconds, 24:00 | `9999-12-31T23:59:59-12:00`, `23:59:60Z` |
//! | a number, by its size seconds, milli-, micro- or nanoseconds since 1970 | `1714564800`, `1714564800.5`, `1714564800123` |
//! | RFC 9557 and RFC 2822 | `12:00:00+02:00[Europe/Berlin]`, `Wed, 01 May 2024 12:00:00 GMT` |

use super::decimal::scaled;
use jiff::{Timestamp, civil, tz::TimeZone};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted. Unlike [`Timestamp`] it reaches
/// beyond 9999-12-30T22:00:00Z: `9999-12-31` is a common way to say "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i128);

const NANOSECONDS: i128 = 1_000_000_000;

impl Instant {
    fn of(seconds: i64, nanoseconds: i64) -> Instant {
        Instant(i128::from(seconds) * NANOSECONDS + i128::from(nanoseconds))
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down; the nearest number that there is where it has too many.
    pub fn as_second(self) -> i64 {
        let seconds = self.0.div_euclid(NANOSECONDS);
        i64::try_from(seconds).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whole microseconds since 1970-01-01T00:00:00Z, rounded down; the nearest number that there is where it has too many.
    pub fn as_microsecond(self) -> i64 {
        let microseconds = self.0.div_euclid(1_000);
        i64::try_from(microseconds).unwrap_or(if microseconds < 0 { i64::MIN } else { i64::MAX })
    }
}

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Instant {
        Instant(at.as_nanosecond())
    }
}

/// The instant that a time of the API names, or `None` where it names none.
pub fn instant(text: &str) -> Option<Instant> {
    let text = text.trim();
    iso_8601(text.as_bytes()).or_else(|| epoch(text)).or_else(|| others(text))
}

/// A number of seconds below 10^11 (the year 5138), of milliseconds below 10^14, and so on.
fn epoch(text: &str) -> Option<Instant> {
    let size = scaled(text, 0)?.value.unsigned_abs();
    let (_, places) =
        [(11, 9), (14, 6), (17, 3), (20, 0)].into_iter().find(|(digits, _)| size < 10_u128.pow(*digits))?;
    scaled(text, places).map(|nanoseconds| Instant(nanoseconds.value))
}

/// What else jiff reads: ISO 8601 without separators, and dates as in e-mails and HTTP.
fn others(text: &str) -> Option<Instant> {
    let civil = || TimeZone::UTC.to_timestamp(text.parse::<civil::DateTime>().ok()?).ok();
    let mail = || jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    text.parse::<Timestamp>().ok().or_else(civil).or_else(mail).map(Instant::from)
}

/// A date, a time of day or none (midnight), a zone or none (UTC).
fn iso_8601(text: &[u8]) -> Option<Instant> {
    let (midnight, rest) = date(text)?;
    let (since_midnight, nanoseconds, rest) = match rest {
        [b'T' | b't' | b' ' | b'_', time @ ..] if time.first().is_some_and(u8::is_ascii_digit) => {
            time_of_day(time)?
        }
        _ => (0, 0, rest),
    };
    Some(Instant::of(midnight + since_midnight - zone(rest)?, nanoseconds))
}

/// Seconds from 1970 to the date's midnight, and what stands behind the date.
fn date(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, text) = match text {
        [b'-', text @ ..] => (-1, text),
        [b'+', text @ ..] => (1, text),
        _ => (1, text),
    };
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (year, rest) = number(text, digits)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let year = i16::try_from(sign * year).ok().filter(|_| digits == 4 || digits == 6)?;
    let date = civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    Some((date.duration_since(civil::date(1970, 1, 1)).as_secs(), rest))
}

/// Seconds since midnight, nanoseconds, and what stands behind the time. A leap second counts as the one after it.
fn time_of_day(text: &[u8]) -> Option<(i64, i64, &[u8])> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = match rest {
        [b':', rest @ ..] => number(rest, 2)?,
        _ => (0, rest),
    };
    let (nanoseconds, rest) = match rest {
        [b'.' | b',', rest @ ..] => fraction(rest)?,
        _ => (0, rest),
    };
    let is_end_of_day = (hour, minute, second, nanoseconds) == (24, 0, 0, 0);
    if (hour > 23 && !is_end_of_day) || minute > 59 || second > 60 {
        return None;
    }
    Some((hour * 3_600 + minute * 60 + second, nanoseconds, rest))
}

/// Nanoseconds from one or more digits.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (value, _) = number(text, digits.clamp(1, 9))?;
    let missing = 9_u32.saturating_sub(digits as u32);
    Some((value * 10_i64.pow(missing), &text[digits..]))
}

/// Seconds that the zone is ahead of UTC. Behind an offset, a name says nothing new.
fn zone(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let is_utc = ["", "Z", "UTC", "GMT", "UT"].iter().any(|name| text.eq_ignore_ascii_case(name.as_bytes()));
    if is_utc {
        return Some(0);
    }
    let (sign, rest) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = number(rest, 2)?;
    let colon = |rest: &[u8]| -> Option<(i64, usize)> {
        let digits = rest.strip_prefix(b":").unwrap_or(rest);
        let (value, behind) = number(digits, 2)?;
        Some((value, behind.len()))
    };
    let (minutes, rest) = match colon(rest) {
        Some((minutes, behind)) => (minutes, &rest[rest.len() - behind..]),
        None => (0, rest),
    };
    let name = rest.trim_ascii_start();
    let is_name = rest.len() != name.len() || rest.is_empty();
    (hours <= 25 && minutes <= 59 && is_name && name.iter().all(u8::is_ascii_alphabetic))
        .then_some(sign * (hours * 3_600 + minutes * 60))
}

/// The number that so many digits name, and what stands behind them.
fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(digits).filter(|_| (1..=9).contains(&digits))?;
    let add = |sum, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'));
    Some((number.iter().try_fold(0, add)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::Offset;
    use proptest::prelude::*;

    #[test]
    fn one_instant_in_many_forms() {
        for text in [
            "2019-01-30T13:30:00Z",
            "2019-01-30t13:30:00z",
            "2019-01-30T13:30:00.000Z",
            "2019-01-30T13:30:00.0000000000000Z",
            "2019-01-30T13:30:00,0Z",
            "2019-01-30T15:30:00+02:00",
            "2019-01-30T15:30:00+0200",
            "2019-01-30T15:30:00+02",
            "2019-01-30T13:30:00-00:00",
            "2019-01-30T09:00:00-0430",
            "2019-01-30T13:30:00",
            "2019-01-30 13:30:00",
            "2019-01-30 13:30",
            "2019-01-30_13:30:00",
            "2019-01-30 13:30:00Z",
            "2019-01-30 13:30:00 Z",
            "2019-01-30 13:30:00+00:00",
            "2019-01-30 13:30:00 +0000",
            "2019-01-30 13:30:00 +00:00",
            "2019-01-30 15:30:00 +0200 CEST",
            "2019-01-30 13:30:00 +0000 UTC",
            "2019-01-30 13:30:00.000000000 UTC",
            "2019-01-30 13:30:00 UTC",
            "2019-01-30T13:30:00UTC",
            "2019-01-30 13:30:00 GMT",
            " 2019-01-30T13:30:00Z\n",
            "+002019-01-30T13:30:00Z",
            "20190130T133000Z",
            "20190130T133000",
            "2019-01-30T14:30:00+01:00[Europe/Berlin]",
            "Wed, 30 Jan 2019 13:30:00 GMT",
            "Wed, 30 Jan 2019 15:30:00 +0200",
            "1548855000",
            "1548855000.0",
            "1.548855e9",
            "1548855000000",
            "1548855000000.00",
            "1548855000000000",
            "1548855000000000000",
        ] {
            assert_eq!(instant(text), Some(Instant::of(1_548_855_000, 0)), "{text}");
        }
    }

    #[test]
    fn times_in_their_order() {
        let ascending = [
            "-9999-01-01",
            "-009998-01-01T00:00:00Z",
            "-0001-06-01T00:00:00Z",
            "0000-01-01",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "-0.5",
            "0",
            "1970-01-01T00:00:00.1Z",
            "2016-12-31T23:59:59.999999999Z",
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5Z",
            "2017-01-01T00:00:01Z",
            "2019-01-30",
            "2019-01-30T13:30:00+00:01",
            "2019-01-30T13:30:00Z",
            "2019-01-30T13:30:00.0000000019Z",
            "1548855000.25",
            "1548855000500",
            "2019-01-30T24:00:00Z",
            "2019-01-31T00:00:00.000000001Z",
            "9999-12-30T22:00:00Z",
            "9999-12-31",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:60.999Z",
            "9999-12-31T23:59:59-12:00",
        ];
        for pair in ascending.windows(2) {
            assert!(instant(pair[0]).is_some() && instant(pair[0]) < instant(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn text_that_names_no_instant_is_none() {
        for text in [
            "",
            " ",
            "null",
            "yesterday",
            "the day before yesterday",
            "0000-00-00 00:00:00",
            "2019-02-30T00:00:00Z",
            "2019-13-01",
            "2019-01-30T25:00:00Z",
            "2019-01-30T24:00:01Z",
            "2019-01-30T13:60:00Z",
            "2019-01-30T13:30:61Z",
            "2019-01-30T13:30:00.Z",
            "2019-01-30T13:30:00 CET",
            "2019-01-30T13:30:00+26:00",
            "2019-01-30T13:30:00+02:00x",
            "30/01/2019 13:30",
            "01/30/2019",
            "13:30:00",
            "1e400",
            "123456789012345678901",
            "infinity",
            "2019-01-30T13:30:00\u{fffd}",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    fn at() -> impl Strategy<Value = Timestamp> {
        let range = Timestamp::MIN.as_second() + 100_000..Timestamp::MAX.as_second() - 100_000;
        let recent = 0i64..4_000_000_000;
        (prop_oneof![range, recent], 0i32..1_000_000_000)
            .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
    }

    /// `at` at an offset, with `T` or a space.
    fn local(at: Timestamp, minutes: i32, separator: &str) -> String {
        let civil = Offset::from_seconds(minutes * 60).unwrap().to_datetime(at);
        let (date, time) = (civil.date(), civil.time());
        format!("{date}{separator}{}.{:09}", time.strftime("%H:%M:%S"), time.subsec_nanosecond())
    }

    proptest! {
        #[test]
        fn every_form_is_read_back(
            at in at(), minutes in -1_439i32..1_440, more in "[0-9]{0,20}", separator in "[Tt _]",
        ) {
            let expected = Some(Instant::from(at));
            let sign = if minutes < 0 { '-' } else { '+' };
            let (h, m) = (minutes.abs() / 60, minutes.abs() % 60);
            let (utc, away) = (local(at, 0, &separator), local(at, minutes, &separator));
            for text in [
                at.to_string(),
                utc.clone(),
                format!("{utc}{more}Z"),
                format!("{utc}{more} UTC"),
                format!("{utc} +0000"),
                format!("{away}{sign}{h:02}:{m:02}"),
                format!("{away}{more} {sign}{h:02}{m:02}"),
                format!("{away} {sign}{h:02}{m:02} XYZ"),
            ] {
                prop_assert_eq!(instant(&text), expected, "{}", text);
            }
        }

        /// From when milliseconds have too many digits for seconds until seconds have as many as milliseconds had.
        #[test]
        fn numbers_of_the_epoch_are_read_back(second in 100_000_000i64..100_000_000_000, nano in 0i64..1_000_000_000) {
            let expected = Some(Instant::of(second, nano));
            let digits = format!("{second}{nano:09}");
            for places in [9, 6, 3, 0] {
                let (whole, fraction) = digits.split_at(digits.len() - places);
                let text = if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
                prop_assert_eq!(instant(&text), expected, "{}", text);
            }
            prop_assert_eq!(instant(&second.to_string()), Some(Instant::of(second, 0)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9TZ:., eUTC]{0,40}") {
            let _ = instant(&text);
        }
    }
}
