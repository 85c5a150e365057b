//! What refusals tell together about an allowed rate. Pure.
//!
//! APIs mostly count by a bucket: it fills with the rate `R` up to a burst `B`, and each request takes one. A stretch of
//! requests that goes on until one is refused has taken what the bucket held at its beginning, and what flowed in
//! since: `requests = min(B, R × pause) + R × seconds`, where nothing was asked during the pause before it. One stretch
//! alone bounds `R`; two that began with a full bucket tell it: what the longer one has more, it has in its longer time.

/// So many are kept: the first one, which surely began with a full bucket, and the newest ones.
const KEPT: usize = 4;

/// Two stretches tell a rate from so many seconds and requests of difference on: shorter ones would measure the network.
const SECONDS_APART: f64 = 0.1;
const REQUESTS_APART: f64 = 8.0;

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

/// A rate that stretches show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shown {
    pub(super) a_second: f64,
    /// Whether it is sure to some hundredths.
    pub(super) is_sharp: bool,
}

impl Shown {
    fn over(requests: f64, seconds: f64) -> Shown {
        let is_sharp = seconds.abs() >= SECONDS_FOR_SHARP && requests.abs() >= REQUESTS_FOR_SHARP;
        Shown { a_second: requests / seconds, is_sharp }
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
        by_two.or_else(|| by_itself(newest)).filter(|shown| shown.a_second.is_finite())
    }
}

fn both_from_full(one: &Stretch, two: &Stretch) -> Option<Shown> {
    let (requests, seconds) = (two.requests - one.requests, two.seconds - one.seconds);
    if seconds.abs() < SECONDS_APART || requests.abs() < REQUESTS_APART || requests * seconds < 0.0 {
        return None;
    }
    let rate = requests / seconds;
    let burst = (two.requests - rate * two.seconds).max(0.0);
    let was_full = |stretch: &Stretch| rate * stretch.pause >= 0.9 * burst;
    let explains = |stretch: &Stretch| (0.95 * stretch.least()..=1.05 * stretch.most()).contains(&rate);
    [one, two]
        .into_iter()
        .all(|stretch| was_full(stretch) && explains(stretch))
        .then(|| Shown::over(requests, seconds))
}

/// Where the pause hardly counts.
fn by_itself(stretch: &Stretch) -> Option<Shown> {
    let is_long = stretch.requests >= 2.0 * REQUESTS_APART && stretch.seconds >= SECONDS_APART;
    (is_long && stretch.pause <= stretch.seconds / 10.0)
        .then(|| Shown::over(stretch.requests, stretch.pause + stretch.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a bucket lets through of requests that come at `speed`, after a pause.
    fn stretch(rate: f64, burst: f64, pause: f64, speed: f64) -> Stretch {
        let held = if pause.is_finite() { burst.min(rate * pause) } else { burst };
        let seconds = held / (speed - rate);
        Stretch { pause, seconds, requests: speed * seconds }
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
        stretches.add(Stretch { pause: 1.0, seconds: 2.0, requests: 5.0 });
        assert_eq!(stretches.rate(), None);
        // Refused at once.
        stretches.add(Stretch { pause: 0.0, seconds: 0.0, requests: 0.0 });
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
            stretches.add(Stretch { pause: 0.0, seconds, requests: rate * seconds });
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
            let all =
                all.into_iter().map(|(pause, seconds, n)| Stretch { pause, seconds, requests: f64::from(n) });
            for stretch in all {
                stretches.add(stretch);
                if let Some(Shown { a_second: rate, .. }) = stretches.rate() {
                    prop_assert!(stretches.0.iter().any(|stretch| rate >= 0.9 * stretch.least()));
                    prop_assert!(stretches.0.iter().any(|stretch| rate <= 1.1 * stretch.most()));
                }
            }
        }
    }
}
