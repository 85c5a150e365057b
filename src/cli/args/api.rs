//! Of the commands that speak with the API alone.

use crate::api::{CustomerFields, WebhookFields};
use clap::Subcommand;

#[derive(Subcommand)]
pub(in crate::cli) enum Customers {
    /// Every customer, one JSON object a line
    List,
    /// One customer
    Get {
        /// The customer's id
        id: String,
    },
    /// Create a customer
    Create(CustomerFields),
    /// Change a customer; sends only what is given
    Update {
        /// The customer's id
        id: String,
        #[command(flatten)]
        fields: CustomerFields,
    },
    /// Delete a customer at Malomo, for good; asks first
    Delete {
        /// The customer's id
        id: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Events {
    /// Every event of a customer, one JSON object a line
    List {
        /// The customer's id
        customer_id: String,
    },
}

#[derive(Subcommand)]
pub(in crate::cli) enum Webhooks {
    /// Every webhook, one JSON object a line
    List,
    /// Create a webhook
    Create(WebhookFields),
    /// Change a webhook; sends only what is given
    Update {
        /// The webhook's id
        id: String,
        #[command(flatten)]
        fields: WebhookFields,
    },
    /// Delete a webhook at Malomo; asks first
    Delete {
        /// The webhook's id
        id: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// See to it that what the daemon is to hear of is delivered there, signed with the webhook secret; changes nothing where
    /// it is so already
    Install(Install),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Install {
    /// Where the daemon can be reached from outside, such as https://mirror.example.com/webhooks/malomo
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) url: String,
    /// What is to be delivered; may be given several times
    #[arg(long = "topic", value_name = "TOPIC", default_value = "events:created")]
    pub(in crate::cli) topics: Vec<String>,
    /// Send the secret again, also where nothing else has to change: after it was replaced
    #[arg(long)]
    pub(in crate::cli) renew_secret: bool,
}
