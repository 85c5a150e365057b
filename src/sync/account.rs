//! Whether the API answers for the account whose mirror this is: `diff::account` judges, this asks.
//!
//! While that is in doubt nothing is inserted, deleted or exported, in this run and in every later one, until the account
//! answers again or the operator says that the new one is right.

use super::SyncError;
use super::context::{Context, Walked};
use crate::api::{ApiError, Cursor, ErrorKind, Item, List, Turn};
use crate::diff::{AccountId, Overlap, judge_account_id, sample_seed};
use crate::record::{Record, RowSet, Stream};

/// Customers that are asked for to see whether the API knows any: one alone may have been deleted just now.
const WITNESSES: usize = 3;

/// Stands in the change log beside what was taken back.
const STRANGERS: &str = "inserted by a run at whose end the API answered for another account";

const NOTHING_DONE: &str = "Nothing was inserted or deleted";
const TAKEN_BACK: &str = "What the run had inserted was deleted again";

const WHAT_TO_DO: &str = "nothing is exported until the account answers again. Check the key and api.base_url; if this really \
     is the account that the mirror is to hold from now on, run `sync --accept-account`";

/// How far it is known whose list the run is about to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// The mirror's account.
    Confirmed,
    /// Still to be shown; the mirror holds so many customers.
    Open { mirrored: u64 },
}

/// Asks the API for the account and compares. With `accept`, whoever answers is the mirror's account from now on.
///
/// # Errors
/// [`SyncError::OtherAccount`], after the mirror was put in doubt.
pub(super) async fn identify(context: &Context, accept: bool) -> Result<Identity, SyncError> {
    let asking = context.client.account_id();
    let Some(answered) = context.halt.run_until_cancelled(asking).await.transpose()? else {
        return Ok(Identity::Open { mirrored: 0 });
    };
    if let Some(id) = &answered {
        // Asked once a run.
        let _ = context.account_id.set(id.clone());
    }
    let (held, mirrored) =
        context.write(|batch| Ok((batch.account()?, batch.row_count(Stream::FIRST)?))).await?;
    match judge_account_id(held.id.as_deref(), answered.as_deref(), mirrored) {
        AccountId::Other { mirrored, answered } if !accept => {
            let error = SyncError::OtherAccount { mirrored, answered };
            let reason = format!("{error}; {}", error.hint().unwrap_or_default());
            context.write_stamped(move |batch, stamp| batch.doubt_account(stamp, &reason)).await?;
            Err(error)
        }
        AccountId::Open if !accept => Ok(Identity::Open { mirrored }),
        _ => {
            confirm(context).await?;
            Ok(Identity::Confirmed)
        }
    }
}

/// The API answers for the mirror's account.
pub(super) async fn confirm(context: &Context) -> Result<(), SyncError> {
    let id = context.account_id.clone();
    context.write(move |batch| batch.accept_account(id.get().map(String::as_str))).await
}

/// A whole list brought too few of the mirror's customers.
pub(super) async fn doubt_list(context: &Context, overlap: Overlap) -> Result<(), SyncError> {
    let Overlap { mirrored, listed, known } = overlap;
    let known = if known == 0 { "none".to_owned() } else { format!("only {known}") };
    let what = format!(
        "the customer list has {listed} customers, and brought {known} of the mirror's {mirrored} customers"
    );
    doubt(context, &what, NOTHING_DONE).await
}

async fn doubt(context: &Context, what: &str, done: &str) -> Result<(), SyncError> {
    let reason = format!("{what}: it may be another account's. {done}, and {WHAT_TO_DO}");
    context.counters.incomplete(reason.clone());
    context.write_stamped(move |batch, stamp| batch.doubt_account(stamp, &reason)).await
}

/// Whether the API still answers for the account whose list was walked: the account may have changed in between. Asked at
/// the end of a run that inserted customers beside others. Where the answer is no, the mirror is in doubt, and what
/// the run inserted is deleted again. Where there is no answer, nothing speaks against it.
///
/// # Errors
/// When the mirror can't be written.
pub(super) async fn answers_still(context: &Context, walked: &Walked) -> Result<bool, SyncError> {
    let inserted = context.counters.totals().counts[context.stream].inserted;
    let is_settled = inserted == 0 || context.settings.accept_account;
    if is_settled || is_first_load(context, inserted).await? || is_same_account(context, walked).await? {
        return Ok(true);
    }
    let what = "the customer list was read to its end, but what the API answers now has nothing of the mirror's customers";
    doubt(context, what, TAKEN_BACK).await?;
    loop {
        let deleted = context.write_stamped(move |batch, stamp| batch.take_back(stamp, STRANGERS)).await?;
        if deleted.iter().all(|rows| *rows == 0) {
            return Ok(false);
        }
        context.counters.count(|counts| {
            Stream::ALL.into_iter().zip(deleted).for_each(|(stream, rows)| counts[stream].deleted += rows);
        });
    }
}

