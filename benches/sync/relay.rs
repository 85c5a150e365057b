//! Stands between a run and its server, and takes down when each request was answered and whether it was refused.

use crate::Outcome;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// An answer of the server.
#[derive(Clone, Copy)]
pub struct Answer {
    pub at: Instant,
    /// 429.
    pub is_refusal: bool,
}

/// Passes bytes on in both directions. Its threads end with their connections, and the one that waits for new ones with the
/// benchmark.
pub struct Relay {
    /// Where it listens, without a slash at the end.
    pub url: String,
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Relay {
    /// Begins to pass on what comes for the server at `address`.
    pub fn to(address: &str) -> Outcome<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let relay = Relay { url: format!("http://{}", listener.local_addr()?), answers: Arc::default() };
        let (address, answers) = (address.to_owned(), relay.answers.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&address) else { return };
                connect(client, server, answers.clone());
            }
        });
        Ok(relay)
    }

    /// The answers since this was last asked, in their order.
    pub fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn connect(client: TcpStream, server: TcpStream, answers: Arc<Mutex<Vec<Answer>>>) {
    for stream in [&client, &server] {
        // Otherwise small packets wait for each other.
        let _ = stream.set_nodelay(true);
    }
    if let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) {
        std::thread::spawn(move || pass_on(from_client, to_server, |_| {}));
        std::thread::spawn(move || {
            pass_on(server, client, |bytes| {
                // An answer is asked for once the one before it has come: each begins a packet.
                if bytes.starts_with(b"HTTP/1.1 ") {
                    let answer =
                        Answer { at: Instant::now(), is_refusal: bytes.starts_with(b"HTTP/1.1 429") };
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                }
            });
        });
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, see: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        see(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
