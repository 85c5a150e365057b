//! Random expressions against `croner`, an independent implementation of crontab.
//!
//! Left out, because croner means something else there on purpose:
//! - A stepped star in a day field beside a restricted one (`*/2 * MON`): croner takes only a lone `*` as
//!   unrestricted, and lets either day do. Ranges that wrap are errors there.
//! - Fixed times of which there is more than one a day, near a clock change: croner lets times in a gap pass and runs
//!   times in a fold twice, unless hour, minute and second are single values. Of wildcards both say the same.

use super::super::Schedule;
use croner::parser::{CronParser, Seconds};
use croner::{CivilDateTime, CronDateTime, Resolution, Weekday, errors::CronError};
use jiff::civil::{DateTime, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use std::cmp::Ordering;

const ZONES: &[&str] = &["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];

/// An instant on a zone's clock, as croner asks for it.
#[derive(Debug, Clone)]
struct Zoned(Timestamp, TimeZone);

impl Zoned {
    fn clock(&self) -> DateTime {
        self.1.to_datetime(self.0)
    }
}

impl CronDateTime for Zoned {
    fn to_civil(&self) -> CivilDateTime {
        let clock = self.clock();
        let part = |value: i8| value.unsigned_abs().into();
        let (month, day) = (part(clock.month()), part(clock.day()));
        let (hour, minute, second) = (part(clock.hour()), part(clock.minute()), part(clock.second()));
        CivilDateTime::from_ymd_hms(clock.year().into(), month, day, hour, minute, second).unwrap()
    }

    fn civil_weekday(&self) -> Weekday {
        let days = self.clock().weekday().to_sunday_zero_offset();
        Weekday::from_days_from_sunday(days.unsigned_abs().into())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |value: u32| i8::try_from(value).unwrap();
        let clock = date(i16::try_from(civil.year()).unwrap(), part(civil.month()), part(civil.day())).at(
            part(civil.hour()),
            part(civil.minute()),
            part(civil.second()),
            0,
        );
        let zoned = |offset: jiff::tz::Offset| Zoned(offset.to_timestamp(clock).unwrap(), self.1.clone());
        Ok(match self.1.to_ambiguous_timestamp(clock).offset() {
            AmbiguousOffset::Unambiguous { offset } => Resolution::Single(zoned(offset)),
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
            AmbiguousOffset::Fold { before, after } => Resolution::Ambiguous(zoned(before), zoned(after)),
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        let instant = self.0.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        Some(Zoned(instant, self.1.clone()))
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// One field: a star, a stepped star, or a list of values and ranges, some with steps.
fn field(least: u32, greatest: u32) -> impl Strategy<Value = String> {
    let value = (least..=greatest).prop_map(|value| value.to_string());
    let range = (least..=greatest, least..=greatest, 1..=9u32).prop_map(|(one, other, step)| {
        let (from, to) = (one.min(other), one.max(other));
        if step == 1 { format!("{from}-{to}") } else { format!("{from}-{to}/{step}") }
    });
    let list =
        prop::collection::vec(prop_oneof![3 => value, 1 => range], 1..4).prop_map(|items| items.join(","));
    prop_oneof![
        2 => Just("*".to_owned()),
        1 => (2..=12u32).prop_map(|step| format!("*/{step}")),
        4 => list,
    ]
}

fn weekday() -> impl Strategy<Value = String> {
    let names = select(vec!["MON", "tue", "Sat", "SUN", "MON-FRI", "7", "0,7", "5-7"]);
    prop_oneof![2 => field(0, 7), 1 => names.prop_map(str::to_owned)]
}

/// An expression, and whether it names one time of the day alone.
fn expression() -> impl Strategy<Value = (String, bool)> {
    let single = (0..60u32, 0..60u32, 0..24u32)
        .prop_map(|(second, minute, hour)| (format!("{second} {minute} {hour}"), true));
    // The hours in which these zones change their clocks.
    let night = (0..60u32, 0..4u32).prop_map(|(minute, hour)| (format!("0 {minute} {hour}"), true));
    let many = (field(0, 59), field(0, 59), field(0, 23))
        .prop_map(|(second, minute, hour)| (format!("{second} {minute} {hour}"), false));
    let month = prop_oneof![3 => field(1, 12), 1 => select(vec!["JAN", "feb-apr", "OCT,nov"]).prop_map(str::to_owned)];
    let days =
        (field(1, 31), weekday()).prop_filter("a stepped star is read differently", |(day, weekday)| {
            let stepped = |text: &str| text.starts_with("*/");
            !(stepped(day) && weekday != "*" || stepped(weekday) && day != "*")
        });
    (prop_oneof![single, night, many], days, month)
        .prop_map(|((time, fixed), (day, weekday), month)| (format!("{time} {day} {month} {weekday}"), fixed))
}

/// Instants of a decade, half of them within a day of a clock change.
fn instant() -> impl Strategy<Value = (TimeZone, Timestamp)> {
    let decade = 1_577_836_800..1_893_456_000_i64;
    (select(ZONES), decade, any::<bool>(), -86_400..86_400_i64).prop_map(|(zone, second, near, offset)| {
        let zone = TimeZone::get(zone).unwrap();
        let instant = Timestamp::from_second(second).unwrap();
        let change = zone.following(instant).next().map(|change| change.timestamp()).filter(|_| near);
        let instant = change.map_or(instant, |change| change + SignedDuration::from_secs(offset));
        (zone, instant)
    })
}

/// Whether a clock changes from three hours before `from` to three hours after `to`.
fn clock_changes(zone: &TimeZone, from: Timestamp, to: Timestamp) -> bool {
    let margin = SignedDuration::from_hours(3);
    zone.following(from - margin).next().is_some_and(|change| change.timestamp() < to + margin)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_croner((expression, fixed) in expression(), (zone, after) in instant()) {
        // Refused because no such day exists: that takes an unrestricted day of the week.
        let Ok(ours) = Schedule::parse(&expression, zone.clone()) else {
            prop_assert!(expression.split(' ').nth(5) == Some("*"), "{expression} fires");
            return Ok(());
        };
        let next = ours.next_after(after).unwrap();
        prop_assert!(next > after);
        if !fixed && !ours.parsed.is_wildcard && clock_changes(&zone, after, next) {
            return Ok(());
        }
        let theirs = CronParser::builder().seconds(Seconds::Required).build().parse(&expression).unwrap();
        let expected = theirs.find_next_occurrence(&Zoned(after, zone), false).unwrap();
        prop_assert_eq!(next, expected.0, "{}", expression);
    }

    #[test]
    fn ascends_and_misses_nothing_around_clock_changes((expression, _) in expression(), (zone, after) in instant()) {
        let Ok(schedule) = Schedule::parse(&expression, zone) else { return Ok(()) };
        let next = schedule.next_after(after).unwrap();
        // Asked from anywhere in between, the answer is the same.
        let half = after + (next.duration_since(after) / 2);
        prop_assert_eq!(schedule.next_after(half), Some(next));
        prop_assert!(schedule.next_after(next).unwrap() > next);
        prop_assert_eq!(next.subsec_nanosecond(), 0);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-0-9*/,@ A-z?é]{0,24}", after in instant()) {
        if let Ok(schedule) = Schedule::parse(&text, after.0) {
            prop_assert!(schedule.next_after(after.1).unwrap() > after.1);
        }
    }
}