async fn is_first_load(context: &Context, inserted: u64) -> Result<bool, SyncError> {
    let stream = context.stream;
    Ok(context.write(move |batch| batch.row_count(stream)).await? <= inserted)
}

/// By its name, where the API gives one; else its list must begin with customers of ours, or have one of those that it
/// listed first.
async fn is_same_account(context: &Context, walked: &Walked) -> Result<bool, SyncError> {
    if let Some(id) = context.account_id.get() {
        let answered = context.halt.run_until_cancelled(context.client.account_id()).await;
        return Ok(!matches!(answered, Some(Ok(Some(answered))) if answered != *id));
    }
    if first_page(context).await?.is_none_or(Overlap::is_enough) {
        return Ok(true);
    }
    Ok(!matches!(find_witness(context, Some(walked.seen.clone())).await?, Witness::Unknown))
}

/// How far the mirror knows the customers that the list begins with; `None` where it could not be read.
///
/// # Errors
/// When the mirror can't be read.
pub(super) async fn first_page(context: &Context) -> Result<Option<Overlap>, SyncError> {
    let stream = context.stream;
    let mut pager = context.pager(List::of(stream), Cursor::Start);
    let turn = context.halt.run_until_cancelled(pager.next()).await;
    let Some(Ok(Turn::Page(first))) = turn else { return Ok(None) };
    let listed: Vec<Record> = first.items.iter().filter_map(Item::record).cloned().collect();
    let overlap = context
        .write(move |batch| {
            let (known, mirrored) = (batch.known(stream, &listed)?, batch.row_count(stream)?);
            Ok(Overlap { mirrored, listed: first.items.len() as u64, known })
        })
        .await?;
    Ok(Some(overlap))
}

/// Before customers are synced that the user named: whether the API knows any of the mirror's. Else the mirror is put in
/// doubt.
///
/// # Errors
/// When the API doesn't answer.
pub(super) async fn confirm_by_customers(context: &Context) -> Result<bool, SyncError> {
    match find_witness(context, None).await? {
        Witness::Found(_) => confirm(context).await.map(|()| true),
        Witness::Halted => Ok(false),
        Witness::Unknown => {
            let what = "the API knows none of the mirror's customers that it was asked for";
            doubt(context, what, NOTHING_DONE).await.map(|()| false)
        }
        Witness::Unanswered(error) => Err(error.into()),
    }
}

/// What asking for customers brought that are known to be there.
pub(super) enum Witness {
    /// The API gives this one.
    Found(String),
    /// The API doesn't know them, or gives others by the same ids.
    Unknown,
    /// It gave no such answer.
    Unanswered(ApiError),
    /// The run halts.
    Halted,
}

/// Asks for customers that are known to be there, one by one until one answers: `seen` in a walk, or drawn from the whole
/// mirror.
pub(super) async fn find_witness(context: &Context, seen: Option<RowSet>) -> Result<Witness, SyncError> {
    let (stream, seed) = (context.stream, sample_seed(context.run.0, context.started_at));
    let candidates: Vec<String> = context
        .write(move |batch| match seen {
            Some(seen) => {
                let found = batch.parents_in(stream, &seen, 0, WITNESSES)?;
                Ok(found.into_iter().map(|customer| customer.id).collect())
            }
            None => Ok(batch.draw_parents(stream, WITNESSES as u64, seed)?.ids),
        })
        .await?;
    let mut failed = None;
    for id in candidates {
        let Some(answer) = context.halt.run_until_cancelled(context.client.retrieve(stream, &id)).await
        else {
            return Ok(Witness::Halted);
        };
        let record = match answer {
            Ok(record) => record,
            Err(error) if error.kind() == ErrorKind::KeyRefused => return Err(error.into()),
            // Anything on the way answers 404 as well.
            Err(error) if error.kind() == ErrorKind::NotFound && error.is_documented_form() => continue,
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        // One that can't be taken is known by what can be read of it.
        let decoded = Record::decode(stream, None, record.get()).ok().map(|decoded| decoded.record);
        if let Some(record) = decoded.or_else(|| Record::peek(stream, None, record.get()))
            && record.id() == id
            && context.write(move |batch| batch.known(stream, &[record])).await? == 1
        {
            return Ok(Witness::Found(id));
        }
    }
    Ok(failed.map_or(Witness::Unknown, Witness::Unanswered))
}
