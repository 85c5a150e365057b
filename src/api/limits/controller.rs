//! What the API bears, learned from what became of the requests. Pure: times come in as arguments.
//!
//! A 429 doesn't say whether it is about requests at once or requests a second. With a `Retry-After` it is taken for the
//! latter, since such a server counts by time. Without one it is about requests a second where as many in flight were
//! accepted several times just before.

use super::concurrency::Concurrency;
use super::rate::Rate;
use super::{Learned, Outcome};
use std::time::Duration;
use tokio::time::Instant;

/// A refusal isn't about requests at once where this number were accepted with as many in flight.
const SHOWN_BY: u32 = 6;

/// The pause after a refusal without `Retry-After`; it doubles while nothing is accepted.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(3);

/// Timers fire late by up to this. The bucket keeps the tokens of this time, so that a late request is made up for, and no
/// more, because more would be a burst.
const LATENESS: Duration = Duration::from_millis(50);

/// After this time without a request the pace is measured anew, because it was not the limits that kept it low.
const IDLE: Duration = Duration::from_secs(5);

/// A request that has started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    generation: u64,
    /// In flight when it started, itself included.
    in_flight: usize,
}

#[derive(Debug)]
pub(in crate::api) struct Controller {
    pub(in crate::api) concurrency: Concurrency,
    in_flight: usize,
    rate: Option<Rate>,
    /// When the next request may start: the bucket has its next token then, or a pause ends. `None` before the first one.
    pub(super) next_at: Option<Instant>,
    backoff: Duration,
    /// Raised by each refusal that counts: what started before it says nothing about the limits after it.
    generation: u64,
    seen: Seen,
}

/// What became of requests since the last refusal that counts.
#[derive(Debug, Default)]
struct Seen {
    /// When that refusal came or, before the first one, when the first request started.
    since: Option<Instant>,
    accepted: u32,
    /// The most in flight: requests overtake each other, so a refused one need not have been the last to start.
    peak: usize,
    accepted_at_peak: u32,
}

impl Controller {
    pub(super) fn new(max: usize) -> Controller {
        Controller {
            concurrency: Concurrency::new(max),
            in_flight: 0,
            rate: None,
            next_at: None,
            backoff: FIRST_BACKOFF,
            generation: 0,
            seen: Seen::default(),
        }
    }

    /// What was learned, if the API ever asked for less than was wanted of it.
    pub(in crate::api) fn learned(&self) -> Option<Learned> {
        let rate = self.rate.as_ref().map(|rate| rate.base);
        let is_limited = self.concurrency.ceiling.is_some() || rate.is_some();
        is_limited.then(|| Learned { concurrency: self.concurrency.highest(), rate })
    }

    /// Starts from what another run has learned, unless this one has learned something by itself.
    pub(in crate::api) fn expect(&mut self, learned: Learned, now: Instant) {
        if self.generation == 0 && self.learned().is_none() {
            self.concurrency.lower_to(learned.concurrency, now);
            self.rate = learned.rate.and_then(|rate| Rate::known(rate, now));
        }
    }

    /// Lets a request start; else says when to ask again: `None` is when another one has ended.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Ticket, Option<Instant>> {
        if self.in_flight >= self.concurrency.limit {
            return Err(None);
        }
        if let Some(at) = self.next_at.filter(|at| *at > now) {
            return Err(Some(at));
        }
        self.in_flight += 1;
        if self.next_at.is_none_or(|at| at + IDLE < now) {
            self.seen = Seen { since: Some(now), ..Seen::default() };
        }
        if self.in_flight > self.seen.peak {
            (self.seen.peak, self.seen.accepted_at_peak) = (self.in_flight, 0);
        }
        let interval = self.rate.as_ref().map_or(0.0, |rate| 1.0 / rate.a_second(now));
        let begin = self.next_at.map_or(now, |at| at.max(now - LATENESS));
        self.next_at = Some(begin + Duration::from_secs_f64(interval));
        Ok(Ticket { generation: self.generation, in_flight: self.in_flight })
    }

    /// A request has ended, in this way.
    pub(super) fn finish(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) {
        self.in_flight -= 1;
        if let Outcome::Throttled(Some(pause)) = outcome {
            self.next_at = self.next_at.max(Some(now + pause));
        }
        if ticket.generation != self.generation {
            return;
        }
        match outcome {
            Outcome::Accepted => {
                self.backoff = FIRST_BACKOFF;
                self.seen.accepted += 1;
                self.seen.accepted_at_peak += u32::from(ticket.in_flight >= self.seen.peak);
                return self.concurrency.accepted(now);
            }
            Outcome::Throttled(pause) => self.refused(pause, now),
            Outcome::Unavailable => self.concurrency.refused(self.seen.peak, now),
            Outcome::Unknown => return,
        }
        self.generation += 1;
        self.seen = Seen { since: Some(now), ..Seen::default() };
    }

    /// Lets requests pause, and cuts the limit that a refusal was about.
    fn refused(&mut self, pause: Option<Duration>, now: Instant) {
        let resumed = now + pause.unwrap_or(self.backoff);
        self.next_at = self.next_at.max(Some(resumed));
        self.backoff = (2 * self.backoff).min(LONGEST_BACKOFF);
        let Seen { since, accepted, peak, accepted_at_peak } = self.seen;
        let is_within_limit = self.rate.is_some() && peak <= self.concurrency.highest();
        let is_of_rate =
            pause.is_some() || is_within_limit || self.concurrency.limit == 1 || accepted_at_peak >= SHOWN_BY;
        if accepted == 0 || !is_of_rate {
            // While none is accepted, fewer are tried, but nothing shows how many are too many.
            return self.concurrency.refused(if accepted == 0 { 1 } else { peak }, resumed);
        }
        let seconds = since.map_or(0.0, |since| (now - since).as_secs_f64());
        let let_through = f64::from(accepted) / seconds.max(0.001);
        match &mut self.rate {
            Some(rate) => rate.refused(let_through, now, resumed),
            None => self.rate = Some(Rate::below(let_through, resumed)),
        }
    }
}
