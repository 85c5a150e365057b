//! Words to people and monitors outside this machine: what is said, when, and how it gets there.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | `run_end` | how a run ended, as far as somebody may have to hear of it | none |
//! | `causes` | what there is to say, what is held back, and when all is well again | none |
//! | `kept` | the file in which it outlives the daemon | disk |
//! | `message` | the text and the JSON of a message | none |
//! | `disk` | how much room there is, and whether that is little | disk |
//! | `post` | one request to one address, within its time | network |
//! | `messenger` | the task that takes words from runs and sends what follows from them | network, disk |
//!
//! A run never waits for any of this: its words go into a bounded queue, and one that finds no room is dropped and
//! counted.

mod causes;
mod disk;
mod kept;
mod message;
mod messenger;
mod post;
mod run_end;

pub use causes::Cause;
pub use disk::Disk;
pub use messenger::{Messenger, Sender};
pub use post::Delivery;
pub use run_end::{Fault, FaultKind, RunEnd};

use super::target::Target;
use reqwest::Url;

/// `[notify]`: where words go. The addresses are secrets: whoever has one can write there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Gets a message as JSON when something needs a person.
    pub url: Option<Url>,
    /// Is pinged when a scheduled run begins.
    pub url_start: Option<Url>,
    /// Is pinged when a scheduled run has ended well.
    pub url_ok: Option<Url>,
    /// Is pinged when a scheduled run has failed.
    pub url_failed: Option<Url>,
}

/// Only what is set, not where it leads.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(Target::ALL.iter().filter(|target| self.address(**target).is_some())).finish()
    }
}

impl Settings {
    /// Where `target` is; `None`: it is off.
    pub fn address(&self, target: Target) -> Option<&Url> {
        match target {
            Target::Message => self.url.as_ref(),
            Target::Start => self.url_start.as_ref(),
            Target::Ok => self.url_ok.as_ref(),
            Target::Failed => self.url_failed.as_ref(),
        }
    }
}
