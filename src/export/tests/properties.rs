//! What holds whatever happens to mirror and folder.

use super::replay::{files, mirrored, read_file};
use super::world::{Put, STAMP, World, puts, readable_rows};
use crate::export::formats::Format;
use crate::export::repair::repair;
use crate::export::verify::verify;
use crate::record::Stream;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens between exports, and however formats and compression change: all files replayed give the
    /// mirror, and so does a snapshot.
    #[test]
    fn replay_gives_the_mirror(changes in prop::collection::vec(puts(), 1..40)) {
        let mut world = World::new();
        for change in &changes {
            if let Put::Export(formats, compression, form) = change {
                [world.settings.csv_formula_guard, world.settings.exact, world.settings.csv_bom] = *form;
                world.settings.formats = formats.clone();
                world.settings.compression = *compression;
                world.export().unwrap();
            } else {
                world.put(change);
            }
        }
        world.settings.formats = Format::ALL.to_vec();
        world.export().unwrap();
        world.assert_good();
        prop_assert_eq!(world.export().unwrap().files, vec![]);
        let snapshots = world.snapshot().unwrap().files;
        let verified = verify(&mut world.mirror, &world.settings).unwrap();
        prop_assert_eq!(verified.differences, vec![]);
        for line in snapshots {
            let (stream, one_line) = (Stream::from_name(&line.stream).unwrap(), line.format == "ndjson");
            let rows = read_file(&world.dir().join("snapshots"), &line);
            prop_assert!(rows.iter().all(|row| row.op == "insert"));
            let rows = rows.into_iter().map(|row| (row.id, row.fields)).collect();
            let expected = mirrored(&mut world.mirror, stream, one_line);
            let expected = if line.rewritten.is_none() { expected } else { readable_rows(expected, stream) };
            prop_assert!(expected == rows);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whichever bit of whichever file or manifest is turned over: it shows, and a repair never says that all is well
    /// where it is not.
    #[test]
    fn a_flipped_bit_is_found(
        changes in prop::collection::vec(puts(), 5..30),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8), 4),
    ) {
        let mut world = World::new();
        for change in &changes {
            match change {
                Put::Export(_, compression, _) => {
                    world.settings.compression = *compression;
                    world.export().unwrap();
                }
                change => world.put(change),
            }
        }
        world.customer("always one", "1");
        world.export().unwrap();
        world.snapshot().unwrap();
        let dir = world.dir().to_owned();
        let names = files(&dir);
        for (name, at, bit) in flips {
            let path = dir.join(name.get(&names));
            let good = std::fs::read(&path).unwrap();
            let is_manifest = path.ends_with("manifest.ndjson");
            if good.is_empty() {
                continue;
            }
            let mut bad = good.clone();
            *bad.get_mut(at.index(good.len())).unwrap() ^= 1u8 << bit;
            std::fs::write(&path, &bad).unwrap();
            match verify(&mut world.mirror, &world.settings) {
                Ok(verified) => prop_assert!(!verified.ok, "{} {}", path.display(), at.index(good.len())),
                // A manifest that is another mirror's, or of a later state, is refused as a whole.
                Err(error) => prop_assert!(is_manifest, "{error}"),
            }
            match repair(&mut world.mirror, &world.settings, STAMP.now) {
                Ok(repaired) => prop_assert!(repaired.verified.ok),
                // What can't be mended is left as it is.
                Err(_) => std::fs::write(&path, good).unwrap(),
            }
            prop_assert!(verify(&mut world.mirror, &world.settings).unwrap().ok);
        }
    }
}
