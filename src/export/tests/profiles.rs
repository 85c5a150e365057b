//! Exports that hide: whatever the rules, they verify, come back and can be joined like others.

use super::replay::files;
use super::world::{Put, STAMP, World, puts};
use crate::export::ExportError;
use crate::export::compaction::compact;
use crate::export::formats::Format;
use crate::export::joining::Joining;
use crate::export::repair::repair;
use crate::masking::{Classes, FieldRule, Profile, Rule};
use crate::record::Stream;
use proptest::prelude::*;

/// Rules for some of the fields that the worlds of these tests fill.
fn rules() -> impl Strategy<Value = Vec<FieldRule>> {
    let text = || prop::sample::select(Rule::ALL.to_vec());
    let of = |path: &'static str, rule: BoxedStrategy<Rule>| {
        let field = move |rule| FieldRule { path: path.split('.').map(str::to_owned).collect(), rule };
        prop::option::of(rule.prop_map(field))
    };
    let some = |rules: &[Rule]| prop::sample::select(rules.to_vec()).boxed();
    let fields = (
        of("customers.id", some(&[Rule::Keep, Rule::Hmac])),
        of("customers.email", text().boxed()),
        of("customers.first_name", text().boxed()),
        of("customers.extra.t", text().boxed()),
        of("events.customer_id", some(&[Rule::Keep, Rule::Hmac])),
        of("events.timestamp", some(&[Rule::Keep, Rule::Drop, Rule::Year])),
        of("events.properties.n", text().boxed()),
        of("events.extra.*", text().boxed()),
    );
    fields.prop_map(|(a, b, c, d, e, f, g, h)| [a, b, c, d, e, f, g, h].into_iter().flatten().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn hidden_rows_are_exported_like_others(
        changes in prop::collection::vec(puts(), 1..30),
        rules in rules(),
        other in rules(),
    ) {
        let mut world = World::new();
        let key_file = world.folder.path().join("key");
        let profile = |rules: &[FieldRule]| Profile::new("p", key_file.clone(), Classes::default(), rules).unwrap();
        world.settings.profile = Some(profile(&rules));
        for change in &changes {
            match change {
                Put::Export(formats, compression, form) => {
                    [world.settings.csv_formula_guard, world.settings.exact, world.settings.csv_bom] = *form;
                    (world.settings.formats, world.settings.compression) = (formats.clone(), *compression);
                    world.export().unwrap();
                }
                change => world.put(change),
            }
        }
        world.settings.formats = Format::ALL.to_vec();
        world.customer("always one", "1");
        world.export().unwrap();
        world.snapshot().unwrap();
        world.verified();
        // Every file comes back, byte for byte.
        let dir = world.dir().to_owned();
        for path in files(&dir).into_iter().filter(|path| !path.ends_with("manifest.ndjson")) {
            let path = dir.join(path);
            let good = std::fs::read(&path).unwrap();
            std::fs::write(&path, [&good[..], b"x"].concat()).unwrap();
            repair(&mut world.mirror, &world.settings, STAMP.now).unwrap();
            prop_assert!(std::fs::read(&path).unwrap() == good, "{}", path.display());
        }
        compact(&mut world.mirror, &world.settings, Joining::All, false, STAMP.now).unwrap();
        let verified = world.verified();
        prop_assert!(verified.ok);
        // Who reads the mirror afterwards sees all of it.
        let mut ids = Vec::new();
        let snapshot = world.mirror.snapshot().unwrap();
        snapshot
            .rows(Stream::Customers, i64::MAX, |change| {
                ids.push(change.id.to_owned());
                Ok::<_, ExportError>(())
            })
            .unwrap();
        drop(snapshot);
        prop_assert!(ids.iter().any(|id| id == "always one"));
        // Rows of other rules don't go there.
        if profile(&rules) != profile(&other) {
            world.settings.profile = Some(profile(&other));
            let refused = |error: &ExportError| matches!(error, ExportError::OtherProfile { .. });
            prop_assert!(refused(&world.export().unwrap_err()));
            prop_assert!(refused(&world.snapshot().unwrap_err()));
        }
    }
}
