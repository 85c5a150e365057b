//! Servers that allow so much and no more: how much of it is used, and how often they have to refuse.

use crate::Outcome;
use crate::measure::{self, median, middle};
use crate::place::Place;
use crate::relay::{Answer, Relay};
use crate::server::Server;
use crate::table::{Row, Table};
use serde_json::Value;
use std::fmt::{self, Display, Formatter};
use std::process::Command;
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

/// A limit that is met first costs refusals before it can be kept: how it is kept from so long after the first answer is
/// told beside.
const LEARNING: Duration = Duration::from_secs(5);

pub fn measure(case: &Case, runs: usize, table: &mut Table) -> Outcome<()> {
    let (customers, latency) = (CUSTOMERS.to_string(), format!("{LATENCY_MS}ms"));
    let (mut taken, mut later, mut last) = (Vec::new(), Vec::new(), Value::Null);
    for _ in 0..runs.max(1) {
        let place = Place::new()?;
        let (limit, most) = match case.allows {
            Allows::RequestsASecond(most) => ("--rate-limit", most),
            Allows::AtOnce(most) => ("--concurrency-limit", most),
        };
        let most = most.to_string();
        let server = Server::start(&["--customers", &customers, "--latency", &latency, limit, &most])?;
        let ran = if case.is_known {
            measure::run(&mut place.command(&server.url, &[], &["sync", "--full"]))?;
            measure::run(&mut sync(&place, &server.url))?
        } else {
            let relay = Relay::to(server.address()?)?;
            let ran = measure::run(&mut sync(&place, &relay.url))?;
            later.push(Shares::after(LEARNING, &relay.take(), case.allows)?);
            ran
        };
        taken.push(ran.taken);
        last = serde_json::from_str(&ran.stdout)?;
    }
    let taken = median(&taken);
    let count = |name: &str| last["counts"][name].as_u64().unwrap_or_default();
    let (requests, refused) = (count("requests"), count("retries"));
    let least = case.allows.seconds((requests - refused) as f64);
    let in_all = Shares { used: least / taken.seconds, refused: refused as f64 / requests as f64 };
    let after = if case.is_known { String::new() } else { format!("; after 5 s {}", Shares::median(&later)) };
    // A known limit is kept from the first request on; one that is met first has to be found.
    let bar = if case.is_known {
        Shares { used: 0.95, refused: 0.0 }
    } else {
        Shares { used: 0.85, refused: 0.015 }
    };
    table.add(Row {
        case: case.name.to_owned(),
        taken,
        requests: Some(requests),
        records: count("customers_seen") + count("events_seen"),
        floor: Some(least),
        reached: format!("{in_all}{after}"),
        bar: bar.to_string(),
        holds: in_all.used >= bar.used && in_all.refused <= bar.refused,
    });
    Ok(())
}

fn sync(place: &Place, url: &str) -> Command {
    place.command(url, &[], &["sync", "--full", "--json"])
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

/// How much of what was allowed was used, and of the answers refused.
struct Shares {
    used: f64,
    refused: f64,
}

impl Shares {
    /// From so long after the first answer until the last one.
    fn after(learning: Duration, answers: &[Answer], allows: Allows) -> Outcome<Shares> {
        let (first, last) = answers.first().zip(answers.last()).ok_or("nothing was answered")?;
        let from = first.at + learning;
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
}

impl Display for Shares {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} % used, {:.2} % refused", 100.0 * self.used, 100.0 * self.refused)
    }
}
