//! A stderr that nobody reads, or that can't be written.

use crate::scrape::{ANYTHING, get};
use crate::service_manager::{Guard, Manager, address, signal};
use crate::support::{Account, Asked, Place, Program, Reply, Server};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, PipeReader, Read, Write, pipe};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The program with stderr in a pipe that is read when the test says so.
struct Unread {
    child: Child,
    stderr: BufReader<PipeReader>,
}

impl Unread {
    /// Starts it, reads the log to the line with this text, and lets the pipe run full.
    fn start(program: &Program, arguments: &[&str], text: &str) -> (Unread, String) {
        let (reader, mut writer) = pipe().unwrap();
        let mut command = program.command(arguments);
        command.stdout(Stdio::null()).stderr(writer.try_clone().unwrap());
        let child = command.spawn().unwrap();
        drop(command);
        let mut unread = Unread { child, stderr: BufReader::new(reader) };
        let line = unread.read_to(text);
        // As much as a pipe holds: either it is full then, or the thread waits until it is read.
        std::thread::spawn(move || writer.write_all("filling\n".repeat(8 * 1024).as_bytes()));
        (unread, line)
    }

    fn read_to(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it ended before it logged {text:?}");
            if line.contains(text) {
                return line;
            }
        }
    }
}

/// An account of a server that answers every second time it is asked for the same: all others are logged as retries.
async fn hesitant(customers: usize) -> Server {
    let asked_for: Mutex<HashMap<String, usize>> = Mutex::default();
    let account = Account::of(customers, 1, 200).shared();
    let hesitates = move |asked: &Asked| {
        let mut asked_for = asked_for.lock().unwrap();
        let times = asked_for.entry(asked.path.clone()).or_default();
        *times += 1;
        (asked.path.ends_with("/events") && *times % 2 == 1).then(|| Reply::error(503, "down", "soon"))
    };
    account.serve_but(hesitates).await
}

/// A daemon that reads everything every other second.
fn busy(manager: &Manager, place: &Place, server: &Server) -> Program {
    manager
        .program(place.program(&server.base_url()))
        .set("schedule.sync=*/2 * * * * *")
        .set("sync.events_max_age=0s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_goes_on_and_counts_what_it_could_not_log() {
    // Far more lines than wait at most.
    let server = hesitant(1000).await;
    let place = Place::new();
    let mut manager = Manager::new(&place).listening();
    let program = busy(&manager, &place, &server);
    let (mut daemon, line) = Unread::start(&program, &["-vv", "daemon"], "serving /metrics");
    let _guard = Guard(daemon.child.id());
    for _ in 0..2 {
        manager.hears(&["STATUS=sync since "]).await;
        manager.hears(&["STATUS=idle; last sync ", " ok, 1,000 customers"]).await;
    }
    assert_eq!(get(&address(&line), "/healthz", ANYTHING).await.body, "alive\n");
    let runs = place.number("SELECT count(*) FROM sync_runs WHERE finished_at IS NOT NULL");
    assert!(runs >= 2, "{runs}");
    let dropped = daemon.read_to(" log lines were dropped");
    let dropped: serde_json::Value = serde_json::from_str(&dropped).unwrap();
    let count = dropped["message"].as_str().unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
    assert!(count > 0, "{dropped}");
    signal(daemon.child.id(), "TERM");
    // The last lines are there.
    daemon.read_to("daemon ends");
    daemon.stderr.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_whose_log_nobody_reads_ends_when_it_is_told() {
    let server = hesitant(20).await;
    let place = Place::new();
    let mut manager = Manager::new(&place).listening();
    let program = busy(&manager, &place, &server);
    let (mut daemon, _) = Unread::start(&program, &["-vv", "daemon"], "serving /metrics");
    let _guard = Guard(daemon.child.id());
    manager.hears(&["STATUS=idle; last sync ", " ok, 20 customers"]).await;
    signal(daemon.child.id(), "TERM");
    manager.hears(&["STOPPING=1"]).await;
    let told = Instant::now();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    // It would have been for ever.
    assert!(told.elapsed() < Duration::from_secs(30), "{:?}", told.elapsed());
    drop(daemon.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_without_stderr_goes_on() {
    let server = Account::of(6, 1, 3).shared().serve().await;
    for gone in [true, false] {
        let place = Place::new();
        let mut manager = Manager::new(&place);
        let program = busy(&manager, &place, &server);
        let mut command = program.command(&["daemon"]);
        command.stdout(Stdio::null());
        match gone {
            // Its reader has ended.
            true => command.stderr(pipe().unwrap().1),
            false => command.stderr(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap()),
        };
        let mut daemon = command.spawn().unwrap();
        drop(command);
        let _guard = Guard(daemon.id());
        for _ in 0..2 {
            manager.hears(&["STATUS=sync since "]).await;
            manager.hears(&["STATUS=idle; last sync ", " ok, 6 customers"]).await;
        }
        signal(daemon.id(), "TERM");
        assert_eq!(daemon.wait().unwrap().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_commands_end_as_ever_whatever_stderr_is() {
    let server = Account::of(6, 1, 3).shared().serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    for (arguments, code) in [
        (&["status"][..], 1),
        (&["--bogus"], 2),
        (&["--set", "x", "sync"], 2),
        (&["sync", "-vv"], 0),
        (&["status"], 0),
    ] {
        for stderr in ["full", "gone", "unread"] {
            let mut command = program.command(arguments);
            let (reader, mut writer) = pipe().unwrap();
            match stderr {
                "full" => command.stderr(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap()),
                "gone" => command.stderr(pipe().unwrap().1),
                _ => command.stderr(writer.try_clone().unwrap()),
            };
            std::thread::spawn(move || writer.write_all(&[b'x'; 64 * 1024]));
            let status = command.stdout(Stdio::null()).spawn().unwrap().wait().unwrap();
            assert_eq!(status.code(), Some(code), "{arguments:?} with stderr {stderr}");
            drop(reader);
        }
    }
}
