//! Two writers in one process take turns at the mirror.
//!
//! SQLite lets one transaction write at a time, and a run's transactions stay open for up to a second to gather more work.
//! Somebody who only has a moment, such as the daemon's listener for webhooks, asks for a turn: the run then commits early
//! and waits until the other one is done. Between processes SQLite's own waiting has to do.

use std::time::Duration;
use tokio::sync::watch;

/// A run's transaction is left this much time before it has to end for somebody else.
pub(crate) const LEAST: Duration = Duration::from_millis(10);

/// How long a run waits for somebody else at most: a turn that takes longer is in trouble, and has to look after itself.
const LONGEST: Duration = Duration::from_millis(250);

/// Shared by those who take turns. The default one is shared with nobody.
#[derive(Debug, Clone)]
pub struct Turns(watch::Sender<bool>);

impl Default for Turns {
    fn default() -> Turns {
        Turns(watch::Sender::new(false))
    }
}

/// A turn that was asked for; it is over when this is dropped.
#[derive(Debug)]
pub struct Turn<'t>(&'t Turns);

impl Turns {
    /// Asks for a turn. The caller begins its transaction as if nobody else were there, and waits for the lock.
    pub fn ask(&self) -> Turn<'_> {
        self.0.send_replace(true);
        Turn(self)
    }

    /// Whether somebody asks for a turn.
    pub(crate) fn is_asked_for(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until somebody asks for a turn.
    pub(crate) async fn asked_for(&self) {
        // The sender lives in `self`.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }

    /// Waits until nobody asks for a turn any more; a quarter of a second at most.
    pub(crate) async fn passed(&self) {
        if self.is_asked_for() {
            let _ = tokio::time::timeout(LONGEST, self.0.subscribe().wait_for(|asked| !*asked)).await;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.send_replace(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_waits_for_a_turn_but_not_for_ever() {
        let turns = Turns::default();
        turns.passed().await;
        let turn = turns.ask();
        turns.asked_for().await;
        let began = tokio::time::Instant::now();
        turns.passed().await;
        assert_eq!(began.elapsed(), LONGEST);
        drop(turn);
        turns.passed().await;
        assert_eq!(began.elapsed(), LONGEST);
    }
}
