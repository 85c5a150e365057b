//! A disk that is full, for the mirror, its log, the exports and the manifest, or read-only. The program says so, ends
//! with 1, publishes nothing half, and goes on once there is room.

use crate::disk::Disk;
use crate::effort::Effort;
use crate::findings::Findings;
use crate::support::{Place, Program, Shared};
use crate::test_account::{account, change, program};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_on_a_disk_that_is_full() {
    scenario(&Effort::of_environment()).await.assert_clean_where_possible();
}

/// Says what was tried: without a disk of its own, 0 tries.
pub const NAME: &str = "a disk (tmpfs) that is full or read-only";

type Try = Pin<Box<dyn Future<Output = Findings> + Send>>;

/// What lies on the small disk.
#[derive(Clone, Copy)]
enum Lies {
    Mirror,
    Exports,
    Both,
}

/// Nothing where no disk can be mounted: `ulimit -f` then has to do, which `bad_machine` tries everywhere.
pub async fn scenario(effort: &Effort) -> Findings {
    if !Disk::is_possible() {
        return Findings::default();
    }
    let mut tries: Vec<Try> = Vec::new();
    for (lies, most) in [(Lies::Mirror, 500), (Lies::Exports, 100), (Lies::Both, 600)] {
        for n in 0..effort.tries(2, 20) {
            let mut luck = effort.luck(9, n * 3 + lies as u64);
            // In KiB: from nothing to beyond what a first sync needs.
            tries.push(Box::pin(first_sync(lies, luck.u64(0..most) * 1_024)));
            tries.push(Box::pin(later(lies, luck.u64(0..most / 2) * 1_024)));
        }
    }
    tries.push(Box::pin(read_only()));
    effort.all(tries.into_iter()).await
}

/// A place with a disk over it or beside it, and the program that works there.
struct Stage {
    account: Shared,
    place: Place,
    small: Option<(Disk, Place)>,
    program: Program,
    _server: crate::support::Server,
}

impl Stage {
    async fn new(lies: Lies) -> Stage {
        let account = account(60, 2, 10).shared();
        let server = account.serve().await;
        let (place, other) = (Place::new(), Place::new());
        let program = program(&place, &server.base_url());
        // What the judge looks at lies below the place: a link leads what lies elsewhere there.
        let disk = match lies {
            Lies::Both | Lies::Mirror => Disk::over(&place).unwrap(),
            Lies::Exports => Disk::over(&other).unwrap(),
        };
        if !matches!(lies, Lies::Both) {
            link(&other.path().join("exports"), &place.exports());
        }
        Stage { account, place, small: Some((disk, other)), program, _server: server }
    }

    fn disk(&self) -> &Disk {
        &self.small.as_ref().unwrap().0
    }

    /// There is room: what was there is sound, and a plain run makes everything good.
    async fn made_good(&self, found: &mut Findings) {
        found.judge_integrity(&self.place);
        found.ended(&self.program.run(&["sync", "--full"]).await, &[0]);
        found.judge(&self.account.state(), &self.place, &self.program).await;
    }

    /// Runs on a disk with so little room, and then with room again.
    async fn cramped(&self, found: &mut Findings, room: u64, arguments: &[&str]) {
        self.disk().fill(room);
        let ran = self.program.run(arguments).await;
        found.ended(&ran, &[0, 1]);
        let told = ran.code() != Some(1)
            || ["the disk is full", "the disk failed"].iter().any(|word| ran.stderr.contains(word));
        found.check(told, || format!("it does not tell that the disk is full: {}", ran.stderr));
        self.disk().free_up();
        self.made_good(found).await;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The disk before the folder it is mounted on.
        if let Some((disk, other)) = self.small.take() {
            drop(disk);
            drop(other);
        }
    }
}

fn link(to: &Path, at: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::os::unix::fs::symlink(to, at).unwrap();
}

async fn first_sync(lies: Lies, room: u64) -> Findings {
    let mut found = Findings::of_a_try();
    let stage = Stage::new(lies).await;
    stage.cramped(&mut found, room, &["sync", "--full"]).await;
    found
}

async fn later(lies: Lies, room: u64) -> Findings {
    let mut found = Findings::of_a_try();
    let stage = Stage::new(lies).await;
    found.ended(&stage.program.run(&["sync", "--full"]).await, &[0]);
    change(&mut stage.account.lock(), &mut fastrand::Rng::with_seed(room), 1);
    stage.cramped(&mut found, room, &["sync"]).await;
    // Everything at once, where the changes alone would fit.
    stage.cramped(&mut found, room, &["export", "--snapshot"]).await;
    found
}

/// The file system turns read-only, as after an error of the disk.
async fn read_only() -> Findings {
    let mut found = Findings::of_a_try();
    let stage = Stage::new(Lies::Both).await;
    found.ended(&stage.program.run(&["sync", "--full"]).await, &[0]);
    change(&mut stage.account.lock(), &mut fastrand::Rng::with_seed(1), 1);
    stage.disk().set_read_only(true);
    for arguments in [&["sync"][..], &["sync", "--full"], &["export"], &["export", "--snapshot"]] {
        let ran = stage.program.run(arguments).await;
        found.ended(&ran, &[1]);
        found.check(
            ran.stderr.to_lowercase().contains("read-only") || ran.stderr.contains("readonly"),
            || format!("it does not tell that the disk is read-only: {}", ran.stderr),
        );
    }
    found.ended(&stage.program.run(&["status"]).await, &[0, 1]);
    stage.disk().set_read_only(false);
    stage.made_good(&mut found).await;
    found
}
