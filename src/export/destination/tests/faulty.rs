//! A destination with scripted faults, and what has to hold through them.

use super::contract::{content, publish};
use crate::export::destination::{
    AppendFailed, Destination, NewFile, Staged, StoredFile, Upload, names, temporary_of,
};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) enum Fault {
    /// The file with this number, counted from 1, can't be begun.
    FailedPut(usize),
    /// The disk is full once so many bytes of files are written.
    FullAfter(usize),
    /// The file with this number gets its name, and the answer is lost.
    LostAnswer(usize),
    /// Half of an addition is written, then the connection is gone.
    HalfAppended,
    /// An addition is written, and the answer is lost.
    LostAppend,
    /// Nothing is added.
    FailedAppend,
}

impl Fault {
    /// Faults at all places of an export of that many files.
    pub(in crate::export) fn all(files: usize) -> Vec<Fault> {
        let of_files = (1..=files).flat_map(|n| [Fault::FailedPut(n), Fault::LostAnswer(n)]);
        let others = [0, 1, 300].map(Fault::FullAfter);
        let of_appends = [Fault::HalfAppended, Fault::LostAppend, Fault::FailedAppend];
        of_files.chain(others).chain(of_appends).collect()
    }
}

/// A destination at which that goes wrong.
pub(in crate::export) struct Faulty {
    inner: Arc<dyn Destination>,
    script: Arc<Script>,
}

struct Script {
    fault: Fault,
    puts: AtomicUsize,
    names: AtomicUsize,
    written: AtomicUsize,
}

impl Faulty {
    pub(in crate::export) fn new(inner: Arc<dyn Destination>, fault: Fault) -> Faulty {
        let (puts, names, written) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Faulty { inner, script: Arc::new(Script { fault, puts, names, written }) }
    }
}

fn lost() -> io::Error {
    io::Error::new(ErrorKind::ConnectionReset, "the connection is gone")
}

/// Counts; the number is the one after that.
fn count(counter: &AtomicUsize, more: usize) -> usize {
    counter.fetch_add(more, Ordering::SeqCst) + more
}

impl Destination for Faulty {
    fn place(&self, name: &str) -> PathBuf {
        self.inner.place(name)
    }

    fn put(&self, name: &str) -> io::Result<Box<dyn Upload>> {
        if self.script.fault == Fault::FailedPut(count(&self.script.puts, 1)) {
            return Err(lost());
        }
        Ok(Box::new(FaultyUpload { inner: self.inner.put(name)?, script: self.script.clone() }))
    }

    #[cfg(feature = "lake")]
    fn create(&self, name: &str, content: &[u8]) -> io::Result<bool> {
        self.inner.create(name, content)
    }

    fn append(&self, name: &str, found: u64, at: u64, bytes: &[u8]) -> Result<(), AppendFailed> {
        let (written, is_undone) = match self.script.fault {
            Fault::HalfAppended => (Some(&bytes[..bytes.len() / 2]), false),
            Fault::LostAppend => (Some(bytes), false),
            Fault::FailedAppend => (None, true),
            _ => return self.inner.append(name, found, at, bytes),
        };
        if let Some(written) = written {
            self.inner.append(name, found, at, written)?;
        }
        Err(AppendFailed { error: lost(), is_undone })
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        self.inner.open(name)
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        self.inner.size(name)
    }

    fn each_name(&self, folder: &str, each: &mut dyn FnMut(String)) -> io::Result<()> {
        self.inner.each_name(folder, each)
    }

    fn remove(&self, name: &str) -> io::Result<bool> {
        self.inner.remove(name)
    }

    fn keep_aside(&self, name: &str, aside: &str) -> io::Result<bool> {
        self.inner.keep_aside(name, aside)
    }

    fn settle(&self, folder: &str) -> io::Result<()> {
        self.inner.settle(folder)
    }

    fn update(
        &self,
        name: &str,
        change: &mut dyn FnMut(Option<Vec<u8>>) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        self.inner.update(name, change)
    }
}

struct FaultyUpload {
    inner: Box<dyn Upload>,
    script: Arc<Script>,
}

impl Write for FaultyUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.script.fault {
            Fault::FullAfter(room) if count(&self.script.written, bytes.len()) > room => {
                Err(ErrorKind::StorageFull.into())
            }
            _ => self.inner.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Upload for FaultyUpload {
    fn finish(self: Box<Self>) -> io::Result<Box<dyn Staged>> {
        let inner = self.inner.finish()?;
        Ok(Box::new(FaultyStaged { inner, script: self.script }))
    }
}

struct FaultyStaged {
    inner: Box<dyn Staged>,
    script: Arc<Script>,
}

impl Staged for FaultyStaged {
    fn publish(self: Box<Self>, expected: Option<u64>) -> io::Result<()> {
        self.inner.publish(expected)?;
        match self.script.fault {
            Fault::LostAnswer(n) if count(&self.script.names, 1) == n => Err(lost()),
            _ => Ok(()),
        }
    }
}

const FILES: [&str; 3] = ["customers/a.csv", "events/b.csv", "events/c.csv"];
const TEXT: [u8; 200] = [b'x'; 200];

/// Writes some files and then a list of them, as an export does.
fn work(destination: &dyn Destination) -> io::Result<()> {
    let mut list = String::new();
    for name in FILES {
        let mut file = NewFile::begin(destination, name).map_err(io::Error::other)?;
        file.write_all(&TEXT)?;
        file.finish()?.publish(None).map_err(io::Error::other)?;
        list.push_str(&format!("{name}\n"));
    }
    let found = destination.size("list")?.unwrap_or(0);
    destination.append("list", found, 0, list.as_bytes()).map_err(|failed| failed.error)
}

/// Whatever goes wrong: nothing is half visible, and the next attempt succeeds.
pub(in crate::export::destination) fn keeps_it<G, D: Destination + 'static>(fresh: impl Fn() -> (G, D)) {
    for fault in Fault::all(FILES.len()) {
        let (_guard, destination) = fresh();
        let destination: Arc<dyn Destination> = Arc::new(destination);
        let failed = work(&Faulty::new(destination.clone(), fault));
        assert!(failed.is_err(), "{fault:?}");
        for name in FILES {
            assert!(content(&*destination, name).is_none_or(|found| found == TEXT), "{fault:?}: {name}");
        }
        let is_temporary =
            |folder: &str| names(&*destination, folder).iter().any(|name| temporary_of(name).is_some());
        assert!(!["", "customers", "events"].into_iter().any(is_temporary), "{fault:?}");
        let list = content(&*destination, "list").unwrap_or_default();
        assert!((FILES.join("\n") + "\n").as_bytes().starts_with(&list), "{fault:?}");
        work(&*destination).unwrap();
        publish(&*destination, "events/d.csv", &TEXT);
        assert!(FILES.iter().all(|name| content(&*destination, name).unwrap() == TEXT), "{fault:?}");
        assert_eq!(
            content(&*destination, "list").unwrap(),
            (FILES.join("\n") + "\n").as_bytes(),
            "{fault:?}"
        );
    }
}
