//! What holds for every expression, zone and instant.

use super::Schedule;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How many firings in a row are looked at: enough to cross a change of the clocks, few enough to stay fast.
const FIRINGS: usize = 8;

/// Tries `ZONE SECONDS` in the first line, the instant to ask from, with the expression in what follows.
pub fn cron(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (place, expression) = text.split_once('\n').unwrap_or(("", text));
    let expression = expression.trim();
    let (zone, after) = place.split_once(' ').unwrap_or_default();
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let after =
        after.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or_default();
    match Schedule::parse(expression, zone.clone()) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(schedule) => {
            assert_eq!(schedule.expression(), expression);
            check_firings(&schedule, after);
            check_same(&schedule, &expression.to_ascii_uppercase(), after);
            if expression.split_ascii_whitespace().count() == 5 {
                check_same(&schedule, &format!("0 {expression}"), after);
            }
        }
    }
}

/// Each firing is a whole second and lies ahead, and there is none between it and the instant asked from.
fn check_firings(schedule: &Schedule, mut after: Timestamp) {
    for _ in 0..FIRINGS {
        let Some(next) = schedule.next_after(after) else { return };
        assert!(next > after, "{next} is not after {after}");
        assert_eq!(next.subsec_nanosecond(), 0, "{next}");
        let wait = next.duration_since(after);
        for back in [SignedDuration::from_nanos(1), SignedDuration::from_secs(1), wait / 2] {
            let between = next - back;
            if between >= after {
                assert_eq!(schedule.next_after(between), Some(next), "asked from {between}");
            }
        }
        after = next;
    }
}

/// Another way to write the same.
fn check_same(schedule: &Schedule, other: &str, after: Timestamp) {
    let other = Schedule::parse(other, schedule.zone.clone());
    assert_eq!(other.map(|other| other.next_after(after)), Ok(schedule.next_after(after)));
}
