//! Fetches records of a parents' list one by one: those that the list lacks, those that it has in an old version, and
//! those that the user named.

use super::store::apply;
use super::walk_state::ListWalk;
use crate::api::{ApiError, ErrorKind, Item, ListEnd};
use crate::diff::{Trust, WalkedList, WalkedPages, lacks_pages, may_delete};
use crate::mirror::Due;
use crate::record::{Record, RowSet};
use crate::sync::SyncError;
use crate::sync::context::{Context, clear_hints, queue_due};
use crate::sync::decoded_records::DecodedRecords;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How many customers are read from the mirror at a time.
const BATCH: usize = 256;

/// What the API answered for one record.
enum Answer {
    Present(Box<RawValue>),
    /// The API has no such record: the status, and the request id where the answer had one.
    NotFound(String),
    Failed(ApiError),
}

/// After a complete walk, fetches mirrored customers that the list lacked; if the API answers 404, they are to be deleted
/// (`api-contract` point 9). In a full sync, first fetches customers that were listed in an old version (point 10).
pub(in crate::sync) async fn fetch_missing_and_stale(
    context: &Context,
    walk: &ListWalk,
    due: &mpsc::Sender<Due>,
) -> Result<(), SyncError> {
    settle_stale(context, &walk.stale, due).await?;
    if context.halt.is_cancelled() {
        return Ok(());
    }
    fetch_missing(context, walk, due).await
}

/// Fetches customers that were listed in an old version, in a full sync; else only tells of them.
pub(in crate::sync) async fn settle_stale(
    context: &Context,
    stale: &RowSet,
    due: &mpsc::Sender<Due>,
) -> Result<(), SyncError> {
    let count = stale.count();
    if count > 0 && !context.plan.is_of_everybody() {
        context.counters.remark(format!(
            "{count} {} were listed in an older version than the mirror's, which was kept; a full sync settles them",
            context.stream
        ));
        return Ok(());
    }
    let mut after = 0;
    while count > 0 && !context.halt.is_cancelled() {
        let (stream, stale, from) = (context.stream, stale.clone(), after);
        let batch = context.write(move |batch| batch.parents_in(stream, &stale, from, BATCH)).await?;
        let Some(last) = batch.last() else { break };
        after = last.row;
        let ids = batch.into_iter().map(|record| record.id).collect();
        fetch_all(context, ids, due, UNKNOWN, async |id, answer| {
            report_not_found(context, &id, &answer, "listed, but")
        })
        .await?;
    }
    Ok(())
}

