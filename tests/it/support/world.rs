//! An account that is served, and a mirror of it with exports.

use super::account::{Account, Shared};
use super::compare::{assert_derived_is_true, assert_same, assert_totals_are_true};
use super::place::Place;
use super::program::Program;
use super::replay::{assert_no_strays, formats, replay};
use super::server::{Asked, Reply, Server};
use super::state::State;

/// Every format of this build, as `export.formats` takes them.
pub const FORMATS: &str = if cfg!(feature = "lake") { "csv,ndjson,parquet,delta" } else { "csv,ndjson" };

/// An account, its server, and a program for a place of its own. Whoever takes it apart keeps `server` and `place` by a name,
/// because the one stops and the other goes when it is dropped.
pub struct World {
    pub account: Shared,
    pub server: Server,
    pub place: Place,
    pub program: Program,
}

impl World {
    /// With a server that answers honestly.
    pub async fn of(account: Account) -> World {
        World::but(account, |_| None).await
    }

    /// With a server that answers honestly, except where `twist` has another answer.
    pub async fn but(
        account: Account,
        twist: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> World {
        let account = account.shared();
        let server = account.serve_but(twist).await;
        let place = Place::new();
        let program = place.program(&server.base_url());
        World { account, server, place, program }
    }

    /// With one more setting, as `--set` takes it.
    pub fn set(self, setting: &str) -> World {
        World { program: self.program.set(setting), ..self }
    }

    /// Asserts that the mirror and the exports in each format hold this state, that what is told of them is true, and that
    /// nothing else lies there.
    pub async fn holds(&self, state: &State) {
        assert_same(state, &State::of_mirror(&self.place), "the mirror");
        assert_totals_are_true(&self.place);
        assert_derived_is_true(&self.place);
        for format in formats(&self.place) {
            assert_same(state, &replay(&self.place, &format), "the exports");
        }
        assert_no_strays(&self.place);
        self.program.ends(0, &["export", "verify"]).await;
    }
}
