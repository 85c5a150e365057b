//! Lists that don't go on as they should: refused tokens, circles, forms of envelopes (api-contract points 1 to 6).

use crate::support::{Account, Asked, Reply, State, World, assert_counts_are_true, assert_everything_equals};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Refuses what `fits` for the first `times` requests.
fn refusing(times: usize, fits: fn(&Asked) -> bool) -> impl Fn(&Asked) -> Option<Reply> + Send + Sync {
    let met = AtomicUsize::new(0);
    move |asked| {
        let refused = fits(asked) && met.fetch_add(1, Ordering::SeqCst) < times;
        refused.then(|| Reply::error(400, "invalid_cursor", "this cursor has expired"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_refused_in_the_middle_starts_the_walk_again() {
    let refused = refusing(1, |asked| asked.is_customer_list() && asked.parameter("next") == Some("at-6"));
    let world = World::but(Account::of(9, 5, 2), refused).await;
    let ran = world.program.ends(0, &["sync", "--full"]).await;
    assert!(ran.stdout.contains("the walk was begun again"), "{}", ran.stdout);
    assert_everything_equals(&world.account.state(), &world.place);
    assert_eq!(world.place.number("SELECT count(*) FROM changes"), 9 + 45);
    // The same within a customer's events.
    let refused = refusing(1, |asked| {
        asked.path == "/customers/c-04/events" && asked.parameter("next") == Some("at-2")
    });
    let world = World::but(Account::of(9, 5, 2), refused).await;
    world.program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&world.account.state(), &world.place);
    assert_eq!(world.place.number("SELECT count(*) FROM changes"), 9 + 45);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_on_refusing_its_tokens_ends_the_run() {
    let World { server, place, program, .. } = World::but(
        Account::of(9, 1, 2),
        refusing(usize::MAX, |asked| asked.parameter("next") == Some("at-4")),
    )
    .await;
    program.ends(1, &["sync"]).await.tells(&["refused its own page tokens"]);
    assert!(server.count(|asked| asked.is_customer_list()) < 20);
    assert_eq!(place.number("SELECT count(*) FROM customers"), 4);
    // What was read is exported all the same, and nothing was deleted.
    assert_everything_equals(&State::of_mirror(&place), &place);
}

/// A list that never ends: the answers to a request for the customer list.
async fn endless(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static, reason: &str) {
    let World { server, place, program, .. } =
        World::but(Account::of(6, 1, 2), move |asked| asked.is_customer_list().then(|| answer(asked))).await;
    for arguments in [&["sync"][..], &["sync", "--full"]] {
        let before = server.asked().len();
        program.ends(1, arguments).await.tells(&[reason, "the list of customers can't be read to its end"]);
        let asked = &server.asked()[before..];
        assert!(asked.iter().filter(|asked| asked.is_customer_list()).count() < 20);
        let rows = place.number("SELECT count(*) FROM customers");
        assert!(rows >= 2, "what came before is kept: {rows}");
        assert_everything_equals(&State::of_mirror(&place), &place);
        assert_counts_are_true(&place);
        assert_eq!(place.number("SELECT count(*) FROM changes WHERE op = 'delete'"), 0);
        assert_eq!(place.text("SELECT outcome FROM sync_runs ORDER BY id DESC LIMIT 1"), "failed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_repeats_ends_the_run() {
    let honest = Account::of(6, 1, 2);
    let page = move |asked: &Asked| match asked.parameter("next") {
        Some("at-4") => Reply::json(200, "[{\"id\":\"c-05\"}]")
            .with_header("Link", "</customers?next=at-2>; rel=\"next\""),
        _ => honest.answer(asked),
    };
    endless(page, "goes in a circle").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_repeats_ends_the_run() {
    let honest = Account::of(6, 1, 2);
    let number = AtomicUsize::new(0);
    let page = move |_: &Asked| {
        let token = number.fetch_add(1, Ordering::SeqCst);
        let records: Vec<&str> = honest.customers[..2].iter().map(|(_, record)| record.as_str()).collect();
        Reply::json(200, &format!("[{}]", records.join(",")))
            .with_header("Link", &format!("</customers?next=new-{token}>; rel=\"next\""))
    };
    endless(page, "no record that had not been read before").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_short_page_nor_an_empty_one_that_names_a_next_one_is_the_end() {
    let account = Account::of(5, 0, 5);
    let record = |n: usize| account.customers[n].1.clone();
    let pages: Vec<String> = vec![
        format!("[{},{}]", record(0), record(1)),
        format!("[{}]", record(2)),
        "[]".to_owned(),
        "[]".to_owned(),
        "[]".to_owned(),
        "[]".to_owned(),
        "[]".to_owned(),
        format!("[{},{}]", record(3), record(4)),
    ];
    let World { account, server, place, program } = World::but(account, move |asked| {
        asked.is_customer_list().then(|| {
            let page: usize = asked.parameter("next").map_or(0, |token| token.parse().unwrap());
            Reply::json(200, pages.get(page).map_or("[]", String::as_str))
                .with_header("Link", &format!("<?next={}>; rel=\"next\"", page + 1))
        })
    })
    .await;
    // The pages behind the last record go on for ever, and nothing says that none of them will hold one.
    let ran = program.ends(5, &["sync", "--full"]).await;
    ran.tells(&["empty pages that go on naming a next page", "api.paging.customers.token_style"]);
    assert_everything_equals(&account.state(), &place);
    assert!(server.count(|asked| asked.is_customer_list()) < 50);
    // Until the user says that links are this server's way.
    program.clone().set("api.paging.customers.token_style=link").ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envelopes_of_many_forms() {
    let forms: [(&str, &str); 8] = [
        (r#"{"data":RECORDS,"next":"TOKEN"}"#, r#"{"data":RECORDS,"next":null}"#),
        (r#"{"customers":RECORDS,"next_cursor":"TOKEN"}"#, r#"{"customers":RECORDS,"next_cursor":""}"#),
        (
            r#"{"data":RECORDS,"cursor":{"next":"TOKEN","prev":null}}"#,
            r#"{"data":RECORDS,"cursor":{"next":null}}"#,
        ),
        (r#"{"results":RECORDS,"paging":{"next":"TOKEN"}}"#, r#"{"results":RECORDS,"paging":{}}"#),
        (
            r#"{"data":RECORDS,"links":{"next":"/customers?next=TOKEN"}}"#,
            r#"{"data":RECORDS,"links":{"next":null}}"#,
        ),
        (r#"{"data":RECORDS,"meta":{"next":"TOKEN"}}"#, r#"{"data":RECORDS,"meta":{"next":null}}"#),
        (r#"{"next":"?next=TOKEN","data":RECORDS}"#, r#"{"next":null,"data":RECORDS}"#),
        (r#"{"items":RECORDS,"nextPageToken":"TOKEN"}"#, r#"{"items":RECORDS}"#),
    ];
    for (page, last) in forms {
        let account = Account::of(5, 0, 5);
        let honest = account.clone();
        let answer = move |asked: &Asked| {
            let from: usize = asked.parameter("next").map_or(0, |token| token.parse().unwrap_or(99));
            let from = if asked.parameter("prev").is_some() { 99 } else { from };
            let records: Vec<&str> =
                honest.customers.iter().skip(from).take(2).map(|(_, record)| record.as_str()).collect();
            let form = if from + 2 < 5 { page } else { last };
            let body = form.replace("RECORDS", &format!("[{}]", records.join(",")));
            Reply::json(200, &body.replace("TOKEN", &(from + 2).to_string()))
        };
        let world = World::but(account, move |asked| asked.is_customer_list().then(|| answer(asked))).await;
        let ran = world.program.run(&["sync", "--full"]).await;
        assert_eq!(ran.code(), Some(0), "{page}: {}", ran.stderr);
        assert_everything_equals(&world.account.state(), &world.place);
    }
}

/// The list without tokens: its last record's id is the cursor under `next`.
fn by_last_id(account: &Account, asked: &Asked) -> Reply {
    let ids: Vec<&str> = account.customers.iter().map(|(id, _)| id.as_str()).collect();
    let (from, to) = match (asked.parameter("next"), asked.parameter("prev")) {
        (Some(id), _) => ids.iter().position(|found| *found == id).map_or((0, 0), |at| (at + 1, at + 3)),
        (_, Some(id)) => ids.iter().position(|found| *found == id).map_or((0, 0), |at| (0, at)),
        _ => (0, 2),
    };
    let to = to.min(ids.len());
    let records = account.customers[from.min(to)..to].iter().map(|(_, record)| record.as_str());
    Reply::json(200, &format!("[{}]", records.collect::<Vec<_>>().join(",")))
}

/// A server that goes down after the first page looks like one to whom ids mean nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_behind_the_first_page_is_not_the_lists_end() {
    let account = Account::of(7, 1, 9);
    let honest = account.clone();
    let pages = AtomicUsize::new(0);
    let is_down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let down = is_down.clone();
    let World { account, server: _server, place, program } = World::but(account, move |asked| {
        asked.is_customer_list().then_some(())?;
        let is_first = pages.fetch_add(1, Ordering::SeqCst) == 0;
        Some(match down.load(Ordering::SeqCst) && !is_first {
            true => Reply::error(503, "unavailable", "not now"),
            false => by_last_id(&honest, asked),
        })
    })
    .await
    .set("api.max_attempts=3");
    program.ends(1, &["sync", "--full"]).await.tells(&["503"]);
    assert_eq!(place.number("SELECT count(*) FROM customers"), 2, "what came is kept");
    is_down.store(false, Ordering::SeqCst);
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_behind_an_empty_one_is_read() {
    let account = Account::of(4, 1, 9);
    let record = |n: usize| account.customers[n].1.clone();
    let pages: Vec<String> = vec![
        format!("[{},{}]", record(0), record(1)),
        "[]".to_owned(),
        format!("[{},{}]", record(2), record(3)),
    ];
    let world = World::but(account, move |asked| {
        asked.is_customer_list().then(|| {
            let page: usize = asked.parameter("next").map_or(0, |token| token.parse().unwrap());
            let reply = Reply::json(200, &pages[page]);
            match page {
                2 => reply,
                _ => reply.with_header("Link", &format!("<?next={}>; rel=\"next\"", page + 1)),
            }
        })
    })
    .await;
    world.program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&world.account.state(), &world.place);
}
