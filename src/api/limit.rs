//! How much the API bears (`api-contract` point 13): how many requests at once, and how many a second. Pure: times
//! come in as arguments.
//!
//! A 429 doesn't say which of the two was too much. Where as many requests at once went well just before, it was the
//! rate. What was too much is remembered as a ceiling, approached again rarely and in small steps: each attempt costs a
//! refused request, and the pause that the API may ask for.

use super::stretches::{Shown, Stretch, Stretches};
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

/// A request that has started, as the limits know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    generation: u64,
    /// Raised with each stretch of requests that is counted by itself.
    stretch: u64,
    /// Requests of its stretch that started before it.
    before: u32,
    at: Instant,
    /// In flight when it started, itself included.
    in_flight: usize,
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

/// The first time for this long only: those requests began all at once.
const HOLD_OF_THE_UNSPREAD: Duration = Duration::from_secs(2);

/// What another run has learned is relied on for so long before it is tried whether more is allowed by now.
const HOLD_OF_THE_KNOWN: Duration = Duration::from_secs(60);

/// How a rate grows, and how often. One that is refused goes a step back and grows more slowly from there: by the last
/// of these after a hold only. APIs let bursts pass, so the less too fast a rate is, the later that shows: whoever grows
/// on before it has shown goes far beyond what is allowed, and pays with pauses.
const GROWTH: [(f64, Duration); 4] = [
    (1.5, Duration::from_millis(1_500)),
    (1.15, Duration::from_secs(4)),
    (1.04, Duration::from_millis(2_500)),
    (1.01, Duration::from_secs(10)),
];

/// Requests at once are spread over this share of the time that one takes, and begin no further apart than this.
const SPREAD: f64 = 0.8;
const WIDEST_SPACING: Duration = Duration::from_millis(250);

/// Below what seemed to be allowed, by this much.
const BELOW: f64 = 0.99;
const WELL_BELOW: f64 = 0.94;

/// A number at once has proved itself after so many times that number in a row.
const ROW_THAT_PROVES: usize = 6;

/// Where refusals show a rate, and so many requests went well beside as many others, those weren't too many.
const ROW_BESIDE_A_RATE: u32 = 8;

