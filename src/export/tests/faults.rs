//! Exports to a destination that fails.

use super::replay::files;
use super::world::{Put, STAMP, World};
use crate::export::destination::tests::faulty::{Fault, Faulty};
use crate::export::publish::{export_behind, open};
use crate::record::Stream;
use std::sync::Arc;

/// Whatever goes wrong at the destination: nothing is lost, nothing is announced twice, and the next export succeeds.
#[test]
fn the_next_export_makes_good_whatever_goes_wrong() {
    for fault in Fault::all(4) {
        let mut world = World::new();
        world.customer("a", "1");
        world.export().unwrap();
        world.customer("a", "2");
        world.put(&Put::Event("e".to_owned(), "a".to_owned(), None));
        let before = files(world.dir());
        let mut manifest = open(&mut world.mirror, &world.settings.dir).unwrap();
        manifest.destination = Arc::new(Faulty::new(manifest.destination.clone(), fault));
        let failed = export_behind(manifest, &mut world.mirror, &world.settings, None, STAMP.now);
        assert!(failed.is_err(), "{fault:?}");
        let left = files(world.dir()).len() - before.len();
        // A file that got its name is removed again, unless nobody knows that it has it, or the manifest may name it.
        let most = match fault {
            Fault::LostAnswer(_) => 1,
            Fault::HalfAppended | Fault::LostAppend => Stream::ALL.len() * world.settings.formats.len(),
            _ => 0,
        };
        assert!(left <= most, "{fault:?}: {left}");
        world.customer("b", "3");
        world.export().unwrap();
        world.assert_good();
        world.verified();
    }
}
