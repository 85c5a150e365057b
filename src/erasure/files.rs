//! Where receipts lie, each as JSON and as a page: `MIRROR.receipts/erasure-NUMBER.json` and `.html`.

use super::error::ErasureError;
use super::page::page;
use super::receipt::Receipt;
use crate::hex::hex;
use crate::mirror::ErasureKey;
use crate::ownership::adopt;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The folder of a mirror's receipts.
fn folder(mirror: &Path) -> PathBuf {
    let mut name = mirror.as_os_str().to_owned();
    name.push(".receipts");
    PathBuf::from(name)
}

/// The place of a receipt.
fn place(mirror: &Path, erasure: i64) -> PathBuf {
    folder(mirror).join(format!("erasure-{erasure:06}.json"))
}

impl Receipt {
    /// The receipt of that number; `None` where there is none, or it can't be used.
    pub(super) fn earlier(mirror: &Path, erasure: i64, key: &ErasureKey) -> Option<Receipt> {
        Receipt::read(&place(mirror, erasure), key).ok()
    }

    /// Ties it to the receipt before it, signs it, and writes it, with its page, in the place of an earlier one of
    /// the same number. Durable on return. Returns where it is.
    pub(super) fn write(&mut self, mirror: &Path, key: &ErasureKey) -> Result<PathBuf, ErasureError> {
        let (folder, path) = (folder(mirror), place(mirror, self.erasure));
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(&folder);
        made.map_err(ErasureError::io("created", &folder))?;
        let beside = mirror.parent().unwrap_or(Path::new("."));
        let adopted = File::open(&folder).and_then(|opened| adopt(&opened, beside));
        adopted.map_err(ErasureError::io("created", &folder))?;
        self.previous = match std::fs::read(place(mirror, self.erasure - 1)) {
            Ok(text) => Some(hex(&Sha256::digest(text))),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(ErasureError::io("read", &place(mirror, self.erasure - 1))(error)),
        };
        self.signature = self.signed(key)?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| ErasureError::io("written", &path)(error.into()))?;
        replace(&path, &(text + "\n"))?;
        replace(&path.with_extension("html"), &page(self))?;
        File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .map_err(ErasureError::io("synced", &folder))?;
        Ok(path)
    }
}

/// Puts a text in a file's place, durably; a killed process leaves the old file or the new one.
fn replace(path: &Path, text: &str) -> Result<(), ErasureError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
        adopt(&file, path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(ErasureError::io("written", path))
}
