//! What the system refuses, and file modes.

use super::replay::files;
use super::world::{Put, STAMP, World, settings};
use crate::export::publish::export;
use crate::mirror::Mirror;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[test]
fn a_failing_write_leaves_nothing_behind() {
    let mut world = World::new();
    world.customer("a", "1");
    world.put(&Put::Event("e".to_owned(), "a".to_owned(), None));
    // Customers are written when events fail.
    std::fs::create_dir_all(world.dir()).unwrap();
    std::fs::write(world.dir().join("events"), "in the way").unwrap();
    let error = world.export().unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(files(world.dir()), ["events"]);
    std::fs::remove_file(world.dir().join("events")).unwrap();
    world.export().unwrap();
    world.assert_good();
}

const INSIDE: &str = "MALOMO_MIRROR_TEST_ARGUMENT";

/// What [`in_own_process`] was given, in that process.
fn inside() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// Runs a test again in a process of its own, after shell commands whose effect belongs to a whole process.
fn in_own_process(test: &str, shell: &str, argument: &Path) {
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{shell}; exec \"$0\" --exact export::tests::system_limits::{test}"))
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, argument)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// The system takes no more bytes in the middle of a file, as on a full disk.
#[test]
fn a_file_that_the_disk_does_not_take_leaves_nothing_behind() {
    let Some(path) = inside() else {
        let mut world = World::new();
        for n in 0..300 {
            world.customer(&format!("{n}"), &"x".repeat(1_000));
        }
        let test = "a_file_that_the_disk_does_not_take_leaves_nothing_behind";
        // 256 blocks of at most 1024 bytes; with the signal ignored, writing more is an error.
        in_own_process(test, "trap '' XFSZ; ulimit -f 256", world.mirror.path());
        assert!(files(world.dir()).is_empty());
        world.export().unwrap();
        return world.assert_good();
    };
    let dir = path.with_file_name("out").join("exports");
    let settings = settings(dir);
    let error =
        export(&mut Mirror::open(&path).unwrap(), &settings, None, STAMP.now).unwrap_err().to_string();
    assert!(error.contains("json can't be written") || error.contains("csv can't be written"), "{error}");
    assert!(error.contains("nothing was announced"), "{error}");
    assert!(files(settings.dir.folder().unwrap()).is_empty());
}

#[test]
fn only_owner_and_group_can_read_what_is_exported() {
    if inside().is_none() {
        let test = "only_owner_and_group_can_read_what_is_exported";
        return in_own_process(test, "umask 0", Path::new("."));
    }
    let mut world = World::new();
    world.customer("a", "1");
    world.export().unwrap();
    world.snapshot().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let found = files(world.dir());
    assert!(found.len() > 4);
    for name in found {
        let path = world.dir().join(name);
        assert_eq!(mode(&path), 0o640, "{}", path.display());
        assert_eq!(mode(path.parent().unwrap()), 0o750, "{}", path.display());
    }
}
