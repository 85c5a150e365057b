//! Export files read back from the disk and compared with the mirror.
//!
//! Comes in: a file, what its manifest line says of it, changes of the mirror. Goes out: its size and digest, its rows, and
//! which columns of a row say something else than the mirror.
//!
//! Shares nothing with the writing but the columns' names, so that a mistake there shows here.
//!
//! Never: judge whether a row should stand there; that is for `verify` and `provenance`.

mod compare;
mod portable;
mod source;

pub(super) use compare::{compare, head_differences};
pub(super) use source::{Source, is_as_announced, is_whole, open_rows, read_rows};
