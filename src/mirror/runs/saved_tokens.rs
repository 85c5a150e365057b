//! Page tokens of parents' lists, remembered from one walk to the next.

use crate::mirror::MirrorError;
use crate::mirror::transaction::Batch;
use crate::record::Stream;
use rusqlite::params;

/// The request for a page in the middle of a parents' list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedToken {
    /// So many pages stood before it.
    pub page: u64,
    /// The request, in the API client's own form.
    pub cursor: String,
    /// A hash of the record that stood last before it.
    pub last_record: u64,
}

impl Batch<'_> {
    /// What a walk at this API has left, in the order of the list.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn saved_tokens(&self, stream: Stream, base_url: &str) -> Result<Vec<SavedToken>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT page, cursor, last_record FROM list_marks WHERE stream = ?1 AND base_url = ?2 ORDER BY page",
        )?;
        let tokens = select.query_map([stream.name(), base_url], |row| {
            Ok(SavedToken {
                page: row.get::<_, i64>(0)? as u64,
                cursor: row.get(1)?,
                last_record: row.get::<_, i64>(2)? as u64,
            })
        })?;
        Ok(tokens.collect::<rusqlite::Result<_>>()?)
    }

    /// Keeps these in place of all others of the list. Nothing is written where they are the same.
    ///
    /// # Errors
    /// When the mirror can't be read or written.
    pub fn replace_saved_tokens(
        &mut self,
        stream: Stream,
        base_url: &str,
        tokens: &[SavedToken],
    ) -> Result<(), MirrorError> {
        let kept: i64 = self
            .transaction
            .prepare_cached("SELECT count(*) FROM list_marks WHERE stream = ?1")?
            .query_row([stream.name()], |row| row.get(0))?;
        if kept as usize == tokens.len() && self.saved_tokens(stream, base_url)? == tokens {
            return Ok(());
        }
        self.transaction
            .prepare_cached("DELETE FROM list_marks WHERE stream = ?1")?
            .execute([stream.name()])?;
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO list_marks (stream, page, cursor, last_record, base_url) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for token in tokens {
            let (page, last_record) = (token.page as i64, token.last_record as i64);
            insert.execute(params![stream.name(), page, token.cursor, last_record, base_url])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::Mirror;

    #[test]
    fn a_set_replaces_the_one_before_it_whatever_the_api() {
        let folder = tempfile::tempdir().unwrap();
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let token = |page, hash| SavedToken { page, cursor: format!("\"{page}\""), last_record: hash };
        let one = [token(1, u64::MAX), token(8, 0)];
        let mut batch = mirror.batch().unwrap();
        batch.replace_saved_tokens(Stream::Customers, "here", &one).unwrap();
        assert_eq!(batch.saved_tokens(Stream::Customers, "here").unwrap(), one);
        assert_eq!(batch.saved_tokens(Stream::Customers, "there").unwrap(), []);
        batch.replace_saved_tokens(Stream::Customers, "there", &one[..1]).unwrap();
        assert_eq!(batch.saved_tokens(Stream::Customers, "here").unwrap(), []);
        assert_eq!(batch.saved_tokens(Stream::Customers, "there").unwrap(), one[..1]);
        batch.commit().unwrap();
    }

    #[test]
    fn the_same_set_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        let mut mirror = Mirror::open(&path).unwrap();
        let tokens = [SavedToken { page: 1, cursor: "c".to_owned(), last_record: 7 }];
        let watching = Mirror::open(&path).unwrap();
        let mut versions = Vec::new();
        for _ in 0..2 {
            let mut batch = mirror.batch().unwrap();
            batch.replace_saved_tokens(Stream::Customers, "here", &tokens).unwrap();
            batch.commit().unwrap();
            versions.push(watching.data_version().unwrap());
        }
        assert_eq!(versions[0], versions[1]);
        let mut batch = mirror.batch().unwrap();
        batch.replace_saved_tokens(Stream::Customers, "here", &[]).unwrap();
        batch.commit().unwrap();
        assert_ne!(watching.data_version().unwrap(), versions[1]);
    }
}
