//! Sets of identifiers that take eight bytes an entry, however long the identifiers are.

use foldhash::quality::FixedState;
use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

/// A set of identifiers, kept as 64-bit hashes: a walk of 100,000 records takes about a megabyte. Two identifiers
/// taken for one (a chance of one in ten thousand million among a million) make a vanished record look present
/// until the next run.
#[derive(Debug, Default, Clone)]
pub struct IdSet {
    /// A hash table that is full is copied into one of twice the size. Of several small ones, one does so at a time, so
    /// that the set is never held thrice.
    parts: [FingerprintSet; PARTS],
}

const PARTS: usize = 16;

impl IdSet {
    /// Adds an identifier; `false` if it was there.
    pub fn insert(&mut self, id: &str) -> bool {
        let fingerprint = fingerprint(id);
        self.parts[part_of(fingerprint)].insert(fingerprint)
    }

    /// Whether the identifier was added.
    pub fn contains(&self, id: &str) -> bool {
        let fingerprint = fingerprint(id);
        self.parts[part_of(fingerprint)].contains(&fingerprint)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(HashSet::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(HashSet::is_empty)
    }
}

/// By bits that the tables themselves don't go by.
fn part_of(fingerprint: u64) -> usize {
    (fingerprint >> 32) as usize % PARTS
}

/// A set of fingerprints.
pub type FingerprintSet = HashSet<u64, BuildHasherDefault<Fingerprinted>>;

/// What is stored is a hash already.
#[derive(Debug, Default, Clone)]
pub struct Fingerprinted(u64);

impl Hasher for Fingerprinted {
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

/// 64 bits that stand for a value, the same in each run of one build.
pub fn fingerprint(value: &(impl Hash + ?Sized)) -> u64 {
    FixedState::with_seed(0).hash_one(value)
}
