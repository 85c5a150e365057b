//! stub until join
#![allow(missing_docs)]
use std::path::PathBuf;
#[derive(Debug, Clone)]
pub struct Settings {
    pub dir: PathBuf,
    pub formats: Vec<Format>,
    pub compression: Compression,
}
#[derive(Debug, Clone, Copy)]
pub enum Format {
    Csv,
    Ndjson,
}
impl Format {
    pub fn name(self) -> &'static str {
        "csv"
    }
}
#[derive(Debug, Clone, Copy)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ExportError;
#[derive(Debug, serde::Serialize)]
pub struct Exported {
    pub head_seq: i64,
    pub files: Vec<ManifestLine>,
}
#[derive(Debug, serde::Serialize)]
pub struct ManifestLine {
    pub path: String,
    pub rows: u64,
}
pub fn export(
    _: &mut crate::mirror::Mirror,
    _: &Settings,
    _: Option<crate::mirror::RunId>,
    _: jiff::Timestamp,
) -> Result<Exported, ExportError> {
    Ok(Exported { head_seq: 0, files: vec![] })
}
pub fn export_snapshot(
    _: &mut crate::mirror::Mirror,
    _: &Settings,
    _: jiff::Timestamp,
) -> Result<Exported, ExportError> {
    Ok(Exported { head_seq: 0, files: vec![] })
}
