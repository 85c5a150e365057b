//! How many requests a second are let through.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A token bucket: `rate` requests a second, with bursts of a fifth of a second's worth, at least one request.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    /// The tokens, and when they were counted.
    level: Mutex<(f64, Duration)>,
}

impl Bucket {
    pub(super) fn new(rate: f64) -> Bucket {
        let burst = (rate / 5.0).max(1.0);
        Bucket { rate, burst, level: Mutex::new((burst, Duration::ZERO)) }
    }

    /// Whether a request is let through `now`, counted from any fixed moment.
    pub(super) fn take(&self, now: Duration) -> bool {
        let (tokens, at) = &mut *self.level.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens + now.saturating_sub(*at).as_secs_f64() * self.rate).min(self.burst);
        *at = now.max(*at);
        let is_let_through = *tokens >= 1.0;
        *tokens -= f64::from(u8::from(is_let_through));
        is_let_through
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let bucket = Bucket::new(10.0);
        let at = |milliseconds| bucket.take(Duration::from_millis(milliseconds));
        assert_eq!([at(0), at(0), at(0)], [true, true, false]);
        assert_eq!([at(99), at(101), at(102)], [false, true, false]);
        assert_eq!([at(9000), at(9000), at(9000)], [true, true, false]);
    }

    #[test]
    fn a_slow_rate_still_lets_one_through() {
        let bucket = Bucket::new(0.5);
        let at = |seconds| bucket.take(Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(2), at(3), at(4)], [true, false, true, false, true]);
    }
}
