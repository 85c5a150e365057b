//! What an audit's second reading of a record says about the mirror.
//!
//! A difference is *drift* where the run should have seen it, and no more than lag where the API changed while or after
//! the run read it. The API's own times decide: a record that was changed (or, where the mirror lacks it, created)
//! since the walk of the customer list began is lag. Nothing tells when something was deleted; there, what this very
//! run was told decides: what it was shown, and is gone now, went away meanwhile.

use crate::record::{Instant, Record, instant};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use serde::Serialize;

/// Further ahead of the server's clock than this, a time says nothing: it would hide drift for as long as it lies in
/// the future.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// How the mirror differs from the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The API has it, the mirror doesn't.
    Missing,
    /// Both have it, with different content.
    Differing,
    /// The mirror has it, the API doesn't.
    Surplus,
}

impl Kind {
    /// The name in the mirror, in logs and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Differing => "differing",
            Kind::Surplus => "surplus",
        }
    }
}

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The run should have seen it.
    Drift,
    /// The API changed while or after the run read it.
    ChangedSince,
}

impl Standing {
    /// The name in the mirror, in logs and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Standing::Drift => "drift",
            Standing::ChangedSince => "changed_since",
        }
    }

    const fn changed_if(changed: bool) -> Standing {
        if changed { Standing::ChangedSince } else { Standing::Drift }
    }
}

/// The time, by the server's clock, in which a change at the API is lag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From the whole second on in which the walk began: the API's times may have been cut to seconds.
    pub since: Timestamp,
    until: Timestamp,
}

impl Window {
    /// From `walk_began` to `now`, both by our clock, which the server's is `ahead` of.
    pub fn new(walk_began: Timestamp, now: Timestamp, ahead: SignedDuration) -> Window {
        let whole_second = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
        let at_server = |at: Timestamp| at.saturating_add(ahead).unwrap_or(at);
        let since = at_server(walk_began);
        Window {
            since: since.round(whole_second).unwrap_or(since),
            until: at_server(now).saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX),
        }
    }

    fn holds(self, time: Option<&str>) -> bool {
        let (since, until) = (Instant::from(self.since), Instant::from(self.until));
        time.and_then(instant).is_some_and(|at| since <= at && at <= until)
    }
}

/// What the answer for one parent alone says about the mirror's version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentJudged {
    /// Nothing differs.
    Same,
    /// It differs from the version that the list gave in this very run, but in fields that the documentation doesn't
    /// name only. The mirror is what the list is, so this tells how the API's two answers differ, not that the mirror
    /// drifted; taking the one over the other would change the row to and fro in every run.
    UndocumentedOnly,
    /// It differs.
    Differs(Standing),
}

/// Compares a parent's record. `listed` says whether the run's own walk met it.
pub fn judge_parent(mirrored: &Record, at_api: &Record, listed: bool, window: Window) -> ParentJudged {
    if mirrored == at_api {
        return ParentJudged::Same;
    }
    if listed && mirrored.has_same_documented_fields(at_api) {
        return ParentJudged::UndocumentedOnly;
    }
    ParentJudged::Differs(differing(mirrored, at_api, window))
}

/// Compares a child's record with the mirror's version of it; `None` where nothing differs.
pub fn judge_child(mirrored: Option<&Record>, at_api: &Record, window: Window) -> Option<(Kind, Standing)> {
    match mirrored {
        None => {
            let created = at_api.created_at().filter(|at| instant(at).is_some());
            let since = window.holds(created.or(at_api.updated_at()));
            Some((Kind::Missing, Standing::changed_if(since)))
        }
        Some(mirrored) if mirrored == at_api => None,
        Some(mirrored) => Some((Kind::Differing, differing(mirrored, at_api, window))),
    }
}

/// The newer version's time decides, on whichever side that is: an answer may also be older than what the run read.
fn differing(mirrored: &Record, at_api: &Record, window: Window) -> Standing {
    Standing::changed_if(window.holds(at_api.updated_at()) || window.holds(mirrored.updated_at()))
}

