//! The limits against simulated servers.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

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
}

/// A server as a simulation.
#[derive(Debug, Clone, Copy)]
struct Server {
    allows: Allows,
    latency: Duration,
    /// Requests take up to so many milliseconds to arrive, by chance.
    detour: u64,
    retry_after: Option<Duration>,
}

impl Server {
    /// Requests a second that a client with 16 at once can get from it.
    fn possible(&self) -> f64 {
        let one = 1.0 / self.latency.as_secs_f64();
        match self.allows {
            Allows::AtOnce(count) => (count as f64 * one).min(16.0 * one),
            Allows::Bucket(a_second, _) => a_second.min(16.0 * one),
            Allows::FixedWindow(count) | Allows::SlidingWindow(count) => f64::from(count).min(16.0 * one),
        }
    }
}

/// What it let through lately.
struct Account {
    allows: Allows,
    tokens: f64,
    /// When requests were let through, in milliseconds.
    lately: VecDeque<u64>,
}

impl Account {
    fn new(allows: Allows) -> Account {
        let mut account = Account { allows, tokens: 0.0, lately: VecDeque::new() };
        account.tokens = account.burst();
        account
    }

    fn burst(&self) -> f64 {
        match self.allows {
            Allows::Bucket(a_second, burst) => (a_second * burst).max(1.0),
            _ => 0.0,
        }
    }

    fn a_millisecond_passes(&mut self) {
        if let Allows::Bucket(a_second, _) = self.allows {
            self.tokens = (self.tokens + a_second / 1_000.0).min(self.burst());
        }
    }

    fn admits(&mut self, ms: u64, busy: usize) -> bool {
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
        };
        if admits {
            self.tokens -= 1.0;
            self.lately.push_back(ms);
        }
        admits
    }
}

/// A request on its way there, or back.
enum Flight {
    There { arrives: u64 },
    Back { arrives: u64, admitted: bool },
}

#[derive(Debug, Default)]
struct Served {
    borne: u32,
    refused: u32,
}

impl Served {
    /// The shares of what could be had that was used, and of the answers that were refusals.
    fn shares(&self, possible: f64) -> (f64, f64) {
        let (borne, refused) = (f64::from(self.borne), f64::from(self.refused));
        (borne / possible, refused / (borne + refused))
    }
}

/// Runs a client that always has more to ask for; counts from `warm` to `end`. Steps of a millisecond.
fn simulate(limit: &mut Limit, server: &Server, warm: u64, end: u64) -> Served {
    let (start, mut chance) = (Instant::now(), fastrand::Rng::with_seed(1));
    let latency = server.latency.as_millis() as u64;
    let (mut account, mut served) = (Account::new(server.allows), Served::default());
    let mut in_flight: Vec<(Ticket, Flight)> = Vec::new();
    let (mut paused_until, mut next_at) = (start, start);
    for ms in 0..end {
        let now = start + Duration::from_millis(ms);
        account.a_millisecond_passes();
        for n in 0..in_flight.len() {
            if matches!(in_flight[n].1, Flight::There { arrives } if arrives <= ms) {
                let busy = in_flight
                    .iter()
                    .filter(|(_, flight)| matches!(flight, Flight::Back { admitted: true, .. }));
                let admitted = account.admits(ms, busy.count());
                let arrives = ms + if admitted { latency } else { 1 };
                in_flight[n].1 = Flight::Back { arrives, admitted };
            }
        }
        let is_back = |flight: &Flight| matches!(flight, Flight::Back { arrives, .. } if *arrives <= ms);
        let (done, rest): (Vec<_>, Vec<_>) = in_flight.into_iter().partition(|(_, flight)| is_back(flight));
        in_flight = rest;
        for (ticket, flight) in done {
            let admitted = matches!(flight, Flight::Back { admitted: true, .. });
            let load = if admitted { Load::Borne } else { Load::Throttled(server.retry_after) };
            let pace = limit.pace();
            let pause = limit.learn(ticket, load, now);
            paused_until = paused_until.max(now + pause.unwrap_or_default());
            if limit.pace() != pace {
                next_at = now;
            }
            if ms >= warm {
                if admitted { served.borne += 1 } else { served.refused += 1 }
            }
        }
        while in_flight.len() < limit.concurrency() && now >= paused_until && now >= next_at {
            if let Some(interval) = limit.interval() {
                next_at = next_at.max(now - Duration::from_millis(1)) + interval;
            }
            let ticket = limit.start(in_flight.len() + 1, now);
            in_flight.push((ticket, Flight::There { arrives: ms + chance.u64(0..=server.detour) }));
        }
    }
    served
}

