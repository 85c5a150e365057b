//! How many requests may be in flight: additive increase, multiplicative decrease (AIMD), as TCP has it. The smallest
//! number that was refused is a ceiling, which is left alone for a while: each attempt costs a refused request.

use super::HOLD;
use tokio::time::Instant;

#[derive(Debug)]
pub(in crate::api) struct Concurrency {
    pub(super) limit: usize,
    max: usize,
    /// The smallest number that was refused, and when it may be tried again.
    pub(super) ceiling: Option<(usize, Instant)>,
    /// Requests accepted since the limit changed.
    accepted: usize,
}

impl Concurrency {
    /// Starts with `max`, which is never exceeded; 0 counts as 1.
    pub(super) fn new(max: usize) -> Concurrency {
        let max = max.max(1);
        Concurrency { limit: max, max, ceiling: None, accepted: 0 }
    }

    /// The largest number that may be borne: the one below the ceiling, or the maximum.
    pub(super) fn highest(&self) -> usize {
        self.ceiling.map_or(self.max, |(refused, _)| (refused - 1).min(self.max))
    }

    /// No more than so many at once are tried for a while.
    pub(in crate::api) fn lower_to(&mut self, limit: usize, now: Instant) {
        let limit = limit.max(1);
        if limit < self.limit {
            (self.limit, self.ceiling, self.accepted) = (limit, Some((limit + 1, now + HOLD)), 0);
        }
    }

    /// A request was accepted: the limit rises by one for each round of them.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.accepted += 1;
        let next = self.limit + 1;
        let is_held = self.ceiling.is_some_and(|(ceiling, until)| next == ceiling && now < until);
        if self.accepted >= self.limit && !is_held {
            // What is borne now is below the ceiling.
            self.ceiling = self.ceiling.map(|(ceiling, until)| (ceiling.max(next), until));
            (self.limit, self.accepted) = (next.min(self.max), 0);
        }
    }

    /// A request was refused with so many in flight, itself included; requests go on at `resumed`.
    pub(super) fn refused(&mut self, in_flight: usize, resumed: Instant) {
        // One alone doesn't tell how many are too many.
        if in_flight > 1 {
            self.ceiling = Some((in_flight.min(self.limit), resumed + HOLD));
        }
        (self.limit, self.accepted) = ((self.limit / 2).max(1), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Accepts so many requests, all at that moment.
    fn accept(concurrency: &mut Concurrency, count: usize, now: Instant) -> usize {
        (0..count).for_each(|_| concurrency.accepted(now));
        concurrency.limit
    }

    #[test]
    fn it_falls_by_half_and_rises_by_one_a_round() {
        let now = Instant::now();
        let mut concurrency = Concurrency::new(16);
        concurrency.refused(16, now);
        assert_eq!(concurrency.limit, 8);
        for (accepted, expected) in [(7, 8), (1, 9), (8, 9), (1, 10), (10 + 11 + 12 + 13, 14), (14, 15)] {
            assert_eq!(accept(&mut concurrency, accepted, now), expected);
        }
        for expected in [7, 3, 1, 1] {
            concurrency.refused(1, now);
            assert_eq!(concurrency.limit, expected);
        }
    }

    #[test]
    fn what_was_refused_is_left_alone_for_a_while() {
        let mut now = Instant::now();
        let mut concurrency = Concurrency::new(16);
        for _ in 0..3 {
            concurrency.refused(9, now);
            assert_eq!(accept(&mut concurrency, 1_000, now), 8);
            assert_eq!(accept(&mut concurrency, 1_000, now + HOLD - Duration::from_secs(1)), 8);
            now += HOLD;
            assert_eq!(accept(&mut concurrency, 1, now), 9);
            assert_eq!(concurrency.highest(), 8);
        }
        // It is borne at last.
        assert_eq!(accept(&mut concurrency, 1_000, now), 16);
        assert_eq!((concurrency.highest(), concurrency.ceiling.is_some()), (16, true));
    }

    #[test]
    fn it_is_lowered_and_never_raised_by_what_is_known() {
        let now = Instant::now();
        let mut concurrency = Concurrency::new(8);
        assert_eq!((concurrency.highest(), concurrency.ceiling.is_some()), (8, false));
        for (known, expected) in [(9, 8), (8, 8), (5, 5), (6, 5), (0, 1)] {
            concurrency.lower_to(known, now);
            assert_eq!(concurrency.limit, expected, "{known}");
        }
        assert_eq!(accept(&mut concurrency, 100, now), 1);
        assert_eq!(accept(&mut concurrency, 100, now + Duration::from_secs(60)), 8);
    }
}
