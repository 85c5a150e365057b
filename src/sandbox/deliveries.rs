//! Sends what is to be delivered to webhooks, as the vendor does and as networks do: some of it never, twice, late, or by
//! somebody else.

use super::draw::{Draw, Purpose};
use super::webhooks::{DeliveryCounts, Letter};
use super::world::World;
use crate::webhook::{SIGNATURE, TOPIC};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Attempts at a delivery, and how long one may take: both are documented (`api-contract`, "Webhooks").
const ATTEMPTS: u32 = 10;
const ATTEMPT_WITHIN: Duration = Duration::from_secs(10);

/// The wait after the first attempt. It doubles with each further one, so that the last attempt comes after 24 hours.
const FIRST_WAIT: Duration = Duration::from_secs(169);

/// Deliveries at once.
const AT_ONCE: usize = 64;

/// Deliveries that are being sent, or wait for their next attempt.
const GOING_AT_MOST: usize = 20_000;

/// Old deliveries that may be sent once more.
const KEPT: usize = 1_000;

/// Delivers until told to stop.
pub(super) async fn run(world: Arc<World>, stop: CancellationToken) {
    // What is made up here goes where it is meant to go, whatever the machine's proxies and the answers say.
    let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(ATTEMPT_WITHIN).build();
    let Ok(client) = client else { return };
    let sender = Arc::new(Sender { world, client, places: Semaphore::new(AT_ONCE) });
    let (mut going, mut old) = (JoinSet::new(), VecDeque::new());
    loop {
        while going.try_join_next().is_some() {}
        if going.len() >= GOING_AT_MOST {
            // The others wait in the outbox, which loses the oldest ones where it gets too long.
            tokio::select! {
                () = stop.cancelled() => return,
                _ = going.join_next() => continue,
            }
        }
        let Some(letter) = sender.world.post.next_letter() else {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sender.world.post.news.notified() => continue,
            }
        };
        let replayed = sender.replayed(&letter, &old);
        old.push_back(letter.clone());
        if old.len() > KEPT {
            old.pop_front();
        }
        let sender = sender.clone();
        going.spawn(async move { sender.deliver(letter, replayed).await });
    }
}

struct Sender {
    world: Arc<World>,
    client: Client,
    places: Semaphore,
}

/// What may go wrong with a delivery; chance is drawn for each of them by itself.
#[derive(Clone, Copy)]
enum Chance {
    Lost,
    Repeated,
    Forged,
    Replayed,
}

impl Sender {
    fn happens(&self, letter: &Letter, chance: Chance) -> bool {
        let settings = &self.world.settings;
        let share = match chance {
            Chance::Lost => settings.webhook_loss,
            Chance::Repeated => settings.webhook_repeat,
            Chance::Forged => settings.webhook_forged,
            Chance::Replayed => settings.webhook_replayed,
        };
        Draw::new(settings.seed, Purpose::Delivery, letter.number, chance as u64).unit() < share
    }

    /// An old delivery that comes once more beside this one.
    fn replayed(&self, letter: &Letter, old: &VecDeque<Letter>) -> Option<Letter> {
        let draw = || Draw::new(self.world.settings.seed, Purpose::Delivery, letter.number, u64::MAX);
        let at = draw().below(old.len() as u64) as usize;
        old.get(at).filter(|_| self.happens(letter, Chance::Replayed)).cloned()
    }

    fn count(&self, count: impl FnOnce(&mut DeliveryCounts)) {
        self.world.post.counts.send_modify(count);
    }

    async fn deliver(&self, letter: Letter, replayed: Option<Letter>) {
        sleep(self.world.settings.webhook_delay).await;
        if self.happens(&letter, Chance::Forged) {
            // Somebody who doesn't know the secret.
            let signature = Some("0".repeat(64));
            self.count(|counts| counts.forged += 1);
            self.attempt(&Letter { signature, ..letter.clone() }, 1).await;
        }
        if let Some(old) = replayed {
            self.count(|counts| counts.replayed += 1);
            self.attempt(&old, 1).await;
        }
        if self.happens(&letter, Chance::Lost) {
            self.count(|counts| {
                counts.lost += 1;
                counts.pending -= 1;
            });
            return;
        }
        let is_taken = self.attempts(&letter).await;
        if is_taken && self.happens(&letter, Chance::Repeated) {
            self.attempt(&letter, 1).await;
        }
        self.count(|counts| {
            counts.pending -= 1;
            counts.given_up += u64::from(!is_taken);
        });
    }

    /// Whether it was taken.
    async fn attempts(&self, letter: &Letter) -> bool {
        let mut wait = FIRST_WAIT.div_f64(self.world.settings.time_factor);
        for number in 1..=ATTEMPTS {
            if self.attempt(letter, number).await.is_some_and(|status| status.is_success()) {
                return true;
            }
            if number < ATTEMPTS {
                sleep(wait).await;
                wait = wait.saturating_mul(2);
            }
            if !self.world.post.wants(&letter.webhook) {
                return false;
            }
        }
        false
    }

    async fn attempt(&self, letter: &Letter, number: u32) -> Option<StatusCode> {
        // Never closed.
        let _place = self.places.acquire().await.ok()?;
        let mut request = self
            .client
            .post(&letter.url)
            .header(CONTENT_TYPE, "application/json")
            .header(TOPIC, letter.topic)
            .header("malomo-webhook-id", &letter.webhook)
            .header("malomo-attempt-number", number)
            .body(letter.body.to_string());
        if let Some(signature) = &letter.signature {
            request = request.header(SIGNATURE, signature);
        }
        let status = request.send().await.ok().map(|answer| answer.status());
        self.count(|counts| {
            counts.attempts += 1;
            counts.taken += u64::from(status.is_some_and(|status| status.is_success()));
        });
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Settings;

    #[tokio::test]
    async fn a_delivery_that_nobody_takes_is_tried_ten_times_and_then_given_up() {
        // 24 hours in a tenth of a second.
        let world = Arc::new(World::new(&Settings { customers: 1, time_factor: 1e6, ..Settings::default() }));
        // Nobody listens there.
        let hook = br#"{"url":"http://127.0.0.1:1/","topic":"events:created"}"#;
        world.create_webhook(hook).unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(world.clone(), stop.clone()));
        world.add_event(&world.customer_ids()[0]).unwrap();
        let mut counts = world.post.counts.subscribe();
        let counts = *counts.wait_for(|counts| counts.pending == 0).await.unwrap();
        let expected = DeliveryCounts { due: 1, attempts: 10, given_up: 1, ..DeliveryCounts::default() };
        assert_eq!(counts, expected);
        stop.cancel();
        running.await.unwrap();
    }
}
