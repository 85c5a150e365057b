//! One audit, from the draw to the report.
//!
//! The comparison writes nothing. What differs is then corrected in the way that every row is written: the customer goes
//! through the diff as if it had been listed (an older version never overwrites a newer one), and its events go through
//! the run's own walk, which reads a list twice before anything is deleted. A customer that the API doesn't have is left
//! to the next run, because only a walk of the whole list is evidence enough to delete one.

use super::comparison::{Comparer, Comparison, Stop};
use crate::api::ErrorKind;
use crate::diff::audit::Standing;
use crate::diff::looks::Signal;
use crate::diff::{Trust, sample_seed};
use crate::mirror::{Audit, Due, DueParent};
use crate::observe::Event;
use crate::record::{RowSet, Stream};
use crate::sync::SyncError;
use crate::sync::child_lists::{self, Reading};
use crate::sync::context::{Context, Walked, queue_due};
use crate::sync::finalize;
use crate::sync::report::{Audited, Unread};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Findings that are named one by one; the counts go on.
const FINDINGS_NAMED: usize = 1_000;

/// Customers that could not be read again and are named one by one.
const UNREAD_NAMED: usize = 100;

/// Draws, reads again, puts right, records and reports. Does nothing where no audit is wanted, and for streams other than
/// the first one.
pub(in crate::sync) async fn audit(context: &Context, walked: Walked) -> Result<(), SyncError> {
    let (stream, wanted) = (context.stream, context.settings.audit);
    if wanted == 0 || stream != Stream::FIRST {
        return Ok(());
    }
    let seed = sample_seed(context.run.0, context.started_at);
    let drawn = context.write(move |batch| batch.draw_parents(stream, wanted, seed)).await?;
    let ids = drawn.ids;
    let ahead = context.client.server_ahead().unwrap_or_default();
    let comparer = Arc::new(Comparer { context: context.clone(), walked, ahead });
    let (stamp, limit) = (context.stamp(), context.settings.drift_limit);
    let since = comparer.window().since;
    let mut sum = Sum {
        audited: Audited {
            audit: Audit::of_sample(stamp, since, seed, drawn.population, ids.len() as u64, limit),
            findings: Vec::new(),
            unread: Vec::new(),
        },
        outages_in_a_row: 0,
        unread_otherwise: 0,
    };
    context.counters.observe(&Event::AuditPlanned { customers: ids.len() as u64 });
    let healed = child_lists::walk_those_found(context, Reading::Again, async |due| {
        compare_all(context, comparer, ids, &due, &mut sum).await
    })
    .await;
    // What was found is recorded even where the rest could not be read.
    let recorded = conclude(context, sum).await;
    healed.and(recorded)?;
    if !context.halt.is_cancelled() {
        finalize::finalize(context).await?;
    }
    Ok(())
}

/// Reads customers again, several at a time, and hands on whose events differ.
async fn compare_all(
    context: &Context,
    comparer: Arc<Comparer>,
    ids: Vec<String>,
    due: &mpsc::Sender<Due>,
    sum: &mut Sum,
) -> Result<(), SyncError> {
    let mut waiting = ids.into_iter();
    let mut reading = JoinSet::new();
    loop {
        while reading.len() < context.settings.concurrency.max(1)
            && !context.halt.is_cancelled()
            && !sum.shows_server_down()
            && let Some(id) = waiting.next()
        {
            let comparer = comparer.clone();
            reading.spawn(async move {
                let result = comparer.compare(&id).await;
                (id, result)
            });
        }
        let Some(joined) = reading.join_next().await else { return Ok(()) };
        let (id, result) = joined.map_err(SyncError::crashed)?;
        match result {
            Ok(comparison) => {
                let error = sum.add(&id, &comparison);
                context
                    .counters
                    .observe(&Event::CustomerAudited { customer_id: &id, error: error.as_deref() });
                correct(context, id, comparison, due).await?;
            }
            Err(Stop::Halted) => {}
            Err(Stop::Unread { error, kind }) => {
                context.counters.observe(&Event::CustomerAudited { customer_id: &id, error: Some(&error) });
                sum.unread(id, error, kind);
            }
            Err(Stop::Rejected { error }) => {
                context.counters.observe(&Event::CustomerAudited { customer_id: &id, error: Some(&error) });
                sum.rejected(id, error);
            }
            Err(Stop::Fatal(error)) => return Err(error),
        }
    }
}

