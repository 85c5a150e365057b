//! Whether and when a failed attempt is repeated (`api-contract` point 7). Pure: time and chance come in.

use super::api_error::{ErrorKind, Repeat};
use std::time::{Duration, SystemTime};

/// How often and how soon a failed request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; 0 counts as 1. Twice as many where the API asks for fewer requests: it
    /// works, and waiting helps.
    pub attempts: u32,
    /// The longest wait after the first attempt; it doubles with each further one.
    pub base: Duration,
    /// The longest wait after any attempt, unless the API asks for more.
    pub max: Duration,
    /// The longest `Retry-After` that is honoured; a longer one counts as none.
    pub retry_after_max: Duration,
}

#[cfg(test)]
impl Default for RetryPolicy {
    /// The defaults of the configuration.
    fn default() -> Self {
        RetryPolicy {
            attempts: 9,
            base: Duration::from_millis(250),
            max: Duration::from_secs(8),
            retry_after_max: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    fn attempts_after(&self, kind: ErrorKind) -> u32 {
        match kind {
            ErrorKind::RateLimited => self.attempts.saturating_mul(2),
            _ => self.attempts,
        }
    }
}

/// What was wrong with an attempt, as far as it matters for the next one.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Fault<'a> {
    pub(in crate::api) kind: ErrorKind,
    /// The answer's `Retry-After`, as it stands there.
    pub(in crate::api) retry_after: Option<&'a str>,
}

/// After attempt number `attempt` (counted from 1) failed: how long to wait before the request is sent again; `None` to
/// report the failure. `is_idempotent` says that the call may be carried out
/// twice (RFC 9110 section 9.2.2): a second POST creates a second customer. `random` lies in [0, 1).
pub(in crate::api) fn decide(
    fault: Fault<'_>,
    is_idempotent: bool,
    attempt: u32,
    policy: &RetryPolicy,
    now: SystemTime,
    random: f64,
) -> Option<Duration> {
    let repeatable = match fault.kind.row().repeat {
        Repeat::Always => true,
        Repeat::Idempotent => is_idempotent,
        Repeat::Never => false,
    };
    if !repeatable || attempt >= policy.attempts_after(fault.kind) {
        return None;
    }
    let asked = fault.retry_after.and_then(|text| retry_after(text, policy, now));
    Some(match asked {
        // A little later than asked, so that those who were sent away together do not come back together.
        Some(asked) => asked.saturating_add(part(policy.base.min(policy.max), random)),
        None => backoff(attempt, policy, random),
    })
}

/// What a `Retry-After` asks for: seconds or an HTTP date (RFC 9110 section 10.2.3). `None` for one that
/// cannot be meant: unreadable, not in the future, or further away than `retry_after_max`.
pub(in crate::api) fn retry_after(text: &str, policy: &RetryPolicy, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let asked = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        Duration::from_secs(text.parse().ok()?)
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?
    };
    (!asked.is_zero() && asked <= policy.retry_after_max).then_some(asked)
}

/// Exponential, with full jitter: anywhere between nothing and base × 2^(attempt - 1), at most max.
fn backoff(attempt: u32, policy: &RetryPolicy, random: f64) -> Duration {
    let factor = 2u32.saturating_pow(attempt.saturating_sub(1));
    let ceiling = policy.base.saturating_mul(factor).min(policy.max);
    part(ceiling, random)
}

