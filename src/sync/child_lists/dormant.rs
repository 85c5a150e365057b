//! A customer whom the mirror lacks, and who has expired unless an event keeps it (`retention.inactive_customers`). Its events
//! are looked at before it is taken in, so that nobody who is erased by that rule comes back for a while.

use super::walk::{self, Outcome, Reading, is_not_found, vanished};
use crate::api::{Cursor, Item, List, ListEnd, RepairedItem, Turn};
use crate::diff::looks::Signal;
use crate::mirror::{Applied, DueParent};
use crate::record::Record;
use crate::sync::SyncError;
use crate::sync::context::{Context, clear_hints, turn};

/// Takes the customer in and reads its events as any other's, if one of them keeps it.
pub(super) async fn walk(
    context: &Context,
    customer: Record,
    reading: Reading,
) -> Result<Outcome, SyncError> {
    match is_kept(context, &customer).await {
        Err(SyncError::Walk(error)) if is_not_found(&error) => vanished(context, customer.id(), error).await,
        Err(error) => Err(error),
        Ok(None) => Ok(Outcome::Halted),
        Ok(Some(false)) => leave_out(context, customer).await,
        Ok(Some(true)) => {
            let due = take_in(context, customer).await?;
            walk::walk(context, &due, reading).await
        }
    }
}

/// Reads the customer's events as far as one keeps it; `None` if the run halts. One that can't be taken may be of any time.
async fn is_kept(context: &Context, customer: &Record) -> Result<Option<bool>, SyncError> {
    let Some(child) = context.stream.child() else { return Ok(Some(false)) };
    let expiry = context.expiry();
    let mut pager = context.pager(List::of_parent(child, customer.id().to_owned()), Cursor::Start);
    loop {
        let Some(turn) = turn(context, &mut pager).await else { return Ok(None) };
        match turn? {
            Turn::Page(page) => {
                let keeps = |item: &Item<Record>| match item {
                    Item::Record(event) | Item::Repaired(RepairedItem { record: event, .. }) => {
                        expiry.is_activity(event)
                    }
                    Item::Rejected(_) => true,
                };
                if page.items.iter().any(keeps) {
                    return Ok(Some(true));
                }
            }
            Turn::Restarted => {}
            Turn::End(end) => {
                if let ListEnd::Unproven(why) = end {
                    context.counters.unproven_end(child, why);
                }
                return Ok(Some(false));
            }
        }
    }
}

async fn take_in(context: &Context, customer: Record) -> Result<DueParent, SyncError> {
    let woken = context.woken.clone();
    let (parent, is_new) = context
        .write_stamped(move |batch, stamp| {
            let (parent, is_new) = batch.take_dormant(stamp, &customer)?;
            // In the same job, so that nobody takes the row for one that the list lacks.
            woken.insert(parent.row);
            Ok((parent, is_new))
        })
        .await?;
    context.counters.applied(context.stream, &Applied { inserted: u64::from(is_new), ..Applied::default() });
    Ok(DueParent { parent, signal: Signal::New })
}

async fn leave_out(context: &Context, customer: Record) -> Result<Outcome, SyncError> {
    let here = context.clone();
    context
        .write(move |batch| {
            clear_hints(&here, batch, customer.id())?;
            batch.leave_dormant(&customer)
        })
        .await?;
    context.counters.count(|counts| counts.expired += 1);
    Ok(Outcome::LeftOut)
}
