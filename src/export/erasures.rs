//! `erasures.ndjson`, beside the manifest: which rows of the exports were of persons who were erased since, for consumers who
//! have loaded them. A line for each change, in the order of the erasures:
//!
//! ```text
//! {"erasure":1,"erased_at":"2026-05-01T12:00:00.000Z","stream":"events","_seq":42,"id":"hmac:…"}
//! ```
//!
//! It stands in folders that were there when an erasure went through them, and each of them has the lines of all. It
//! names nobody, and is written as a whole: a consumer goes on behind the greatest `erasure` that it has taken over.

use super::destination::{Destination, NewFile};
use super::error::ExportError;
use super::layout::ERASURES;
use crate::mirror::{ErasedChange, Snapshot};
use std::io::{BufWriter, Write};

/// Writes what the mirror knows of erased changes. Durable on return.
pub(super) fn write(snapshot: &Snapshot<'_>, destination: &dyn Destination) -> Result<(), ExportError> {
    let place = destination.place(ERASURES);
    let failed = |error| ExportError::io("written", &place)(error);
    let mut file = BufWriter::new(NewFile::begin(destination, ERASURES)?);
    snapshot.each_erased_change(|change: ErasedChange<'_>| {
        serde_json::to_writer(&mut file, &change)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(failed)
    })?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.finish().map_err(failed)?.publish(None)?;
    destination.settle("").map_err(ExportError::io("synced", &place))
}
