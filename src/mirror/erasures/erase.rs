//! One transaction that takes persons out of every table.
//!
//! An event is a person's where it stands in his list, or stood there when it was deleted: it goes with all its
//! versions. Of an event that has moved on to another customer, the versions of the time with him go, and the event
//! stays.
//!
//! No number of the change log is lost, so that the ranges of exports go on to tile: the lines stay as `erase`, with
//! tokens in the place of what they named.

use super::erased::{Erased, ErasedPlace};
use super::expired::EndedVersion;
use super::persons::{Asked, Person};
use super::words::Words;
use crate::mirror::tombstones::{ErasureKey, Identifier};
use crate::mirror::transaction::{Batch, utc_text};
use crate::mirror::{Mirror, MirrorError};
use crate::record::{Stream, digits, folded};
use jiff::Timestamp;
use rusqlite::params;
use std::collections::HashSet;

/// The rows of the persons' records.
const PREPARE: &str = "
    DROP TABLE IF EXISTS temp.persons;
    DROP TABLE IF EXISTS temp.erased;
    DROP TABLE IF EXISTS temp.ended;
    CREATE TEMP TABLE persons (id TEXT PRIMARY KEY NOT NULL, token TEXT NOT NULL) WITHOUT ROWID;
    CREATE TEMP TABLE erased (
        stream TEXT NOT NULL, id TEXT NOT NULL, token TEXT NOT NULL, customer_token TEXT, PRIMARY KEY (stream, id)
    ) WITHOUT ROWID;
    CREATE TEMP TABLE ended (seq INTEGER PRIMARY KEY, stream TEXT NOT NULL, token TEXT NOT NULL, ended_by INTEGER NOT NULL);";

/// Ids of the persons' events, each with its person's.
const EVENTS: &str = "
    SELECT event.id, person.id FROM temp.persons AS person CROSS JOIN events AS event ON event.customer_id = person.id
    UNION
    SELECT line.id, person.id FROM change_log AS line CROSS JOIN temp.persons AS person ON person.id = line.customer_id
    WHERE line.stream = 'events' AND line.op = 'delete' AND NOT EXISTS (SELECT 1 FROM events AS now WHERE now.id = line.id)
    UNION
    SELECT old.id, person.id FROM events_superseded AS old CROSS JOIN temp.persons AS person ON person.id = old.customer_id
    CROSS JOIN change_log AS ending ON ending.seq = old.end_seq
    WHERE ending.op = 'delete' AND NOT EXISTS (SELECT 1 FROM events AS now WHERE now.id = old.id)";

/// What goes from the tables beside the streams', and by which condition.
const BESIDE: &[(&str, &str)] = &[
    (
        "audit_findings",
        "customer_id IN (SELECT id FROM temp.persons) OR EXISTS \
        (SELECT 1 FROM temp.erased AS e WHERE e.stream = audit_findings.stream AND e.id = audit_findings.id)",
    ),
    ("event_failures", "customer_id IN (SELECT id FROM temp.persons)"),
    ("event_lists", "customer_id IN (SELECT id FROM temp.persons)"),
    ("webhook_hints", "customer_id IN (SELECT id FROM temp.persons)"),
    (
        "webhook_orders",
        "EXISTS (SELECT 1 FROM json_each(webhook_orders.order_ids) AS one WHERE one.value IN \
        (SELECT order_id FROM order_facts WHERE customer_row IN \
            (SELECT inserted_seq FROM customers WHERE id IN (SELECT id FROM temp.persons))))",
    ),
    (
        "shipment_facts",
        "order_row IN (SELECT id FROM order_facts WHERE customer_row IN \
        (SELECT inserted_seq FROM customers WHERE id IN (SELECT id FROM temp.persons)))",
    ),
    (
        "order_facts",
        "customer_row IN (SELECT inserted_seq FROM customers WHERE id IN (SELECT id FROM temp.persons))",
    ),
    (
        "customer_facts",
        "id IN (SELECT inserted_seq FROM customers WHERE id IN (SELECT id FROM temp.persons))",
    ),
];

/// A page's token may name the record that stood last on it, in a form that nobody can tell. Without these, the next walk of
/// the list is a slower one.
const OF_THE_LIST: &[&str] = &["list_marks", "checkpoints"];

/// Sentences that may name a record.
const SENTENCES: &[(&str, &str)] = &[
    ("sync_runs", "remarks"),
    ("sync_runs", "error"),
    ("sync_runs", "what_to_do"),
    ("event_failures", "error"),
    ("api_behaviour", "evidence"),
    ("account", "doubt"),
    ("rejected", "reason"),
    ("change_log", "evidence"),
];

