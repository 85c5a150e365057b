//! How much the API bears (`api-contract` point 13): how many requests at once, and how many a second. Pure: times
//! come in as arguments.
//!
//! A 429 doesn't say which of the two was too much. Where as many requests at once went well just before, it was the
//! rate. What was too much is remembered as a ceiling, approached again rarely and in small steps: each attempt costs a
//! refused request, and the pause that the API may ask for.

use std::time::Duration;
use tokio::time::Instant;

/// What an attempt says about the load that the API bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// It answered: any status that is neither of the others.
    Borne,
    /// 429 or 503; with a usable `Retry-After`, everybody waits that long.
    Throttled(Option<Duration>),
    /// Anything else, which says nothing about the load but ends a row of successes.
    Unknown,
}

/// What was learned of the API's limits. Kept in the mirror for the next run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned {
    /// Requests in flight at most.
    pub concurrency: usize,
    /// Requests a second at most; `None` while no such limit has shown.
    pub rate: Option<f64>,
}

/// A ceiling is approached again after so long, and each time that it holds, after twice as long.
const FIRST_HOLD: Duration = Duration::from_secs(10);
const LONGEST_HOLD: Duration = Duration::from_secs(600);

/// What another run has learned is relied on for so long before it is tried whether more is allowed by now.
const HOLD_OF_THE_KNOWN: Duration = Duration::from_secs(60);

/// How a rate grows, and how often. One that is refused goes a step back and grows more slowly from there: by the last
/// of these after a hold only. APIs let bursts pass, so the less too fast a rate is, the later that shows: whoever grows
/// on before it has shown goes far beyond what is allowed, and pays with pauses.
const GROWTH: [(f64, Duration); 4] = [
    (1.5, Duration::from_millis(1_500)),
    (1.15, Duration::from_secs(4)),
    (1.04, Duration::from_secs(8)),
    (1.01, Duration::from_secs(10)),
];

/// Below what seemed to be allowed, by this much.
const BELOW: f64 = 0.99;

/// A number at once has proved itself after so many times that number in a row.
const ROW_THAT_PROVES: usize = 6;

/// A rate is only believed in after so many requests in a row went well: an API that fails now and then, whatever is
/// asked of it, rarely lets so many pass.
const ROW_THAT_SHOWS: u32 = 20;

/// A rate that is refused so often, each time long before it can have been too high, is none: for so long it is not
/// looked for again.
const EARLY_REFUSALS: u32 = 3;
const DOUBT: Duration = Duration::from_secs(60);

/// A rate that is refused so soon after a cut was cut too little.
const SOON: Duration = Duration::from_secs(2);

/// No guess is slower than this: a server that allows less says so with its pauses.
const SLOWEST: f64 = 0.2;

/// The limits' fall and rise.
#[derive(Debug)]
pub(super) struct Limit {
    now: usize,
    max: usize,
    /// The smallest number at once that was refused, and when it may be tried again.
    ceiling: Option<(usize, Instant)>,
    hold: Duration,
    /// The largest number at once that a row of requests has proved.
    proven: usize,
    /// Raised with each cut. What started before a cut says nothing about the limit after it.
    generation: u64,
    /// Successes in a row since the last change.
    row: usize,
    rate: Option<Rate>,
    doubted_until: Option<Instant>,
    /// Requests borne since the last cut, and since when they count.
    borne: u32,
    since: Option<Instant>,
    /// Requests that went through at once before the rate showed: the API's allowance for bursts.
    burst: Option<u32>,
}

#[derive(Debug)]
struct Rate {
    a_second: f64,
    /// Which of [`GROWTH`] it grows by.
    stage: usize,
    grows_at: Instant,
    hold: Duration,
    /// Refusals in a row that came too early to be explained by it.
    early: u32,
}

impl Rate {
    fn guess(a_second: f64, now: Instant) -> Rate {
        Rate { a_second, stage: 0, grows_at: now + GROWTH[0].1, hold: FIRST_HOLD, early: 0 }
    }

