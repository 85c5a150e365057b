//! A search of every byte below a folder, by a reading of its own.

use std::io::Read;
use std::path::Path;

/// Each of these texts that a file below the folder has, as the file lies there or unpacked, whatever the capitals: `TEXT in
/// FILE`.
pub fn found_in(folder: &Path, texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(found_in(&path, texts));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for content in [Some(bytes.clone()), unpacked(&path, &bytes)].into_iter().flatten() {
            let content = String::from_utf8_lossy(&content).to_lowercase();
            let there = texts.iter().filter(|text| content.contains(&text.to_lowercase()));
            found.extend(there.map(|text| format!("{text} in {}", path.display())));
        }
    }
    found
}

fn unpacked(path: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    match path.extension()?.to_str()? {
        "gz" => drop(flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap()),
        "zst" => plain = zstd::decode_all(bytes).unwrap(),
        #[cfg(feature = "lake")]
        "parquet" => plain = super::parquet::text(bytes.to_vec()).into_bytes(),
        _ => return None,
    }
    Some(plain)
}
