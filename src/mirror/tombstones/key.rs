//! The key file beside the mirror, and the tokens that it makes.

use crate::hex::hex;
use crate::mirror::MirrorError;
use crate::mirror::database::{beside, folder_of};
use crate::ownership::adopt;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How the key file's name ends.
const KEY: &str = ".erasure-key";

/// How many bytes the key has; it stands in the file as hex.
const KEY_BYTES: usize = 32;

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identifier {
    /// A customer's id.
    Id,
    /// A customer's e-mail address, folded.
    Email,
    /// A customer's telephone number, its digits.
    PhoneNumber,
    /// An event's id.
    Event,
}

impl Identifier {
    /// Its name in the mirror and in receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Identifier::Id => "id",
            Identifier::Email => "email",
            Identifier::PhoneNumber => "phone_number",
            Identifier::Event => "event",
        }
    }
}

/// What stands in the place of an identifier: 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl Token {
    /// As it stands in the change log and in exports, where an id would stand.
    pub fn in_place_of_id(&self) -> String {
        format!("hmac:{}", self.0)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key under which tokens are made. Neither printed nor logged.
#[derive(Clone)]
pub struct ErasureKey(Hmac<Sha256>);

impl fmt::Debug for ErasureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasureKey")
    }
}

impl ErasureKey {
    /// Where the key of the mirror at `mirror` stands.
    pub fn path(mirror: &Path) -> PathBuf {
        beside(mirror, KEY)
    }

    /// Reads the mirror's key; `None` where there is none.
    ///
    /// # Errors
    /// When the file can't be read, or doesn't hold a key.
    pub fn read(mirror: &Path) -> Result<Option<ErasureKey>, MirrorError> {
        let path = ErasureKey::path(mirror);
        let mut text = String::new();
        let read = File::open(&path).and_then(|mut file| file.read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(MirrorError::ErasureKey { path, source }),
        }
        let key = bytes(text.trim());
        let key = key.and_then(|key| Hmac::new_from_slice(&key).ok()).ok_or_else(|| {
            let what = format!("it doesn't hold {} hex digits; put it back from a backup", 2 * KEY_BYTES);
            MirrorError::ErasureKey { path, source: io::Error::new(ErrorKind::InvalidData, what) }
        })?;
        Ok(Some(ErasureKey(key)))
    }

    /// The mirror's key; made if there is none, and durable on return. Only its owner can read the file.
    ///
    /// # Errors
    /// When the file can't be read or written, or doesn't hold a key.
    pub fn read_or_create(mirror: &Path) -> Result<ErasureKey, MirrorError> {
        if let Some(key) = ErasureKey::read(mirror)? {
            return Ok(key);
        }
        let path = ErasureKey::path(mirror);
        create(&path).map_err(|source| MirrorError::ErasureKey { path: path.clone(), source })?;
        ErasureKey::read(mirror)?.ok_or(MirrorError::ErasureKeyLost { path })
    }

    /// The token of an identifier. E-mail addresses are folded and of telephone numbers the digits count, so that
    /// another way to write them gives the same token.
    pub fn token(&self, identifier: Identifier, value: &str) -> Token {
        let value = match identifier {
            Identifier::Email => folded(value),
            Identifier::PhoneNumber => digits(value),
            Identifier::Id | Identifier::Event => value.to_owned(),
        };
        let mut mac = self.0.clone();
        mac.update(identifier.name().as_bytes());
        mac.update(b":");
        mac.update(value.as_bytes());
        Token(hex(&mac.finalize().into_bytes()))
    }
}

impl ErasureKey {
    /// Signs a text.
    pub fn sign(&self, text: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(b"receipt:");
        mac.update(text);
        hex(&mac.finalize().into_bytes())
    }
}

/// An e-mail address without what makes no difference: outer space and capitals.
pub fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The digits of a telephone number; the number as it stands where it has none.
pub fn digits(phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() { phone.trim().to_owned() } else { digits }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 2 * KEY_BYTES || !hex.is_ascii() {
        return None;
    }
    (0..KEY_BYTES).map(|n| u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok()).collect()
}

/// Writes a new key beside its place, and gives it its name once it is durable.
fn create(path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    let temporary = path.with_extension("erasure-key-new");
    let mut random = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    adopt(&file, folder)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = folder.path().join("mirror.db");
        assert!(ErasureKey::read(&mirror).unwrap().is_none());
        let token = ErasureKey::read_or_create(&mirror).unwrap().token(Identifier::Id, "a");
        assert_eq!(ErasureKey::read_or_create(&mirror).unwrap().token(Identifier::Id, "a"), token);
        let mode = std::fs::metadata(ErasureKey::path(&mirror)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(token.0.len(), 64);
        std::fs::write(ErasureKey::path(&mirror), "abc").unwrap();
        assert!(matches!(ErasureKey::read(&mirror), Err(MirrorError::ErasureKey { .. })));
    }

    #[test]
    fn how_an_address_is_written_makes_no_difference() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = folder.path().join("mirror.db");
        let key = ErasureKey::read_or_create(&mirror).unwrap();
        let same = |identifier, a, b| key.token(identifier, a) == key.token(identifier, b);
        assert!(same(Identifier::Email, "Jane@Example.com", " jane@example.COM "));
        assert!(same(Identifier::PhoneNumber, "+1 (555) 010-7788", "15550107788"));
        assert!(!same(Identifier::Id, "A", "a"));
        assert_ne!(key.token(Identifier::Id, "a"), key.token(Identifier::Event, "a"));
    }
}
