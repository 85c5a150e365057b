//! A stand-in for the service manager.

use crate::support::{Place, Program};
use std::process::Command;
use tokio::net::UnixDatagram;
use tokio::time::{Duration, timeout};

/// No test waits longer for a message.
const PATIENCE: Duration = Duration::from_secs(120);

/// The socket that the daemon writes to.
pub struct Manager {
    socket: UnixDatagram,
    path: String,
    /// `http.listen`
    listen: &'static str,
    /// What came, in order, without signs of life.
    pub heard: Vec<String>,
    /// Signs of life so far.
    pub alive: usize,
}

impl Manager {
    pub fn new(place: &Place) -> Manager {
        let path = place.path().join("notify.socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        Manager { socket, path: path.to_str().unwrap().to_owned(), listen: "", heard: Vec::new(), alive: 0 }
    }

    /// The daemon is to serve its metrics, on a port of its choice: see [`address`].
    pub fn listening(self) -> Manager {
        Manager { listen: "127.0.0.1:0", ..self }
    }

    /// The program, told of this socket; expects a sign of life every second.
    pub fn program(&self, program: Program) -> Program {
        program
            .set(&format!("http.listen={}", self.listen))
            .set("schedule.full=")
            .variable("NOTIFY_SOCKET", &self.path)
            .variable("WATCHDOG_USEC", "1000000")
    }

    /// The next message.
    pub async fn hear(&mut self) -> String {
        let mut bytes = [0; 4096];
        let received = timeout(PATIENCE, self.socket.recv(&mut bytes)).await;
        let length = received.unwrap_or_else(|_| panic!("nothing more came after {:?}", self.heard)).unwrap();
        let message = String::from_utf8(bytes[..length].to_vec()).unwrap().trim_end().to_owned();
        if message == "WATCHDOG=1" {
            self.alive += 1;
        } else {
            self.heard.push(message.clone());
        }
        message
    }

    /// Waits for a message that holds each of these texts; forgets what came before it.
    pub async fn hears(&mut self, texts: &[&str]) -> String {
        loop {
            let message = self.hear().await;
            if texts.iter().all(|text| message.contains(text)) {
                self.heard.clear();
                return message;
            }
        }
    }
}

/// The address in the line in which the daemon says that it is serving.
pub fn address(line: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

/// Sends a signal, such as `HUP`.
pub fn signal(pid: u32, name: &str) {
    let kill = format!("kill -{name} {pid}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Ends the daemon where the test fails: its outputs would be waited for.
pub struct Guard(pub u32);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = Command::new("sh").args(["-c", &format!("kill -KILL {}", self.0)]).status();
        }
    }
}
