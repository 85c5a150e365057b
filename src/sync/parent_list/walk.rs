//! The walk of the customer list: pages are read ahead while earlier ones are stored, and customers whose events are due
//! are queued page by page.
//!
//! A walk that reads the list from several places at once has no single request from which another run could continue. Its
//! checkpoint therefore stays at the list's beginning. A run that resumes from there reads the pages again, and keeps the
//! time at which the first walk began, which tells whose events it needn't read again.
//!
//! The same goes for a walk that looks at customers whom the mirror lacks and who have expired unless their events keep them:
//! only the whole list names them.
//!
//! While it isn't known whose list this is (`account`), pages are held back: they are compared with the mirror but not
//! stored. The page that shows that the list is this account's, usually the first one, is stored together with those held
//! back. If they don't fit in memory, the list is walked a second time.

use super::parallel_listing::{Listed, Listing, Whole};
use super::saved_tokens::SavedTokens;
use super::store::{StoredPage, store_page};
use super::walk_state::ListWalk;
use crate::api::{Reuse, TokenNames, TokenStyle};
use crate::mirror::{Due, Mode};
use crate::observe::Event;
use crate::sync::SyncError;
use crate::sync::context::{Context, queue_due, record_findings};
use crate::sync::first_load;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// How many pages are read ahead of the one that is being stored.
const PAGES_AHEAD: usize = 4;

/// Walks the list to its end and queues customers whose events are due. Returns the walk, or `None` if the run halted.
pub(in crate::sync) async fn walk(
    context: &Context,
    walk: ListWalk,
    due: &mpsc::Sender<Due>,
) -> Result<Option<ListWalk>, SyncError> {
    let Some(mut walked) = walk_once(context, walk, due).await? else { return Ok(None) };
    if walked.is_confirmed && walked.is_overflown {
        restart(context, &mut walked, true).await?;
        return walk_once(context, walked, due).await;
    }
    Ok(Some(walked))
}

/// Begins a walk again; its customers will be counted again. A first load ends, because all of them will come again.
async fn restart(context: &Context, walk: &mut ListWalk, is_the_same: bool) -> Result<(), SyncError> {
    first_load::end(context).await?;
    let counted = walk.counted;
    context.counters.count(|counts| {
        let seen = &mut counts[context.stream].seen;
        *seen -= counted.min(*seen);
    });
    walk.restart(is_the_same);
    Ok(())
}

async fn walk_once(
    context: &Context,
    walk: ListWalk,
    due: &mpsc::Sender<Due>,
) -> Result<Option<ListWalk>, SyncError> {
    let Some(cursor) = walk.cursor.clone() else { return Ok(Some(walk)) };
    let (listed, pages) = mpsc::channel(PAGES_AHEAD);
    let listing = Listing::new(context, saved_tokens(context).await?, cursor);
    // A task of its own, so that an answer wakes it directly on the thread that receives it.
    let listing = AbortOnDropHandle::new(tokio::spawn(listing.run(listed)));
    let (listing, storing) = tokio::join!(listing, store(context, walk, pages, due));
    match (listing.map_err(SyncError::crashed).flatten(), storing) {
        (_, Err(error)) | (Err(error), _) => Err(error),
        (Ok(()), Ok(walk)) => Ok(walk),
    }
}

/// The page tokens that an earlier walk saved, if they may be used.
async fn saved_tokens(context: &Context) -> Result<SavedTokens, SyncError> {
    if context.known.of(context.stream).reuse() == Reuse::Never {
        return Ok(SavedTokens::default());
    }
    let (stream, base_url) = (context.stream, context.settings.base_url.clone());
    Ok(SavedTokens::new(context.write(move |batch| batch.saved_tokens(stream, &base_url)).await?))
}

async fn store(
    context: &Context,
    mut walk: ListWalk,
    mut listed: mpsc::Receiver<Listed>,
    due: &mpsc::Sender<Due>,
) -> Result<Option<ListWalk>, SyncError> {
    let mut last_checkpoint = Instant::now();
    while let Some(news) = listed.recv().await {
        match news {
            Listed::Split => walk.is_split = true,
            Listed::Restarted(why) => {
                context.counters.remark(why.to_owned());
                restart(context, &mut walk, false).await?;
            }
            Listed::End(whole) => {
                walk.cursor = None;
                walk.end = whole.end.clone();
                context.counters.observe(&Event::CustomerWalkFinished { customers: walk.seen.count() });
                return Ok(Some(keep_end(context, walk, whole).await?));
            }
            Listed::Page(page) => {
                let stored = StoredPage::new(context, &mut walk, page, last_checkpoint.elapsed());
                let is_due = store_page(context, &mut walk, stored, &mut last_checkpoint).await?;
                if !queue_due(context, due, is_due).await {
                    return Ok(None);
                }
            }
        }
    }
    // The listing ended before the list did: it failed, or the run halts.
    Ok(None)
}

/// Stores a checkpoint that says that the whole list was walked, so that a run that is interrupted from here on needn't read
/// it again. Also stores what the next walk can use.
async fn keep_end(context: &Context, walk: ListWalk, whole: Whole) -> Result<ListWalk, SyncError> {
    learn_token_names(context, &walk, &whole);
    let (mode, base_url) = (walk.mode, &context.settings.base_url);
    let checkpoint = match context.looks_at_dormant {
        true => walk.checkpoint_at_start(base_url),
        false => walk.checkpoint(base_url),
    };
    let stream = context.stream;
    let (findings, began) = (context.known.findings(), walk.started_at);
    let has_work = context.counters.totals().counts.changes() > 0 || mode == Mode::Full;
    let is_of_use = walk.is_confirmed && walk.end.is_proven();
    let has_work = has_work && walk.may_be_cut_off() && is_of_use;
    let tokens = whole.tokens.filter(|_| is_of_use);
    context
        .write_stamped(move |batch, stamp| {
            if is_of_use {
                batch.forget_rejected_parents(stamp, stream, began)?;
            }
            record_findings(batch, stamp.now, &checkpoint.base_url, &findings)?;
            if let Some(tokens) = tokens {
                batch.replace_saved_tokens(stream, &checkpoint.base_url, &tokens)?;
            }
            if has_work {
                batch.save_checkpoint(stream, mode, &checkpoint)?;
            }
            Ok(())
        })
        .await?;
    Ok(walk)
}

/// Learns what page tokens refer to. A token that comes again although the list has changed refers to a position in the
/// current list: a token for a snapshot of the list would be a new one.
fn learn_token_names(context: &Context, walk: &ListWalk, whole: &Whole) {
    let is_long = whole.tokens.as_ref().is_some_and(|tokens| !tokens.is_empty());
    let evidence = match whole.given_again {
        _ if is_long && context.known.of(context.stream).style() == Some(TokenStyle::LastId) => {
            "the ids of records are the cursors".to_owned()
        }
        Some(page) if is_long && walk.changed > 0 => {
            format!(
                "page {page} named the same next page as in an earlier walk, though {} had changed since",
                context.stream
            )
        }
        _ => return,
    };
    context.known.learn_token_names(context.stream, TokenNames::Position, evidence);
}
