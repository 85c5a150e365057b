//! A prefix in the bucket of an object store: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.
//!
//! An object appears whole or not at all, so that no temporary names are needed. A file that is larger than one part goes up
//! as a multipart upload, one part in memory at a time; it is invisible until it is completed, which gives it its name.
//! Given up, it is aborted; what a killed process leaves of it is invisible, and is for a lifecycle rule of the bucket to
//! remove.
//!
//! Objects can't be appended to. An addition to the manifest replaces it as a whole, on the condition that it is still what
//! was read (`If-Match`, `If-None-Match`): it costs one read and one write of the manifest, and its size in memory, twice.
//! So do the other files of the topmost folder, which are small.
//!
//! Requests are sent again after a fault, a few times (`connect`); what fails then is named with what to do (`fault`).

mod connect;
mod fault;
mod objects;
mod reader;
#[cfg(test)]
mod tests;
mod upload;
mod wait;

use super::{AppendFailed, Destination, StoredFile, Upload, written_by_others};
use bytes::Bytes;
use fault::failed;
use futures_util::StreamExt;
use object_store::{Error, ObjectStore, ObjectStoreExt};
pub(super) use objects::Bucket;
use reader::Reader;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use upload::{BucketUpload, Place};
use wait::wait;

pub(in crate::export) use fault::StoreFault;

/// How many names are asked for at a time.
const PAGE: usize = 1000;

/// How often a small file is changed again that somebody else has changed meanwhile.
const UPDATES: usize = 1000;

impl Destination for Bucket {
    fn place(&self, name: &str) -> PathBuf {
        let place = PathBuf::from(&self.address);
        if name.is_empty() { place } else { place.join(name) }
    }

    fn put(&self, name: &str) -> io::Result<Box<dyn Upload>> {
        let place = Place { bucket: self.clone(), name: name.to_owned() };
        Ok(Box::new(BucketUpload::new(self.store()?, place)))
    }

    fn append(&self, name: &str, found: u64, at: u64, bytes: &[u8]) -> Result<(), AppendFailed> {
        let failed = |is_undone| move |error| AppendFailed { error, is_undone };
        let there = self.read(name).map_err(failed(true))?;
        if there.as_ref().map_or(0, |there| there.content.len() as u64) != found || at > found {
            return Err(failed(false)(written_by_others()));
        }
        let kept = there.as_ref().and_then(|there| there.content.get(..usize::try_from(at).ok()?));
        let content = [kept.unwrap_or_default(), bytes].concat();
        match self.replace(name, there, content.into()).map_err(failed(false))? {
            true => Ok(()),
            false => Err(failed(false)(written_by_others())),
        }
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        Ok(Box::new(Reader::open(self.store()?, self.path(name))?))
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        self.head(name)
    }

    /// Lists what begins with the folder's name, never the whole bucket.
    fn each_name(&self, folder: &str, each: &mut dyn FnMut(String)) -> io::Result<()> {
        let (store, folder) = (self.store()?, self.path(folder));
        if folder == self.path("") {
            // Other folders lie below this one; few files beside them.
            let listed = wait(async move {
                let prefix = Some(&folder).filter(|folder| !folder.as_ref().is_empty());
                store.list_with_delimiter(prefix).await
            })?;
            let names = listed.map_err(failed)?.objects.into_iter();
            names.filter_map(|object| object.location.filename().map(str::to_owned)).for_each(each);
            return Ok(());
        }
        let mut objects = store.list(Some(&folder)).chunks(PAGE);
        loop {
            let (page, rest) = wait(async move { (objects.next().await, objects) })?;
            let Some(page) = page else { return Ok(()) };
            objects = rest;
            for object in page {
                let object = object.map_err(failed)?;
                let mut below = object.location.prefix_match(&folder).into_iter().flatten();
                if let (Some(name), None) = (below.next(), below.next()) {
                    each(name.as_ref().to_owned());
                }
            }
        }
    }

    fn remove(&self, name: &str) -> io::Result<bool> {
        // A store says of what is absent that it was removed.
        if self.head(name)?.is_none() {
            return Ok(false);
        }
        let (store, path) = (self.store()?, self.path(name));
        match wait(async move { store.delete(&path).await })? {
            Err(Error::NotFound { .. }) => Ok(false),
            removed => removed.map(|()| true).map_err(failed),
        }
    }

    fn keep_aside(&self, name: &str, aside: &str) -> io::Result<bool> {
        if self.head(aside)?.is_some() {
            return Ok(true);
        }
        let (store, from, to) = (self.store()?, self.path(name), self.path(aside));
        match wait(async move { store.copy_if_not_exists(&from, &to).await })? {
            Ok(()) | Err(Error::AlreadyExists { .. }) => self.remove(name).map(|_| true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// What a store has answered for is durable.
    fn settle(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, name: &str, content: &[u8]) -> io::Result<bool> {
        self.replace(name, None, Bytes::copy_from_slice(content))
    }

    /// Where another one was faster, begins anew with what that one wrote.
    fn update(
        &self,
        name: &str,
        change: &mut dyn FnMut(Option<Vec<u8>>) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        for _ in 0..UPDATES {
            let found = self.read(name)?;
            let changed = change(found.as_ref().map(|found| found.content.to_vec()))?;
            if self.replace(name, found, changed.into())? {
                return Ok(());
            }
        }
        Err(io::Error::new(ErrorKind::TimedOut, written_by_others()))
    }
}
