//! Listens for deliveries of webhooks, if the configuration says so.

use super::super::assemble;
use super::super::exit::Failure;
use super::endpoint::listen;
use super::runner::Runner;
use crate::daemon::webhooks::{Intake, serve};
use crate::webhook::{Key, PATH};
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// Listens on `webhook.listen`; deliveries are taken from the return on, until the result is dropped. Hints that are left from
/// earlier are followed soon.
pub(super) async fn start(runner: &Arc<Runner>) -> Result<Option<AbortOnDropHandle<()>>, Failure> {
    let config = runner.config();
    let Some(address) = config.webhook.listen else { return Ok(None) };
    let key = Key::new(&assemble::webhook_key(&config)?.secret);
    let (listener, bound) = listen(address, " for webhooks", "webhook.listen").await?;
    let told = runner.clone();
    let intake = Intake::start(config.mirror.path.clone(), runner.turns(), move || told.hinted())
        .map_err(Failure::because("no thread could be started for webhooks"))?;
    tracing::info!(address = %bound, path = PATH, "taking deliveries of webhooks");
    runner.hinted();
    let metrics = runner.metrics().clone();
    Ok(Some(AbortOnDropHandle::new(tokio::spawn(serve(listener, key, intake, metrics)))))
}
