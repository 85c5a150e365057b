//! Words to people and monitors outside: what a receiver on loopback gets, and what a receiver that misbehaves does to runs.

use crate::disk::Disk;
use crate::scrape::classic;
use crate::service_manager::{Guard, address, signal};
use crate::support::{Account, Asked, Place, Program, Reply, Running, Server, Shared, customer};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The secret part of every address here.
const SECRET: &str = "T0KEN-of-the-address";

/// No test waits longer for a message.
const PATIENCE: Duration = Duration::from_secs(120);

/// A receiver that takes everything.
struct Receiver {
    server: Server,
    heard: mpsc::UnboundedReceiver<Asked>,
}

impl Receiver {
    async fn start() -> Receiver {
        let (sender, heard) = mpsc::unbounded_channel();
        let server = Server::answering(move |asked| {
            let _ = sender.send(asked.clone());
            Reply::json(200, "ok")
        })
        .await;
        Receiver { server, heard }
    }

    fn url(&self, what: &str) -> String {
        format!("{}/{SECRET}/{what}", self.server.base_url())
    }

    /// The next thing that came.
    async fn next(&mut self) -> Asked {
        timeout(PATIENCE, self.heard.recv()).await.expect("nothing came").unwrap()
    }

    /// The next message.
    async fn message(&mut self) -> Value {
        loop {
            let asked = self.next().await;
            if asked.path.ends_with("/message") {
                assert_is_harmless(&asked);
                assert_eq!(
                    (asked.method.as_str(), asked.header("content-type")),
                    ("POST", Some("application/json"))
                );
                return serde_json::from_str(&asked.body).unwrap();
            }
        }
    }

    /// The causes of all messages so far.
    fn causes(&self) -> Vec<String> {
        let messages = self.server.all_asked().into_iter().filter(|asked| asked.path.ends_with("/message"));
        let cause = |asked: Asked| serde_json::from_str::<Value>(&asked.body).unwrap()["cause"].clone();
        messages.map(|asked| cause(asked).as_str().unwrap().to_owned()).collect()
    }
}

