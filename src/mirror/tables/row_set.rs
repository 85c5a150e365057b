//! Which mirrored customers a walk has met.

/// A set of rows of the customer table, one bit a row: a mirror of a million customers takes 125 kB, so the set can
/// stand in every checkpoint.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RowSet {
    bits: Vec<u8>,
    count: u64,
}

impl RowSet {
    /// Marks a row; `false` if it was marked. Row numbers of SQLite start at 1.
    pub fn insert(&mut self, row: i64) -> bool {
        let (byte, bit) = place(row);
        if byte >= self.bits.len() {
            self.bits.resize(byte + 1, 0);
        }
        let new = self.bits[byte] & bit == 0;
        self.bits[byte] |= bit;
        self.count += u64::from(new);
        new
    }

    /// Whether a row is marked.
    pub fn contains(&self, row: i64) -> bool {
        let (byte, bit) = place(row);
        self.bits.get(byte).is_some_and(|bits| bits & bit != 0)
    }

    /// How many rows are marked.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The set as bytes, for [`RowSet::from_bytes`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.bits
    }

    /// The set that gave these bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> RowSet {
        let count = bytes.iter().map(|byte| u64::from(byte.count_ones())).sum();
        RowSet { bits: bytes, count }
    }
}

fn place(row: i64) -> (usize, u8) {
    let row = usize::try_from(row).unwrap_or(0);
    (row / 8, 1 << (row % 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn is_a_set(rows in prop::collection::vec(1i64..2_000, 0..300)) {
            let mut seen = RowSet::default();
            let mut model = BTreeSet::new();
            for row in &rows {
                prop_assert_eq!(seen.insert(*row), model.insert(*row));
            }
            let seen = RowSet::from_bytes(seen.as_bytes().to_vec());
            prop_assert_eq!(seen.count(), model.len() as u64);
            for row in 0..2_100 {
                prop_assert_eq!(seen.contains(row), model.contains(&row));
            }
        }
    }
}
