//! What the API bears, learned from what became of the requests. Pure: times come in as arguments.
//!
//! A 429 doesn't say whether it is about requests at once or requests a second. With a `Retry-After` it is taken for the
//! latter, since such a server counts by time. Without one it is about requests a second where as many in flight were
//! accepted several times just before.

use super::concurrency::Concurrency;
use super::rate::{Rate, SLOWEST};
use super::{HOLD, Learned, Outcome};
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
pub(super) struct Controller {
    concurrency: Concurrency,
    rate: Option<Rate>,
    /// When the next request may start: the bucket has its next token then, or a pause ends.
    next_at: Option<Instant>,
    /// How long requests pause after the next refusal without `Retry-After`.
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
            rate: None,
            next_at: None,
            backoff: FIRST_BACKOFF,
            generation: 0,
            seen: Seen::default(),
        }
    }

    /// Requests at once.
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency.limit()
    }

    /// What was learned, if the API ever asked for less than was wanted of it.
    pub(super) fn learned(&self) -> Option<Learned> {
        let rate = self.rate.as_ref().map(Rate::learned);
        let is_limited = self.concurrency.has_ceiling() || rate.is_some();
        is_limited.then(|| Learned { concurrency: self.concurrency.highest(), rate })
    }

    /// Starts from what another run has learned, unless this one has learned something by itself.
    pub(super) fn expect(&mut self, learned: Learned, now: Instant) {
        if self.generation == 0 && self.learned().is_none() {
            self.lower_to(learned.concurrency, now);
            let rate = learned.rate.filter(|rate| rate.is_finite() && *rate >= SLOWEST);
            self.rate = rate.map(|rate| Rate::known(rate, now));
        }
    }

    /// The server takes no more than so many at once.
    pub(super) fn lower_to(&mut self, limit: usize, now: Instant) {
        self.concurrency.lower_to(limit, now + HOLD);
    }

    /// When the next request may start; `None` before the first one.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.next_at
    }

    /// A request starts, with so many in flight, itself included.
    pub(super) fn start(&mut self, in_flight: usize, now: Instant) -> Ticket {
        if self.next_start().is_none_or(|at| at + IDLE < now) {
            self.seen = Seen { since: Some(now), ..Seen::default() };
        }
        if in_flight > self.seen.peak {
            (self.seen.peak, self.seen.accepted_at_peak) = (in_flight, 0);
        }
        let interval = self.interval(now);
        self.next_at = Some(self.next_at.map_or(now, |at| at.max(now - LATENESS)) + interval);
        Ticket { generation: self.generation, in_flight }
    }

    /// The time between the starts of two requests.
    fn interval(&self, now: Instant) -> Duration {
        self.rate.as_ref().map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate.a_second(now)))
    }

    /// Takes what became of a request.
    pub(super) fn finish(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) {
        let is_current = ticket.generation == self.generation;
        match outcome {
            Outcome::Throttled(pause) if is_current || pause.is_some() => {
                let resumed = now + pause.unwrap_or(self.backoff);
                self.next_at = self.next_at.max(Some(resumed));
                if is_current {
                    self.cut(pause.is_some(), now, resumed);
                    self.backoff = (2 * self.backoff).min(LONGEST_BACKOFF);
                    self.begin_generation(now);
                }
            }
            Outcome::Accepted if is_current => {
                self.backoff = FIRST_BACKOFF;
                self.seen.accepted += 1;
                self.seen.accepted_at_peak += u32::from(ticket.in_flight >= self.seen.peak);
                self.concurrency.accepted(now);
            }
            Outcome::Unavailable if is_current => {
                self.concurrency.refused(self.seen.peak, now);
                self.begin_generation(now);
            }
            _ => {}
        }
    }

    /// Cuts the limit that a refusal was about.
    fn cut(&mut self, is_timed: bool, now: Instant, resumed: Instant) {
        let Seen { since, accepted, peak, accepted_at_peak } = self.seen;
        let is_within_limit = self.rate.is_some() && peak <= self.concurrency.highest();
        let is_of_rate =
            is_timed || is_within_limit || self.concurrency() == 1 || accepted_at_peak >= SHOWN_BY;
        if accepted == 0 {
            // Fewer are tried at first, but nothing shows how many are too many.
            self.concurrency.refused(1, resumed);
        } else if !is_of_rate {
            self.concurrency.refused(peak, resumed);
        } else {
            let seconds = since.map_or(0.0, |since| (now - since).as_secs_f64());
            let let_through = f64::from(accepted) / seconds.max(0.001);
            match &mut self.rate {
                Some(rate) => rate.refused(let_through, now, resumed),
                None => self.rate = Some(Rate::below(let_through, resumed)),
            }
        }
    }

    fn begin_generation(&mut self, now: Instant) {
        self.generation += 1;
        self.seen = Seen { since: Some(now), ..Seen::default() };
    }
}
