//! A power cut after each step of an export, a repair and a pruning.

use super::replay::{assert_announced, files};
use super::world::{Put, STAMP, World};
use crate::export::destination;
use crate::export::formats::Format;
use crate::export::layout::Kind;
use crate::export::manifest;
use crate::export::publish::{open, write};
use crate::export::repair::{self, repair};
use crate::export::retention::{ExpiredLines, acknowledge};
use crate::export::verify::verify;
use crate::mirror::Mirror;
use jiff::Timestamp;

/// A power cut after each step of an export, then a change, then the next export.
#[test]
fn a_cut_after_any_step_loses_nothing_and_announces_nothing_twice() {
    for steps in 0..=7 {
        let mut world = World::new();
        world.customer("a", "1");
        world.export().unwrap();
        world.customer("a", "2");
        world.put(&Put::Event("e".to_owned(), "a".to_owned(), None));
        let left = world.cut_short(steps);
        world.customer("b", "3");
        let exported = world.export().unwrap();
        assert_eq!(exported.removed.len(), left, "{steps}");
        world.assert_good();
    }
}

impl World {
    /// Does the first `steps` steps of an export, without the clean-up that errors and drops would do: writing,
    /// naming, announcing up to some byte. Returns how many files the next export has to remove.
    fn cut_short(&mut self, steps: usize) -> usize {
        if steps == 0 {
            return 0;
        }
        let dir = self.dir().to_owned();
        let before = (files(&dir), std::fs::read(dir.join("manifest.ndjson")).unwrap());
        let mut manifest = open(&mut self.mirror, &dir.clone().into()).unwrap();
        let (_, written) = write(&mut self.mirror, &self.settings, &manifest, None, STAMP.now).unwrap();
        let count = written.len();
        if steps == 1 {
            written.into_iter().for_each(|written| std::mem::forget(written.file));
            std::fs::write(dir.join(".manifest.ndjson-a1b2c3d4.tmp"), "{").unwrap();
            return count + 1;
        }
        manifest.announce(written).unwrap();
        let after = std::fs::read(dir.join("manifest.ndjson")).unwrap();
        assert_eq!(files(&dir).len(), before.0.len() + count);
        let ends: Vec<usize> = (before.1.len()..after.len()).filter(|at| after[*at] == b'\n').collect();
        // Before the new lines, in the middle of the first, at its end but for that, behind it, in the middle of the last.
        let (first, last) = (ends[0], ends[count - 1]);
        let cut = [before.1.len(), first - 9, first, first + 1, last - 9, after.len()][steps - 2];
        std::fs::write(dir.join("manifest.ndjson"), &after[..cut]).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(self.unknown_lines(), whole);
        count - whole
    }
}

/// A power cut after each step of a repair: writing, naming, announcing. The next repair ends as one alone would have.
#[test]
fn a_repair_that_was_cut_off_is_done_by_the_next_one() {
    for steps in 0..=3 {
        let mut world = World::new();
        world.customer("a", "1");
        world.customer("b", "1");
        world.export().unwrap();
        world.customer("a", "2");
        world.forget_history();
        world.export().unwrap();
        let lost = world.announced()[0].clone();
        std::fs::write(world.dir().join(&lost), "damaged").unwrap();
        world.cut_repair_short(steps);
        let dir = world.dir().to_owned();
        if steps == 3 {
            // Only the mirror doesn't remember yet that it is done, which is no difference.
            let verified = verify(&mut world.mirror, &world.settings).unwrap();
            assert!(verified.ok && verified.remarks.len() == 1, "{verified:?}");
        } else {
            assert!(!verify(&mut world.mirror, &world.settings).unwrap().ok);
        }
        let done = repair(&mut world.mirror, &world.settings, Timestamp::from_second(2).unwrap()).unwrap();
        assert!(done.verified.ok, "{steps}: {:?}", done.verified.differences);
        assert_eq!(done.verified.ranges[0].left_out, 1, "{steps}");
        assert_eq!(std::fs::read(dir.join(format!("{lost}.damaged"))).unwrap(), b"damaged", "{steps}");
        world.customer("c", "3");
        world.export().unwrap();
        assert!(!files(&dir).iter().any(|name| name.ends_with(".tmp")), "{steps}");
        let verified = verify(&mut world.mirror, &world.settings).unwrap();
        assert!(verified.ok && verified.remarks.len() == 1, "{steps}: {verified:?}");
        std::fs::remove_file(dir.join(format!("{lost}.damaged"))).unwrap();
        world.assert_good();
    }
}

impl World {
    fn cut_repair_short(&mut self, steps: usize) {
        let (dir, kind) = (self.dir().to_owned(), Kind::Changes);
        let lines = manifest::numbered(&dir.clone().into(), kind, &[1].into()).unwrap();
        let mut reader = Mirror::open_read_only(self.mirror.path()).unwrap();
        let now = Timestamp::from_second(1).unwrap();
        let written = repair::write(&mut reader, &dir.clone().into(), kind, &lines, now).unwrap();
        if steps == 0 {
            return;
        }
        if steps == 1 {
            return written.into_iter().for_each(|(_, written)| std::mem::forget(written.file));
        }
        let (_, lines) =
            repair::publish(&*destination::of(&dir.clone().into(), kind), kind, &lines, written).unwrap();
        if steps == 3 {
            open(&mut self.mirror, &dir.clone().into()).unwrap().replace(&mut self.mirror, lines).unwrap();
        }
    }
}

/// A power cut after each step of a pruning: noting what is planned, replacing the manifest, removing files.
#[test]
fn a_pruning_that_was_cut_off_is_ended_by_the_next_export() {
    for steps in 1..=3 {
        let mut world = World::new();
        world.settings.formats = vec![Format::Csv];
        for n in 0..4 {
            world.customer(&format!("c{n}"), "1");
            world.export().unwrap();
        }
        acknowledge(&world.settings.dir, 4, None, None).unwrap();
        let dir = world.dir().to_owned();
        let first = dir.join(&world.announced()[0]);
        let mut manifest = open(&mut world.mirror, &dir.clone().into()).unwrap();
        let expired = ExpiredLines::while_expired(&manifest, |number, _| Ok(number <= 2)).unwrap();
        let before = std::fs::read(dir.join("manifest.ndjson")).unwrap();
        expired.remove_lines(&mut world.mirror, &mut manifest).unwrap();
        if steps == 1 {
            std::fs::write(dir.join("manifest.ndjson"), before).unwrap();
        }
        if steps == 3 {
            std::fs::remove_file(first).unwrap();
        }
        assert_eq!(world.ranges(), [(if steps > 1 { 3 } else { 1 }, 4)], "{steps}");
        world.customer("c9", "1");
        let exported = world.export().unwrap();
        assert_eq!(exported.removed.len(), [0, 2, 1][steps - 1], "{steps}");
        assert_announced(&dir);
        assert_eq!((world.unknown_lines(), world.verified().remarks.len()), (0, usize::from(steps > 1)));
        // And it goes on from there.
        world.export_at(100);
        assert_eq!(world.ranges(), [(5, 5)], "{steps}");
        assert_announced(&dir);
    }
}
