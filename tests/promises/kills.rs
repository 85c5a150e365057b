//! SIGKILL at random times, once or several times in a row.

use crate::effort::Effort;
use crate::findings::Findings;
use crate::support::{Asked, Place, Program, Server, Shared, State};
use crate::test_account::{account, change, program};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// SIGKILL.
const KILLED: i32 = 9;

/// How long the server takes to answer: long enough that a kill may fall between two requests.
const LATENCY: Duration = Duration::from_millis(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_when_a_first_sync_is_killed() {
    first_sync(&Effort::of_environment()).await.assert_clean_after(20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_when_an_incremental_sync_is_killed() {
    incremental_sync(&Effort::of_environment()).await.assert_clean_after(20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_when_an_export_is_killed() {
    export(&Effort::of_environment()).await.assert_clean_after(20);
}

async fn serve(account: &Shared) -> Server {
    let account = account.clone();
    Server::start(move |asked: Asked| {
        let account = account.clone();
        async move {
            tokio::time::sleep(LATENCY).await;
            account.lock().answer(&asked)
        }
    })
    .await
}

/// Runs it and kills it after up to `within`, if it is still at work then. True if it was.
async fn killed(
    found: &mut Findings,
    program: &Program,
    arguments: &[&str],
    within: Duration,
    luck: &mut fastrand::Rng,
) -> bool {
    let mut running = program.start(arguments);
    tokio::time::sleep(within.mul_f64(luck.f64())).await;
    running.kill();
    let ran = running.end().await;
    found.heard(&ran);
    let died = ran.signal() == Some(KILLED);
    found.deaths += u64::from(died);
    let is_expected = died || ran.code() == Some(0);
    found.check(is_expected, || format!("exit {:?} instead of a kill: {}", ran.code(), ran.stderr));
    died
}

/// Starts at a fresh place until a kill comes in time (how fast this machine is just now shows only then), kills it up to
/// twice more, then lets it run, and judges what that left.
async fn killed_and_run(
    found: &mut Findings,
    fresh: impl Fn() -> Place,
    (base_url, expected): (&str, &State),
    arguments: &[&str],
    mut within: Duration,
    mut luck: fastrand::Rng,
) {
    let mut place = fresh();
    while !killed(found, &program(&place, base_url), arguments, within, &mut luck).await {
        within /= 2;
        place = fresh();
    }
    let program = program(&place, base_url);
    for _ in 0..luck.usize(0..=2) {
        killed(found, &program, arguments, within, &mut luck).await;
    }
    found.ended(&program.run(arguments).await, &[0]);
    found.judge(expected, &place, &program).await;
}

pub async fn first_sync(effort: &Effort) -> Findings {
    let account = account(40, 2, 4).shared();
    let server = Arc::new(serve(&account).await);
    let begun = Instant::now();
    let place = Place::new();
    program(&place, &server.base_url()).ends(0, &["sync", "--full"]).await;
    let within = begun.elapsed();
    let tries = (0..effort.tries(20, 200)).map(|n| {
        let (server, expected, luck) = (server.clone(), account.state(), effort.luck(1, n));
        async move {
            let (mut found, at) = (Findings::of_a_try(), server.base_url());
            let arguments = ["sync", "--full"];
            killed_and_run(&mut found, Place::new, (&at, &expected), &arguments, within, luck).await;
            found
        }
    });
    effort.all(tries).await
}

/// A place that was synced once, to be copied for each try.
struct Synced(Place);

impl Synced {
    async fn new(server: &Server) -> Synced {
        let place = Place::new();
        program(&place, &server.base_url()).ends(0, &["sync", "--full"]).await;
        Synced(place)
    }

    fn copy(&self, with_exports: bool) -> Place {
        let place = Place::new();
        let files = files(self.0.path());
        for from in files.iter().filter(|path| with_exports || !path.starts_with(self.0.exports())) {
            let to = place.path().join(from.strip_prefix(self.0.path()).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        }
        place
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

pub async fn incremental_sync(effort: &Effort) -> Findings {
    let account = account(40, 2, 4).shared();
    let server = Arc::new(serve(&account).await);
    let synced = Arc::new(Synced::new(&server).await);
    change(&mut account.lock(), &mut effort.luck(2, u64::MAX), 1);
    let begun = Instant::now();
    let place = synced.copy(true);
    program(&place, &server.base_url()).ends(0, &["sync"]).await;
    let within = begun.elapsed();
    let tries = (0..effort.tries(20, 200)).map(|n| {
        let (server, synced, expected, luck) =
            (server.clone(), synced.clone(), account.state(), effort.luck(2, n));
        async move {
            let (mut found, at) = (Findings::of_a_try(), server.base_url());
            let fresh = || synced.copy(true);
            killed_and_run(&mut found, fresh, (&at, &expected), &["sync"], within, luck).await;
            found
        }
    });
    effort.all(tries).await
}

/// The whole account is exported into an empty folder.
pub async fn export(effort: &Effort) -> Findings {
    let account = account(300, 2, 100).shared();
    let server = Arc::new(account.serve().await);
    let synced = Arc::new(Synced::new(&server).await);
    let begun = Instant::now();
    let place = synced.copy(false);
    program(&place, &server.base_url()).ends(0, &["export"]).await;
    let within = begun.elapsed();
    let tries = (0..effort.tries(20, 200)).map(|n| {
        let (server, synced, expected, luck) =
            (server.clone(), synced.clone(), account.state(), effort.luck(3, n));
        async move {
            let (mut found, at) = (Findings::of_a_try(), server.base_url());
            let fresh = || synced.copy(false);
            killed_and_run(&mut found, fresh, (&at, &expected), &["export"], within, luck).await;
            found
        }
    });
    effort.all(tries).await
}
