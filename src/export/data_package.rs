//! `datapackage.json`, beside each manifest: what the columns of the files mean, for programs that read data
//! packages.
//!
//! It says the same as `malomo-mirror describe --as datapackage`, names no file but the manifest, and so changes
//! only with this program. It is no part of what was exported: nothing reads it, and one that is lost or damaged
//! is written again by the next export that has something to announce.

use super::destination::{Destination, NewFile, read_whole};
use super::error::ExportError;
use super::layout::DATA_PACKAGE;
use crate::dictionary::printers::data_package;
use std::io::Write;

/// Puts it there, unless it is there already. Durable on return.
pub(super) fn keep_current(destination: &dyn Destination) -> Result<(), ExportError> {
    let (content, place) = (data_package(), destination.place(DATA_PACKAGE));
    let found = read_whole(destination, DATA_PACKAGE).map_err(ExportError::io("read", &place))?;
    if found.as_deref() == Some(content.as_bytes()) {
        return Ok(());
    }
    let mut file = NewFile::begin(destination, DATA_PACKAGE)?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.finish());
    written.map_err(ExportError::io("written", &place))?.publish(None)?;
    destination.settle("").map_err(ExportError::io("synced", &place))
}
