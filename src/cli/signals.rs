//! SIGINT and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGINT or SIGTERM cancels: the work then stops after what is being committed. A second
/// one ends the process at once; SQLite's transactions keep the mirror consistent.
pub(super) fn stop_token() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = stop.clone();
    tokio::spawn(async move {
        for code in [None, Some(130)] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match code {
                None => {
                    tracing::info!("stopping after what is being committed; a second signal stops at once");
                    token.cancel();
                }
                Some(code) => std::process::exit(code),
            }
        }
    });
    Ok(stop)
}
