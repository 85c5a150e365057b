//! How long events exist at the vendor before the mirror has them.

/// The upper bounds, in seconds, of the spans that times are counted in; longer ones are counted after the last.
pub const BOUNDS: [u32; 16] = [
    60, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 32_400, 43_200, 64_800, 86_400, 172_800, 345_600,
    604_800, 2_592_000,
];

/// A distribution of times. Events may be counted in parts: what is foretold isn't whole.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct UnseenTime {
    /// By the span; one more than there are bounds.
    counts: [f64; BOUNDS.len() + 1],
    /// All times of each span together.
    seconds: [f64; BOUNDS.len() + 1],
}

impl UnseenTime {
    /// Counts `events` that were unseen for so many seconds.
    pub fn add(&mut self, seconds: f64, events: f64) {
        let span = BOUNDS.partition_point(|bound| f64::from(*bound) < seconds);
        self.add_counts(span, events, seconds * events);
    }

    /// Counts `events` whose times lie evenly between two numbers of seconds.
    pub(super) fn add_spread(&mut self, from: f64, to: f64, events: f64) {
        let mut begins: f64 = 0.0;
        for span in 0..self.counts.len() {
            let ends = BOUNDS.get(span).map_or(f64::INFINITY, |bound| f64::from(*bound));
            let (first, last) = (from.max(begins), to.min(ends));
            if first < last {
                let shared = events * (last - first) / (to - from);
                self.add_counts(span, shared, shared * (first + last) / 2.0);
            }
            begins = ends;
        }
    }

    /// Counts `events` of one span, which is named by its place in [`BOUNDS`], with the sum of their times.
    fn add_counts(&mut self, span: usize, events: f64, seconds: f64) {
        if let (Some(count), Some(sum)) = (self.counts.get_mut(span), self.seconds.get_mut(span)) {
            *count += events;
            *sum += seconds;
        }
    }

    /// Of each span the events, and the sum of their times.
    pub fn spans(&self) -> impl Iterator<Item = (f64, f64)> {
        self.counts.into_iter().zip(self.seconds)
    }

    /// How many events there are.
    pub fn events(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// All their times together, in seconds.
    fn seconds(&self) -> f64 {
        self.seconds.iter().sum()
    }

    /// The mean time in seconds; `None` without events.
    pub fn mean(&self) -> Option<f64> {
        let events = self.events();
        (events > 0.0).then(|| self.seconds() / events)
    }

    /// A number of seconds that this share of the events stays below, from 0 to 1: evenly spread between the bounds of its
    /// span. `None` without events; beyond the last bound, that bound.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let mut left = self.events() * share;
        if left <= 0.0 {
            return None;
        }
        let mut begins = 0.0;
        for (count, bound) in self.counts.iter().zip(BOUNDS) {
            let ends = f64::from(bound);
            if *count >= left {
                return Some(begins + (ends - begins) * left / count);
            }
            left -= count;
            begins = ends;
        }
        Some(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6 * other.abs().max(1.0)
    }

    #[test]
    fn mean_and_quantile() {
        let mut unseen = UnseenTime::default();
        assert_eq!((unseen.mean(), unseen.quantile(0.95)), (None, None));
        for _ in 0..19 {
            unseen.add(30.0, 1.0);
        }
        unseen.add(3_000_000.0, 1.0);
        assert!(
            near(unseen.events(), 20.0) && near(unseen.mean().unwrap(), (19.0 * 30.0 + 3_000_000.0) / 20.0)
        );
        assert!(near(unseen.quantile(0.95).unwrap(), 60.0) && near(unseen.quantile(0.475).unwrap(), 30.0));
        assert!(near(unseen.quantile(1.0).unwrap(), 2_592_000.0));
    }

    #[test]
    fn what_is_spread_lies_in_all_spans_between() {
        let mut unseen = UnseenTime::default();
        unseen.add_spread(0.0, 600.0, 6.0);
        let events: Vec<f64> = unseen.spans().map(|(events, _)| events).collect();
        assert!(near(events[0], 0.6) && near(events[1], 2.4) && near(events[2], 3.0), "{events:?}");
        assert!(near(unseen.mean().unwrap(), 300.0));
    }
}
