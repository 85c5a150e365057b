//! What is put into packages: it lies there, and is of this version.

use crate::support::{Place, Program};
use std::path::{Path, PathBuf};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manual_page_is_what_the_program_prints() {
    let place = Place::new();
    let page = Program::new(place.path()).ends(0, &["man"]).await.stdout;
    assert!(page == text("packaging/malomo-mirror.1"), "the command line has changed: run packaging/refresh");
}

/// Takes the completions from the packaged files, as the shell would with the program on its path.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bash_completes_from_the_packaged_file() {
    let program = Path::new(env!("CARGO_BIN_EXE_malomo-mirror")).parent().unwrap();
    let ask = "PATH=$1:$PATH; . \"$2\"; COMP_WORDS=(malomo-mirror stat); COMP_CWORD=1; \
               function=$(complete -p malomo-mirror | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
               $function malomo-mirror stat malomo-mirror; echo \"${COMPREPLY[@]}\"";
    let ran = std::process::Command::new("bash")
        .args(["-c", ask, "bash"])
        .args([program, &file("packaging/completions/malomo-mirror")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "status\n", "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn every_file_of_the_debian_package_is_there() {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let package = manifest["package"].as_table().unwrap();
    let deb = package["metadata"]["deb"].as_table().unwrap();
    let assets = deb["assets"].as_array().unwrap();
    let sources = assets.iter().map(|asset| asset[0].as_str().unwrap());
    for source in sources.filter(|source| !source.starts_with("target/")) {
        let there = match source.split_once("/*.") {
            Some((folder, kind)) => std::fs::read_dir(file(folder))
                .unwrap()
                .any(|entry| entry.unwrap().path().extension().is_some_and(|found| found == kind)),
            None => file(source).is_file(),
        };
        assert!(there, "{source}");
    }
    let units = std::fs::read_dir(file("systemd")).unwrap();
    for unit in units {
        let unit = format!("systemd/{}", unit.unwrap().file_name().into_string().unwrap());
        assert!(assets.iter().any(|asset| asset[0].as_str() == Some(&unit)), "{unit} is not in the package");
    }
    let newest = text("packaging/changelog").lines().next().unwrap().to_owned();
    let version = package["version"].as_str().unwrap();
    assert!(newest.starts_with(&format!("malomo-mirror ({version}-")), "packaging/changelog: {newest}");
}
