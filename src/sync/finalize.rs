//! Applies deletions and moves at the end of a run: of events that complete walks of their lists lacked, of customers that
//! the API no longer has, and of events that two customers list.

use super::SyncError;
use super::account::{Witness, find_witness};
use super::context::Context;
use super::pending_deletions::{Contested, PendingParents};
use crate::diff::{MissingEvents, deleted_if_missing_since, may_delete_events};
use crate::record::Stream;
use crate::sync::child_lists::{self, Reading};

/// Moves and deletes what was collected, or reports why not; the next run then checks the customers concerned again. A
/// contested event moves as soon as the customer who has it no longer lists it, without leaving the mirror in between. As
/// long as both list it, it stays where it is, and the run reports that.
pub(super) async fn finalize(context: &Context) -> Result<(), SyncError> {
    let parents = context.stream;
    let Some(child) = parents.child() else {
        return delete_parents(context, &mut Contested::default()).await;
    };
    read_owners(context).await?;
    if context.halt.is_cancelled() {
        return Ok(());
    }
    let mut contested = context.pending.take_contested();
    if contested.is_truncated {
        context.counters.incomplete(format!(
            "too many {child} stand in the lists of two {parents} to be told apart in one run: none was deleted, and the \
             next run goes on with them"
        ));
    }
    move_children(context, child, &mut contested).await?;
    if !contested.is_truncated {
        delete_children(context, child).await?;
    }
    delete_parents(context, &mut contested).await?;
    if let Some((count, event, owner, claimant)) = contested.left() {
        context.counters.incomplete(format!(
            "{count} {child} stand in the lists of two {parents}; the mirror keeps each under the one where it was first \
             until that one no longer lists it. The first of them: {} {event}, kept under {of} {owner}, listed by {of} \
             {claimant} too",
            child.singular(),
            of = parents.singular()
        ));
    }
    let missing = context
        .write(move |batch| {
            let missing = batch.missing(child)?;
            if missing > 0 {
                batch.leave_missing_due(child)?;
            }
            Ok(missing)
        })
        .await?;
    context.counters.count(|counts| counts[child].missing = missing);
    Ok(())
}

/// Reads the event lists of customers who have contested events, unless this run has done so already.
async fn read_owners(context: &Context) -> Result<(), SyncError> {
    let (stream, owners, since) = (context.stream, context.pending.owners(), context.started_at);
    if owners.is_empty() {
        return Ok(());
    }
    let unread = context.write(move |batch| batch.unread_since(stream, owners, since)).await?;
    child_lists::walk_these(context, unread, Reading::First).await
}

/// Moves contested events that their owners' lists lacked in this run.
async fn move_children(context: &Context, child: Stream, contested: &mut Contested) -> Result<(), SyncError> {
    for owner in contested.owners() {
        let of_owner = contested.take(&owner);
        let (owner, kept, moved) = context
            .write_stamped(move |batch, stamp| {
                let (mut kept, mut moved) = (of_owner.clone(), 0);
                for (event, to) in &of_owner {
                    if batch.move_missing(stamp, child, &owner, (event, to))? {
                        kept.remove(event);
                        moved += 1;
                    }
                }
                Ok((owner, kept, moved))
            })
            .await?;
        contested.put_back(&owner, kept);
        context.counters.count(|counts| counts[child].updated += moved);
    }
    Ok(())
}

/// Deletes events that have been missing for long enough.
async fn delete_children(context: &Context, child: Stream) -> Result<(), SyncError> {
    let stamp = context.stamp();
    let until = deleted_if_missing_since(context.started_at, stamp.now, context.settings.deletion_wait);
    let (missing, mirrored) = context
        .write(move |batch| Ok((batch.deletable(stamp, child, until)?, batch.row_count(child)?)))
        .await?;
    let decided = may_delete_events(MissingEvents { mirrored, missing }, context.settings.deletion_limit);
    if let Err(refused) = decided {
        context.counters.deletions_refused(refused);
        return Ok(());
    }
    loop {
        let deleted =
            context.write_stamped(move |batch, stamp| batch.delete_missing(stamp, child, until)).await?;
        if deleted == 0 {
            return Ok(());
        }
        context.counters.count(|counts| counts[child].deleted += deleted);
    }
}

/// Deletes customers and their events. Events that another customer lists move to that customer first.
async fn delete_parents(context: &Context, contested: &mut Contested) -> Result<(), SyncError> {
    let gone = context.pending.take_parents();
    if gone.records.is_empty() {
        return Ok(());
    }
    let Some(witness) = witness_of_404s(context, &gone).await? else { return Ok(()) };
    let (stream, of) = (context.stream, context.stream.singular());
    for (id, answer) in gone.records {
        let of_owner = contested.take(&id);
        let may_delete = !contested.is_truncated;
        let evidence =
            format!("{}; then GET answered {answer}, and 200 for {of} {witness}", gone.missing_from);
        let (moved, deleted) = context
            .write_stamped(move |batch, stamp| {
                let mut moved = 0;
                for (event, to) in &of_owner {
                    if let Some(child) = stream.child() {
                        moved += u64::from(batch.move_child(stamp, child, &id, (event, to))?);
                    }
                }
                let deleted = match may_delete {
                    true => batch.delete_parent(stamp, stream, &id, &evidence)?,
                    false => None,
                };
                Ok((moved, deleted))
            })
            .await?;
        context.counters.count(|counts| {
            counts[stream].deleted += u64::from(deleted.is_some());
            if let Some(child) = stream.child() {
                counts[child].updated += moved;
                counts[child].deleted += deleted.unwrap_or(0);
            }
        });
    }
    Ok(())
}

/// Finds a listed customer that the API can also return by itself: only then do its 404s for others prove anything
/// (`api-contract` point 9). `None` if nobody may be deleted; the run has then reported why.
async fn witness_of_404s(context: &Context, gone: &PendingParents) -> Result<Option<String>, SyncError> {
    let why = match find_witness(context, Some(gone.listed.clone())).await? {
        Witness::Found(id) => return Ok(Some(id)),
        Witness::Halted => return Ok(None),
        Witness::Unknown => format!("it doesn't know {} either that the list has", context.stream),
        Witness::Unanswered(error) => {
            format!(
                "a {} that the list has could not be asked for: {}",
                context.stream.singular(),
                error.log_form()
            )
        }
    };
    context.counters.incomplete(format!(
        "the API answers 404 for {} {} that the list lacks, but {why}; none was deleted, and the next run asks again",
        gone.records.len(),
        context.stream
    ));
    Ok(None)
}
