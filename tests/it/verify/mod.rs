//! `export verify` finds what was done to an export folder, `export repair` mends what can be mended.
//!
//! - `case` is what most of these tests begin with: a small account after three exports.
//! - `damage` is about files, manifests, rows and mirrors that are not what they were, and about good ones.
//! - `formula_guard` is about text that a spreadsheet would take for a formula.
//! - `mirror_and_folder` is about a mirror and a folder that don't belong together, or not any more.
//! - `repair` mends, and says what could not be mended.
//! - `pruning` is about old files that go when nobody needs them any more.

mod case;
mod damage;
mod formula_guard;
mod mirror_and_folder;
mod pruning;
mod repair;
