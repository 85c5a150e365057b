//! Through a proxy that wants a user and a password: it works, and the password appears nowhere.

use crate::support::{
    Account, Authority, Place, Program, Proxy, Ran, Server, Shared, Tls, address, assert_everything_equals,
    get,
};
use std::path::Path;

/// Nothing on this machine: only the proxy leads there.
const HOST: &str = "api.example.com";
const GIVEN: &str = "mallory:pa%24%24-neverToBeSeen";
/// `mallory:pa$$-neverToBeSeen`
const CREDENTIALS: &str = "bWFsbG9yeTpwYSQkLW5ldmVyVG9CZVNlZW4=";
const SECRETS: [&str; 3] = ["neverToBeSeen", "bWFsbG9ye", "mallory"];

struct Stage {
    account: Shared,
    authority: Authority,
    tls: Tls,
    server: Server,
    proxy: Proxy,
    place: Place,
}

impl Stage {
    async fn new(protocol: &str) -> Stage {
        let (authority, account) = (Authority::new(), Account::of(12, 2, 5).shared());
        let tls = authority.tls(HOST, &[protocol]);
        let server = tls.serve_account(&account).await;
        let port = server.base_url().rsplit_once(':').unwrap().1.parse().unwrap();
        let proxy = Proxy::to(port, CREDENTIALS).await;
        Stage { account, authority, tls, server, proxy, place: Place::new() }
    }

    fn program(&self, user_and_password: &str) -> Program {
        let program = self.authority.program(&self.place, &format!("https://{HOST}"));
        program.variable("HTTPS_PROXY", &self.proxy.url(user_and_password))
    }
}

fn assert_silent(ran: &Ran) {
    for secret in SECRETS {
        assert!(
            !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
            "{secret}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
}

/// No file below `folder` holds a secret.
fn assert_silent_files(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_silent_files(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for secret in SECRETS {
            let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_there, "{secret} in {}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_through_and_the_password_stays() {
    for protocol in ["http/1.1", "h2"] {
        let stage = Stage::new(protocol).await;
        let program = stage.program(GIVEN);
        for arguments in [
            &["-vv", "--log-format", "text", "sync", "--full"][..],
            &["-vv", "--log-format", "json", "sync"],
            &["customers", "list"],
            &["status", "--json"],
            &["config", "show"],
        ] {
            assert_silent(&program.ends(0, arguments).await);
        }
        let daemon = program.set("schedule.sync=* * * * * *").set("http.listen=127.0.0.1:0");
        let mut daemon = daemon.start(&["-vv", "--log-format", "json", "daemon"]);
        let address = address(&mut daemon).await;
        daemon.logs("sync ended").await;
        let metrics = get(&address, "/metrics").await;
        assert!(
            metrics.contains("malomo") && SECRETS.iter().all(|secret| !metrics.contains(secret)),
            "{metrics}"
        );
        daemon.signal("TERM");
        assert_silent(&daemon.end().await);
        assert_everything_equals(&stage.account.state(), &stage.place);
        assert_silent_files(stage.place.path());
        let heads = stage.proxy.heads();
        assert!(
            heads.iter().all(|head| head.starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n"))),
            "{heads:?}"
        );
        // The key is for the API alone, the proxy's password for the proxy alone.
        assert!(!heads.concat().contains("sk_test"));
        assert!(stage.server.asked().iter().all(|asked| asked.header("proxy-authorization").is_none()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_at_once() {
    let stage = Stage::new("h2").await;
    for wrong in ["mallory:neverToBeSeen", "mallory", "%6dallory:sk_test"] {
        let program = stage.program(wrong);
        for arguments in
            [&["-vv", "sync"][..], &["--log-format", "json", "-vv", "sync"], &["customers", "list"]]
        {
            let before = stage.proxy.heads().len();
            let ran = program.ends(1, arguments).await;
            ran.tells(&["the proxy refused", "407", "HTTPS_PROXY"]);
            assert_silent(&ran);
            assert_eq!(stage.proxy.heads().len() - before, 1);
        }
    }
    assert_silent(&stage.program(GIVEN).ends(0, &["status", "--json"]).await);
    assert_silent_files(stage.place.path());
    assert!(stage.server.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_hosts_are_asked_without_it() {
    // To Linux, an address of this machine; to the program, another machine's.
    let (authority, account) = (Authority::new(), Account::of(3, 1, 5).shared());
    let tls = authority.tls("0.0.0.0", &["h2"]);
    let server = tls.serve_account(&account).await;
    let port: u16 = server.base_url().rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::to(port, CREDENTIALS).await;
    let url = format!("https://0.0.0.0:{port}");
    for (name, exempt, uses_proxy) in [
        ("HTTPS_PROXY", "elsewhere.example", true),
        ("ALL_PROXY", "elsewhere.example", true),
        ("https_proxy", "", true),
        ("HTTP_PROXY", "", false),
        ("HTTPS_PROXY", "elsewhere.example, 0.0.0.0", false),
        ("ALL_PROXY", "0.0.0.0", false),
    ] {
        let (place, before) = (Place::new(), proxy.heads().len());
        let program =
            authority.program(&place, &url).variable(name, &proxy.url(GIVEN)).variable("NO_PROXY", exempt);
        program.ends(0, &["sync"]).await;
        assert_eq!(proxy.heads().len() > before, uses_proxy, "{name}, but not {exempt:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_not_there_is_a_matter_of_the_network() {
    let stage = Stage::new("h2").await;
    let program = stage.program(GIVEN).set("api.max_attempts=2");
    let Stage { proxy, place, tls, .. } = stage;
    drop(proxy);
    let ran = program.ends(1, &["-vv", "sync"]).await;
    ran.tells(&["could not be reached", "the proxy"]);
    assert_silent(&ran);
    assert_silent_files(place.path());
    assert_eq!(tls.connections(), 0);
}