/// What it means that the API no longer has what the mirror holds. `shown_in_run` says whether the API showed it
/// to this run; `gone_before` whether an earlier audit had found it gone: then the API goes on showing in its list
/// what it doesn't have, and waiting for the next run won't settle that.
pub fn judge_absence(shown_in_run: bool, gone_before: bool) -> Standing {
    Standing::changed_if(shown_in_run && !gone_before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DRIFT: Option<Standing> = Some(Standing::Drift);
    const SINCE: Option<Standing> = Some(Standing::ChangedSince);

    fn at(time: &str) -> Timestamp {
        format!("2026-03-01T{time}Z").parse().unwrap()
    }

    /// The walk began at 10:00:00.7 by our clock, which is half an hour behind the server's; now is 10:05.
    fn window() -> Window {
        Window::new(at("10:00:00.7"), at("10:05:00"), SignedDuration::from_mins(30))
    }

    fn customer(updated_at: &str, name: &str, extra: &str) -> Record {
        let record = format!(
            r#"{{"id":"a","first_name":"{name}","updated_at":"{updated_at}","created_at":"2026-03-01T10:31:00Z"{extra}}}"#
        );
        Record::customer(&record)
    }

    fn standing(mirrored: &Record, at_api: &Record, listed: bool) -> Option<Standing> {
        match judge_parent(mirrored, at_api, listed, window()) {
            ParentJudged::Differs(standing) => Some(standing),
            _ => None,
        }
    }

    #[test]
    fn times_of_change_are_told_by_the_servers_clock() {
        let mirrored = customer("2026-01-01T00:00:00Z", "Ann", "");
        for (updated_at, expected) in [
            ("2026-03-01T10:29:59.999Z", DRIFT),
            // By our clock this would be since.
            ("2026-03-01T10:01:00Z", DRIFT),
            // The API's times may be cut to whole seconds.
            ("2026-03-01T10:30:00Z", SINCE),
            ("2026-03-01T12:30:00.9+02:00", SINCE),
            ("2026-03-01T10:35:59Z", SINCE),
            // A time in the future hides nothing.
            ("2026-03-01T10:36:01Z", DRIFT),
            ("2030-01-01T00:00:00Z", DRIFT),
            ("?", DRIFT),
        ] {
            assert_eq!(standing(&mirrored, &customer(updated_at, "Bea", ""), true), expected, "{updated_at}");
            // An answer older than what the run took.
            assert_eq!(standing(&customer(updated_at, "Bea", ""), &mirrored, true), expected, "{updated_at}");
        }
        assert_eq!(judge_parent(&mirrored, &mirrored.clone(), true, window()), ParentJudged::Same);
    }

    #[test]
    fn undocumented_fields_count_unless_the_list_itself_differs_from_the_answer_alone() {
        let old = "2026-01-01T00:00:00Z";
        let mirrored = customer(old, "Ann", r#","balance":12.30"#);
        for extra in ["", r#","balance":12.3"#, r#","balance":12.30,"tags":[]"#] {
            let alone = customer(old, "Ann", extra);
            assert_eq!(judge_parent(&mirrored, &alone, true, window()), ParentJudged::UndocumentedOnly);
            assert_eq!(standing(&mirrored, &alone, false), DRIFT, "{extra}");
            assert_eq!(standing(&mirrored, &customer(old, "Bea", extra), true), DRIFT, "{extra}");
            let later = customer("2026-02-01T00:00:00Z", "Ann", extra);
            assert_eq!(standing(&mirrored, &later, true), DRIFT, "{extra}");
        }
    }

    fn event(created_at: &str, updated_at: &str, properties: &str) -> Record {
        let record = format!(
            r#"{{"id":"e","created_at":{created_at},"updated_at":{updated_at},"properties":{properties}}}"#
        );
        Record::event("a", &record)
    }

    #[test]
    fn events() {
        let (old, new) = (r#""2026-01-01T00:00:00Z""#, r#""2026-03-01T10:31:00Z""#);
        let mirrored = event(old, old, "{\"total\":1.50}");
        for (mirrored, at_api, expected) in [
            (Some(&mirrored), event(old, old, "{\"total\":1.50}"), None),
            // Every digit counts.
            (Some(&mirrored), event(old, old, "{\"total\":1.5}"), Some((Kind::Differing, Standing::Drift))),
            (Some(&mirrored), event(old, new, "{}"), Some((Kind::Differing, Standing::ChangedSince))),
            (None, event(old, old, "{}"), Some((Kind::Missing, Standing::Drift))),
            // A revision says nothing about when it came to be; the creation does.
            (None, event(old, new, "{}"), Some((Kind::Missing, Standing::Drift))),
            (None, event(new, new, "{}"), Some((Kind::Missing, Standing::ChangedSince))),
            (None, event("null", new, "{}"), Some((Kind::Missing, Standing::ChangedSince))),
            (None, event("\"?\"", new, "{}"), Some((Kind::Missing, Standing::ChangedSince))),
            (None, event("null", "null", "{}"), Some((Kind::Missing, Standing::Drift))),
        ] {
            assert_eq!(judge_child(mirrored, &at_api, window()), expected, "{at_api:?}");
        }
        // In another customer's list.
        let moved = mirrored.clone().with("customer_id", Some("b"));
        assert_eq!(judge_child(Some(&mirrored), &moved, window()), Some((Kind::Differing, Standing::Drift)));
    }

    #[test]
    fn absence() {
        for (shown_in_run, gone_before, expected) in [
            (true, false, Standing::ChangedSince),
            (true, true, Standing::Drift),
            (false, false, Standing::Drift),
            (false, true, Standing::Drift),
        ] {
            assert_eq!(judge_absence(shown_in_run, gone_before), expected, "{shown_in_run} {gone_before}");
        }
    }

    proptest! {
        /// Whatever the skew: what the server changed before the walk is drift, what it changed since is lag.
        #[test]
        fn skew_is_taken_out(ahead in -100_000i64..100_000, after in -50_000i64..50_000) {
            let (began, now) = (at("10:00:00"), at("10:05:00"));
            let window = Window::new(began, now, SignedDuration::from_secs(ahead));
            let changed = began + SignedDuration::from_secs(ahead + after);
            let in_time = (0..=360).contains(&after);
            prop_assert_eq!(window.holds(Some(&changed.to_string())), in_time);
        }
    }
}
