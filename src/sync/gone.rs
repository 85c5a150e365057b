//! Events that two walks of their customer's list lacked: decided about together at the run's end, because a server
//! that has lost its event lists looks the same as events that were deleted.

use super::SyncError;
use super::context::Context;
use super::events;
use crate::diff::{MissingEvents, may_delete_events};
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};

/// Collects until the run's end. Holds the ids of missing events only.
#[derive(Default)]
pub(super) struct GoneEvents(Mutex<Vec<Gone>>);

struct Gone {
    customer: String,
    /// When the walk of the customer's events began.
    started_at: Timestamp,
    events: Vec<String>,
}

impl GoneEvents {
    pub(super) fn add(&self, customer: &str, started_at: Timestamp, events: Vec<String>) {
        let gone = Gone { customer: customer.to_owned(), started_at, events };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(gone);
    }

    fn take(&self) -> Vec<Gone> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Deletes what was collected, or says why not; the customers concerned are then looked at again in the next run.
pub(super) async fn settle(context: &Context) -> Result<(), SyncError> {
    let gone = context.gone.take();
    let missing = gone.iter().map(|gone| gone.events.len() as u64).sum();
    if missing == 0 {
        return Ok(());
    }
    let mirrored = context.write(|batch| batch.event_count()).await?;
    let limit = context.settings.deletion_limit;
    if let Err(refused) = may_delete_events(MissingEvents { mirrored, missing }, limit) {
        context.tally.incomplete(refused.to_string());
        return Ok(());
    }
    for Gone { customer, started_at, events } in gone {
        events::finish(context, &customer, started_at, events).await?;
    }
    Ok(())
}
