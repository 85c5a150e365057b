//! What the API bears, learned from what became of the requests. Pure: times come in as arguments.
//!
//! A 429 doesn't say whether it is about requests at once or requests a second. Where as many in flight were accepted
//! several times just before, it is about requests a second.

use super::concurrency::Concurrency;
use super::rate::{Rate, SLOWEST};
use super::{HOLD_OF_THE_KNOWN, Learned, Outcome};
use std::time::Duration;
use tokio::time::Instant;

/// A refusal is about requests a second where this number were accepted with as many in flight. A smaller number shows it
/// where the server says how long to wait, since such a server counts by time.
const SHOWN_BY: u32 = 24;
const SHOWN_WITH_WAIT_BY: u32 = 4;

/// After a refusal without `Retry-After` requests start so far apart until one is accepted, twice as far after each
/// further refusal.
const FIRST_SPACING: Duration = Duration::from_millis(100);
const WIDEST_SPACING: Duration = Duration::from_secs(2);

/// Where the number at once is limited, requests start over this share of the time that one takes, rather than together.
const SPREAD: f64 = 0.5;
const WIDEST_SPREAD: f64 = 0.25;

/// The pace is measured over this number of requests.
const PACE_OF: f64 = 32.0;

/// Timers fire late by up to this. The bucket keeps the tokens of this time, so that a late request is made up for, and no
/// more, because more would be a burst.
const LATENESS: Duration = Duration::from_millis(50);

/// A request that has started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    generation: u64,
    started: Instant,
    /// In flight when it started, itself included.
    in_flight: usize,
}

#[derive(Debug)]
pub(super) struct Controller {
    concurrency: Concurrency,
    rate: Option<Rate>,
    /// When the bucket has its next token.
    next_at: Option<Instant>,
    paused_until: Option<Instant>,
    /// While nothing was accepted since a refusal without `Retry-After`.
    spacing: Option<Duration>,
    /// Raised by each refusal that counts: what started before it says nothing about the limits after it.
    generation: u64,
    /// Requests accepted since then, by how many were in flight.
    accepted: Vec<u32>,
    /// The most in flight since then: requests overtake each other, so a refused one need not have been the last to start.
    peak: usize,
    /// When the last refused request started.
    refused_at: Option<Instant>,
    /// Seconds between the starts of requests, and that a request takes, both smoothed.
    interval: f64,
    starts: f64,
    latency: f64,
    last_start: Option<Instant>,
}

impl Controller {
    pub(super) fn new(max: usize) -> Controller {
        Controller {
            concurrency: Concurrency::new(max),
            rate: None,
            next_at: None,
            paused_until: None,
            spacing: None,
            generation: 0,
            accepted: Vec::new(),
            peak: 0,
            refused_at: None,
            interval: 0.0,
            starts: 0.0,
            latency: 0.0,
            last_start: None,
        }
    }

