//! What refusals tell together about an allowed rate. Pure.
//!
//! APIs mostly count by a bucket: it fills with the rate `R` up to a burst `B`, and each request takes one. A stretch of
//! requests that goes on until one is refused has taken what the bucket held at its beginning, and what flowed in
//! since: `requests = min(B, R × pause) + R × seconds`, where nothing was asked during the pause before it. One stretch
//! alone bounds `R`; two that began with a full bucket tell it: what the longer one has more, it has in its longer time. And
//! from one refusal to the next, where the bucket is empty at both and never full between them, it is what went through.
//!
//! Others count what came in a window of time, of the clock or of the last so many seconds. There a stretch has the same
//! number of requests at any speed, which no bucket explains.

use tokio::time::Instant;

/// So many are kept: the first one, which surely began with a full bucket, and the newest ones.
const KEPT: usize = 4;

/// Two stretches tell a rate from so many seconds and requests of difference on: shorter ones would measure the network.
const SECONDS_APART: f64 = 0.1;
const REQUESTS_APART: f64 = 8.0;

/// And only at speeds that differ by so much: at the same speed they differ by what the bucket held, for unknown reasons.
const SPEEDS_APART: f64 = 1.1;

/// Stretches after short pauses tell a rate together from so many requests on.
const SHORT_PAUSE: f64 = 0.25;
const REQUESTS_IN_A_ROW: f64 = 8.0;

/// Over so many a few milliseconds of the network, and a few requests that overtake each other there, make no difference
/// of more than some hundredths.
const SECONDS_FOR_SHARP: f64 = 0.25;
const REQUESTS_FOR_SHARP: f64 = 25.0;

/// A stretch of requests, up to one that was refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// Seconds without a request before it; infinite for the first one.
    pub(super) pause: f64,
    /// From its first request to the refused one.
    pub(super) seconds: f64,
    /// Let through in between.
    pub(super) requests: f64,
    /// Let through just before it, one by one: too slowly for a bucket to tell.
    pub(super) alone: f64,
}

impl Stretch {
    /// The rate if the bucket was empty before its pause and never full since.
    fn least(&self) -> f64 {
        self.requests / (self.pause + self.seconds)
    }

    /// The rate if the bucket was empty at its beginning.
    fn most(&self) -> f64 {
        self.requests / self.seconds
    }
}

/// A request's place among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Of the stretch that it belongs to.
    stretch: u64,
    /// Requests of its stretch that started before it.
    before: u32,
}

impl Place {
    /// Whether it started before the other one, in the same stretch.
    pub(super) fn is_before(self, other: Place) -> bool {
        self.stretch == other.stretch && self.before < other.before
    }
}

/// The stretch of requests since the last refusal or growth.
#[derive(Debug, Default)]
pub(super) struct Ongoing {
    number: u64,
    started: u32,
    first_at: Option<Instant>,
    /// Requests before it that came one by one.
    alone: u32,
    /// The refused request before it; `None` where what the API holds ready for a burst is taken for full.
    refused_at: Option<Instant>,
}

impl Ongoing {
    /// Requests that have started.
    pub(super) fn started(&self) -> u32 {
        self.started
    }

    /// When the request before it was refused; `None` if it follows a growth or nothing.
    pub(super) fn refused_at(&self) -> Option<Instant> {
        self.refused_at
    }

    /// A request starts.
    pub(super) fn start(&mut self, now: Instant) -> Place {
        self.first_at.get_or_insert(now);
        let before = self.started;
        self.started += 1;
        Place { stretch: self.number, before }
    }

    /// What started so far came one by one: it begins with the next request.
    pub(super) fn begin_later(&mut self) {
        self.alone += self.started;
        (self.started, self.first_at) = (0, None);
    }

    /// The next stretch begins.
    pub(super) fn begin(&mut self, refused_at: Option<Instant>) {
        self.number += 1;
        (self.started, self.first_at, self.refused_at) = (0, None, refused_at);
    }

    /// The stretch up to a request of it that was refused; `None` if that belongs to an earlier one.
    pub(super) fn end(&mut self, refused: Place, refused_at: Instant) -> Option<Stretch> {
        let first_at = self.first_at.unwrap_or(refused_at);
        let seconds = |from: Instant, until: Instant| until.saturating_duration_since(from).as_secs_f64();
        (refused.stretch == self.number).then(|| Stretch {
            pause: self.refused_at.map_or(f64::INFINITY, |at| seconds(at, first_at)),
            seconds: seconds(first_at, refused_at),
            requests: f64::from(refused.before),
            alone: f64::from(std::mem::take(&mut self.alone)),
        })
    }
}

/// A rate that stretches show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shown {
    pub(super) a_second: f64,
    /// Whether it is sure to some hundredths.
    pub(super) is_sharp: bool,
    /// Whether the API lets through so many in a window of time, at whatever speed they come.
    pub(super) is_window: bool,
}

