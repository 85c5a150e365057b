//! Where an export folder is: a folder of this machine, or a prefix in the bucket of an object store. Pure.

use serde::{Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// The object stores, by the beginnings of their addresses.
const STORES: [&str; 3] = ["s3://", "gs://", "az://"];

/// Where an export folder is. It is shown as the path or the address that it is, and that is what JSON has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of a local file system; a relative path begins at the current directory.
    Folder(PathBuf),
    /// An address such as `s3://bucket/prefix`, without a slash at its end.
    #[cfg(feature = "lake")]
    Store(String),
}

impl Location {
    /// Reads an absolute path, `file:///FOLDER`, or the address of an object store.
    ///
    /// # Errors
    /// Why it is none of these, or that other builds have object stores. The reason doesn't quote it: it may hold a secret.
    pub fn parse(text: &str) -> Result<Location, String> {
        let path = text.strip_prefix("file://").unwrap_or(text);
        if path.contains('\0') {
            Err("it holds a NUL byte".to_owned())
        } else if path.starts_with('/') {
            Ok(Location::Folder(path.into()))
        } else if let Some((bucket, prefix)) =
            STORES.iter().find_map(|store| text.strip_prefix(store)).map(split)
        {
            check(bucket, prefix)?;
            store(text)
        } else {
            Err("it is neither an absolute path nor such an address".to_owned())
        }
    }

    /// The folder of this machine, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Location::Folder(folder) => Some(folder),
            #[cfg(feature = "lake")]
            Location::Store(_) => None,
        }
    }

    /// Where a name in it is to be found, for messages.
    pub fn join(&self, name: &str) -> PathBuf {
        PathBuf::from(self.to_string()).join(name)
    }
}

/// A bucket, and the prefix in it.
fn split(address: &str) -> (&str, &str) {
    address.split_once('/').unwrap_or((address, ""))
}

fn check(bucket: &str, prefix: &str) -> Result<(), String> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let refused = if bucket.contains('@') || bucket.contains(':') {
        "it holds a user name, a password or a port: credentials and endpoints stand in the environment (AWS_*, GOOGLE_*, \
         AZURE_*)"
    } else if prefix.contains(['?', '#']) || bucket.contains(['?', '#']) {
        "it holds a query or a fragment: credentials and options stand in the environment (AWS_*, GOOGLE_*, AZURE_*)"
    } else if bucket.is_empty() {
        "it names no bucket"
    } else if !prefix.is_empty() && prefix.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "its prefix has an empty part, `.` or `..`"
    } else {
        return Ok(());
    };
    Err(refused.to_owned())
}

#[cfg(feature = "lake")]
fn store(address: &str) -> Result<Location, String> {
    Ok(Location::Store(address.trim_end_matches('/').to_owned()))
}

#[cfg(not(feature = "lake"))]
fn store(_address: &str) -> Result<Location, String> {
    Err("this build of the program exports to folders alone, not to object stores (cargo feature `lake`); the Debian package \
         has them"
        .to_owned())
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Folder(folder) => folder.display().fmt(f),
            #[cfg(feature = "lake")]
            Location::Store(address) => f.write_str(address),
        }
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Location::Folder(folder) => folder.serialize(serializer),
            #[cfg(feature = "lake")]
            Location::Store(address) => address.serialize(serializer),
        }
    }
}

impl<P: Into<PathBuf>> From<P> for Location {
    fn from(folder: P) -> Location {
        Location::Folder(folder.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_taken_in_every_build() {
        for (text, folder) in [("/a/b", "/a/b"), ("file:///a/b", "/a/b"), ("/a/s3://b", "/a/s3://b")] {
            assert_eq!(Location::parse(text), Ok(Location::Folder(folder.into())), "{text}");
        }
        for text in ["", "a/b", "file://a", "file:/a", "http://h/a", "S3://b/p", "/a\0b", "s3:/b"] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_with_credentials_or_without_a_bucket_are_refused() {
        for (text, why) in [
            ("s3://key:hushed@bucket/p", "a user name"),
            ("s3://key@bucket/p", "a user name"),
            ("az://container/p?sig=hushed", "a query"),
            ("gs://bucket?x", "a query"),
            ("s3://bucket/p#x", "a query"),
            ("s3://host:9000/p", "a port"),
            ("s3://", "no bucket"),
            ("s3:///p", "no bucket"),
            ("s3://bucket/a/../b", "`..`"),
            ("s3://bucket//a", "an empty part"),
        ] {
            let refused = Location::parse(text).unwrap_err();
            assert!(refused.contains(why) && !refused.contains("hushed"), "{text}: {refused}");
        }
    }

    #[test]
    fn object_stores_are_taken_where_the_build_has_them() {
        for (text, shown) in [
            ("s3://b/p/q/", "s3://b/p/q"),
            ("gs://b", "gs://b"),
            ("az://c/p", "az://c/p"),
            ("s3://b/", "s3://b"),
        ] {
            match Location::parse(text) {
                Ok(location) => {
                    assert_eq!((location.to_string(), location.folder()), (shown.to_owned(), None))
                }
                Err(why) => assert!(!cfg!(feature = "lake") && why.contains("`lake`"), "{text}: {why}"),
            }
        }
    }
}
