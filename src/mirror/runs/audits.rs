//! Audits: the customers that are drawn, the rows that are compared, and what came of it.

use crate::diff::audit::{Kind, Standing};
use crate::diff::{CONFIDENCE, Sample, upper_bound};
use crate::mirror::transaction::{Batch, Snapshot, Stamp, utc_text};
use crate::mirror::{MirrorError, RunId};
use crate::record::Stream;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params, params_from_iter, types::Value};
use serde::Serialize;
use std::collections::BTreeMap;

/// What an audit found; a row of `audits`, whose columns carry the same names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// The run at whose end it took place.
    pub run_id: RunId,
    /// UTC, ISO 8601.
    pub finished_at: String,
    /// What changed at the API from then on, by its own clock, counts as changed since: UTC, ISO 8601.
    pub changed_since: String,
    /// Of the sample.
    pub seed: i64,
    /// Customers in the mirror.
    pub population: u64,
    /// Of these, drawn.
    pub sampled: u64,
    /// Of these, read to their end and compared.
    pub audited: u64,
    /// Of these, differing in what the run should have seen.
    pub drifted: u64,
    /// Of the audited, differing only in what changed since.
    pub lagging: u64,
    /// Events that were compared.
    pub events_compared: u64,
    /// Records that drifted, by stream and kind; under the names of the columns, such as `events_missing`.
    #[serde(flatten)]
    pub drift: Drift,
    /// Customers whose answer alone differs from the list's in undocumented fields only.
    pub undocumented_only: u64,
    /// With `confidence`, at most so many customers of the population differ.
    pub upper_bound: u64,
    /// Such as 0.95.
    pub confidence: f64,
    /// `sync.drift_limit`.
    pub drift_limit: f64,
}

impl Audit {
    /// Of `sampled` customers out of `population`, none of them compared yet. What changed at the API from
    /// `changed_since` on, by its clock, will not count as drift.
    pub fn of_sample(
        stamp: Stamp,
        changed_since: Timestamp,
        seed: i64,
        population: u64,
        sampled: u64,
        drift_limit: f64,
    ) -> Audit {
        Audit {
            run_id: stamp.run,
            finished_at: utc_text(stamp.now),
            changed_since: utc_text(changed_since),
            seed,
            population,
            sampled,
            audited: 0,
            drifted: 0,
            lagging: 0,
            events_compared: 0,
            drift: Drift::default(),
            undocumented_only: 0,
            upper_bound: population,
            confidence: CONFIDENCE,
            drift_limit,
        }
    }

    /// Ends it at `now`, and says what its counts mean for the population. A customer that was drawn but not compared
    /// counts as differing there.
    pub fn conclude(&mut self, now: Timestamp) {
        self.finished_at = utc_text(now);
        let unknown = self.sampled.saturating_sub(self.audited);
        self.upper_bound = upper_bound(self.population, self.sampled, self.drifted + unknown);
    }

    /// Whether a larger share of the audited customers drifted than `drift_limit` allows.
    pub fn is_beyond_limit(&self) -> bool {
        self.drifted as f64 > self.drift_limit * self.audited as f64
    }
}

/// How many records drifted, by stream and kind.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Drift(BTreeMap<(Stream, Kind), u64>);

impl Drift {
    /// Every kind of drift that an audit can find. A customer that only the API has can't be drawn.
    pub fn kinds() -> impl Iterator<Item = (Stream, Kind)> {
        let of_parents = [Kind::Differing, Kind::Surplus].map(|kind| (Stream::FIRST, kind));
        let of_children = [Kind::Missing, Kind::Differing, Kind::Surplus];
        let of_children = of_children.map(|kind| Some((Stream::FIRST.child()?, kind)));
        of_parents.into_iter().chain(of_children.into_iter().flatten())
    }

    /// Each kind with its count.
    pub fn counts(&self) -> impl Iterator<Item = (Stream, Kind, u64)> {
        Drift::kinds().map(|key| (key.0, key.1, self.0.get(&key).copied().unwrap_or(0)))
    }

    /// Counts one record more.
    pub fn add(&mut self, stream: Stream, kind: Kind) {
        *self.0.entry((stream, kind)).or_default() += 1;
    }

    fn column((stream, kind): (Stream, Kind)) -> String {
        format!("{stream}_{}", kind.name())
    }
}

impl Serialize for Drift {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(self.counts().map(|(stream, kind, count)| (Drift::column((stream, kind)), count)))
    }
}

/// A record that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditFinding {
    /// Of the record.
    pub stream: Stream,
    /// Its id.
    pub id: String,
    /// Whose audit found it.
    pub customer_id: String,
    /// How it differs.
    pub kind: Kind,
    /// What that means.
    pub standing: Standing,
}

/// Parents drawn for an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnParents {
    /// Records that the mirror holds of the stream.
    pub population: u64,
    /// The ids of those that were drawn.
    pub ids: Vec<String>,
}

