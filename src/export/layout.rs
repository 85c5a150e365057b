//! The layout of an export folder: which files stand where, and what they are called. Pure.
//!
//! ```text
//! DIR/manifest.ndjson
//! DIR/datapackage.json
//! DIR/acknowledged.json
//! DIR/erasures.ndjson
//! DIR/customers/customers-000000000001-000000000420.csv
//! DIR/events/events-000000000001-000000000420.csv
//! DIR/snapshots/manifest.ndjson
//! DIR/snapshots/datapackage.json
//! DIR/snapshots/customers/customers-000000000420.csv
//! ```

use crate::export::formats::{Compression, Format};
use crate::record::Stream;
use std::fmt;

/// The manifest's name in its folder.
pub(super) const MANIFEST: &str = "manifest.ndjson";

/// The name of the description of the files, beside the manifest.
pub(super) const DATA_PACKAGE: &str = "datapackage.json";

/// The name of the list of erased rows, in the export folder.
pub(super) const ERASURES: &str = "erasures.ndjson";

/// Where snapshots stand in the export folder.
pub(super) const FOLDER: &str = "snapshots";

/// Which of the two manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `manifest.ndjson`: the files with the changes.
    Changes,
    /// `snapshots/manifest.ndjson`.
    Snapshots,
}

impl Kind {
    /// The name under which the mirror remembers manifests of that kind.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::Changes => "changes",
            Kind::Snapshots => "snapshots",
        }
    }
}

/// The folder of the manifest of that kind below the export folder; paths in the manifest are relative to it.
pub(super) const fn folder(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Changes => None,
        Kind::Snapshots => Some(FOLDER),
    }
}

/// A path of a manifest, relative to the export folder.
pub(super) fn in_folder(kind: Kind, path: &str) -> String {
    match kind {
        Kind::Changes => path.to_owned(),
        Kind::Snapshots => format!("{FOLDER}/{path}"),
    }
}

/// Which changes a file covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Covers {
    /// The changes with these numbers, both included.
    Changes {
        /// The first.
        first_seq: i64,
        /// The last.
        last_seq: i64,
    },
    /// The whole state as of this change.
    State {
        /// The newest change.
        head_seq: i64,
    },
}

impl Covers {
    /// The first and the last change.
    pub(super) fn range(self) -> (i64, i64) {
        match self {
            Covers::Changes { first_seq, last_seq } => (first_seq, last_seq),
            Covers::State { head_seq } => (1, head_seq),
        }
    }
}

/// The name of an export file: `STREAM-FIRSTSEQ-LASTSEQ.EXT[.gz|.zst]`, of a snapshot `STREAM-HEADSEQ.EXT[.gz|.zst]`,
/// numbers padded to twelve digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileName {
    pub(super) stream: Stream,
    pub(super) covers: Covers,
    pub(super) format: Format,
    pub(super) compression: Compression,
}

impl FileName {
    /// The meaning of a name; `None` for every text but exactly those that [`FileName`] prints.
    pub(super) fn parse(name: &str) -> Option<FileName> {
        let (stem, extensions) = name.split_once('.')?;
        let (format, packed) = match extensions.split_once('.') {
            Some((format, packed)) => (format, format!(".{packed}")),
            None => (extensions, String::new()),
        };
        let mut parts = stem.split('-');
        let stream = Stream::from_name(parts.next()?)?;
        let first = parts.next()?.parse().ok()?;
        let covers = match parts.next() {
            Some(last) => Covers::Changes { first_seq: first, last_seq: last.parse().ok()? },
            None => Covers::State { head_seq: first },
        };
        let compression =
            Compression::ALL.into_iter().find(|compression| compression.extension() == packed)?;
        let format = Format::from_name(format).filter(|format| format.takes(compression))?;
        let parsed = FileName { stream, covers, format, compression };
        (parsed.to_string() == name).then_some(parsed)
    }

    /// The meaning of a path below the manifest's folder; `None` for every text but exactly those that
    /// [`FileName::path`] gives.
    pub(super) fn of_path(path: &str) -> Option<FileName> {
        let (folder, name) = path.split_once('/')?;
        FileName::parse(name).filter(|name| name.stream.name() == folder)
    }

    /// The path below the manifest's folder.
    pub(super) fn path(&self) -> String {
        format!("{}/{self}", self.stream)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.stream)?;
        match self.covers {
            Covers::Changes { first_seq, last_seq } => write!(f, "{first_seq:012}-{last_seq:012}")?,
            Covers::State { head_seq } => write!(f, "{head_seq:012}")?,
        }
        write!(f, ".{}{}", self.format.name(), self.compression.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_printed() {
        let changes = Covers::Changes { first_seq: 1, last_seq: 420 };
        for (stream, covers, format, compression, text) in [
            (
                Stream::Customers,
                changes,
                Format::Csv,
                Compression::None,
                "customers-000000000001-000000000420.csv",
            ),
            (
                Stream::Events,
                changes,
                Format::Ndjson,
                Compression::Zstd,
                "events-000000000001-000000000420.ndjson.zst",
            ),
            (
                Stream::Events,
                Covers::Changes { first_seq: 999_999_999_999, last_seq: 1_000_000_000_000 },
                Format::Csv,
                Compression::Gzip,
                "events-999999999999-1000000000000.csv.gz",
            ),
            (
                Stream::Events,
                Covers::State { head_seq: 0 },
                Format::Csv,
                Compression::None,
                "events-000000000000.csv",
            ),
        ] {
            let name = FileName { stream, covers, format, compression };
            assert_eq!(name.to_string(), text);
            assert_eq!(FileName::parse(text), Some(name));
            assert_eq!(FileName::of_path(&name.path()), Some(name));
            assert_eq!(FileName::of_path(&format!("orders/{text}")), None);
            assert_eq!(FileName::of_path(text), None);
        }
    }

    #[test]
    fn nothing_else_is_a_name() {
        for text in [
            "",
            "customers",
            "customers.csv",
            "customers-1-2.csv",
            "customers-000000000001-000000000002.CSV",
            "customers-000000000001-000000000002.csv.bak",
            "customers-000000000001-000000000002.csv.gz.zst",
            "customers-000000000001-000000000002.csv.",
            "customers-000000000001-000000000002-000000000003.csv",
            "customers-+00000000001-000000000002.csv",
            "customers-0000000000001-000000000002.csv",
            "orders-000000000001-000000000002.csv",
            "customers-000000000001-000000000002.json",
            "copy of customers-000000000001-000000000002.csv",
        ] {
            assert_eq!(FileName::parse(text), None, "{text}");
        }
    }
}
