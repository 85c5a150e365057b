//! How many requests may start in a second. However a server counts (by a bucket with a burst, or by windows of time),
//! what it lets through from one refusal to the next, pauses included, is on average no more than it allows, and the pace
//! at the refusal is more. The rate is cut to the middle of the two, and rises from there to what was refused, more
//! slowly after each refusal.

use super::{FIRST_HOLD, HOLD_OF_THE_KNOWN, LONGEST_HOLD};
use std::time::Duration;
use tokio::time::Instant;

/// No rate is slower: a server that allows less says so by `Retry-After`.
pub(super) const SLOWEST: f64 = 0.2;

/// What remains of a refused rate, at least and at most.
const LARGEST_CUT: f64 = 0.5;
const SMALLEST_CUT: f64 = 0.97;

#[derive(Debug)]
pub(super) struct Rate {
    /// Requests a second after the last cut.
    base: f64,
    /// What was refused: the rate rises to it in the time `hold`.
    refused: f64,
    hold: Duration,
    rises_from: Instant,
}

impl Rate {
    /// No rate was known, and a pace of so many requests a second was refused.
    pub(super) fn below(pace: f64, let_through: f64, resumed: Instant) -> Rate {
        let mut rate = Rate { base: pace, refused: pace, hold: FIRST_HOLD, rises_from: resumed };
        rate.refused(pace, let_through, resumed);
        rate
    }

    /// Another run has learned it: for a while nothing faster is tried.
    pub(super) fn known(base: f64, now: Instant) -> Rate {
        let hold = HOLD_OF_THE_KNOWN;
        Rate { base, refused: 1.1 * base, hold, rises_from: now + hold }
    }

    /// What another run may begin with.
    pub(super) fn learned(&self) -> f64 {
        self.base
    }

    pub(super) fn a_second(&self, now: Instant) -> f64 {
        let risen = now.saturating_duration_since(self.rises_from).div_duration_f64(self.hold);
        self.base * (self.refused / self.base).powf(risen.min(1.0))
    }

    /// A request was accepted. Where that is at the rate that was refused before, more is looked for, and sooner.
    pub(super) fn accepted(&mut self, now: Instant) {
        if now >= self.rises_from + self.hold {
            (self.base, self.refused, self.rises_from) = (self.refused, 2.0 * self.refused, now);
            self.hold = (self.hold / 2).max(FIRST_HOLD);
        }
    }

    /// A request was refused at this `pace`, after requests had been `let_through` since the refusal before; both are requests
    /// a second.
    pub(super) fn refused(&mut self, pace: f64, let_through: f64, resumed: Instant) {
        let pace = pace.max(SLOWEST / LARGEST_CUT);
        let middle = (pace * let_through).sqrt();
        if middle > LARGEST_CUT * pace {
            self.hold = (2 * self.hold).min(LONGEST_HOLD);
        }
        self.base = middle.clamp(LARGEST_CUT * pace, SMALLEST_CUT * pace);
        (self.refused, self.rises_from) = (pace, resumed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_cut_to_the_middle_by_half_at_most() {
        let now = Instant::now();
        for (pace, let_through, expected) in [
            (100.0, 0.0, 50.0),
            (100.0, 16.0, 50.0),
            (100.0, 64.0, 80.0),
            (100.0, 100.0, 97.0),
            (100.0, 1_000.0, 97.0),
            (0.0, 0.0, SLOWEST),
        ] {
            let rate = Rate::below(pace, let_through, now);
            assert!((rate.learned() - expected).abs() < 1e-9, "{pace}, {let_through}: {rate:?}");
        }
    }

    #[test]
    fn it_rises_to_what_was_refused_and_beyond_where_that_is_borne() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut rate = Rate::below(100.0, 0.0, now);
        for (seconds, expected) in [(0, 50.0), (4, 50.0 * 2_f64.sqrt()), (8, 100.0), (100, 100.0)] {
            assert!((rate.a_second(after(seconds)) - expected).abs() < 1e-9, "{seconds}");
        }
        rate.accepted(after(7));
        assert_eq!(rate.learned(), 50.0);
        rate.accepted(after(8));
        assert_eq!((rate.learned(), rate.a_second(after(16))), (100.0, 200.0));
    }

    #[test]
    fn what_is_known_is_relied_on_for_a_while() {
        let now = Instant::now();
        let rate = Rate::known(98.0, now);
        assert_eq!(rate.a_second(now + HOLD_OF_THE_KNOWN), 98.0);
        assert!(rate.a_second(now + 2 * HOLD_OF_THE_KNOWN) > 107.0);
    }
}
