//! Which mirrored customers a walk has met.

use roaring::RoaringTreemap;

/// A set of rows of the customer table. It takes at most one bit for each change that the log had when the newest of them
/// was inserted, and at most about two bytes a row: a mirror of a million customers and five million events takes 750 kB,
/// so the set can stand in checkpoints.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RowSet {
    rows: RoaringTreemap,
}

impl Eq for RowSet {}

impl RowSet {
    /// Marks a row; `false` if it was marked. Row numbers of SQLite start at 1.
    pub fn insert(&mut self, row: i64) -> bool {
        self.rows.insert(row.cast_unsigned())
    }

    /// Whether a row is marked.
    pub fn contains(&self, row: i64) -> bool {
        self.rows.contains(row.cast_unsigned())
    }

    /// How many rows are marked.
    pub fn count(&self) -> u64 {
        self.rows.len()
    }

    /// The marked rows, in their order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.rows.iter().map(u64::cast_signed)
    }

    /// The set as bytes, for [`RowSet::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.rows.serialized_size());
        // Writing to memory can't fail.
        let _ = self.rows.serialize_into(&mut bytes);
        bytes
    }

    /// The set that gave these bytes; `None` where they are no set's.
    pub fn from_bytes(bytes: &[u8]) -> Option<RowSet> {
        RoaringTreemap::deserialize_from(bytes).ok().map(|rows| RowSet { rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn is_a_set(rows in prop::collection::vec(1i64..2_000, 0..300)) {
            prop_assert_eq!(RowSet::from_bytes(b"other"), None);
            let mut seen = RowSet::default();
            let mut model = BTreeSet::new();
            for row in &rows {
                prop_assert_eq!(seen.insert(*row), model.insert(*row));
            }
            let seen = RowSet::from_bytes(&seen.to_bytes()).unwrap();
            prop_assert_eq!(seen.count(), model.len() as u64);
            for row in 0..2_100 {
                prop_assert_eq!(seen.contains(row), model.contains(&row));
            }
        }
    }
}
