//! Records on their way into the mirror, and what happens to those that can't be stored as they are.

use super::counters::RunCounters;
use crate::api::{Item, List, RejectedItem, RepairedItem};
use crate::diff::EventPlan;
use crate::mirror::{Aside, Batch, Met, MirrorError, ParentsApplied, RejectedRecord, Stamp};
use crate::record::{Record, Repairs, RowSet, Stream, instant};

/// Records that can be stored, and items that can't be stored or only with a repair.
#[derive(Default)]
pub(super) struct DecodedRecords {
    pub(super) records: Vec<Record>,
    pub(super) rejected: Vec<RejectedItem>,
    repaired: Vec<Repaired>,
}

/// What the API gave for a record that was repaired.
struct Repaired {
    id: String,
    repairs: Repairs,
    raw: String,
}

impl DecodedRecords {
    pub(super) fn add(&mut self, counters: &RunCounters, items: Vec<Item<Record>>) {
        for item in items {
            match item {
                Item::Record(record) => self.take(counters, record),
                Item::Repaired(RepairedItem { record, repairs, raw }) => {
                    self.repaired.push(Repaired { id: record.id().to_owned(), repairs, raw });
                    self.take(counters, record);
                }
                Item::Rejected(rejected) => self.rejected.push(rejected),
            }
        }
    }

    fn take(&mut self, counters: &RunCounters, record: Record) {
        if record.updated_at().is_some_and(|time| instant(time).is_none()) {
            counters.unreadable_time(record.stream(), record.id());
        }
        self.records.push(record);
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() + self.rejected.len()
    }
}

/// Sets aside the raw text of records that can't be stored, or only with a repair. Returns the ids of the former. Of
/// records in `left_out`, which were not stored for their age, nothing is kept.
pub(super) fn set_aside(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    list: &List,
    sorted: &DecodedRecords,
    left_out: &[&str],
) -> Result<Vec<(Option<String>, Met)>, MirrorError> {
    let (stream, customer_id) = (list.stream(), list.parent());
    for Repaired { id, repairs, raw } in &sorted.repaired {
        if left_out.contains(&id.as_str()) {
            continue;
        }
        let (outcome, reason, record_id) = (Aside::Taken, &repairs.to_string(), Some(id.as_str()));
        batch.set_aside(stamp, RejectedRecord { stream, customer_id, record_id, outcome, reason, raw })?;
    }
    let mut rejected = Vec::with_capacity(sorted.rejected.len());
    for RejectedItem { id, reason, raw } in &sorted.rejected {
        let (outcome, reason, record_id) = (Aside::Rejected, &reason.to_string(), id.as_deref());
        let record = RejectedRecord { stream, customer_id, record_id, outcome, reason, raw };
        rejected.push((id.clone(), batch.set_aside(stamp, record)?));
    }
    Ok(rejected)
}

/// The same for a parents' list. A mirrored record stays in the mirror and doesn't count as missing, because the list has it,
/// even though it can't be stored. Its children are read when they are due; the children of a record that isn't in the
/// mirror can't be stored.
pub(super) fn set_aside_parents(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    stream: Stream,
    plan: &EventPlan,
    sorted: &DecodedRecords,
    seen: &mut RowSet,
    applied: &mut ParentsApplied,
) -> Result<(), MirrorError> {
    let left_out: Vec<&str> = applied.dormant.iter().map(Record::id).collect();
    for (id, met) in set_aside(batch, stamp, &List::of(stream), sorted, &left_out)? {
        applied.first_met += u64::from(met != Met::Again);
        if let Some(id) = id {
            applied.due.extend(batch.keep_parent(stream, &id, met == Met::New, (plan, stamp.now), seen)?);
        }
    }
    Ok(())
}
