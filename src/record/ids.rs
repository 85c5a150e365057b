//! Sets of identifiers that take eight bytes an entry, however long the identifiers are.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A set of identifiers, kept as 64-bit hashes: a walk of 100,000 records takes about a megabyte. Two identifiers
/// taken for one (a chance of one in ten thousand million among a million) make a vanished record look present
/// until the next run.
#[derive(Debug, Default, Clone)]
pub struct IdSet(HashSet<u64>);

impl IdSet {
    /// Adds an identifier; `false` if it was there.
    pub fn insert(&mut self, id: &str) -> bool {
        self.0.insert(hash(id))
    }

    /// Whether the identifier was added.
    pub fn contains(&self, id: &str) -> bool {
        self.0.contains(&hash(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
