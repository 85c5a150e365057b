//! Wildcards where the clock is put forward or back.

use super::{at, run, schedule};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;

/// Nights with a change of the clock: the zone, and an instant before it.
const NIGHTS: &[(&str, &str)] = &[
    ("Europe/Berlin", "2026-03-28T12:00:00Z"),
    ("Europe/Berlin", "2026-10-24T12:00:00Z"),
    ("America/New_York", "2026-03-07T18:00:00Z"),
    ("America/New_York", "2026-10-31T18:00:00Z"),
    // Half an hour, forward and back.
    ("Australia/Lord_Howe", "2026-10-03T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T06:00:00Z"),
    // At midnight: days that begin at 01:00, and days whose last hour stands twice.
    ("America/Sao_Paulo", "2018-11-03T18:00:00Z"),
    ("America/Sao_Paulo", "2019-02-16T18:00:00Z"),
    ("Africa/Cairo", "2026-04-23T12:00:00Z"),
    ("Africa/Cairo", "2026-10-29T12:00:00Z"),
    ("Asia/Beirut", "2026-03-28T12:00:00Z"),
    // Days that were left out at the date line.
    ("Pacific/Apia", "2011-12-29T20:00:00Z"),
    ("Pacific/Kwajalein", "1993-08-20T00:00:00Z"),
    // Other offsets for good: two hours back, half an hour forward.
    ("America/Juneau", "1983-10-30T00:00:00Z"),
    ("Asia/Pyongyang", "2018-05-04T06:00:00Z"),
    ("UTC", "2026-01-01T00:00:00Z"),
];

fn minutes_between_runs(expression: &str, zone: &str, from: &str, count: usize) -> Vec<i64> {
    let instants: Vec<Timestamp> = run(expression, zone, from, count).iter().map(|text| at(text)).collect();
    instants.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs() / 60).collect()
}

#[test]
fn every_quarter_of_an_hour_is_one_in_every_night() {
    for (zone, from) in NIGHTS {
        for expression in ["*/15 * * * *", "0-59/15 * * * *", "0,15,30,45 * * * *", "*/15 0-23 * * *"] {
            let gaps = minutes_between_runs(expression, zone, from, 200);
            assert!(gaps.iter().all(|gap| *gap == 15), "{expression} in {zone} after {from}: {gaps:?}");
        }
    }
}

#[test]
fn hours_without_runs_are_none() {
    for (zone, from) in NIGHTS {
        for expression in ["@hourly", "30 * * * *", "7 0-23 * * *"] {
            let gaps = minutes_between_runs(expression, zone, from, 60);
            // Half an hour is what clocks that are changed by half an hour make of one hour.
            let least = if zone.contains("Lord_Howe") || zone.contains("Pyongyang") { 30 } else { 60 };
            assert!(gaps.iter().all(|gap| (least..=90).contains(gap)), "{expression} in {zone}: {gaps:?}");
        }
    }
}

#[test]
fn wildcards_follow_the_clock_and_fixed_times_run_once() {
    // Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC. 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC.
    for (expression, from, expected) in [
        // The clock shows 00:00, 04:00.
        ("0 */2 * * *", "2026-03-28T23:00:00Z", &["2026-03-29T02:00:00Z", "2026-03-29T04:00:00Z"][..]),
        ("0 0-23/2 * * *", "2026-03-28T23:00:00Z", &["2026-03-29T02:00:00Z", "2026-03-29T04:00:00Z"]),
        // 02:00, 02:00 again, 04:00.
        (
            "0 */2 * * *",
            "2026-10-24T23:00:00Z",
            &["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T03:00:00Z"],
        ),
        // As in cron(8), a wildcard of minutes in an hour that is left out does not run that day.
        ("*/30 2 * * *", "2026-03-28T12:00:00Z", &["2026-03-30T00:00:00Z", "2026-03-30T00:30:00Z"]),
        ("0,30 2 * * *", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]),
        (
            "*/30 2 * * *",
            "2026-10-24T12:00:00Z",
            &[
                "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-26T01:00:00Z",
            ],
        ),
        ("0,30 2 * * *", "2026-10-25T00:15:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z"]),
        // Seconds follow the fields before them.
        ("0 */30 * * * *", "2026-10-25T00:30:00Z", &["2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"]),
        ("*/20 30 2 * * *", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
    ] {
        assert_eq!(run(expression, "Europe/Berlin", from, expected.len()), expected, "{expression}");
    }
    // Asked from inside the second pass, between two seconds.
    assert_eq!(run("* * * * * *", "Europe/Berlin", "2026-10-25T01:10:00.5Z", 1), ["2026-10-25T01:10:01Z"]);
}

/// A field of times: a star, a step, a list, or a range.
fn field(least: u32, greatest: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        3 => (2..=25u32).prop_map(|step| format!("*/{step}")),
        2 => (least..=greatest, least..=greatest, 1..=9u32)
            .prop_map(|(one, other, step)| format!("{}-{}/{step}", one.min(other), one.max(other))),
        2 => prop::collection::vec(least..=greatest, 1..4)
            .prop_map(|values| values.iter().map(u32::to_string).collect::<Vec<_>>().join(",")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Minute after minute, a wildcard runs where the clock shows a time of its fields, and nowhere else.
    #[test]
    fn a_wildcard_runs_whenever_the_clock_shows_its_time(
        (minute, hour) in (field(0, 59), field(0, 23)),
        (zone, from) in select(NIGHTS),
        skip in 0..36 * 60i64,
    ) {
        let expression = format!("{minute} {hour} * * *");
        let schedule = schedule(&expression, zone);
        prop_assume!(schedule.parsed.is_wildcard);
        // By the sets of the fields alone.
        let (zone, fields) = (TimeZone::get(zone).unwrap(), schedule.parsed.sets.clone());
        let matches = |instant: Timestamp| {
            use cron::TimeUnitSpec;
            let clock = zone.to_datetime(instant);
            fields.minutes().includes(clock.minute().unsigned_abs().into())
                && fields.hours().includes(clock.hour().unsigned_abs().into())
        };
        let from = at(from) + SignedDuration::from_mins(skip);
        let expected: Vec<Timestamp> = (1..=24 * 60)
            .map(|minutes| from + SignedDuration::from_mins(minutes))
            .filter(|instant| matches(*instant))
            .collect();
        let found: Vec<Timestamp> =
            std::iter::successors(schedule.next_after(from), |&last| schedule.next_after(last))
                .take_while(|instant| *instant <= from + SignedDuration::from_mins(24 * 60))
                .collect();
        prop_assert_eq!(found, expected, "{}", expression);
    }
}
