//! Whose an event is. It doesn't name its customer, the list in which it stands does; the mirror has one place for it.
//!
//! An event that stands under one customer and is listed by another may have moved, or the API lists it twice. If
//! each list simply took it, a lasting double listing would move it to and fro in every run. So the customer who has it
//! keeps it, until a complete reading of that customer's list lacks it or a newer version stands elsewhere.

use super::order;
use crate::record::Event;
use std::cmp::Ordering;

/// What the listing of an event means that the mirror holds under another customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// It moved: the listed version is newer.
    Moved,
    /// It depends on whether the other customer still lists it.
    Open,
}

/// Judges an event that is listed by one customer and `stored` under another.
pub fn judge_ownership(stored: &Event, listed: &Event) -> Ownership {
    if order(stored, listed) == Some(Ordering::Less) { Ownership::Moved } else { Ownership::Open }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(customer: &str, updated_at: Option<&str>) -> Event {
        Event::decode(customer, &serde_json::json!({"id": "e", "updated_at": updated_at}).to_string())
            .unwrap()
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
                if listed.customer_id != stored.customer_id
                    && judge_ownership(stored, listed) == Ownership::Moved
                {
                    (stored, moves) = (listed, moves + 1);
                }
            }
            assert!(moves <= 1 && stored == &new);
        }
    }
}
