//! Answers that go wrong, drawn from the seed and the request's number.

use super::draw::{Draw, Purpose};

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A refusal with that status, in the documented form. Nothing was done.
    Refusal(u16, Option<Wait>),
    /// A page in HTML with status 200, as from a proxy. Nothing was done.
    HtmlPage,
    /// What was asked for was done; the connection is reset before the answer.
    LostAnswer,
    /// What was asked for was done; the connection ends in the middle of the answer.
    HalfAnswer,
}

/// A `Retry-After`, in one of its two forms (RFC 9110 section 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Seconds.
    Seconds(u8),
    /// The present as an HTTP date.
    UntilNow,
}

const FAULTS: [Fault; 12] = [
    Fault::Refusal(500, None),
    Fault::Refusal(502, None),
    Fault::Refusal(503, None),
    Fault::Refusal(503, Some(Wait::Seconds(0))),
    Fault::Refusal(503, Some(Wait::UntilNow)),
    Fault::Refusal(504, None),
    Fault::Refusal(429, None),
    Fault::Refusal(429, Some(Wait::Seconds(0))),
    Fault::Refusal(429, Some(Wait::Seconds(1))),
    Fault::HtmlPage,
    Fault::LostAnswer,
    Fault::HalfAnswer,
];

impl Fault {
    /// What is wrong with the answer to the request of that number; `rate` is the share of faulty ones.
    pub(super) fn drawn(seed: u64, number: u64, rate: f64) -> Option<Fault> {
        let mut draw = Draw::new(seed, Purpose::Fault, number, 0);
        (draw.unit() < rate).then(|| draw.pick(&FAULTS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, rate: f64) -> Vec<Option<Fault>> {
        (0..2000).map(|number| Fault::drawn(seed, number, rate)).collect()
    }

    #[test]
    fn faults_follow_from_seed_and_number() {
        assert_eq!(drawn(1, 0.3), drawn(1, 0.3));
        assert_ne!(drawn(1, 0.3), drawn(2, 0.3));
    }

    #[test]
    fn the_rate_is_met_with_every_kind() {
        assert!(drawn(1, 0.0).iter().all(Option::is_none));
        assert!(drawn(1, 1.0).iter().all(Option::is_some));
        let faults: Vec<Fault> = drawn(1, 0.3).into_iter().flatten().collect();
        assert!((500..700).contains(&faults.len()), "{}", faults.len());
        assert!(FAULTS.iter().all(|fault| faults.contains(fault)));
    }
}
