//! How much the API bears (`api-contract` point 13): how many requests at once, and how many a second. Pure: times
//! come in as arguments.
//!
//! A 429 doesn't say which of the two was too much. Where as many requests at once went well just before, it was the
//! rate. What was too much is remembered as a ceiling, approached again rarely and in small steps: each attempt costs a
//! refused request, and the pause that the API may ask for.

use super::rate::{
    BELOW, DOUBT, FIRST_HOLD, HOLD_OF_THE_KNOWN, LONGEST_HOLD, ROW_THAT_SHOWS, Rate, Refused, SLOWEST,
};
use super::stretches::{Ongoing, Place, Stretches};
use std::time::Duration;
use tokio::time::Instant;

/// What an attempt says about the load that the API bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// It answered: any status that says nothing of too much.
    Borne,
    /// 429, or 503 with a usable `Retry-After`: everybody waits that long.
    Throttled(Option<Duration>),
    /// 503 without: too much was asked, or the API is down.
    Failing,
    /// Anything else, which says nothing about the load but ends a row of successes.
    Unknown,
}

impl Load {
    /// How long the API asks everybody to wait.
    fn pause(self) -> Option<Duration> {
        match self {
            Load::Throttled(pause) => pause,
            _ => None,
        }
    }
}

/// A request that has started, as the limits know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    generation: u64,
    place: Place,
    at: Instant,
    /// In flight when it started, itself included.
    in_flight: usize,
}

/// Two of them differ where requests that were to start later are to start at other times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    generation: u64,
    is_alone: bool,
}

/// What was learned of the API's limits. Kept in the mirror for the next run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned {
    /// Requests in flight at most.
    pub concurrency: usize,
    /// Requests a second at most; `None` while no such limit has shown.
    pub rate: Option<f64>,
}

/// The first time for this long only: those requests began all at once.
const HOLD_OF_THE_UNSPREAD: Duration = Duration::from_secs(2);

/// A trial that is refused costs the pause that the API then asks for: a twentieth of the time, no more.
const HOLD_FOR_A_PAUSE: u32 = 20;

/// Requests at once are spread over this share of the time that one takes, and begin no further apart than this.
const SPREAD: f64 = 0.8;
const WIDEST_SPACING: Duration = Duration::from_millis(250);

/// A number at once has proved itself after so many times that number in a row.
const ROW_THAT_PROVES: usize = 6;

/// Where refusals show a rate, and so many requests went well beside as many others, those weren't too many.
const ROW_BESIDE_A_RATE: u32 = 8;

/// So many requests may come one by one before many come at once.
const ALONE_AT_FIRST: u32 = 3;

/// A rate that is refused so soon after a cut was cut too little.
const SOON: Duration = Duration::from_secs(2);

/// Where the API refuses one request after the other and doesn't say how long to wait, it is half as long as it has refused
/// them already, between these two.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(100);
const LONGEST_PATIENCE: Duration = Duration::from_secs(5);

