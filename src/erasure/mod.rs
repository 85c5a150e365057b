//! Persons, and what has expired, erased from everything that this program keeps, with a receipt that can be checked.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | `run` | an erasure from the request to its receipt, and the end of one that was cut off | disk |
//! | `receipt` | what an erasure leaves behind as its proof | disk |
//! | `files` | where receipts lie, and their chain | disk |
//! | `page` | a receipt for people | none |
//! | `needles` | texts to look for, in every form in which they may stand somewhere | none |
//! | `check` | a search of every byte on the disk | disk |
//! | `person`, `person_page` | everything that is held of a person, and where | disk |
//!
//! In: an open mirror, the export settings, what names persons. Out: a mirror and export folders without them, and
//! receipts that name nobody. The mirror forgets in one transaction, which also notes that the rest is still to be
//! done: whatever ends the process, the next call goes on from there, and no export can publish the persons
//! meanwhile.

mod check;
mod error;
mod files;
mod needles;
mod page;
mod person;
mod person_page;
mod receipt;
mod run;

pub use check::{Checked, FoundAt, check};
pub use error::ErasureError;
pub use needles::Needles;
pub use person::{Held, HeldIn, PersonFound, person};
pub use person_page::person_page;
pub use receipt::{Elsewhere, Receipt, Unreached};
pub use run::{Request, erase, expire, finish};
