//! The key file beside the mirror, and the tokens that it makes.

use crate::hex::hex;
use crate::key_file;
use crate::mirror::MirrorError;
use crate::paths::beside;
use crate::record::{digits, folded};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use std::path::{Path, PathBuf};

/// How the key file's name ends.
const KEY: &str = ".erasure-key";

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
        let key = key_file::read(&path).map_err(|reason| MirrorError::ErasureKey { path, reason })?;
        Ok(key.and_then(|key| Hmac::new_from_slice(&key).ok()).map(ErasureKey))
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
        key_file::create(&path).map_err(|reason| MirrorError::ErasureKey { path: path.clone(), reason })?;
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
