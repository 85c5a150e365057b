//! The contract of destinations, tried on a store in memory.

use super::upload::PART;
use super::*;
use crate::export::destination::tests::contract::publish;
use crate::export::destination::tests::{contract, faulty};
use crate::export::destination::{NewFile, names};
use object_store::memory::InMemory;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

fn fresh() -> ((), Bucket) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    ((), Bucket { address: "s3://b/p".to_owned(), prefix: "p/".to_owned(), store: Ok(store) })
}

#[test]
fn a_bucket_keeps_the_contract() {
    contract::keeps_it(fresh);
}

#[test]
fn a_bucket_keeps_the_contract_through_faults() {
    faulty::keeps_it(fresh);
}

#[test]
fn files_of_several_parts_are_read_from_anywhere() {
    let ((), bucket) = fresh();
    let content: Vec<u8> = (0..PART * 2 + 7).map(|n| (n % 251) as u8).collect();
    for name in ["events/f", "f"] {
        publish(&bucket, name, &content);
        let mut file = bucket.open(name).unwrap();
        for from in [0, PART - 1, PART, content.len() - 1, content.len(), 3] {
            let mut found = Vec::new();
            file.seek(SeekFrom::Start(from as u64)).unwrap();
            file.read_to_end(&mut found).unwrap();
            assert!(found == content[from..], "{name} {from}");
        }
        assert!(file.seek(SeekFrom::Current(-1 - content.len() as i64)).is_err());
    }
}

#[test]
fn of_a_large_file_that_is_replaced_no_second_half_is_read() {
    let ((), bucket) = fresh();
    publish(&bucket, "events/f", &vec![1; PART * 2]);
    let mut file = bucket.open("events/f").unwrap();
    file.read_exact(&mut [0; 10]).unwrap();
    publish(&bucket, "events/f", &vec![2; PART * 2]);
    let failed = file.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(failed.to_string().contains("somebody else"), "{failed}");
}

#[test]
fn a_prefix_sees_nothing_of_what_lies_beside_it() {
    let ((), bucket) = fresh();
    let beside = Bucket { prefix: "p2/".to_owned(), ..bucket.clone() };
    let below = Bucket { prefix: "p/snapshots/".to_owned(), ..bucket.clone() };
    for (bucket, name) in [(&bucket, "events/a"), (&bucket, "m"), (&beside, "events/b"), (&below, "events/c")]
    {
        publish(bucket, name, b"x");
    }
    assert_eq!((names(&bucket, ""), names(&bucket, "events")), (vec!["m".to_owned()], vec!["a".to_owned()]));
    assert_eq!((names(&below, ""), names(&below, "events")), (vec![], vec!["c".to_owned()]));
}

#[test]
fn a_second_writer_is_told_and_nothing_is_overwritten() {
    let ((), bucket) = fresh();
    assert!(bucket.append("m", 0, 0, b"one\n").is_ok());
    let found = bucket.read("m").unwrap();
    assert!(bucket.append("m", 4, 4, b"two\n").is_ok());
    assert!(!bucket.replace("m", found, "one\nthree\n".into()).unwrap());
    assert!(!bucket.replace("m", None, "three\n".into()).unwrap());
    assert_eq!(bucket.read("m").unwrap().unwrap().content, "one\ntwo\n");
    // Of the very same size, by its version.
    let mut rewritten = NewFile::begin(&bucket, "m").unwrap();
    rewritten.write_all(b"anew").unwrap();
    let rewritten = rewritten.finish().unwrap();
    assert!(rewritten.publish(Some(4)).is_err());
    assert_eq!(bucket.read("m").unwrap().unwrap().content, "one\ntwo\n");
}

#[test]
fn addresses_become_prefixes() {
    for (address, below, place, prefix) in [
        ("s3://b", None, "s3://b/m", ""),
        ("s3://b", Some("snapshots"), "s3://b/snapshots/m", "snapshots/"),
        ("gs://b/p/q", None, "gs://b/p/q/m", "p/q/"),
        ("az://b/p", Some("snapshots"), "az://b/p/snapshots/m", "p/snapshots/"),
    ] {
        let bucket = Bucket::connect(address, below);
        assert_eq!((bucket.place("m"), &*bucket.prefix), (place.into(), prefix), "{address}");
    }
}
