//! The set of those who must not come back.

use super::key::{ErasureKey, Identifier, Token};
use crate::mirror::MirrorError;
use rusqlite::Connection;
use std::collections::HashSet;
use std::path::Path;

/// The tombstones of a mirror, and the key that tells whose they are.
pub(crate) struct Tombstones {
    key: ErasureKey,
    tokens: HashSet<(Identifier, Token)>,
}

/// What a tombstone may stand for.
pub(in crate::mirror) const KINDS: [Identifier; 3] =
    [Identifier::Id, Identifier::Email, Identifier::PhoneNumber];

impl Tombstones {
    /// Reads them; `None` where there are none. A mirror whose key is lost is refused: it would take everybody in
    /// again.
    pub(in crate::mirror) fn read(
        connection: &Connection,
        path: &Path,
    ) -> Result<Option<Tombstones>, MirrorError> {
        let mut select = connection.prepare("SELECT kind, token FROM tombstones")?;
        let read = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let mut tokens = HashSet::new();
        for row in read {
            let (kind, token) = row?;
            let kind = KINDS.into_iter().find(|one| one.name() == kind);
            let kind = kind.ok_or_else(|| MirrorError::unreadable("a tombstone's kind"))?;
            tokens.insert((kind, Token(token)));
        }
        if tokens.is_empty() {
            return Ok(None);
        }
        match ErasureKey::read(path)? {
            Some(key) => Ok(Some(Tombstones { key, tokens })),
            None => Err(MirrorError::ErasureKeyLost { path: ErasureKey::path(path) }),
        }
    }

    /// The tombstone of this identifier.
    pub(in crate::mirror) fn of(&self, identifier: Identifier, value: &str) -> Option<(Identifier, Token)> {
        let found = (identifier, self.key.token(identifier, value));
        self.tokens.contains(&found).then_some(found)
    }
}
