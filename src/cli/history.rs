//! `history`: what became of a record.

use super::args::{Global, History};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output::{self, count, cut};
use crate::diff::{FieldChange, changed_fields};
use crate::mirror::{Mirror, RecordChange};
use crate::record::{Op, Stream};
use serde::Serialize;
use serde_json::value::RawValue;

/// Longer values are cut for people; `--json` has the whole.
const SHOWN: usize = 100;

/// The JSON result of `history`.
#[derive(Serialize)]
struct Told {
    id: String,
    /// Of each stream that has or had such a record.
    streams: Vec<OfStream>,
}

#[derive(Serialize)]
struct OfStream {
    stream: Stream,
    /// Every version that was there from this change on is known; 0: every one.
    known_from: i64,
    changes: Vec<Change>,
    /// How many children it has, and had.
    children: Option<Children>,
}

#[derive(Serialize)]
struct Children {
    stream: Stream,
    now: u64,
    deleted: u64,
}

#[derive(Serialize)]
struct Change {
    seq: i64,
    op: Op,
    observed_at: String,
    run_id: i64,
    evidence: Option<String>,
    /// For an insert, all that holds something; for an update, what differs; none: not known.
    fields: Option<Vec<FieldChange>>,
    /// Of an update whose `fields` are not known: all that holds something since.
    holds: Option<Vec<FieldChange>>,
}

pub(super) fn run(global: &Global, args: &History) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let snapshot = mirror.snapshot()?;
    let mut streams = Vec::new();
    for reach in snapshot.history_reach()? {
        let stream = reach.stream;
        let changes = snapshot.changes_of(stream, &args.id)?;
        if changes.is_empty() {
            continue;
        }
        let children = stream.child().map(|child| {
            let counts = snapshot.children_of(child, &args.id);
            counts.map(|(now, deleted)| Children { stream: child, now, deleted })
        });
        let (known_from, children) = (reach.from_seq, children.transpose()?);
        streams.push(OfStream { stream, known_from, changes: told(changes), children });
    }
    if streams.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "the mirror never had a record with this id: look for it in the tables of the mirror, such as with \
             `SELECT id FROM customers WHERE email = …`"
                .to_owned(),
        ));
    }
    let told = Told { id: args.id.clone(), streams };
    output::result(args.json, &told, || told.streams.iter().map(|of| text(&told.id, of)).collect())
}

fn told(changes: Vec<RecordChange>) -> Vec<Change> {
    let mut before = None;
    let told = changes.into_iter().map(|change| {
        let RecordChange { seq, op, observed_at, run_id, evidence, record } = change;
        let (fields, holds) = match (op, &before, &record) {
            (Op::Insert, _, Some(new)) => (Some(changed_fields(None, new)), None),
            (Op::Update, Some(old), Some(new)) => (Some(changed_fields(Some(old), new)), None),
            (Op::Update, None, Some(new)) => (None, Some(changed_fields(None, new))),
            _ => (None, None),
        };
        before = record;
        Change { seq, op, observed_at, run_id, evidence, fields, holds }
    });
    told.collect()
}

fn text(id: &str, of: &OfStream) -> String {
    let mut text = format!("{} {:?}\n", of.stream.singular(), id);
    for change in &of.changes {
        let done = match change.op {
            Op::Insert => "inserted",
            Op::Update => "updated",
            Op::Delete => "deleted",
            Op::Erase => "erased",
        };
        text += &format!("  {}  {done} (change {}, run {})\n", change.observed_at, change.seq, change.run_id);
        match &change.fields {
            Some(fields) => fields.iter().for_each(|field| text += &line(change.op, field)),
            None if change.op == Op::Delete => {
                text += &change.evidence.as_deref().map_or(String::new(), |proof| format!("      {proof}\n"));
            }
            None if change.op == Op::Insert => text += "      what it held is not known\n",
            None => text += "      what it changed is not known\n",
        }
        if let Some(fields) = &change.holds {
            text += "      since then it holds\n";
            fields.iter().for_each(|field| text += &line(Op::Insert, field));
        }
    }
    if of.known_from > 0 {
        text += &format!("  versions that ended with change {} or before are not known\n", of.known_from);
    }
    if let Some(children) = &of.children {
        text += &format!(
            "  has {} {stream}; {} were deleted (see {stream}_history, by its {key})\n",
            count(children.now),
            count(children.deleted),
            stream = children.stream,
            key = children.stream.parent_key()
        );
    }
    text
}

fn line(op: Op, field: &FieldChange) -> String {
    let new = shown(field.new.as_deref());
    match op {
        Op::Insert => format!("      {:<16} {new}\n", field.field),
        _ => format!("      {:<16} {} → {new}\n", field.field, shown(field.old.as_deref())),
    }
}

/// JSON escapes what a terminal would take for a command, but not in the raw text of the API.
fn shown(value: Option<&RawValue>) -> String {
    cut(value.map_or("NULL", RawValue::get), SHOWN)
}
