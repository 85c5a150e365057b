//! What the mirror knows of looks at parents' lists of children: the newest child that each found, how often children come,
//! what called for looks and what came of it, and for how long new children were unseen.

use super::hints::hinted_rows;
use super::parents::MirroredParent;
use crate::diff::EventPlan;
use crate::diff::looks::{
    AGES, BOUNDS, Cell, Choice, EventKind, EventRates, Hazards, LastLook, LookedAt, NewestEvent, Signal,
    UnseenTime,
};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Snapshot, utc_text};
use crate::record::{RowSet, Stream, instant};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::sync::Arc;

/// Days for which the times are kept for which events were unseen.
const DAYS_KEPT: i64 = 400;

/// The present time.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// By our clock.
    pub ours: Timestamp,
    /// By the server's clock, in seconds since 1970.
    pub servers: i64,
}

/// What came of the looks that one signal called for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SignalCount {
    /// Looks.
    pub looks: u64,
    /// Of these, looks that found new events.
    pub hits: u64,
    /// New events that they found.
    pub events: u64,
}

/// What a run has learned from its looks.
#[derive(Debug, Default)]
pub struct LookResults {
    /// In the order of [`Signal::ALL`].
    pub signals: [SignalCount; Signal::ALL.len()],
    /// For how long the new events were unseen.
    pub unseen: UnseenTime,
    /// The cells that changed, with their kinds and their places in [`AGES`], and the events a day that are expected now.
    pub rates: Vec<(EventKind, usize, Cell, f64)>,
}

