//! An object that is being read, a piece at a time.

use super::fault::failed;
use super::wait::wait;
use crate::export::destination::written_by_others;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// How much is read at a time.
const PIECE: u64 = 4 * 1024 * 1024;

/// An object of the size and version that it had when it was opened. One that fits into a piece is read at once; of a larger
/// one that somebody replaces meanwhile, the next piece is an error.
pub(super) struct Reader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    e_tag: Option<String>,
    /// Where the next read begins.
    at: u64,
    /// A piece, and where it begins.
    piece: Bytes,
    from: u64,
}

impl Reader {
    pub(super) fn open(store: Arc<dyn ObjectStore>, path: Path) -> io::Result<Reader> {
        let (client, object) = (store.clone(), path.clone());
        let opened = wait(async move {
            let found = client.get(&object).await?;
            let meta = found.meta.clone();
            let is_small = meta.size <= PIECE;
            Ok((meta, if is_small { found.bytes().await? } else { Bytes::new() }))
        })?;
        let (meta, piece) = opened.map_err(failed)?;
        Ok(Reader { store, path, size: meta.size, e_tag: meta.e_tag, at: 0, piece, from: 0 })
    }

    /// What is at hand of the bytes from `at` on.
    fn at_hand(&self) -> &[u8] {
        let begin = self.at.checked_sub(self.from).and_then(|begin| usize::try_from(begin).ok());
        begin.and_then(|begin| self.piece.get(begin..)).unwrap_or_default()
    }

    fn fetch(&mut self) -> io::Result<()> {
        let range = GetRange::Bounded(self.at..self.size.min(self.at + PIECE));
        let options = GetOptions::new().with_range(Some(range)).with_if_match(self.e_tag.clone());
        let (store, path) = (self.store.clone(), self.path.clone());
        let read = wait(async move { store.get_opts(&path, options).await?.bytes().await })?;
        self.piece = read.map_err(|error| match error {
            Error::NotFound { .. } => written_by_others(),
            error => failed(error),
        })?;
        self.from = self.at;
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        if self.at_hand().is_empty() {
            self.fetch()?;
        }
        let at_hand = self.at_hand();
        let count = at_hand.len().min(buffer.len());
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer[..count].copy_from_slice(&at_hand[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
