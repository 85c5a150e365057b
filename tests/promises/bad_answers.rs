//! A fifth of all answers is broken, each in its own way; runs converge on what the server holds.

use crate::effort::Effort;
use crate::findings::Findings;
use crate::support::{Asked, Place, Ran, Reply, Server};
use crate::test_account::{account, change, program};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// Runs within which everything has to have arrived.
const RUNS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_when_a_fifth_of_all_answers_is_broken() {
    scenario(&Effort::of_environment()).await.assert_clean();
}

/// What a broken server may say: its messages quote what they like.
fn broken(luck: &mut fastrand::Rng) -> Reply {
    let error = |status| Reply::error(status, "some_code", "not now, Zyxwvut <c-01@private.example>");
    let whole = || Reply::json(200, "[{\"id\":\"cut-off\"},{\"id\":\"never-whole\"}]").wire().unwrap();
    let of_type = |kind: &str, body: &[u8]| Reply::Answer {
        status: 200,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: body.to_vec(),
    };
    match luck.u32(..20) {
        0 => error(429),
        1 => error(429).with_header("Retry-After", "0"),
        2 => error(429).with_header("Retry-After", "Thu, 01 Jan 2099 00:00:00 GMT"),
        3 => error(429).with_header("Retry-After", "99999999999999999999"),
        4 => error(503).with_header("Retry-After", "-5"),
        5 => error(*luck.choice(&[500, 502, 503, 504, 520]).unwrap()),
        6 => Reply::Reset,
        7 => {
            let whole = whole();
            Reply::Bytes(whole[..luck.usize(..whole.len())].to_vec())
        }
        8 => Reply::Silence,
        9 => Reply::Stall(whole()[..luck.usize(1..60)].to_vec()),
        10 => of_type("text/html", b"<!doctype html><h1>Zyxwvut, one moment</h1>"),
        11 => of_type("image/png", b"\x89PNG\r\n\x1a\n"),
        12 => Reply::json(200, "[{\"id\":\"half\",\"email\":\"half@private.exam"),
        13 => of_type("application/json", b"[{\"id\":\"c-01\",\"email\":\xff\xfe@private.example\"}]"),
        14 => of_type("application/json", &BOMB).with_header("content-encoding", "gzip"),
        15 => of_type("application/json", b"not gzip at all").with_header("content-encoding", "gzip"),
        16 => Reply::json(200, &"[".repeat(200_000)),
        // With a length of none it would be an empty list: that is a good answer.
        17 => Reply::Bytes(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n".to_vec(),
        ),
        18 => Reply::json(200, r#"{"code":"oops","message":"Zyxwvut","status":500,"errors":[]}"#),
        _ => Reply::json(200, "{\"status\":\"Zyxwvut\"}"),
    }
}

/// 40 MiB of spaces, in 40 KiB. Made once: on a busy machine that takes ten seconds, and two of them at a time kept the
/// servers of all tries from answering anybody for longer than the programs ask again.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let spaces = vec![b' '; 1 << 20];
    (0..40).for_each(|_| encoder.write_all(&spaces).unwrap());
    encoder.finish().unwrap()
});

/// What leads to another server, which fails a run: redirects, and next pages there, also of a list that looks empty.
fn lure(luck: &mut fastrand::Rng, away: &str) -> Reply {
    let to = format!("{away}/{}", luck.choice(&["customers", "customers?next=1"]).unwrap());
    match luck.u32(..4) {
        0 => Reply::json(302, "").with_header("Location", &to),
        1 => Reply::json(307, "").with_header("Location", &to),
        2 => Reply::json(200, "[]").with_header("Link", &format!("<{to}>; rel=\"next\"")),
        _ => Reply::json(200, &format!("{{\"data\":[],\"next\":\"{to}\"}}")),
    }
}

pub async fn scenario(effort: &Effort) -> Findings {
    let effort = *effort;
    effort.all((0..effort.tries(4, 30)).map(|n| one(effort, n))).await
}

async fn one(effort: Effort, n: u64) -> Findings {
    let mut found = Findings::of_a_try();
    let elsewhere = Server::answering(|_| Reply::json(200, "[]")).await;
    let account = account(16, 2, 4).shared();
    let (luring, away) = (Arc::new(AtomicBool::new(true)), elsewhere.base_url());
    let lures = luring.clone();
    let server = account
        .serve_but(move |asked: &Asked| {
            let mut luck = effort.luck(4, n * 100_000 + asked.number as u64);
            match luck.f64() {
                ..0.01 if lures.load(Ordering::SeqCst) => Some(lure(&mut luck, &away)),
                ..0.2 => Some(broken(&mut luck)),
                _ => None,
            }
        })
        .await;
    let place = Place::new();
    let program = program(&place, &server.base_url())
        .set("api.timeout=1s")
        .set("api.body_timeout=1s")
        .set("api.max_body=8MiB")
        .set("api.retry_after_max=20ms")
        .set("api.max_attempts=12");
    let mut luck = effort.luck(5, n);
    for round in 0..3 {
        if round > 0 {
            change(&mut account.lock(), &mut luck, round);
        }
        let arguments: &[&str] = if round == 0 { &["sync", "--full"] } else { &["sync"] };
        let mut ends = Vec::new();
        for _ in 0..RUNS {
            let ran = program.run(arguments).await;
            luring.store(false, Ordering::SeqCst);
            found.ended(&ran, &[0, 1, 5]);
            ends.push(told(&ran));
            if ran.code() == Some(0) {
                break;
            }
        }
        found.check(ends.last().is_some_and(|end| end.starts_with("exit 0")), || {
            format!("try {n}, round {round}: not whole after {RUNS} runs:\n{}", ends.join("\n"))
        });
        found.judge(&account.state(), &place, &program).await;
    }
    found.leaks += elsewhere.asked().len() as u64;
    found
}

/// How a run ended, with everything that it named.
fn told(ran: &Ran) -> String {
    let code = ran.code().map_or_else(|| "no exit code".to_owned(), |code| format!("exit {code}"));
    let lines = ran.stdout.lines().chain(ran.stderr.lines().filter(|line| !line.contains("\"INFO\"")));
    let lines: Vec<&str> = lines.filter(|line| !line.trim_start().starts_with("export ")).collect();
    format!("{code}: {}", lines.join("\n    "))
}
