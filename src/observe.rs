//! What the library reports while it works. It neither prints nor logs by itself: the command line
//! draws these events, the daemon logs and counts them.
//!
//! An event carries identifiers and counts, never personal data and never the key.

use crate::record::Stream;
use std::time::Duration;

/// Something that happened, reported as it happens.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A run was recorded in the mirror and begins; the first event of every run.
    RunStarted {
        /// Its number, `sync_runs.id`.
        run_id: i64,
        /// What it walks.
        mode: &'a str,
        /// Whether it goes on with an interrupted walk.
        resumed: bool,
    },
    /// One attempt at a request got an answer, or failed without one (`status` is then `None`).
    RequestFinished {
        /// The stream that the request reads or writes.
        stream: Stream,
        /// The HTTP status, if an answer came.
        status: Option<u16>,
        /// From sending the request to the last byte of the answer.
        elapsed: Duration,
    },
    /// An attempt failed and the request will be sent again after `delay`.
    RetryScheduled {
        /// The stream that the request reads or writes.
        stream: Stream,
        /// The attempt that failed, counted from 1.
        attempt: u32,
        /// How long the client waits before the next one.
        delay: Duration,
        /// What was wrong, without personal data.
        reason: &'a str,
    },
    /// The number of requests allowed in flight changed.
    ConcurrencyChanged {
        /// The new limit.
        limit: usize,
    },
    /// A page of the customer list was taken into the mirror.
    CustomerPageStored {
        /// Rows on the page.
        rows: u64,
    },
    /// The customer list was walked to its end.
    CustomerWalkFinished {
        /// Customers in the list.
        customers: u64,
    },
    /// Customers were found whose events will be fetched in this run.
    EventWalksPlanned {
        /// How many more.
        customers: u64,
    },
    /// A page of events was taken into the mirror.
    EventPageStored {
        /// Rows on the page.
        rows: u64,
    },
    /// The events of one customer were read to their end, or could not be.
    EventWalkFinished {
        /// The customer.
        customer_id: &'a str,
        /// Why they could not be read; `None` where they were.
        error: Option<&'a str>,
    },
    /// A customer that webhooks had hinted at was looked at.
    HintsFollowed {
        /// The customer.
        customer_id: &'a str,
        /// From the oldest of these hints to its rows.
        waited: Duration,
    },
    /// Customers were drawn to be read again one by one, and compared.
    AuditPlanned {
        /// How many.
        customers: u64,
    },
    /// A customer was compared, or could not be.
    CustomerAudited {
        /// The customer.
        customer_id: &'a str,
        /// Why it could not be compared; `None` where it was.
        error: Option<&'a str>,
    },
    /// Something that a person should know about, and that does not end the run.
    Remark {
        /// One sentence, without personal data.
        text: &'a str,
    },
}

/// Takes events. Called from several tasks at once and on the path of every request: return quickly.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn observe(&self, event: &Event<'_>);
}

/// An observer that lets everything pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _event: &Event<'_>) {}
}
