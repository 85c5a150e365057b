//! Which customer an event belongs to. An event doesn't name its customer: the list that it is in does. The mirror stores an
//! event once, under one customer.
//!
//! If the mirror holds an event under one customer and another customer lists it, the event may have moved, or the API may
//! list it twice. If every listing moved it, an event that stays listed twice would move back and forth in every run. So it
//! stays where it is until a complete reading of its customer's list lacks it, or another list has a newer version.

use super::order;
use crate::record::Record;
use std::cmp::Ordering;

/// What it means that a customer lists an event that the mirror holds under another customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// It moved: the listed version is newer.
    Moved,
    /// It depends on whether the other customer still lists it.
    Open,
}

/// Judges an event that is listed by one customer and `stored` under another.
pub fn judge_ownership(stored: &Record, listed: &Record) -> Ownership {
    if order(stored, listed) == Some(Ordering::Less) { Ownership::Moved } else { Ownership::Open }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(customer: &str, updated_at: Option<&str>) -> Record {
        Record::event(customer, &serde_json::json!({"id": "e", "updated_at": updated_at}).to_string())
    }

    #[test]
    fn only_a_newer_version_moves_by_itself() {
        let (noon, later) = ("2024-05-01T12:00:00Z", "2024-05-01T14:00:01+02:00");
        for (stored, listed, expected) in [
            (Some(noon), Some(later), Ownership::Moved),
            (Some(noon), Some(noon), Ownership::Open),
            (Some(later), Some(noon), Ownership::Open),
            // Nothing to compare.
            (None, Some(noon), Ownership::Open),
            (Some(noon), None, Ownership::Open),
            (Some("yesterday"), Some(noon), Ownership::Open),
        ] {
            let judged = judge_ownership(&event("a", stored), &event("b", listed));
            assert_eq!(judged, expected, "{stored:?} {listed:?}");
        }
    }

    /// Two lists with whatever versions, read in turn: the event moves only when there is a newer version.
    #[test]
    fn a_double_listing_comes_to_rest() {
        let (old, new) = (event("a", Some("2024-05-01T12:00:00Z")), event("b", Some("2024-05-02T12:00:00Z")));
        for (first, second) in [(&old, &new), (&new, &old)] {
            let (mut stored, mut moves) = (first, 0);
            for listed in [second, first, second, first] {
                if listed.parent_id() != stored.parent_id()
                    && judge_ownership(stored, listed) == Ownership::Moved
                {
                    (stored, moves) = (listed, moves + 1);
                }
            }
            assert!(moves <= 1 && stored == &new);
        }
    }
}
