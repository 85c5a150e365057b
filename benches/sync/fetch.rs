//! The floor of a sync: the same pages, fetched and thrown away.
//!
//! The pages are found out once, by [`Plan::record`]; the floor itself is a process of its own
//! (`sync fetch PLAN CONCURRENCY`), so that its memory and time are its own.

use crate::Outcome;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LINK};
use reqwest::{Client, Response, redirect};
use serde_json::value::RawValue;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// The first argument of the process.
pub const ARGUMENT: &str = "fetch";

/// The pages of an account: those of the list one after the other, and after each, those of its customers' events.
#[derive(Default)]
pub struct Plan {
    base: String,
    lines: Vec<String>,
    /// Customers by the order of the list.
    pub customers: Vec<String>,
}

impl Plan {
    /// Walks the list once, and the events of every n-th customer from the first on; `None`: of nobody.
    pub fn record(base: &str, events_of_every: Option<usize>) -> Outcome<Plan> {
        runtime()?.block_on(record(base, events_of_every))
    }

    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.lines.iter().map(|line| line.split(' ').count() - 1).sum()
    }

    /// For a server at `base` with the same account.
    pub fn write_for(&self, base: &str, file: &Path) -> Outcome<()> {
        Ok(std::fs::write(file, self.lines.join("\n").replace(&self.base, base))?)
    }
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// The settings of the program's own client.
fn client(concurrency: usize) -> Outcome<Client> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer sk_bench"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.malomo+json; version=2"));
    Ok(Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent("malomo-mirror-bench")
        .connect_timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(concurrency)
        .no_proxy()
        .tls_certs_only([])
        .default_headers(headers)
        .build()?)
}

#[derive(serde::Deserialize)]
struct Id {
    id: String,
}

async fn record(base: &str, events_of_every: Option<usize>) -> Outcome<Plan> {
    let client = client(16)?;
    let mut plan = Plan { base: base.to_owned(), ..Plan::default() };
    let mut next = Some(format!("{base}/customers"));
    while let Some(url) = next {
        let (records, after) = page::<Id>(&client, base, &url).await?;
        plan.lines.push(format!("L {url}"));
        if let Some(every) = events_of_every {
            let mut walks = JoinSet::new();
            for (_, customer) in
                (plan.customers.len()..).zip(&records).filter(|(number, _)| number % every == 0)
            {
                let (client, base) = (client.clone(), base.to_owned());
                let url = format!("{base}/customers/{}/events", customer.id);
                walks.spawn(async move { event_pages(&client, &base, url).await.map_err(|e| e.to_string()) });
            }
            while let Some(walk) = walks.join_next().await {
                plan.lines.push(format!("E {}", walk??.join(" ")));
            }
        }
        plan.customers.extend(records.into_iter().map(|customer| customer.id));
        next = after;
    }
    Ok(plan)
}

async fn event_pages(client: &Client, base: &str, first: String) -> Outcome<Vec<String>> {
    let (mut pages, mut next) = (Vec::new(), Some(first));
    while let Some(url) = next {
        let (_, after) = page::<Box<RawValue>>(client, base, &url).await?;
        pages.push(url);
        next = after;
    }
    Ok(pages)
}

/// A page's records, and the URL of the next one from its `Link` header.
async fn page<T: serde::de::DeserializeOwned>(
    client: &Client,
    base: &str,
    url: &str,
) -> Outcome<(Vec<T>, Option<String>)> {
    let answer = client.get(url).send().await?.error_for_status()?;
    let next = next_of(&answer, base);
    Ok((serde_json::from_slice(&answer.bytes().await?)?, next))
}

fn next_of(answer: &Response, base: &str) -> Option<String> {
    let link = answer.headers().get(LINK)?.to_str().ok()?;
    let next = link.split(',').find(|link| link.contains("rel=\"next\""))?;
    let target = next.split_once('<')?.1.split_once('>')?.0;
    Some(if target.starts_with('/') { format!("{base}{target}") } else { target.to_owned() })
}

/// The process: asks for every page of the plan, as many at once as said, and reads each body to its end.
pub fn run(mut arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let plan = std::fs::read_to_string(arguments.next().ok_or("fetch PLAN CONCURRENCY")?)?;
    let concurrency = arguments.next().ok_or("fetch PLAN CONCURRENCY")?.parse()?;
    runtime()?.block_on(fetch(plan, concurrency))
}

async fn fetch(plan: String, concurrency: usize) -> Outcome<()> {
    let client = client(concurrency)?;
    let slots = Arc::new(Semaphore::new(concurrency));
    let (due, mut waiting) = mpsc::channel::<Vec<String>>(1_024);
    let list = {
        let (client, slots) = (client.clone(), slots.clone());
        tokio::spawn(async move {
            for line in plan.lines() {
                let mut urls = line.split(' ').map(str::to_owned);
                if urls.next().as_deref() == Some("E") {
                    due.send(urls.collect()).await.map_err(|_| "nobody fetches events".to_owned())?;
                } else {
                    for url in urls {
                        throw_away(&client, &slots, &url).await?;
                    }
                }
            }
            Ok::<(), String>(())
        })
    };
    let mut walks: JoinSet<Result<(), String>> = JoinSet::new();
    while let Some(urls) = waiting.recv().await {
        while walks.len() >= concurrency {
            walks.join_next().await.transpose()?.transpose()?;
        }
        let (client, slots) = (client.clone(), slots.clone());
        walks.spawn(async move {
            for url in urls {
                throw_away(&client, &slots, &url).await?;
            }
            Ok(())
        });
    }
    while let Some(walk) = walks.join_next().await {
        walk??;
    }
    Ok(list.await??)
}

async fn throw_away(client: &Client, slots: &Semaphore, url: &str) -> Result<(), String> {
    let _slot = slots.acquire().await.map_err(|error| error.to_string())?;
    let answer = client.get(url).send().await.and_then(Response::error_for_status);
    let mut answer = answer.map_err(|error| error.to_string())?;
    while answer.chunk().await.map_err(|error| error.to_string())?.is_some() {}
    Ok(())
}
