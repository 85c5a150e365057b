//! The decision about events that two walks of their lists lacked.

use super::SyncError;
use super::context::Context;
use super::events;
use super::gone::Gone;
use crate::diff::{MissingEvents, may_delete_events};

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
