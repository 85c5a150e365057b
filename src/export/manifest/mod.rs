//! The manifest: one JSON object a line for each announced file, oldest first. Each line carries the digest of the
//! line before it, so that a lost or edited line shows.
//!
//! A manifest grows by a few lines with each export, for years, so nothing here holds its lines: it is read as a stream,
//! and replaced by a copy of its bytes with something changed. Each export reads it once and, where it has something to
//! announce, writes it once. At some 500 bytes a line, exports every quarter of an hour make 35,000 lines and 18 MB a year for
//! each stream and format that changes every time: a fraction of a second an export; `export.max_age` bounds it.
//!
//! Comes in: lines about complete files. Goes out: the lines that are there, where they end, and their copy in the mirror.
//!
//! Never: name a file that isn't durable, or change a byte of a line that stays but for the digest of the line before it.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod line;
mod lines;
pub(super) mod mirror_copy;
mod open_manifest;
mod positions;
mod replacement;
mod rewrite;
pub(super) mod truncation;

pub use line::ManifestLine;
pub use mirror_copy::folder_name;

#[cfg(test)]
pub(super) use line::sample;
pub(super) use line::{digest, parse_line};
pub(super) use lines::{Entry, Lines};
pub(super) use mirror_copy::Comparison;
pub(super) use open_manifest::Manifest;
#[cfg(test)]
pub(super) use open_manifest::all;
pub(super) use positions::Positions;
pub(super) use rewrite::{numbered, replace};
pub(super) use truncation::Truncation;
