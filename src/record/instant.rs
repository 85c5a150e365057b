//! Times of the API as instants.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// The instant that a time of the API names, or `None` where it names none.
///
/// Offsets and fractional seconds are understood (`api-contract` point 10). A time without an offset
/// is read as UTC: the documentation's examples all are.
pub fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    let civil = text.parse::<DateTime>().ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_compared_not_strings() {
        let same = [
            "2019-01-30T13:30:00Z",
            "2019-01-30T13:30:00.000Z",
            "2019-01-30T15:30:00+02:00",
            "2019-01-30T13:30:00",
            "2019-01-30 13:30:00+00:00",
        ];
        for text in same {
            assert_eq!(instant(text), instant(same[0]), "{text}");
        }
        assert!(instant("2019-01-30T13:30:00.5Z") > instant("2019-01-30T13:30:00Z"));
        assert!(instant("2019-01-30T13:30:00Z") > instant("2019-01-30T13:30:00+00:01"));
    }

    #[test]
    fn text_that_names_no_instant_is_none() {
        for text in ["", "yesterday", "2019-02-30T00:00:00Z", "1548855000"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
