//! The key stays at home: no link, envelope or redirect takes it to another server (api-contract point 12).

use crate::support::{Account, Asked, Place, Reply, Server, World, assert_everything_equals};

/// A server that must never be asked for anything.
async fn trap() -> Server {
    Server::answering(|_| Reply::json(200, "[]")).await
}

/// How an answer leads away, to that base URL. A page without records could pass for the list's end.
fn lures(away: &str) -> Vec<(&'static str, Reply)> {
    let redirect = |status: u16, to: &str| Reply::json(status, "").with_header("Location", to);
    let host = away.strip_prefix("http:").unwrap();
    let mut lures = next_pages(away, r#"[{"id":"c-01"},{"id":"c-02"}]"#);
    lures.extend(next_pages(away, "[]"));
    lures.extend([
        ("301", redirect(301, &format!("{away}/customers"))),
        ("302", redirect(302, &format!("{host}/customers"))),
        ("303", redirect(303, &format!("{away}/customers"))),
        ("307", redirect(307, &format!("{away}/customers"))),
        ("308", redirect(308, &format!("{away}/customers"))),
    ]);
    lures
}

/// Beside these records, a next page elsewhere.
fn next_pages(away: &str, page: &str) -> Vec<(&'static str, Reply)> {
    let host = away.strip_prefix("http:").unwrap();
    let beside = host.strip_prefix("//").unwrap();
    vec![
        (
            "link",
            Reply::json(200, page).with_header("Link", &format!("<{away}/customers?next=x>; rel=\"next\"")),
        ),
        (
            "link without scheme",
            Reply::json(200, page).with_header("Link", &format!("<{host}/customers?next=x>; rel=\"next\"")),
        ),
        ("envelope", Reply::json(200, &format!(r#"{{"data":{page},"next":"{away}/customers?next=x"}}"#))),
        (
            "links in an envelope",
            Reply::json(200, &format!(r#"{{"data":{page},"links":{{"next":"{away}/x"}}}}"#)),
        ),
        (
            "this host as a user's name",
            Reply::json(200, page)
                .with_header("Link", &format!("<http://127.0.0.1:80@{beside}/customers>; rel=\"next\"")),
        ),
        (
            "backslashes",
            Reply::json(200, page).with_header("Link", &format!("<\\\\{beside}/customers>; rel=\"next\"")),
        ),
        ("a header", Reply::json(200, page).with_header("X-Next-Link", &format!("{away}/customers"))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_takes_the_key_elsewhere() {
    let trap = trap().await;
    for (lure, reply) in lures(&trap.base_url()) {
        let server = Server::answering(move |_: &Asked| reply.clone()).await;
        for arguments in
            [&["sync"][..], &["sync", "--full"], &["customers", "list"], &["events", "list", "c-01"]]
        {
            let place = Place::new();
            let ran = place.program(&server.base_url()).run(arguments).await;
            assert_eq!(ran.code(), Some(1), "{lure}, {arguments:?}: {}", ran.stderr);
            ran.tells(&[&trap.base_url(), "leads away from the API"]);
        }
        assert_eq!(trap.asked().len(), 0, "{lure}");
        assert!(server.asked().len() < 20, "{lure}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_a_customers_events() {
    let trap = trap().await;
    for (lure, reply) in lures(&trap.base_url()) {
        let world = World::but(Account::of(4, 2, 2), move |asked| {
            (asked.path == "/customers/c-03/events").then(|| reply.clone())
        })
        .await;
        let ran = world.program.run(&["sync", "--full"]).await;
        assert_eq!(ran.code(), Some(5), "{lure}: {}{}", ran.stdout, ran.stderr);
        assert!(
            ran.stdout.contains("c-03") && ran.stdout.contains(&trap.base_url()),
            "{lure}: {}",
            ran.stdout
        );
        assert_eq!(
            world.place.number("SELECT count(*) FROM events WHERE customer_id <> 'c-03'"),
            6,
            "{lure}"
        );
    }
    assert_eq!(trap.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_not_redirected_at_all() {
    let trap = trap().await;
    let away = trap.base_url();
    let server = Server::answering(move |_| {
        Reply::json(307, "").with_header("Location", &format!("{away}/customers"))
    })
    .await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    for arguments in [
        &["customers", "create", "--email", "a@example.com"][..],
        &["customers", "update", "c-01", "--email", "a@example.com"],
        &["customers", "delete", "c-01", "--yes"],
    ] {
        program.ends(1, arguments).await;
    }
    assert_eq!((trap.asked().len(), server.asked().len()), (0, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_at_home_is_followed_with_the_key() {
    let World { account, server, place, program } = World::but(Account::of(4, 2, 2), |asked| {
        let moved = asked.path == "/customers/c-03/events" && asked.query.is_empty();
        moved.then(|| Reply::json(302, "").with_header("Location", "/customers/c-03/events?next=at-0"))
    })
    .await;
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    for asked in server.asked() {
        assert_eq!(asked.header("authorization"), Some("Bearer sk_test"), "{}", asked.call());
        assert_eq!(
            asked.header("accept"),
            Some("application/vnd.malomo+json; version=2"),
            "{}",
            asked.call()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_to_another_machine_is_refused() {
    let place = Place::new();
    let ran = place.program("http://api.example.com").ends(2, &["sync"]).await;
    ran.tells(&["api.base_url", "https"]);
}
