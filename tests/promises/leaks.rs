//! A server that repeats the key, addresses and telephone numbers wherever it can, a daemon whose log nobody reads for a
//! while, and a mirror that several programs reach by names of its own: nothing is told on, nothing stands still, and one
//! run is at work at a time.

use crate::effort::Effort;
use crate::findings::Findings;
use crate::support::echo::{ECHOED, faults};
use crate::support::{Asked, Place, Program, Reply};
use crate::test_account::{account, change, program};
use std::io::{PipeReader, Read, Write, pipe};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_by_a_server_that_repeats_secrets() {
    scenario(&Effort::of_environment()).await.assert_clean();
}

pub async fn scenario(effort: &Effort) -> Findings {
    let effort = *effort;
    effort.all((0..effort.tries(2, 60)).map(|n| one(effort, n))).await
}

/// Runs of the daemon that a try waits for.
const RUNS: i64 = 3;

async fn one(effort: Effort, n: u64) -> Findings {
    let mut found = Findings::of_a_try();
    let mut luck = effort.luck(12, n);
    let account = account(12, 2, 4).shared();
    let talks = Arc::new(AtomicBool::new(false));
    let switch = talks.clone();
    let server = account
        .serve_but(move |asked: &Asked| {
            let mut luck = effort.luck(13, n * 100_000 + asked.number as u64);
            (switch.load(Ordering::SeqCst) && luck.f64() < 0.15).then(|| fault(asked, &mut luck))
        })
        .await;
    let (place, aside) = (Place::new(), Place::new());
    let program = program(&place, &server.base_url())
        .set("api.retry_after_max=1ms")
        .set("sync.events_max_age=0s")
        .set("schedule.sync=* * * * * *")
        .set("schedule.full=")
        .set("http.listen=");
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    talks.store(true, Ordering::SeqCst);
    change(&mut account.lock(), &mut luck, 1);
    let programs = by_other_names(&place, &aside, &program);
    let mut daemon = Unread::start(&programs[0], &["-vv", "daemon"]);
    // Beside the daemon, which comes to its runs all the same.
    while place.number(FINISHED) < 1 + RUNS && daemon.is_alive() {
        let program = luck.choice(&programs).unwrap();
        let arguments: &[&str] =
            luck.choice(&[&["-vv", "sync"][..], &["status", "--json"], &["export"]]).unwrap();
        let ran = program.run(arguments).await;
        found.ended(&ran, &[0, 1, 4, 5]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        found.check(!tells(said.as_bytes()), || format!("{arguments:?} repeats it: {said}"));
    }
    found.check(daemon.is_alive(), || "the daemon has ended".to_owned());
    let (code, log) = daemon.end();
    found.check(code == Some(0), || format!("the daemon ended with {code:?}: {log}"));
    found.check(!tells(log.as_bytes()), || format!("the daemon repeats it: {log}"));
    let both = place.number(AT_ONCE);
    found.check(both == 0, || format!("{both} runs were at work beside another one"));
    talks.store(false, Ordering::SeqCst);
    found.ended(&luck.choice(&programs).unwrap().run(&["sync", "--full"]).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    judge_files(&mut found, place.path());
    judge_files(&mut found, aside.path());
    found
}

const FINISHED: &str = "SELECT count(*) FROM sync_runs WHERE finished_at IS NOT NULL";

/// Pairs of runs of which one began before the other had ended.
const AT_ONCE: &str = "SELECT count(*) FROM sync_runs AS early JOIN sync_runs AS late ON early.id < late.id \
                       WHERE late.started_at < early.finished_at";

/// One that is no word against the key: that would end the daemon.
fn fault(asked: &Asked, luck: &mut fastrand::Rng) -> Reply {
    let replies = faults(asked);
    let is_meant = |reply: &&Reply| !matches!(reply, Reply::Answer { status: 401 | 403, .. });
    let replies: Vec<&Reply> = replies.iter().filter(is_meant).collect();
    (*luck.choice(&replies).unwrap()).clone()
}

/// The mirror by its own name, by a link to it, and by a link to its folder.
fn by_other_names(place: &Place, aside: &Place, program: &Program) -> [Program; 3] {
    let (link, folder) = (aside.path().join("link.db"), aside.path().join("folder"));
    symlink(place.mirror(), &link).unwrap();
    symlink(place.path(), &folder).unwrap();
    [place.mirror(), link, folder.join("mirror.db")]
        .map(|name| program.clone().set(&format!("mirror.path={}", name.display())))
}

fn tells(bytes: &[u8]) -> bool {
    ECHOED.iter().any(|part| bytes.windows(part.len()).any(|window| window == part.as_bytes()))
}

/// Neither the mirror nor an export nor any other file holds what was repeated.
fn judge_files(found: &mut Findings, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => judge_files(found, &entry.path()),
            kind if kind.is_file() => {
                let is_told = tells(&std::fs::read(entry.path()).unwrap());
                found.check(!is_told, || format!("it stands in {}", entry.path().display()));
            }
            _ => {}
        }
    }
}

/// The program with its log in a pipe that is full from the start, and read at its end.
struct Unread {
    child: Child,
    log: PipeReader,
}

impl Unread {
    fn start(program: &Program, arguments: &[&str]) -> Unread {
        let (log, mut writer) = pipe().unwrap();
        let mut command = program.command(arguments);
        command.stdout(Stdio::null()).stderr(writer.try_clone().unwrap());
        let child = command.spawn().unwrap();
        // As much as a pipe holds: the thread waits until it is read.
        std::thread::spawn(move || writer.write_all("filling\n".repeat(8 * 1024).as_bytes()));
        Unread { child, log }
    }

    fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Has it end, which it does while nobody reads. Returns its exit code and what it logged.
    fn end(mut self) -> (Option<i32>, String) {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (code, log)
    }
}
