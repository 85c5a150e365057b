//! Which destination an export folder is.

use super::Destination;
#[cfg(feature = "lake")]
use super::bucket::Bucket;
use super::local_folder::LocalFolder;
use crate::export::layout::{self, Kind};
use crate::export::location::Location;
use std::sync::Arc;

/// The destination of a manifest of that kind and its files: where the names in the manifest are to be found. Nothing is
/// opened or asked yet.
pub(in crate::export) fn of(dir: &Location, kind: Kind) -> Arc<dyn Destination> {
    let below = layout::folder(kind);
    match dir {
        Location::Folder(folder) => {
            Arc::new(LocalFolder::new(&below.map_or_else(|| folder.clone(), |below| folder.join(below))))
        }
        #[cfg(feature = "lake")]
        Location::Store(address) => Arc::new(Bucket::connect(address, below)),
    }
}
