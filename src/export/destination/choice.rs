//! Which destination an export folder is.

use super::Destination;
use super::local_folder::LocalFolder;
use crate::export::layout::{Kind, root};
use std::path::Path;
use std::sync::Arc;

/// The destination of a manifest of that kind and its files: where the names in the manifest are to be found.
pub(in crate::export) fn of(dir: &Path, kind: Kind) -> Arc<dyn Destination> {
    Arc::new(LocalFolder::new(&root(dir, kind)))
}
