//! Where an export file's bytes go: to a thread of its own, which compresses, digests and writes them while the next rows are
//! read.

use super::compression::Compressor;
use super::file::{self, Disk, Settled};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Bytes that are handed over at once. All chunks but a file's last one are of this size, so that compressed files, too, are
/// made of their rows alone, not of how these were written.
const CHUNK: usize = 128 * 1024;

/// Chunks that may wait, so that memory is bounded where the disk is slower than the reading.
const WAITING: usize = 4;

enum Piece {
    Chunk(Vec<u8>),
    /// The file has all its bytes. Without it, it was given up: then nothing waits for the disk.
    End,
}

/// Takes a file's bytes. Dropped, it waits until its thread has let go of the file.
pub(super) struct Sink {
    chunk: Vec<u8>,
    sender: Option<SyncSender<Piece>>,
    thread: Option<JoinHandle<io::Result<Settled>>>,
}

impl Sink {
    /// Begins to write.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn begin(compressor: Compressor<Disk>) -> io::Result<Sink> {
        let (sender, receiver) = sync_channel(WAITING);
        let thread =
            thread::Builder::new().name("export".to_owned()).spawn(|| write(compressor, receiver))?;
        Ok(Sink { chunk: Vec::with_capacity(CHUNK), sender: Some(sender), thread: Some(thread) })
    }

    /// Says that nothing follows: the file comes to its end while others are written.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if !self.chunk.is_empty() {
            self.hand_over()?;
        }
        self.send(Piece::End)?;
        self.sender = None;
        Ok(())
    }

    /// Waits for the file's end, after [`Sink::end`].
    ///
    /// # Errors
    /// The first one that its thread met.
    pub(super) fn finish(mut self) -> io::Result<Settled> {
        self.join()
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.send(Piece::Chunk(chunk))
    }

    fn send(&mut self, piece: Piece) -> io::Result<()> {
        match self.sender.as_ref().map(|sender| sender.send(piece)) {
            Some(Ok(())) => Ok(()),
            // Nobody takes it any more: the thread has met an error.
            _ => Err(self.join().err().unwrap_or_else(given_up)),
        }
    }

    fn join(&mut self) -> io::Result<Settled> {
        self.sender = None;
        let ended = self.thread.take().map(JoinHandle::join);
        ended.and_then(Result::ok).unwrap_or_else(|| Err(given_up()))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() == CHUNK {
            self.hand_over()?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Does nothing: a chunk is handed over when it is full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Given up: whatever comes of it, the file is going to be removed.
        let _ = self.join();
    }
}

fn write(mut compressor: Compressor<Disk>, pieces: Receiver<Piece>) -> io::Result<Settled> {
    for piece in pieces {
        match piece {
            Piece::Chunk(chunk) => compressor.write_all(&chunk)?,
            Piece::End => return file::settle(compressor.finish()?),
        }
    }
    Err(given_up())
}

fn given_up() -> io::Error {
    io::Error::other("its writing was given up")
}

#[cfg(test)]
mod tests {
    use super::super::compression::{Compression, decompress};
    use super::super::file::{Temporary, names};
    use super::*;

    #[test]
    fn what_goes_in_lies_on_the_disk_in_its_order() {
        let dir = tempfile::tempdir().unwrap();
        let piece = |n: usize| format!("{n:07}").repeat(n % 5_000);
        let text: String = (0..400).map(|n| piece(n * 37)).collect();
        assert!(text.len() > 10 * CHUNK);
        for compression in Compression::ALL {
            let write = |pieces: &mut dyn Iterator<Item = &[u8]>| {
                let (temporary, disk) = Temporary::create(dir.path(), "f").unwrap();
                let mut sink = Sink::begin(Compressor::new(compression, disk).unwrap()).unwrap();
                pieces.for_each(|piece| sink.write_all(piece).unwrap());
                sink.end().unwrap();
                let path = temporary.complete(sink.finish()).unwrap().publish().unwrap();
                std::fs::read(path).unwrap()
            };
            let pieces: Vec<String> = (0..400).map(|n| piece(n * 37)).collect();
            let written = write(&mut pieces.iter().map(String::as_bytes));
            assert!(decompress(compression, &written) == text.as_bytes(), "{compression:?}");
            // However it is written, it has the same bytes.
            assert!(written == write(&mut text.as_bytes().chunks(999)), "{compression:?}");
            assert!(written == write(&mut std::iter::once(text.as_bytes())), "{compression:?}");
        }
    }

    #[test]
    fn an_error_of_the_thread_comes_back_with_its_kind() {
        // A disk that is always full; what it takes before it says so depends on the buffers.
        let disk = file::to(std::fs::File::create("/dev/full").unwrap());
        let mut sink = Sink::begin(Compressor::new(Compression::None, disk).unwrap()).unwrap();
        let written = (0..10 * WAITING).try_for_each(|_| sink.write_all(&vec![b'x'; CHUNK]));
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(sink.finish().is_err());
    }

    #[test]
    fn what_is_given_up_is_let_go_of() {
        let dir = tempfile::tempdir().unwrap();
        let (temporary, disk) = Temporary::create(dir.path(), "f").unwrap();
        let mut sink = Sink::begin(Compressor::new(Compression::Zstd, disk).unwrap()).unwrap();
        sink.write_all(&vec![b'x'; 3 * CHUNK]).unwrap();
        drop(sink);
        drop(temporary);
        assert!(names(dir.path()).unwrap().is_empty());
        // Without its end it is none.
        let (temporary, disk) = Temporary::create(dir.path(), "f").unwrap();
        let sink = Sink::begin(Compressor::new(Compression::None, disk).unwrap()).unwrap();
        assert!(temporary.complete(sink.finish()).is_err());
    }
}
