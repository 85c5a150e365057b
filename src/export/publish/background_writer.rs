//! Writes a file in a thread of its own, which encodes its rows, compresses, digests and writes them while the next ones are
//! read.

use super::row_batch::RowBatch;
use crate::export::destination::{CompleteFile, NewFile, abandoned};
use crate::export::formats::{Compressor, RowWriter};
use crate::mirror::Change;
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

/// Bytes of text that are handed over at once.
const BATCH_BYTES: usize = 64 * 1024;

/// Batches of rows that may wait, so that memory is bounded where the disk is slower than the reading.
const WAITING_BATCHES: usize = 4;

enum Message {
    Rows(RowBatch),
    /// The file has all its rows. Without it, it was given up: then nothing waits for the disk.
    End,
}

/// The way of rows from their format to the destination.
pub(super) type RowEncoder = RowWriter<Compressor<NewFile>>;

/// A complete file, and how many of its values were rewritten for readers' sake.
pub(super) type FinishedFile = (CompleteFile, u64);

/// Takes a file's rows. Dropped, it waits until its thread has let go of the file, which is removed.
pub(super) struct BackgroundWriter {
    batch: RowBatch,
    /// Batches that were written, to be filled again.
    written: Receiver<RowBatch>,
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<io::Result<FinishedFile>>>,
}

impl BackgroundWriter {
    /// Begins to write.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn begin(rows: RowEncoder) -> io::Result<BackgroundWriter> {
        let (sender, receiver) = sync_channel(WAITING_BATCHES);
        let (empty, written) = channel();
        let thread =
            thread::Builder::new().name("export".to_owned()).spawn(|| write(rows, receiver, empty))?;
        Ok(BackgroundWriter {
            batch: RowBatch::default(),
            written,
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The first one that the file's thread met, with this row or one before it.
    pub(super) fn write(&mut self, change: &Change<'_>) -> io::Result<()> {
        self.batch.add(change);
        if self.batch.bytes() < BATCH_BYTES { Ok(()) } else { self.hand_over() }
    }

    /// Says that nothing follows: the file comes to its end while others are written.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.hand_over()?;
        self.send(Message::End)?;
        self.sender = None;
        Ok(())
    }

    /// Waits for the file's end, after [`BackgroundWriter::end`]. Its content is durable on return, under no final name.
    ///
    /// # Errors
    /// The first one that its thread met.
    pub(super) fn finish(mut self) -> io::Result<FinishedFile> {
        self.join()
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let next = self.written.try_recv().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, next);
        self.send(Message::Rows(batch))
    }

    fn send(&mut self, message: Message) -> io::Result<()> {
        match self.sender.as_ref().map(|sender| sender.send(message)) {
            Some(Ok(())) => Ok(()),
            // Nobody takes it any more: the thread has met an error.
            _ => Err(self.join().err().unwrap_or_else(abandoned)),
        }
    }

    fn join(&mut self) -> io::Result<FinishedFile> {
        self.sender = None;
        let ended = self.thread.take().map(JoinHandle::join);
        ended.and_then(Result::ok).unwrap_or_else(|| Err(abandoned()))
    }
}

impl Drop for BackgroundWriter {
    fn drop(&mut self) {
        // Given up: whatever comes of it, the file is removed.
        let _ = self.join();
    }
}

fn write(
    mut rows: RowEncoder,
    messages: Receiver<Message>,
    empty: Sender<RowBatch>,
) -> io::Result<FinishedFile> {
    for message in messages {
        match message {
            Message::Rows(mut batch) => {
                batch.each(|change| rows.write(change))?;
                batch.clear();
                // At the file's end nobody fills it any more.
                let _ = empty.send(batch);
            }
            Message::End => {
                let (compressor, rewritten) = rows.finish()?;
                return Ok((compressor.finish()?.finish()?, rewritten));
            }
        }
    }
    Err(abandoned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::destination::tests::faulty::{Fault, Faulty};
    use crate::export::destination::{self, names};
    use crate::export::formats::{CHUNK_BYTES, Compression, Dialect, FileFacts, Format, decompress};
    use crate::export::layout::Kind;
    use crate::record::{Op, Stream, Value};

    fn rows(compression: Compression, file: NewFile) -> RowEncoder {
        let compressor = Compressor::new(compression, file).unwrap();
        RowWriter::begin(Format::Ndjson, &FileFacts::of(Stream::Events), Dialect::PLAIN, compressor).unwrap()
    }

    /// Long rows are made of their `_observed_at`.
    fn deleted(seq: i64, at: &str) -> Change<'_> {
        Change { seq, op: Op::Delete, observed_at: at, id: "e", row: Some(&[Value::Text("e")]) }
    }

    #[test]
    fn what_goes_in_lies_on_the_disk_in_its_order() {
        let dir = tempfile::tempdir().unwrap();
        let destination = destination::of(&dir.path().into(), Kind::Changes);
        let ids: Vec<String> = (0..400).map(|n| format!("{n:07}").repeat(n * 37 % 5_000)).collect();
        let changes: Vec<Change<'_>> = (1..).zip(&ids).map(|(seq, id)| deleted(seq, id)).collect();
        let facts = FileFacts::of(Stream::Events);
        let mut plain = RowWriter::begin(Format::Ndjson, &facts, Dialect::PLAIN, Vec::new()).unwrap();
        changes.iter().for_each(|change| plain.write(change).unwrap());
        let (plain, _) = plain.finish().unwrap();
        assert!(plain.len() > 10 * CHUNK_BYTES);
        for compression in Compression::ALL {
            let file = NewFile::begin(&*destination, "f").unwrap();
            let mut writer = BackgroundWriter::begin(rows(compression, file)).unwrap();
            changes.iter().for_each(|change| writer.write(change).unwrap());
            writer.end().unwrap();
            writer.finish().unwrap().0.publish(None).unwrap();
            let written = std::fs::read(dir.path().join("f")).unwrap();
            assert!(decompress(compression, &written) == plain, "{compression:?}");
        }
    }

    #[test]
    fn an_error_of_the_thread_comes_back_with_its_kind() {
        // A disk that is always full; what it takes before it says so depends on the buffers.
        let dir = tempfile::tempdir().unwrap();
        let full = Faulty::new(destination::of(&dir.path().into(), Kind::Changes), Fault::FullAfter(0));
        let file = NewFile::begin(&full, "f").unwrap();
        let mut writer = BackgroundWriter::begin(rows(Compression::None, file)).unwrap();
        let id = "x".repeat(BATCH_BYTES);
        let written = (0..10 * WAITING_BATCHES).try_for_each(|_| writer.write(&deleted(1, &id)));
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(writer.finish().is_err());
    }

    #[test]
    fn what_is_given_up_is_let_go_of() {
        let dir = tempfile::tempdir().unwrap();
        let destination = destination::of(&dir.path().into(), Kind::Changes);
        let file = NewFile::begin(&*destination, "f").unwrap();
        let mut writer = BackgroundWriter::begin(rows(Compression::Zstd, file)).unwrap();
        writer.write(&deleted(1, &"x".repeat(3 * CHUNK_BYTES))).unwrap();
        drop(writer);
        assert!(names(&*destination, "").is_empty());
        // Without its end it is none.
        let file = NewFile::begin(&*destination, "f").unwrap();
        let writer = BackgroundWriter::begin(rows(Compression::None, file)).unwrap();
        assert!(writer.finish().is_err());
        assert!(names(&*destination, "").is_empty());
    }
}
