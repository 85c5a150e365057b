//! The limits against simulated servers, in virtual time.

use super::Outcome;
use super::controller::{Controller, Ticket};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// What a server allows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Allows {
    AtOnce(usize),
    /// So many a second, with bursts of so many seconds' worth.
    Bucket(f64, f64),
    /// So many in each second of the clock.
    FixedWindow(u32),
    /// So many in any second.
    SlidingWindow(u32),
    /// Whatever is asked, one in so many requests is refused.
    AllButOneIn(u64),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Server {
    pub(super) allows: Allows,
    pub(super) latency_ms: u64,
    /// Requests take up to so many milliseconds to arrive, by chance.
    pub(super) jitter_ms: u64,
    pub(super) retry_after: Option<Duration>,
}

impl Server {
    /// Requests a second that a client with 16 at once can get from it.
    pub(super) fn possible(&self) -> f64 {
        let one = 1_000.0 / (self.latency_ms as f64 + self.jitter_ms as f64 / 2.0);
        match self.allows {
            Allows::AtOnce(count) => (count as f64).min(16.0) * one,
            Allows::Bucket(a_second, _) => a_second.min(16.0 * one),
            Allows::FixedWindow(count) | Allows::SlidingWindow(count) => f64::from(count).min(16.0 * one),
            Allows::AllButOneIn(_) => 16.0 * one,
        }
    }
}

/// What the server let through of late.
struct Account {
    allows: Allows,
    tokens: f64,
    /// When requests were let through, in milliseconds.
    lately: VecDeque<u64>,
}

impl Account {
    fn new(allows: Allows) -> Account {
        Account { allows, tokens: Account::burst(allows), lately: VecDeque::new() }
    }

    fn burst(allows: Allows) -> f64 {
        match allows {
            Allows::Bucket(a_second, burst) => (a_second * burst).max(1.0),
            _ => 0.0,
        }
    }

    fn a_millisecond_passes(&mut self) {
        if let Allows::Bucket(a_second, _) = self.allows {
            self.tokens = (self.tokens + a_second / 1_000.0).min(Account::burst(self.allows));
        }
    }

    fn admits(&mut self, ms: u64, busy: usize, chance: &mut fastrand::Rng) -> bool {
        let since = match self.allows {
            Allows::FixedWindow(_) => ms - ms % 1_000,
            _ => (ms + 1).saturating_sub(1_000),
        };
        while self.lately.front().is_some_and(|at| *at < since) {
            self.lately.pop_front();
        }
        let admits = match self.allows {
            Allows::AtOnce(count) => busy < count,
            Allows::Bucket(..) => self.tokens >= 1.0,
            Allows::FixedWindow(count) | Allows::SlidingWindow(count) => self.lately.len() < count as usize,
            Allows::AllButOneIn(count) => chance.u64(0..count) > 0,
        };
        if admits {
            self.tokens -= 1.0;
            self.lately.push_back(ms);
        }
        admits
    }
}

/// A request on its way there, or answered.
enum Flight {
    There { arrives: u64 },
    Answered { arrives: u64, accepted: bool },
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Served {
    pub(super) accepted: u32,
    pub(super) refused: u32,
}

impl Served {
    /// The share of what could be had in so many seconds.
    pub(super) fn used(&self, server: &Server, seconds: f64) -> f64 {
        f64::from(self.accepted) / (server.possible() * seconds)
    }

    /// The share of the answers that were refusals.
    pub(super) fn refused(&self) -> f64 {
        f64::from(self.refused) / f64::from(self.accepted + self.refused).max(1.0)
    }
}

/// Runs a client that always has more to ask for, in steps of a millisecond; counts from `from` to `until`, in seconds.
pub(super) fn simulate(
    controller: &mut Controller,
    server: &Server,
    seed: u64,
    from: u64,
    until: u64,
) -> Served {
    let (start, mut chance) = (Instant::now(), fastrand::Rng::with_seed(seed));
    let (mut account, mut served) = (Account::new(server.allows), Served::default());
    let mut in_flight: Vec<(Ticket, Flight)> = Vec::new();
    for ms in 0..until * 1_000 {
        let now = start + Duration::from_millis(ms);
        account.a_millisecond_passes();
        for n in 0..in_flight.len() {
            if matches!(in_flight[n].1, Flight::There { arrives } if arrives <= ms) {
                let is_busy = |flight: &Flight| matches!(flight, Flight::Answered { accepted: true, .. });
                let busy = in_flight.iter().filter(|(_, flight)| is_busy(flight)).count();
                let accepted = account.admits(ms, busy, &mut chance);
                in_flight[n].1 = Flight::Answered { arrives: ms + server.latency_ms, accepted };
            }
        }
        let is_back = |flight: &Flight| matches!(flight, Flight::Answered { arrives, .. } if *arrives <= ms);
        let (done, rest): (Vec<_>, Vec<_>) = in_flight.into_iter().partition(|(_, flight)| is_back(flight));
        in_flight = rest;
        for (ticket, flight) in done {
            let accepted = matches!(flight, Flight::Answered { accepted: true, .. });
            let outcome = if accepted { Outcome::Accepted } else { Outcome::Throttled(server.retry_after) };
            controller.finish(ticket, outcome, now);
            if ms >= from * 1_000 {
                if accepted { served.accepted += 1 } else { served.refused += 1 }
            }
        }
        while in_flight.len() < controller.concurrency() && controller.next_start().is_none_or(|at| at <= now)
        {
            let ticket = controller.start(in_flight.len() + 1, now);
            in_flight.push((ticket, Flight::There { arrives: ms + chance.u64(0..=server.jitter_ms) }));
        }
    }
    served
}
