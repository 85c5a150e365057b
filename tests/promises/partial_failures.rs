//! One bad thing among good ones, over HTTP/2 with few streams and connections that the server ends: who can't be read,
//! or not be taken, is named, and everybody else is complete. Runs are killed in between.

use crate::effort::Effort;
use crate::false_lists::run_or_kill;
use crate::findings::Findings;
use crate::support::{Account, Asked, Authority, Goodbye, Place, Reply};
use crate::test_account::{KEY, account, person};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_with_one_bad_thing_among_good_ones() {
    scenario(&Effort::of_environment()).await.assert_clean();
}

pub async fn scenario(effort: &Effort) -> Findings {
    let effort = *effort;
    let authority = Arc::new(Authority::new());
    effort.all((0..effort.tries(4, 100)).map(|n| one(effort.luck(11, n), authority.clone()))).await
}

/// What is wrong with a customer.
#[derive(Clone, Copy, PartialEq)]
enum Bad {
    /// Its events are forbidden.
    Events,
    /// It is not listed, and forbidden.
    Forbidden,
    /// Its events are no JSON.
    Undecodable,
    /// Its record has a field of another type.
    Record,
    /// One of its events has a field of another type.
    Event,
    /// Half an emoji: taken, and repaired.
    Half,
}

const BAD: [Bad; 6] = [Bad::Events, Bad::Forbidden, Bad::Undecodable, Bad::Record, Bad::Event, Bad::Half];

impl Bad {
    /// Nobody can be sure of this customer: no run is complete.
    fn keeps_runs_incomplete(self) -> bool {
        matches!(self, Bad::Events | Bad::Forbidden | Bad::Undecodable)
    }

    /// To be told once.
    fn is_a_reject(self) -> bool {
        matches!(self, Bad::Record | Bad::Event)
    }
}

/// The account as it is served and as the mirror has to hold it, and who is bad.
struct Stage {
    served: Account,
    held: Account,
    bad: BTreeMap<String, Bad>,
    asked: usize,
    /// The request over which the run is killed.
    killed_at: Option<usize>,
}

