//! How many requests are in flight at once, and how many start in a second (`api-contract` point 13).
//!
//! In: each request asks [`Admission`] for a `Permit` and tells it what became of the request, as an [`Outcome`]. Out:
//! when a request may start, and what was [`Learned`], which the mirror keeps for the next run. Nothing here sends a
//! request or decides whether one is repeated. `concurrency` and `rate` are the two limits, `controller` decides which
//! of them a refusal is about, and `admission` lets requests wait for their turn; only the last one reads a clock.

mod admission;
mod concurrency;
mod controller;
mod rate;
#[cfg(test)]
mod simulation;

pub(in crate::api) use admission::Admission;

use std::time::Duration;

/// How long a limit is relied on that was just met, that an earlier run has learned, or that the server itself has named.
const HOLD: Duration = Duration::from_secs(60);

/// What became of a request, as far as it tells what the API bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Outcome {
    /// It was answered, with any status that says nothing of too many requests.
    Accepted,
    /// 429, or 503 with a usable `Retry-After`: everybody waits that long.
    Throttled(Option<Duration>),
    /// 503 without: too much was asked, or the API is down.
    Unavailable,
    /// Anything else.
    Unknown,
}

/// What was learned of the API's limits. Kept in the mirror for the next run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned {
    /// Requests in flight at most.
    pub concurrency: usize,
    /// Requests a second at most; `None` while no such limit has shown.
    pub rate: Option<f64>,
}