/// So many requests may come one by one before many come at once.
const ALONE_AT_FIRST: u32 = 3;

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
    /// Raised with each cut.
    generation: u64,
    /// Successes in a row since the last change.
    row: usize,
    rate: Option<Rate>,
    doubted_until: Option<Instant>,
    /// Requests borne since the last cut, by how many were in flight when they started.
    borne_with: Vec<u32>,
    /// All of them, and since when they count.
    borne: u32,
    since: Option<Instant>,
    /// How long a request that is borne takes.
    latency: Option<Duration>,
    /// The stretch of requests since the last cut or growth: how many have started, the first one of them, and the
    /// refused one before it; `None` where what the API holds ready for a burst is full.
    stretch: u64,
    started: u32,
    first_at: Option<Instant>,
    refused_at: Option<Instant>,
    stretches: Stretches,
    /// The last refusal, while others of its wave may come.
    refused: Option<Ticket>,
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

    /// Refusals have shown it: it is tried for more with care.
    fn shown(shown: Shown, now: Instant) -> Rate {
        let (stage, below) =
            if shown.is_sharp { (GROWTH.len() - 1, BELOW) } else { (GROWTH.len() - 2, WELL_BELOW) };
        let a_second = (shown.a_second * below).max(SLOWEST);
        Rate { stage, grows_at: now + GROWTH[stage].1, ..Rate::guess(a_second, now) }
    }

    fn known(a_second: f64, now: Instant) -> Rate {
        let hold = HOLD_OF_THE_KNOWN;
        Rate { a_second, stage: GROWTH.len() - 1, grows_at: now + hold, hold, early: 0 }
    }

    fn grow(&mut self, now: Instant) -> bool {
        let grows = now >= self.grows_at;
        if grows {
            let (step, pause) = GROWTH[self.stage];
            self.a_second *= step;
            self.grows_at = now + pause;
        }
        grows
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
            borne_with: Vec::new(),
            borne: 0,
            since: None,
            latency: None,
            stretch: 0,
            started: 0,
            first_at: None,
            refused_at: None,
            stretches: Stretches::default(),
            refused: None,
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

    /// The time between two requests, where their rate or their number at once is limited.
    pub(super) fn interval(&self) -> Option<Duration> {
        let by_rate = self.rate.as_ref().map(|rate| Duration::from_secs_f64(1.0 / rate.a_second));
        by_rate.max(self.spacing())
    }

    /// So many at once, begun one after the other: what begins at once ends at once, and begins at once again, which to an API
    /// that counts by time is a burst.
    fn spacing(&self) -> Option<Duration> {
        let (_, latency) = (self.ceiling?, self.latency?);
        Some(latency.mul_f64(SPREAD / self.now as f64).min(WIDEST_SPACING))
    }

    /// A request starts, with so many in flight, itself included.
    pub(super) fn start(&mut self, in_flight: usize, now: Instant) -> Ticket {
        // The first requests are asked one by one: what the API holds ready for a burst is full until the others come.
        if self.generation == 0 && in_flight == 1 && self.started <= ALONE_AT_FIRST {
            (self.first_at, self.started) = (None, 0);
        }
        self.first_at.get_or_insert(now);
        let before = self.started;
        self.started += 1;
        Ticket { generation: self.generation, stretch: self.stretch, before, at: now, in_flight }
    }

    /// Takes what became of a request. What started before a cut says nothing about the limit after it.
    pub(super) fn learn(&mut self, ticket: Ticket, load: Load, now: Instant) {
        if load == Load::Borne {
            let took = now.saturating_duration_since(ticket.at);
            self.latency = Some(self.latency.map_or(took, |latency| (latency * 7 + took) / 8));
        }
        if ticket.generation != self.generation {
            self.learn_late(ticket, load);
            return;
        }
        match load {
            Load::Throttled(pause) => {
                let resumed = now + pause.unwrap_or_default();
                self.note_stretch(ticket);
                self.cut(ticket.in_flight, now, resumed);
                self.generation += 1;
                self.borne_with.clear();
                (self.row, self.borne, self.since) = (0, 0, Some(resumed));
                self.begin_stretch(Some(ticket.at));
                self.refused = Some(ticket);
            }
            Load::Borne => self.borne(ticket.in_flight, now),
            Load::Unknown => self.row = 0,
        }
    }

    fn begin_stretch(&mut self, refused_at: Option<Instant>) {
        self.stretch += 1;
        (self.started, self.first_at, self.refused_at) = (0, None, refused_at);
    }

    /// Requests overtake each other on their way: one that started before the refused one and is refused too was not let
    /// through.
    fn learn_late(&mut self, ticket: Ticket, load: Load) {
        if let (Load::Throttled(_), Some(refused)) = (load, self.refused)
            && ticket.stretch == refused.stretch
            && ticket.before < refused.before
        {
            self.stretches.one_less();
        }
    }

    fn note_stretch(&mut self, refused: Ticket) {
        if refused.stretch != self.stretch {
            return;
        }
        let first_at = self.first_at.unwrap_or(refused.at);
        let seconds_since = |at: Instant, until: Instant| until.saturating_duration_since(at).as_secs_f64();
        self.stretches.add(Stretch {
            pause: self.refused_at.map_or(f64::INFINITY, |at| seconds_since(at, first_at)),
            seconds: seconds_since(first_at, refused.at),
            requests: f64::from(refused.before),
        });
    }

    fn borne(&mut self, in_flight: usize, now: Instant) {
        let in_flight = in_flight.min(self.max);
        self.borne_with.resize(self.borne_with.len().max(in_flight + 1), 0);
        self.borne_with[in_flight] = self.borne_with[in_flight].saturating_add(1);
        self.since.get_or_insert(now);
        self.borne = self.borne.saturating_add(1);
        self.row += 1;
        // One too many is not always noticed at once: some answers are on their way back already.
        if self.row >= ROW_THAT_PROVES * self.now {
            self.proven = self.proven.max(self.now);
        }
        if let Some(rate) = &mut self.rate
            && rate.grow(now)
        {
            // Slower requests left what the API holds ready for a burst as full as it was, or filled it.
            self.begin_stretch(None);
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
        let shown = self.stretches.rate();
        let borne_with_as_many: u32 = self.borne_with.iter().skip(refused).sum();
        let is_rate = shown.is_some() && borne_with_as_many >= ROW_BESIDE_A_RATE;
        if refused > self.proven.max(1) && !is_rate {
            self.cut_concurrency(refused, resumed);
            return;
        }
        let soon = self.since.is_some_and(|since| now.saturating_duration_since(since) < SOON);
        let guess = self.guess(now);
        let row_that_shows = if shown.is_some() { ROW_THAT_SHOWS / 2 } else { ROW_THAT_SHOWS };
        match &mut self.rate {
            None if self.doubted_until.is_some_and(|until| now < until) => self.now = (self.now / 2).max(1),
            None if self.borne < row_that_shows && self.now > 1 => self.now /= 2,
            // One after the other is too fast.
            None if self.borne < row_that_shows => {
                let half = 0.5 / self.latency.unwrap_or_default().as_secs_f64().max(0.001);
                let rate = self.stretches.least().unwrap_or(half);
                self.rate = Some(Rate::guess(rate.max(SLOWEST), resumed));
            }
            None => {
                self.rate = Some(match shown {
                    Some(shown) => Rate::shown(shown, resumed),
                    None => Rate::guess(guess, resumed),
                });
            }
            Some(rate) => {
                rate.cut(self.borne, soon, resumed);
                // After growth a stretch may have begun with less than a full burst, and show too little.
                let least = if self.refused_at.is_none() { rate.a_second } else { SLOWEST };
                if let Some(shown) = shown {
                    rate.a_second = (shown.a_second * BELOW).max(least);
                    rate.early = 0;
                }
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
            // What was refused when it came at once may be borne when it is spread.
            None => HOLD_OF_THE_UNSPREAD,
            Some((ceiling, _)) if ceiling <= refused => (2 * self.hold).clamp(FIRST_HOLD, LONGEST_HOLD),
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
        /// Requests that may come at once, in seconds' worth.
        burst: f64,
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
        let burst = (server.a_second * server.burst).max(1.0);
        let (mut tokens, mut served) = (burst, Served::default());
        // Each with the time of its answer, and whether it was admitted.
        let mut in_flight: Vec<(Instant, Ticket, bool)> = Vec::new();
        let (mut paused_until, mut next_at) = (start, start);
        for ms in 0..end {
            let now = at(ms);
            tokens = (tokens + server.a_second / 1_000.0).min(burst);
            let (done, rest): (Vec<_>, Vec<_>) = in_flight.into_iter().partition(|(until, ..)| *until <= now);
            in_flight = rest;
            for (_, ticket, admitted) in done {
                let load = if admitted { Load::Borne } else { Load::Throttled(server.retry_after) };
                if !admitted {
                    paused_until = paused_until.max(now + server.retry_after.unwrap_or_default());
                }
                limit.learn(ticket, load, now);
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
                let ticket = limit.start(in_flight.len() + 1, now);
                in_flight.push((now + takes, ticket, admitted));
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
                        burst: 0.2,
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

    /// Whatever bursts an API bears, strict ones among them, a rate that is met first is in use after a few seconds.
    #[tokio::test(start_paused = true)]
    async fn a_rate_is_found_soon() {
        for burst in [0.02, 0.2, 1.0, 5.0] {
            for retry_after in [None, Some(Duration::from_secs(1))] {
                for latency in [20, 50].into_iter().skip(usize::from(burst > 1.0)) {
                    let latency = Duration::from_millis(latency);
                    let server = Server { at_once: 1_000, a_second: 100.0, burst, latency, retry_after };
                    let served = simulate(&mut Limit::new(16), &server, 5_000, 65_000);
                    let (used, refused) = share(&served, 6_000.0);
                    // Where hardly any burst is borne, the number at once seems to be the limit, and rises slowly.
                    let least = if burst < 0.1 { 0.8 } else { 0.94 };
                    assert!(
                        used >= least && refused < 0.01,
                        "{burst} {retry_after:?} {latency:?}: {used} {refused}"
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
                let server = Server { at_once, a_second: 1e6, burst: 0.2, latency, retry_after };
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
            steps in prop::collection::vec((0u64..3, 0usize..40, 0u8..3, 0u64..5_000), 0..300),
        ) {
            let mut limit = Limit::new(max);
            let mut now = Instant::now();
            for (age, in_flight, load, passed) in steps {
                now += Duration::from_millis(passed);
                let mut ticket = limit.start(in_flight, now);
                ticket.generation = ticket.generation.saturating_sub(age);
                let load = [Load::Borne, Load::Throttled(None), Load::Unknown][usize::from(load)];
                let before = limit.concurrency();
                limit.learn(ticket, load, now);
                prop_assert!((1..=max.max(1)).contains(&limit.concurrency()));
                prop_assert!(limit.concurrency() <= before + 1);
                prop_assert!(limit.interval().is_none_or(|interval| interval <= Duration::from_secs(5)));
            }
        }
    }
}