/// Servers that allow the same in other ways: with and without a word of how long to wait.
fn servers(allows: &[Allows], latencies: &[u64], detour: u64) -> Vec<Server> {
    let mut servers = Vec::new();
    for allows in allows {
        for retry_after in [None, Some(Duration::from_secs(1))] {
            for latency in latencies {
                let latency = Duration::from_millis(*latency);
                servers.push(Server { allows: *allows, latency, detour, retry_after });
            }
        }
    }
    servers
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_found_and_used() {
    for server in servers(&[Allows::Bucket(100.0, 0.2), Allows::Bucket(250.0, 0.2)], &[20, 50], 0) {
        let mut limit = Limit::new(16);
        let (used, refused) =
            simulate(&mut limit, &server, 30_000, 150_000).shares(120.0 * server.possible());
        assert!(used >= 0.93 && refused < 0.01, "{server:?}: {used} {refused} {limit:?}");
        // The next run, from its first request on.
        let mut next = Limit::new(16);
        if let Some(learned) = limit.learned() {
            next.expect(learned, Instant::now());
        }
        let (used, refused) = simulate(&mut next, &server, 0, 60_000).shares(60.0 * server.possible());
        assert!(used >= 0.93 && refused < 0.01, "next: {server:?}: {used} {refused}");
    }
}

/// Whatever bursts an API bears, strict ones among them, a rate that is met first is in use after a few seconds.
#[tokio::test(start_paused = true)]
async fn a_rate_is_found_soon() {
    for burst in [0.02, 0.2, 1.0, 5.0] {
        for server in servers(&[Allows::Bucket(100.0, burst)], &[20, 50], 0) {
            let (used, refused) =
                simulate(&mut Limit::new(16), &server, 5_000, 65_000).shares(60.0 * server.possible());
            // Where hardly any burst is borne, the number at once seems to be the limit, and rises slowly.
            let least = if burst < 0.1 { 0.8 } else { 0.94 };
            assert!(used >= least && refused < 0.01, "{server:?}: {used} {refused}");
        }
    }
}

/// However an API counts: what it lets through in a window of time comes at whatever speed is asked.
#[tokio::test(start_paused = true)]
async fn a_window_is_found_soon() {
    for count in [50, 100, 250] {
        let windows = [Allows::FixedWindow(count), Allows::SlidingWindow(count)];
        for detour in [0, 10] {
            for server in servers(&windows, &[20, 50], detour) {
                let (used, refused) =
                    simulate(&mut Limit::new(16), &server, 5_000, 65_000).shares(60.0 * server.possible());
                // Half of a window more than the one before may also be what a bucket lets through at a lower rate.
                let least = if count == 250 { 0.8 } else { 0.93 };
                assert!(used >= least && refused < 0.01, "{server:?}: {used} {refused}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_at_once_is_found_and_used() {
    for at_once in [1, 2, 5, 8, 12] {
        for server in servers(&[Allows::AtOnce(at_once)], &[50], 0) {
            let mut limit = Limit::new(16);
            let (used, refused) =
                simulate(&mut limit, &server, 20_000, 140_000).shares(120.0 * server.possible());
            assert!(used >= 0.93 && refused < 0.01, "{server:?}: {used} {refused} {limit:?}");
        }
    }
}

/// Where the API doesn't say how long to wait, a few requests find it out; one that refuses everything shows as such after
/// a while.
#[tokio::test(start_paused = true)]
async fn an_api_that_refuses_everything_is_asked_one_by_one_for_a_while() {
    let server = |allows| Server { allows, latency: Duration::from_millis(50), detour: 0, retry_after: None };
    let served = |end| simulate(&mut Limit::new(16), &server(Allows::AtOnce(0)), 0, end);
    assert!((20..40).contains(&served(20_000).refused), "{:?}", served(20_000));
    let later = served(120_000).refused - served(60_000).refused;
    assert!(later >= 30, "{later}");
}

#[tokio::test(start_paused = true)]
async fn a_wave_of_refusals_cuts_once() {
    let mut limit = Limit::new(8);
    let now = Instant::now();
    let tickets: Vec<Ticket> = (1..=8).map(|in_flight| limit.start(in_flight, now)).collect();
    for ticket in tickets.into_iter().rev() {
        limit.learn(ticket, Load::Throttled(None), now);
    }
    assert_eq!(limit.concurrency(), 4);
}

/// An API that refuses now and then, whatever is asked of it, isn't taken for one with a rate.
#[tokio::test(start_paused = true)]
async fn refusals_by_chance_slow_nothing_down_for_good() {
    for seed in 0..20 {
        let (mut limit, mut chance) = (Limit::new(16), fastrand::Rng::with_seed(seed));
        let mut now = Instant::now();
        for _ in 0..2_000 {
            let load = if chance.f64() < 0.1 { Load::Throttled(None) } else { Load::Borne };
            let ticket = limit.start(limit.concurrency(), now);
            limit.learn(ticket, load, now);
            now += limit.interval().unwrap_or(Duration::from_millis(5)).max(Duration::from_millis(5));
        }
        assert!(now.duration_since(Instant::now()) < Duration::from_secs(60), "{limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_refusals_nothing_is_limited_or_learned() {
    let mut limit = Limit::new(8);
    for _ in 0..1_000 {
        let ticket = limit.start(8, Instant::now());
        limit.learn(ticket, Load::Borne, Instant::now());
    }
    assert_eq!((limit.concurrency(), limit.interval(), limit.learned()), (8, None, None));
}

proptest! {
    #[test]
    fn the_limits_stay_sane(
        max in 0usize..40,
        steps in prop::collection::vec((0u64..3, 0usize..40, 0u8..4, 0u64..5_000), 0..300),
    ) {
        let mut limit = Limit::new(max);
        let mut now = Instant::now();
        for (age, in_flight, load, passed) in steps {
            now += Duration::from_millis(passed);
            let mut ticket = limit.start(in_flight, now);
            ticket.generation = ticket.generation.saturating_sub(age);
            let load = [Load::Borne, Load::Throttled(None), Load::Unknown, Load::Failing][usize::from(load)];
            let before = limit.concurrency();
            limit.learn(ticket, load, now);
            prop_assert!((1..=max.max(1)).contains(&limit.concurrency()));
            prop_assert!(limit.concurrency() <= before + 1);
            prop_assert!(limit.interval().is_none_or(|interval| interval <= Duration::from_secs(5)));
        }
    }
}
