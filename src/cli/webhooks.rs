//! `webhooks …`: the API's webhooks, and the one that the daemon wants.

use super::args::{self, Global};
use super::customers::{confirmed, each_page, one_line, text_of};
use super::exit::{Exit, Failure};
use super::{assemble, output};
use crate::api::{Client, List, WebhookFields, check_base};
use crate::config::Config;
use crate::observe::Unobserved;
use crate::record;
use reqwest::Url;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Deserializer, Value};
use std::borrow::Cow;
use std::sync::Arc;

pub(super) async fn run(global: &Global, action: args::Webhooks) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    match action {
        args::Webhooks::List => {
            let print = |webhook: &str| output::text(&one_line(&without_secret(webhook))).map(drop);
            each(&config, client(&config, None)?, print).await
        }
        args::Webhooks::Create(fields) => {
            let (client, fields) = signed(&config, fields)?;
            print(client.create_webhook(&fields).await?.get())
        }
        args::Webhooks::Update { id, fields } => {
            let (client, fields) = signed(&config, fields)?;
            print(client.update_webhook(&id, &fields).await?.get())
        }
        args::Webhooks::Delete { id, yes } => {
            let client = client(&config, None)?;
            if !yes && !confirmed(&format!("webhook {id}"), &format!("Delete webhook {id} at Malomo?"))? {
                return Err(Failure::new(Exit::Failed, format!("webhook {id} was not deleted: you said no")));
            }
            client.delete_webhook(&id).await?;
            Ok(Exit::Done)
        }
        args::Webhooks::Install(wanted) => install(&config, wanted).await,
    }
}

fn client(config: &Config, secret: Option<&SecretString>) -> Result<Client, Failure> {
    let key = assemble::key(config)?.secret;
    Ok(Client::hiding(
        config.api.clone(),
        key,
        secret.map_or(&[], std::slice::from_ref),
        Arc::new(Unobserved),
    )?)
}

/// The fields with the secret, if it is to be sent, and a client that doesn't repeat it.
fn signed(config: &Config, mut fields: WebhookFields) -> Result<(Client, WebhookFields), Failure> {
    if fields.is_signed {
        fields.secret = Some(assemble::webhook_key(config)?.secret);
    }
    Ok((client(config, fields.secret.as_ref())?, fields))
}

fn print(webhook: &str) -> Result<Exit, Failure> {
    output::line(without_secret(webhook).trim())
}

async fn each(
    config: &Config,
    client: Client,
    mut take: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    each_page(config, client, List::webhooks(), |items| items.iter().try_for_each(|item| take(text_of(item))))
        .await
}

/// The secret is documented to be write-only. Should the API give it nevertheless, it isn't shown.
fn without_secret(webhook: &str) -> Cow<'_, str> {
    let member = |name: &serde_json::value::RawValue, value: &serde_json::value::RawValue| {
        let is_secret = record::text(name).is_none_or(|name| name == "secret");
        (is_secret, format!("{}:{}", name.get(), value.get()))
    };
    match record::members(Deserializer::from_str(webhook), member) {
        Ok(members) if members.iter().any(|(is_secret, _)| *is_secret) => {
            let shown: Vec<String> =
                members.into_iter().filter(|(is_secret, _)| !is_secret).map(|(_, text)| text).collect();
            Cow::Owned(format!("{{{}}}", shown.join(",")))
        }
        _ => Cow::Borrowed(webhook),
    }
}

/// What `install` did about one topic.
#[derive(Serialize)]
struct Installed {
    topic: String,
    id: Option<String>,
    url: String,
    done: Done,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Done {
    /// There was none.
    Created,
    /// It was switched off.
    Activated,
    /// It was asked for.
    SecretRenewed,
    /// It is there as it should be.
    Unchanged,
}

/// A webhook of ours.
struct Ours {
    id: String,
    topic: String,
    is_active: bool,
}

async fn install(config: &Config, wanted: args::Install) -> Result<Exit, Failure> {
    check_url(&wanted.url)?;
    let secret = assemble::webhook_key(config)?.secret;
    let client = client(config, Some(&secret))?;
    let mut ours = Vec::new();
    let found = |webhook: &str| {
        let webhook: Value = serde_json::from_str(webhook).unwrap_or_default();
        let text = |name: &str| webhook[name].as_str().unwrap_or_default().to_owned();
        if text("url") == wanted.url {
            let is_active = webhook["active"].as_bool() != Some(false);
            ours.push(Ours { id: text("id"), topic: text("topic"), is_active });
        }
        Ok(())
    };
    each(config, client.clone(), found).await?;
    for topic in &wanted.topics {
        let of_topic: Vec<&Ours> = ours.iter().filter(|webhook| webhook.topic == *topic).collect();
        if of_topic.len() > 1 {
            let webhooks = of_topic.len();
            tracing::warn!(
                topic,
                webhooks,
                "several webhooks deliver this topic there; `webhooks delete` removes one"
            );
        }
        let webhook = of_topic.iter().find(|webhook| webhook.is_active).or(of_topic.first());
        let (done, fields) = plan(webhook.copied(), topic, &wanted, &secret);
        let id = match webhook {
            Some(webhook) if done == Done::Unchanged => Some(webhook.id.clone()),
            Some(webhook) => record::peek_id(client.update_webhook(&webhook.id, &fields).await?.get()),
            None => record::peek_id(client.create_webhook(&fields).await?.get()),
        };
        let installed = Installed { topic: topic.clone(), id, url: wanted.url.clone(), done };
        let line =
            serde_json::to_string(&installed).map_err(Failure::because("the result has no JSON form"))?;
        output::line(&line)?;
    }
    Ok(Exit::Done)
}

/// What is to be done about a topic's webhook, and what to send for it.
fn plan(
    webhook: Option<&Ours>,
    topic: &str,
    wanted: &args::Install,
    secret: &SecretString,
) -> (Done, WebhookFields) {
    let secret = Some(secret.clone());
    match webhook {
        None => {
            let (url, topic) = (Some(wanted.url.clone()), Some(topic.to_owned()));
            (
                Done::Created,
                WebhookFields { url, topic, active: Some(true), secret, ..WebhookFields::default() },
            )
        }
        Some(webhook) if !webhook.is_active => {
            // Nobody knows which secret it had.
            (Done::Activated, WebhookFields { active: Some(true), secret, ..WebhookFields::default() })
        }
        Some(_) if wanted.renew_secret => {
            (Done::SecretRenewed, WebhookFields { secret, ..WebhookFields::default() })
        }
        Some(_) => (Done::Unchanged, WebhookFields::default()),
    }
}

/// Deliveries hold personal data, so they go over TLS, unless they stay on this machine.
fn check_url(text: &str) -> Result<(), Failure> {
    let url =
        Url::parse(text).map_err(|error| Failure::usage(format!("--url {text}: it is no URL: {error}")))?;
    check_base(&url).map_err(|_| {
        Failure::usage(format!(
            "--url {text}: expected an https URL without user, query or fragment, such as \
             https://mirror.example.com/webhooks/malomo (http for this machine only)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        for (webhook, shown) in [
            (r#"{"id":"w1","n":1.50,"url":"u"}"#, r#"{"id":"w1","n":1.50,"url":"u"}"#),
            (r#"{"id":"w1", "secret":"s", "n":1.50}"#, r#"{"id":"w1","n":1.50}"#),
            (r#"{"\u0073ecret":"s","id":"w1"}"#, r#"{"id":"w1"}"#),
            (r#"{"secret":null}"#, "{}"),
            ("[1]", "[1]"),
        ] {
            assert_eq!(without_secret(webhook), shown);
        }
    }
}
