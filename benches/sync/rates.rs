//! Servers that allow so much and no more: how much of it is used, and how often they have to refuse.

use crate::Outcome;
use crate::measure::{self, median, middle};
use crate::place::Place;
use crate::relay::{Answer, Relay};
use crate::server::Server;
use crate::table::{Row, Table};
use serde_json::Value;
use std::time::Duration;

/// What the server allows.
#[derive(Clone, Copy)]
enum Allows {
    RequestsASecond(u64),
    AtOnce(u64),
}

/// A sync against such a server.
pub struct Case {
    pub name: &'static str,
    allows: Allows,
    /// Whether an earlier run has met the limit.
    is_known: bool,
}

pub const ALL: &[Case] = &[
    Case {
        name: "100 requests a second allowed, met first",
        allows: Allows::RequestsASecond(100),
        is_known: false,
    },
    Case {
        name: "100 requests a second allowed, known",
        allows: Allows::RequestsASecond(100),
        is_known: true,
    },
    Case { name: "8 requests at once allowed, met first", allows: Allows::AtOnce(8), is_known: false },
    Case { name: "8 requests at once allowed, known", allows: Allows::AtOnce(8), is_known: true },
];

const CUSTOMERS: u64 = 3_000;
const LATENCY_MS: u64 = 50;

/// A limit that nobody knows has to be met before it can be kept: it is judged from so long after the first answer.
const LEARNING: Duration = Duration::from_secs(5);

pub fn measure(case: &Case, runs: usize, table: &mut Table) -> Outcome<()> {
    let (customers, latency) = (CUSTOMERS.to_string(), format!("{LATENCY_MS}ms"));
    let (mut taken, mut in_all, mut judged, mut last) = (Vec::new(), Vec::new(), Vec::new(), Value::Null);
    for _ in 0..runs.max(1) {
        let place = Place::new()?;
        let (limit, most) = match case.allows {
            Allows::RequestsASecond(most) => ("--rate-limit", most),
            Allows::AtOnce(most) => ("--concurrency-limit", most),
        };
        let most = most.to_string();
        let server = Server::start(&["--customers", &customers, "--latency", &latency, limit, &most])?;
        let relay = Relay::to(server.address()?)?;
        if case.is_known {
            measure::run(&mut place.command(&relay.url, &[], &["sync", "--full"]))?;
            relay.take();
        }
        let ran = measure::run(&mut place.command(&relay.url, &[], &["sync", "--full", "--json"]))?;
        taken.push(ran.taken);
        last = serde_json::from_str(&ran.stdout)?;
        let answers = relay.take();
        in_all.push(Shares::of(&answers, Duration::ZERO, case.allows)?);
        let learning = if case.is_known { Duration::ZERO } else { LEARNING };
        judged.push(Shares::of(&answers, learning, case.allows)?);
    }
    let (taken, in_all, judged) = (median(&taken), Shares::median(&in_all), Shares::median(&judged));
    let count = |name: &str| last["counts"][name].as_u64().unwrap_or_default();
    let done = count("requests") - count("retries");
    let (reached, from) = if case.is_known {
        (judged.text(), "")
    } else {
        (format!("after 5 s {}; in all {}", judged.text(), in_all.text()), " after 5 s")
    };
    table.add(Row {
        case: case.name.to_owned(),
        taken,
        requests: Some(count("requests")),
        records: count("customers_seen") + count("events_seen"),
        floor: Some(case.allows.seconds(done as f64)),
        reached,
        bar: format!("95 % used, 1 % refused{from}"),
        holds: judged.used >= 0.95 && judged.refused < 0.01,
    });
    Ok(())
}

impl Allows {
    /// How long so many requests take at least.
    fn seconds(self, requests: f64) -> f64 {
        match self {
            Allows::RequestsASecond(rate) => requests / rate as f64,
            Allows::AtOnce(most) => requests * LATENCY_MS as f64 / 1e3 / most as f64,
        }
    }
}

/// Of what was allowed, and of the answers.
struct Shares {
    used: f64,
    refused: f64,
}

impl Shares {
    /// From so long after the first answer until the last one.
    fn of(answers: &[Answer], after: Duration, allows: Allows) -> Outcome<Shares> {
        let (first, last) = answers.first().zip(answers.last()).ok_or("nothing was answered")?;
        let from = first.at + after;
        let counted: Vec<_> = answers.iter().filter(|answer| answer.at >= from).collect();
        let refused = counted.iter().filter(|answer| answer.is_refusal).count() as f64;
        let all = counted.len() as f64;
        let seconds = last.at.saturating_duration_since(from).as_secs_f64();
        Ok(Shares { used: allows.seconds(all - refused) / seconds, refused: refused / all })
    }

    fn median(runs: &[Shares]) -> Shares {
        let of = |figure: fn(&Shares) -> f64| middle(runs.iter().map(figure).collect());
        Shares { used: of(|shares| shares.used), refused: of(|shares| shares.refused) }
    }

    fn text(&self) -> String {
        format!("{:.1} % used, {:.2} % refused", 100.0 * self.used, 100.0 * self.refused)
    }
}
