//! Where the calls of a store wait. Exports run on threads that may wait; a store's client wants a runtime.

use std::future::Future;
use std::io;
use std::sync::LazyLock;
use std::sync::mpsc::sync_channel;
use tokio::runtime::{Builder, Runtime};

/// One thread that no call blocks: it is asked from any thread, whether or not that belongs to a runtime of its own.
static RUNTIME: LazyLock<Result<Runtime, String>> = LazyLock::new(|| {
    let built =
        Builder::new_multi_thread().worker_threads(1).thread_name("export-store").enable_all().build();
    built.map_err(|error| error.to_string())
});

/// Does this on the runtime's thread, and waits for it.
///
/// # Errors
/// When there is no such thread to be had.
pub(super) fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let runtime = RUNTIME.as_ref().map_err(|why| io::Error::other(why.clone()))?;
    let (done, result) = sync_channel(1);
    runtime.spawn(async move {
        // Who asked waits below.
        let _ = done.send(work.await);
    });
    result.recv().map_err(|_| io::Error::other("a request to the store crashed"))
}
