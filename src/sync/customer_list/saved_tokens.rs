//! The requests that a walk of the customer list remembers for the next one: every so many pages', and the first
//! one's. Pure.

use crate::api::Cursor;
use crate::mirror::ListMark;

/// Remembered at most, but for a few.
const MOST: u64 = 256;

/// A walker that begins in the middle is to have so many pages before the next one's; a list of fewer than twice as
/// many is read by one.
pub(in crate::sync) const PAGES_EACH: u64 = 8;

/// The request for a page in the middle of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sync) struct Mark {
    /// Pages before it.
    pub(in crate::sync) page: u64,
    pub(in crate::sync) cursor: Cursor,
    /// The hash of the record that stood last before it.
    pub(in crate::sync) last_record: u64,
}

/// What an earlier walk has left, in the list's order.
#[derive(Debug, Default, Clone)]
pub(in crate::sync) struct Remembered(Vec<Mark>);

impl Remembered {
    /// What can be read of it.
    pub(in crate::sync) fn new(marks: Vec<ListMark>) -> Remembered {
        let read = |mark: ListMark| {
            let cursor = serde_json::from_str(&mark.cursor).ok()?;
            Some(Mark { page: mark.page, cursor, last_record: mark.last_record })
        };
        Remembered(marks.into_iter().filter_map(read).collect())
    }

    /// About so many pages the earlier walk has read.
    pub(in crate::sync) fn pages(&self) -> u64 {
        self.0.last().map_or(0, |mark| mark.page)
    }

    /// The place at which the earlier walk was given the same request.
    pub(in crate::sync) fn place_of(&self, cursor: &Cursor) -> Option<u64> {
        self.0.iter().find(|mark| mark.cursor == *cursor).map(|mark| mark.page)
    }

    /// Whether the earlier walk was given another request behind the same record at the same place.
    pub(in crate::sync) fn disagrees(&self, page: u64, last_record: u64, cursor: &Cursor) -> bool {
        let at_the_place = self.0.iter().find(|mark| mark.page == page);
        at_the_place.is_some_and(|mark| mark.last_record == last_record && mark.cursor != *cursor)
    }

    /// Where up to `walkers` walkers begin together with one that is at `from`, of those asked for like `like`: evenly
    /// spread, each with its spare places before the next one's.
    pub(in crate::sync) fn spread(&self, from: u64, like: &Cursor, walkers: usize) -> Vec<Vec<Mark>> {
        let ahead: Vec<&Mark> = self
            .0
            .iter()
            .filter(|mark| mark.page >= from + PAGES_EACH && mark.cursor.asks_like(like))
            .collect();
        let Some(end) = ahead.last().map(|mark| mark.page) else { return Vec::new() };
        let walkers = (walkers as u64).min((end - from) / PAGES_EACH);
        let mut places: Vec<Vec<Mark>> = Vec::new();
        let mut next = 1;
        for mark in ahead {
            if next < walkers && mark.page >= from + next * (end - from) / walkers {
                places.push(Vec::new());
                next += 1;
            }
            if let Some(place) = places.last_mut() {
                place.push(mark.clone());
            }
        }
        places
    }
}

/// What one walker notes of its pages.
#[derive(Debug)]
pub(in crate::sync) struct Notes {
    every: u64,
    pages: u64,
    marks: Vec<Mark>,
}

impl Notes {
    pub(in crate::sync) fn new() -> Notes {
        Notes { every: 1, pages: 0, marks: Vec::new() }
    }

    /// Pages so far.
    pub(in crate::sync) fn pages(&self) -> u64 {
        self.pages
    }

    /// A page came that ends in this record; `next` asks for the one after it. Returns the page's number.
    pub(in crate::sync) fn note(&mut self, next: Option<&Cursor>, last_record: Option<u64>) -> u64 {
        self.pages += 1;
        let page = self.pages;
        if let (Some(cursor), Some(last_record)) = (next, last_record)
            && is_kept(page, self.every)
        {
            self.marks.push(Mark { page, cursor: cursor.clone(), last_record });
        }
        if self.marks.len() as u64 > MOST + 1 {
            self.every *= 2;
            self.marks.retain(|mark| is_kept(mark.page, self.every));
        }
        page
    }
}

