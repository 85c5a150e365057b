//! How far the server's clock is ahead of ours, by the `Date` of its answers (RFC 9110 section 6.6.1).

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AGE, DATE, HeaderMap};
use std::sync::{Mutex, PoisonError};

/// How many answers are used, from the client's first one on: the server's clock is needed for the time at which a run
/// began.
const ANSWERS: usize = 15;

/// The difference of the two clocks. Shared by all requests of a client.
#[derive(Debug, Default)]
pub(super) struct ServerClock(Mutex<Vec<SignedDuration>>);

impl ServerClock {
    /// An answer came at `now`, by our clock.
    pub(super) fn observe(&self, headers: &HeaderMap, now: Timestamp) {
        let mut differences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if differences.len() < ANSWERS
            && let Some(ahead) = ahead(headers, now)
        {
            differences.push(ahead);
        }
    }

    /// How far the server's clock is ahead; `None` while no answer told. The median: neither a slow answer nor one
    /// machine with a wrong clock among the server's decides. What the way of an answer took, and the part of a second
    /// that `Date` leaves out, make it up to about a second too small: a moment of ours then comes out too early.
    pub(super) fn ahead(&self) -> Option<SignedDuration> {
        let mut differences = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        differences.sort_unstable();
        differences.get(differences.len() / 2).copied()
    }
}

fn ahead(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    // A cache gives the time of day when it got the answer.
    if headers.contains_key(AGE) {
        return None;
    }
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(Timestamp::try_from(date).ok()?.duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(date: &'static str, age: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static(date));
        headers.extend(age.map(|age| (AGE, HeaderValue::from_static(age))));
        headers
    }

    #[test]
    fn the_median_of_what_the_first_answers_tell() {
        let clock = ServerClock::default();
        let now: Timestamp = "2026-03-01T10:00:00.250Z".parse().unwrap();
        assert_eq!(clock.ahead(), None);
        for (date, age) in [
            ("nonsense", None),
            ("Sun, 01 Mar 2026 09:00:00 GMT", Some("3600")),
            ("Sun, 01 Mar 2026 10:30:00 GMT", None),
            // A slow answer, and a machine with a wrong clock.
            ("Sun, 01 Mar 2026 10:29:00 GMT", None),
            ("Fri, 01 Jan 2027 00:00:00 GMT", None),
        ] {
            clock.observe(&headers(date, age), now);
        }
        let expected = SignedDuration::from_millis(30 * 60_000 - 250);
        assert_eq!(clock.ahead(), Some(expected));
        for _ in 0..100 {
            clock.observe(&headers("Sun, 01 Mar 2026 10:30:00 GMT", None), now);
        }
        for _ in 0..100 {
            clock.observe(&headers("Sun, 01 Mar 2026 12:00:00 GMT", None), now);
        }
        assert_eq!(clock.ahead(), Some(expected));
    }
}
