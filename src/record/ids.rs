//! Sets of identifiers that take eight bytes an entry, however long the identifiers are.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// A set of identifiers, kept as 64-bit hashes: a walk of 100,000 records takes about a megabyte. Two identifiers
/// taken for one (a chance of one in ten thousand million among a million) make a vanished record look present
/// until the next run.
#[derive(Debug, Default, Clone)]
pub struct IdSet(HashSet<u64, BuildHasherDefault<Hashed>>);

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

/// What is stored is a hash already.
#[derive(Debug, Default, Clone)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// Only numbers are hashed here; for the trait's sake.
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
