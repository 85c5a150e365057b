//! Files of older versions.

use super::world::{Put, STAMP, World};
use crate::export::formats::{Compression, Dialect, Format};
use crate::export::layout::{Covers, FileName};
use crate::export::manifest;
use crate::export::publish::{FileWriter, Origin, open};
use crate::export::repair::repair;
use crate::record::Stream;

/// Files and lines of an older version stay what they are: they verify, come back byte for byte, and later files of today's
/// layout follow them.
#[test]
fn files_of_an_older_layout_are_verified_and_repaired_as_what_they_are() {
    let mut world = World::new();
    world.settings.formats = vec![Format::Csv, Format::Ndjson];
    world.customer("a", "1\0");
    world.put(&Put::Event("e".to_owned(), "a".to_owned(), Some("1".to_owned())));
    world.put(&Put::NoEvent("e".to_owned()));
    let dir = world.dir().to_owned();
    world.export_as_an_older_version_would();
    let old: Vec<(String, Vec<u8>)> = world
        .announced()
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(dir.join(path)).unwrap()))
        .collect();
    let texts: Vec<String> = old.iter().map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap()).collect();
    assert!(texts[0].starts_with("_seq,_op,") && texts[0].contains('\0'), "{texts:?}");
    assert!(texts[3].ends_with("\"id\":\"e\"}\n"), "{texts:?}");
    let manifest = std::fs::read_to_string(dir.join("manifest.ndjson")).unwrap();
    assert!(["layout", "rewritten", "csv_bom"].iter().all(|name| !manifest.contains(name)), "{manifest}");

    world.customer("b", "\0");
    world.export().unwrap();
    world.assert_good();
    world.verified();
    let lines = manifest::all(&dir).unwrap();
    let forms: Vec<_> = lines[4..].iter().map(|line| (line.layout, line.rewritten)).collect();
    assert_eq!(forms, [(2, Some(4)), (2, Some(4))]);
    for (path, _) in &old {
        std::fs::remove_file(dir.join(path)).unwrap();
    }
    let repaired = repair(&mut world.mirror, &world.settings, STAMP.now).unwrap();
    assert!(repaired.verified.ok && repaired.files.iter().all(|file| file.as_before), "{repaired:?}");
    for (path, bytes) in &old {
        assert_eq!(&std::fs::read(dir.join(path)).unwrap(), bytes);
    }
}

impl World {
    fn export_as_an_older_version_would(&mut self) {
        let dir = self.dir().to_owned();
        let dialect = Dialect { old_layout: true, exact: true, bom: false, guarded: false };
        let origin =
            Origin { mirror_id: self.mirror.id().to_owned(), run: None, now: STAMP.now, profile: None };
        let mut manifest = open(&mut self.mirror, &dir.clone().into()).unwrap();
        let snapshot = self.mirror.snapshot().unwrap();
        let covers = Covers::Changes { first_seq: 1, last_seq: snapshot.head().unwrap() };
        let mut written = Vec::new();
        for stream in Stream::ALL {
            for format in self.settings.formats.clone() {
                let name = FileName { stream, covers, format, compression: Compression::None };
                let mut file =
                    FileWriter::begin(&*manifest.destination, name, dialect, &origin.mirror_id).unwrap();
                snapshot.changes(&[(stream, 0)], |_, change| file.write(&change)).unwrap();
                written.push(file.end().unwrap().finish(&origin).unwrap());
            }
        }
        drop(snapshot);
        manifest.announce(written).unwrap();
    }
}
