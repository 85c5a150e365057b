//! Which requests are in flight. A request may first have to wait for a connection or, over HTTP/2, for one of the streams
//! that the server allows at once (RFC 9113 section 5.1.2). Time-outs for the server's answer begin only when it is sent.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// A request body that tells when its request was sent. hyper drops the body once the whole request has been handed to the
/// connection: over HTTP/1.1 when it is written, over HTTP/2 not before its stream is open. hyper has no other sign of it.
pub(super) struct TrackedBody {
    body: Option<Bytes>,
    _until_sent: oneshot::Sender<Infallible>,
}

impl TrackedBody {
    /// With an empty body where `body` is `None`. The receiver completes, with an error, when the request has been handed to
    /// the connection, or given up.
    pub(super) fn new(body: Option<&[u8]>) -> (TrackedBody, oneshot::Receiver<Infallible>) {
        let (until_sent, sent) = oneshot::channel();
        let body = body.map(Bytes::copy_from_slice).filter(|body| !body.is_empty());
        (TrackedBody { body, _until_sent: until_sent }, sent)
    }
}

impl Body for TrackedBody {
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

/// Counts the requests of one client that have been sent and are not yet fully answered.
#[derive(Default)]
pub(super) struct InFlight {
    busy: watch::Sender<usize>,
}

impl InFlight {
    /// How many there are.
    pub(super) fn busy(&self) -> usize {
        *self.busy.borrow()
    }

    /// One more, until the guard is dropped.
    pub(super) fn enter(&self) -> InFlightGuard {
        self.busy.send_modify(|busy| *busy += 1);
        InFlightGuard(self.busy.clone())
    }

    /// Completes once no request has been in flight for this long. Requests in flight have time-outs of their own.
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

/// Counts one request as in flight until it is dropped.
pub(super) struct InFlightGuard(watch::Sender<usize>);

impl Drop for InFlightGuard {
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
        let in_flight = InFlight::default();
        let start = Instant::now();
        let others = async {
            for _ in 0..3 {
                sleep(Duration::from_secs(9)).await;
                let _on_wire = in_flight.enter();
                sleep(Duration::from_secs(100)).await;
            }
        };
        tokio::join!(in_flight.idle_for(Duration::from_secs(10)), others);
        assert_eq!(start.elapsed().as_secs(), 3 * 109 + 10);
        assert_eq!(in_flight.busy(), 0);
    }

    #[tokio::test]
    async fn a_request_is_sent_when_its_body_is_let_go_of() {
        for body in [None, Some(&b"{}"[..])] {
            let (tracked, sent) = TrackedBody::new(body);
            assert_eq!(tracked.is_end_stream(), body.is_none());
            assert_eq!(tracked.size_hint().exact(), Some(body.map_or(0, |body| body.len() as u64)));
            let waiting = tokio::spawn(sent);
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            drop(tracked);
            assert!(waiting.await.unwrap().is_err());
        }
    }
}
