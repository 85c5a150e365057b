//! A world that changes while it is walked: rows repeat, move and vanish, and nothing is lost or taken for deleted
//! (api-contract point 5).

use crate::support::{Place, Relay, State, assert_everything_equals, assert_no_strays, sandbox};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Order, Settings, TokenStyle, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

/// One change before a request; which one, its number says.
fn meddle(world: &World, number: usize) {
    let ids = world.customer_ids();
    let id = &ids[number * 7 % ids.len()];
    match number % 9 {
        0 => drop(world.create_customer(CustomerFields::default())),
        1..=3 => drop(world.add_event(id)),
        4 | 5 => {
            let name = CustomerFields::default().set(CustomerField::FirstName, &format!("After {number}"));
            assert!(world.update_customer(id, name));
        }
        6 => {
            if let Some(event) = world.event_ids(id).first() {
                assert!(world.revise_event(id, event));
            }
        }
        7 => {
            if let Some(event) = world.event_ids(id).first() {
                assert!(world.delete_event(id, event));
            }
        }
        _ if number % 27 == 8 => assert!(world.delete_customer(id)),
        _ => {}
    }
}

async fn case(order: Order, token_style: TokenStyle) {
    let settings = Settings {
        customers: 40,
        events_per_customer: 2.0,
        page_size: 3,
        order,
        token_style,
        awkward: true,
        ..Settings::default()
    };
    let sandbox = sandbox(settings).await;
    let (world, busy) = (sandbox.world(), Arc::new(AtomicBool::new(true)));
    let (meddled, switch) = (world.clone(), busy.clone());
    let relay = Relay::meddling(&sandbox.base_url(), move |number| {
        if switch.load(Ordering::SeqCst) {
            meddle(&meddled, number);
        }
    })
    .await;
    let place = Place::new();
    let program = place.program(&relay.base_url());
    for arguments in [&["sync", "--full"][..], &["sync"], &["sync"], &["sync", "--full"]] {
        let ran = program.run(arguments).await;
        // A cursor whose record is gone may be refused more often than a walk bears.
        let codes = if token_style == TokenStyle::LastId { &[0, 1, 5][..] } else { &[0, 5] };
        assert!(
            codes.contains(&ran.code().unwrap()),
            "{order:?} {token_style:?}: {}{}",
            ran.stdout,
            ran.stderr
        );
        assert_everything_equals(&State::of_mirror(&place), &place);
    }
    busy.store(false, Ordering::SeqCst);
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
    assert_no_strays(&place);
    // Whoever was deleted is gone for good: no id came back after its end.
    let back = "SELECT count(*) FROM changes d JOIN changes i ON i.stream = d.stream AND i.id = d.id AND i.seq > d.seq \
                WHERE d.op = 'delete'";
    assert_eq!(place.number(back), 0, "{order:?} {token_style:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_shift_while_they_are_walked() {
    let mut running = JoinSet::new();
    for order in [Order::CreatedAsc, Order::CreatedDesc, Order::UpdatedDesc, Order::Id] {
        for token_style in [TokenStyle::Link, TokenStyle::Envelope, TokenStyle::LastId] {
            if running.len() == 3 {
                running.join_next().await.unwrap().unwrap();
            }
            running.spawn(case(order, token_style));
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}
