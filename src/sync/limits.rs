//! The API's limits, kept in the mirror from one run to the next: a run that knows them needn't be refused to find them.

use crate::api::Learned;
use crate::mirror::{Batch, Behaviour, MirrorError};
use jiff::Timestamp;

/// They are the API's as a whole, not a stream's.
const STREAM: &str = "api";
const CONCURRENCY: &str = "concurrency";
const RATE: &str = "rate";
const NO_RATE: &str = "none";

/// What an earlier run recorded.
pub(super) fn remembered(found: &[Behaviour]) -> Option<Learned> {
    let value = |point: &str| {
        found.iter().find(|found| found.stream == STREAM && found.point == point).map(|found| &found.value)
    };
    let concurrency = value(CONCURRENCY)?.parse().ok()?;
    Some(Learned { concurrency, rate: value(RATE).and_then(|rate| rate.parse().ok()) })
}

/// Records what this run ended with.
pub(super) fn record(
    batch: &mut Batch<'_>,
    now: Timestamp,
    base_url: &str,
    learned: Learned,
) -> Result<(), MirrorError> {
    const EVIDENCE: &str = "more was answered 429 or 503, or had to wait for a stream of the connection";
    let rate = learned.rate.map_or_else(|| NO_RATE.to_owned(), |rate| format!("{rate:.1}"));
    let concurrency = learned.concurrency.to_string();
    batch.record_behaviour(STREAM, CONCURRENCY, &concurrency, EVIDENCE, base_url, now)?;
    batch.record_behaviour(STREAM, RATE, &rate, EVIDENCE, base_url, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviour(point: &str, value: &str) -> Behaviour {
        Behaviour {
            stream: STREAM.to_owned(),
            point: point.to_owned(),
            value: value.to_owned(),
            evidence: String::new(),
            base_url: String::new(),
            detected_at: String::new(),
        }
    }

    #[test]
    fn what_is_remembered() {
        let learned = |concurrency, rate| Some(Learned { concurrency, rate });
        for (found, expected) in [
            (vec![], None),
            (vec![behaviour(CONCURRENCY, "8"), behaviour(RATE, NO_RATE)], learned(8, None)),
            (vec![behaviour(CONCURRENCY, "16"), behaviour(RATE, "99.5")], learned(16, Some(99.5))),
            (vec![behaviour(CONCURRENCY, "many"), behaviour(RATE, "99.5")], None),
            (vec![behaviour(CONCURRENCY, "8"), behaviour(RATE, "?")], learned(8, None)),
        ] {
            assert_eq!(remembered(&found), expected);
        }
    }
}
