//! Where something may be sent outside this machine, and what became of it: the names of settings and metrics.

/// Where something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// `notify.url`
    Message,
    /// `notify.url_start`
    Start,
    /// `notify.url_ok`
    Ok,
    /// `notify.url_failed`
    Failed,
}

impl Target {
    /// Every target.
    pub const ALL: [Target; 4] = [Target::Message, Target::Start, Target::Ok, Target::Failed];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Target::Message => "message",
            Target::Start => "start",
            Target::Ok => "ok",
            Target::Failed => "failed",
        }
    }

    /// The key that sets its address.
    pub const fn setting(self) -> &'static str {
        match self {
            Target::Message => "notify.url",
            Target::Start => "notify.url_start",
            Target::Ok => "notify.url_ok",
            Target::Failed => "notify.url_failed",
        }
    }
}

/// What became of something that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// The receiver took it.
    Sent,
    /// It refused it, or could not be reached, or didn't answer in time.
    Failed,
    /// Too much else waited to be sent.
    Dropped,
}

impl Sent {
    /// Every result.
    pub const ALL: [Sent; 3] = [Sent::Sent, Sent::Failed, Sent::Dropped];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Sent::Sent => "sent",
            Sent::Failed => "failed",
            Sent::Dropped => "dropped",
        }
    }
}