impl Batch<'_> {
    /// The last look at a parent's children; `None` if there was none.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn last_look(
        &self,
        stream: Stream,
        parent: &MirroredParent,
    ) -> Result<Option<LastLook>, MirrorError> {
        if self.is_loading {
            return Ok(None);
        }
        let sql = format!(
            "SELECT events_looked_at, newest_event, newest_event_at FROM {stream} WHERE inserted_seq = ?1"
        );
        let mut select = self.transaction.prepare_cached(&sql)?;
        let found = select.query_row([parent.row], |row| {
            let Some(at) = row.get(0)? else { return Ok(None) };
            let kind: Option<String> = row.get(1)?;
            let kind = kind.map_or_else(EventKind::none, |kind| EventKind::named(&kind));
            Ok(Some(LastLook { at, newest: NewestEvent { kind, at: row.get(2)? } }))
        });
        Ok(found.optional()?.flatten())
    }

    /// When a parent was created at the vendor, in seconds since 1970, if that can be read.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn created_at(&self, stream: Stream, parent: &MirroredParent) -> Result<Option<i64>, MirrorError> {
        let mut select = self
            .transaction
            .prepare_cached(&format!("SELECT created_at FROM {stream} WHERE inserted_seq = ?1"))?;
        let at: Option<Option<String>> = select.query_row([parent.row], |row| row.get(0)).optional()?;
        Ok(at.flatten().and_then(|at| instant(&at)).map(|at| at.as_second()))
    }

    /// Notes that the children of a parent were read to their end, as of `checked_at`, or are due again all the same; and what
    /// the look found, unless it proves nothing.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_look(
        &mut self,
        stream: Stream,
        parent: &MirroredParent,
        checked_at: Option<Timestamp>,
        look: Option<&LastLook>,
    ) -> Result<(), MirrorError> {
        let checked_at = checked_at.map(utc_text);
        match look {
            Some(LastLook { at, newest }) => self
                .transaction
                .prepare_cached(&format!(
                    "UPDATE {stream} SET events_checked_at = ?2, events_looked_at = ?3, newest_event = ?4, \
                     newest_event_at = ?5 WHERE inserted_seq = ?1"
                ))?
                .execute(params![parent.row, checked_at, at, newest.kind.name(), newest.at])?,
            None => self
                .transaction
                .prepare_cached(&format!(
                    "UPDATE {stream} SET events_checked_at = ?2 WHERE inserted_seq = ?1"
                ))?
                .execute(params![parent.row, checked_at])?,
        };
        self.clear_failure(stream, &parent.id)
    }

    /// How often children come, as learned so far.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_rates(&self) -> Result<EventRates, MirrorError> {
        event_rates(&self.transaction)
    }

    /// A plan of turns, with those beside it whom webhooks have hinted at, and at most `budget` others: those for whom a look
    /// is worth most.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn with_expected_looks(
        &self,
        stream: Stream,
        max_age: SignedDuration,
        (hazards, now): (&Hazards, Now),
        budget: usize,
    ) -> Result<EventPlan, MirrorError> {
        with_expected_looks(&self.transaction, stream, max_age, (hazards, now), budget)
    }

    /// Keeps what a run has learned from its looks.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn keep_look_results(&mut self, results: &LookResults, now: Timestamp) -> Result<(), MirrorError> {
        let now = utc_text(now);
        for (signal, count) in
            Signal::ALL.into_iter().zip(results.signals).filter(|(_, count)| count.looks > 0)
        {
            self.transaction
                .prepare_cached(
                    "INSERT INTO look_signals (signal, looks, hits, events, last_look_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                     ON CONFLICT (signal) DO UPDATE SET looks = looks + excluded.looks, hits = hits + excluded.hits, \
                     events = events + excluded.events, last_look_at = excluded.last_look_at",
                )?
                .execute(params![
                    signal.name(),
                    count.looks as i64,
                    count.hits as i64,
                    count.events as i64,
                    now
                ])?;
        }
        for (kind, age, cell, per_day) in &results.rates {
            let state = format!("{}, {}", kind.name(), AGES[*age].1);
            self.transaction
                .prepare_cached(
                    "INSERT INTO event_rates (state, looks, hits, events, exposure_days, per_day, kind, age) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                     ON CONFLICT (state) DO UPDATE SET looks = excluded.looks, hits = excluded.hits, events = excluded.events, \
                     exposure_days = excluded.exposure_days, per_day = excluded.per_day",
                )?
                .execute(params![
                    state,
                    cell.looks as i64,
                    cell.hits as i64,
                    cell.events,
                    cell.days,
                    per_day,
                    kind.name(),
                    *age as i64
                ])?;
        }
        self.keep_unseen(&results.unseen, &now)
    }

    fn keep_unseen(&mut self, unseen: &UnseenTime, now: &str) -> Result<(), MirrorError> {
        for (span, (events, seconds)) in unseen.spans().enumerate().filter(|(_, (events, _))| *events > 0.0) {
            let bound = BOUNDS.get(span).map_or(i64::MAX, |bound| i64::from(*bound));
            self.transaction
                .prepare_cached(
                    "INSERT INTO unseen_times (day, at_most_seconds, events, seconds) VALUES (date(?4), ?1, ?2, ?3) \
                     ON CONFLICT (day, at_most_seconds) DO UPDATE SET events = events + excluded.events, \
                     seconds = seconds + excluded.seconds",
                )?
                .execute(params![bound, events as i64, seconds as i64, now])?;
        }
        self.transaction
            .prepare_cached("DELETE FROM unseen_times WHERE day < date(?1, ?2)")?
            .execute([now, &format!("-{DAYS_KEPT} days")])?;
        Ok(())
    }
}

