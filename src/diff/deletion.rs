//! When the absence of customers from a walk may lead to deletions (`api-contract` point 9).

use std::fmt;

/// A walk of the customer list that reached the list's end without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkedList {
    /// Customers that the mirror held before the walk or learned of in it.
    pub mirrored: u64,
    /// Those of them that did not stand in the walk.
    pub missing: u64,
}

/// Why nobody is asked about and nothing is deleted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DeletionRefused {
    /// The list came back empty.
    EmptyList {
        /// Customers in the mirror.
        mirrored: u64,
    },
    /// Too large a share of the mirror is missing.
    TooMany {
        /// Customers that did not stand in the list.
        missing: u64,
        /// Customers in the mirror.
        mirrored: u64,
        /// `sync.deletion_limit`.
        limit: f64,
    },
    /// Too large a share of the mirrored events is missing.
    TooManyEvents {
        /// Events that two walks of their lists lacked.
        missing: u64,
        /// Events in the mirror.
        mirrored: u64,
        /// `sync.deletion_limit`.
        limit: f64,
    },
}

/// Events that two walks of their customers' lists lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingEvents {
    /// Events in the mirror.
    pub mirrored: u64,
    /// Those of them that were missing.
    pub missing: u64,
}

/// So many missing events are taken as deleted whatever their share: two walks agreed on each.
const EVENTS_ALWAYS_BELIEVED: u64 = 20;

/// Whether events that two walks of their lists lacked may be deleted. When the lists lack more than `limit` of all
/// mirrored events, it is rather the server that has lost them. A limit of 0 forbids every deletion.
///
/// # Errors
/// The reason, fit to be shown to the operator.
pub fn may_delete_events(events: MissingEvents, limit: f64) -> Result<(), DeletionRefused> {
    let MissingEvents { mirrored, missing } = events;
    let few = missing <= EVENTS_ALWAYS_BELIEVED && limit > 0.0;
    if !few && missing as f64 > limit * mirrored as f64 {
        return Err(DeletionRefused::TooManyEvents { missing, mirrored, limit });
    }
    Ok(())
}

/// What a walk of the customer list brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkedPages {
    /// Records, each once.
    pub records: u64,
    /// On so many pages.
    pub pages: u64,
}

/// A list that shifts while it is walked hides so many customers at any size of its pages.
const ALWAYS_SHIFTED: u64 = 2;

/// Whether a walk left out pages, as `alive` customers that it lacked answer alone: half a page of them and more are no
/// list that shifted (`api-contract` point 3).
pub fn lacks_pages(alive: u64, walked: WalkedPages) -> bool {
    alive > ALWAYS_SHIFTED && 2 * alive * walked.pages >= walked.records
}

/// This many missing customers are looked into whatever their share: in a mirror of four, two are half of it.
const ALWAYS_LOOKED_INTO: u64 = 2;

/// Whether the customers missing from a complete walk may be asked for one by one, and deleted where the API
/// answers 404. A list that came back empty, or lacks more than `limit` of the mirror, proves nothing. A limit of 0
/// forbids every deletion.
///
/// # Errors
/// The reason, fit to be shown to the operator.
pub fn may_delete(list: WalkedList, limit: f64) -> Result<(), DeletionRefused> {
    let WalkedList { mirrored, missing } = list;
    if missing == 0 {
        return Ok(());
    }
    if missing >= mirrored {
        return Err(DeletionRefused::EmptyList { mirrored });
    }
    let few = missing <= ALWAYS_LOOKED_INTO && limit > 0.0;
    if !few && missing as f64 > limit * mirrored as f64 {
        return Err(DeletionRefused::TooMany { missing, mirrored, limit });
    }
    Ok(())
}

impl fmt::Display for DeletionRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeletionRefused::EmptyList { mirrored } => write!(
                f,
                "the customer list brought none of the mirror's {mirrored} customers: nothing was deleted. If the \
                 account really is another one or was emptied, start a new mirror"
            ),
            DeletionRefused::TooMany { missing, mirrored, limit } => write!(
                f,
                "the customer list lacks {missing} of the mirror's {mirrored} customers, more than sync.deletion_limit \
                 = {limit} allows: nothing was deleted. If they really are gone, raise the limit for one run"
            ),
            DeletionRefused::TooManyEvents { missing, mirrored, limit } => write!(
                f,
                "the event lists lack {missing} of the mirror's {mirrored} events, more than sync.deletion_limit = \
                 {limit} allows: no event was deleted. If they really are gone, raise the limit for one run"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events() {
        for (mirrored, missing, limit, allowed) in [
            (0, 0, 0.5, true),
            (3, 3, 0.5, true),
            (20, 20, 0.5, true),
            (21, 21, 0.5, false),
            (80, 80, 0.5, false),
            (80, 40, 0.5, true),
            (80, 80, 1.0, true),
            (80, 1, 0.0, false),
        ] {
            let found = may_delete_events(MissingEvents { mirrored, missing }, limit);
            assert_eq!(found.is_ok(), allowed, "{mirrored} {missing} {limit}");
        }
    }

    #[test]
    fn pages_that_were_left_out() {
        for (alive, records, pages, lacks) in [
            (0, 100, 10, false),
            (2, 100, 50, false),
            (3, 100, 10, false),
            (5, 100, 10, true),
            (10, 90, 9, true),
            (3, 2, 1, true),
            (49, 10_000, 100, false),
            (50, 10_000, 100, true),
        ] {
            assert_eq!(
                lacks_pages(alive, WalkedPages { records, pages }),
                lacks,
                "{alive} {records} {pages}"
            );
        }
    }

    #[test]
    fn cases() {
        for (mirrored, missing, limit, allowed) in [
            (100, 0, 0.5, true),
            (0, 0, 0.5, true),
            (100, 3, 0.5, true),
            (100, 50, 0.5, true),
            (100, 51, 0.5, false),
            (100, 90, 0.5, false),
            // An empty list deletes nothing, whatever the limit says.
            (100, 100, 1.0, false),
            (1, 1, 1.0, false),
            // A raised limit is the operator's word.
            (100, 99, 1.0, true),
            // Small mirrors.
            (3, 2, 0.5, true),
            (4, 3, 0.5, false),
            (100, 2, 0.001, true),
            (10, 9, 0.5, false),
            // A limit of zero: the operator wants nothing deleted.
            (100, 1, 0.0, false),
        ] {
            let list = WalkedList { mirrored, missing };
            assert_eq!(may_delete(list, limit).is_ok(), allowed, "{list:?} {limit}");
        }
    }
}
