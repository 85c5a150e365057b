//! The objects below a prefix: small ones as a whole, and whether there is one.

use super::connect;
use super::fault::{self, failed};
use super::wait::wait;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use std::io;
use std::sync::Arc;

/// A prefix in a bucket. Clones share their connections.
#[derive(Clone)]
pub(in crate::export::destination) struct Bucket {
    /// Its address, for messages.
    pub(super) address: String,
    /// What stands before each name in the bucket; empty, or ends with `/`.
    pub(super) prefix: String,
    /// Or why there is none.
    pub(super) store: Result<Arc<dyn ObjectStore>, String>,
}

/// An object as it was read.
pub(super) struct Found {
    pub(super) content: Bytes,
    version: UpdateVersion,
}

impl Bucket {
    /// The prefix with that address, and the folder below it. Sends nothing yet.
    pub(in crate::export::destination) fn connect(address: &str, below: Option<&str>) -> Bucket {
        let (_, path) = address.split_once("://").unwrap_or_default();
        let prefix = path.split_once('/').map(|(_, prefix)| prefix);
        let prefix: String = prefix.into_iter().chain(below).map(|part| format!("{part}/")).collect();
        let address = [address].into_iter().chain(below).collect::<Vec<_>>().join("/");
        let store = connect::store(&address).map_err(|error| error.to_string());
        Bucket { address, prefix, store }
    }

    pub(super) fn store(&self) -> io::Result<Arc<dyn ObjectStore>> {
        self.store.clone().map_err(|why| fault::unusable(&why))
    }

    pub(super) fn path(&self, name: &str) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    /// Reads a small object as a whole.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Found>> {
        let (store, path) = (self.store()?, self.path(name));
        let read = wait(async move {
            let found = store.get(&path).await?;
            let version =
                UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            Ok(Found { content: found.bytes().await?, version })
        })?;
        match read {
            Err(Error::NotFound { .. }) => Ok(None),
            read => read.map(Some).map_err(failed),
        }
    }

    /// Writes a small object in the place of what was found there. Returns whether that was still there.
    pub(super) fn replace(&self, name: &str, found: Option<Found>, content: Bytes) -> io::Result<bool> {
        let (store, path) = (self.store()?, self.path(name));
        let mode = found.map_or(PutMode::Create, |found| PutMode::Update(found.version));
        let (options, payload) = (PutOptions::from(mode), content.clone().into());
        match wait(async move { store.put_opts(&path, payload, options).await })? {
            Ok(_) => Ok(true),
            // Where an answer was lost and the request sent again, it is our own content that stands in its way.
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => {
                Ok(self.read(name)?.is_some_and(|now| now.content == content))
            }
            Err(error) => Err(failed(error)),
        }
    }

    pub(super) fn head(&self, name: &str) -> io::Result<Option<u64>> {
        let (store, path) = (self.store()?, self.path(name));
        match wait(async move { store.head(&path).await })? {
            Err(Error::NotFound { .. }) => Ok(None),
            found => found.map(|found| Some(found.size)).map_err(failed),
        }
    }
}
