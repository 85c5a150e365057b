//! One line of a manifest.

use crate::export::formats::{Compression, Dialect, Format, LAYOUT, OLD_LAYOUT};
use crate::export::layout::{Covers, FileName, Kind};
use crate::hex::hex;
use crate::mirror::ExportFile;
use crate::record::Stream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A line of a manifest: a file that lies complete on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestLine {
    /// `customers` or `events`.
    pub stream: String,
    /// `csv`, `ndjson` or `parquet`.
    pub format: String,
    /// Relative to the manifest's folder.
    pub path: String,
    /// The first change number that the file covers. The files of a stream and format tile: each starts where the one
    /// before it ended.
    pub first_seq: i64,
    /// The last change number that the file covers; the last row may have a smaller one.
    pub last_seq: i64,
    /// Rows, without a header line.
    pub rows: u64,
    /// The file's size.
    pub bytes: u64,
    /// Of the file as it lies there (compressed, where it is), lower-case hex.
    pub sha256: String,
    /// In the order of the file.
    pub columns: Vec<String>,
    /// UTC, ISO 8601.
    pub created_at: String,
    /// The sync run that exported, `sync_runs.id`; null for an export by itself.
    pub run_id: Option<i64>,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    /// Whose changes these are: the mirror's `meta.mirror_id`.
    pub mirror_id: String,
    /// SHA-256 of the line before this one, without its line end, lower-case hex; null on the first line.
    pub previous: Option<String>,
    /// The profile by which its rows hide personal data (`profile` of the destination). Absent where they hide nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What the profile's rules and its key are known by: 16 hex digits. Absent where there is no profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_rules: Option<String>,
    /// When the erasure began after which the file was written again without the rows of the persons: UTC, ISO 8601, as
    /// `erasures.requested_at` in the mirror. Absent where nobody was erased from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<String>,
    /// How many files it stands for, where it was joined from several that exports wrote (`export compact`). Absent from files
    /// that an export wrote as they are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub joined: u64,
    /// When the file was written again because it was lost or damaged: UTC, ISO 8601, the same as `created_at`. The
    /// lines behind this one were tied to it anew. Absent from files that were written once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_at: Option<String>,
    /// Changes that are missing from a file that was written again: their content is gone from the mirror, since a
    /// newer change of the same record stands in a later file. Absent where it is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// How header and deletes are written. 2: CSV's header line is quoted; a delete has the record's keys, and in NDJSON
    /// all other members with null. Absent where it is 1, as in files of older versions: no quotes there, and of a delete
    /// the `id` alone.
    #[serde(default = "old_layout", skip_serializing_if = "is_old")]
    pub layout: u32,
    /// How many values were rewritten so that common readers take them (`export.exact = false`). Absent where every value
    /// stands there as the API gave it, whether or not a reader takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<u64>,
    /// Whether this CSV file begins with a byte order mark (`export.csv_bom`). Absent where it doesn't.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub csv_bom: bool,
    /// Whether text in this CSV file is guarded (`export.csv_formula_guard`): a `'` that a field of the API's begins with
    /// is to be taken away. Absent where it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub csv_formula_guard: bool,
    /// Whether the file holds the whole state as of `last_seq`, not the changes of a range.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn old_layout() -> u32 {
    OLD_LAYOUT
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_old(layout: &u32) -> bool {
    *layout == OLD_LAYOUT
}

impl ManifestLine {
    /// Its stream and format; `None` where this program doesn't know one of them.
    pub(in crate::export) fn key(&self) -> Option<(Stream, Format)> {
        Stream::from_name(&self.stream).zip(Format::from_name(&self.format))
    }

    /// The profile by which its rows are hidden, and what its rules are known by; `None`: nothing is hidden.
    pub(in crate::export) fn shown_by(&self) -> Option<(String, String)> {
        self.profile.clone().zip(self.profile_rules.clone())
    }

    /// How the line says that the rows of its file are written.
    pub(in crate::export) fn dialect(&self) -> Dialect {
        Dialect {
            old_layout: self.layout < LAYOUT,
            exact: self.rewritten.is_none(),
            bom: self.csv_bom,
            guarded: self.csv_formula_guard,
        }
    }

    /// The name that a line's file has to have; what is wrong with the line, where it can be none of this program's.
    pub(in crate::export) fn file_name(&self, kind: Kind) -> Result<FileName, String> {
        let stream = Stream::from_name(&self.stream).ok_or("it names no stream")?;
        let format = Format::from_name(&self.format).ok_or("it names no format of this build")?;
        let compression = Compression::from_name(&self.compression).ok_or("it names no compression")?;
        if self.snapshot != (kind == Kind::Snapshots) {
            return Err(
                "it belongs into the other manifest: a snapshot among changes, or the reverse".to_owned()
            );
        }
        let covers = match kind {
            Kind::Changes => Covers::Changes { first_seq: self.first_seq, last_seq: self.last_seq },
            Kind::Snapshots => Covers::State { head_seq: self.last_seq },
        };
        if !format.takes(compression) {
            return Err(format!("files of {} are not compressed as a whole", format.name()));
        }
        let name = FileName { stream, covers, format, compression };
        if self.path != name.path() {
            return Err(format!("its path is not the one that its range has: {}", name.path()));
        }
        if self.layout > LAYOUT {
            return Err(format!(
                "its file has layout {}, which only a newer version of this program knows",
                self.layout
            ));
        }
        if self.columns != format.columns(stream) {
            return Err("it names other columns than its stream and format have".to_owned());
        }
        Ok(name)
    }

    /// What the mirror remembers of the line where it is the newest of its stream and format.
    pub(in crate::export) fn to_export_file(&self) -> ExportFile {
        ExportFile {
            stream: self.stream.clone(),
            format: self.format.clone(),
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            path: self.path.clone(),
            rows: self.rows,
            bytes: self.bytes,
            sha256: self.sha256.clone(),
            created_at: self.created_at.clone(),
            left_out: self.left_out,
        }
    }
}

pub(in crate::export) fn parse_line(line: &[u8]) -> Result<ManifestLine, String> {
    let line: ManifestLine = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let range_is_good = line.first_seq >= 1 && (line.snapshot || line.last_seq >= line.first_seq);
    if range_is_good {
        Ok(line)
    } else {
        Err(format!("no file covers the changes {} to {}", line.first_seq, line.last_seq))
    }
}

/// The digest of a line, given without its end.
pub(in crate::export) fn digest(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}

/// The digest of a line that is given with its end, or without where that is missing.
pub(super) fn digest_of_ended(line: &[u8]) -> String {
    digest(line.strip_suffix(b"\n").unwrap_or(line))
}

#[cfg(test)]
pub(in crate::export) fn sample(stream: &str, format: &str, first_seq: i64, last_seq: i64) -> ManifestLine {
    ManifestLine {
        stream: stream.to_owned(),
        format: format.to_owned(),
        path: format!("{stream}/{stream}-{first_seq:012}-{last_seq:012}.{format}"),
        first_seq,
        last_seq,
        rows: 1,
        bytes: 2,
        sha256: "00".to_owned(),
        columns: vec!["_seq".to_owned()],
        created_at: "2024-05-01T12:00:00.000Z".to_owned(),
        run_id: None,
        compression: "none".to_owned(),
        mirror_id: "m".to_owned(),
        previous: None,
        profile: None,
        profile_rules: None,
        erased_at: None,
        joined: 0,
        repaired_at: None,
        left_out: 0,
        layout: OLD_LAYOUT,
        rewritten: None,
        csv_bom: false,
        csv_formula_guard: false,
        snapshot: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_can_be_none_of_ours_names_no_file() {
        let good = ManifestLine {
            columns: Format::Csv.columns(Stream::Customers),
            ..sample("customers", "csv", 1, 5)
        };
        assert_eq!(good.file_name(Kind::Changes).unwrap().path(), good.path);
        assert!(good.file_name(Kind::Snapshots).is_err());
        for bad in [
            ManifestLine { stream: "orders".into(), ..good.clone() },
            ManifestLine { format: "tsv".into(), ..good.clone() },
            ManifestLine { compression: "gz".into(), ..good.clone() },
            ManifestLine { compression: "gzip".into(), ..good.clone() },
            ManifestLine { path: "../../etc/passwd".into(), ..good.clone() },
            ManifestLine { last_seq: 6, ..good.clone() },
            ManifestLine { columns: vec!["id".into()], ..good.clone() },
            ManifestLine { snapshot: true, ..good.clone() },
            ManifestLine { layout: LAYOUT + 1, ..good.clone() },
        ] {
            assert!(bad.file_name(Kind::Changes).is_err(), "{bad:?}");
        }
    }
}
