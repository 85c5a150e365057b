//! stderr, written by a thread of its own: who logs a line never waits for whoever reads it, or doesn't.
//!
//! Lines wait in a queue of bounded size. While stderr takes them, none is lost: where they come faster than it can
//! take them, loggers wait for room, a second in all before the queue has been empty again. What comes after that finds
//! no room and is dropped; so is what stderr refuses (a full disk, a pipe whose reader has gone). How many were dropped
//! is logged as soon as stderr takes lines again.

use indicatif::ProgressBar;
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result as IoResult, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// How many bytes wait at most.
const ROOM: usize = 256 * 1024;

/// How long is waited for stderr, and no longer.
const LIMITS: Limits = Limits { patience: Duration::from_secs(1), stall: Duration::from_secs(2) };

/// A stderr that is set not to block is tried again after this.
const RETRY: Duration = Duration::from_millis(20);

/// The way to stderr. All clones share one queue.
#[derive(Clone)]
pub(super) struct Stderr(Arc<Queue>);

struct Queue {
    limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy)]
struct Limits {
    /// How long loggers wait for room at most, together, before the queue has been empty again.
    patience: Duration,
    /// At the program's end, what waits is given up when stderr has taken no line for so long.
    stall: Duration,
}

#[derive(Default)]
struct State {
    /// The first one stays here while it is written.
    lines: VecDeque<Vec<u8>>,
    /// Bytes in `lines`.
    bytes: usize,
    /// Lines that were written or refused.
    done: u64,
    dropped: u64,
    /// How long loggers may still wait for room.
    patience: Duration,
    /// The thread that writes; none: there is no such thread, and lines are written where they come up.
    writer: Option<ThreadId>,
}

impl Stderr {
    /// The process's stderr. Lines go above `bar` while it is drawn.
    pub(super) fn start(bar: ProgressBar) -> Stderr {
        let announce = |dropped| {
            // An error, so that it stands in every log, however quiet.
            tracing::error!("{dropped} log lines were dropped: stderr was not read, or could not be written");
        };
        Stderr::writing_to(move |line| above(&bar, line), announce, LIMITS)
    }

    /// Each line goes to `write`, and the number of those that were dropped to `announce`, which may log it.
    fn writing_to(
        write: impl Fn(&[u8]) -> IoResult<()> + Send + 'static,
        announce: impl Fn(u64) + Send + 'static,
        limits: Limits,
    ) -> Stderr {
        let state = Mutex::new(State { patience: limits.patience, ..State::default() });
        let queue = Arc::new(Queue { limits, state, changed: Condvar::new() });
        let of_thread = queue.clone();
        let thread = thread::Builder::new().name("stderr".to_owned());
        let started = thread.spawn(move || of_thread.serve(write, announce));
        queue.locked().writer = started.ok().map(|thread| thread.thread().id());
        Stderr(queue)
    }

    /// Takes a line, or several, with the line breaks.
    pub(super) fn line(&self, line: Vec<u8>) {
        let mut state = self.0.locked();
        let Some(writer) = state.writer else {
            drop(state);
            // Nobody is left to tell if that fails.
            let _ = write_all(&mut std::io::stderr(), &line);
            return;
        };
        // The writer's own word about dropped lines is always taken: nobody else could make room for it.
        if thread::current().id() != writer {
            state = self.0.wait_for_room(state, line.len());
            if !state.has_room(line.len()) {
                state.dropped += 1;
                return;
            }
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, or stderr takes nothing more.
    pub(super) fn flush(&self) {
        let mut state = self.0.locked();
        while state.writer.is_some() && !state.lines.is_empty() {
            let before = state.done;
            let is_stuck = |now: &mut State| now.done == before;
            let waiting = self.0.changed.wait_timeout_while(state, self.0.limits.stall, is_stuck);
            let (now, timeout) = waiting.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                return;
            }
            state = now;
        }
    }
}

/// Flushes at the end of a scope, however that is left.
pub(super) struct FlushAtEnd(pub(super) Stderr);

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// For log lines, each of which is written by one call.
impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> IoResult<usize> {
        self.line(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

impl State {
    fn has_room(&self, bytes: usize) -> bool {
        // A line that is larger than all the room there is goes alone.
        self.lines.is_empty() || self.bytes + bytes <= ROOM
    }
}

impl Queue {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_room<'q>(&self, state: MutexGuard<'q, State>, bytes: usize) -> MutexGuard<'q, State> {
        if state.has_room(bytes) || state.patience.is_zero() {
            return state;
        }
        let (began, patience) = (Instant::now(), state.patience);
        let waiting = self.changed.wait_timeout_while(state, patience, |now| !now.has_room(bytes));
        let mut state = waiting.unwrap_or_else(PoisonError::into_inner).0;
        state.patience = state.patience.saturating_sub(began.elapsed());
        state
    }

    /// Writes line after line, as long as the process lives.
    fn serve(&self, write: impl Fn(&[u8]) -> IoResult<()>, announce: impl Fn(u64)) {
        loop {
            let waiting = self.changed.wait_while(self.locked(), |state| state.lines.is_empty());
            let state = waiting.unwrap_or_else(PoisonError::into_inner);
            let line = state.lines.front().cloned().unwrap_or_default();
            drop(state);
            if write(&line).is_ok() {
                let dropped = std::mem::take(&mut self.locked().dropped);
                if dropped > 0 {
                    announce(dropped);
                }
            } else {
                self.locked().dropped += 1;
            }
            let mut state = self.locked();
            state.lines.pop_front();
            state.bytes -= line.len();
            state.done += 1;
            if state.lines.is_empty() {
                state.patience = self.limits.patience;
            }
            self.changed.notify_all();
        }
    }
}

/// A bar that is not drawn is left alone: it would be locked for as long as the line takes.
fn above(bar: &ProgressBar, line: &[u8]) -> IoResult<()> {
    match bar.is_hidden() {
        true => write_all(&mut std::io::stderr(), line),
        false => bar.suspend(|| write_all(&mut std::io::stderr(), line)),
    }
}

/// As [`Write::write_all`], but waits where the other end of stderr was set not to block.
fn write_all(to: &mut impl Write, mut bytes: &[u8]) -> IoResult<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(Error::from(ErrorKind::WriteZero)),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "stderr_tests.rs"]
mod tests;