impl Stage {
    fn answer(&self, asked: &Asked) -> Reply {
        let mut segments = asked.path.split('/').skip(2);
        let (id, is_alone) = (segments.next().unwrap_or_default(), segments.next().is_none());
        match self.bad.get(id) {
            Some(Bad::Events) if !is_alone => Reply::error(403, "forbidden", "Zyxwvut is none of yours"),
            Some(Bad::Forbidden) => Reply::error(403, "forbidden", "Zyxwvut is none of yours"),
            Some(Bad::Undecodable) if !is_alone => Reply::json(200, r#"[{"id":"e","label":"Zyxwvut"#),
            _ => self.served.answer(asked),
        }
    }

    /// Customers change, with a new event each; of the bad ones only what can be read.
    fn goes_on(&mut self, luck: &mut fastrand::Rng, round: usize) {
        let ids: Vec<String> = self.held.customers.iter().map(|(id, _)| id.clone()).collect();
        let at = format!("2024-06-{round:02}T12:00:00Z");
        for id in luck.choose_multiple(ids.iter(), ids.len() / 3) {
            let (bad, event) = (self.bad.get(id).copied(), format!("{id}-e-new-{round}"));
            if bad.is_none() {
                let record = person(id, &format!("changed {round}"), &at);
                self.served.put(id, record.clone());
                self.held.put(id, record);
            }
            if bad != Some(Bad::Forbidden) {
                self.served.add_event(id, &event);
            }
            if !bad.is_some_and(Bad::keeps_runs_incomplete) {
                self.held.add_event(id, &event);
            }
        }
    }

    /// Somebody who was good goes bad; true where that is a reject.
    fn spoil(&mut self, luck: &mut fastrand::Rng) -> bool {
        let good: Vec<&String> =
            self.held.customers.iter().map(|(id, _)| id).filter(|id| !self.bad.contains_key(*id)).collect();
        let (id, bad) = ((*luck.choice(&good).unwrap()).clone(), *luck.choice(&BAD).unwrap());
        let at = "2024-07-01T00:00:00Z";
        match bad {
            Bad::Events | Bad::Undecodable => {}
            Bad::Forbidden => self.served.customers.retain(|(found, _)| *found != id),
            Bad::Record => {
                let record = person(&id, "never", at).replace(&format!("\"{id}@private.example\""), "5");
                self.served.put(&id, record);
            }
            Bad::Event => {
                let events = self.served.events.get_mut(&id).unwrap();
                let at = luck.usize(..=events.len());
                events.insert(at, format!("{{\"id\":\"{id}-e-bad\",\"label\":[\"Zyxwvut\"]}}"));
            }
            Bad::Half => {
                let record = person(&id, "half", at).replace("Zyxwvut half", r"Zyxwvut \ud83d");
                self.served.put(&id, record.clone());
                self.held.put(&id, record);
            }
        }
        self.bad.insert(id, bad);
        bad.is_a_reject()
    }

    /// All of it is put right.
    fn heal(&mut self) {
        for (id, bad) in std::mem::take(&mut self.bad) {
            match bad {
                Bad::Events | Bad::Undecodable => {
                    let events = self.served.events[&id].clone();
                    self.held.events.insert(id, events);
                }
                _ => {
                    let record = person(&id, "healed", "2024-08-01T00:00:00Z");
                    self.held.put(&id, record);
                }
            }
        }
        self.served = self.held.clone();
    }
}

async fn one(mut luck: fastrand::Rng, authority: Arc<Authority>) -> Findings {
    let mut found = Findings::of_a_try();
    let account = account(16, 2, 4);
    let stage = Arc::new(Mutex::new(Stage {
        served: account.clone(),
        held: account,
        bad: BTreeMap::new(),
        asked: 0,
        killed_at: None,
    }));
    let goodbye = match luck.u32(..3) {
        0 => Goodbye::Polite(luck.usize(2..12)),
        1 => Goodbye::Refusing(luck.usize(2..12)),
        _ => Goodbye::Abrupt(luck.usize(2..12)),
    };
    let tls = authority.tls("127.0.0.1", &["h2"]).streams(luck.u32(1..5)).goodbye(goodbye);
    let killing = Arc::new(Notify::new());
    let (shared, reached) = (stage.clone(), killing.clone());
    let server = tls
        .serve(move |asked: Asked| {
            let mut stage = shared.lock().unwrap();
            stage.asked += 1;
            let is_killed = stage.killed_at == Some(stage.asked);
            let (reply, reached) = (stage.answer(&asked), reached.clone());
            async move {
                if is_killed {
                    reached.notify_one();
                    std::future::pending::<()>().await;
                }
                reply
            }
        })
        .await;
    let place = Place::new();
    let program = authority
        .program(&place, &server.base_url())
        .key(KEY)
        .set("sync.events_max_age=0s")
        .set("sync.deletion_limit=1")
        .set("api.max_attempts=4");
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    let mut is_new = false;
    for round in 1..=luck.usize(2..5) {
        {
            let mut stage = stage.lock().unwrap();
            for _ in 0..luck.usize(..3) {
                is_new |= stage.spoil(&mut luck);
            }
            stage.goes_on(&mut luck, round);
            let kill = luck.bool().then(|| stage.asked + luck.usize(1..40));
            stage.killed_at = kill;
        }
        let arguments: &[&str] = if luck.bool() { &["sync"] } else { &["sync", "--full"] };
        let mut codes = Vec::new();
        while codes.is_empty() || (codes.len() == 1 && luck.bool()) {
            let (bad, held) = {
                let stage = stage.lock().unwrap();
                (stage.bad.values().any(|bad| bad.keeps_runs_incomplete()), stage.held.state())
            };
            let code = run_or_kill(&mut found, &program, arguments, &killing).await;
            stage.lock().unwrap().killed_at = None;
            let Some(code) = code else { continue };
            // A reject is told once, by the first run that lives to tell.
            let expected = if std::mem::take(&mut is_new) || bad { 5 } else { 0 };
            found.check(code == expected, || format!("round {round}: exit {code}, not {expected}"));
            found.judge(&held, &place, &program).await;
            codes.push(code);
        }
    }
    stage.lock().unwrap().heal();
    found.ended(&program.run(&["sync", "--full"]).await, &[0]);
    let held = stage.lock().unwrap().held.state();
    found.judge(&held, &place, &program).await;
    found
}
