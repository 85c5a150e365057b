//! Whether the daemon's loop still goes round.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When the loop last went round.
#[derive(Debug)]
pub(super) struct Watchdog {
    last: Mutex<Instant>,
    /// The loop counts as stuck after this long without a beat.
    limit: Duration,
}

impl Watchdog {
    /// For a loop that goes round at least every `beat`; three beats may be missed.
    pub(super) fn new(beat: Duration) -> Watchdog {
        Watchdog { last: Mutex::new(Instant::now()), limit: beat * 4 }
    }

    pub(super) fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed() <= self.limit
    }
}
