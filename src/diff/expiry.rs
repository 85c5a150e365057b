//! What has been kept for long enough (`[retention]`). A record is judged by the vendor's times, all of them: as long as one
//! that is there is young, or can't be read, the record stays.

use crate::record::{Instant, Record, Stream, instant};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// For how long records are kept; `None`: for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// `retention.events`
    pub events: Option<SignedDuration>,
    /// `retention.inactive_customers`
    pub inactive_customers: Option<SignedDuration>,
    /// `retention.history`
    pub history: Option<SignedDuration>,
}

/// [`Retention`] at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Events that were created and last changed before this have expired.
    pub events_before: Option<Timestamp>,
    /// Customers that were created and last changed before this have expired, if no event is kept of them that is younger.
    pub inactive_before: Option<Timestamp>,
    /// Earlier versions of records that ended before this have expired.
    pub history_before: Option<Timestamp>,
}

impl Retention {
    /// Whether everything is kept for ever.
    pub fn is_off(&self) -> bool {
        *self == Retention::default()
    }

    /// What has expired at `now`.
    pub fn at(&self, now: Timestamp) -> Expiry {
        Expiry {
            events_before: before(now, self.events),
            inactive_before: before(now, self.inactive_customers),
            history_before: before(now, self.history),
        }
    }
}

/// The reason of an erasure of what has expired, such as "retention: events older than 3y".
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("retention: ")?;
        let rules = [
            ("events older than", self.events),
            ("customers inactive for longer than", self.inactive_customers),
            ("versions that ended longer ago than", self.history),
        ];
        for (n, (what, age)) in rules.into_iter().filter_map(|(what, age)| Some((what, age?))).enumerate() {
            let separator = if n > 0 { ", " } else { "" };
            write!(f, "{separator}{what} {}", spoken(age))?;
        }
        Ok(())
    }
}

/// In years or days where it is whole ones.
fn spoken(age: SignedDuration) -> String {
    match (age.as_hours(), age) {
        (hours, age) if age != SignedDuration::from_hours(hours) || hours % 24 != 0 => format!("{age:#}"),
        (hours, _) if hours % (24 * 365) == 0 => format!("{}y", hours / (24 * 365)),
        (hours, _) => format!("{}d", hours / 24),
    }
}

fn before(now: Timestamp, age: Option<SignedDuration>) -> Option<Timestamp> {
    now.checked_sub(age?).ok()
}

impl Expiry {
    /// When an event with these times (of its creation and of its last change) was last changed, if it has expired.
    pub fn of_event(&self, times: [Option<&str>; 2]) -> Option<Instant> {
        last_change_before(self.events_before?, times)
    }

    /// The same of a customer by its own times alone: it has expired if none of its events keeps it.
    pub fn of_customer(&self, times: [Option<&str>; 2]) -> Option<Instant> {
        last_change_before(self.inactive_before?, times)
    }

    /// Whether an event with these times keeps its customer. One that has expired itself doesn't: it is not kept either.
    pub fn keeps_customer(&self, times: [Option<&str>; 2]) -> bool {
        self.of_event(times).is_none() && self.of_customer(times).is_none()
    }

    /// Whether this is a customer that has expired unless an event keeps it. The rules know customers and their events
    /// alone, as the erasures by rule do.
    pub fn may_be_inactive(&self, record: &Record) -> bool {
        record.stream() == Stream::Customers
            && self.of_customer([record.created_at(), record.updated_at()]).is_some()
    }

    /// Whether this event keeps its customer.
    pub fn is_activity(&self, event: &Record) -> bool {
        self.keeps_customer([event.created_at(), event.updated_at()])
    }

    /// Whether this is an event that has expired.
    pub fn has_expired(&self, record: &Record) -> bool {
        record.stream() == Stream::Events
            && self.of_event([record.created_at(), record.updated_at()]).is_some()
    }
}

fn last_change_before(before: Timestamp, times: [Option<&str>; 2]) -> Option<Instant> {
    last_change(times).filter(|last| *last < before.into())
}