fn is_kept(page: u64, every: u64) -> bool {
    page == 1 || page.is_multiple_of(every)
}

/// What is remembered of the notes of walkers that one after the other read the whole list: the same pages' requests, however many
/// walkers there were, as long as the list stays as it is.
pub(in crate::sync) fn remember<'a>(chain: impl Iterator<Item = &'a Notes>) -> Vec<ListMark> {
    let (mut before, mut marks) = (0, Vec::new());
    for notes in chain {
        marks.extend(notes.marks.iter().map(|mark| Mark { page: before + mark.page, ..mark.clone() }));
        before += notes.pages;
    }
    if before < 2 * PAGES_EACH {
        return Vec::new();
    }
    let every = before.div_ceil(MOST).next_power_of_two();
    let mut reached = 0;
    marks.retain(|mark| {
        let is_next = mark.page / every > reached;
        reached = reached.max(mark.page / every);
        mark.page == 1 || is_next
    });
    marks.into_iter().filter_map(kept).collect()
}

fn kept(mark: Mark) -> Option<ListMark> {
    let cursor = serde_json::to_string(&mark.cursor).ok()?;
    Some(ListMark { page: mark.page, cursor, last_record: mark.last_record })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cursor(page: u64) -> Cursor {
        Cursor::Url(format!("/customers?next={page}"))
    }

    fn notes(pages: std::ops::RangeInclusive<u64>, end: u64) -> Notes {
        let mut notes = Notes::new();
        for page in pages {
            notes.note((page < end).then(|| cursor(page)).as_ref(), Some(page));
        }
        notes
    }

    fn of(pages: u64) -> Vec<ListMark> {
        remember([&notes(1..=pages, pages)].into_iter())
    }

    #[test]
    fn a_short_list_leaves_nothing() {
        assert_eq!(of(15), []);
        assert_eq!(of(16).len(), 15);
        assert!(remember([].into_iter()).is_empty());
    }

    #[test]
    fn another_request_behind_the_same_record_is_told() {
        let remembered = Remembered::new(of(20));
        assert!(!remembered.disagrees(1, 1, &cursor(1)));
        assert!(remembered.disagrees(1, 1, &cursor(99)));
        assert!(!remembered.disagrees(1, 7, &cursor(99)), "another record");
        assert!(!remembered.disagrees(2, 1, &cursor(99)), "another place");
        assert_eq!((remembered.place_of(&cursor(3)), remembered.place_of(&cursor(99))), (Some(3), None));
    }

    proptest! {
        #[test]
        fn many_walkers_leave_what_one_does(pages in 16_u64..5_000, walkers in 1_usize..40) {
            let marks = of(pages);
            prop_assert!(marks.len() <= 257 && marks.len() as u64 >= (pages - 1).min(128), "{}", marks.len());
            let places = Remembered::new(marks.clone()).spread(1, &cursor(1), walkers);
            let mut begins: Vec<u64> = places.iter().map(|place| place[0].page).collect();
            begins.insert(0, 0);
            begins.push(pages);
            let read: Vec<Notes> =
                begins.windows(2).map(|ends| notes(ends[0] + 1..=ends[1], pages)).collect();
            prop_assert_eq!(remember(read.iter()), marks);
        }

        #[test]
        fn walkers_are_spread_evenly(pages in 16_u64..20_000, walkers in 2_usize..64, from in 0_u64..40) {
            let places = Remembered::new(of(pages)).spread(from, &cursor(1), walkers);
            prop_assert!(places.len() < walkers);
            let begins: Vec<u64> = places.iter().map(|place| place[0].page).collect();
            prop_assert!(begins.is_sorted() && begins.iter().all(|page| *page >= from + PAGES_EACH));
            let every = pages.div_ceil(MOST).next_power_of_two();
            let share = pages.saturating_sub(from) / (places.len() as u64 + 1);
            for ends in begins.windows(2) {
                prop_assert!(ends[1] - ends[0] <= share + 2 * every, "{begins:?}");
            }
            let other = Cursor::Url("/customers?prev=1".to_owned());
            prop_assert!(Remembered::new(of(pages)).spread(from, &other, walkers).is_empty());
        }
    }
}
