//! Whether a complete walk of a customer's events proves that what it lacks is gone (`api-contract` point 9). Events
//! can't be asked for alone, so time is the witness: see [`deleted_if_missing_since`]. And a list that lost its way on
//! ends just where a page does, before its time.

use jiff::{SignedDuration, Timestamp};

/// A walk of a customer's events, by its pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventListShape {
    /// Pages with events on them.
    pub pages: u64,
    /// Events on the largest one.
    pub page_rows: u64,
    /// Events on the last one.
    pub last_rows: u64,
}

impl EventListShape {
    /// A page came.
    pub fn add_page(&mut self, rows: u64) {
        if rows > 0 {
            self.pages += 1;
            self.page_rows = self.page_rows.max(rows);
            self.last_rows = rows;
        }
    }
}

/// What is remembered of an earlier walk of the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownEventList {
    /// As in [`EventListShape`].
    pub pages: u64,
    /// As in [`EventListShape`].
    pub page_rows: u64,
    /// Since when the list is short in the sense of [`is_short`].
    pub short_since: Option<Timestamp>,
}

/// So many times `sync.deletion_wait` a list may be short before that is taken for its true length.
const WAITS_UNTIL_BELIEVED: i32 = 24;

/// Whether a list ends where an earlier walk went on: after fewer pages, with a full one or with nothing at all. A way on
/// that got lost looks like this; the list proves nothing then. A list that stays like this for 24 times `wait` is
/// believed: its events were deleted down to a full page.
pub fn is_short(
    known: Option<KnownEventList>,
    walked: EventListShape,
    now: Timestamp,
    wait: SignedDuration,
) -> bool {
    let Some(known) = known else { return false };
    let ends_on_a_full_page = walked.pages == 0 || walked.last_rows >= known.page_rows;
    let has_lasted = |since| now.duration_since(since) >= wait.saturating_mul(WAITS_UNTIL_BELIEVED);
    walked.pages < known.pages
        && ends_on_a_full_page
        && !wait.is_zero()
        && !known.short_since.is_some_and(has_lasted)
}

/// An event that a walk lacks is deleted if an earlier run's walk lacked it at this time or before: `wait`
/// (`sync.deletion_wait`) before the run began. Without a wait, two walks of this run are enough.
pub fn deleted_if_missing_since(
    run_started_at: Timestamp,
    now: Timestamp,
    wait: SignedDuration,
) -> Timestamp {
    match wait.is_zero() {
        true => now,
        false => run_started_at.saturating_sub(wait).unwrap_or(Timestamp::MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn short_lists() {
        let known = Some(KnownEventList { pages: 3, page_rows: 5, short_since: None });
        let shape = |pages, last_rows| EventListShape { pages, page_rows: 5.min(last_rows), last_rows };
        for (known, walked, short) in [
            // As long as before, or longer.
            (known, shape(3, 2), false),
            (known, shape(4, 1), false),
            // The first page alone, the first two.
            (known, shape(1, 5), true),
            (known, shape(2, 5), true),
            // Nothing.
            (known, shape(0, 0), true),
            // It ends within a page: what is missing was deleted.
            (known, shape(2, 4), false),
            (known, shape(1, 1), false),
            // No list of one page can lose its way on.
            (None, shape(0, 0), false),
            (None, shape(1, 5), false),
        ] {
            assert_eq!(is_short(known, walked, at(0), HOUR), short, "{known:?} {walked:?}");
        }
    }

    #[test]
    fn a_list_that_stays_short_is_believed_in_the_end() {
        let known = KnownEventList { pages: 3, page_rows: 5, short_since: Some(at(0)) };
        let walked = EventListShape { pages: 1, page_rows: 5, last_rows: 5 };
        assert!(is_short(Some(known), walked, at(24 * 3_600 - 1), HOUR));
        assert!(!is_short(Some(known), walked, at(24 * 3_600), HOUR));
        assert!(!is_short(Some(known), walked, at(1), SignedDuration::ZERO));
    }

    #[test]
    fn a_deletion_waits() {
        let (began, now) = (at(10_000), at(10_500));
        assert_eq!(deleted_if_missing_since(began, now, HOUR), at(6_400));
        assert_eq!(deleted_if_missing_since(began, now, SignedDuration::ZERO), now);
        let ages = SignedDuration::from_hours(24 * 366 * 100_000);
        assert_eq!(deleted_if_missing_since(began, now, ages), Timestamp::MIN);
    }

    #[test]
    fn shapes() {
        let mut shape = EventListShape::default();
        for rows in [5, 0, 7, 2] {
            shape.add_page(rows);
        }
        assert_eq!(shape, EventListShape { pages: 3, page_rows: 7, last_rows: 2 });
    }
}
