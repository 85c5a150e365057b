//! A circuit breaker. While the server is down, every call would spend its whole retry budget to find that out. After
//! several calls in a row have done so, further calls get a single attempt each, until one succeeds.

use std::sync::atomic::{AtomicU32, Ordering};

/// Calls in a row that must have spent all their attempts on an outage.
const TRIPS_AFTER: u32 = 5;

/// Counts the calls in a row that ended in an outage.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker {
    exhausted: AtomicU32,
}

impl CircuitBreaker {
    /// How many attempts a call may make now, of those that it was `granted`.
    pub(super) fn attempts(&self, granted: u32) -> u32 {
        if self.exhausted.load(Ordering::Relaxed) >= TRIPS_AFTER { granted.min(1) } else { granted }
    }

    /// The server gave a proper answer, be it "no such record".
    pub(super) fn answered(&self) {
        self.exhausted.store(0, Ordering::Relaxed);
    }

    /// A call spent all its attempts on an outage.
    pub(super) fn exhausted(&self) {
        // Saturating in effect: the counter would have to pass four thousand million calls without an answer.
        self.exhausted.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_row_trip_it_and_one_answer_resets_it() {
        let breaker = CircuitBreaker::default();
        for _ in 0..4 {
            breaker.exhausted();
            assert_eq!(breaker.attempts(10), 10);
        }
        breaker.answered();
        for _ in 0..4 {
            breaker.exhausted();
        }
        assert_eq!(breaker.attempts(10), 10);
        breaker.exhausted();
        assert_eq!(breaker.attempts(10), 1);
        assert_eq!(breaker.attempts(0), 0);
        breaker.answered();
        assert_eq!(breaker.attempts(10), 10);
    }
}
