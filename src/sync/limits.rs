//! The API's limits, kept in the mirror from one run to the next: a run that knows them needn't be refused to find them.

use crate::api::Learned;
use crate::mirror::Behaviour;

/// They are the API's as a whole, not a stream's.
pub(super) const STREAM: &str = "api";
pub(super) const EVIDENCE: &str =
    "more was answered 429 or 503, or had to wait for a stream of the connection";

/// What an earlier run recorded.
pub(super) fn remembered(found: &[Behaviour]) -> Option<Learned> {
    let of = |point| found.iter().find(|found| found.stream == STREAM && found.point == point);
    let concurrency = of("concurrency")?.value.parse().ok()?;
    Some(Learned { concurrency, rate: of("rate").and_then(|rate| rate.value.parse().ok()) })
}

/// The points that are recorded of what a run has learned, with their values.
pub(super) fn points(learned: Learned) -> [(&'static str, String); 2] {
    let rate = learned.rate.map_or_else(|| "none".to_owned(), |rate| format!("{rate:.1}"));
    [("concurrency", learned.concurrency.to_string()), ("rate", rate)]
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
            (vec![behaviour("concurrency", "8"), behaviour("rate", "none")], learned(8, None)),
            (vec![behaviour("concurrency", "16"), behaviour("rate", "99.5")], learned(16, Some(99.5))),
            (vec![behaviour("concurrency", "many"), behaviour("rate", "99.5")], None),
            (vec![behaviour("concurrency", "8"), behaviour("rate", "?")], learned(8, None)),
        ] {
            assert_eq!(remembered(&found), expected);
        }
    }
}
