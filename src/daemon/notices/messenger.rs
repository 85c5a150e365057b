//! The task that takes words from runs and sends what follows from them.

use super::Settings;
use super::causes::{Due, Told};
use super::kept;
use super::message::{Message, ping};
use super::post::{Body, Delivery, TIME_OUT, post};
use super::run_end::RunEnd;
use crate::daemon::metrics::Metrics;
use crate::daemon::target::{Sent, Target};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// Words that may wait. A run has two, and sending takes seconds at most: more wait only where a receiver hangs.
const QUEUE: usize = 16;

/// A word from a run, with the addresses that are in force.
#[derive(Debug)]
enum Word {
    /// A scheduled run begins.
    Began(Settings),
    /// A run has ended.
    Ended(Settings, Box<RunEnd>),
    /// Nothing comes any more.
    Stop,
}

/// Takes words and never waits.
#[derive(Debug, Clone)]
pub struct Sender {
    words: mpsc::Sender<Word>,
    metrics: Arc<Metrics>,
}

/// The task at work.
#[derive(Debug)]
pub struct Messenger {
    words: mpsc::Sender<Word>,
    task: JoinHandle<()>,
}

impl Messenger {
    /// Begins to take words about the mirror at `mirror`, of this machine, called `host`.
    pub fn start(mirror: PathBuf, host: String, metrics: Arc<Metrics>) -> (Sender, Messenger) {
        let (words, queue) = mpsc::channel(QUEUE);
        let task = tokio::spawn(work(mirror, host, queue, metrics.clone()));
        (Sender { words: words.clone(), metrics }, Messenger { words, task })
    }

    /// Takes no further words, and waits for what is still to be sent, as long as one delivery may take.
    pub async fn finish(self) {
        let finished = async {
            // It fails where the task has crashed, and then there is nothing to wait for.
            let _ = self.words.send(Word::Stop).await;
            self.task.await
        };
        if timeout(TIME_OUT, finished).await.is_err() {
            tracing::warn!("the daemon ends before everything that was to be notified of was sent");
        }
    }
}

impl Sender {
    /// A scheduled run begins.
    pub fn began(&self, settings: &Settings) {
        if settings.url_start.is_some() {
            self.pass(Word::Began(settings.clone()), Target::Start);
        }
    }

    /// A run has ended.
    pub fn ended(&self, settings: &Settings, end: RunEnd) {
        if *settings != Settings::default() {
            self.pass(Word::Ended(settings.clone(), Box::new(end)), Target::Message);
        }
    }

    fn pass(&self, word: Word, target: Target) {
        if let Err(TrySendError::Full(_)) = self.words.try_send(word) {
            self.metrics.notified(target, Sent::Dropped);
            tracing::warn!(setting = target.setting(), "a notification was dropped: others wait to be sent");
        }
    }
}

async fn work(mirror: PathBuf, host: String, mut words: mpsc::Receiver<Word>, metrics: Arc<Metrics>) {
    let mut told: Option<Told> = None;
    while let Some(word) = words.recv().await {
        match word {
            Word::Began(settings) => drop(send(&settings, Target::Start, &Body::Nothing, &metrics).await),
            Word::Ended(settings, end) => {
                let before = match told.take() {
                    Some(told) => told,
                    None => kept(&mirror).await,
                };
                let mut after = before.clone();
                after.count(&end);
                report(&settings, &end, &host, &mut after, &metrics).await;
                if after != before {
                    keep(&mirror, &after).await;
                }
                told = Some(after);
            }
            Word::Stop => return,
        }
    }
}

async fn report(settings: &Settings, end: &RunEnd, host: &str, told: &mut Told, metrics: &Metrics) {
    if end.is_scheduled() {
        match told.is_good(end) {
            Some(true) => drop(send(settings, Target::Ok, &Body::Nothing, metrics).await),
            Some(false) => drop(send(settings, Target::Failed, &Body::Line(ping(end)), metrics).await),
            None => {}
        }
    }
    if settings.url.is_none() {
        return;
    }
    for due in told.due(end, Timestamp::now()) {
        let now = Timestamp::now();
        let delivery = send_message(settings, &due, end, host, now, metrics).await;
        told.delivered(&due, delivery, now);
    }
}

async fn send_message(
    settings: &Settings,
    due: &Due,
    end: &RunEnd,
    host: &str,
    now: Timestamp,
    metrics: &Metrics,
) -> Delivery {
    match serde_json::to_string(&Message::of(due, end, host, now)) {
        Ok(json) => send(settings, Target::Message, &Body::Json(json), metrics).await,
        Err(error) => {
            tracing::error!(%error, "a notification has no JSON form");
            Delivery::NotTaken
        }
    }
}

async fn send(settings: &Settings, target: Target, body: &Body, metrics: &Metrics) -> Delivery {
    let Some(url) = settings.address(target) else { return Delivery::NotTaken };
    let (delivery, why) = post(target, url, body).await;
    let result = if delivery == Delivery::Taken { Sent::Sent } else { Sent::Failed };
    metrics.notified(target, result);
    if let Some(why) = why {
        tracing::warn!(setting = target.setting(), why, "a notification could not be delivered");
    } else {
        tracing::debug!(setting = target.setting(), "notified");
    }
    delivery
}

async fn keep(mirror: &Path, told: &Told) {
    let (place, told) = (mirror.to_owned(), told.clone());
    // Where the task crashed, the log has said so.
    if let Ok(Err(error)) = spawn_blocking(move || kept::write(&place, &told)).await {
        tracing::warn!(%error, "what was told can't be kept beside the mirror; the daemon knows it until its end");
    }
}

async fn kept(mirror: &Path) -> Told {
    let place = mirror.to_owned();
    spawn_blocking(move || kept::read(&place)).await.unwrap_or_default()
}
