//! Files of an export folder on the local disk.
//!
//! Comes in: a place and bytes. Goes out: a file that stands there complete, with its size and digest, or nothing.
//!
//! A file is written under a temporary name beside its place, synced while it grows, renamed, and its folder synced. What
//! is dropped before it has its name is removed.
//!
//! Never: leave a half-written file under its final name, or know what the bytes mean.

mod append;
mod atomic_file;
mod folder;
mod temporary_name;

pub use folder::ensure_folder;

pub(super) use append::append;
#[cfg(test)]
pub(super) use atomic_file::to;
pub(super) use atomic_file::{
    CompleteFile, FileContent, FinishedContent, TemporaryFile, UnannouncedFiles, abandoned, finish_content,
    hex,
};
#[cfg(test)]
pub(super) use folder::names;
pub(super) use folder::{each_name, remove, sync_folder};
pub(super) use temporary_name::temporary_of;
