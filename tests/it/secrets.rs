//! The key stands where the user put it and nowhere else: not on the process's command line, not in its environment
//! unless it was given there, not in an error that names a wrong argument.

use crate::support::{Account, Place, Program, World};
use std::os::unix::fs::PermissionsExt;

const KEY: &str = "sk_live_neverToBeSeen";

fn holds_key(bytes: &[u8]) -> bool {
    let part = b"neverToBeSeen";
    bytes.windows(part.len()).any(|window| window == part)
}

/// A program whose key lies in a file.
fn with_key_file(place: &Place, base_url: &str) -> Program {
    let file = place.path().join("key");
    std::fs::write(&file, KEY).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    place.program(base_url).without("MALOMO_API_KEY").set(&format!("api.api_key_file={}", file.display()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_at_work_does_not_show_the_key() {
    for is_in_file in [true, false] {
        let (server, arrived, go) = Account::of(3, 1, 2).shared().serve_holding_the_first().await;
        let place = Place::new();
        let program = match is_in_file {
            true => with_key_file(&place, &server.base_url()),
            false => place.program(&server.base_url()).key(KEY),
        };
        let running = program.start(&["-vv", "sync"]);
        arrived.notified().await;
        let of = |name: &str| std::fs::read(format!("/proc/{}/{name}", running.pid())).unwrap();
        assert!(!holds_key(&of("cmdline")) && !holds_key(&of("comm")));
        assert!(of("cmdline").windows(4).any(|window| window == b"sync"), "it is the program's");
        // Where the user put it into the environment it is there, and nowhere else.
        assert_eq!(holds_key(&of("environ")), !is_in_file);
        go.notify_one();
        running.end().await.expect(0);
        assert_eq!(server.asked()[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_argument_takes_the_key_and_none_repeats_it() {
    let place = Place::new();
    let clean = Program::new(place.path());
    let with_equals = format!("--api-key={KEY}");
    for name in ["api.api_key", "api.key", "api.secret", "api.secret_key", "api.token", "api_key"] {
        let set = format!("{name}={KEY}");
        let ran = clean.ends(2, &["--set", &set, "sync"]).await;
        ran.tells(&["--set", name, "MALOMO_API_KEY", "api.api_key_file"]);
        assert!(!holds_key(ran.stderr.as_bytes()), "{}", ran.stderr);
    }
    for arguments in [
        &["sync", "--api-key", KEY][..],
        &["sync", &with_equals],
        &["sync", KEY],
        &[KEY],
        &["--set", KEY, "sync"],
        &["--key", KEY, "status"],
    ] {
        let ran = clean.ends(2, arguments).await;
        ran.tells(&["MALOMO_API_KEY", "api.api_key_file"]);
        assert!(!holds_key(ran.stderr.as_bytes()) && !holds_key(ran.stdout.as_bytes()), "{}", ran.stderr);
    }
    // A value that is taken for a path, a time or an address is not repeated either.
    for key in ["api.api_key_file", "api.timeout", "api.base_url", "sync.events_max_age"] {
        let ran = clean.ends(2, &["--set", &format!("{key}={KEY}"), "sync"]).await;
        assert!(!holds_key(ran.stderr.as_bytes()), "{}", ran.stderr);
    }
    let ran = clean.variable("MALOMO_MIRROR__API__API_KEY", KEY).ends(2, &["sync"]).await;
    ran.tells(&["MALOMO_MIRROR__API__API_KEY"]);
    assert!(!holds_key(ran.stderr.as_bytes()), "{}", ran.stderr);
}

/// Also with everything turned on that libraries look for in the environment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_level_and_no_backtrace_shows_it() {
    let world = World::of(Account::of(3, 1, 2)).await;
    let program = world
        .program
        .clone()
        .key(KEY)
        .variable("RUST_LOG", "trace")
        .variable("RUST_BACKTRACE", "full")
        .variable("MALOMO_MIRROR_FAIL_POINT", "before-commit:3");
    for arguments in [&["-vvv", "sync", "--full"][..], &["-vvv", "sync"]] {
        let ran = program.run(arguments).await;
        assert!(!holds_key(ran.stderr.as_bytes()) && !holds_key(ran.stdout.as_bytes()), "{}", ran.stderr);
    }
}