/// One that has refused everything for so long isn't waited for any more.
const PATIENCE_ENDS: Duration = Duration::from_secs(20);

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
    ongoing: Ongoing,
    stretches: Stretches,
    /// The last refusal, while others of its wave may come.
    refused: Option<Ticket>,
    /// After a refusal that didn't say how long to wait, requests are asked one by one until one is let through.
    is_alone: bool,
    /// Since when none was let through.
    refused_since: Option<Instant>,
    /// Requests that went through at once before the rate showed: the API's allowance for bursts.
    burst: Option<u32>,
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
            ongoing: Ongoing::default(),
            stretches: Stretches::default(),
            refused: None,
            is_alone: false,
            refused_since: None,
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

    /// So many requests at once and no more are let onto the server's connection; others wait, which is no refusal.
    pub(super) fn lower_to(&mut self, streams: usize, now: Instant) {
        let streams = streams.max(1);
        if streams < self.now {
            self.hold = if self.ceiling.is_some() { (2 * self.hold).min(LONGEST_HOLD) } else { FIRST_HOLD };
            self.ceiling = Some((streams + 1, now + self.hold));
            (self.now, self.row) = (streams, 0);
        }
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
        let alone = self.is_alone.then(|| self.latency.unwrap_or(SHORTEST_PATIENCE));
        by_rate.max(self.spacing()).max(alone)
    }

    /// Changes where the time between requests changes at once, rather than little by little.
    pub(super) fn pace(&self) -> Pace {
        Pace { generation: self.generation, is_alone: self.is_alone }
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
        if self.generation == 0 && in_flight == 1 && self.ongoing.started() <= ALONE_AT_FIRST {
            self.ongoing.begin_later();
        }
        Ticket { generation: self.generation, place: self.ongoing.start(now), at: now, in_flight }
    }

    /// Takes what became of a request. What started before a cut says nothing about the limit after it. Returns how long
    /// everybody is to wait.
    pub(super) fn learn(&mut self, ticket: Ticket, load: Load, now: Instant) -> Option<Duration> {
        if load == Load::Borne {
            let took = now.saturating_duration_since(ticket.at);
            self.latency = Some(self.latency.map_or(took, |latency| (latency * 7 + took) / 8));
        }
        if ticket.generation != self.generation {
            self.learn_late(ticket, load);
            return load.pause();
        }
        match load {
            Load::Throttled(None) if self.is_alone && self.is_patient(now) => {
                // Nothing was let through since the last cut: there is nothing to cut, only to wait.
                self.generation += 1;
                self.ongoing.begin(self.ongoing.refused_at());
                Some((self.refused_for(now) / 2).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE))
            }
            Load::Throttled(_) | Load::Failing => {
                let pause = load.pause();
                let resumed = now + pause.unwrap_or_default();
                if let Some(stretch) = self.ongoing.end(ticket.place, ticket.at) {
                    self.stretches.add(stretch);
                }
                self.cut(ticket.in_flight, now, resumed);
                self.generation += 1;
                self.borne_with.clear();
                (self.row, self.borne, self.since) = (0, 0, Some(resumed));
                self.ongoing.begin(Some(ticket.at));
                self.refused = Some(ticket);
                self.refused_since.get_or_insert(now);
                self.is_alone = load == Load::Throttled(None) && self.is_patient(now);
                pause
            }
            Load::Borne => {
                (self.is_alone, self.refused_since) = (false, None);
                self.borne(ticket.in_flight, now);
                None
            }
            Load::Unknown => {
                self.row = 0;
                None
            }
        }
    }

    fn refused_for(&self, now: Instant) -> Duration {
        self.refused_since.map(|since| now.saturating_duration_since(since)).unwrap_or_default()
    }

    /// Whether the API may be waited for: one that goes on refusing everything must show as such.
    fn is_patient(&self, now: Instant) -> bool {
        self.refused_for(now) < PATIENCE_ENDS
    }

    /// Requests overtake each other on their way: one that started before the refused one and is refused too was not let
    /// through.
    fn learn_late(&mut self, ticket: Ticket, load: Load) {
        if let (Load::Throttled(_) | Load::Failing, Some(refused)) = (load, self.refused)
            && ticket.place.is_before(refused.place)
        {
            self.stretches.one_less();
        }
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
            self.ongoing.begin(None);
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
        let is_rate = shown.is_some_and(|shown| shown.is_window || borne_with_as_many >= ROW_BESIDE_A_RATE);
        if refused > self.proven.max(1) && !is_rate {
            self.cut_concurrency(refused, resumed, HOLD_FOR_A_PAUSE * (resumed - now));
            return;
        }
        let guess = self.guess(now);
        let row_that_shows = match shown {
            Some(shown) if shown.is_window => 0,
            Some(_) => ROW_THAT_SHOWS / 4,
            None => ROW_THAT_SHOWS,
        };
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
                let (borne, is_after_growth) = (self.borne, self.ongoing.refused_at().is_none());
                let is_soon = self.since.is_some_and(|since| now.saturating_duration_since(since) < SOON);
                if !rate.refused(shown, Refused { borne, is_soon, is_after_growth, resumed }) {
                    self.rate = None;
                    self.doubted_until = Some(resumed + DOUBT);
                }
            }
        }
    }

    /// `least` is how long not to try for more at least.
    fn cut_concurrency(&mut self, refused: usize, resumed: Instant, least: Duration) {
        self.burst = Some(self.burst.map_or(self.borne, |burst| burst.min(self.borne)));
        self.hold = match self.ceiling {
            // What was refused when it came at once may be borne when it is spread.
            None => HOLD_OF_THE_UNSPREAD,
            Some((ceiling, _)) if ceiling <= refused => {
                (2 * self.hold).max(least).clamp(FIRST_HOLD, LONGEST_HOLD)
            }
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
#[path = "limit_tests.rs"]
mod tests;
