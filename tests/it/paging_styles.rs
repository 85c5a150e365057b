//! A full sync against the ways in which a server may page its lists, with every oddity that a record may have. Of each two of
//! style, direction, order and page size every pair is tried.

use crate::support::{Place, State, assert_everything_equals, assert_no_strays, sandbox};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Order, Settings, TokenStyle};
use tokio::task::JoinSet;

const ORDERS: [Order; 4] = [Order::CreatedAsc, Order::CreatedDesc, Order::UpdatedDesc, Order::Id];
const PAGE_SIZES: [usize; 3] = [1, 2, 50];
const COMPRESSIONS: [&str; 3] = ["none", "gzip", "zstd"];

/// Cases at work at once.
const AT_ONCE: usize = 3;

async fn matrix(style: TokenStyle, name: &'static str, nth: usize) {
    let mut cases = Vec::new();
    for swapped in [false, true] {
        for (n, order) in ORDERS.into_iter().enumerate() {
            cases.push((swapped, order, PAGE_SIZES[(n + nth + usize::from(swapped)) % PAGE_SIZES.len()]));
        }
    }
    let mut running = JoinSet::new();
    for (n, (swap_direction, order, page_size)) in cases.into_iter().enumerate() {
        if running.len() == AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        let settings = Settings {
            // A hundred hold every oddity; with small pages a few have to do.
            customers: if page_size == 50 { 100 } else { 21 },
            events_per_customer: 1.5,
            page_size,
            seed: n as u64,
            token_style: style,
            swap_direction,
            order,
            awkward: true,
            ..Settings::default()
        };
        running.spawn(case(settings, name, COMPRESSIONS[n % 3]));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

async fn case(settings: Settings, style: &str, compression: &str) {
    let (page_size, swapped) = (settings.page_size, settings.swap_direction);
    let sandbox = sandbox(settings).await;
    let world = sandbox.world();
    let ids = world.customer_ids();
    for (id, events) in ids.iter().zip([0, 1, if page_size == 50 { 1000 } else { 7 }]) {
        assert!(world.set_event_count(id, events));
    }
    let place = Place::new();
    let program = place.program(&sandbox.base_url()).set(&format!("export.compression={compression}"));
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
    assert_no_strays(&place);
    let found = |stream: &str, point: &str| {
        place
            .text(&format!("SELECT value FROM api_behaviour WHERE stream = '{stream}' AND point = '{point}'"))
    };
    for stream in ["customers", "events"] {
        assert_eq!(found(stream, "token_style"), style);
        if style != "link" {
            assert_eq!(found(stream, "forward"), if swapped { "prev" } else { "next" });
        }
    }
    // What was found out serves the next run.
    world.delete_customer(&ids[3]);
    world.update_customer(&ids[4], CustomerFields::default().set(CustomerField::FirstName, "Other"));
    world.add_event(&ids[4]).unwrap();
    program.ends(0, &["sync"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_in_a_link_header() {
    matrix(TokenStyle::Link, "link", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_in_an_envelope() {
    matrix(TokenStyle::Envelope, "envelope", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_in_a_header_of_their_own() {
    matrix(TokenStyle::Header, "header", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_id_as_the_token() {
    matrix(TokenStyle::LastId, "last-id", 0).await;
}
