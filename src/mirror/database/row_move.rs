//! The move of an older mirror's rows into the tables of version 11, where each row has the number of the change that
//! inserted it.
//!
//! In: a mirror of version 11 whose new tables are empty or partly filled. Out: the new tables filled; version 12 puts them
//! in the place of the old ones. The log is gone through once, and each step is a transaction of its own that also notes how
//! far it came: a mirror of millions of rows takes minutes, and a process that dies in between loses one step.

use crate::failpoint::{self, Place};
use crate::mirror::MirrorError;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Lines of the log that are moved in one transaction.
const LINES_AT_ONCE: i64 = 50_000;

/// Takes two numbers of changes; moves the customers that changes behind the first up to the second inserted.
const MOVE_CUSTOMERS: &str = "INSERT INTO customers_11 (id, email, first_name, last_name, phone_number, created_at, \
     updated_at, extra, inserted_seq, inserted_at, inserted_run, change_seq, events_checked_at) \
     SELECT old.id, old.email, old.first_name, old.last_name, old.phone_number, old.created_at, old.updated_at, old.extra, \
     line.seq, line.observed_at, line.run_id, old.change_seq, old.events_checked_at \
     FROM changes AS line CROSS JOIN customers AS old ON old.id = line.id \
     WHERE line.seq > ?1 AND line.seq <= ?2 AND line.stream = 'customers' AND line.op = 'insert' AND NOT EXISTS \
     (SELECT 1 FROM deleted_11 AS later WHERE later.stream = 'customers' AND later.id = line.id AND later.seq > line.seq) \
     ORDER BY line.seq";

/// The same for events.
const MOVE_EVENTS: &str = "INSERT INTO events_11 (id, customer_id, type, label, link_back_url, timestamp, properties, \
     created_at, updated_at, extra, inserted_seq, inserted_at, inserted_run, change_seq, missing_since, missing_run) \
     SELECT old.id, old.customer_id, old.type, old.label, old.link_back_url, old.timestamp, old.properties, old.created_at, \
     old.updated_at, old.extra, line.seq, line.observed_at, line.run_id, old.change_seq, old.missing_since, old.missing_run \
     FROM changes AS line CROSS JOIN events AS old ON old.id = line.id \
     WHERE line.seq > ?1 AND line.seq <= ?2 AND line.stream = 'events' AND line.op = 'insert' AND NOT EXISTS \
     (SELECT 1 FROM deleted_11 AS later WHERE later.stream = 'events' AND later.id = line.id AND later.seq > line.seq) \
     ORDER BY line.seq";

/// Moves the lines that are no moved row's insert.
const MOVE_LINES: &str = "INSERT INTO change_log (seq, stream, op, id, observed_at, run_id, evidence, customer_id) \
     SELECT seq, stream, op, id, observed_at, run_id, evidence, customer_id FROM changes AS line \
     WHERE seq > ?1 AND seq <= ?2 AND NOT EXISTS (SELECT 1 FROM customers_11 WHERE inserted_seq = line.seq) \
     AND NOT EXISTS (SELECT 1 FROM events_11 WHERE inserted_seq = line.seq) ORDER BY seq";

/// Fills the new tables, from where an earlier call came to. `is_moving` is asked in each transaction: false, if somebody
/// else has finished the work meanwhile.
///
/// # Errors
/// When the mirror can't be written: what was committed stays, and the next call goes on behind it.
pub(super) fn run(
    connection: &Connection,
    is_moving: impl Fn() -> Result<bool, MirrorError>,
) -> Result<(), MirrorError> {
    let mut told = None;
    loop {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        if !is_moving()? {
            return Ok(());
        }
        let (moved, last): (i64, i64) = transaction.query_row(
            "SELECT CAST(value AS INTEGER), (SELECT coalesce(max(seq), 0) FROM changes) FROM meta WHERE key = 'moved_through'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if moved >= last {
            return Ok(());
        }
        let percent = moved * 100 / last;
        if told != Some(percent) && last > LINES_AT_ONCE {
            told = Some(percent);
            tracing::info!(
                percent,
                changes = last,
                "moving the mirror's rows to the tables of a new version"
            );
        }
        let range = [moved, moved.saturating_add(LINES_AT_ONCE)];
        for statement in [MOVE_CUSTOMERS, MOVE_EVENTS, MOVE_LINES] {
            transaction.prepare_cached(statement)?.execute(range)?;
        }
        transaction
            .execute("UPDATE meta SET value = ?1 WHERE key = 'moved_through'", [range[1].to_string()])?;
        failpoint::reached(Place::Migration);
        transaction.commit()?;
    }
}