/// Takes the customer's record through the diff, and hands its events on to be walked like any others.
async fn correct(
    context: &Context,
    id: String,
    comparison: Comparison,
    due: &mpsc::Sender<Due>,
) -> Result<(), SyncError> {
    let mut walk = comparison.findings.iter().any(|found| found.stream.parent().is_some());
    if let Some(customer) = comparison.customer.filter(|_| !comparison.findings.is_empty()) {
        let (stream, plan) = (context.stream, context.plan.clone());
        let applied = context
            .write_stamped(move |batch, stamp| {
                let seen = &mut RowSet::default();
                batch.apply_parents(stamp, stream, &[customer], Trust::Listed, &plan, seen)
            })
            .await?;
        context.counters.applied(stream, &applied.rows);
        context.counters.count(|counts| counts[stream].stale += applied.stale.len() as u64);
        walk |= applied.rows.updated > 0;
    }
    if walk {
        let stream = context.stream;
        let customer = context.write(move |batch| batch.parent(stream, &id)).await?;
        let customer = customer.map(|parent| DueParent { parent, signal: Signal::Pending });
        queue_due(context, due, customer.into_iter().collect()).await;
    }
    Ok(())
}

/// Records what was found, whether or not all of the sample could be read, and says what a person should know.
async fn conclude(context: &Context, sum: Sum) -> Result<(), SyncError> {
    let Sum { mut audited, unread_otherwise, .. } = sum;
    audited.audit.conclude(Timestamp::now());
    let (audit, findings) = (audited.audit.clone(), audited.findings.clone());
    context.write(move |batch| batch.record_audit(&audit, &findings)).await?;
    let audit = &audited.audit;
    if let Some(first) = audited.unread.first() {
        let text = format!(
            "{} of the {} customers drawn for the audit could not be compared, and count as possibly differing; the \
             first one: customer {}: {}",
            audit.sampled - audit.audited,
            audit.sampled,
            first.customer_id,
            first.error
        );
        // Known records that can't be taken are told by the run that meets them first, and once.
        match unread_otherwise > 0 {
            true => context.counters.incomplete(text),
            false => context.counters.remark(text),
        }
    }
    if audit.drifted > 0 {
        let text = format!(
            "{} of {} audited customers had drifted from the API without the run noticing; what could be put right was. \
             The mirror's table audit_findings names the records",
            audit.drifted, audit.audited
        );
        match audit.is_beyond_limit() {
            true => context.counters.incomplete(format!(
                "{text}; that is more than sync.drift_limit = {} allows",
                audit.drift_limit
            )),
            false => context.counters.remark(text),
        }
    }
    if audit.undocumented_only > 0 {
        context.counters.remark(format!(
            "the API's answer for a customer alone differs from its list in undocumented fields, for {} of {} audited \
             customers; the mirror holds what the list says",
            audit.undocumented_only, audit.audited
        ));
    }
    context.counters.audited(audited);
    Ok(())
}

/// What the readings found together.
struct Sum {
    audited: Audited,
    outages_in_a_row: usize,
    /// Customers that could not be compared for another reason than known records that can't be taken.
    unread_otherwise: u64,
}

impl Sum {
    /// Adds a customer that was compared; returns why it can't be vouched for, if that is so.
    fn add(&mut self, id: &str, comparison: &Comparison) -> Option<String> {
        self.outages_in_a_row = 0;
        let audit = &mut self.audited.audit;
        audit.events_compared += comparison.events;
        audit.undocumented_only += u64::from(comparison.undocumented_only);
        for found in comparison.findings.iter().filter(|found| found.standing == Standing::Drift) {
            audit.drift.add(found.stream, found.kind);
        }
        let room = FINDINGS_NAMED.saturating_sub(self.audited.findings.len());
        self.audited.findings.extend(comparison.findings.iter().take(room).cloned());
        if comparison.has_drifted() {
            audit.audited += 1;
            audit.drifted += 1;
        } else if let Some(doubt) = &comparison.doubt {
            self.unread_otherwise += u64::from(!comparison.is_known_doubt);
            self.name_unread(id.to_owned(), doubt.clone());
            return Some(doubt.clone());
        } else {
            audit.audited += 1;
            audit.lagging += u64::from(!comparison.findings.is_empty());
        }
        None
    }

    fn unread(&mut self, id: String, error: String, kind: Option<ErrorKind>) {
        let is_outage = kind.is_some_and(|kind| kind.is_outage() || kind == ErrorKind::RateLimited);
        self.outages_in_a_row = if is_outage { self.outages_in_a_row + 1 } else { 0 };
        self.unread_otherwise += 1;
        self.name_unread(id, error);
    }

    fn rejected(&mut self, id: String, error: String) {
        self.outages_in_a_row = 0;
        self.name_unread(id, error);
    }

    fn name_unread(&mut self, customer_id: String, error: String) {
        if self.audited.unread.len() < UNREAD_NAMED {
            self.audited.unread.push(Unread { customer_id, error });
        }
    }

    /// Going on would only take long: what is left counts as not read.
    fn shows_server_down(&self) -> bool {
        self.outages_in_a_row >= child_lists::FAILURES_UNTIL_DOWN
    }
}
