//! Key files: 32 random bytes as hex, in a file that only its owner can read. Made once; a lost one can't be made again.

use crate::ownership::adopt;
use crate::paths::{beside, folder_of};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How many bytes a key has.
const KEY_BYTES: usize = 32;

/// The key that a file holds; `None` where there is no file.
///
/// # Errors
/// When the file can't be read, or doesn't hold a key.
pub(crate) fn read(path: &Path) -> io::Result<Option<[u8; KEY_BYTES]>> {
    let mut text = String::new();
    match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let key = bytes(text.trim()).ok_or_else(|| {
        let what = format!("it doesn't hold {} hex digits; put it back from a backup", 2 * KEY_BYTES);
        io::Error::new(ErrorKind::InvalidData, what)
    });
    key.map(Some)
}

/// Makes a key, which is durable on return. The file belongs to whom its folder belongs to, and nobody else can read it.
///
/// # Errors
/// When the file can't be written.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    let (folder, temporary) = (folder_of(path), beside(path, "-new"));
    let mut random = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    adopt(&file, folder)?;
    writeln!(file, "{}", crate::hex::hex(&random))?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

fn bytes(hex: &str) -> Option<[u8; KEY_BYTES]> {
    if hex.len() != 2 * KEY_BYTES || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; KEY_BYTES];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(bytes)
}