impl Mirror {
    /// Erases the persons that were asked for, in one transaction that is durable when this returns: see
    /// [`Batch::erase`]. What is deleted is overwritten. Returns the erasure's number, and whom it has erased.
    ///
    /// # Errors
    /// When the mirror can't be read or written: then nothing has changed.
    pub fn erase(
        &mut self,
        key: &ErasureKey,
        asked: &[Asked],
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<(i64, Vec<Person>), MirrorError> {
        self.delete_securely()?;
        let mut batch = self.batch()?;
        let persons = batch.persons(asked)?;
        let number = batch.erase(key, (asked, &persons), reason, now)?;
        batch.commit()?;
        self.read_tombstones()?;
        Ok((number, persons))
    }
}

impl Batch<'_> {
    /// Erases these persons, leaves tombstones of them and of what was asked for, and notes the erasure as one that
    /// is not ended: exports and the file's free pages may still hold them. Returns its number.
    ///
    /// # Errors
    /// When the mirror can't be read or written: the batch is then to be dropped.
    pub fn erase(
        &mut self,
        key: &ErasureKey,
        (asked, persons): (&[Asked], &[Person]),
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<i64, MirrorError> {
        self.transaction.execute_batch(PREPARE)?;
        let mut words = Words::default();
        self.note_persons(key, persons, &mut words)?;
        self.note_events(key, &mut words)?;
        let (number, mut places) = self.forget(key, reason, &words, now)?;
        let names = persons.iter().flat_map(|person| &person.names).map(String::as_str);
        self.forget_properties(words.texts().chain(names))?;
        places.extend(self.forget_the_list()?);
        self.leave_tombstones(key, (asked, persons), number)?;
        let erased = Erased {
            asked: asked
                .iter()
                .map(|one| (one.identifier, key.token(one.identifier, &one.value).0))
                .collect(),
            persons: persons.iter().map(|person| key.token(Identifier::Id, &person.id).0).collect(),
            expired: Vec::new(),
            places,
        };
        self.conclude(number, &erased)?;
        Ok(number)
    }

    /// Makes the tables `temp.persons`, `temp.erased` and `temp.ended`, which hold nobody yet.
    pub(super) fn prepare_erasure(&self) -> rusqlite::Result<()> {
        self.transaction.execute_batch(PREPARE)
    }

    fn note_persons(&self, key: &ErasureKey, persons: &[Person], words: &mut Words) -> rusqlite::Result<()> {
        for person in persons {
            self.note_person(key, &person.id)?;
            words.add(&person.id);
            person.emails.iter().chain(&person.phone_numbers).for_each(|text| words.add(text));
        }
        Ok(())
    }

    /// Puts a customer into `temp.persons` and `temp.erased`.
    pub(super) fn note_person(&self, key: &ErasureKey, id: &str) -> rusqlite::Result<()> {
        let token = key.token(Identifier::Id, id).in_place_of_id();
        let sql = "INSERT INTO temp.persons (id, token) VALUES (?1, ?2)";
        self.transaction.prepare_cached(sql)?.execute((id, &token))?;
        let sql = "INSERT INTO temp.erased (stream, id, token) VALUES ('customers', ?1, ?2)";
        self.transaction.prepare_cached(sql)?.execute((id, &token))?;
        Ok(())
    }

    /// Puts a version whose record stays into `temp.ended`.
    pub(super) fn note_version(&self, key: &ErasureKey, version: &EndedVersion<'_>) -> rusqlite::Result<()> {
        let identifier = match version.stream.parent() {
            None => Identifier::Id,
            Some(_) => Identifier::Event,
        };
        let token = key.token(identifier, version.id).in_place_of_id();
        let sql = "INSERT INTO temp.ended (seq, stream, token, ended_by) VALUES (?1, ?2, ?3, ?4)";
        let EndedVersion { stream, seq, ended_by, .. } = version;
        self.transaction.prepare_cached(sql)?.execute(params![seq, stream.name(), token, ended_by])?;
        Ok(())
    }

    /// Forgets the versions that ended before `before`, and notes those in `temp.ended` as erased.
    pub(super) fn forget_ended(
        &mut self,
        number: i64,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<ErasedPlace>, MirrorError> {
        let mut places = Vec::new();
        for stream in Stream::ALL {
            let went = "end_seq IN (SELECT ended_by FROM temp.ended)";
            places.extend(self.measured(&format!("{stream}_superseded"), went)?);
        }
        while self.forget_history(now, before)? > 0 {}
        self.transaction.execute(
            "INSERT OR IGNORE INTO erased_changes (seq, stream, token, erasure_id, ended_by) \
             SELECT seq, stream, token, ?1, ended_by FROM temp.ended",
            [number],
        )?;
        Ok(places)
    }

    /// Forgets what may name a record of the customer list in a form that nobody can tell.
    pub(super) fn forget_the_list(&mut self) -> Result<Vec<ErasedPlace>, MirrorError> {
        let mut places = Vec::new();
        for table in OF_THE_LIST {
            places.extend(self.take_out(table, "true")?);
        }
        Ok(places)
    }

    /// Puts the events of those in `temp.persons` into `temp.erased`.
    pub(super) fn note_events(&self, key: &ErasureKey, words: &mut Words) -> rusqlite::Result<()> {
        let mut select = self.transaction.prepare(EVENTS)?;
        let events: Vec<(String, String)> =
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        for (id, customer) in events {
            self.note_event(key, &id, Some(&customer))?;
            words.add(&id);
        }
        Ok(())
    }

    /// Puts an event of this customer into `temp.erased`.
    pub(super) fn note_event(
        &self,
        key: &ErasureKey,
        id: &str,
        customer: Option<&str>,
    ) -> rusqlite::Result<()> {
        let token = key.token(Identifier::Event, id).in_place_of_id();
        let customer = customer.map(|customer| key.token(Identifier::Id, customer).in_place_of_id());
        let sql = "INSERT OR IGNORE INTO temp.erased (stream, id, token, customer_token) VALUES ('events', ?1, ?2, ?3)";
        self.transaction.prepare_cached(sql)?.execute((id, token, customer))?;
        Ok(())
    }

    /// Begins an erasure, and takes what stands in `temp.persons` and `temp.erased` out of every table; `words` are what names
    /// it. Returns the erasure's number, and what was taken out.
    pub(super) fn forget(
        &mut self,
        key: &ErasureKey,
        reason: Option<&str>,
        words: &Words,
        now: Timestamp,
    ) -> Result<(i64, Vec<ErasedPlace>), MirrorError> {
        let mut places = Vec::new();
        let sql = "INSERT INTO erasures (requested_at, reason, persons, changes, found) \
                   VALUES (?1, ?2, (SELECT count(*) FROM temp.persons), 0, '')";
        self.transaction.execute(sql, params![utc_text(now), reason])?;
        let number = self.transaction.last_insert_rowid();
        for (table, condition) in BESIDE {
            places.extend(self.take_out(table, condition)?);
        }
        places.extend(self.take_out_rejected(words)?);
        self.derive_without(now)?;
        for stream in Stream::ALL {
            places.extend(self.take_out_records(stream, number, key)?);
        }
        places.extend(self.forget_in_log(number)?);
        places.extend(self.forget_in_sentences(words)?);
        Ok((number, places))
    }

    /// Notes what an erasure did, as one that is not ended.
    pub(super) fn conclude(&self, number: i64, erased: &Erased) -> Result<(), MirrorError> {
        let found = serde_json::to_string(erased).map_err(|_| MirrorError::unreadable("what was found"))?;
        let sql = "UPDATE erasures SET found = ?2, changes = (SELECT count(*) FROM erased_changes WHERE erasure_id = ?1) \
                   WHERE id = ?1";
        self.transaction.execute(sql, params![number, found])?;
        Ok(self
            .transaction
            .execute_batch("DROP TABLE temp.persons; DROP TABLE temp.erased; DROP TABLE temp.ended;")?)
    }

    /// Deletes rows, and says how many there were.
    fn take_out(&mut self, table: &str, condition: &str) -> Result<Option<ErasedPlace>, MirrorError> {
        let place = self.measured(table, condition)?;
        if place.is_some() {
            self.transaction.execute(&format!("DELETE FROM {table} WHERE {condition}"), [])?;
        }
        Ok(place)
    }

    fn measured(&self, table: &str, condition: &str) -> Result<Option<ErasedPlace>, MirrorError> {
        let mut columns = self.transaction.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let columns: Vec<String> =
            columns.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let bytes: Vec<String> =
            columns.iter().map(|column| format!("coalesce(octet_length({column}), 0)")).collect();
        let sql = format!(
            "SELECT count(*), coalesce(sum({}), 0) FROM {table} WHERE {condition}",
            bytes.join(" + ")
        );
        let (records, bytes): (i64, i64) =
            self.transaction.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let place = ErasedPlace { table: table.to_owned(), records: records as u64, bytes: bytes as u64 };
        Ok((records > 0).then_some(place))
    }

    /// Rejected records are texts that could not be taken apart: those that name a person go.
    fn take_out_rejected(&mut self, words: &Words) -> Result<Option<ErasedPlace>, MirrorError> {
        let mut select =
            self.transaction.prepare("SELECT rowid, customer_id, record_id, raw FROM rejected")?;
        let mut rows = select.query([])?;
        let (mut gone, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let (number, customer, record): (i64, Option<String>, Option<String>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let raw: String = row.get(3)?;
            let is_named = [customer, record].into_iter().flatten().any(|id| words.contains(&id));
            if is_named || words.are_in(&raw) {
                gone.push(number);
                bytes += raw.len() as u64;
            }
        }
        for number in &gone {
            self.transaction.prepare_cached("DELETE FROM rejected WHERE rowid = ?1")?.execute([number])?;
        }
        let place = ErasedPlace { table: "rejected".to_owned(), records: gone.len() as u64, bytes };
        Ok((!gone.is_empty()).then_some(place))
    }

    /// Takes out the records of a stream with all their versions. Their lines in the log still name them.
    fn take_out_records(
        &mut self,
        stream: Stream,
        number: i64,
        key: &ErasureKey,
    ) -> Result<Vec<ErasedPlace>, MirrorError> {
        let of_person = format!("id IN (SELECT id FROM temp.erased WHERE stream = '{stream}')");
        let current = self.take_out(stream.name(), &of_person)?;
        if let Some(current) = &current {
            let sql = "UPDATE stream_totals SET row_count = row_count - ?2 WHERE stream = ?1";
            self.transaction.execute(sql, params![stream.name(), current.records as i64])?;
        }
        let superseded = format!("{stream}_superseded");
        let mut old = self.take_out(&superseded, &of_person)?;
        if stream.parent().is_some() {
            let sql = format!(
                "SELECT seq, id FROM {superseded} WHERE {} IN (SELECT id FROM temp.persons)",
                stream.parent_key()
            );
            let mut select = self.transaction.prepare(&sql)?;
            let moved: Vec<(i64, String)> = select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            drop(select);
            for (seq, id) in moved {
                self.note_erased_change(
                    seq,
                    stream,
                    &key.token(Identifier::Event, &id).in_place_of_id(),
                    number,
                )?;
            }
            let moved = self.take_out(
                &superseded,
                &format!("{} IN (SELECT id FROM temp.persons)", stream.parent_key()),
            )?;
            old = match (old, moved) {
                (Some(old), Some(moved)) => Some(ErasedPlace {
                    records: old.records + moved.records,
                    bytes: old.bytes + moved.bytes,
                    ..old
                }),
                (old, moved) => old.or(moved),
            };
        }
        Ok(current.into_iter().chain(old).collect())
    }

    fn note_erased_change(&self, seq: i64, stream: Stream, token: &str, number: i64) -> rusqlite::Result<()> {
        let sql =
            "INSERT OR REPLACE INTO erased_changes (seq, stream, token, erasure_id) VALUES (?1, ?2, ?3, ?4)";
        self.transaction.prepare_cached(sql)?.execute(params![seq, stream.name(), token, number])?;
        Ok(())
    }

    /// Has the lines of the log say `erase`, and name tokens.
    fn forget_in_log(&mut self, number: i64) -> Result<Option<ErasedPlace>, MirrorError> {
        let place = self.measured(
            "change_log",
            "EXISTS (SELECT 1 FROM temp.erased AS e WHERE e.stream = change_log.stream AND e.id = change_log.id) \
             OR customer_id IN (SELECT id FROM temp.persons)",
        )?;
        self.transaction.execute(
            "INSERT OR REPLACE INTO erased_changes (seq, stream, token, erasure_id) \
             SELECT line.seq, line.stream, e.token, ?1 FROM change_log AS line \
             CROSS JOIN temp.erased AS e ON e.stream = line.stream AND e.id = line.id",
            [number],
        )?;
        self.transaction.execute(
            "UPDATE change_log SET op = 'erase', id = e.token, customer_id = e.customer_token, evidence = NULL \
             FROM temp.erased AS e WHERE e.stream = change_log.stream AND e.id = change_log.id",
            [],
        )?;
        // Deletes of records that came back with another customer.
        let mut select = self.transaction.prepare(
            "SELECT line.seq, line.stream, person.token FROM change_log AS line \
             CROSS JOIN temp.persons AS person ON person.id = line.customer_id",
        )?;
        let others: Vec<(i64, String, String)> = select
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        drop(select);
        for (seq, stream, token) in others {
            let stream =
                Stream::from_name(&stream).ok_or_else(|| MirrorError::unreadable("a change's stream"))?;
            self.note_erased_change(seq, stream, &token, number)?;
            let sql = "UPDATE change_log SET customer_id = ?2, evidence = NULL WHERE seq = ?1";
            self.transaction.prepare_cached(sql)?.execute(params![seq, token])?;
        }
        self.transaction.execute_batch(
            "DELETE FROM change_days; INSERT INTO change_days SELECT substr(observed_at, 1, 10) AS day, stream, op, \
             count(*), min(seq), max(seq) FROM changes GROUP BY day, stream, op",
        )?;
        Ok(place)
    }

    /// Takes ids out of sentences that runs have left.
    fn forget_in_sentences(&mut self, words: &Words) -> Result<Vec<ErasedPlace>, MirrorError> {
        let mut places: Vec<ErasedPlace> = Vec::new();
        for (table, column) in SENTENCES {
            let sql = format!("SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL");
            let mut select = self.transaction.prepare(&sql)?;
            let mut rows = select.query([])?;
            let mut changed = Vec::new();
            while let Some(row) = rows.next()? {
                let sentence: String = row.get(1)?;
                if let Some(without) = words.taken_out_of(&sentence) {
                    changed.push((row.get::<_, i64>(0)?, without));
                }
            }
            drop(rows);
            drop(select);
            for (number, without) in &changed {
                let sql = format!("UPDATE {table} SET {column} = ?2 WHERE rowid = ?1");
                self.transaction.prepare_cached(&sql)?.execute(params![number, without])?;
            }
            if !changed.is_empty() {
                let bytes = changed.iter().map(|(_, text)| text.len() as u64).sum();
                places.push(ErasedPlace { table: (*table).to_owned(), records: changed.len() as u64, bytes });
            }
        }
        Ok(places)
    }

    /// An address that another customer of the mirror has keeps nobody out.
    fn leave_tombstones(
        &mut self,
        key: &ErasureKey,
        (asked, persons): (&[Asked], &[Person]),
        number: i64,
    ) -> Result<(), MirrorError> {
        let sql = "INSERT INTO tombstones (kind, token, person, erasure_id) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO UPDATE SET erasure_id = excluded.erasure_id";
        let shared = self.shared_addresses(persons)?;
        let leave = |identifier: Identifier, value: &str, person: &str| {
            let token = key.token(identifier, value).0;
            self.transaction
                .prepare_cached(sql)?
                .execute(params![identifier.name(), token, person, number])
                .map(drop)
        };
        for person in persons {
            let token = key.token(Identifier::Id, &person.id).0;
            leave(Identifier::Id, &person.id, &token)?;
            for email in person.emails.iter().filter(|email| !shared.contains(&folded(email))) {
                leave(Identifier::Email, email, &token)?;
            }
            for one in asked.iter().filter(|one| one.identifier == Identifier::PhoneNumber) {
                if person.phone_numbers.iter().any(|number| digits(number) == digits(&one.value)) {
                    leave(one.identifier, &one.value, &token)?;
                }
            }
        }
        // Whoever isn't here yet stays out as well.
        for one in asked.iter().filter(|one| !persons.iter().any(|person| person.is_asked_for_by(one))) {
            leave(one.identifier, &one.value, &key.token(one.identifier, &one.value).0)?;
        }
        Ok(())
    }

    /// Those of the persons' addresses that customers have who stay.
    fn shared_addresses(&self, persons: &[Person]) -> Result<HashSet<String>, MirrorError> {
        let all: HashSet<String> =
            persons.iter().flat_map(|person| &person.emails).map(|email| folded(email)).collect();
        let mut select = self.transaction.prepare("SELECT email FROM customers WHERE email IS NOT NULL")?;
        let mut rows = select.query([])?;
        let mut shared = HashSet::new();
        while let Some(row) = rows.next()? {
            let email = folded(&row.get::<_, String>(0)?);
            shared.extend(Some(email).filter(|email| all.contains(email)));
        }
        Ok(shared)
    }
}