/// `whole` × `random`, never more than `whole`.
fn part(whole: Duration, random: f64) -> Duration {
    let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 };
    Duration::try_from_secs_f64(whole.as_secs_f64() * random).unwrap_or(whole).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [ErrorKind; 17] = [
        ErrorKind::Unreachable,
        ErrorKind::Certificate,
        ErrorKind::ProxyRefused,
        ErrorKind::Timeout,
        ErrorKind::BrokenAnswer,
        ErrorKind::TooLarge,
        ErrorKind::NotDocumented,
        ErrorKind::KeyRefused,
        ErrorKind::Forbidden,
        ErrorKind::NotFound,
        ErrorKind::BadRequest,
        ErrorKind::RateLimited,
        ErrorKind::ServerFault,
        ErrorKind::CrossOrigin,
        ErrorKind::Redirect,
        ErrorKind::UnusableId,
        ErrorKind::Client,
    ];

    fn now() -> SystemTime {
        httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap()
    }

    #[test]
    fn what_is_repeated() {
        use ErrorKind::*;
        for kind in KINDS {
            let fault = Fault { kind, retry_after: None };
            let repeats = |call| decide(fault, call, 1, &RetryPolicy::default(), now(), 0.5).is_some();
            let idempotent = matches!(
                kind,
                Unreachable | Timeout | BrokenAnswer | NotDocumented | RateLimited | ServerFault
            );
            assert_eq!(repeats(true), idempotent, "{kind:?}");
            assert_eq!(repeats(false), kind == Unreachable, "{kind:?}");
        }
    }

    #[test]
    fn retry_after_in_both_forms_and_absurd_ones() {
        for (text, seconds) in [
            ("1", Some(1)),
            (" 120 ", Some(120)),
            ("600", Some(600)),
            ("601", None),
            ("0", None),
            ("-5", None),
            ("1.5", None),
            ("+3", None),
            ("", None),
            ("soon", None),
            ("99999999999999999999999999", None),
            ("18446744073709551615", None),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:27 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(text, &RetryPolicy::default(), now()), expected, "{text:?}");
        }
    }

    #[test]
    fn an_absurd_retry_after_falls_back_to_backoff() {
        let fault = Fault { kind: ErrorKind::RateLimited, retry_after: Some("86400") };
        let decision = decide(fault, true, 3, &RetryPolicy::default(), now(), 0.5);
        assert_eq!(decision, Some(Duration::from_millis(500)));
    }

    #[test]
    fn a_usable_retry_after_is_a_lower_bound() {
        let fault = Fault { kind: ErrorKind::RateLimited, retry_after: Some("7") };
        let decision = decide(fault, true, 1, &RetryPolicy::default(), now(), 0.5);
        assert_eq!(decision, Some(Duration::from_millis(7125)));
    }

    fn policies() -> impl Strategy<Value = RetryPolicy> {
        (any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(attempts, base, max, after)| {
            RetryPolicy {
                attempts,
                base: Duration::from_millis(base),
                max: Duration::from_millis(max),
                retry_after_max: Duration::from_secs(after),
            }
        })
    }

    proptest! {
        #[test]
        fn waits_and_attempts_are_bounded(
            kind in prop::sample::select(&KINDS[..]),
            header in proptest::option::of("[0-9]{0,25}|.{0,30}"),
            policy in policies(),
            attempt in any::<u32>(),
            random in any::<f64>(),
        ) {
            let fault = Fault { kind, retry_after: header.as_deref() };
            match decide(fault, true, attempt, &policy, now(), random) {
                None => prop_assert!(
                    attempt >= policy.attempts_after(kind) || kind.row().repeat == Repeat::Never
                ),
                Some(delay) => {
                    prop_assert!(attempt < policy.attempts_after(kind));
                    let asked = header.and_then(|text| retry_after(&text, &policy, now()));
                    prop_assert!(asked.is_none_or(|asked| delay >= asked && asked <= policy.retry_after_max));
                    prop_assert!(delay <= asked.unwrap_or_default().saturating_add(policy.max));
                }
            }
        }

        #[test]
        fn backoff_follows_chance(attempt in 1u32..12, random in 0.0..1.0f64) {
            let policy = RetryPolicy::default();
            let ceiling = Duration::from_millis(250 << (attempt - 1)).min(policy.max);
            let expected = ceiling.as_secs_f64() * random;
            prop_assert!((backoff(attempt, &policy, random).as_secs_f64() - expected).abs() < 1e-6);
        }
    }
}
