//! Parquet and Delta Lake: a build with the feature `lake` writes them like any other format, and one without says that it
//! lacks them.

use crate::support::{Account, World, manifest};

#[cfg(feature = "lake")]
mod with_it {
    use super::*;
    use crate::support::{
        Place, Program, State, as_exported, assert_everything_equals, assert_no_strays, assert_same,
        customer, delta, parquet,
    };
    use serde_json::Value;
    use std::path::PathBuf;

    fn paths(place: &Place, format: &str) -> Vec<PathBuf> {
        let lines = manifest(place).into_iter().filter(|line| line["format"] == format);
        lines.map(|line| place.exports().join(line["path"].as_str().unwrap())).collect()
    }

    fn snapshots(exported: &Value, format: &str) -> Vec<String> {
        let files = exported["files"].as_array().unwrap().iter();
        let of_format = files.filter(|line| line["format"] == format);
        of_format.map(|line| line["path"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn parquet_is_a_format_like_any_other() {
        let World { account, server: _server, place, program } =
            World::of(Account::of(8, 3, 5)).await.set("export.formats=csv,ndjson,parquet");
        let packed = program.clone().set("export.compression=gzip");
        packed.ends(0, &["sync", "--full"]).await;
        {
            let mut account = account.lock();
            account.put("c-01", customer("c-01", "Second", "2024-06-01T00:00:00Z"));
            account.add_event("c-01", "c-01-e-new");
            account.remove("c-02");
        }
        program.ends(0, &["sync", "--full"]).await;
        assert_everything_equals(&account.state(), &place);
        assert_no_strays(&place);
        for line in manifest(&place).iter().filter(|line| line["format"] == "parquet") {
            assert_eq!(line["compression"], "none", "{line}");
            assert!(line["path"].as_str().unwrap().ends_with(".parquet"), "{line}");
            assert_eq!(
                line["columns"].as_array().unwrap().len(),
                if line["stream"] == "events" { 16 } else { 13 }
            );
        }
        let rows = parquet::rows(std::fs::read(&paths(&place, "parquet")[1]).unwrap());
        for row in &rows {
            let seconds = format!("SELECT CAST(strftime('%s', '{}') AS INTEGER)", row["created_at"].text());
            assert_eq!(row["created_at_utc"].integer(), place.number(&seconds) * 1_000_000, "{row:?}");
        }
        let status = program.ends(0, &["status", "--json"]).await.json();
        let files = status["exports"].as_array().unwrap();
        assert!(files.iter().any(|file| file["format"] == "parquet"), "{status}");

        program.ends(0, &["export", "verify"]).await.shows(&["parquet changes 1 to"]);
        for path in paths(&place, "parquet") {
            let good = std::fs::read(&path).unwrap();
            for bad in [None, Some(good[..good.len() / 2].to_vec()), Some([&good[..], b"x"].concat())] {
                match bad {
                    None => std::fs::remove_file(&path).unwrap(),
                    Some(bad) => std::fs::write(&path, bad).unwrap(),
                }
                program.ends(1, &["export", "verify"]).await.shows(&["differs"]);
                program.ends(0, &["export", "repair"]).await.shows(&["byte for byte as before"]);
                assert!(std::fs::read(&path).unwrap() == good, "{}", path.display());
            }
        }

        let first = manifest(&place)[0]["last_seq"].to_string();
        let now = program.ends(0, &["export", "--snapshot", "--json"]).await.json();
        let then = program.ends(0, &["export", "--as-of", &first, "--json"]).await.json();
        for (exported, customers) in [(&now, 7), (&then, 8)] {
            let names = snapshots(exported, "parquet");
            assert_eq!(names.len(), 2, "{exported}");
            let rows =
                parquet::rows(std::fs::read(place.exports().join("snapshots").join(&names[0])).unwrap());
            assert_eq!(rows.len(), customers);
            assert!(rows.iter().all(|row| row["_op"].text() == "insert"));
        }
        program.ends(0, &["export", "verify"]).await;
        let lost = place.exports().join("snapshots").join(&snapshots(&then, "parquet")[1]);
        let good = std::fs::read(&lost).unwrap();
        std::fs::write(&lost, "PAR1").unwrap();
        program.ends(1, &["export", "verify"]).await;
        program.ends(0, &["export", "repair"]).await;
        assert!(std::fs::read(&lost).unwrap() == good);

        // What its consumer has, and what a snapshot stands for, may go.
        program.ends(0, &["export", "acknowledge", "--format", "parquet", "--through", &first]).await;
        let pruned = program.clone().set("export.max_age=1ms").ends(0, &["export", "--json"]).await.json();
        let pruned = pruned["pruned"].as_array().unwrap();
        assert!(pruned.iter().any(|path| path.as_str().unwrap().ends_with(".parquet")), "{pruned:?}");
        program.ends(0, &["export", "verify"]).await;
    }

    fn assert_tables_equal(place: &Place, said: &str) {
        let expected = as_exported(&State::of_mirror(place), place);
        for suffix in ["", "_changes"] {
            let found = as_exported(&delta::replay(place, suffix), place);
            assert_same(&expected, &found, &format!("the tables *{suffix} after {said}"));
        }
    }

    async fn export_killed_at(program: &Program, point: &str) {
        let dying = program.clone().variable("MALOMO_MIRROR_FAIL_POINT", point);
        assert!(dying.run(&["export"]).await.signal().is_some(), "{point}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_change_is_in_the_tables_once_whenever_an_export_dies() {
        let World { account, server: _server, place, program } =
            World::of(Account::of(8, 3, 5)).await.set("export.formats=csv,delta");
        // Runs bring changes, and what exports them is chosen here.
        let elsewhere = program.clone().set("export.formats=csv");
        program
            .ends(0, &["sync", "--full"])
            .await
            .shows(&["customers_changes version 0", "events version 0"]);
        assert_tables_equal(&place, "the first export");
        // Four tables, each with a file and a commit; the customers' changes have the first.
        let points = [
            "before-rename:1",
            "before-table-commit:1",
            "after-table-commit:1",
            "before-table-commit:2",
            "after-table-commit:2",
            "before-rename:3",
            "before-table-commit:3",
            "after-table-commit:3",
            "before-table-commit:4",
            "after-table-commit:4",
        ];
        for (n, point) in points.into_iter().enumerate() {
            {
                let mut account = account.lock();
                let (id, gone) = (format!("c-new-{n}"), format!("c-new-{}", n.wrapping_sub(2)));
                account.add(&id, 1);
                account.put("c-01", customer("c-01", point, &format!("2024-07-{:02}T00:00:00Z", n + 1)));
                if n > 1 {
                    account.remove(&gone);
                }
            }
            elsewhere.ends(0, &["sync", "--full"]).await;
            export_killed_at(&program, point).await;
            // What it committed counts, and nothing else.
            for table in ["customers", "events"] {
                delta::Table::read(&place, &format!("{table}_changes")).rows();
            }
            program.ends(0, &["export"]).await;
            assert_tables_equal(&place, point);
            let head = place.number("SELECT max(seq) FROM changes WHERE stream = 'customers'");
            assert!(delta::Table::read(&place, "customers_changes").position() >= head);
        }
        program.ends(0, &["export"]).await.shows(&["nothing new"]);
        let verified = program.ends(0, &["export", "verify", "--json"]).await.json();
        assert_eq!(verified["tables"].as_array().unwrap().len(), 4, "{verified}");
        let log = place.exports().join("customers_changes/_delta_log");
        assert!(
            log.join("_last_checkpoint").exists()
                && log.join(format!("{:020}.checkpoint.parquet", 10)).exists()
        );

        let status = program.ends(0, &["status", "--json"]).await.json();
        let lag = status["export_lag"].as_array().unwrap();
        assert!(lag.is_empty() && status.to_string().contains("customers_changes/part-"), "{status}");
        let before = delta::Table::read(&place, "customers");
        program.ends(0, &["export", "--snapshot"]).await.shows(&["customers version"]);
        let after = delta::Table::read(&place, "customers");
        assert_eq!(after.commits.len(), before.commits.len() + 1);
        assert!(before.files.keys().all(|path| !after.files.contains_key(path)));
        assert_tables_equal(&place, "a snapshot");

        // A damaged file is named, and so is the way out.
        let (path, _) = after.files.first_key_value().unwrap();
        std::fs::write(place.exports().join("customers").join(path), "PAR1").unwrap();
        let found = program.ends(1, &["export", "verify"]).await;
        found.shows(&["its size or SHA-256 is not the one that the log notes", "export --snapshot"]);
        program.ends(0, &["export", "--snapshot"]).await;
        program.ends(0, &["export", "verify"]).await;
        assert_tables_equal(&place, "it was written anew");
    }
}

#[cfg(not(feature = "lake"))]
mod without_it {
    use super::*;
    use sha2::{Digest, Sha256};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn parquet_is_refused_and_files_that_another_build_wrote_are_named() {
        let World { account, server: _server, place, program } = World::of(Account::of(2, 1, 5)).await;
        let refused = program.clone().set("export.formats=parquet").ends(2, &["sync"]).await;
        refused.tells(&["this build of the program has no parquet", "the Debian package has it"]);
        let refused = program.clone().set("export.formats=delta").ends(2, &["sync"]).await;
        refused.tells(&["this build of the program has no delta", "the Debian package has it"]);
        program.ends(0, &["sync", "--full"]).await;

        // A table of another build is named, too.
        let log = place.exports().join("events_changes/_delta_log");
        std::fs::create_dir_all(&log).unwrap();
        std::fs::write(log.join("00000000000000000000.json"), "{}").unwrap();
        program.ends(5, &["export", "verify"]).await.shows(&["unchecked  events_changes"]);
        std::fs::remove_dir_all(place.exports().join("events_changes")).unwrap();

        // A line as another build adds it.
        let path = place.exports().join("manifest.ndjson");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut line = manifest(&place).remove(0);
        let last = text.lines().last().unwrap();
        let digest: String = Sha256::digest(last).iter().map(|byte| format!("{byte:02x}")).collect();
        line["previous"] = digest.into();
        line["format"] = "parquet".into();
        line["path"] = line["path"].as_str().unwrap().replace(".csv", ".parquet").into();
        std::fs::write(&path, format!("{text}{line}\n")).unwrap();
        let file = place.exports().join(line["path"].as_str().unwrap());
        std::fs::write(&file, "PAR1").unwrap();

        let found = program.ends(5, &["export", "verify"]).await;
        found.shows(&["unchecked  customers/customers-", ".parquet", "1 file not checked"]);
        let found = program.ends(5, &["export", "verify", "--json"]).await.json();
        assert_eq!((&found["ok"], &found["difference_count"]), (&false.into(), &0.into()), "{found}");
        assert_eq!(found["unchecked"], serde_json::json!([line["path"]]));
        // What else is wrong counts for more, and is mended.
        let csv = place.exports().join(manifest(&place)[0]["path"].as_str().unwrap());
        std::fs::remove_file(&csv).unwrap();
        program.ends(1, &["export", "verify"]).await.shows(&["it is gone"]);
        program.ends(5, &["export", "repair"]).await;
        assert!(csv.exists() && file.exists());
        // Exports go on, and neither the line nor the file is touched.
        account.lock().add("c-03", 1);
        let pruning = program.clone().set("export.max_age=1ms");
        pruning.ends(0, &["sync", "--full"]).await;
        pruning.ends(0, &["export", "--snapshot"]).await;
        pruning.ends(0, &["export"]).await;
        assert!(file.exists() && manifest(&place).iter().any(|line| line["format"] == "parquet"));
        program.ends(5, &["export", "verify"]).await;
    }
}
