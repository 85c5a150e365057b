//! What was found out about the API where its documentation is silent.

use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Snapshot, utc_text};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;

/// One thing found out, with what showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Behaviour {
    /// `customers` or `events`; `api` for what concerns all requests.
    pub stream: String,
    /// `token_style`, `forward`, `token_names` (what a page token stands for: a `position`, or its `walk`), or of `api`:
    /// `concurrency` (requests at once) or `rate` (requests a second).
    pub point: String,
    /// The finding.
    pub value: String,
    /// What showed it.
    pub evidence: String,
    /// Where it was seen.
    pub base_url: String,
    /// UTC, ISO 8601.
    pub detected_at: String,
}

impl Batch<'_> {
    /// Records a finding. One that says the same as the recorded one is not written.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn record_behaviour(
        &mut self,
        stream: &str,
        point: &str,
        value: &str,
        evidence: &str,
        base_url: &str,
        now: Timestamp,
    ) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO api_behaviour (stream, point, value, evidence, base_url, detected_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (stream, point) DO UPDATE SET value = excluded.value, \
                 evidence = excluded.evidence, base_url = excluded.base_url, detected_at = excluded.detected_at \
                 WHERE value <> excluded.value OR base_url <> excluded.base_url",
            )?
            .execute(params![stream, point, value, evidence, base_url, utc_text(now)])?;
        Ok(())
    }

    /// Everything found out so far.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn behaviour(&self) -> Result<Vec<Behaviour>, MirrorError> {
        all(&self.transaction)
    }
}

impl Snapshot<'_> {
    /// What was found out about the API.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn behaviour(&self) -> Result<Vec<Behaviour>, MirrorError> {
        all(&self.transaction)
    }
}

fn all(connection: &Connection) -> Result<Vec<Behaviour>, MirrorError> {
    let mut select = connection.prepare_cached(
        "SELECT stream, point, value, evidence, base_url, detected_at FROM api_behaviour ORDER BY stream, point",
    )?;
    let found = select
        .query_map([], |row| {
            Ok(Behaviour {
                stream: row.get(0)?,
                point: row.get(1)?,
                value: row.get(2)?,
                evidence: row.get(3)?,
                base_url: row.get(4)?,
                detected_at: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(found)
}
