//! `sandbox`.

use super::args;
use super::assemble;
use super::exit::{Exit, Failure};
use super::output;
use crate::sandbox::{Settings, start};

pub(super) async fn run(args: args::Sandbox) -> Result<Exit, Failure> {
    let stop = assemble::stop_token()?;
    let settings = Settings {
        customers: args.customers,
        events_per_customer: args.events_per_customer,
        page_size: args.page_size,
        seed: args.seed,
        latency: args.latency,
        rate_limit: args.rate_limit,
        concurrency_limit: args.concurrency_limit,
        fault_rate: args.fault_rate,
        churn: args.churn,
        time_factor: args.time_factor,
        events_touch_customer: args.events_touch_customer,
        account: !args.no_account,
        token_style: args.token_style,
        swap_direction: args.swap_direction,
        order: args.order,
        awkward: args.awkward,
    };
    let sandbox = start(args.listen, settings).await?;
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
