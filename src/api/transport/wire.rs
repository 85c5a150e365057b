//! Whether a request is on its way yet. It may have to wait for a connection or, over HTTP/2, for one of the streams that the
//! server allows at once (RFC 9113 section 5.1.2): the server can't have been slow to answer what it hasn't been sent.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// A request's body, which hyper lets go of when all of the request is handed to the connection: over HTTP/1.1 when it is
/// written, over HTTP/2 when its stream is open and not before. Nothing else tells of that.
pub(super) struct Outgoing {
    body: Option<Bytes>,
    _until_sent: oneshot::Sender<Infallible>,
}

/// Completes when the request has been handed to the connection, or given up.
pub(super) struct Sent(oneshot::Receiver<Infallible>);

impl Outgoing {
    /// With an empty body where `body` is `None`.
    pub(super) fn new(body: Option<&[u8]>) -> (Outgoing, Sent) {
        let (until_sent, sent) = oneshot::channel();
        let body = body.map(Bytes::copy_from_slice).filter(|body| !body.is_empty());
        (Outgoing { body, _until_sent: until_sent }, Sent(sent))
    }
}

impl Sent {
    pub(super) async fn wait(self) {
        // Nothing is ever sent: the sender is dropped.
        let _ = self.0.await;
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.body.take().map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}

/// Counts the requests of one client that are on their way or being answered.
pub(super) struct Wire {
    busy: watch::Sender<usize>,
}

impl Wire {
    pub(super) fn new() -> Wire {
        Wire { busy: watch::Sender::new(0) }
    }

    /// How many there are.
    pub(super) fn busy(&self) -> usize {
        *self.busy.borrow()
    }

    /// One more, until the guard is dropped.
    pub(super) fn enter(&self) -> OnWire {
        self.busy.send_modify(|busy| *busy += 1);
        OnWire(self.busy.clone())
    }

    /// Completes once none has been on its way for this long. Those that are have time-outs of their own.
    pub(super) async fn idle_for(&self, limit: Duration) {
        let mut busy = self.busy.subscribe();
        // The sender lives as long as `self`: neither wait fails.
        while busy.wait_for(|busy| *busy == 0).await.is_ok() {
            if timeout(limit, busy.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// A request that is on its way or being answered.
pub(super) struct OnWire(watch::Sender<usize>);

impl Drop for OnWire {
    fn drop(&mut self) {
        self.0.send_modify(|busy| *busy -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn idleness_counts_from_the_last_request_that_was_on_its_way() {
        let wire = Wire::new();
        let start = Instant::now();
        let others = async {
            for _ in 0..3 {
                sleep(Duration::from_secs(9)).await;
                let _on_wire = wire.enter();
                sleep(Duration::from_secs(100)).await;
            }
        };
        tokio::join!(wire.idle_for(Duration::from_secs(10)), others);
        assert_eq!(start.elapsed().as_secs(), 3 * 109 + 10);
        assert_eq!(wire.busy(), 0);
    }

    #[tokio::test]
    async fn a_request_is_sent_when_its_body_is_let_go_of() {
        for body in [None, Some(&b"{}"[..])] {
            let (outgoing, sent) = Outgoing::new(body);
            assert_eq!(outgoing.is_end_stream(), body.is_none());
            assert_eq!(outgoing.size_hint().exact(), Some(body.map_or(0, |body| body.len() as u64)));
            let waiting = tokio::spawn(sent.wait());
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            drop(outgoing);
            waiting.await.unwrap();
        }
    }
}
