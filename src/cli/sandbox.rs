//! `sandbox`.

use super::exit::{Exit, Failure};
use super::{args, output, signals};
use crate::sandbox::start;

pub(super) async fn run(args: args::Sandbox) -> Result<Exit, Failure> {
    let stop = signals::stop_token()?;
    let sandbox = start(args.listen, args.settings).await?;
    let (url, world) = (sandbox.base_url(), sandbox.world());
    output::text(&format!(
        "sandbox: {url} with {} and {}; any key that begins with sk_ is good\n\
         try:  MALOMO_API_KEY=sk_sandbox malomo-mirror --set api.base_url={url} --set mirror.path=./mirror.db \
         --set export.dir=./exports sync\n",
        output::counted(world.customer_count() as u64, "customer"),
        output::counted(world.event_count() as u64, "event"),
    ))?;
    stop.cancelled().await;
    sandbox.stop().await;
    Ok(Exit::Done)
}