impl Batch<'_> {
    /// Draws `wanted` parents (all, where there are fewer), each sample with the same chance. Reads all ids off their
    /// index, which takes some milliseconds for 100,000; remembers those that were drawn.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn draw_parents(&self, stream: Stream, wanted: u64, seed: i64) -> Result<DrawnParents, MirrorError> {
        let population = self.row_count(stream)?;
        let mut sample = Sample::new(seed, population, wanted);
        let mut ids = Vec::new();
        let mut select = self.transaction.prepare(&format!("SELECT id FROM {stream} ORDER BY id"))?;
        let mut rows = select.query([])?;
        while !sample.is_complete()
            && let Some(row) = rows.next()?
        {
            if sample.takes_next() {
                ids.push(row.get(0)?);
            }
        }
        Ok(DrawnParents { population, ids })
    }

    /// Whether the audit of a run before `run` found that the API doesn't have this record.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn was_found_gone(&self, run: RunId, stream: Stream, id: &str) -> Result<bool, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM audit_findings WHERE run_id < ?1 AND stream = ?2 AND id = ?3 \
             AND kind = 'surplus')",
        )?;
        Ok(select.query_row(params![run.0, stream.name(), id], |row| row.get(0))?)
    }

    /// Records an audit.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn record_audit(&mut self, audit: &Audit, findings: &[AuditFinding]) -> Result<(), MirrorError> {
        let a = audit;
        let count = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
        let mut values = vec![
            ("run_id".to_owned(), a.run_id.0.into()),
            ("finished_at".to_owned(), a.finished_at.clone().into()),
            ("changed_since".to_owned(), a.changed_since.clone().into()),
            ("seed".to_owned(), a.seed.into()),
            ("population".to_owned(), count(a.population)),
            ("sampled".to_owned(), count(a.sampled)),
            ("audited".to_owned(), count(a.audited)),
            ("drifted".to_owned(), count(a.drifted)),
            ("lagging".to_owned(), count(a.lagging)),
            ("events_compared".to_owned(), count(a.events_compared)),
            ("undocumented_only".to_owned(), count(a.undocumented_only)),
            ("upper_bound".to_owned(), count(a.upper_bound)),
            ("confidence".to_owned(), a.confidence.into()),
            ("drift_limit".to_owned(), a.drift_limit.into()),
        ];
        let drift =
            a.drift.counts().map(|(stream, kind, number)| (Drift::column((stream, kind)), count(number)));
        values.extend(drift);
        let (names, values): (Vec<String>, Vec<Value>) = values.into_iter().unzip();
        let places = vec!["?"; names.len()].join(", ");
        let insert = format!("INSERT INTO audits ({}) VALUES ({places})", names.join(", "));
        self.transaction.execute(&insert, params_from_iter(values))?;
        let mut insert = self.transaction.prepare_cached(
            "INSERT OR IGNORE INTO audit_findings (run_id, stream, id, customer_id, kind, standing) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for f in findings {
            let (stream, kind, standing) = (f.stream.name(), f.kind.name(), f.standing.name());
            insert.execute(params![a.run_id.0, stream, f.id, f.customer_id, kind, standing])?;
        }
        Ok(())
    }

    /// Forgets the audits of runs that are forgotten; the newest one stays.
    pub(in crate::mirror) fn forget_audits(&mut self) -> rusqlite::Result<()> {
        self.transaction.execute(
            "DELETE FROM audits WHERE run_id NOT IN (SELECT id FROM sync_runs) \
             AND run_id <> (SELECT max(run_id) FROM audits)",
            [],
        )?;
        self.transaction
            .execute("DELETE FROM audit_findings WHERE run_id NOT IN (SELECT run_id FROM audits)", [])?;
        Ok(())
    }
}

impl Snapshot<'_> {
    /// The newest audit.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn last_audit(&self) -> Result<Option<Audit>, MirrorError> {
        let mut select = self.transaction.prepare("SELECT * FROM audits ORDER BY run_id DESC LIMIT 1")?;
        Ok(select.query_row([], read).optional()?)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Audit> {
    let count = |name: &str| row.get::<_, i64>(name).map(|number| number.max(0).cast_unsigned());
    Ok(Audit {
        run_id: RunId(row.get("run_id")?),
        finished_at: row.get("finished_at")?,
        changed_since: row.get("changed_since")?,
        seed: row.get("seed")?,
        population: count("population")?,
        sampled: count("sampled")?,
        audited: count("audited")?,
        drifted: count("drifted")?,
        lagging: count("lagging")?,
        events_compared: count("events_compared")?,
        drift: Drift(
            Drift::kinds()
                .map(|key| Ok((key, count(&Drift::column(key))?)))
                .collect::<rusqlite::Result<_>>()?,
        ),
        undocumented_only: count("undocumented_only")?,
        upper_bound: count("upper_bound")?,
        confidence: row.get("confidence")?,
        drift_limit: row.get("drift_limit")?,
    })
}

#[cfg(test)]
#[path = "audits_tests.rs"]
mod tests;
