//! The one thread that writes hints. Deliveries that come while a transaction is under way share the next one, so that their
//! number a second is not bounded by how often the disk can be synced.

use super::Delivery;
use crate::mirror::{HintWriter, MirrorError, Taken, Turns};
use crate::webhook::{Candidates, Tag};
use jiff::Timestamp;
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::thread::Builder;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Deliveries that may wait; more are refused, to be sent again.
const QUEUE: usize = 256;

/// Deliveries that are remembered, to know them again.
const REMEMBERED: usize = 8_192;

/// How long a delivery waits for the mirror. The vendor gives up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where deliveries go to be made durable.
#[derive(Debug)]
pub struct Intake {
    deliveries: mpsc::Sender<Waiting>,
}

struct Waiting {
    found: Candidates,
    tag: Tag,
    answer: oneshot::Sender<Delivery>,
}

impl Intake {
    /// Starts the thread, which ends with the last sender. `turns` are those of the runs in this process; `hinted` is called
    /// whenever new hints are durable.
    ///
    /// # Errors
    /// When the machine has no thread left.
    pub fn start(
        mirror: PathBuf,
        turns: Turns,
        hinted: impl Fn() + Send + 'static,
    ) -> std::io::Result<Intake> {
        let (deliveries, queue) = mpsc::channel(QUEUE);
        let worker = Worker { mirror, turns, writer: None, recent: Recent::default(), is_refusing: false };
        Builder::new().name("webhook-hints".to_owned()).spawn(move || worker.work(queue, &hinted))?;
        Ok(Intake { deliveries })
    }

    /// Takes a delivery, whose body has this tag. What it tells is durable when this returns [`Delivery::Hinted`] or
    /// [`Delivery::Unmatched`]; after [`Delivery::Busy`] it may be.
    pub(super) async fn take(&self, found: Candidates, tag: Tag) -> Delivery {
        let (answer, answered) = oneshot::channel();
        if self.deliveries.try_send(Waiting { found, tag, answer }).is_err() {
            return Delivery::Busy;
        }
        match timeout(PATIENCE, answered).await {
            Ok(Ok(delivery)) => delivery,
            _ => Delivery::Busy,
        }
    }
}

struct Worker {
    mirror: PathBuf,
    turns: Turns,
    /// Open as long as it serves.
    writer: Option<HintWriter>,
    recent: Recent,
    /// Whether the last deliveries had to be refused.
    is_refusing: bool,
}

impl Worker {
    fn work(mut self, mut queue: mpsc::Receiver<Waiting>, hinted: &impl Fn()) {
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            while group.len() < QUEUE
                && let Ok(next) = queue.try_recv()
            {
                group.push(next);
            }
            self.group(group, hinted);
        }
    }

    /// Takes deliveries together, and answers each.
    fn group(&mut self, group: Vec<Waiting>, hinted: &impl Fn()) {
        let (mut founds, mut waiting) = (Vec::new(), Vec::new());
        for Waiting { found, tag, answer } in group {
            // A body without a date may come twice for two changes.
            let tag = found.is_dated.then_some(tag);
            if tag.is_some_and(|tag| self.recent.knows(&tag)) {
                // If nobody waits any more, nobody needs the answer.
                let _ = answer.send(Delivery::Repeated);
                continue;
            }
            founds.push(found);
            waiting.push((tag, answer));
        }
        if founds.is_empty() {
            return;
        }
        let taken = self.write(&founds);
        self.tell(taken.as_ref().err());
        let Ok(taken) = taken else {
            for (_, answer) in waiting {
                let _ = answer.send(Delivery::Busy);
            }
            return;
        };
        if taken.contains(&Taken::Hinted) {
            hinted();
        }
        for ((tag, answer), taken) in waiting.into_iter().zip(taken) {
            if let Some(tag) = tag {
                self.recent.remember(tag);
            }
            let _ = answer.send(match taken {
                Taken::Hinted => Delivery::Hinted,
                Taken::Unmatched => Delivery::Unmatched,
            });
        }
    }

    /// `Err(None)`: nothing was loaded into the mirror yet.
    fn write(&mut self, founds: &[Candidates]) -> Result<Vec<Taken>, Option<MirrorError>> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => HintWriter::open(&self.mirror).map_err(Some)?.ok_or(None)?,
        };
        let taken = writer.take(founds, Timestamp::now(), &self.turns).map_err(Some)?;
        self.writer = Some(writer);
        Ok(taken)
    }

    /// Logs when refusing begins and ends.
    fn tell(&mut self, refused: Option<&Option<MirrorError>>) {
        match refused {
            Some(error) if !self.is_refusing => {
                let not_loaded = "the mirror was not loaded yet".to_owned();
                let error = error.as_ref().map_or(not_loaded, ToString::to_string);
                tracing::warn!(
                    error,
                    "deliveries of webhooks are refused with 503, for Malomo to send them again"
                );
            }
            None if self.is_refusing => tracing::info!("deliveries of webhooks are taken again"),
            _ => {}
        }
        self.is_refusing = refused.is_some();
    }
}

/// The newest deliveries that were taken.
#[derive(Default)]
struct Recent {
    tags: HashSet<Tag>,
    /// Oldest first.
    order: VecDeque<Tag>,
}

impl Recent {
    fn knows(&self, tag: &Tag) -> bool {
        self.tags.contains(tag)
    }

    fn remember(&mut self, tag: Tag) {
        if !self.tags.insert(tag) {
            return;
        }
        self.order.push_back(tag);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.tags.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_deliveries_are_known_again() {
        let tag = |n: usize| {
            let mut tag = Tag::default();
            tag[..8].copy_from_slice(&n.to_be_bytes());
            tag
        };
        let mut recent = Recent::default();
        for n in 0..REMEMBERED + 2 {
            recent.remember(tag(n));
            recent.remember(tag(n));
        }
        assert_eq!((recent.tags.len(), recent.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!recent.knows(&tag(1)) && recent.knows(&tag(2)) && recent.knows(&tag(REMEMBERED + 1)));
    }
}
