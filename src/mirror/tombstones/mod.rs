//! Who must not come back, and the key that tells whose a tombstone is. Nothing here begins a transaction or writes
//! to the mirror.

mod key;
mod set;

pub use key::{ErasureKey, Identifier, Token};
pub(in crate::mirror) use set::KINDS;
pub(crate) use set::Tombstones;
