//! What calls for a look.

use serde::{Serialize, Serializer};

/// Why a customer's events are looked at. The mirror keeps how often each reason led to news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// The customer is new to the mirror.
    New,
    /// The customer's record changed.
    Changed,
    /// An earlier run could not read the events, or left them to be read again.
    Pending,
    /// A full sync looks at everybody.
    Full,
    /// The user named the customer.
    Asked,
    /// A webhook hinted at the customer.
    Pushed,
    /// The customer's turn has come (`sync.events_max_age`).
    Turn,
    /// New events are likely by now (`sync.event_budget`).
    Expected,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 8] = [
        Signal::New,
        Signal::Changed,
        Signal::Pending,
        Signal::Full,
        Signal::Asked,
        Signal::Pushed,
        Signal::Turn,
        Signal::Expected,
    ];

    /// The name in the mirror, in metrics and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::New => "new",
            Signal::Changed => "changed",
            Signal::Pending => "pending",
            Signal::Full => "full",
            Signal::Asked => "asked",
            Signal::Pushed => "pushed",
            Signal::Turn => "turn",
            Signal::Expected => "expected",
        }
    }

    /// Its place in [`Signal::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The signal of that name.
    pub fn from_name(name: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.name() == name)
    }
}

/// As its name.
impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
