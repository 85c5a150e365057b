//! What an answer of the API means for the mirror. Pure: rows, times and settings come in as
//! arguments, decisions go out.

mod account;
pub mod audit;
mod confidence;
mod deletion;
mod event_list;
mod event_ownership;
mod event_plan;
mod expiry;
mod fields;
pub mod looks;
mod sample;

pub use account::{AccountId, Overlap, is_same_record, judge_account_id};
pub use confidence::{CONFIDENCE, upper_bound};
pub use deletion::{
    DeletionRefused, MissingEvents, WalkedList, WalkedPages, lacks_pages, may_delete, may_delete_events,
};
pub use event_list::{EventListShape, KnownEventList, deleted_if_missing_since, is_short};
pub use event_ownership::{Ownership, judge_ownership};
pub use event_plan::EventPlan;
pub use expiry::{Expiry, Retention};
pub use fields::{FieldChange, changed_fields};
pub use sample::{Sample, sample_seed};

use crate::record::{Record, instant};
use std::cmp::Ordering;

/// How an answer came to us, and so how far it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It stood in a list. Lists can be stale.
    Listed,
    /// The API was asked for this record, or this customer's events, alone and once more.
    Alone,
}

/// What is to be done with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The mirror does not hold it.
    Insert,
    /// Its content differs and is to be taken.
    Update,
    /// Nothing differs.
    Unchanged,
    /// It is an older version than the mirror's, and stood in a list only: not to be taken by itself.
    Stale,
    /// Its content differs, it stood in a list only, and the times don't tell which version is newer.
    Undated,
}

/// Compares a record with the mirror's version of it (`api-contract` point 10).
///
/// Instants decide, not strings. Equal instants with different content are a change; so is different content where
/// neither side has an `updated_at`: an API that gives no times means what it says last. Where one of the two can't be
/// read, or is missing beside one that is there, nothing says which version is newer, and nothing is guessed here.
pub fn compare(stored: Option<&Record>, incoming: &Record, trust: Trust) -> Verdict {
    let Some(stored) = stored else {
        return Verdict::Insert;
    };
    if stored == incoming {
        return Verdict::Unchanged;
    }
    match trust {
        Trust::Alone => Verdict::Update,
        Trust::Listed => match order(incoming, stored) {
            Some(Ordering::Less) => Verdict::Stale,
            Some(_) => Verdict::Update,
            None => Verdict::Undated,
        },
    }
}

/// Which of two versions is the older one; `None` where their times don't tell.
fn order(one: &Record, other: &Record) -> Option<Ordering> {
    match (one.updated_at(), other.updated_at()) {
        (None, None) => Some(Ordering::Equal),
        (one, other) => Some(instant(one?)?.cmp(&instant(other?)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn customer(updated_at: &str, name: &str) -> Record {
        let record = serde_json::json!({"id": "a", "updated_at": updated_at, "first_name": name});
        Record::customer(&record.to_string())
    }

    #[test]
    fn versions() {
        use Trust::{Alone, Listed};
        use Verdict::{Stale, Unchanged, Undated, Update};
        let (noon, noon_berlin, later) =
            ("2024-05-01T12:00:00Z", "2024-05-01T14:00:00+02:00", "2024-05-01T12:00:00.001Z");
        for (stored, incoming, trust, expected) in [
            ((noon, "Ann"), (noon, "Ann"), Listed, Unchanged),
            ((noon, "Ann"), (later, "Ann"), Listed, Update),
            ((noon, "Ann"), (later, "Bea"), Listed, Update),
            // Equal instants, different content.
            ((noon, "Ann"), (noon, "Bea"), Listed, Update),
            ((noon, "Ann"), (noon_berlin, "Bea"), Listed, Update),
            // Older: a list is not believed, an answer for this record alone is.
            ((later, "Ann"), (noon, "Bea"), Listed, Stale),
            ((later, "Ann"), (noon_berlin, "Ann"), Listed, Stale),
            ((later, "Ann"), (noon, "Bea"), Alone, Update),
            // However they are written.
            ((later, "Ann"), ("1714564800", "Bea"), Listed, Stale),
            ((noon, "Ann"), ("1714564800001", "Bea"), Listed, Update),
            ((noon, "Ann"), ("2024-05-01 12:00:00 UTC", "Bea"), Listed, Update),
            (("9999-12-31", "Ann"), (noon, "Bea"), Listed, Stale),
            // Nothing to compare.
            (("?", "Ann"), (noon, "Bea"), Listed, Undated),
            ((later, "Ann"), ("?", "Bea"), Listed, Undated),
            (("?", "Ann"), ("?", "Bea"), Listed, Undated),
            (("?", "Ann"), ("?", "Ann"), Listed, Unchanged),
            ((later, "Ann"), ("?", "Bea"), Alone, Update),
        ] {
            let (old, new) = (customer(stored.0, stored.1), customer(incoming.0, incoming.1));
            assert_eq!(compare(Some(&old), &new, trust), expected, "{stored:?} {incoming:?} {trust:?}");
        }
        assert_eq!(compare(None, &customer(noon, "Ann"), Listed), Verdict::Insert);
    }

    #[test]
    fn an_api_without_times_means_what_it_says_last() {
        let timeless = |name: &str| customer("", name).with("updated_at", None);
        let timed = customer("2024-05-01T12:00:00Z", "Ann");
        let listed = |stored: &Record, incoming: &Record| compare(Some(stored), incoming, Trust::Listed);
        assert_eq!(listed(&timeless("Ann"), &timeless("Bea")), Verdict::Update);
        assert_eq!(listed(&timeless("Ann"), &timed), Verdict::Undated);
        assert_eq!(listed(&timed, &timeless("Ann")), Verdict::Undated);
    }

    proptest! {
        /// Whatever order versions arrive in, lists alone never take the mirror back in time.
        #[test]
        fn lists_never_go_back(seconds in prop::collection::vec(0i64..50, 1..30)) {
            let mut stored: Option<Record> = None;
            for (n, second) in seconds.iter().enumerate() {
                let at = jiff::Timestamp::from_second(*second).unwrap().to_string();
                let incoming = customer(&at, &n.to_string());
                let before = stored.as_ref().and_then(|c| instant(c.updated_at().unwrap()));
                if matches!(compare(stored.as_ref(), &incoming, Trust::Listed), Verdict::Insert | Verdict::Update) {
                    stored = Some(incoming);
                }
                let after = stored.as_ref().and_then(|c| instant(c.updated_at().unwrap()));
                prop_assert!(after >= before);
            }
            let newest = seconds.iter().max().copied().unwrap();
            let kept = stored.and_then(|c| instant(c.updated_at().unwrap())).unwrap();
            prop_assert_eq!(kept, jiff::Timestamp::from_second(newest).unwrap().into());
        }

        /// Taking a record and seeing it again is no change.
        #[test]
        fn comparing_is_idempotent(name in ".*", second in 0i64..1_000_000) {
            let at = jiff::Timestamp::from_second(second).unwrap().to_string();
            let record = customer(&at, &name);
            prop_assert_eq!(compare(Some(&record.clone()), &record, Trust::Listed), Verdict::Unchanged);
            prop_assert_eq!(compare(Some(&record.clone()), &record, Trust::Alone), Verdict::Unchanged);
        }
    }
}
