//! A snapshot's file against the change log and the mirror. Its rows stand in no promised order, so each is looked up;
//! which changes were met is kept as one bit a change.

use super::change_rows::{Content, content};
use super::checked_file::{CheckedFile, RowCounts};
use crate::export::difference::Difference;
use crate::export::formats::{Row, Rows};
use crate::export::readback::head_differences;
use crate::mirror::{History, Logged, MirrorError};

/// Judges the rows: every record that the stream held as of the snapshot's change has to stand there once, as an insert with
/// the number and time of its newest change by then.
pub(super) fn judge(
    file: &mut CheckedFile<'_>,
    mut rows: Rows<'_>,
    history: &History<'_>,
) -> Result<RowCounts, MirrorError> {
    let (stream, last) = (file.stream(), file.line().last_seq);
    let mut met = ChangeSet::up_to(last);
    let mut counts = RowCounts { whole: true, ..RowCounts::default() };
    loop {
        let row = match rows.next().transpose() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => {
                let difference = file.difference(error.what).at_row(error.row);
                file.differs(difference);
                return Ok(RowCounts { whole: false, ..counts });
            }
        };
        counts.rows += 1;
        let found =
            history.change(stream, row.seq, |logged| check_row(file, &row, logged, last, &mut met))?;
        if let Some(rewritten) = found {
            counts.current += 1;
            counts.rewritten += rewritten;
        }
    }
    history.changes(stream, (1, last), |logged| {
        let held = !logged.change.op.ends_record() && logged.is_newest_up_to(last);
        if held && !met.contains(logged.change.seq) {
            if file.line().left_out > 0 && !logged.is_newest_up_to(file.chain_end) {
                counts.left_out += 1;
            } else {
                let difference = file.difference("the record is missing");
                file.differs(difference.of_change(logged.change.seq).of_record(logged.change.id));
            }
        }
        Ok::<(), MirrorError>(())
    })?;
    Ok(counts)
}

/// Judges a row. Where the mirror holds it to this day as it stands there, returns how many of its values were rewritten for
/// readers' sake.
fn check_row(
    file: &mut CheckedFile<'_>,
    row: &Row,
    logged: Option<Logged<'_>>,
    last: i64,
    met: &mut ChangeSet,
) -> Option<u64> {
    let at = file.difference("").at_row(row.number).of_change(row.seq);
    let Some(logged) = logged.filter(|_| row.seq <= last) else {
        let what = "the change log has no such change of this stream by then".to_owned();
        file.contradicted(Difference { what, ..at });
        return None;
    };
    let at = at.of_record(logged.change.id);
    let names = head_differences(row, &logged.change, true, file.dialect());
    let what = if !met.insert(row.seq) {
        "its _seq stands twice".to_owned()
    } else if !names.is_empty() {
        file.contradicted(Difference {
            what: format!("not what the change log says: {}", names.join(", ")),
            ..at
        });
        return None;
    } else if logged.change.op.ends_record() || !logged.is_newest_up_to(last) {
        "the record has a newer change by then".to_owned()
    } else {
        match content(row, &logged, file) {
            Content::Same { rewritten } => return Some(rewritten),
            Content::Unknown => return None,
            Content::Differs(what) => what,
        }
    };
    file.differs(Difference { what, ..at });
    None
}

/// A set of change numbers.
struct ChangeSet(Vec<u64>);

impl ChangeSet {
    fn up_to(last: i64) -> ChangeSet {
        ChangeSet(vec![0; last.max(0) as usize / 64 + 1])
    }

    /// Whether the number was new.
    fn insert(&mut self, seq: i64) -> bool {
        let (word, bit) = (seq as usize / 64, 1 << (seq as usize % 64));
        let Some(word) = self.0.get_mut(word) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn contains(&self, seq: i64) -> bool {
        self.0.get(seq as usize / 64).is_some_and(|word| word & (1 << (seq as usize % 64)) != 0)
    }
}