async fn fetch_missing(context: &Context, walk: &ListWalk, due: &mpsc::Sender<Due>) -> Result<(), SyncError> {
    let stream = context.stream;
    let (woken, seen, started_at) = (context.woken.clone(), walk.seen.clone(), walk.started_at);
    let (mirrored, missing) = context
        .write(move |batch| {
            let missing = batch.row_count(stream)?.saturating_sub(woken.added_to(seen).count());
            // Customers that this walk inserted don't count: the list of another account may be just as long.
            let mirrored = if missing > 0 { batch.rows_before_walk(stream, started_at)? } else { 0 };
            Ok((mirrored, missing))
        })
        .await?;
    context.counters.count(|counts| counts[stream].missing = missing);
    if let ListEnd::Unproven(why) = &walk.end {
        let hint = why.hint(stream);
        context.counters.incomplete(format!(
            "the {} list may be longer than it looks: {why}. Nothing was deleted. {hint}",
            stream.singular()
        ));
        return Ok(());
    }
    // If another account was accepted, all customers of the old one may go.
    let is_accepted = context.settings.accept_account && walk.seen.count() > 0;
    let decided = may_delete(WalkedList { mirrored, missing }, context.settings.deletion_limit);
    if let Some(refused) = decided.err().filter(|_| !is_accepted) {
        context.counters.deletions_refused(refused);
        return Ok(());
    }
    let listed = walk.seen.count();
    let missing_from = format!("missing from the complete walk of run {} ({listed} {stream})", context.run);
    context.pending.set_walk(missing_from, walk.seen.clone());
    let (mut after, mut alive) = (0, 0);
    while missing > 0 && !context.halt.is_cancelled() {
        let (seen, woken, from) = (walk.seen.clone(), context.woken.clone(), after);
        let batch = context
            .write(move |batch| batch.parents_not_in(stream, &woken.added_to(seen), from, BATCH))
            .await?;
        let Some(last) = batch.last() else { break };
        after = last.row;
        let ids = batch.into_iter().map(|record| record.id).collect();
        alive += fetch_all(context, ids, due, UNKNOWN, async |id, answer| {
            // Not deleted before the run's end, because others may turn out to list its children.
            context.pending.add_parent(id, answer);
            Ok(())
        })
        .await?;
    }
    // Those who were not taken for their age stood on the pages, too.
    let brought = WalkedPages { records: listed.max(walk.counted), pages: walk.pages };
    if lacks_pages(alive, brought) {
        context.counters.incomplete(format!(
            "{alive} {stream} were missing from the list, but the API has them: pages of it were left out. They were \
             taken one by one; new ones that it lacks as well come with a walk of the whole list"
        ));
    } else if alive > 0 {
        context.counters.remark(format!(
            "{alive} {stream} were missing from the list, but the API has them: it shifted while it was walked. They were \
             taken one by one; new ones that it lacks as well come with the next walk"
        ));
    }
    Ok(())
}

/// Fetches the customers that the user named. One that the API doesn't know is not deleted: that takes a walk of the whole
/// list.
pub(in crate::sync) async fn fetch_named(
    context: &Context,
    ids: &[String],
    due: &mpsc::Sender<Due>,
) -> Result<(), SyncError> {
    fetch_all(context, ids.to_vec(), due, UNKNOWN, async |id, answer| {
        report_not_found(context, &id, &answer, "asked for alone,")
    })
    .await
    .map(drop)
}

/// Fetches the customers that webhooks have hinted at. One that the API doesn't know, or whose identifier it doesn't take, is
/// nobody to look at again; as with [`fetch_named`], it takes a walk of the whole list to delete it.
pub(in crate::sync) async fn fetch_hinted(
    context: &Context,
    ids: Vec<String>,
    due: &mpsc::Sender<Due>,
) -> Result<(), SyncError> {
    fetch_all(context, ids, due, NOBODY, async |id, answer| {
        context.counters.remark(format!(
            "{} {id}: a webhook hinted at it, but the API answers {answer}; if the mirror holds it, the next walk of the \
             whole list decides about it",
            context.stream.singular()
        ));
        let here = context.clone();
        context.write(move |batch| clear_hints(&here, batch, &id)).await
    })
    .await
    .map(drop)
}

fn report_not_found(context: &Context, id: &str, answer: &str, before: &str) -> Result<(), SyncError> {
    context.counters.incomplete(format!(
        "{} {id}: {before} the API answers {answer}; if the mirror holds it, the next walk of the whole list \
         decides about it",
        context.stream.singular()
    ));
    Ok(())
}

/// What says that the API has no such record.
const UNKNOWN: &[ErrorKind] = &[ErrorKind::NotFound];

/// What says that what a webhook named is no identifier of a customer. Another shop's number may be refused as no identifier
/// at all.
const NOBODY: &[ErrorKind] = &[ErrorKind::NotFound, ErrorKind::BadRequest, ErrorKind::UnusableId];

