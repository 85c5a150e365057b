//! SIGINT and SIGTERM, and what a limit on the size of files sends.

use super::exit::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGINT or SIGTERM cancels: the work then stops after what is being committed. A second
/// one ends the process at once; SQLite's transactions keep the mirror consistent.
pub(super) fn stop_token() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) =
        (received(SignalKind::interrupt())?, received(SignalKind::terminate())?);
    let token = stop.clone();
    tokio::spawn(async move {
        let mut signal = async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
        signal().await;
        tracing::info!("stopping after what is being committed; a second signal stops at once");
        token.cancel();
        signal().await;
        std::process::exit(130)
    });
    Ok(stop)
}

/// A signal that is received from now on, instead of doing what it does by default.
pub(super) fn received(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(Failure::because("signals can't be received"))
}

/// SIGXFSZ on Linux, but for MIPS, and on the BSDs.
const FILE_SIZE_LIMIT: i32 = 25;

/// From now on, a file that would grow beyond the limit of `ulimit -f` is an error of the write (EFBIG), which is
/// reported like a full disk; by default the signal would end the process without a word.
pub(super) fn outlive_file_size_limit() -> Result<(), Failure> {
    // A handler that was installed once stays for the process's life; nobody needs to listen.
    received(SignalKind::from_raw(FILE_SIZE_LIMIT)).map(drop)
}
