//! Several walkers on one list, each begun at another place: which of them goes on, which has met the next one, and
//! when all of them together have read the list from its beginning to its end. Pure: pages go in, decisions come out.
//!
//! Walker 0 begins at the list's beginning, the others at tokens that an earlier walk was given, in the list's order.
//! A walker rests when it has *met* a later one: everything behind that place is the other's. The walk is complete
//! when the chain that begins with walker 0, from each walker to the one that it met, ends in one that came to the
//! list's end. Walkers beside the chain add nothing to that and need not end; what they read is good all the same.
//!
//! # Why nothing is lost
//!
//! Take a record that stays in place during the walk: it keeps its order among the others that do. Each walker reads
//! its stretch as a walk by itself would, from its first request to its last; what such a walk brings, it brings. So the
//! record can only be lost at a seam, between one walker's last page and the first of the one that it met. A walker
//! has met another one in two ways only:
//!
//! * **By token**: its next request is the one that the other began with, the token holds the id of the record that
//!   stands last on its page, and that record is as it was when the token was remembered. Then both name the place
//!   behind the same record, and that has not moved: whatever a list is sorted by (its id, when it was created or last
//!   changed), a record that moves is no longer the same text. This one has read everything up to that place, the
//!   other reads everything behind it. A token without an id could be a number of records (an offset): records that come
//!   in front then push others over the seam, from the page that is read to the one that was. It doesn't count.
//! * **By records**: from the first record on its page that another walker has on its first pages, the page goes on as the
//!   other one's do, record for record and to the byte, for two records at least. These have not moved between the two
//!   readings; this walker has read everything up to them, the other everything behind them. One record could have
//!   come there from elsewhere, if lists are sorted by what no record shows.
//!
//! A walker that meets neither goes on, at worst to the list's end. One whose token leads before its place, to records
//! that an earlier walker began with, has gone astray and leaves; so does one whose token is refused. Whoever had met it goes on
//! from where it rested.
//!
//! Offsets have a weakness of their own, with one walker as with many: where a record in front is deleted, another
//! slips through between two pages. With n walkers that happens in n places at once, in an nth of the time.

use crate::api::Cursor;
use crate::record::FingerprintSet;
use std::collections::HashMap;

/// Of each walker's pages, so many can be recognised by an earlier one.
const HEAD_PAGES: usize = 4;

/// So many records have to follow each other in the same way.
const RECORDS_THAT_MEET: usize = 2;

/// What becomes of a walker after its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sync) enum Step {
    /// It asks for its next page.
    GoOn,
    /// It has met a later one.
    Rest,
    /// It leaves, and these go on again.
    Leave(Vec<usize>),
}

/// Where a page leads.
#[derive(Debug, Clone, Copy)]
pub(in crate::sync) struct PageEnd<'a> {
    /// The request for the page after it, if there is one.
    pub(in crate::sync) next: Option<&'a Cursor>,
    /// Whether that holds the id of the page's last record.
    pub(in crate::sync) names_record: bool,
}

/// Where a walker began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sync) struct Begin {
    pub(in crate::sync) cursor: Cursor,
    /// The hash of the record that stood last before it.
    pub(in crate::sync) last_record: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Walking,
    /// Everything behind is that walker's.
    Met(usize),
    /// Came to the list's end.
    Ended,
    Left,
}

#[derive(Debug)]
struct Walker {
    begin: Option<Begin>,
    state: State,
    /// The records of its first pages, as hashes, and their places.
    head: Vec<u64>,
    places: HashMap<u64, usize>,
    pages: usize,
}

impl Walker {
    fn new(begin: Option<Begin>) -> Walker {
        Walker { begin, state: State::Walking, head: Vec::new(), places: HashMap::new(), pages: 0 }
    }

    /// Notes a page; `true` if it is one of the first.
    fn record_page(&mut self, rows: &[u64]) -> bool {
        self.pages += 1;
        let is_head = self.pages <= HEAD_PAGES;
        if is_head {
            for row in rows {
                self.places.insert(*row, self.head.len());
                self.head.push(*row);
            }
        }
        is_head
    }

    /// Whether the rows go on as this walker's first pages do, from the first one that stands there.
    fn is_met_by(&self, rows: &[u64]) -> bool {
        let Some(from) = rows.iter().position(|row| self.places.contains_key(row)) else { return false };
        let Some(at) = self.places.get(&rows[from]) else { return false };
        let run = rows[from..].iter().zip(&self.head[*at..]).take_while(|(one, two)| one == two).count();
        let reaches = from + run == rows.len() || at + run == self.head.len();
        run >= RECORDS_THAT_MEET && reaches
    }
}

