//! A file on its way into a bucket: one part is in memory, the others are there under no name.

use super::fault::failed;
use super::objects::Bucket;
use super::wait::wait;
use crate::export::destination::{Staged, Upload, folder_of, written_by_others};
use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use std::io::{self, Write};
use std::sync::Arc;

/// The size of a part, but for the last one. Stores want 5 MiB at least, and take 10,000 parts: 78 GiB a file.
pub(super) const PART: usize = 8 * 1024 * 1024;

/// What a file is to be called, and where.
pub(super) struct Place {
    pub(super) bucket: Bucket,
    pub(super) name: String,
}

/// A file that is being written. One of the topmost folder is held in memory as a whole, so that it can take another one's
/// place on a condition, which completing parts can't.
pub(super) struct BucketUpload {
    store: Arc<dyn ObjectStore>,
    place: Place,
    part: Vec<u8>,
    parts: Parts,
}

/// The parts that are there.
#[derive(Default)]
struct Parts(Option<Box<dyn MultipartUpload>>);

impl Parts {
    fn put(&mut self, store: &Arc<dyn ObjectStore>, place: &Place, part: Vec<u8>) -> io::Result<()> {
        let parts = match &mut self.0 {
            Some(parts) => parts,
            none => {
                let (store, path) = (store.clone(), place.bucket.path(&place.name));
                let begun = wait(async move { store.put_multipart(&path).await })?;
                none.insert(begun.map_err(failed)?)
            }
        };
        let sent = parts.put_part(Bytes::from(part).into());
        wait(sent)?.map_err(failed)
    }
}

impl Drop for Parts {
    /// What can't be aborted is invisible, and left to the bucket's lifecycle rule.
    fn drop(&mut self) {
        if let Some(mut parts) = self.0.take() {
            let _ = wait(async move { parts.abort().await });
        }
    }
}

impl BucketUpload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, place: Place) -> BucketUpload {
        BucketUpload { store, place, part: Vec::new(), parts: Parts::default() }
    }

    fn is_whole_in_memory(&self) -> bool {
        folder_of(&self.place.name).is_empty()
    }
}

impl Write for BucketUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() == PART && !self.is_whole_in_memory() {
            let part = std::mem::replace(&mut self.part, Vec::with_capacity(PART));
            self.parts.put(&self.store, &self.place, part)?;
        }
        let room = if self.is_whole_in_memory() { bytes.len() } else { PART - self.part.len() };
        let taken = &bytes[..bytes.len().min(room)];
        self.part.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload for BucketUpload {
    /// A file of one part is still in memory then: it becomes durable when it gets its name.
    fn finish(mut self: Box<Self>) -> io::Result<Box<dyn Staged>> {
        if self.parts.0.is_some() {
            let part = std::mem::take(&mut self.part);
            self.parts.put(&self.store, &self.place, part)?;
        }
        Ok(Box::new(BucketStaged {
            store: self.store,
            place: self.place,
            whole: self.part,
            parts: self.parts,
        }))
    }
}

/// A complete file without a name.
struct BucketStaged {
    store: Arc<dyn ObjectStore>,
    place: Place,
    /// Empty where there are parts.
    whole: Vec<u8>,
    parts: Parts,
}

impl Staged for BucketStaged {
    fn publish(mut self: Box<Self>, expected: Option<u64>) -> io::Result<()> {
        let Place { bucket, name } = &self.place;
        if let Some(mut parts) = self.parts.0.take() {
            if expected.is_some() && bucket.head(name)? != expected {
                self.parts.0 = Some(parts);
                return Err(written_by_others());
            }
            let (parts, completed) = wait(async move {
                let completed = parts.complete().await;
                (parts, completed)
            })?;
            // What failed may be aborted still.
            self.parts.0 = completed.is_err().then_some(parts);
            return completed.map(drop).map_err(failed);
        }
        let whole = Bytes::from(std::mem::take(&mut self.whole));
        if let Some(expected) = expected {
            let found = bucket.read(name)?.filter(|found| found.content.len() as u64 == expected);
            let is_replaced = found.is_some() && bucket.replace(name, found, whole)?;
            return if is_replaced { Ok(()) } else { Err(written_by_others()) };
        }
        let (store, path) = (self.store.clone(), bucket.path(name));
        wait(async move { store.put(&path, whole.into()).await })?.map(drop).map_err(failed)
    }
}