/// Fetches customers one by one, several at a time. Stores those that the API has, and calls `on_not_found` for those of
/// which it says one of `unknown`. Returns how many the API has.
async fn fetch_all(
    context: &Context,
    ids: Vec<String>,
    due: &mpsc::Sender<Due>,
    unknown: &[ErrorKind],
    on_not_found: impl AsyncFn(String, String) -> Result<(), SyncError>,
) -> Result<u64, SyncError> {
    let mut waiting = ids.into_iter();
    let mut asked = JoinSet::new();
    let (mut failed, mut present) = (Failures::default(), 0);
    loop {
        while asked.len() < context.settings.concurrency.max(1)
            && let Some(id) = waiting.next()
        {
            let (client, stream) = (context.client.clone(), context.stream);
            asked.spawn(async move { (client.retrieve(stream, &id).await, id) });
        }
        let answered = context.halt.run_until_cancelled(asked.join_next()).await;
        let Some(Some(joined)) = answered else { break };
        let (result, id) = joined.map_err(SyncError::crashed)?;
        match read(result, unknown) {
            Answer::Present(record) => {
                present += 1;
                store(context, &id, &record, due, &mut failed).await?;
            }
            Answer::NotFound(answer) => on_not_found(id, answer).await?,
            Answer::Failed(error) if error.kind() == ErrorKind::KeyRefused => return Err(error.into()),
            Answer::Failed(error) => failed.add(&id, error.log_form()),
        }
    }
    failed.report(context);
    Ok(present)
}

fn read(result: Result<Box<RawValue>, ApiError>, unknown: &[ErrorKind]) -> Answer {
    match result {
        Ok(record) => Answer::Present(record),
        // Only the API's own 404 proves it: a proxy may answer 404 as well (`api-contract` point 9).
        Err(error) if unknown.contains(&error.kind()) && error.is_documented_form() => {
            let request = error.request_id().map_or_else(String::new, |id| format!(", request id {id}"));
            Answer::NotFound(format!("{}{request}", error.status().unwrap_or(404)))
        }
        Err(error) if unknown.contains(&error.kind()) && error.kind() == ErrorKind::UnusableId => {
            Answer::NotFound("nothing: no request can name it".to_owned())
        }
        Err(error) => Answer::Failed(error),
    }
}

/// Stores a record that was fetched by itself, even if its version is older than the mirror's.
async fn store(
    context: &Context,
    id: &str,
    record: &RawValue,
    due: &mpsc::Sender<Due>,
    failed: &mut Failures,
) -> Result<(), SyncError> {
    let (stream, plan) = (context.stream, context.plan.clone());
    let item = Item::of(record.get(), Record::decode(stream, None, record.get()));
    if item.record().is_some_and(|record| record.id() != id) {
        failed.add(id, format!("the API answered with another {}", stream.singular()));
        return Ok(());
    }
    let mut sorted = DecodedRecords::default();
    sorted.add(&context.counters, vec![item]);
    let (here, asked_for) = (context.clone(), id.to_owned());
    let applied = context
        .write_stamped(move |batch, stamp| {
            let applied =
                apply(batch, stamp, stream, (&plan, Trust::Alone), &sorted, &mut RowSet::default())?;
            if applied.due.is_empty() && applied.dormant.is_empty() {
                // Nothing follows that would do it.
                clear_hints(&here, batch, &asked_for)?;
            }
            Ok(applied)
        })
        .await?;
    context.counters.applied(stream, &applied.rows);
    context.counters.count(|counts| counts.kept_out += applied.kept_out);
    queue_due(context, due, applied.due).await;
    // Who is asked for alone was named by somebody who knows more than the list does.
    queue_due(context, due, applied.dormant).await;
    Ok(())
}

/// Records that could not be fetched.
#[derive(Default)]
struct Failures {
    count: u64,
    first: Option<String>,
}

impl Failures {
    fn add(&mut self, id: &str, error: String) {
        self.count += 1;
        self.first.get_or_insert_with(|| format!("{id}: {error}"));
    }

    fn report(self, context: &Context) {
        if let Some(first) = self.first {
            context.counters.incomplete(format!(
                "{} {} could not be asked for, and are left as they are until the next run; the first one: {} {first}",
                self.count,
                context.stream,
                context.stream.singular()
            ));
        }
    }
}
