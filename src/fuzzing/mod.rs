//! What has to hold for input of any kind: the checks behind the fuzz targets in `tests/fuzz`.
//!
//! Each takes bytes as a fuzzer makes them up and panics where a promise is broken. They stand beside the code that they
//! try. `seeds` holds a few inputs for each to begin with, and those that once broke it; the tests run them all.

pub use crate::api::fuzzing::{link, page, token};
pub use crate::config::fuzzing::config;
pub use crate::export::fuzzing::manifest;
pub use crate::schedule::fuzzing::cron;
pub use crate::webhook::fuzzing::delivery;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    type Check = fn(&[u8]);

    const CHECKS: [(&str, Check); 7] = [
        ("config", super::config),
        ("cron", super::cron),
        ("delivery", super::delivery),
        ("link", super::link),
        ("manifest", super::manifest),
        ("page", super::page),
        ("token", super::token),
    ];

    fn sorted(folder: &Path) -> Vec<PathBuf> {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    #[test]
    fn the_seeds_pass() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fuzzing/seeds");
        let names = sorted(&seeds).into_iter().map(|folder| folder.file_name().unwrap().to_owned());
        assert!(names.eq(CHECKS.map(|(name, _)| name)), "a folder of seeds for each check");
        for (name, check) in CHECKS {
            for seed in sorted(&seeds.join(name)) {
                println!("{}", seed.display());
                check(&std::fs::read(&seed).unwrap());
            }
        }
    }
}
