//! How many requests may start in a second. However a server counts (by a bucket with a burst, or by windows of time),
//! what it lets through from one refusal to the next is on average close to what it allows, and the pace at the refusal
//! is more. The rate is cut to the middle of the two, and rises from there to what was refused, more slowly after each
//! refusal.
//!
//! A server may also refuse some requests by chance, whatever the rate. Then each cut is in vain: the next refusal comes
//! before the rate has risen to what was refused before. After several such cuts in a row the rate goes back to where it was
//! before them. The price: if they were right after all, a wave of requests is refused.

use super::HOLD;
use std::time::Duration;
use tokio::time::Instant;

/// No rate is slower: a server that allows less says so by `Retry-After`.
pub(super) const SLOWEST: f64 = 0.2;

/// The time in which the rate rises again to what was refused, twice as long after each small cut.
const FIRST_RISE: Duration = Duration::from_secs(8);
const LONGEST_RISE: Duration = Duration::from_secs(120);

/// What remains of a refused rate, at least and at most.
const LARGEST_CUT: f64 = 0.5;
const SMALLEST_CUT: f64 = 0.97;

/// A cut has helped if the rate had risen to this share of what was refused before when the next refusal came.
const RISEN: f64 = 0.98;
/// It was in vain if the rate had not, although this share of the pace was let through: a limit that is far below the pace
/// takes several cuts.
const NEAR: f64 = 0.75;
/// After this number of cuts in vain they are undone. A real limit is found with fewer.
const CUTS_IN_VAIN: u32 = 6;

#[derive(Debug)]
pub(super) struct Rate {
    /// Requests a second after the last cut: what another run may begin with.
    pub(super) base: f64,
    /// What was refused: the rate rises to it in the time `rise`.
    refused: f64,
    rise: Duration,
    rises_from: Instant,
    /// What was refused before the first of the cuts in vain, and how many these are.
    before_cuts: f64,
    in_vain: u32,
}

impl Rate {
    /// No rate was known, and a pace of so many requests a second was refused.
    pub(super) fn below(pace: f64, resumed: Instant) -> Rate {
        let refused = pace.max(SLOWEST / LARGEST_CUT);
        Rate::rising(LARGEST_CUT * refused, refused, FIRST_RISE, resumed)
    }

    /// Another run has learned it: for a while nothing faster is tried. `None` if it can't have been learned.
    pub(super) fn known(base: f64, now: Instant) -> Option<Rate> {
        (base.is_finite() && base >= SLOWEST).then(|| Rate::rising(base, 1.1 * base, HOLD, now + HOLD))
    }

    fn rising(base: f64, refused: f64, rise: Duration, rises_from: Instant) -> Rate {
        Rate { base, refused, rise, rises_from, before_cuts: refused, in_vain: 0 }
    }

    /// Requests a second by now: quickly to just below what was refused, slowly past it, then faster and faster, as CUBIC
    /// does it for TCP (RFC 9438).
    pub(super) fn a_second(&self, now: Instant) -> f64 {
        let risen = now.saturating_duration_since(self.rises_from).div_duration_f64(self.rise);
        self.base * (self.refused / self.base).powf(1.0 + (risen - 1.0).powi(3))
    }

    /// A request was refused, after so many a second had been `let_through` since the refusal before.
    pub(super) fn refused(&mut self, let_through: f64, now: Instant, resumed: Instant) {
        // A rate that kept no request waiting has risen without being tried.
        let pace = self.a_second(now).min(self.base.max(2.0 * let_through)).max(SLOWEST / LARGEST_CUT);
        if pace >= RISEN * self.refused {
            (self.before_cuts, self.in_vain) = (pace, 0);
        } else if let_through > NEAR * pace {
            self.in_vain += 1;
        }
        if self.in_vain >= CUTS_IN_VAIN {
            let restored = self.before_cuts.max(pace);
            *self = Rate::rising(restored, 2.0 * restored, FIRST_RISE, resumed);
            return;
        }
        let middle = (pace * let_through).sqrt();
        if middle > LARGEST_CUT * pace {
            self.rise = (2 * self.rise).min(LONGEST_RISE);
        }
        (self.base, self.refused) = (middle.clamp(LARGEST_CUT * pace, SMALLEST_CUT * pace), pace);
        self.rises_from = resumed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6 * expected, "{found} {expected}");
    }

    #[test]
    fn it_is_cut_to_the_middle_by_half_at_most() {
        let now = Instant::now();
        close(Rate::below(100.0, now).base, 50.0);
        close(Rate::below(0.0, now).base, SLOWEST);
        for (let_through, expected) in
            [(0.0, 50.0), (16.0, 50.0), (64.0, 80.0), (100.0, 97.0), (1_000.0, 97.0)]
        {
            let mut rate = Rate::known(100.0, now).unwrap();
            rate.refused(let_through, now, now);
            close(rate.base, expected);
        }
    }

    #[test]
    fn it_rises_to_what_was_refused_and_beyond_where_that_is_borne() {
        let now = Instant::now();
        let rate = Rate::below(100.0, now);
        for (seconds, expected) in [(0, 50.0), (4, 100.0 * 0.5_f64.powf(0.125)), (8, 100.0), (16, 200.0)] {
            close(rate.a_second(now + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn what_is_known_is_relied_on_for_a_while() {
        let now = Instant::now();
        let rate = Rate::known(98.0, now).unwrap();
        close(rate.a_second(now + HOLD), 98.0);
        assert!(rate.a_second(now + 2 * HOLD) > 107.0);
    }

    #[test]
    fn cuts_in_vain_are_undone() {
        let now = Instant::now();
        let mut rate = Rate::known(100.0, now).unwrap();
        for cuts in 1..CUTS_IN_VAIN {
            rate.refused(100.0, now, now);
            close(rate.base, 100.0 * SMALLEST_CUT.powi(cuts as i32));
        }
        rate.refused(100.0, now, now);
        close(rate.base, 110.0);
        // A cut that has helped ends the row.
        rate.refused(100.0, now, now);
        let risen = now + FIRST_RISE;
        rate.refused(100.0, risen, risen);
        assert_eq!(rate.in_vain, 0);
    }
}
