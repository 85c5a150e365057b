//! A file with the changes of a range, against the change log and the mirror: both are read in the order of their
//! numbers, side by side, so that one row of each is in memory.

use super::checked_file::{CheckedFile, RowCounts};
use crate::export::formats::{Row, Rows};
use crate::export::readback::{compare, head_differences};
use crate::mirror::{History, Logged, MirrorError};

/// Judges the rows. What has to stand there: of each record that changed in the range its newest change there. What may:
/// older deletes, which a replay doesn't notice; in a table's file that was joined from several, older changes. What a repair
/// may have left out: a change whose successor stands in a later file.
pub(super) fn judge(
    file: &mut CheckedFile<'_>,
    rows: Rows<'_>,
    history: &History<'_>,
) -> Result<RowCounts, MirrorError> {
    let line = file.line();
    let range = (line.first_seq, line.last_seq);
    let stream = file.stream();
    let mut reading = Reading { file, rows, range, last: 0, next: None, counts: RowCounts::default() };
    reading.counts.whole = true;
    reading.advance();
    history.changes(stream, range, |logged| {
        reading.pass_strays(logged.change.seq);
        match reading.next.take() {
            Some(row) if row.seq == logged.change.seq => {
                reading.check_row(&row, &logged);
                reading.advance();
            }
            other => {
                reading.next = other;
                reading.note_missing(&logged);
            }
        }
        Ok::<(), MirrorError>(())
    })?;
    reading.pass_strays(i64::MAX);
    Ok(reading.counts)
}

struct Reading<'r, 'f, 's> {
    file: &'r mut CheckedFile<'f>,
    rows: Rows<'s>,
    range: (i64, i64),
    /// The number of the newest row that was in order.
    last: i64,
    next: Option<Row>,
    counts: RowCounts,
}

impl Reading<'_, '_, '_> {
    /// Goes to the next row that stands where it may: in the file's range and behind the one before it.
    fn advance(&mut self) {
        self.next = None;
        while self.next.is_none() {
            let row = match self.rows.next().transpose() {
                Ok(Some(row)) => row,
                Ok(None) => return,
                Err(error) => {
                    self.counts.whole = false;
                    let difference = self.file.difference(error.what).at_row(error.row);
                    return self.file.differs(difference);
                }
            };
            self.counts.rows += 1;
            let (first, last) = self.range;
            let what = match row.seq {
                seq if seq < first || seq > last => "its _seq is outside the file's range",
                seq if seq == self.last => "its _seq stands twice",
                seq if seq < self.last => "its _seq does not rise, or stands twice",
                seq => {
                    self.last = seq;
                    self.next = Some(row);
                    continue;
                }
            };
            let difference = self.file.difference(what).at_row(row.number).of_change(row.seq);
            self.file.contradicted(difference);
        }
    }

    /// Passes rows with numbers that the stream's change log doesn't have.
    fn pass_strays(&mut self, before: i64) {
        while let Some(row) = self.next.take_if(|row| row.seq < before) {
            let what = "the change log has no such change of this stream";
            let difference = self.file.difference(what).at_row(row.number).of_change(row.seq);
            self.file.contradicted(difference);
            self.advance();
        }
    }

    fn check_row(&mut self, row: &Row, logged: &Logged<'_>) {
        let change = &logged.change;
        let names = head_differences(row, change, false, self.file.dialect());
        let (contradicted, what) = if !names.is_empty() {
            (true, format!("not what the change log says: {}", names.join(", ")))
        } else if change.op.ends_record() {
            let compared = compare(row, self.file.stream().columns(), change, self.file.dialect());
            match (&compared.differing[..], logged.next.is_none() && logged.row_seq.is_some()) {
                ([], false) => return self.counts.rewritten += compared.rewritten,
                ([], true) => {
                    (false, "the mirror holds the record that its change log says is deleted".to_owned())
                }
                (names, _) => {
                    (false, format!("a delete with other than the record's keys: {}", names.join(", ")))
                }
            }
        } else if !logged.is_newest_up_to(self.range.1) && !self.file.has_older_changes() {
            (
                false,
                "the record has a newer change in the file's range, which alone should stand there"
                    .to_owned(),
            )
        } else {
            match content(row, logged, self.file) {
                Content::Same { rewritten } => {
                    self.counts.current += u64::from(logged.row_seq == Some(change.seq));
                    self.counts.rewritten += rewritten;
                    return;
                }
                Content::Unknown => return,
                Content::Differs(what) => (false, what),
            }
        };
        let difference =
            self.file.difference(what).at_row(row.number).of_change(row.seq).of_record(change.id);
        match contradicted {
            true => self.file.contradicted(difference),
            false => self.file.differs(difference),
        }
    }

    fn note_missing(&mut self, logged: &Logged<'_>) {
        let change = &logged.change;
        if !self.counts.whole || !logged.is_newest_up_to(self.range.1) {
            return;
        }
        let (line, end) = (self.file.line(), self.file.chain_end);
        if line.left_out > 0 && !change.op.ends_record() && !logged.is_newest_up_to(end) {
            return self.counts.left_out += 1;
        }
        let difference =
            self.file.difference("the change is missing").of_change(change.seq).of_record(change.id);
        self.file.differs(difference);
    }
}

/// How a row's values stand to the mirror's.
pub(super) enum Content {
    /// They are the same, but for so many that were rewritten for readers' sake.
    Same {
        /// How many.
        rewritten: u64,
    },
    /// The record has changed since, and the version that ended was not kept: nobody knows them any more.
    Unknown,
    /// They are not.
    Differs(String),
}

/// Compares a row's values with the mirror's.
pub(super) fn content(row: &Row, logged: &Logged<'_>, file: &CheckedFile<'_>) -> Content {
    match logged.change.row {
        Some(_) => {
            let compared = compare(row, file.stream().columns(), &logged.change, file.dialect());
            match &compared.differing[..] {
                [] => Content::Same { rewritten: compared.rewritten },
                names => Content::Differs(format!("not what the mirror holds: {}", names.join(", "))),
            }
        }
        None if logged.next.is_none() => {
            Content::Differs("the mirror lacks the record that its change log says it holds".to_owned())
        }
        None => Content::Unknown,
    }
}
