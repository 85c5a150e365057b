//! Page tokens that a walk of the customer list saves, so that the next walk can begin at several places of the list at
//! once. Pure.

use crate::api::Cursor;
use crate::mirror::SavedToken;

/// How many tokens are saved, give or take one.
const MOST: u64 = 256;

/// How many pages a walker gets at least before the next walker begins. A list of fewer than twice as many pages is read by
/// one walker.
pub(in crate::sync) const PAGES_EACH: u64 = 8;

/// The request for a page in the middle of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sync) struct StartPoint {
    /// How many pages come before it.
    pub(in crate::sync) page: u64,
    pub(in crate::sync) cursor: Cursor,
    /// A hash of the last record before it.
    pub(in crate::sync) last_record: u64,
}

/// The tokens that an earlier walk saved, in the list's order.
#[derive(Debug, Default, Clone)]
pub(in crate::sync) struct SavedTokens(Vec<StartPoint>);

impl SavedTokens {
    /// Decodes saved tokens; those that can't be decoded are left out.
    pub(in crate::sync) fn new(tokens: Vec<SavedToken>) -> SavedTokens {
        let read = |token: SavedToken| {
            let cursor = serde_json::from_str(&token.cursor).ok()?;
            Some(StartPoint { page: token.page, cursor, last_record: token.last_record })
        };
        SavedTokens(tokens.into_iter().filter_map(read).collect())
    }

    /// About how many pages the earlier walk read.
    pub(in crate::sync) fn pages(&self) -> u64 {
        self.0.last().map_or(0, |token| token.page)
    }

    /// How many pages came before this request in the earlier walk, if it was saved.
    pub(in crate::sync) fn place_of(&self, cursor: &Cursor) -> Option<u64> {
        self.0.iter().find(|token| token.cursor == *cursor).map(|token| token.page)
    }

    /// Whether the earlier walk got another token after the same number of pages, behind the same record.
    pub(in crate::sync) fn disagrees(&self, page: u64, last_record: u64, cursor: &Cursor) -> bool {
        let at_the_place = self.0.iter().find(|token| token.page == page);
        at_the_place.is_some_and(|token| token.last_record == last_record && token.cursor != *cursor)
    }

    /// Where up to `walkers` walkers are to begin, one of which is at page `from` already: evenly spread over the tokens
    /// that are sent in the same way as `like`. Each place is followed by the tokens to try if its own is refused.
    pub(in crate::sync) fn spread(&self, from: u64, like: &Cursor, walkers: usize) -> Vec<Vec<StartPoint>> {
        let ahead: Vec<&StartPoint> = self
            .0
            .iter()
            .filter(|token| token.page >= from + PAGES_EACH && token.cursor.asks_like(like))
            .collect();
        let Some(end) = ahead.last().map(|token| token.page) else { return Vec::new() };
        let walkers = (walkers as u64).min((end - from) / PAGES_EACH);
        let mut places: Vec<Vec<StartPoint>> = Vec::new();
        let mut next = 1;
        for token in ahead {
            if next < walkers && token.page >= from + next * (end - from) / walkers {
                places.push(Vec::new());
                next += 1;
            }
            if let Some(place) = places.last_mut() {
                place.push(token.clone());
            }
        }
        places
    }
}

/// Collects tokens as one walker reads its pages.
#[derive(Debug)]
pub(in crate::sync) struct TokenRecorder {
    every: u64,
    pages: u64,
    tokens: Vec<StartPoint>,
}

impl TokenRecorder {
    pub(in crate::sync) fn new() -> TokenRecorder {
        TokenRecorder { every: 1, pages: 0, tokens: Vec::new() }
    }

    /// How many pages the walker has read.
    pub(in crate::sync) fn pages(&self) -> u64 {
        self.pages
    }

    /// Takes a page that ends in `last_record`; `next` is the request for the page after it. Returns the page's number.
    pub(in crate::sync) fn record_page(&mut self, next: Option<&Cursor>, last_record: Option<u64>) -> u64 {
        self.pages += 1;
        let page = self.pages;
        if let (Some(cursor), Some(last_record)) = (next, last_record)
            && is_kept(page, self.every)
        {
            self.tokens.push(StartPoint { page, cursor: cursor.clone(), last_record });
        }
        if self.tokens.len() as u64 > MOST + 1 {
            self.every *= 2;
            self.tokens.retain(|token| is_kept(token.page, self.every));
        }
        page
    }
}

