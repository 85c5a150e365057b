//! The limits against simulated servers, in virtual time.

use super::controller::{Controller, Ticket};
use super::rate::SLOWEST;
use super::{Learned, Outcome};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// What a server allows.
#[derive(Debug, Clone, Copy)]
enum Allows {
    AtOnce(usize),
    /// So many a second, with bursts of so many seconds' worth.
    Bucket(f64, f64),
    /// So many in each second of the clock.
    FixedWindow(u32),
    /// So many in any second.
    SlidingWindow(u32),
    /// Any number, but this share of the requests is refused by chance.
    AllBut(f64),
}

#[derive(Debug, Clone, Copy)]
struct Server {
    allows: Allows,
    latency_ms: u64,
    /// Requests take up to so many milliseconds to arrive, by chance.
    jitter_ms: u64,
    retry_after: Option<Duration>,
}

impl Server {
    /// Requests a second that a client with 16 at once can get from it.
    fn possible(&self) -> f64 {
        let one = 1_000.0 / (self.latency_ms as f64 + self.jitter_ms as f64 / 2.0);
        match self.allows {
            Allows::AtOnce(count) => (count as f64).min(16.0) * one,
            Allows::Bucket(a_second, _) => a_second.min(16.0 * one),
            Allows::FixedWindow(count) | Allows::SlidingWindow(count) => f64::from(count).min(16.0 * one),
            Allows::AllBut(_) => 16.0 * one,
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
            Allows::AllBut(refused) => chance.f64() >= refused,
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
struct Served {
    accepted: u32,
    refused: u32,
}

impl Served {
    /// The share of what could be had in so many seconds.
    fn used(&self, server: &Server, seconds: f64) -> f64 {
        f64::from(self.accepted) / (server.possible() * seconds)
    }

    /// The share of the answers that were refusals.
    fn refused(&self) -> f64 {
        f64::from(self.refused) / f64::from(self.accepted + self.refused).max(1.0)
    }
}

/// Runs a client that always has more to ask for, in steps of a millisecond; counts from `from` to `until`, in seconds.
fn simulate(controller: &mut Controller, server: &Server, seed: u64, from: u64, until: u64) -> Served {
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
        while let Ok(ticket) = controller.admit(now) {
            in_flight.push((ticket, Flight::There { arrives: ms + chance.u64(0..=server.jitter_ms) }));
        }
    }
    served
}

/// A server that counts like this, with 50 ms of latency.
fn server(allows: Allows, retry_after: Option<u64>) -> Server {
    Server { allows, latency_ms: 50, jitter_ms: 0, retry_after: retry_after.map(Duration::from_secs) }
}

/// With and without a word of how long to wait.
const BOTH: [Option<u64>; 2] = [None, Some(1)];

#[test]
fn a_limit_that_is_met_first_is_used_and_rarely_refuses() {
    for server in [server(Allows::Bucket(100.0, 0.2), Some(1)), server(Allows::AtOnce(8), None)] {
        let served = simulate(&mut Controller::new(16), &server, 1, 0, 31);
        let (used, refused) = (served.used(&server, 31.0), served.refused());
        assert!(used >= 0.85 && refused < 0.015, "{server:?}: {used} {refused}");
    }
}

#[test]
fn a_known_limit_is_used_and_refuses_nothing() {
    for (server, learned) in [
        (server(Allows::Bucket(100.0, 0.2), Some(1)), Learned { concurrency: 16, rate: Some(98.0) }),
        (server(Allows::AtOnce(8), None), Learned { concurrency: 8, rate: None }),
    ] {
        let mut controller = Controller::new(16);
        controller.expect(learned, Instant::now());
        let served = simulate(&mut controller, &server, 1, 0, 50);
        let used = served.used(&server, 50.0);
        assert!(used >= 0.95 && served.refused == 0, "{server:?}: {used} {served:?}");
        assert_eq!(controller.learned(), Some(learned));
    }
}

/// What one run has learned is what the next one needs.
#[test]
fn the_next_run_begins_where_the_last_one_ended() {
    for server in [server(Allows::Bucket(100.0, 0.2), Some(1)), server(Allows::AtOnce(8), None)] {
        let (mut first, mut next) = (Controller::new(16), Controller::new(16));
        simulate(&mut first, &server, 1, 0, 31);
        next.expect(first.learned().unwrap(), Instant::now());
        let served = simulate(&mut next, &server, 2, 0, 31);
        let used = served.used(&server, 31.0);
        assert!(used >= 0.95 && served.refused == 0, "{server:?}: {used} {served:?}");
    }
}

#[test]
fn windows_and_buckets_are_used_after_ten_seconds() {
    for allows in [
        Allows::FixedWindow(100),
        Allows::SlidingWindow(100),
        Allows::FixedWindow(250),
        Allows::SlidingWindow(250),
        Allows::Bucket(100.0, 1.0),
        Allows::Bucket(100.0, 5.0),
        Allows::Bucket(250.0, 0.2),
        Allows::AtOnce(1),
        Allows::AtOnce(5),
        Allows::AtOnce(12),
    ] {
        for server in BOTH.map(|retry_after| server(allows, retry_after)) {
            let served = simulate(&mut Controller::new(16), &server, 1, 10, 60);
            let (used, refused) = (served.used(&server, 50.0), served.refused());
            assert!(used >= 0.85 && refused < 0.01, "{server:?}: {used} {refused}");
        }
    }
}

/// Where every request is refused, few are sent.
#[test]
fn a_server_that_refuses_everything_is_asked_rarely() {
    let served = simulate(&mut Controller::new(16), &server(Allows::AtOnce(0), None), 1, 0, 60);
    assert!(served.accepted == 0 && (20..60).contains(&served.refused), "{served:?}");
}

#[test]
fn without_refusals_nothing_is_limited_or_learned() {
    let server = server(Allows::AtOnce(100), None);
    let mut controller = Controller::new(16);
    let served = simulate(&mut controller, &server, 1, 0, 10);
    assert_eq!((served.refused, controller.concurrency.limit, controller.learned()), (0, 16, None));
}

/// Whatever a server refuses by chance, a single refusal must not slow requests down for long.
#[test]
fn refusals_by_chance_are_not_taken_for_a_limit() {
    for seed in 1..=5 {
        let server = server(Allows::AllBut(0.01), None);
        let served = simulate(&mut Controller::new(16), &server, seed, 0, 300);
        let used = served.used(&server, 300.0);
        assert!(used >= 0.25, "{seed}: {used} {served:?}");
    }
}

proptest! {
    /// Whatever becomes of requests: the limits stay within their bounds, and recover once nothing is refused.
    #[test]
    fn the_limits_stay_sane_and_recover(
        max in 0usize..40,
        steps in prop::collection::vec((0u8..5, 0u64..5_000, 0usize..4), 0..200),
    ) {
        let mut controller = Controller::new(max);
        let (mut now, mut tickets) = (Instant::now(), VecDeque::new());
        let slowest = Duration::from_secs_f64(1.0 / SLOWEST);
        for (outcome, passed, more) in steps {
            now += Duration::from_millis(passed);
            tickets.extend((0..more).flat_map(|_| controller.admit(now)));
            let Some(ticket) = tickets.pop_front() else { continue };
            let before = controller.concurrency.limit;
            let outcome = [
                Outcome::Accepted,
                Outcome::Throttled(None),
                Outcome::Throttled(Some(Duration::from_secs(2))),
                Outcome::Unavailable,
                Outcome::Unknown,
            ][usize::from(outcome)];
            controller.finish(ticket, outcome, now);
            prop_assert!((1..=max.max(1)).contains(&controller.concurrency.limit));
            prop_assert!(controller.concurrency.limit <= before + 1);
            if let Some(Learned { concurrency, rate }) = controller.learned() {
                prop_assert!((1..=max.max(1)).contains(&concurrency));
                prop_assert!(rate.is_none_or(|rate| rate.is_finite() && rate >= SLOWEST));
            }
        }
        tickets.into_iter().for_each(|ticket| controller.finish(ticket, Outcome::Unknown, now));
        // Nobody waits for longer than a token, or a pause, takes; then it goes faster and faster.
        now = now.max(controller.next_at.unwrap_or(now));
        let start = now;
        for _ in 0..20_000 {
            let ticket = controller.admit(now).unwrap();
            let next = controller.next_at.unwrap_or(now).max(now + Duration::from_millis(20));
            prop_assert!(next - now <= slowest + Duration::from_millis(20), "{:?}", next - now);
            controller.finish(ticket, Outcome::Accepted, now + Duration::from_millis(1));
            now = next;
        }
        prop_assert!(now - start < Duration::from_secs(1_800), "{:?} {controller:?}", now - start);
        prop_assert_eq!(controller.concurrency.limit, max.max(1));
    }
}