impl Snapshot<'_> {
    /// As [`Batch::event_rates`].
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_rates(&self) -> Result<EventRates, MirrorError> {
        event_rates(&self.transaction)
    }

    /// As [`Batch::with_expected_looks`].
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn with_expected_looks(
        &self,
        stream: Stream,
        max_age: SignedDuration,
        (hazards, now): (&Hazards, Now),
        budget: usize,
    ) -> Result<EventPlan, MirrorError> {
        with_expected_looks(&self.transaction, stream, max_age, (hazards, now), budget)
    }

    /// What looks at the children of these parents are likely to find, and for how long that has been there. Parents who were
    /// never looked at are left out.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn foretell(
        &self,
        stream: Stream,
        rows: &RowSet,
        (hazards, now): (&Hazards, Now),
    ) -> Result<UnseenTime, MirrorError> {
        let mut unseen = UnseenTime::default();
        looked_at(&self.transaction, stream, now, |row, _, _, last| {
            if rows.contains(row) {
                hazards.foretell(last, now.servers, &mut unseen);
            }
        })?;
        Ok(unseen)
    }

    /// What came of the looks that each signal called for; a signal that never did is left out.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn look_signals(&self) -> Result<Vec<(Signal, SignalCount)>, MirrorError> {
        let mut select = self.transaction.prepare("SELECT signal, looks, hits, events FROM look_signals")?;
        let rows = select.query_map([], |row| {
            let number = |column| row.get::<_, i64>(column).map(|number| number.max(0) as u64);
            let count = SignalCount { looks: number(1)?, hits: number(2)?, events: number(3)? };
            Ok((row.get::<_, String>(0)?, count))
        })?;
        let mut signals = Vec::new();
        for row in rows {
            let (name, count) = row?;
            signals.extend(Signal::from_name(&name).map(|signal| (signal, count)));
        }
        signals.sort_by_key(|(signal, _)| *signal);
        Ok(signals)
    }
}

fn event_rates(connection: &Connection) -> Result<EventRates, MirrorError> {
    let mut select =
        connection.prepare("SELECT kind, age, looks, hits, events, exposure_days FROM event_rates")?;
    let mut rows = select.query([])?;
    let mut rates = EventRates::default();
    while let Some(row) = rows.next()? {
        let number = |column| row.get::<_, i64>(column).map(|number| number.max(0) as u64);
        let cell = Cell::new(number(2)?, number(3)?, row.get(4)?, row.get(5)?);
        rates.restore(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?, number(1)? as usize, cell);
    }
    Ok(rates)
}

fn with_expected_looks(
    connection: &Connection,
    stream: Stream,
    max_age: SignedDuration,
    (hazards, now): (&Hazards, Now),
    budget: usize,
) -> Result<EventPlan, MirrorError> {
    let turns = EventPlan::of_turns(max_age);
    let mut choice = Choice::new(budget);
    if budget > 0 {
        looked_at(connection, stream, now, |row, id, checked_at, last| {
            let urgency = hazards.urgency(last, now.servers);
            // Most are out of the question, and for these it needn't be known whether their turn has come.
            if choice.wants(urgency) && turns.due(row, id, checked_at.parse().ok(), now.ours).is_none() {
                choice.offer(urgency, row);
            }
        })?;
    }
    let (pushed, expected) = (hinted_rows(connection, stream)?, choice.rows());
    Ok(EventPlan::Due { max_age, pushed: Arc::new(pushed), expected: Arc::new(expected) })
}

/// Goes through all parents that were looked at: their rows, ids, when that was by our clock, and the look.
fn looked_at(
    connection: &Connection,
    stream: Stream,
    now: Now,
    mut each: impl FnMut(i64, &str, &str, LookedAt<'_>),
) -> Result<(), MirrorError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT rowid, id, events_checked_at, events_looked_at, newest_event, newest_event_at FROM {stream} \
         WHERE events_checked_at IS NOT NULL"
    ))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let checked_at = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let at: Option<i64> = row.get(3)?;
        let kind = row.get_ref(4)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        let newest = kind.zip(row.get::<_, Option<i64>>(5)?);
        // A look of an older version noted its time alone, by our clock.
        let ahead = now.servers.saturating_sub(now.ours.as_second());
        let noted = || checked_at.parse::<Timestamp>().ok().map(|at| at.as_second().saturating_add(ahead));
        let Some(at) = at.or_else(noted) else { continue };
        each(row.get(0)?, id, checked_at, LookedAt { at, newest });
    }
    Ok(())
}
