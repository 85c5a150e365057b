//! `events list`.

use super::args::{self, Global};
use super::customers::print_list;
use super::exit::{Exit, Failure};
use crate::api::List;
use crate::record::Stream;

pub(super) async fn run(global: &Global, action: args::Events) -> Result<Exit, Failure> {
    let args::Events::List { customer_id } = action;
    print_list(global, List::of_parent(Stream::Events, customer_id)).await
}
