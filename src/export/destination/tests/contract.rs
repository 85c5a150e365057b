//! What every destination has to keep, tried: [`keeps_it`] is given a way to make fresh, empty ones.

use crate::export::destination::{Destination, NewFile, folder_of, names, read_whole, temporary_of};
use crate::hex::hex;
use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind, Write};

/// Tries the whole contract. Each part gets a destination of its own, with what has to live as long as it.
pub(in crate::export::destination) fn keeps_it<G, D: Destination>(fresh: impl Fn() -> (G, D)) {
    let parts: &[fn(&dyn Destination)] = &[
        a_file_appears_whole_or_not_at_all,
        what_is_given_up_leaves_nothing,
        what_was_killed_is_listed_as_temporary,
        a_file_is_replaced_where_it_is_the_expected_one,
        #[cfg(feature = "lake")]
        a_file_is_created_once,
        additions_stand_where_they_were_to_and_nothing_behind_them,
        what_is_absent_is_no_mistake,
        a_file_is_kept_aside_once,
        updates_at_once_lose_nothing,
    ];
    for part in parts {
        let (_guard, destination) = fresh();
        part(&destination);
    }
}

/// Writes a file and gives it its name.
pub(in crate::export::destination) fn publish(destination: &dyn Destination, name: &str, content: &[u8]) {
    let mut file = NewFile::begin(destination, name).unwrap();
    file.write_all(content).unwrap();
    file.finish().unwrap().publish(None).unwrap();
    destination.settle(folder_of(name)).unwrap();
}

pub(super) fn content(destination: &dyn Destination, name: &str) -> Option<Vec<u8>> {
    read_whole(destination, name).unwrap()
}

fn a_file_appears_whole_or_not_at_all(destination: &dyn Destination) {
    let parts: Vec<Vec<u8>> = (0..200u8).map(|n| vec![n; 1_000 * usize::from(n)]).collect();
    let whole = parts.concat();
    let mut file = NewFile::begin(destination, "events/f.csv").unwrap();
    for part in &parts {
        file.write_all(part).unwrap();
        assert_eq!(destination.size("events/f.csv").unwrap(), None);
    }
    let complete = file.finish().unwrap();
    assert_eq!((complete.bytes, &complete.sha256), (whole.len() as u64, &hex(&Sha256::digest(&whole))));
    assert_eq!(complete.folder(), "events");
    assert_eq!(destination.open("events/f.csv").err().unwrap().kind(), ErrorKind::NotFound);
    complete.publish(None).unwrap();
    destination.settle("events").unwrap();
    assert_eq!(destination.size("events/f.csv").unwrap(), Some(whole.len() as u64));
    assert!(content(destination, "events/f.csv").unwrap() == whole);
    assert_eq!((names(destination, "events"), names(destination, "")), (vec!["f.csv".to_owned()], vec![]));
    // Two at once, of different names.
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let whole = &whole;
            scope.spawn(move || publish(destination, name, whole));
        }
    });
    assert!(["a", "b"].iter().all(|name| content(destination, name).unwrap() == whole));
}

fn what_is_given_up_leaves_nothing(destination: &dyn Destination) {
    drop(NewFile::begin(destination, "f").unwrap());
    let mut file = NewFile::begin(destination, "f").unwrap();
    file.write_all(b"abc").unwrap();
    drop(file.finish().unwrap());
    assert_eq!((names(destination, ""), content(destination, "f")), (vec![], None));
}

fn what_was_killed_is_listed_as_temporary(destination: &dyn Destination) {
    std::mem::forget(NewFile::begin(destination, "events/f.csv").unwrap());
    std::mem::forget(NewFile::begin(destination, "events/f.csv").unwrap().finish().unwrap());
    let left = names(destination, "events");
    assert!(left.iter().all(|name| temporary_of(name) == Some("f.csv")), "{left:?}");
    publish(destination, "events/f.csv", b"abc");
    for name in left {
        assert!(destination.remove(&format!("events/{name}")).unwrap());
    }
    assert_eq!(names(destination, "events"), ["f.csv"]);
}

