//! The file that holds what was told, beside the mirror.

use super::causes::Told;
use crate::ownership::adopt;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How its name ends.
const ENDING: &str = ".notices";

/// For owner and group, like everything that lies there.
const MODE: u32 = 0o640;

/// What earlier daemons have told of this mirror. Nothing where that can't be read: the daemon is then louder than it should
/// be, not quieter.
pub(super) fn read(mirror: &Path) -> Told {
    let text = std::fs::read_to_string(place(mirror)).ok();
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Replaces it as a whole. It is not synced: after a crash of the machine the daemon may tell something again.
///
/// # Errors
/// When it can't be written; the old one then stays.
pub(super) fn write(mirror: &Path, told: &Told) -> io::Result<()> {
    let place = place(mirror);
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".notices-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    adopt(file.as_file(), folder)?;
    file.write_all(serde_json::to_string(told)?.as_bytes())?;
    file.persist(place).map(drop).map_err(|error| error.error)
}

/// Beside the file that links lead to, as the other files of a mirror.
fn place(mirror: &Path) -> PathBuf {
    let mut name = mirror.canonicalize().unwrap_or_else(|_| mirror.to_owned()).into_os_string();
    name.push(ENDING);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = folder.path().join("mirror.db");
        assert_eq!(read(&mirror), Told::default());
        let text = r#"{"causes":{"run_failed":{"told_at":"2026-03-01T10:00:00Z","held_back":2,"is_open":true}},
                       "incomplete_in_a_row":1}"#;
        let told: Told = serde_json::from_str(text).unwrap();
        write(&mirror, &told).unwrap();
        assert_eq!(read(&mirror), told);
        let mode = std::fs::metadata(place(&mirror)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !MODE, 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(place(&mirror), "nonsense").unwrap();
        assert_eq!(read(&mirror), Told::default());
    }
}
