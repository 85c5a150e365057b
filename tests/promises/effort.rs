//! How much is tried, and with which luck.

use crate::findings::Findings;
use std::future::Future;
use tokio::task::JoinSet;

/// Tries at work at once.
const AT_ONCE: usize = 3;

/// The short form for every `cargo test`, the long one for who wants to know.
#[derive(Clone, Copy)]
pub struct Effort {
    pub is_long: bool,
    seed: u64,
}

impl Effort {
    /// As `MALOMO_PROMISES` and `MALOMO_PROMISES_SEED` say. The short form always draws the same.
    pub fn of_environment() -> Effort {
        let is_long = std::env::var("MALOMO_PROMISES").is_ok_and(|form| form == "long");
        let seed = std::env::var("MALOMO_PROMISES_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = seed.unwrap_or_else(|| if is_long { fastrand::u64(..1_000_000) } else { 1 });
        #[expect(clippy::print_stdout, reason = "whoever sees a test fail needs the seed")]
        let () = println!("MALOMO_PROMISES_SEED={seed}");
        Effort { is_long, seed }
    }

    /// So many tries.
    pub fn tries(self, short: u64, long: u64) -> u64 {
        if self.is_long { long } else { short }
    }

    /// Luck of its own for a try.
    pub fn luck(self, scenario: u64, number: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(
            self.seed.wrapping_mul(1_000_003).wrapping_add(scenario << 32).wrapping_add(number),
        )
    }

    /// Makes all tries, a few at once, and adds up what they found.
    pub async fn all<F>(self, tries: impl Iterator<Item = F>) -> Findings
    where
        F: Future<Output = Findings> + Send + 'static,
    {
        let (mut running, mut found) = (JoinSet::new(), Findings::default());
        for next in tries {
            if running.len() == AT_ONCE {
                found.add(running.join_next().await.unwrap().unwrap());
            }
            running.spawn(next);
        }
        while let Some(ended) = running.join_next().await {
            found.add(ended.unwrap());
        }
        found
    }
}