    /// Requests at once.
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency.limit()
    }

    /// What was learned, if the API ever asked for less than was wanted of it.
    pub(super) fn learned(&self) -> Option<Learned> {
        let (concurrency, is_limited) = self.concurrency.learned();
        let rate = self.rate.as_ref().map(Rate::learned);
        (is_limited || rate.is_some()).then_some(Learned { concurrency, rate })
    }

    /// Starts from what another run has learned, unless this one has learned something by itself.
    pub(super) fn expect(&mut self, learned: Learned, now: Instant) {
        if self.generation == 0 && self.learned().is_none() {
            self.lower_to(learned.concurrency, now);
            let rate = learned.rate.filter(|rate| rate.is_finite() && *rate >= SLOWEST);
            self.rate = rate.map(|rate| Rate::known(rate, now));
            self.refused_at = Some(now);
        }
    }

    /// The server takes no more than so many at once.
    pub(super) fn lower_to(&mut self, limit: usize, now: Instant) {
        self.concurrency.lower_to(limit, now + HOLD_OF_THE_KNOWN);
    }

    /// When the next request may start, where time decides it.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.next_at.max(self.paused_until)
    }

    /// A request starts, with so many in flight, itself included.
    pub(super) fn start(&mut self, in_flight: usize, now: Instant) -> Ticket {
        if let Some(last) = self.last_start.replace(now) {
            self.starts = (self.starts + 1.0).min(PACE_OF);
            smooth(&mut self.interval, now.saturating_duration_since(last), self.starts);
        }
        let by_rate = self.rate.as_ref().map(|rate| Duration::from_secs_f64(1.0 / rate.a_second(now)));
        let spread = (SPREAD * self.latency / self.concurrency() as f64).min(WIDEST_SPREAD);
        let spread = self.concurrency.learned().1.then(|| Duration::from_secs_f64(spread));
        let interval = by_rate.max(spread).max(self.spacing);
        self.next_at =
            interval.map(|interval| self.next_at.map_or(now, |at| at.max(now - LATENESS)) + interval);
        self.peak = self.peak.max(in_flight);
        Ticket { generation: self.generation, started: now, in_flight }
    }

    /// Takes what became of a request.
    pub(super) fn finish(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) {
        let mut resumed = now;
        if let Outcome::Throttled(Some(pause)) = outcome {
            resumed += pause;
            self.paused_until = self.paused_until.max(Some(resumed));
        }
        if ticket.generation != self.generation {
            return;
        }
        match outcome {
            Outcome::Accepted => {
                if self.spacing.take().is_some() {
                    self.next_at = None;
                }
                let share = if self.latency > 0.0 { 8.0 } else { 1.0 };
                smooth(&mut self.latency, now.saturating_duration_since(ticket.started), share);
                let in_flight = ticket.in_flight;
                self.accepted.resize(self.accepted.len().max(in_flight + 1), 0);
                self.accepted[in_flight] = self.accepted[in_flight].saturating_add(1);
                self.concurrency.accepted(now);
                self.rate.iter_mut().for_each(|rate| rate.accepted(now));
            }
            Outcome::Throttled(pause) => self.refused(ticket, pause, resumed),
            Outcome::Unavailable => {
                self.concurrency.refused(self.peak, resumed);
                self.begin_generation(ticket);
            }
            Outcome::Unknown => {}
        }
    }

    fn refused(&mut self, ticket: Ticket, pause: Option<Duration>, resumed: Instant) {
        let spacing = self.spacing.filter(|_| pause.is_none());
        self.next_at = spacing.map(|spacing| resumed + spacing);
        // Where nothing was accepted since a refusal, there is nothing to cut, only to wait.
        if self.spacing.is_none() {
            self.cut(ticket, pause.is_some(), resumed);
        }
        let next = spacing.map_or(FIRST_SPACING, |spacing| (2 * spacing).min(WIDEST_SPACING));
        self.spacing = pause.is_none().then_some(next);
        self.begin_generation(ticket);
    }

    /// Cuts the limit that a refusal was about.
    fn cut(&mut self, ticket: Ticket, is_timed: bool, resumed: Instant) {
        let accepted: u32 = self.accepted.iter().sum();
        let in_flight = if is_timed { ticket.in_flight } else { self.peak };
        let with_as_many: u32 = self.accepted.iter().skip(in_flight).sum();
        let seconds = self.refused_at.map_or(f64::INFINITY, |at| (ticket.started - at).as_secs_f64());
        let let_through = f64::from(accepted) / seconds.max(0.001);
        let at_once = self.concurrency() as f64 / self.latency.max(0.001);
        let measured = (1.0 / self.interval.max(0.001)).min(at_once);
        let pace = self.rate.as_ref().map_or(measured, |rate| rate.a_second(ticket.started).min(measured));
        let shown_by = if is_timed { SHOWN_WITH_WAIT_BY } else { SHOWN_BY };
        let is_paced = self.rate.is_some() && in_flight <= self.concurrency.learned().0;
        if with_as_many < shown_by && !is_paced && self.concurrency() > 1 {
            self.concurrency.refused(in_flight, resumed);
        } else if let Some(rate) = &mut self.rate {
            rate.refused(pace, let_through, resumed);
        } else {
            self.rate = Some(Rate::below(pace, let_through, resumed));
        }
    }

    fn begin_generation(&mut self, refused: Ticket) {
        self.generation += 1;
        self.accepted.clear();
        self.peak = 0;
        (self.refused_at, self.last_start, self.starts) = (Some(refused.started), None, 0.0);
    }
}

/// Moves a smoothed time towards a new one, by the share of one in so many.
fn smooth(seconds: &mut f64, new: Duration, share: f64) {
    *seconds += (new.as_secs_f64() - *seconds) / share;
}