fn a_file_is_replaced_where_it_is_the_expected_one(destination: &dyn Destination) {
    publish(destination, "m", b"first");
    let other = |text: &[u8]| {
        let mut file = NewFile::begin(destination, "m").unwrap();
        file.write_all(text).unwrap();
        file.finish().unwrap()
    };
    assert!(other(b"second").publish(Some(4)).is_err());
    assert_eq!((content(destination, "m").unwrap(), names(destination, "").len()), (b"first".to_vec(), 1));
    let mut reader = destination.open("m").unwrap();
    other(b"second").publish(Some(5)).unwrap();
    other(b"third").publish(None).unwrap();
    assert_eq!((content(destination, "m").unwrap(), names(destination, "").len()), (b"third".to_vec(), 1));
    // Who reads the old one goes on to do so.
    let mut old = String::new();
    reader.read_to_string(&mut old).unwrap();
    assert_eq!(old, "first");
}

#[cfg(feature = "lake")]
fn a_file_is_created_once(destination: &dyn Destination) {
    let contents: Vec<Vec<u8>> = (0..8u8).map(|n| vec![n; 100]).collect();
    let create = |content: &Vec<u8>| destination.create("log/0.json", content).unwrap();
    let created: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = contents.iter().map(|content| scope.spawn(move || create(content))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: Vec<usize> = (0..8).filter(|n| created[*n]).collect();
    assert_eq!(winners.len(), 1, "{created:?}");
    assert_eq!(content(destination, "log/0.json"), Some(contents[winners[0]].clone()));
    assert_eq!(names(destination, "log"), ["0.json"]);
}

fn additions_stand_where_they_were_to_and_nothing_behind_them(destination: &dyn Destination) {
    let append = |found, at, text: &str| destination.append("m", found, at, text.as_bytes());
    let found = || String::from_utf8(content(destination, "m").unwrap()).unwrap();
    append(0, 0, "").unwrap();
    assert_eq!(destination.size("m").unwrap(), Some(0));
    append(0, 0, "ab\n").unwrap();
    append(3, 2, "\ncd").unwrap();
    append(5, 3, "e\n").unwrap();
    append(5, 4, "").unwrap();
    assert_eq!(found(), "ab\ne");
    // Somebody else was here.
    let failed = append(5, 5, "x").unwrap_err();
    assert!(!failed.is_undone);
    assert_eq!(found(), "ab\ne");
    assert!(destination.append("gone", 1, 1, b"x").is_err());
    assert_eq!(names(destination, ""), ["m"]);
}

fn what_is_absent_is_no_mistake(destination: &dyn Destination) {
    assert!(!destination.remove("events/f").unwrap());
    assert_eq!(destination.size("events/f").unwrap(), None);
    assert!(names(destination, "events").is_empty());
    destination.settle("events").unwrap();
    assert!(!destination.keep_aside("events/f", "events/f.damaged").unwrap());
    publish(destination, "events/f", b"x");
    assert!(destination.remove("events/f").unwrap());
    assert!(!destination.remove("events/f").unwrap());
    destination.settle("events").unwrap();
}

fn a_file_is_kept_aside_once(destination: &dyn Destination) {
    for (text, kept) in [("first", "first"), ("second", "first")] {
        publish(destination, "f", text.as_bytes());
        assert!(destination.keep_aside("f", "f.damaged").unwrap());
        assert_eq!(content(destination, "f.damaged").unwrap(), kept.as_bytes());
    }
    assert_eq!(content(destination, "f").unwrap(), b"second");
}

fn updates_at_once_lose_nothing(destination: &dyn Destination) {
    let add = |n: u8| {
        let mut change = |text: Option<Vec<u8>>| {
            let mut text = text.unwrap_or_default();
            text.push(n);
            Ok(text)
        };
        destination.update("a.json", &mut change).unwrap();
    };
    std::thread::scope(|scope| {
        for from in 0..4 {
            scope.spawn(move || (0..100).filter(|n| n % 4 == from).for_each(add));
        }
    });
    let mut found = content(destination, "a.json").unwrap();
    found.sort_unstable();
    assert_eq!(found, (0..100).collect::<Vec<u8>>());
    let refused = destination.update("a.json", &mut |_| Err(io::Error::other("no")));
    assert_eq!(refused.unwrap_err().to_string(), "no");
    assert_eq!(content(destination, "a.json").unwrap().len(), 100);
}
