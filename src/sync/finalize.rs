//! Applies deletions and moves at the end of a run: of events that complete walks of their lists lacked, of customers that
//! the API no longer has, and of events that two customers list.

use super::SyncError;
use super::account::{Witness, find_witness};
use super::context::{Context, DUE_QUEUE, halt_on_error, queue_due};
use super::pending_deletions::{ContestedEvents, PendingCustomers};
use crate::diff::{MissingEvents, deleted_if_missing_since, may_delete_events};
use crate::sync::event_lists::{self, Reading};
use tokio::sync::mpsc;

/// Moves and deletes what was collected, or reports why not; the next run then checks the customers concerned again. A
/// contested event moves as soon as the customer who has it no longer lists it, without leaving the mirror in between. As
/// long as both list it, it stays where it is, and the run reports that.
pub(super) async fn finalize(context: &Context) -> Result<(), SyncError> {
    read_owners(context).await?;
    if context.halt.is_cancelled() {
        return Ok(());
    }
    let mut contested = context.pending.take_contested_events();
    if contested.is_truncated {
        context.counters.incomplete(
            "too many events stand in the lists of two customers to be told apart in one run: none was deleted, and the \
             next run goes on with them"
                .to_owned(),
        );
    }
    move_events(context, &mut contested).await?;
    if !contested.is_truncated {
        delete_events(context).await?;
    }
    delete_customers(context, &mut contested).await?;
    if let Some((count, event, owner, claimant)) = contested.left() {
        context.counters.incomplete(format!(
            "{count} events stand in the lists of two customers; the mirror keeps each under the one where it was first \
             until that one no longer lists it. The first of them: event {event}, kept under customer {owner}, listed \
             by customer {claimant} too"
        ));
    }
    let missing = context
        .write(|batch| {
            let missing = batch.missing_events()?;
            if missing > 0 {
                batch.leave_missing_due()?;
            }
            Ok(missing)
        })
        .await?;
    context.counters.count(|counts| counts.events_missing = missing);
    Ok(())
}

/// Reads the event lists of customers who have contested events, unless this run has done so already.
async fn read_owners(context: &Context) -> Result<(), SyncError> {
    let (owners, since) = (context.pending.owners(), context.started_at);
    if owners.is_empty() {
        return Ok(());
    }
    let unread = context.write(move |batch| batch.events_unread_since(owners, since)).await?;
    let (due, queue) = mpsc::channel(DUE_QUEUE);
    let handing = async {
        queue_due(context, &due, unread).await;
        drop(due);
    };
    let ((), read) = tokio::join!(handing, event_lists::walk_all(context, queue, Reading::First));
    halt_on_error(context, read)
}

/// Moves contested events that their owners' lists lacked in this run.
async fn move_events(context: &Context, contested: &mut ContestedEvents) -> Result<(), SyncError> {
    for owner in contested.owners() {
        let (stamp, of_owner) = (context.stamp(), contested.take(&owner));
        let (owner, kept, moved) = context
            .write(move |batch| {
                let (mut kept, mut moved) = (of_owner.clone(), 0);
                for (event, to) in &of_owner {
                    if batch.move_missing_event(stamp, &owner, (event, to))? {
                        kept.remove(event);
                        moved += 1;
                    }
                }
                Ok((owner, kept, moved))
            })
            .await?;
        contested.put_back(&owner, kept);
        context.counters.count(|counts| counts.events_updated += moved);
    }
    Ok(())
}

/// Deletes events that have been missing for long enough.
async fn delete_events(context: &Context) -> Result<(), SyncError> {
    let stamp = context.stamp();
    let until = deleted_if_missing_since(context.started_at, stamp.now, context.settings.deletion_wait);
    let (missing, mirrored) =
        context.write(move |batch| Ok((batch.deletable_events(stamp, until)?, batch.event_count()?))).await?;
    let decided = may_delete_events(MissingEvents { mirrored, missing }, context.settings.deletion_limit);
    if let Err(refused) = decided {
        context.counters.incomplete(refused.to_string());
        return Ok(());
    }
    loop {
        let deleted = context.write(move |batch| batch.delete_missing_events(stamp, until)).await?;
        if deleted == 0 {
            return Ok(());
        }
        context.counters.count(|counts| counts.events_deleted += deleted);
    }
}

/// Deletes customers and their events. Events that another customer lists move to that customer first.
async fn delete_customers(context: &Context, contested: &mut ContestedEvents) -> Result<(), SyncError> {
    let gone = context.pending.take_customers();
    if gone.customers.is_empty() {
        return Ok(());
    }
    let Some(witness) = witness_of_404s(context, &gone).await? else { return Ok(()) };
    for (id, answer) in gone.customers {
        let of_owner = contested.take(&id);
        let may_delete = !contested.is_truncated;
        let evidence =
            format!("{}; then GET answered {answer}, and 200 for customer {witness}", gone.missing_from);
        let stamp = context.stamp();
        let (moved, deleted) = context
            .write(move |batch| {
                let mut moved = 0;
                for (event, to) in &of_owner {
                    moved += u64::from(batch.move_event(stamp, &id, (event, to))?);
                }
                let deleted = match may_delete {
                    true => batch.delete_customer(stamp, &id, &evidence)?,
                    false => None,
                };
                Ok((moved, deleted))
            })
            .await?;
        context.counters.count(|counts| {
            counts.events_updated += moved;
            counts.customers_deleted += u64::from(deleted.is_some());
            counts.events_deleted += deleted.unwrap_or(0);
        });
    }
    Ok(())
}

/// Finds a listed customer that the API can also return by itself: only then do its 404s for others prove anything
/// (`api-contract` point 9). `None` if nobody may be deleted; the run has then reported why.
async fn witness_of_404s(context: &Context, gone: &PendingCustomers) -> Result<Option<String>, SyncError> {
    let why = match find_witness(context, Some(gone.listed.clone())).await? {
        Witness::Found(id) => return Ok(Some(id)),
        Witness::Halted => return Ok(None),
        Witness::Unknown => "it doesn't know customers either that the list has".to_owned(),
        Witness::Unanswered(error) => {
            format!("a customer that the list has could not be asked for: {}", error.log_form())
        }
    };
    context.counters.incomplete(format!(
        "the API answers 404 for {} customers that the list lacks, but {why}; nobody was deleted, and the next run asks again",
        gone.customers.len()
    ));
    Ok(None)
}