/// Neither the key nor anything of a customer is in it.
fn assert_is_harmless(asked: &Asked) {
    assert!(asked.header("authorization").is_none(), "{}", asked.head);
    let mut all = format!("{}\n{}", asked.head, asked.body);
    // Any two characters may stand in an identifier made at random.
    let message: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    if let Some(mirror_id) = message["mirror_id"].as_str() {
        all = all.replace(mirror_id, "");
    }
    for secret in ["sk_test", "@example.com", "555-555", "First", "Last of", "c-0", "the vendor's own words"]
    {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

/// Ten customers; while the number is a status other than 200, it answers everything with that.
async fn api(account: &Shared) -> (Server, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let switch = status.clone();
    let server = account
        .serve_but(move |_| match switch.load(Ordering::SeqCst) {
            200 => None,
            status => {
                let words = "the vendor's own words about anna@example.com, 555-555-5555";
                Some(Reply::error(status, "no", words))
            }
        })
        .await;
    (server, status)
}

/// With runs every second that don't try twice.
fn program(place: &Place, api: &Server) -> Program {
    [
        "http.listen=127.0.0.1:0",
        "schedule.full=",
        "schedule.sync=* * * * * *",
        "api.max_attempts=1",
        "api.concurrency=1",
    ]
    .into_iter()
    .fold(place.program(&api.base_url()), Program::set)
}

async fn stop(daemon: Running) -> String {
    signal(daemon.pid(), "TERM");
    daemon.end().await.expect(0).stderr
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_is_told_once_also_by_the_next_daemon_and_so_is_its_end() {
    let account = Account::of(9, 1, 5).shared();
    let (api, status) = api(&account).await;
    status.store(401, Ordering::SeqCst);
    let (place, mut receiver) = (Place::new(), Receiver::start().await);
    let mut program = program(&place, &api);
    for (key, what) in
        [("url", "message"), ("url_start", "start"), ("url_ok", "ok"), ("url_failed", "failed")]
    {
        program = program.set(&format!("notify.{key}={}", receiver.url(what)));
    }
    let mut daemon = program.start(&["-vv", "daemon"]);
    let guard = Guard(daemon.pid());
    let message = receiver.message().await;
    let told = &message["text"].as_str().unwrap();
    for text in
        ["malomo-mirror on ", ": the API refused the key in incremental run 1. What to do: Check the key"]
    {
        assert!(told.contains(text), "{told}");
    }
    assert_eq!((&message["cause"], &message["run_id"]), (&"key_refused".into(), &1.into()));
    assert_eq!((&message["mode"], &message["outcome"]), (&"incremental".into(), &"failed".into()));
    assert_eq!(message["mirror_id"], place.text("SELECT value FROM meta WHERE key = 'mirror_id'"));
    daemon.logs("sync ended").await;
    let logged = stop(daemon).await;
    drop(guard);
    assert!(!logged.contains(SECRET), "{logged}");

    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    let runs = || place.number("SELECT count(*) FROM sync_runs WHERE outcome <> 'running'");
    let before = runs();
    while runs() < before + 3 {
        receiver.next().await;
    }
    assert_eq!(receiver.causes(), ["key_refused"]);
    status.store(200, Ordering::SeqCst);
    let message = receiver.message().await;
    assert_eq!(
        (&message["cause"], &message["over"]),
        (&"recovered".into(), &serde_json::json!(["key_refused"]))
    );
    assert!(message["counts"]["requests"].as_u64().unwrap() > 0, "{message}");
    stop(daemon).await;

    let all = receiver.server.all_asked();
    all.iter().for_each(assert_is_harmless);
    let pings: Vec<String> = all
        .iter()
        .filter(|asked| !asked.path.ends_with("/message"))
        .map(|asked| format!("{} {} {}", asked.method, asked.path.rsplit('/').next().unwrap(), asked.body))
        .collect();
    assert_eq!(
        pings[..3],
        [
            "GET start ",
            "POST failed incremental run 1 failed: the API refused the key (HTTP 401)",
            "GET start "
        ]
    );
    assert!(pings.contains(&"GET ok ".to_owned()), "{pings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_and_refused_deletions_are_told_with_counts_alone() {
    let account = Account::of(9, 1, 5).shared();
    let (api, status) = api(&account).await;
    let (place, mut receiver) = (Place::new(), Receiver::start().await);
    let program = program(&place, &api).set(&format!("notify.url={}", receiver.url("message")));
    program.ends(0, &["sync"]).await;
    status.store(503, Ordering::SeqCst);
    // By hand somebody looks on.
    program.ends(1, &["sync"]).await;
    assert!(receiver.causes().is_empty());

    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    let message = receiver.message().await;
    assert_eq!(message["cause"], "run_failed");
    assert!(message["text"].as_str().unwrap().contains("failed: the API failed (HTTP 503)"), "{message}");
    for n in 1..=8 {
        account.lock().remove(&format!("c-{n:02}"));
    }
    status.store(200, Ordering::SeqCst);
    let message = receiver.message().await;
    assert_eq!((&message["cause"], &message["outcome"]), (&"deletion_limit".into(), &"incomplete".into()));
    assert!(message["text"].as_str().unwrap().contains("lacks 8 of the mirror's 9 customers"), "{message}");
    stop(daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_third_incomplete_run_in_a_row_is_told_and_fails_the_ping() {
    let account = Account::of(5, 1, 5).shared();
    let api = account
        .serve_but(|asked| {
            (asked.path == "/customers/c-02/events").then(|| Reply::error(500, "no", "not today"))
        })
        .await;
    let (place, mut receiver) = (Place::new(), Receiver::start().await);
    let program = program(&place, &api)
        .set(&format!("notify.url={}", receiver.url("message")))
        .set(&format!("notify.url_ok={}", receiver.url("ok")))
        .set(&format!("notify.url_failed={}", receiver.url("failed")));
    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    let message = receiver.message().await;
    assert_eq!((&message["cause"], &message["run_id"]), (&"incomplete".into(), &3.into()));
    assert!(
        message["text"].as_str().unwrap().contains("the events of 1 customers could not be read"),
        "{message}"
    );
    stop(daemon).await;
    let pings: Vec<_> = receiver.server.all_asked().into_iter().map(|asked| asked.path).collect();
    let last = |n: usize| pings[n].rsplit('/').next().unwrap();
    assert_eq!([last(0), last(1), last(2)], ["ok", "ok", "failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_told() {
    let account = Account::of(4, 1, 5).shared();
    let other = || customer("c-02", "Other", "2024-05-01T12:00:00Z");
    let api = account
        .serve_but(move |asked| (asked.path == "/customers/c-02").then(|| Reply::json(200, &other())))
        .await;
    let (place, mut receiver) = (Place::new(), Receiver::start().await);
    let program = program(&place, &api)
        .set(&format!("notify.url={}", receiver.url("message")))
        .set("schedule.sync=")
        .set("schedule.full=* * * * * *");
    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    let message = receiver.message().await;
    assert_eq!((&message["cause"], &message["mode"]), (&"drift".into(), &"full".into()));
    assert!(message["text"].as_str().unwrap().contains("found 1 of 4 customers to differ"), "{message}");
    stop(daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_with_little_room_is_told() {
    let place = Place::new();
    // Not everybody may mount one.
    let Some(disk) = Disk::over(&place) else { return };
    let account = Account::of(4, 1, 5).shared();
    let api = account.serve().await;
    let mut receiver = Receiver::start().await;
    let program = program(&place, &api).set(&format!("notify.url={}", receiver.url("message")));
    program.ends(0, &["sync"]).await;
    disk.fill(2 << 20);
    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    let message = receiver.message().await;
    assert_eq!((&message["cause"], &message["outcome"]), (&"disk_nearly_full".into(), &"ok".into()));
    assert!(message["text"].as_str().unwrap().contains("the disk of the mirror is nearly full"), "{message}");
    disk.free_up();
    assert_eq!(receiver.message().await["over"], serde_json::json!(["disk_nearly_full"]));
    stop(daemon).await;
}

/// What a receiver does that takes nothing.
async fn misbehaving(how: &str, elsewhere: &Receiver) -> (Option<Server>, String) {
    let reply = match how {
        "is not there" => return (None, "http://127.0.0.1:1".to_owned()),
        "hangs" => Reply::Silence,
        "fails" => Reply::json(500, "no"),
        "redirects" => Reply::json(307, "").with_header("Location", &elsewhere.url("message")),
        how => unreachable!("{how}"),
    };
    let server = Server::answering(move |_| reply.clone()).await;
    let url = server.base_url();
    (Some(server), url)
}

async fn try_receiver(how: &str, elsewhere: &Receiver) {
    let account = Account::of(4, 1, 5).shared();
    let api = account.serve().await;
    let (receiver, url) = misbehaving(how, elsewhere).await;
    let place = Place::new();
    let program = program(&place, &api).set(&format!("notify.url_ok={url}/{SECRET}/ok"));
    let mut daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    let address = address(&daemon.logs("serving /metrics").await);
    let began = Instant::now();
    for _ in 0..4 {
        daemon.logs("\"outcome\":\"ok\"").await;
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{how}: {:?}", began.elapsed());
    if how != "hangs" {
        let told = daemon.logs("a notification could not be delivered").await;
        assert!(told.contains("notify.url_ok") && !told.contains(SECRET), "{how}: {told}");
        let samples = classic(&address).await;
        let of = |result: &str| {
            samples[&format!("malomo_mirror_notifications_total{{result=\"{result}\",target=\"ok\"}}")]
        };
        assert!(of("failed") >= 1.0 && of("sent") == 0.0, "{how}: {samples:?}");
    }
    let began = Instant::now();
    let logged = stop(daemon).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{how}: {:?}", began.elapsed());
    assert!(!logged.contains(SECRET), "{how}: {logged}");
    drop(receiver);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_neither_wait_for_a_receiver_that_misbehaves_nor_fail_with_it() {
    let elsewhere = Arc::new(Receiver::start().await);
    let mut tries = JoinSet::new();
    for how in ["is not there", "hangs", "fails", "redirects"] {
        let elsewhere = elsewhere.clone();
        tries.spawn(async move { try_receiver(how, &elsewhere).await });
    }
    tries.join_all().await;
    assert!(elsewhere.server.all_asked().is_empty(), "a redirect was followed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_the_receiver_and_not_what_was_told() {
    let account = Account::of(4, 1, 5).shared();
    let (api, status) = api(&account).await;
    status.store(401, Ordering::SeqCst);
    let (place, mut first, mut second) = (Place::new(), Receiver::start().await, Receiver::start().await);
    let configure = |receiver: &Receiver| {
        let text = format!("[notify]\nurl = \"{}\"\n", receiver.url("message"));
        std::fs::write(place.path().join("config.toml"), text).unwrap();
    };
    configure(&first);
    let program = program(&place, &api);
    let mut daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    assert_eq!(first.message().await["cause"], "key_refused");
    configure(&second);
    signal(daemon.pid(), "HUP");
    daemon.logs("configuration reloaded").await;
    status.store(200, Ordering::SeqCst);
    assert_eq!(second.message().await["cause"], "recovered");
    assert_eq!((first.causes().len(), second.causes().len()), (1, 1));
    stop(daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_are_shown_by_their_host_alone_and_bad_ones_not_at_all() {
    let place = Place::new();
    let good =
        place.program("http://127.0.0.1:9").set(&format!("notify.url=https://hooks.example.com/{SECRET}"));
    for arguments in [&["config", "show"][..], &["config", "show", "--json"], &["config", "check"]] {
        let ran = good.ends(0, arguments).await;
        assert!(!ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET), "{}", ran.stdout);
        if arguments[1] == "show" {
            ran.shows(&["https://hooks.example.com/********"]);
        }
    }
    for address in [
        format!("http://hooks.example.com/{SECRET}"),
        format!("{SECRET}/x"),
        format!("https://u:{SECRET}@h/"),
    ] {
        let ran = place.program("http://127.0.0.1:9").set(&format!("notify.url={address}"));
        let ran = ran.ends(2, &["config", "check"]).await;
        ran.tells(&["`notify.url`: expected an absolute https URL"]);
        assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
    }
}
