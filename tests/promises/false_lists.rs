//! A server that lies now and then: it answers for another account, loses the way to the next page, has nothing to list,
//! says that there is more and not where, or denies that anybody is there. Runs are killed in between.

use crate::effort::Effort;
use crate::findings::Findings;
use crate::support::{Account, Asked, Place, Program, Reply, Row, State, replay};
use crate::test_account::{account, change, person, program};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_by_lists_that_lie() {
    scenario(&Effort::of_environment()).await.assert_clean();
}

pub async fn scenario(effort: &Effort) -> Findings {
    let effort = *effort;
    effort.all((0..effort.tries(6, 150)).map(|n| one(effort.luck(10, n)))).await
}

/// What the server answers wrongly.
#[derive(Clone, Copy, PartialEq)]
enum Lie {
    /// Everything is another account's.
    Stranger,
    /// The list of customers alone is another account's.
    StrangersList,
    /// Lists name no next page.
    NoWayOn,
    /// Lists are empty.
    Empty,
    /// Lists say that there is more, and name no next page.
    MoreBesideNull,
    /// Not found, by somebody on the way to the API.
    NotFound,
}

/// Which answers a lie is about.
#[derive(Clone, Copy, PartialEq)]
enum About {
    Customers,
    One,
    Events,
    Everything,
}

/// How the server behaves during one run.
#[derive(Clone, Default)]
struct Manners {
    lie: Option<(Lie, About)>,
    /// Of so many answers one is a lie.
    one_in: u64,
    /// The request over which the run is killed.
    killed_at: Option<usize>,
    asked: usize,
    kept_back: KeptBack,
}

/// What was left out in a way that nobody can see who doesn't know it already.
#[derive(Clone, Default)]
struct KeptBack {
    /// Pages of the list of customers.
    customers: bool,
    /// Pages of these customers' events.
    events: BTreeSet<String>,
}

impl Manners {
    fn drawn(luck: &mut fastrand::Rng) -> Manners {
        use About::{Customers, Events, Everything, One};
        let lie = match luck.u32(..7) {
            0 => Some((Lie::Stranger, Everything)),
            1 => Some((Lie::StrangersList, Customers)),
            2 => Some((Lie::NoWayOn, *luck.choice(&[Customers, Events, Everything]).unwrap())),
            3 => Some((Lie::Empty, *luck.choice(&[Customers, Events, Everything]).unwrap())),
            4 => Some((Lie::MoreBesideNull, *luck.choice(&[Customers, Events, Everything]).unwrap())),
            5 => Some((Lie::NotFound, *luck.choice(&[Customers, One, Events, Everything]).unwrap())),
            _ => None,
        };
        // Another account doesn't come and go within a run.
        let is_stranger = matches!(lie, Some((Lie::Stranger | Lie::StrangersList, _)));
        let one_in = if is_stranger { 1 } else { luck.u64(1..=4) };
        let killed_at = (luck.u32(..3) == 0).then(|| luck.usize(1..30));
        Manners { lie, one_in, killed_at, ..Manners::default() }
    }