impl Shown {
    fn over(requests: f64, seconds: f64) -> Shown {
        let is_sharp = seconds.abs() >= SECONDS_FOR_SHARP && requests.abs() >= REQUESTS_FOR_SHARP;
        Shown { is_sharp, ..Shown::roughly(requests / seconds) }
    }

    fn roughly(a_second: f64) -> Shown {
        Shown { a_second, is_sharp: false, is_window: false }
    }
}

/// The first stretch and the newest ones.
#[derive(Debug, Default)]
pub(super) struct Stretches(Vec<Stretch>);

impl Stretches {
    pub(super) fn add(&mut self, stretch: Stretch) {
        if self.0.len() == KEPT {
            self.0.remove(1);
        }
        self.0.push(stretch);
    }

    /// One fewer was let through in the newest stretch than it seemed.
    pub(super) fn one_less(&mut self) {
        if let Some(newest) = self.0.last_mut() {
            newest.requests = (newest.requests - 1.0).max(0.0);
        }
    }

    /// What the newest stretch allows at least, with its pause, if that is long enough to tell.
    pub(super) fn least(&self) -> Option<f64> {
        let tells = |stretch: &&Stretch| {
            let seconds = stretch.pause + stretch.seconds;
            stretch.requests >= 1.0 && seconds.is_finite() && seconds >= 2.0 * SECONDS_APART
        };
        self.0.last().filter(tells).map(Stretch::least)
    }

    /// What the newest stretch shows, with the help of an earlier one (the newest that tells it sharply) or by itself;
    /// `None` where they tell too little.
    pub(super) fn rate(&self) -> Option<Shown> {
        let (newest, earlier) = self.0.split_last()?;
        let by_two: Vec<Shown> =
            earlier.iter().rev().filter_map(|earlier| both_from_full(earlier, newest)).collect();
        let by_two = by_two.iter().find(|shown| shown.is_sharp).or(by_two.last()).copied();
        by_two
            .or_else(|| earlier.iter().rev().find_map(|earlier| both_a_window(earlier, newest)))
            .or_else(|| in_a_row(&self.0))
            .or_else(|| whole_windows(newest))
            .filter(|shown| shown.a_second.is_finite())
    }
}

fn both_from_full(one: &Stretch, two: &Stretch) -> Option<Shown> {
    let (requests, seconds) = (two.requests - one.requests, two.seconds - one.seconds);
    if seconds.abs() < SECONDS_APART || requests.abs() < REQUESTS_APART || requests * seconds < 0.0 {
        return None;
    }
    let rate = requests / seconds;
    let speeds = one.most() / two.most();
    if (1.0 / SPEEDS_APART..SPEEDS_APART).contains(&speeds) {
        return None;
    }
    let burst = (two.requests - rate * two.seconds).max(0.0);
    let was_full = |stretch: &Stretch| rate * stretch.pause >= 0.9 * burst;
    let explains = |stretch: &Stretch| (0.95 * stretch.least()..=1.05 * stretch.most()).contains(&rate);
    [one, two]
        .into_iter()
        .all(|stretch| was_full(stretch) && explains(stretch))
        .then(|| Shown::over(requests, seconds))
        .map(|shown| Shown { is_sharp: shown.is_sharp && !may_be_windows(one, two, rate), ..shown })
}

/// Whether windows explain them as well: `two` went on from one into the next, at a speed above what they allow.
fn may_be_windows(one: &Stretch, two: &Stretch, rate: f64) -> bool {
    window_between(one, two)
        .is_some_and(|window| one.seconds <= window && (rate..two.most()).contains(&(one.requests / window)))
}

/// The longest window that can have passed between the beginning of `one` and that of `two`.
fn window_between(one: &Stretch, two: &Stretch) -> Option<f64> {
    longest_window(one.seconds + two.pause)
}

/// The longest window that is over after so many seconds.
fn longest_window(seconds: f64) -> Option<f64> {
    WINDOWS.into_iter().rfind(|window| *window <= 1.02 * seconds)
}

/// Windows that APIs count in, in seconds.
const WINDOWS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 3_600.0];

/// Other APIs count what came in a window of time: as many requests are let through at any speed. `two` came after `one`, and
/// found a window that its pause had emptied.
fn both_a_window(one: &Stretch, two: &Stretch) -> Option<Shown> {
    let (first, second) = (one.requests + one.alone, two.requests + two.alone);
    let (fewer, more) = (first.min(second), first.max(second));
    let (shorter, longer) = (one.seconds.min(two.seconds), one.seconds.max(two.seconds));
    let window = window_between(one, two)?;
    let is_passed = window >= longer && two.pause + two.seconds >= 0.9 * window;
    // What a bucket would have let through more, at such a rate.
    let by_bucket = fewer * (longer - shorter) / window;
    let are_as_many =
        fewer >= REQUESTS_APART && fewer >= 0.9 * more && by_bucket > 2.0 + 1.5 * (more - fewer);
    let a_second = fewer / window;
    let explains = a_second >= 0.9 * two.least();
    (is_passed && are_as_many && explains).then_some(Shown { a_second, is_sharp: true, is_window: true })
}

