//! The manifest: one JSON object a line for each announced file, oldest first. Each line carries the digest of the
//! line before it, so that a lost or edited line shows.
//!
//! A manifest grows by a few lines with each export, for years. The mirror remembers how far it reached, so that an export
//! reads what stands behind that point, and adds its lines at the end: its cost doesn't grow with the years. Who needs all
//! lines reads them as a stream. At some 500 bytes a line, exports every quarter of an hour make 35,000 lines and 18 MB a
//! year for each stream and format that changes every time; `export.max_age` bounds it.
//!
//! Comes in: lines about complete files. Goes out: how far the manifest reaches, and what was lost of it.
//!
//! Never: name a file that isn't durable, or change a byte of a line that stays but for the digest of the line before it.

mod anchors;
mod announce;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod line;
mod lines;
mod open_manifest;
mod reached;
mod rewrite;
#[cfg(test)]
mod tests;

pub use line::ManifestLine;
pub use open_manifest::newest_files;

pub(super) use anchors::{Anchors, folder_name};
pub(super) use announce::StagedFile;
#[cfg(test)]
pub(super) use line::digest;
#[cfg(test)]
pub(super) use line::sample;
pub(super) use lines::Lines;
pub(super) use open_manifest::{Manifest, newest_change, numbered};
pub(super) use reached::{End, Front, Reached};
#[cfg(test)]
pub(super) use tests::all;