    /// The answer, if it is a lie.
    fn answer(&mut self, luck: &mut fastrand::Rng, asked: &Asked, honest: &Reply) -> Option<Reply> {
        let (lie, about) = self.lie.filter(|_| luck.u64(..self.one_in) == 0)?;
        let is = match asked.path.split('/').count() {
            2 => About::Customers,
            3 => About::One,
            _ => About::Events,
        };
        let is_list = is != About::One;
        (about == is || about == About::Everything).then_some(())?;
        if matches!(lie, Lie::NoWayOn | Lie::Empty) {
            match asked.path.split('/').nth(2) {
                Some(whose) => drop(self.kept_back.events.insert(whose.to_owned())),
                None => self.kept_back.customers = true,
            }
        }
        match lie {
            Lie::Stranger | Lie::StrangersList => Some(strangers().answer(asked)),
            Lie::NoWayOn if is_list => Some(without_link(honest)),
            Lie::Empty if is_list => Some(Reply::json(200, "[]")),
            Lie::MoreBesideNull if is_list => {
                let Reply::Answer { body, .. } = honest else { return None };
                let page = String::from_utf8(body.clone()).unwrap();
                Some(Reply::json(200, &format!("{{\"data\":{page},\"has_more\":true,\"next\":null}}")))
            }
            Lie::NotFound if luck.bool() => Some(Reply::json(404, r#"{"detail":"Not found"}"#)),
            Lie::NotFound => Some(Reply::json(404, "<h1>404</h1>").with_header("content-type", "text/html")),
            _ => None,
        }
    }
}

/// As many as there are in the own account, nobody of whom is in it.
fn strangers() -> Account {
    let mut account = Account { page_size: 4, ..Account::default() };
    for n in 1..=16 {
        let id = format!("stranger-{n:02}");
        account.add(&id, 2);
        account.put(&id, person(&id, "of elsewhere", "2024-05-01T12:00:00Z"));
    }
    account
}

fn without_link(honest: &Reply) -> Reply {
    let Reply::Answer { status, headers, body } = honest.clone() else { return honest.clone() };
    let headers = headers.into_iter().filter(|(name, _)| name != "Link").collect();
    Reply::Answer { status, headers, body }
}

async fn one(mut luck: fastrand::Rng) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(16, 5, 4).shared();
    let (manners, killing) = (Arc::new(Mutex::new(Manners::default())), Arc::new(Notify::new()));
    let (minded, reached, answering) = (manners.clone(), killing.clone(), account.clone());
    let lies = Mutex::new(luck.fork());
    let server = account
        .serve_but(move |asked| {
            let mut manners = minded.lock().unwrap();
            manners.asked += 1;
            if manners.killed_at == Some(manners.asked) {
                reached.notify_one();
                return Some(Reply::Silence);
            }
            let honest = answering.lock().answer(asked);
            manners.answer(&mut lies.lock().unwrap(), asked, &honest)
        })
        .await;
    let place = Place::new();
    let program = program(&place, &server.base_url()).set("sync.events_max_age=0s").set("api.max_attempts=2");
    let patient = program.clone().set("sync.deletion_wait=1h");
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    for round in 1..=luck.usize(3..6) {
        // A walk that was cut off goes on where it was: what changes before that place it hasn't to see.
        if !is_cut_off(&place) && luck.bool() {
            change(&mut account.lock(), &mut luck, round);
        }
        *manners.lock().unwrap() = Manners::drawn(&mut luck);
        let arguments: &[&str] = if luck.bool() { &["sync"] } else { &["sync", "--full"] };
        let code = run_or_kill(&mut found, &patient, arguments, &killing).await;
        let kept_back = manners.lock().unwrap().kept_back.clone();
        judge_meanwhile(&mut found, &account.state(), &place, (code == Some(0)).then_some(&kept_back));
    }
    *manners.lock().unwrap() = Manners::default();
    if is_cut_off(&place) {
        found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    }
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    found.judge(&account.state(), &place, &program).await;
    found
}

/// Whether a walk waits to go on.
fn is_cut_off(place: &Place) -> bool {
    place.number("SELECT count(*) FROM checkpoints") > 0
}

/// Runs it to its end, or to the request over which it is to be killed.
pub async fn run_or_kill(
    found: &mut Findings,
    program: &Program,
    arguments: &[&str],
    killing: &Notify,
) -> Option<i32> {
    let mut running = program.start(arguments);
    tokio::select! {
        () = killing.notified() => running.kill(),
        _ = running.says("\0") => {}
    }
    let ran = running.end().await;
    match ran.signal() {
        Some(_) => {
            found.deaths += 1;
            found.heard(&ran);
        }
        None => drop(found.ended(&ran, &[0, 1, 5])),
    }
    ran.code()
}

/// Nobody else's rows came in, and nothing that exists was deleted. A run that called itself whole, and `kept_back` is what
/// it couldn't see, has everything as the server has it, but for events that are marked as missing.
fn judge_meanwhile(found: &mut Findings, truth: &State, place: &Place, kept_back: Option<&KeptBack>) {
    let [strangers, deleted] = ["id LIKE 'stranger%'", "op = 'delete'"]
        .map(|which| place.query(&format!("SELECT stream, id FROM changes WHERE {which}")));
    found.check(strangers.is_empty(), || format!("strangers in the mirror: {strangers:?}"));
    let mut truth = truth.clone();
    for row in deleted {
        let is_there = truth.stream_mut(row["stream"].text()).contains_key(row["id"].text());
        found.check(!is_there, || format!("deleted, but there: {row:?}"));
    }
    for format in ["csv", "ndjson"] {
        let exported = replay(place, format);
        let ids = exported.customers.keys().chain(exported.events.keys());
        let strangers = ids.filter(|id| id.starts_with("stranger")).count();
        found.check(strangers == 0, || format!("{strangers} strangers in the {format} exports"));
    }
    let Some(kept_back) = kept_back else { return };
    let mut mirror = State::of_mirror(place);
    for row in place.query("SELECT id FROM events WHERE missing_since IS NOT NULL") {
        let id = row["id"].text();
        if !truth.events.contains_key(id) {
            mirror.events.remove(id);
        }
    }
    // New to the mirror.
    let is_unheard_of = |id: &str| id.starts_with("new-") && !mirror.customers.contains_key(id);
    let is_hidden = |id: &str| kept_back.customers && is_unheard_of(id);
    truth.customers.retain(|id, _| !is_hidden(id));
    let is_seen = |row: &Row| {
        let whose = row["customer_id"].text();
        !kept_back.events.contains(whose) && !is_hidden(whose)
    };
    truth.events.retain(|_, row| is_seen(row));
    let mut events = mirror.events.clone();
    events.retain(|_, row| is_seen(row));
    found.compare("after exit 0 the mirror", &truth.customers, &mirror.customers);
    found.compare("after exit 0 the mirror", &truth.events, &events);
}