fn is_kept(page: u64, every: u64) -> bool {
    page == 1 || page.is_multiple_of(every)
}

/// The tokens to save of walkers that together read the whole list, in the list's order. As long as the list stays the
/// same, so do the tokens, however many walkers read it.
pub(in crate::sync) fn tokens_to_save<'a>(chain: impl Iterator<Item = &'a TokenRecorder>) -> Vec<SavedToken> {
    let (mut before, mut tokens) = (0, Vec::new());
    for recorder in chain {
        tokens.extend(
            recorder.tokens.iter().map(|token| StartPoint { page: before + token.page, ..token.clone() }),
        );
        before += recorder.pages;
    }
    if before < 2 * PAGES_EACH {
        return Vec::new();
    }
    let every = before.div_ceil(MOST).next_power_of_two();
    let mut reached = 0;
    tokens.retain(|token| {
        let is_next = token.page / every > reached;
        reached = reached.max(token.page / every);
        token.page == 1 || is_next
    });
    tokens.into_iter().filter_map(kept).collect()
}

fn kept(token: StartPoint) -> Option<SavedToken> {
    let cursor = serde_json::to_string(&token.cursor).ok()?;
    Some(SavedToken { page: token.page, cursor, last_record: token.last_record })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cursor(page: u64) -> Cursor {
        Cursor::Url(format!("/customers?next={page}"))
    }

    fn recorder(pages: std::ops::RangeInclusive<u64>, end: u64) -> TokenRecorder {
        let mut recorder = TokenRecorder::new();
        for page in pages {
            recorder.record_page((page < end).then(|| cursor(page)).as_ref(), Some(page));
        }
        recorder
    }

    fn of(pages: u64) -> Vec<SavedToken> {
        tokens_to_save([&recorder(1..=pages, pages)].into_iter())
    }

    #[test]
    fn a_short_list_leaves_nothing() {
        assert_eq!(of(15), []);
        assert_eq!(of(16).len(), 15);
        assert!(tokens_to_save([].into_iter()).is_empty());
    }

    #[test]
    fn another_request_behind_the_same_record_is_told() {
        let saved = SavedTokens::new(of(20));
        assert!(!saved.disagrees(1, 1, &cursor(1)));
        assert!(saved.disagrees(1, 1, &cursor(99)));
        assert!(!saved.disagrees(1, 7, &cursor(99)), "another record");
        assert!(!saved.disagrees(2, 1, &cursor(99)), "another place");
        assert_eq!((saved.place_of(&cursor(3)), saved.place_of(&cursor(99))), (Some(3), None));
    }

    proptest! {
        #[test]
        fn many_walkers_leave_what_one_does(pages in 16_u64..5_000, walkers in 1_usize..40) {
            let tokens = of(pages);
            prop_assert!(tokens.len() <= 257 && tokens.len() as u64 >= (pages - 1).min(128), "{}", tokens.len());
            let places = SavedTokens::new(tokens.clone()).spread(1, &cursor(1), walkers);
            let mut begins: Vec<u64> = places.iter().map(|place| place[0].page).collect();
            begins.insert(0, 0);
            begins.push(pages);
            let read: Vec<TokenRecorder> =
                begins.windows(2).map(|ends| recorder(ends[0] + 1..=ends[1], pages)).collect();
            prop_assert_eq!(tokens_to_save(read.iter()), tokens);
        }

        #[test]
        fn walkers_are_spread_evenly(pages in 16_u64..20_000, walkers in 2_usize..64, from in 0_u64..40) {
            let places = SavedTokens::new(of(pages)).spread(from, &cursor(1), walkers);
            prop_assert!(places.len() < walkers);
            let begins: Vec<u64> = places.iter().map(|place| place[0].page).collect();
            prop_assert!(begins.is_sorted() && begins.iter().all(|page| *page >= from + PAGES_EACH));
            let every = pages.div_ceil(MOST).next_power_of_two();
            let share = pages.saturating_sub(from) / (places.len() as u64 + 1);
            for ends in begins.windows(2) {
                prop_assert!(ends[1] - ends[0] <= share + 2 * every, "{begins:?}");
            }
            let other = Cursor::Url("/customers?prev=1".to_owned());
            prop_assert!(SavedTokens::new(of(pages)).spread(from, &other, walkers).is_empty());
        }
    }
}
