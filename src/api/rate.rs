//! A rate of requests: how it is guessed or shown, how it grows, and what refusals make of it. Pure: times come in as
//! arguments.

use super::stretches::Shown;
use std::time::Duration;
use tokio::time::Instant;

/// What was refused is approached again after so long, and each time that it holds, after twice as long.
pub(super) const FIRST_HOLD: Duration = Duration::from_secs(10);
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(600);

/// What another run has learned is relied on for so long before it is tried whether more is allowed by now.
pub(super) const HOLD_OF_THE_KNOWN: Duration = Duration::from_secs(60);

/// How a rate grows, and how often. One that is refused goes a step back and grows more slowly from there: by the last
/// of these after a hold only. APIs let bursts pass, so the less too fast a rate is, the later that shows: whoever grows
/// on before it has shown goes far beyond what is allowed, and pays with pauses.
const GROWTH: [(f64, Duration); 4] = [
    (1.5, Duration::from_millis(1_500)),
    (1.15, Duration::from_secs(4)),
    (1.04, Duration::from_millis(2_500)),
    (1.01, Duration::from_secs(10)),
];

const SMALLEST_STEPS: usize = GROWTH.len() - 1;

/// Below what seemed to be allowed, by this much.
pub(super) const BELOW: f64 = 0.99;
const WELL_BELOW: f64 = 0.94;

/// A rate is only believed in after so many requests in a row went well: an API that fails now and then, whatever is
/// asked of it, rarely lets so many pass.
pub(super) const ROW_THAT_SHOWS: u32 = 20;

/// A rate that is refused so often, each time long before it can have been too high, is none: for so long it is not
/// looked for again.
const EARLY_REFUSALS: u32 = 3;
pub(super) const DOUBT: Duration = Duration::from_secs(60);

/// A rate this far below the one that was refused explains the refusal, however early it came.
const CLEARLY_LESS: f64 = 0.75;

/// No guess is slower than this: a server that allows less says so with its pauses.
pub(super) const SLOWEST: f64 = 0.2;

/// What refusals have shown is approached by small steps: by the smallest ones where it is known to some hundredths.
fn stage_after(shown: Shown) -> usize {
    if shown.is_sharp { SMALLEST_STEPS } else { SMALLEST_STEPS - 1 }
}

/// Requests a second, and when it is tried whether more are allowed.
#[derive(Debug)]
pub(super) struct Rate {
    pub(super) a_second: f64,
    /// Which of [`GROWTH`] it grows by.
    stage: usize,
    grows_at: Instant,
    hold: Duration,
    /// Refusals in a row that came too early to be explained by it.
    early: u32,
}

/// How a rate was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    /// Requests borne before, since the last refusal.
    pub(super) borne: u32,
    /// It was refused soon before: it was cut too little.
    pub(super) is_soon: bool,
    /// Requests since the last refusal began slower.
    pub(super) is_after_growth: bool,
    /// When requests go on.
    pub(super) resumed: Instant,
}

impl Rate {
    /// It isn't known how far from what is allowed: it grows by large steps at first.
    pub(super) fn guess(a_second: f64, now: Instant) -> Rate {
        Rate { a_second, stage: 0, grows_at: now + GROWTH[0].1, hold: FIRST_HOLD, early: 0 }
    }

    /// Refusals have shown it: it is tried for more with care.
    pub(super) fn shown(shown: Shown, now: Instant) -> Rate {
        let stage = stage_after(shown);
        let below = if shown.is_sharp { BELOW } else { WELL_BELOW };
        let a_second = (shown.a_second * below).max(SLOWEST);
        Rate { stage, grows_at: now + GROWTH[stage].1, ..Rate::guess(a_second, now) }
    }

    /// Another run has learned it.
    pub(super) fn known(a_second: f64, now: Instant) -> Rate {
        let hold = HOLD_OF_THE_KNOWN;
        Rate { a_second, stage: SMALLEST_STEPS, grows_at: now + hold, hold, early: 0 }
    }

    /// Grows if it is time to; returns whether it did.
    pub(super) fn grow(&mut self, now: Instant) -> bool {
        let grows = now >= self.grows_at;
        if grows {
            let (step, pause) = GROWTH[self.stage];
            self.a_second *= step;
            self.grows_at = now + pause;
        }
        grows
    }

    /// Was refused, for what refusals `shown` and `so` say. Returns whether it is still believed in: one that is refused
    /// early time after time is none.
    pub(super) fn refused(&mut self, shown: Option<Shown>, so: Refused) -> bool {
        let before = self.a_second;
        self.cut(so);
        let is_careful = self.stage == SMALLEST_STEPS && self.early == 0;
        if let Some(shown) = shown.filter(|shown| shown.is_sharp || !is_careful) {
            // After growth a stretch may have begun with less than a full burst, and show too little.
            let least = if so.is_after_growth { self.a_second } else { SLOWEST };
            self.a_second = (shown.a_second * BELOW).max(least);
            if shown.is_sharp || shown.a_second < CLEARLY_LESS * before {
                self.early = 0;
            }
            self.approach(shown, so.resumed);
        }
        self.early < EARLY_REFUSALS
    }

    /// It grows by small steps from now on.
    fn approach(&mut self, shown: Shown, resumed: Instant) {
        let stage = stage_after(shown);
        if self.stage != stage {
            self.stage = stage;
            self.grows_at = resumed + GROWTH[stage].1;
        }
    }

    fn cut(&mut self, Refused { borne, is_soon, resumed, .. }: Refused) {
        let (step, _) = GROWTH[self.stage];
        // What is too fast by a hundredth is refused after a hundred requests.
        let is_early = borne < ROW_THAT_SHOWS || f64::from(borne) < 0.3 / (step - 1.0);
        self.early = if is_early { self.early + 1 } else { 0 };
        self.a_second = (self.a_second / if is_soon { step * step } else { step } * BELOW).max(SLOWEST);
        if self.stage == SMALLEST_STEPS {
            self.grows_at = resumed + self.hold;
            self.hold = (2 * self.hold).min(LONGEST_HOLD);
        } else {
            self.stage += usize::from(!is_soon);
            self.grows_at = resumed + GROWTH[self.stage].1;
        }
    }
}
