//! Connections that can be broken on purpose, beneath HTTP: real resets, and answers that end before
//! their announced length.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const WHOLE: u8 = 0;
const RESET: u8 = 1;
const HALF: u8 = 2;
const BROKEN: u8 = 3;

/// Breaks the connection that a request came by.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker(Arc<AtomicU8>);

impl Breaker {
    /// The client gets a reset instead of what is written next.
    pub(super) fn reset(&self) {
        self.0.store(RESET, Ordering::Release);
    }

    /// The client gets half of what is written next, then the end of the connection.
    pub(super) fn halve(&self) {
        self.0.store(HALF, Ordering::Release);
    }
}

/// Accepts connections that a [`Breaker`] can break.
pub(super) struct Door(pub(super) TcpListener);

impl Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Without it an answer may wait for an acknowledgement; a socket that refuses it still works.
        let _ = stream.set_nodelay(true);
        (Connection { stream, breaker: Breaker::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Breaker {
    fn connect_info(incoming: IncomingStream<'_, Door>) -> Breaker {
        incoming.io().breaker.clone()
    }
}

/// A TCP connection with its [`Breaker`].
pub(super) struct Connection {
    stream: TcpStream,
    breaker: Breaker,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

// Vectored writes are left out: an answer is written in one piece, so that half of it is half of the answer.
impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.breaker.0.load(Ordering::Acquire) {
            WHOLE => Pin::new(&mut self.stream).poll_write(cx, buf),
            HALF => {
                let half = &buf[..buf.len().div_ceil(2)];
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, half))?;
                self.breaker.0.store(BROKEN, Ordering::Release);
                Poll::Ready(Ok(written))
            }
            RESET => {
                self.breaker.0.store(BROKEN, Ordering::Release);
                // With no time to linger the socket is reset instead of closed. Should that be refused, the
                // client still gets no answer.
                let _ = self.stream.set_zero_linger();
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            _ => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