/// Windows that begin at whole seconds let through as many as one window does, or twice or three times as many, from one
/// refusal to the next.
fn whole_windows(stretch: &Stretch) -> Option<Shown> {
    let (least, most) = (stretch.least(), stretch.most());
    let window = longest_window(stretch.pause)?;
    let tells = stretch.pause.is_finite() && stretch.requests >= 2.0 * REQUESTS_APART && most < 2.0 * least;
    let mut rates = (1_u8..=10).map(|count| stretch.requests / (f64::from(count) * window));
    let a_second = rates.find(|rate| *rate < most)?;
    if !tells || a_second < 1.1 * least || a_second > 0.9 * most {
        return None;
    }
    Some(Shown::roughly(a_second))
}

/// Between two refusals with no more than a short pause a bucket lets through what flows into it.
fn in_a_row(stretches: &[Stretch]) -> Option<Shown> {
    let (mut requests, mut seconds) = (0.0, 0.0);
    for stretch in stretches.iter().rev().take_while(|stretch| stretch.pause <= SHORT_PAUSE) {
        requests += stretch.requests;
        seconds += stretch.pause + stretch.seconds;
        if requests >= REQUESTS_IN_A_ROW && seconds >= SECONDS_APART {
            return Some(Shown::roughly(requests / seconds));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a bucket lets through of requests that come at `speed`, after a pause.
    fn stretch(rate: f64, burst: f64, pause: f64, speed: f64) -> Stretch {
        let held = if pause.is_finite() { burst.min(rate * pause) } else { burst };
        let seconds = held / (speed - rate);
        of(pause, seconds, speed * seconds)
    }

    fn of(pause: f64, seconds: f64, requests: f64) -> Stretch {
        Stretch { pause, seconds, requests, alone: 0.0 }
    }

    #[test]
    fn what_tells_too_little() {
        let mut stretches = Stretches::default();
        assert_eq!(stretches.rate(), None);
        let first = stretch(100.0, 20.0, f64::INFINITY, 320.0);
        stretches.add(first);
        assert_eq!(stretches.rate(), None);
        // As long as the first one: how much of it was the burst doesn't show.
        stretches.add(first);
        assert_eq!(stretches.rate(), None);
        // Fewer requests in a longer time: no bucket does that.
        stretches.add(of(1.0, 2.0, 5.0));
        assert_eq!(stretches.rate(), None);
        // Refused at once.
        stretches.add(of(0.0, 0.0, 0.0));
        assert_eq!(stretches.rate(), None);
    }

    proptest! {
        /// Whatever is allowed, two stretches from a full bucket at speeds that differ tell it.
        #[test]
        fn two_stretches_tell_the_rate(
            rate in 1.0..2_000.0f64, share in 0.05..2.0f64, faster in 1.8..5.0f64, slower in 1.05..1.3f64,
        ) {
            let burst = (rate * share).max(1.0);
            let pause = burst / rate + 1.0;
            let mut stretches = Stretches::default();
            stretches.add(stretch(rate, burst, f64::INFINITY, rate * faster));
            stretches.add(stretch(rate, burst, pause, rate * slower));
            match stretches.rate() {
                Some(Shown { a_second: found, .. }) => prop_assert!((found / rate - 1.0).abs() < 0.01, "{found}"),
                None => prop_assert!(burst * 4.0 < 2.0 * REQUESTS_APART, "{stretches:?}"),
            }
        }

        /// Without a pause one stretch is enough.
        #[test]
        fn a_stretch_without_a_pause_tells_the_rate(rate in 1.0..2_000.0f64, seconds in 0.2..60.0f64) {
            let mut stretches = Stretches::default();
            stretches.add(of(0.0, seconds, rate * seconds));
            if let Some(Shown { a_second: found, .. }) = stretches.rate() {
                prop_assert!((found / rate - 1.0).abs() < 1e-6);
            } else {
                prop_assert!(rate * seconds < 16.0);
            }
        }

        /// It lies between what the stretches allow, whatever came.
        #[test]
        fn a_rate_is_one_that_stretches_allow(
            all in prop::collection::vec((0.0..3.0f64, 0.0..5.0f64, 0u32..500), 1..8),
        ) {
            let mut stretches = Stretches::default();
            for (pause, seconds, requests) in all {
                stretches.add(of(pause, seconds, f64::from(requests)));
                if let Some(Shown { a_second: rate, .. }) = stretches.rate() {
                    prop_assert!(stretches.0.iter().any(|stretch| rate >= 0.9 * stretch.least()));
                    prop_assert!(stretches.0.iter().any(|stretch| rate <= 1.1 * stretch.most()));
                }
            }
        }
    }
}
