//! Audits: the customers that are drawn, the rows that are compared, and what came of it.

use crate::diff::audit::{Kind, Standing};
use crate::diff::{CONFIDENCE, Sample, upper_bound};
use crate::mirror::transaction::{Batch, Snapshot, Stamp, utc_text};
use crate::mirror::{MirrorError, RunId};
use crate::record::{Customer, Event, Stream};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

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
    /// Drift: customers with other content than the API's.
    pub customers_differing: u64,
    /// Drift: customers that the API doesn't have.
    pub customers_surplus: u64,
    /// Drift: events that the mirror doesn't have.
    pub events_missing: u64,
    /// Drift: events with other content than the API's.
    pub events_differing: u64,
    /// Drift: events that the API doesn't have.
    pub events_surplus: u64,
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
            customers_differing: 0,
            customers_surplus: 0,
            events_missing: 0,
            events_differing: 0,
            events_surplus: 0,
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

    /// Every kind of drift that an audit can find: a customer that only the API has can't be drawn.
    pub const KINDS: [(Stream, Kind); 5] = [
        (Stream::Customers, Kind::Differing),
        (Stream::Customers, Kind::Surplus),
        (Stream::Events, Kind::Missing),
        (Stream::Events, Kind::Differing),
        (Stream::Events, Kind::Surplus),
    ];

    /// The records that drifted, by stream and kind.
    pub fn drift(&self) -> impl Iterator<Item = (Stream, Kind, u64)> {
        let counts = [
            self.customers_differing,
            self.customers_surplus,
            self.events_missing,
            self.events_differing,
            self.events_surplus,
        ];
        Audit::KINDS.into_iter().zip(counts).map(|((stream, kind), count)| (stream, kind, count))
    }

    /// Counts drift of one kind.
    pub fn add_drift(&mut self, stream: Stream, kind: Kind) {
        *match (stream, kind) {
            (Stream::Customers, Kind::Surplus) => &mut self.customers_surplus,
            (Stream::Customers, Kind::Differing | Kind::Missing) => &mut self.customers_differing,
            (Stream::Events, Kind::Missing) => &mut self.events_missing,
            (Stream::Events, Kind::Differing) => &mut self.events_differing,
            (Stream::Events, Kind::Surplus) => &mut self.events_surplus,
        } += 1;
    }
}

/// A record that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditFinding {
    /// `customers` or `events`.
    #[serde(serialize_with = "stream_name")]
    pub stream: Stream,
    /// Of the record.
    pub id: String,
    /// Whose audit found it.
    pub customer_id: String,
    /// How it differs.
    pub kind: Kind,
    /// What that means.
    pub standing: Standing,
}

fn stream_name<S: serde::Serializer>(stream: &Stream, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stream.name())
}

/// Customers drawn for an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnCustomers {
    /// Customers in the mirror.
    pub population: u64,
    /// The ids of those that were drawn.
    pub ids: Vec<String>,
}

/// A mirrored customer, to be compared.
#[derive(Debug, Clone)]
pub struct AuditedCustomer {
    /// The row's number.
    pub row: i64,
    /// What the mirror holds.
    pub customer: Customer,
    /// When its events were last read to their end.
    pub events_checked_at: Option<Timestamp>,
}

impl Batch<'_> {
    /// Draws `wanted` customers (all, where there are fewer), each sample with the same chance. Reads the ids of the
    /// whole mirror off their index, which takes some milliseconds for 100,000; remembers those that were drawn.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn draw_customers(&self, wanted: u64, seed: i64) -> Result<DrawnCustomers, MirrorError> {
        let population = self.customer_count()?;
        let mut sample = Sample::new(seed, population, wanted);
        let mut ids = Vec::new();
        let mut select = self.transaction.prepare("SELECT id FROM customers ORDER BY id")?;
        let mut rows = select.query([])?;
        while !sample.is_complete()
            && let Some(row) = rows.next()?
        {
            if sample.takes_next() {
                ids.push(row.get(0)?);
            }
        }
        Ok(DrawnCustomers { population, ids })
    }

    /// What the mirror holds of a customer.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn audited_customer(&self, id: &str) -> Result<Option<AuditedCustomer>, MirrorError> {
        let stored = crate::mirror::tables::stored_customer(&self.transaction, id)?;
        Ok(stored.map(|stored| AuditedCustomer {
            row: stored.row,
            customer: stored.customer,
            events_checked_at: stored.events_checked_at,
        }))
    }

    /// What the mirror holds of an event.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn audited_event(&self, id: &str) -> Result<Option<Event>, MirrorError> {
        Ok(self.stored_event(id)?.map(|stored| stored.event))
    }

    /// Whether the audit of a run before `run` found that the API doesn't have this customer.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn was_found_gone(&self, run: RunId, customer_id: &str) -> Result<bool, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM audit_findings WHERE run_id < ?1 AND stream = 'customers' AND id = ?2 \
             AND kind = 'surplus')",
        )?;
        Ok(select.query_row(params![run.0, customer_id], |row| row.get(0))?)
    }

    /// Records an audit.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn record_audit(&mut self, audit: &Audit, findings: &[AuditFinding]) -> Result<(), MirrorError> {
        let a = audit;
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.transaction.execute(
            "INSERT INTO audits (run_id, finished_at, changed_since, seed, population, sampled, audited, drifted, lagging, \
             events_compared, customers_differing, customers_surplus, events_missing, events_differing, events_surplus, \
             undocumented_only, upper_bound, confidence, drift_limit) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
            params![
                a.run_id.0,
                a.finished_at,
                a.changed_since,
                a.seed,
                count(a.population),
                count(a.sampled),
                count(a.audited),
                count(a.drifted),
                count(a.lagging),
                count(a.events_compared),
                count(a.customers_differing),
                count(a.customers_surplus),
                count(a.events_missing),
                count(a.events_differing),
                count(a.events_surplus),
                count(a.undocumented_only),
                count(a.upper_bound),
                a.confidence,
                a.drift_limit,
            ],
        )?;
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
        customers_differing: count("customers_differing")?,
        customers_surplus: count("customers_surplus")?,
        events_missing: count("events_missing")?,
        events_differing: count("events_differing")?,
        events_surplus: count("events_surplus")?,
        undocumented_only: count("undocumented_only")?,
        upper_bound: count("upper_bound")?,
        confidence: row.get("confidence")?,
        drift_limit: row.get("drift_limit")?,
    })
}

#[cfg(test)]
#[path = "audits_tests.rs"]
mod tests;
