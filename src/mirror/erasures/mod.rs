//! Persons who are forgotten: found, taken out of every table, and kept out from then on; and what has expired.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | `persons` | everything by which the mirror knows a person | reads |
//! | `erase` | one transaction that takes persons out of every table | writes |
//! | `erased` | what an erasure did | none |
//! | `expired` | what has been kept for long enough | reads |
//! | `expire` | the same transaction for that | writes |
//! | `erasure` | what is remembered of erasures, and what is left to do of one that was cut off | both |
//! | `kept_out` | keeps out those who must not come back | both |
//! | `words` | texts to look for in sentences | none |
//! | `remains` | where the tables still hold a text, and the file without its free pages | both |
//!
//! In: what names a person. Out: rows that are gone, lines of the change log that say `erase`, and counts. Nothing
//! here touches exports.

mod erase;
mod erased;
mod erasure;
mod expire;
mod expired;
mod kept_out;
mod persons;
mod remains;
mod words;

pub use erased::{Erased, ErasedPlace, Expired};
pub use erasure::{ErasedChange, Erasure};
pub use kept_out::KeptOut;
pub use persons::{Asked, Person};