    fn known(a_second: f64, now: Instant) -> Rate {
        let hold = HOLD_OF_THE_KNOWN;
        Rate { a_second, stage: GROWTH.len() - 1, grows_at: now + hold, hold, early: 0 }
    }

    fn grow(&mut self, now: Instant) {
        if now >= self.grows_at {
            let (step, pause) = GROWTH[self.stage];
            self.a_second *= step;
            self.grows_at = now + pause;
        }
    }

    /// Was refused after so many requests were borne; requests go on at `resumed`.
    fn cut(&mut self, borne: u32, soon: bool, resumed: Instant) {
        let (step, _) = GROWTH[self.stage];
        // What is too fast by a hundredth is refused after a hundred requests.
        let is_early = borne < ROW_THAT_SHOWS || f64::from(borne) < 0.3 / (step - 1.0);
        self.early = if is_early { self.early + 1 } else { 0 };
        self.a_second = (self.a_second / if soon { step * step } else { step } * BELOW).max(SLOWEST);
        if self.stage + 1 == GROWTH.len() {
            self.grows_at = resumed + self.hold;
            self.hold = (2 * self.hold).min(LONGEST_HOLD);
        } else {
            self.stage += usize::from(!soon);
            self.grows_at = resumed + GROWTH[self.stage].1;
        }
    }
}

impl Limit {
    pub(super) fn new(max: usize) -> Limit {
        let max = max.max(1);
        Limit {
            now: max,
            max,
            ceiling: None,
            hold: FIRST_HOLD,
            proven: 0,
            generation: 0,
            row: 0,
            rate: None,
            doubted_until: None,
            borne: 0,
            since: None,
            burst: None,
        }
    }

    /// Starts from what another run has learned, unless this one has learned something by itself.
    pub(super) fn expect(&mut self, learned: Learned, now: Instant) {
        if self.generation > 0 || self.rate.is_some() || self.ceiling.is_some() {
            return;
        }
        if learned.concurrency < self.max {
            self.now = learned.concurrency.max(1);
            self.hold = HOLD_OF_THE_KNOWN;
            self.ceiling = Some((self.now + 1, now + self.hold));
        }
        let rate = learned.rate.filter(|rate| rate.is_finite() && *rate >= SLOWEST);
        self.rate = rate.map(|rate| Rate::known(rate, now));
    }

    /// What was learned, if the API ever asked for less than was wanted of it.
    pub(super) fn learned(&self) -> Option<Learned> {
        let is_limited = self.ceiling.is_some() || self.rate.is_some();
        is_limited
            .then(|| Learned { concurrency: self.now, rate: self.rate.as_ref().map(|rate| rate.a_second) })
    }

    /// Requests at once.
    pub(super) fn concurrency(&self) -> usize {
        self.now
    }

