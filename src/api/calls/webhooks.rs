//! The calls of the webhook resource, but for its list.

use super::client::Client;
use crate::api::errors::ApiError;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;
use serde_json::value::RawValue;

/// What to send of a webhook; what is `None` is not sent. They are also the flags of the commands that write a webhook,
/// whose help shows these texts. `Debug` is left out: they may hold the secret.
#[derive(Clone, Default, serde::Serialize, clap::Args)]
#[group(required = true, multiple = true)]
pub struct WebhookFields {
    /// Where deliveries are sent
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is delivered, such as events:created
    #[arg(long, value_name = "TOPIC")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Whether anything is delivered
    #[arg(long, value_name = "true|false")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Have deliveries signed with the webhook secret, which comes from $MALOMO_WEBHOOK_SECRET, webhook.secret_file or the
    /// systemd credential, never from an argument
    #[arg(long = "secret")]
    #[serde(skip)]
    pub is_signed: bool,
    /// The secret itself. The API takes it and never gives it back.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub secret: Option<SecretString>,
}

fn exposed<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_some(&secret.as_ref().map(ExposeSecret::expose_secret))
}

impl Client {
    /// Creates a webhook and returns it as the API gave it.
    ///
    /// # Errors
    /// Repeated only while no connection can be made: after any other failure but a 4xx the webhook may exist nevertheless.
    pub async fn create_webhook(&self, fields: &WebhookFields) -> Result<Box<RawValue>, ApiError> {
        self.write(Method::POST, self.url(&["webhooks"])?, fields).await
    }

    /// Changes the given fields of a webhook and returns it as the API gave it. Idempotent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::api::ErrorKind::NotFound) where there is none; otherwise when all attempts failed. After
    /// any failure but a 4xx the change may have been made nevertheless.
    pub async fn update_webhook(&self, id: &str, fields: &WebhookFields) -> Result<Box<RawValue>, ApiError> {
        self.write(Method::PUT, self.url(&["webhooks", id])?, fields).await
    }

    /// Deletes a webhook. Where an answer was lost and the repeated request finds no such webhook, that counts as done.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::api::ErrorKind::NotFound) where there was none; otherwise when all attempts failed.
    pub async fn delete_webhook(&self, id: &str) -> Result<(), ApiError> {
        self.remove(self.url(&["webhooks", id])?).await
    }
}