/// The latest of a record's times; `None` where it has none, or one that can't be read: then nobody knows how old it is.
fn last_change(times: [Option<&str>; 2]) -> Option<Instant> {
    let mut last = None;
    for time in times.into_iter().flatten() {
        last = last.max(Some(instant(time)?));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn now() -> Timestamp {
        "2026-03-31T12:00:00Z".parse().unwrap()
    }

    fn event(created_at: Option<&str>, updated_at: Option<&str>) -> Record {
        let event = serde_json::json!({"id": "e", "created_at": created_at, "updated_at": updated_at});
        Record::event("c", &event.to_string())
    }

    fn events(age: Option<SignedDuration>) -> Retention {
        Retention { events: age, ..Retention::default() }
    }

    fn has_expired(created_at: Option<&str>, updated_at: Option<&str>) -> bool {
        events(Some(30 * DAY)).at(now()).has_expired(&event(created_at, updated_at))
    }

    #[test]
    fn which_events_have_expired() {
        let (old, limit, young) =
            ("2026-03-01T11:59:59.999Z", "2026-03-01T12:00:00Z", "2026-03-31T00:00:00Z");
        for (created_at, updated_at, expected) in [
            (Some(old), Some(old), true),
            // At the limit it is as old as it may become.
            (Some(limit), Some(limit), false),
            (Some(old), Some(limit), false),
            (Some(old), Some(young), false),
            (Some(young), Some(old), false),
            // One that is missing says nothing; without any nobody knows.
            (Some(old), None, true),
            (None, Some(old), true),
            (Some(young), None, false),
            (None, None, false),
            // One that can't be read may be any time.
            (Some(old), Some("yesterday"), false),
            (Some(""), Some(old), false),
            (Some("?"), None, false),
            // However they are written.
            (Some("1772366399"), Some("2026-03-01 11:59:59 UTC"), true),
            (Some("1772366400"), Some("2026-03-01T13:59:59+02:00"), false),
            (Some("2026-03-01T13:59:59+02:00"), None, true),
            // Never, and long ago.
            (Some(old), Some("9999-12-31"), false),
            (Some("0001-01-01"), None, true),
        ] {
            assert_eq!(has_expired(created_at, updated_at), expected, "{created_at:?} {updated_at:?}");
        }
    }

    #[test]
    fn without_a_rule_nothing_expires() {
        let old = event(Some("1970-01-01"), None);
        assert!(Retention::default().is_off());
        assert!(!Retention::default().at(now()).has_expired(&old));
        // Nor where the limit lies before the beginning of the calendar.
        let ages = events(Some(SignedDuration::MAX));
        assert!(!ages.is_off() && !ages.at(now()).has_expired(&old));
    }

    #[test]
    fn which_events_keep_their_customer() {
        let (a_year_ago, a_day_ago) = ("2025-03-31", "2026-03-30");
        for (events, inactive, at, expected) in [
            (None, Some(30 * DAY), Some(a_day_ago), true),
            (None, Some(30 * DAY), Some(a_year_ago), false),
            // Nobody knows how old these are.
            (None, Some(30 * DAY), Some("?"), true),
            (None, Some(30 * DAY), None, true),
            (Some(30 * DAY), Some(500 * DAY), None, true),
            // One that is not kept keeps nobody.
            (Some(30 * DAY), Some(500 * DAY), Some(a_year_ago), false),
            (Some(30 * DAY), Some(500 * DAY), Some(a_day_ago), true),
            (Some(500 * DAY), Some(30 * DAY), Some(a_year_ago), false),
        ] {
            let rules = Retention { events, inactive_customers: inactive, history: None };
            let found = rules.at(now()).is_activity(&event(at, None));
            assert_eq!(found, expected, "{rules} {at:?}");
        }
        let old = Record::customer(r#"{"id": "c", "created_at": "2020-01-01", "updated_at": "2025-03-31"}"#);
        let judged = |rules: Retention| rules.at(now()).may_be_inactive(&old);
        assert!(judged(Retention { inactive_customers: Some(30 * DAY), ..Retention::default() }));
        assert!(!judged(Retention { inactive_customers: Some(500 * DAY), ..Retention::default() }));
        assert!(!judged(events(Some(DAY))));
    }

    #[test]
    fn rules_are_told_as_they_were_written() {
        for (age, told) in [(1095 * DAY, "3y"), (30 * DAY, "30d"), (SignedDuration::from_hours(36), "36h")] {
            assert_eq!(events(Some(age)).to_string(), format!("retention: events older than {told}"));
        }
        let both =
            Retention { inactive_customers: Some(730 * DAY), history: Some(90 * DAY), ..events(Some(DAY)) };
        assert_eq!(
            both.to_string(),
            "retention: events older than 1d, customers inactive for longer than 2y, versions that ended longer ago than 90d"
        );
    }

    proptest! {
        /// What has expired stays so as time goes by, and under every shorter age.
        #[test]
        fn what_has_expired_stays_so(
            created in 0i64..4_000_000_000, updated in 0i64..4_000_000_000, age in 0i64..200_000_000, more in 0i64..200_000_000
        ) {
            let event = event(Some(&created.to_string()), Some(&updated.to_string()));
            let (age, more) = (SignedDuration::from_secs(age), SignedDuration::from_secs(more));
            let judged = |age, now: Timestamp| events(Some(age)).at(now).has_expired(&event);
            if judged(age + more, now()) {
                prop_assert!(judged(age, now()));
                prop_assert!(judged(age + more, now() + more));
            }
        }

        /// A time that can't be read keeps a record, whatever stands beside it.
        #[test]
        fn what_cannot_be_read_keeps_a_record(unreadable in "[a-zA-Z]{1,20}!", other in prop::option::of(".*")) {
            prop_assert_eq!(last_change([Some(&unreadable), other.as_deref()]), None);
            prop_assert_eq!(last_change([other.as_deref(), Some(&unreadable)]), None);
        }
    }
}
