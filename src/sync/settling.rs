//! The decisions that wait for a run's end: about events that two walks of their lists lacked, about customers that
//! are gone, and about events that stand in the lists of two customers.

use super::SyncError;
use super::context::{Context, DUE_QUEUE, halt_on_error};
use super::customers::hand_on;
use super::events;
use super::gone::{Claims, GoneCustomers, GoneEvents};
use crate::diff::{MissingEvents, Parted, may_delete_events, part};
use tokio::sync::mpsc;

/// Moves and deletes what was collected, or says why not; the customers concerned are then looked at again in the next
/// run. An event that is claimed moves once the customer who has it no longer lists it, and never leaves the mirror
/// in between; as long as both list it, it stays where it is, and the run says so.
pub(super) async fn settle(context: &Context) -> Result<(), SyncError> {
    read_owners(context).await?;
    if context.halt.is_cancelled() {
        return Ok(());
    }
    let mut claims = context.gone.take_claims();
    let (events, customers) = (context.gone.take_events(), context.gone.take_customers());
    if claims.are_cut {
        context.tally.incomplete(
            "too many events stand in the lists of two customers to be told apart in one run: none was deleted, and the \
             next run goes on with them"
                .to_owned(),
        );
    }
    settle_events(context, events, &mut claims).await?;
    settle_customers(context, customers, &mut claims).await?;
    if let Some((count, event, owner, claimant)) = claims.left() {
        context.tally.incomplete(format!(
            "{count} events stand in the lists of two customers; the mirror keeps each under the one where it was first \
             until that one no longer lists it. The first of them: event {event}, kept under customer {owner}, listed \
             by customer {claimant} too"
        ));
    }
    Ok(())
}

/// Reads the lists of those who hold claimed events, unless this run has done so already.
async fn read_owners(context: &Context) -> Result<(), SyncError> {
    let (owners, since) = (context.gone.owners_to_read(), context.started_at);
    if owners.is_empty() {
        return Ok(());
    }
    let unread = context.write(move |batch| batch.events_unread_since(owners, since)).await?;
    let (due, queue) = mpsc::channel(DUE_QUEUE);
    let handing = async {
        hand_on(context, &due, unread).await;
        drop(due);
    };
    let ((), read) = tokio::join!(handing, events::walk_all(context, queue));
    halt_on_error(context, read)
}

async fn settle_events(
    context: &Context,
    gone: Vec<GoneEvents>,
    claims: &mut Claims,
) -> Result<(), SyncError> {
    let mut parted = Vec::with_capacity(gone.len());
    for gone in gone {
        let mut claimed = claims.take(&gone.customer);
        let what = part(gone.events, &claimed);
        what.moved.iter().for_each(|(event, _)| drop(claimed.remove(event)));
        claims.put_back(&gone.customer, claimed);
        parted.push((gone.customer, gone.checked_at, what));
    }
    let missing = parted.iter().map(|(_, _, what)| what.deleted.len() as u64).sum();
    let may_delete = !claims.are_cut && may_delete(context, missing).await?;
    for (customer, checked_at, what) in parted {
        if may_delete {
            events::finish(context, &customer, checked_at, what).await?;
        } else if !what.moved.is_empty() {
            let moved_only = Parted { deleted: Vec::new(), ..what };
            events::finish(context, &customer, None, moved_only).await?;
        }
    }
    Ok(())
}

async fn may_delete(context: &Context, missing: u64) -> Result<bool, SyncError> {
    if missing == 0 {
        return Ok(true);
    }
    let mirrored = context.write(|batch| batch.event_count()).await?;
    let decided = may_delete_events(MissingEvents { mirrored, missing }, context.settings.deletion_limit);
    Ok(decided.map_err(|refused| context.tally.incomplete(refused.to_string())).is_ok())
}

/// Deletes customers with their events, but for events that others list: those stay, under who lists them.
async fn settle_customers(
    context: &Context,
    gone: GoneCustomers,
    claims: &mut Claims,
) -> Result<(), SyncError> {
    for (id, request_id) in gone.customers {
        let moved: Vec<(String, String)> = claims.take(&id).into_iter().collect();
        let may_delete = !claims.are_cut;
        let request = request_id.map_or_else(String::new, |id| format!(", request id {id}"));
        let evidence = format!("{}; then GET answered 404{request}", gone.missing_from);
        let stamp = context.stamp();
        let (moved, deleted) = context
            .write(move |batch| {
                let moved = batch.move_events(stamp, &id, &moved)?;
                let deleted = match may_delete {
                    true => batch.delete_customer(stamp, &id, &evidence)?,
                    false => None,
                };
                Ok((moved, deleted))
            })
            .await?;
        context.tally.count(|counts| {
            counts.events_updated += moved;
            counts.customers_deleted += u64::from(deleted.is_some());
            counts.events_deleted += deleted.unwrap_or(0);
        });
    }
    Ok(())
}
