//! Servers that allow so much and no more: how much of it is used, and how often they have to refuse.

use crate::Outcome;
use crate::measure::{self, median};
use crate::place::Place;
use crate::server::Server;
use crate::table::{Row, Table};
use serde_json::Value;

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

pub fn measure(case: &Case, runs: usize, table: &mut Table) -> Outcome<()> {
    let (customers, latency) = (CUSTOMERS.to_string(), format!("{LATENCY_MS}ms"));
    let (mut taken, mut last) = (Vec::new(), Value::Null);
    for _ in 0..runs.max(1) {
        let place = Place::new()?;
        let (limit, most) = match case.allows {
            Allows::RequestsASecond(most) => ("--rate-limit", most),
            Allows::AtOnce(most) => ("--concurrency-limit", most),
        };
        let most = most.to_string();
        let server = Server::start(&["--customers", &customers, "--latency", &latency, limit, &most])?;
        if case.is_known {
            measure::run(&mut place.command(&server.url, &[], &["sync", "--full"]))?;
        }
        let ran = measure::run(&mut place.command(&server.url, &[], &["sync", "--full", "--json"]))?;
        taken.push(ran.taken);
        last = serde_json::from_str(&ran.stdout)?;
    }
    let taken = median(&taken);
    let count = |name: &str| last["counts"][name].as_u64().unwrap_or_default();
    let (requests, refused) = (count("requests"), count("retries"));
    let done = (requests - refused) as f64;
    let least = match case.allows {
        Allows::RequestsASecond(rate) => done / rate as f64,
        Allows::AtOnce(most) => done * LATENCY_MS as f64 / 1e3 / most as f64,
    };
    let (used, share) = (least / taken.seconds, refused as f64 / requests as f64);
    table.add(Row {
        case: case.name.to_owned(),
        taken,
        requests: Some(requests),
        records: count("customers_seen") + count("events_seen"),
        floor: Some(least),
        reached: format!("{:.1} % used, {:.2} % refused", 100.0 * used, 100.0 * share),
        bar: "95 % used, 1 % refused".to_owned(),
        holds: used >= 0.95 && share < 0.01,
    });
    Ok(())
}
