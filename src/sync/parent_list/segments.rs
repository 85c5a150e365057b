//! Several walkers read one list, each from another place. This module decides which of them continue, which have met the
//! next one, and when all of them together have read the list from its beginning to its end. Pure: pages go in, decisions
//! come out.
//!
//! Walker 0 begins at the list's beginning. The others begin at tokens that an earlier walk was given, in the list's order.
//! When a walker has *met* a later one, it rests, because the other one reads everything behind that place. Following the
//! walkers from walker 0, each to the one that it has met, gives a chain. The walk is complete when the last walker of the
//! chain has reached the list's end. Walkers that aren't part of the chain don't have to finish; what they read is valid.
//!
//! # Why nothing is lost
//!
//! Take the records that stay in place during the walk: they keep their order. A walker reads its part of the list like a
//! walk of its own, and that loses none of them. So a record can only be lost at a seam, between one walker's last page and
//! the first page of the walker that it met. There are two ways in which walkers meet:
//!
//! * **By token**: the walker's next request is the one that the other began with, the token contains the id of the last
//!   record on the page, and this record is unchanged since the token was saved. Then both requests mean the place behind the
//!   same record, and that record hasn't moved: whatever the list is sorted by (ids, times of creation or of change), a
//!   record that moves doesn't stay byte for byte the same. One walker has read everything up to that place, the other reads
//!   everything behind it. A token without an id doesn't count: it may be an offset, and then records that are added at the
//!   front push others across the seam, from the page that is still to be read to the one that has been.
//! * **By records**: a page contains a record of the other walker's first pages, and from there on the same records follow on
//!   both, byte for byte, at least two of them. These haven't moved between the two readings, so that this walker has read
//!   everything up to them, and the other everything behind them. A single record wouldn't be enough: it could have moved
//!   there, if the list is sorted by something that isn't part of the records.
//!
//! A walker that meets no other one continues, if need be to the list's end. If a walker comes to records that an earlier
//! walker began with, its token led to the wrong place, and it leaves. It also leaves when its token is refused. The walkers
//! that had met it then continue from where they rested.
//!
//! Offsets have a weakness of their own, also with one walker: when a record further to the front is deleted, another one
//! slips past between two pages. With n walkers this can happen in n places at once, but during an nth of the time.

use crate::api::Cursor;
use crate::record::FingerprintSet;
use std::collections::HashMap;

/// An earlier walker recognises this many of a walker's first pages.
const HEAD_PAGES: usize = 4;

/// This many records have to follow each other in the same order.
const RECORDS_THAT_MEET: usize = 2;

/// What a walker does after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sync) enum Step {
    /// Request the next page.
    GoOn,
    /// Rest: it has met a later walker.
    Rest,
    /// Leave. These walkers continue instead.
    Leave(Vec<usize>),
}

/// What follows a page.
#[derive(Debug, Clone, Copy)]
pub(in crate::sync) struct PageEnd<'a> {
    /// The request for the page after it, if there is one.
    pub(in crate::sync) next: Option<&'a Cursor>,
    /// Whether that request contains the id of the page's last record.
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
    /// That walker reads everything from here on.
    Met(usize),
    /// It has reached the list's end.
    Ended,
    Left,
}

#[derive(Debug)]
struct Walker {
    begin: Option<Begin>,
    state: State,
    /// Hashes of the records on its first pages, and where each of them stands.
    head: Vec<u64>,
    places: HashMap<u64, usize>,
    pages: usize,
}

impl Walker {
    fn new(begin: Option<Begin>) -> Walker {
        Walker { begin, state: State::Walking, head: Vec::new(), places: HashMap::new(), pages: 0 }
    }

    /// Adds a page; `true` if it is one of the first pages.
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

    /// Whether the rows continue like this walker's first pages, from the first row that is on both.
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
    /// The records on all walkers' first pages. Most pages contain none of them.
    heads: FingerprintSet,
}

impl Segments {
    /// One walker, from the list's beginning.
    pub(in crate::sync) fn new() -> Segments {
        Segments { walkers: vec![Walker::new(None)], heads: FingerprintSet::default() }
    }

    /// Adds a walker that begins behind all others; returns its number.
    pub(in crate::sync) fn begin(&mut self, begin: Begin) -> usize {
        self.walkers.push(Walker::new(Some(begin)));
        self.walkers.len() - 1
    }

    /// Moves a walker that hasn't read any page to another place; returns the walkers that continue.
    pub(in crate::sync) fn begin_elsewhere(&mut self, walker: usize, begin: Begin) -> Vec<usize> {
        self.walkers[walker].begin = Some(begin);
        self.reopen(walker)
    }

    /// Whether there has been more than one walker.
    pub(in crate::sync) fn are_several(&self) -> bool {
        self.walkers.len() > 1
    }

    /// Takes a page that a walker has read, as hashes of its records.
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

    /// A walker has reached the list's end.
    pub(in crate::sync) fn ended(&mut self, walker: usize) {
        self.walkers[walker].state = State::Ended;
    }

    /// A walker can't continue, or didn't begin where it was expected to. Returns the walkers that continue instead.
    pub(in crate::sync) fn leave(&mut self, walker: usize) -> Vec<usize> {
        self.walkers[walker] = Walker { state: State::Left, ..Walker::new(None) };
        self.reopen(walker)
    }

    /// Whether the walker hasn't read any page yet.
    pub(in crate::sync) fn is_untried(&self, walker: usize) -> bool {
        self.walkers[walker].pages == 0
    }

    /// The walkers that together have read the whole list, in its order; `None` as long as something is missing.
    pub(in crate::sync) fn complete(&self) -> Option<Vec<usize>> {
        let chain = self.chain();
        let last = chain.last()?;
        (self.walkers[*last].state == State::Ended).then_some(chain)
    }

    /// The walkers that are still reading without being part of the chain. Without them, the walk takes no longer than one
    /// walker would.
    pub(in crate::sync) fn beside_the_chain(&self) -> Vec<usize> {
        let chain = self.chain();
        let walking = |walker: &usize| self.walkers[*walker].state == State::Walking;
        (0..self.walkers.len()).filter(walking).filter(|walker| !chain.contains(walker)).collect()
    }

    /// The walkers from the list's beginning to the first one that hasn't met another. Finite, because walkers only meet later
    /// ones.
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

    /// The walker whose first pages continue this page; the last one if there are several.
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
