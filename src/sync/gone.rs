//! Events that two walks of their customer's list lacked: decided about together at the run's end, because a server
//! that has lost its event lists looks the same as events that were deleted.

use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};

/// Collects until the run's end. Holds the ids of missing events only.
#[derive(Default)]
pub(super) struct GoneEvents(Mutex<Vec<Gone>>);

/// Events of one customer.
pub(super) struct Gone {
    pub(super) customer: String,
    /// When the walk of the customer's events began.
    pub(super) started_at: Timestamp,
    /// Their ids.
    pub(super) events: Vec<String>,
}

impl GoneEvents {
    pub(super) fn add(&self, customer: &str, started_at: Timestamp, events: Vec<String>) {
        let gone = Gone { customer: customer.to_owned(), started_at, events };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(gone);
    }

    pub(super) fn take(&self) -> Vec<Gone> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
