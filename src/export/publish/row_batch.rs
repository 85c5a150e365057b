//! Batches of rows, handed from the thread that reads them to the ones that write them.

use crate::mirror::Change;
use crate::record::{Op, Value};

/// Changes with all that they hold, one after the other.
#[derive(Debug, Default)]
pub(super) struct RowBatch {
    /// All texts.
    text: String,
    rows: Vec<Row>,
    /// Of all rows that hold values.
    items: Vec<Item>,
}

#[derive(Debug)]
struct Row {
    seq: i64,
    op: Op,
    observed_at: usize,
    id: usize,
    /// How many items it has; none where the row is gone.
    items: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Item {
    Null,
    Integer(i64),
    /// So many bytes of the text.
    Text(usize),
}

impl RowBatch {
    /// Bytes of text so far.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Takes the changes out; the memory stays.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
        self.items.clear();
    }

    pub(super) fn add(&mut self, change: &Change<'_>) {
        self.text.push_str(change.observed_at);
        self.text.push_str(change.id);
        for value in change.row.unwrap_or_default() {
            self.items.push(match *value {
                Value::Null => Item::Null,
                Value::Integer(number) => Item::Integer(number),
                Value::Text(text) => {
                    self.text.push_str(text);
                    Item::Text(text.len())
                }
            });
        }
        self.rows.push(Row {
            seq: change.seq,
            op: change.op,
            observed_at: change.observed_at.len(),
            id: change.id.len(),
            items: change.row.map(<[_]>::len),
        });
    }

    /// Hands the changes over, in the order in which they were added.
    pub(super) fn each<E>(&self, mut each: impl FnMut(&Change<'_>) -> Result<(), E>) -> Result<(), E> {
        let (mut text, mut items) = (self.text.as_str(), self.items.as_slice());
        let mut take = |bytes: usize| {
            let (taken, rest) = text.split_at(bytes);
            text = rest;
            taken
        };
        let mut values = Vec::new();
        for row in &self.rows {
            let (observed_at, id) = (take(row.observed_at), take(row.id));
            let (of_row, rest) = items.split_at(row.items.unwrap_or_default());
            items = rest;
            values.clear();
            values.extend(of_row.iter().map(|item| match *item {
                Item::Null => Value::Null,
                Item::Integer(number) => Value::Integer(number),
                Item::Text(bytes) => Value::Text(take(bytes)),
            }));
            let row_values = row.items.is_some().then_some(values.as_slice());
            each(&Change { seq: row.seq, op: row.op, observed_at, id, row: row_values })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Option<Result<String, i64>>> {
        prop_oneof![
            Just(None),
            any::<i64>().prop_map(|number| Some(Err(number))),
            ".{0,9}".prop_map(|text| Some(Ok(text)))
        ]
    }

    fn borrow(value: &Option<Result<String, i64>>) -> Value<'_> {
        match value {
            None => Value::Null,
            Some(Err(number)) => Value::Integer(*number),
            Some(Ok(text)) => Value::Text(text),
        }
    }

    proptest! {
        #[test]
        fn what_is_added_comes_back(
            rows in prop::collection::vec(
                (any::<i64>(), prop::bool::ANY, ".{0,5}", ".{0,5}", prop::option::of(prop::collection::vec(value(), 0..4))),
                0..8,
            )
        ) {
            let borrowed: Vec<Option<Vec<Value<'_>>>> = rows
                .iter()
                .map(|(.., values)| {
                    values.as_ref().map(|values| values.iter().map(borrow).collect())
                })
                .collect();
            let changes = rows.iter().zip(&borrowed).map(|((seq, is_delete, at, id, _), values)| Change {
                seq: *seq,
                op: if *is_delete { Op::Delete } else { Op::Insert },
                observed_at: at,
                id,
                row: values.as_deref(),
            });
            let changes: Vec<Change<'_>> = changes.collect();
            let mut batch = RowBatch::default();
            changes.iter().for_each(|change| batch.add(change));
            let mut expected = changes.iter();
            batch.each(|change| if expected.next() == Some(change) { Ok(()) } else { Err(()) }).unwrap();
            prop_assert!(expected.next().is_none());
        }
    }
}
