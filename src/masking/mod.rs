//! What of the shoppers' data a reader is shown: profiles, by which exports and copies of the mirror hide the rest.
//!
//! | file | what it does |
//! |---|---|
//! | `rule` | what is done with one text or number |
//! | `profile` | which rule holds for which column, and for which member of its JSON |
//! | `json` | hides what stands in JSON |
//! | `masker` | a profile with its key, for the values of rows |
//!
//! In: the values of a row. Out: those that may be shown. The same value gives the same result under the same key, in
//! whichever row or column it stands, so that rows can still be joined.
//!
//! Never: show a value that no rule and no documentation is known for.

mod json;
mod masker;
mod profile;
mod rule;

pub use masker::{Masked, Masker, MaskingError};
pub use profile::{Classes, FULL, FieldError, FieldRule, Profile};
pub use rule::Rule;