/// All walkers of one list.
#[derive(Debug)]
pub(in crate::sync) struct Segments {
    walkers: Vec<Walker>,
    /// The records of all walkers' first pages: most pages hold none of them.
    heads: FingerprintSet,
}

impl Segments {
    /// One walker, from the list's beginning.
    pub(in crate::sync) fn new() -> Segments {
        Segments { walkers: vec![Walker::new(None)], heads: FingerprintSet::default() }
    }

    /// A further walker, behind all others; returns its number.
    pub(in crate::sync) fn begin(&mut self, begin: Begin) -> usize {
        self.walkers.push(Walker::new(Some(begin)));
        self.walkers.len() - 1
    }

    /// Another beginning for a walker that has read no page; returns those that go on again.
    pub(in crate::sync) fn begin_elsewhere(&mut self, walker: usize, begin: Begin) -> Vec<usize> {
        self.walkers[walker].begin = Some(begin);
        self.reopen(walker)
    }

    /// Whether there was ever more than one walker.
    pub(in crate::sync) fn are_several(&self) -> bool {
        self.walkers.len() > 1
    }

    /// A walker's page came, its records as hashes.
    pub(in crate::sync) fn page(&mut self, walker: usize, rows: &[u64], end: PageEnd<'_>) -> Step {
        if self.walkers[walker].record_page(rows) {
            self.heads.extend(rows);
        }
        match self.met_by_records(walker, rows).or_else(|| self.met_by_token(walker, rows, end)) {
            Some(other) if other < walker => Step::Leave(self.leave(walker)),
            Some(other) => {
                self.walkers[walker].state = State::Met(other);
                Step::Rest
            }
            None => Step::GoOn,
        }
    }

    /// A walker came to the list's end.
    pub(in crate::sync) fn ended(&mut self, walker: usize) {
        self.walkers[walker].state = State::Ended;
    }

    /// A walker can't go on, or its place is not where it seemed to be. Returns those that go on again.
    pub(in crate::sync) fn leave(&mut self, walker: usize) -> Vec<usize> {
        self.walkers[walker] = Walker { state: State::Left, ..Walker::new(None) };
        self.reopen(walker)
    }

    /// Whether the walker has read no page yet.
    pub(in crate::sync) fn is_untried(&self, walker: usize) -> bool {
        self.walkers[walker].pages == 0
    }

    /// The walkers that together have read the whole list, in its order; `None` while there is something left.
    pub(in crate::sync) fn complete(&self) -> Option<Vec<usize>> {
        let chain = self.chain();
        let last = chain.last()?;
        (self.walkers[*last].state == State::Ended).then_some(chain)
    }

    /// The walkers that go on although it is another one's turn: without them the walk is as long as one by itself.
    pub(in crate::sync) fn beside_the_chain(&self) -> Vec<usize> {
        let chain = self.chain();
        let walking = |walker: &usize| self.walkers[*walker].state == State::Walking;
        (0..self.walkers.len()).filter(walking).filter(|walker| !chain.contains(walker)).collect()
    }

    /// From the list's beginning to the first walker that has met no other one. It ends: each has met a later one.
    fn chain(&self) -> Vec<usize> {
        let mut chain = vec![0];
        let mut at = 0;
        while let State::Met(other) = self.walkers[at].state {
            chain.push(other);
            at = other;
        }
        chain
    }

    fn reopen(&mut self, met: usize) -> Vec<usize> {
        let mut reopened = Vec::new();
        for (number, walker) in self.walkers.iter_mut().enumerate() {
            if walker.state == State::Met(met) {
                walker.state = State::Walking;
                reopened.push(number);
            }
        }
        reopened
    }

    /// The walker whose first pages this one's page leads into; the last one where there are several.
    fn met_by_records(&self, walker: usize, rows: &[u64]) -> Option<usize> {
        if !rows.iter().any(|row| self.heads.contains(row)) {
            return None;
        }
        (0..self.walkers.len()).rev().find(|other| *other != walker && self.walkers[*other].is_met_by(rows))
    }

    fn met_by_token(&self, walker: usize, rows: &[u64], end: PageEnd<'_>) -> Option<usize> {
        let (Some(next), Some(last), true) = (end.next, rows.last(), end.names_record) else { return None };
        let begins_there = |begin: &Begin| begin.cursor == *next && begin.last_record == *last;
        (walker + 1..self.walkers.len()).find(|other| {
            let other = &self.walkers[*other];
            other.state != State::Left && other.begin.as_ref().is_some_and(begins_there)
        })
    }
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
