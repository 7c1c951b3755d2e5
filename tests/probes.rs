//! The fuzz targets' seeds, and the inputs that once broke something, keep what the probes promise.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests touch the disk and fail where they stand"
)]

use std::fs;
use std::path::{Path, PathBuf};

use fnscaffold::probes::PROBES;

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory);
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn seeds_and_kept_crashes_pass() {
    let mut directories: Vec<_> =
        files("seeds").iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    directories.sort();
    assert_eq!(directories, PROBES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, probe) in PROBES {
        let mut seeds = files(&format!("seeds/{name}"));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        if *name == "archive" {
            seeds.extend(files("archives"));
        }
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            // Cut anywhere, it is a stranger's too.
            for length in (0..=bytes.len()).rev().step_by(1 + bytes.len() / 16) {
                let judged = std::panic::catch_unwind(|| probe(&bytes[..length]));
                assert!(judged.is_ok(), "{}, its first {length} bytes", seed.display());
            }
        }
    }
}
