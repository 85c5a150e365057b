//! The end of a mirror's first load within a run: once both walks have come to their ends, or when a list is walked again.

use super::SyncError;
use super::child_lists::{self, Reading};
use super::context::Context;
use super::counters::RunCounters;
use super::parent_list;
use crate::mirror::Loaded;
use crate::record::Stream;

/// Corrects the counts of a run whose mirror's first load has ended: each record was inserted once.
pub(super) fn count(counters: &RunCounters, loaded: &Loaded) {
    if loaded.is_truncated {
        counters.incomplete(
            "so many records were listed twice that only the first version of each was kept; the next run compares them again"
                .to_owned(),
        );
    }
    counters.count(|counts| {
        for stream in Stream::ALL {
            let twice = loaded.listed_twice[stream.index()];
            if let Some(parent) = stream.parent() {
                let lists = &mut counts[stream].lists;
                *lists = lists.saturating_sub(loaded.met_again[parent.index()]);
            }
            let counts = &mut counts[stream];
            counts.seen = counts.seen.saturating_sub(loaded.met_again[stream.index()]);
            counts.stale += loaded.stale[stream.index()].count();
            counts.inserted = counts.inserted.saturating_sub(twice);
            counts.updated += loaded.updated[stream.index()];
        }
    });
}

/// Ends the first load, if the run has begun one: from here on records are found by their ids. Records that had been listed
/// twice are counted once, and what they leave open is asked for again.
pub(super) async fn end(context: &Context) -> Result<(), SyncError> {
    let mut loaded = context.writer.end_load().await?;
    count(&context.counters, &loaded);
    child_lists::walk_these(context, loaded.read_again, Reading::Again).await?;
    let stale = std::mem::take(&mut loaded.stale[context.stream.index()]);
    if stale.count() == 0 {
        return Ok(());
    }
    child_lists::walk_those_found(context, Reading::Again, async |due| {
        parent_list::settle_stale(context, &stale, &due).await
    })
    .await
}