    /// The time between two requests, where their rate is limited.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.rate.as_ref().map(|rate| Duration::from_secs_f64(1.0 / rate.a_second))
    }

    /// What a request that starts now belongs to.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes what a request of `generation` says, at whose start `in_flight` were in flight, itself included.
    pub(super) fn learn(&mut self, generation: u64, in_flight: usize, load: Load, now: Instant) {
        if generation != self.generation {
            return;
        }
        match load {
            Load::Throttled(pause) => {
                let resumed = now + pause.unwrap_or_default();
                self.cut(in_flight, now, resumed);
                self.generation += 1;
                (self.row, self.borne) = (0, 0);
                self.since = Some(resumed);
            }
            Load::Borne => self.borne(now),
            Load::Unknown => self.row = 0,
        }
    }

    fn borne(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.borne = self.borne.saturating_add(1);
        self.row += 1;
        // One too many is not always noticed at once: some answers are on their way back already.
        if self.row >= ROW_THAT_PROVES * self.now {
            self.proven = self.proven.max(self.now);
        }
        if let Some(rate) = &mut self.rate {
            rate.grow(now);
        }
        let may_rise = match self.ceiling {
            Some((ceiling, try_at)) => self.now + 1 < ceiling || now >= try_at,
            None => true,
        };
        if self.now < self.max && self.row >= self.now && may_rise {
            self.now += 1;
            self.row = 0;
        }
    }

    fn cut(&mut self, in_flight: usize, now: Instant, resumed: Instant) {
        let refused = in_flight.min(self.now);
        if refused > self.proven.max(1) {
            self.cut_concurrency(refused, resumed);
            return;
        }
        let soon = self.since.is_some_and(|since| now.saturating_duration_since(since) < SOON);
        let guess = self.guess(now);
        match &mut self.rate {
            None if self.borne < ROW_THAT_SHOWS || self.doubted_until.is_some_and(|until| now < until) => {
                self.now = (self.now / 2).max(1);
            }
            None => self.rate = Some(Rate::guess(guess, resumed)),
            Some(rate) => {
                rate.cut(self.borne, soon, resumed);
                if rate.early >= EARLY_REFUSALS {
                    self.rate = None;
                    self.doubted_until = Some(resumed + DOUBT);
                }
            }
        }
    }

    fn cut_concurrency(&mut self, refused: usize, resumed: Instant) {
        self.burst = Some(self.burst.map_or(self.borne, |burst| burst.min(self.borne)));
        self.hold = match self.ceiling {
            Some((ceiling, _)) if ceiling <= refused => (2 * self.hold).min(LONGEST_HOLD),
            _ => self.hold.min(HOLD_OF_THE_KNOWN),
        };
        self.ceiling = Some((refused, resumed + self.hold));
        self.now = (self.now / 2).max(self.proven.min(refused - 1)).max(1);
    }

    /// A first guess at the rate that is allowed: what was borne since the last cut, without what was a burst.
    fn guess(&self, now: Instant) -> f64 {
        let seconds =
            self.since.map_or(0.0, |since| now.saturating_duration_since(since).as_secs_f64()).max(0.05);
        let borne = f64::from(self.borne);
        let steady = borne - f64::from(self.burst.unwrap_or(self.borne / 2).min(self.borne));
        (steady.max(borne / 8.0) / seconds * BELOW).max(SLOWEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A server as a simulation: what it allows, and what a client with this limit gets from it.
    struct Server {
        at_once: usize,
        a_second: f64,
        latency: Duration,
        retry_after: Option<Duration>,
    }

    #[derive(Debug, Default)]
    struct Served {
        borne: u32,
        refused: u32,
    }

    /// Runs a client that always has more to ask for; counts from `warm` to `end`. Steps of a millisecond.
    fn simulate(limit: &mut Limit, server: &Server, warm: u64, end: u64) -> Served {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let burst = (server.a_second / 5.0).max(1.0);
        let (mut tokens, mut served) = (burst, Served::default());
        // Each with the time of its answer, its generation, how many were in flight, and whether it was admitted.
        let mut in_flight: Vec<(Instant, u64, usize, bool)> = Vec::new();
        let (mut paused_until, mut next_at) = (start, start);
        for ms in 0..end {
            let now = at(ms);
            tokens = (tokens + server.a_second / 1_000.0).min(burst);
            let (done, rest): (Vec<_>, Vec<_>) = in_flight.into_iter().partition(|(until, ..)| *until <= now);
            in_flight = rest;
            for (_, generation, together, admitted) in done {
                let load = if admitted { Load::Borne } else { Load::Throttled(server.retry_after) };
                if !admitted {
                    paused_until = paused_until.max(now + server.retry_after.unwrap_or_default());
                }
                limit.learn(generation, together, load, now);
                if ms >= warm {
                    if admitted { served.borne += 1 } else { served.refused += 1 }
                }
            }
            while in_flight.len() < limit.concurrency() && now >= paused_until && now >= next_at {
                if let Some(interval) = limit.interval() {
                    next_at = next_at.max(now - Duration::from_millis(1)) + interval;
                }
                let busy = in_flight.iter().filter(|(.., admitted)| *admitted).count();
                let admitted = busy < server.at_once && tokens >= 1.0;
                tokens -= if admitted { 1.0 } else { 0.0 };
                let takes = if admitted { server.latency } else { Duration::from_millis(1) };
                in_flight.push((now + takes, limit.generation(), in_flight.len() + 1, admitted));
            }
        }
        served
    }

    fn share(served: &Served, allowed: f64) -> (f64, f64) {
        let all = f64::from(served.borne + served.refused);
        (f64::from(served.borne) / allowed, f64::from(served.refused) / all)
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_found_and_used() {
        for a_second in [100.0, 250.0] {
            for retry_after in [None, Some(Duration::from_secs(1))] {
                for latency in [20, 50] {
                    let server = Server {
                        at_once: 1_000,
                        a_second,
                        latency: Duration::from_millis(latency),
                        retry_after,
                    };
                    let possible = a_second.min(16_000.0 / latency as f64);
                    let mut limit = Limit::new(16);
                    let served = simulate(&mut limit, &server, 30_000, 150_000);
                    let (used, refused) = share(&served, possible * 120.0);
                    assert!(
                        used >= 0.93 && refused < 0.01,
                        "{a_second} {retry_after:?} {latency}: {used} {refused} {limit:?}"
                    );
                    // The next run, from its first request on.
                    let mut next = Limit::new(16);
                    if let Some(learned) = limit.learned() {
                        next.expect(learned, Instant::now());
                    }
                    let served = simulate(&mut next, &server, 0, 60_000);
                    let (used, refused) = share(&served, possible * 60.0);
                    assert!(
                        used >= 0.93 && refused < 0.01,
                        "next: {a_second} {retry_after:?} {latency}: {used} {refused}"
                    );
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_number_at_once_is_found_and_used() {
        for at_once in [1, 2, 5, 8, 12] {
            for retry_after in [None, Some(Duration::from_secs(1))] {
                let latency = Duration::from_millis(50);
                let server = Server { at_once, a_second: 1e6, latency, retry_after };
                let mut limit = Limit::new(16);
                let served = simulate(&mut limit, &server, 20_000, 140_000);
                let (used, refused) = share(&served, at_once as f64 * 20.0 * 120.0);
                assert!(
                    used >= 0.93 && refused < 0.01,
                    "{at_once} {retry_after:?}: {used} {refused} {limit:?}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wave_of_refusals_cuts_once() {
        let mut limit = Limit::new(8);
        let now = Instant::now();
        for in_flight in (1..=8).rev() {
            limit.learn(0, in_flight, Load::Throttled(None), now);
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
                limit.learn(limit.generation(), limit.concurrency(), load, now);
                now += limit.interval().unwrap_or(Duration::from_millis(5)).max(Duration::from_millis(5));
            }
            assert!(now.duration_since(Instant::now()) < Duration::from_secs(60), "{limit:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_refusals_nothing_is_limited_or_learned() {
        let mut limit = Limit::new(8);
        for _ in 0..1_000 {
            limit.learn(0, 8, Load::Borne, Instant::now());
        }
        assert_eq!((limit.concurrency(), limit.interval(), limit.learned()), (8, None, None));
    }

    proptest! {
        #[test]
        fn the_limits_stay_sane(
            max in 0usize..40,
            steps in prop::collection::vec((0u64..3, 0usize..40, 0u8..3, 0u64..5_000), 0..300),
        ) {
            let mut limit = Limit::new(max);
            let mut now = Instant::now();
            for (age, in_flight, load, passed) in steps {
                now += Duration::from_millis(passed);
                let generation = limit.generation().saturating_sub(age);
                let load = [Load::Borne, Load::Throttled(None), Load::Unknown][usize::from(load)];
                let before = limit.concurrency();
                limit.learn(generation, in_flight, load, now);
                prop_assert!((1..=max.max(1)).contains(&limit.concurrency()));
                prop_assert!(limit.concurrency() <= before + 1);
                prop_assert!(limit.interval().is_none_or(|interval| interval <= Duration::from_secs(5)));
            }
        }
    }
}
